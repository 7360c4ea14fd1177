"""The engines by name. Modules are imported when asked for, so that listing costs nothing."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_gmff.errors import ParameterError

if TYPE_CHECKING:
    from napari_gmff.engines.base import EngineOptions, FocusEngine

_ENGINES = {
    "laplacian-energy": "napari_gmff.engines.laplacian:LaplacianEnergy",
    "local-variance": "napari_gmff.engines.local_variance:LocalVariance",
    "stackmff-v4": "napari_gmff.engines.stackmff:StackMFFV4Engine",
    "tenengrad": "napari_gmff.engines.tenengrad:Tenengrad",
    "wavelet-energy": "napari_gmff.engines.wavelet:WaveletEnergy",
}


def engine_names() -> list[str]:
    """Return the names that `make_engine` takes."""
    return sorted(_ENGINES)


def engine_titles() -> dict[str, str]:
    """Return one line for each engine, by name; imports all of them, torch included."""
    return {name: str(_engine_class(name).title) for name in engine_names()}


def make_engine(name: str, options: EngineOptions) -> FocusEngine:
    """Make an engine by name.

    Raises
    ------
    ParameterError
        If there is no such engine.
    WeightsError, DeviceError
        If the engine's weights or processor are not to be had.
    """
    if name not in _ENGINES:
        known = ", ".join(engine_names())
        raise ParameterError(f"engine: must be one of {known}, got {name!r}")
    engine: FocusEngine = _engine_class(name)(options)
    return engine


def _engine_class(name: str) -> Any:
    module, _, attribute = _ENGINES[name].partition(":")
    return getattr(import_module(module), attribute)
