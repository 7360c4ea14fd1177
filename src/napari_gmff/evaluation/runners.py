"""What can be scored: engines of the package, two plain Laplacians, the truth, and enfuse."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

import numpy as np
from scipy import ndimage

from napari_gmff.engines.registry import built_in_names, engine_names
from napari_gmff.errors import ParameterError, WeightsError
from napari_gmff.evaluation.scoring import Outcome, true_outcome
from napari_gmff.params import NETWORK_ENGINE, FuseParams, validated
from napari_gmff.pipeline import fuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.evaluation.scene import EvaluationScene

LAPLACIAN_FINE = "Laplacian, σ 3"
LAPLACIAN_SMOOTH = "Laplacian, pre-blur 1.5, σ 6"
TRUTH = "true index"
ENFUSE = "enfuse"

_WEIGHT_SUFFIXES = (".pth", ".pt", ".safetensors")


class Runner(Protocol):
    """Fuses scenes under a name.

    Attributes
    ----------
    name : str
        Of its column or row in the report.
    """

    @property
    def name(self) -> str:
        """Name in the report."""

    def run(self, scene: EvaluationScene, title: str) -> Outcome:
        """Fuse a scene; `title` names it in errors."""


@dataclass(frozen=True)
class EngineRunner:
    """Fuses with the public `fuse`.

    Attributes
    ----------
    name : str
    options : dict
        Fields of `FuseParams` that are not left at their defaults.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    def run(self, scene: EvaluationScene, title: str) -> Outcome:
        """Fuse a scene; see `Runner`."""
        with fuse(scene.as_stack(title), **self.options) as result:
            if not result.pixels_copied:
                return Outcome(fused=result.fused.compute())
            return Outcome(
                fused=result.fused.compute(),
                index=result.focus_index.compute(),
                depth=result.depth.compute(),
                confidence=result.confidence.compute(),
            )


@dataclass(frozen=True)
class LaplacianRunner:
    """Argmax of the squared Laplacian under a Gaussian window: what weights have to beat.

    Attributes
    ----------
    name : str
    pre_blur_px, window_px : float
        Sigma of the Gaussian before the Laplacian (0 for none) and of the window.
    """

    name: str
    pre_blur_px: float
    window_px: float

    def run(self, scene: EvaluationScene, title: str) -> Outcome:
        """Fuse a scene; see `Runner`."""
        del title
        energy = np.stack([self._energy(plane / scene.full_scale) for plane in scene.stack])
        index = energy.argmax(0)
        return Outcome(scene.pixels_at(index), index, index.astype(np.float32))

    def _energy(self, plane: NDArray[np.float64]) -> NDArray[np.float32]:
        seen = plane.astype(np.float32)
        if self.pre_blur_px:
            seen = ndimage.gaussian_filter(seen, self.pre_blur_px)
        return np.asarray(ndimage.gaussian_filter(ndimage.laplace(seen) ** 2, self.window_px))


@dataclass(frozen=True)
class TruthRunner:
    """Takes every pixel from the slice nearest to its true depth: the best that can be had."""

    name: str = TRUTH

    def run(self, scene: EvaluationScene, title: str) -> Outcome:
        """Fuse a scene; see `Runner`."""
        del title
        return true_outcome(scene)


@dataclass(frozen=True)
class EnfuseRunner:
    """Fuses with the program enfuse, weighing pixels by local contrast alone.

    It gives an image but no index.
    """

    program: str
    name: str = ENFUSE

    def run(self, scene: EvaluationScene, title: str) -> Outcome:
        """Fuse a scene; see `Runner`.

        Raises
        ------
        ParameterError
            If enfuse fails.
        """
        import tifffile

        with tempfile.TemporaryDirectory(prefix="napari-gmff-") as folder:
            names = [f"{k:03}.tif" for k in range(len(scene.stack))]
            for name, plane in zip(names, scene.stack, strict=True):
                tifffile.imwrite(Path(folder) / name, plane, photometric="minisblack")
            command = [
                self.program,
                *("--exposure-weight=0", "--saturation-weight=0", "--contrast-weight=1"),
                *("--hard-mask", "--contrast-window-size=5", "--output=fused.tif"),
                *names,
            ]
            done = subprocess.run(  # noqa: S603 (a fixed list of arguments, no shell)
                command, cwd=folder, capture_output=True, text=True, check=False
            )
            if done.returncode or not (Path(folder) / "fused.tif").is_file():
                reason = done.stderr.strip().splitlines()[-1:] or [f"exit {done.returncode}"]
                raise ParameterError(f"enfuse: cannot fuse {title} ({reason[0]})")
            fused = np.asarray(tifffile.imread(Path(folder) / "fused.tif"))
        return Outcome(fused if fused.ndim == 2 else fused[..., 0])


def make_runners(
    engines: Sequence[str],
    weights: Sequence[str],
    common: dict[str, Any],
    *,
    unsmoothed: bool = False,
) -> tuple[list[Runner], list[str]]:
    """Return what is to be scored.

    Parameters
    ----------
    engines : sequence of str
        Names of engines, or "enfuse"; all of this package, and enfuse where installed, if empty.
    weights : sequence of str
        Stored models or files, each scored as an engine of its own.
    common : dict
        Fields of `FuseParams` for all.
    unsmoothed : bool
        Score every network a second time, without automatic smoothing of its input.

    Returns
    -------
    runners : list of Runner
        The truth first, and the two Laplacians second.
    notes : list of str
        Why an engine that nobody asked for by name was left out.

    Raises
    ------
    ParameterError, WeightsError
        For an engine or weights that do not exist.
    """
    runners: list[Runner] = [
        TruthRunner(),
        LaplacianRunner(LAPLACIAN_FINE, 0.0, 3.0),
        LaplacianRunner(LAPLACIAN_SMOOTH, 1.5, 6.0),
    ]
    notes = []
    for name in engines or [*built_in_names(), ENFUSE]:
        try:
            runners.append(_runner(name, common))
        except (WeightsError, _NotInstalledError) as error:
            if engines:
                raise
            notes.append(f"{name} left out: {error}")
    for name, path in zip(runner_names(weights), weights, strict=True):
        runners.append(_checked(EngineRunner(name, {**common, "weights": path})))
    if unsmoothed:
        runners += [_unsmoothed(runner) for runner in runners if _is_network(runner)]
    return runners, notes


class _NotInstalledError(ParameterError):
    pass


def _runner(name: str, common: dict[str, Any]) -> Runner:
    if name == ENFUSE:
        program = shutil.which(ENFUSE)
        if program is None:
            raise _NotInstalledError("enfuse: is not installed")
        return EnfuseRunner(program)
    if name not in engine_names():
        known = ", ".join([*engine_names(), ENFUSE])
        raise ParameterError(f"engines: must be of {known}, got {name!r}")
    return _checked(EngineRunner(name, {**common, "engine": name}))


def runner_names(weights: Sequence[str]) -> list[str]:
    """Return the names under which weights are scored: those of their files, without suffix.

    Where two would be called alike, the folder's name is put before.
    """
    paths = [Path(name) for name in weights]
    names = [path.stem if path.suffix in _WEIGHT_SUFFIXES else path.name for path in paths]
    taken = [*engine_names(), *names]
    return [
        f"{path.resolve().parent.name}/{name}" if taken.count(name) > 1 else name
        for path, name in zip(paths, names, strict=True)
    ]


def _is_network(runner: Runner) -> TypeGuard[EngineRunner]:
    if not isinstance(runner, EngineRunner):
        return False
    return "weights" in runner.options or runner.options.get("engine") == NETWORK_ENGINE


def _unsmoothed(runner: EngineRunner) -> EngineRunner:
    return EngineRunner(f"{runner.name}, σ 0", {**runner.options, "input_sigma_px": 0.0})


def _checked(runner: EngineRunner) -> EngineRunner:
    """Load the weights once, so that a wrong name ends the run before it begins."""
    from napari_gmff.engines.base import EngineOptions
    from napari_gmff.engines.registry import make_engine

    params = validated(FuseParams, runner.options)
    make_engine(params.engine, EngineOptions(weights=params.weights, device=params.device))
    return runner
