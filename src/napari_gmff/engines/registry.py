"""The engines by name: those of this package, and those that other packages add.

Modules are imported when asked for, so that listing names costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_gmff.engines.found import FoundEngine, found_engines
from napari_gmff.errors import GmffError, ParameterError
from napari_gmff.params import DEFAULT_ENGINE

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from napari_gmff.engines.base import AnyEngine, EngineOptions, FocusEngine

_ENGINES = {
    "laplacian-energy": "napari_gmff.engines.laplacian:LaplacianEnergy",
    "laplacian-pyramid": "napari_gmff.engines.laplacian_pyramid:LaplacianPyramid",
    "local-variance": "napari_gmff.engines.local_variance:LocalVariance",
    "stackmff-v4": "napari_gmff.engines.stackmff:StackMFFV4Engine",
    "tenengrad": "napari_gmff.engines.tenengrad:Tenengrad",
    "wavelet-energy": "napari_gmff.engines.wavelet:WaveletEnergy",
    "wavelet-maximum": "napari_gmff.engines.wavelet_maximum:WaveletMaximum",
    "weighted-average": "napari_gmff.engines.weighted_average:WeightedAverage",
}


COPIED = "Fused pixels are copied from the slices"
COMPUTED = "Fused pixels are computed, not copied: there is no focus index, depth or confidence"


@dataclass(frozen=True)
class EngineInfo:
    """What users should know of an engine before they choose it.

    Attributes
    ----------
    name : str
        What the parameter `engine` says.
    title : str
        One sentence; empty where there is a problem.
    preserves_pixels : bool or None
        Whether fused pixels are copied from the slices, or computed; None where unknown.
    references : tuple of str
        Papers to cite.
    package : str
        Name and version of the package it comes from; empty for this one.
    problem : str
        Why it cannot be used; empty where it can.
    """

    name: str
    title: str
    preserves_pixels: bool | None
    references: tuple[str, ...]
    package: str
    problem: str = ""

    @property
    def words(self) -> str:
        """What it is, and what becomes of the pixels, in sentences."""
        if self.problem:
            return f"Cannot be used: {self.problem}."
        return f"{self.title}. {COPIED if self.preserves_pixels else COMPUTED}."

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), "is_default": self.name == DEFAULT_ENGINE}


def built_in_names() -> list[str]:
    """Return the names of this package's own engines."""
    return sorted(_ENGINES)


def engine_names() -> list[str]:
    """Return the names that `make_engine` takes; those of others may turn out to be broken."""
    return sorted({*_ENGINES, *(one.name for one in found_engines(_ENGINES) if not one.problem)})


def engine_titles() -> dict[str, str]:
    """Return a few words on each engine, by name; imports all of them, torch included."""
    usable = engine_names()
    return {one.name: one.words for one in engine_infos() if one.name in usable}


def engine_infos() -> list[EngineInfo]:
    """Describe all engines, those of others last; imports them, torch included."""
    ours = [_info(name, _class_of_row(name), "") for name in built_in_names()]
    return [*ours, *(_info_of_found(one) for one in found_engines(_ENGINES))]


def make_engine(name: str, options: EngineOptions) -> AnyEngine:
    """Make an engine by name.

    Raises
    ------
    ParameterError
        If there is no such engine, or it is another package's and broken.
    WeightsError, DeviceError
        If the engine's weights or processor are not to be had.
    """
    if name in _ENGINES:
        engine: AnyEngine = _class_of_row(name)(options)
        return engine
    found = _found(name)
    loaded = found.load()
    try:
        engine = loaded(options)
    except GmffError:
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise ParameterError(
            f"engine: {name} of the package {found.package} cannot be made ({why})"
        ) from error
    return engine


def package_of(name: str) -> str | None:
    """Return name and version of the package that an engine comes from; None for this one."""
    if name in _ENGINES:
        return None
    return next((one.package for one in found_engines(_ENGINES) if one.name == name), None)


def preserves_pixels(engine: AnyEngine) -> TypeIs[FocusEngine]:
    """Whether an engine chooses slices to copy from; a blend computes pixels."""
    return bool(getattr(engine, "preserves_pixels", True))


@contextmanager
def naming_engine(name: str) -> Iterator[None]:
    """Turn whatever another package's engine raises into one sentence that names it.

    Raises
    ------
    GmffError
        In place of other errors than ours and a lack of memory.
    """
    try:
        yield
    except (GmffError, MemoryError):
        raise
    except Exception as error:
        package = package_of(name)
        if package is None:
            raise  # a fault of ours, which nobody should have to guess
        raise GmffError(
            f"engine {name} of the package {package} failed ({type(error).__name__}: {error})"
        ) from error


def is_blend(name: str) -> bool:
    """Whether the engine of that name computes pixels; loads its class.

    Raises
    ------
    ParameterError
        If there is no such engine, or it is another package's and broken.
    """
    loaded = _class_of_row(name) if name in _ENGINES else _found(name).load()
    return not preserves_pixels(loaded)


def _found(name: str) -> FoundEngine:
    for one in found_engines(_ENGINES):
        if one.name == name:
            return one
    known = ", ".join(engine_names())
    raise ParameterError(f"engine: must be one of {known}, got {name!r}")


def _class_of_row(name: str) -> Any:
    module, _, attribute = _ENGINES[name].partition(":")
    return getattr(import_module(module), attribute)


def _info(name: str, loaded: Any, package: str) -> EngineInfo:
    references = tuple(str(paper) for paper in loaded.references)
    return EngineInfo(name, str(loaded.title), preserves_pixels(loaded), references, package)


def _info_of_found(one: FoundEngine) -> EngineInfo:
    try:
        return _info(one.name, one.load(), one.package)
    except Exception as error:  # the list shows what is wrong, whatever it is
        problem = str(error).removeprefix("engine: ")
        return EngineInfo(one.name, "", None, (), one.package, problem)
