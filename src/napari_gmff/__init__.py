"""Fuse focus stacks of microscopes into one sharp image that holds only measured pixels.

The public names load on first use, so that importing the package stays quick and brings in
neither torch nor napari nor Qt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_gmff.corrected_result import apply_corrections
    from napari_gmff.corrections import Corrections, load_corrections
    from napari_gmff.errors import GmffError
    from napari_gmff.methods import methods_text
    from napari_gmff.params import FuseParams
    from napari_gmff.pipeline import fuse, iter_fuse
    from napari_gmff.reading.open import read_stack
    from napari_gmff.reading.positions import list_positions
    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.restoration.params import RestoreParams
    from napari_gmff.restoration.run import iter_restore, restore
    from napari_gmff.restoration_result import RestorationResult
    from napari_gmff.results import FusionResult, open_result

    __version__: str

__all__ = [
    "Corrections",
    "FocusStack",
    "FuseParams",
    "FusionResult",
    "GmffError",
    "RestorationResult",
    "RestoreParams",
    "__version__",
    "apply_corrections",
    "fuse",
    "iter_fuse",
    "iter_restore",
    "list_positions",
    "load_corrections",
    "methods_text",
    "open_result",
    "read_stack",
    "restore",
]

_HOMES = {
    "Corrections": "corrections",
    "FocusStack": "reading.stack",
    "FuseParams": "params",
    "FusionResult": "results",
    "GmffError": "errors",
    "RestorationResult": "restoration_result",
    "RestoreParams": "restoration.params",
    "apply_corrections": "corrected_result",
    "fuse": "pipeline",
    "iter_fuse": "pipeline",
    "iter_restore": "restoration.run",
    "list_positions": "reading.positions",
    "load_corrections": "corrections",
    "methods_text": "methods",
    "open_result": "results",
    "read_stack": "reading.open",
    "restore": "restoration.run",
}


def __getattr__(name: str) -> object:
    """Load a public name from its module when it is first asked for."""
    if name == "__version__":
        value: object = _installed_version()
    elif name in _HOMES:
        from importlib import import_module

        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted({*globals(), *__all__})


def _installed_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("napari-gmff")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "0+unknown"
