"""How long a run will take on this machine: the engine is tried on little, the rest is counted.

An engine is tried once for each device and number of threads. What it takes for a window follows
from its own count of the work (`FocusEngine.work_ns`); choosing, copying and writing are counted
in the same way, and reading is tried on one window of the stack itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_gmff.engine_input import sampled_bytes
from napari_gmff.engines.base import EngineOptions
from napari_gmff.engines.registry import make_engine, preserves_pixels
from napari_gmff.failures import only_our_errors, reading
from napari_gmff.plan import make_plan
from napari_gmff.preview import make_preview
from napari_gmff.sampling import decoded_bytes, patch_boxes
from napari_gmff.selection import SliceSelector
from napari_gmff.window_reader import CACHE_BYTES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.engines.base import AnyEngine
    from napari_gmff.params import FuseParams
    from napari_gmff.plan import FusionPlan
    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.windows import Box, Window

# Nanoseconds of one core of the machine that they were taken on; only ratios count elsewhere.
_INPUT_NS = 17.0
"""Per pixel, slice and channel: grey levels to what the engine sees, smoothed or not."""

_SELECT_NS = 18.0
"""Per pixel and slice: the running argmax."""

_SELECT_NOISE_NS = 42.0
"""The same for a few slices of noise, which is what is tried: each is often the best so far."""

_COPY_NS = 6.0
"""Per pixel, slice and channel."""

_FINISH_NS = 150.0
"""Per pixel: depth refined between slices, confidence."""

_WRITE_NS = 25.0
"""Per pixel and image written, compressed."""

_SAMPLE_NS = 4e6
"""Per plane that is sampled: asking for its chunks."""

_PATCH_NS = 1.3e5
"""Per patch: cut out, its noise measured."""

_START_S = 0.3
"""Stores made and closed, the source's fingerprint, the record."""

_TRIED_SLICES = 4
_TRIED_PX_CPU = 384
_TRIED_PX_GPU = 1024
"""Less would not fill a GPU, and so say nothing of a large window."""

_TRIAL_S = 0.2
"""Least time spent on trying a thing, after a run that warms up."""

_MOST_READINGS = 64
"""Times of reading that are remembered; a stack that was read once answers from its cache."""


@dataclass(frozen=True)
class _Pace:
    """What an engine takes here: seconds to make it, and for what it counts as a second."""

    start_s: float
    factor: float
    work_ns: Callable[[int, tuple[int, int]], float]
    preserves_pixels: bool


class _ReadTimes(NamedTuple):
    """Seconds to read a plane of a window: at first, and when its chunks have been decoded."""

    first_s: float
    again_s: float


_paces: dict[tuple[str, str, int | None], _Pace] = {}
_selection_factors: list[float] = []
_read_times: dict[tuple[str, Box], _ReadTimes] = {}
_one_at_a_time = threading.Lock()
"""Two trials at once would disturb each other."""


def estimate_seconds(stack: FocusStack, params: FuseParams) -> float:
    """Estimate how long fusing a stack takes on this machine.

    The first call tries the engine for about a second, and loads it; call it in a worker thread.

    Parameters
    ----------
    stack : FocusStack
        One window of two slices is read.
    params : FuseParams
        Of the run.

    Returns
    -------
    float
        Seconds, without saving; usually right within a factor of 1.5.

    Raises
    ------
    ParameterError, SourceError, WeightsError, DeviceError
        As the run would.
    """
    return _seconds(stack, stack, make_plan(stack, params), params)


def preview_seconds(
    stack: FocusStack, params: FuseParams, box: Box, *, time: int | None = None
) -> float:
    """Estimate how long `preview.iter_preview` takes with the same arguments, in seconds."""
    run = make_preview(stack, params, box, time=time)
    return _seconds(stack, run.measured or stack, run.plan, run.params)


def words_for_seconds(seconds: float) -> str:
    """Say a time as roughly as it is known: "about 14 s", "about 3 min", "about 1.5 h"."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 20:
        return f"about {round(seconds)} s"
    if seconds < 57.5:
        return f"about {5 * round(seconds / 5)} s"
    if seconds < 57.5 * 60:
        return f"about {max(1, round(seconds / 60))} min"
    hours = seconds / 3600
    return f"about {round(2 * hours) / 2:g} h" if hours < 9.75 else f"about {round(hours)} h"


def _seconds(
    stack: FocusStack, measured: FocusStack, plan: FusionPlan, params: FuseParams
) -> float:
    with only_our_errors(stack.name), _one_at_a_time:
        pace, here, read = _pace_of(params), _selection_factor(), _read_times_of(stack, plan)
    n_slices, n_times = len(plan.slices), len(plan.times)
    scoring_ns = sum(pace.work_ns(n_slices, window.read.shape) for window in plan.windows)
    scoring_ns *= plan.n_parts if pace.preserves_pixels else _n_planes(stack)
    window_bytes = decoded_bytes(stack.data, [_tried_window(plan).read])
    n_patches = len(patch_boxes((n_slices, *measured.shape_yx)))
    sampling_ns = n_slices * len(plan.focus_channels) * (_SAMPLE_NS + n_patches * _PATCH_NS)
    seconds_each_time = (
        1e-9 * pace.factor * scoring_ns
        + 1e-9 * here * (_selection_ns(stack, plan) + sampling_ns)
        + read.first_s * sampled_bytes(measured, plan) / window_bytes
        + read.again_s * _planes_read(stack, plan)
    )
    return _START_S + pace.start_s + n_times * seconds_each_time


def _selection_ns(stack: FocusStack, plan: FusionPlan) -> float:
    """Count the work of one time point that is the same for all engines."""
    n_slices, n_channels = len(plan.slices), _n_planes(stack)
    seen_ns = _INPUT_NS * n_slices * len(plan.focus_channels)
    chosen_ns = n_slices * (_SELECT_NS + _COPY_NS * n_channels) + _FINISH_NS
    written_ns = _WRITE_NS * (n_channels + 4)
    read_px = sum(_area(window.read) for window in plan.windows)
    return read_px * seen_ns + _area(plan.region) * (chosen_ns + written_ns)


def _n_planes(stack: FocusStack) -> int:
    """Count the channels of a result: colour samples are channels."""
    return stack.n_channels * (stack.data.shape[-1] if stack.has_samples else 1)


def _planes_read(stack: FocusStack, plan: FusionPlan) -> float:
    """Count what is read of one time point, in planes of the window that was tried.

    Each plane is read for scoring, and again for copying where it was not kept.
    """
    n_scored = len(plan.slices) * len(plan.focus_channels)
    n_copied = len(plan.slices) * stack.n_channels
    per_pixel = stack.dtype.itemsize * (stack.data.shape[-1] if stack.has_samples else 1)
    pixels = 0
    for window in plan.windows:
        n_kept = min(n_scored, CACHE_BYTES // (per_pixel * _area(window.read)))
        pixels += (n_scored + n_copied - n_kept) * _area(window.read)
    return pixels / _area(_tried_window(plan).read)


def _pace_of(params: FuseParams) -> _Pace:
    key = params.engine, params.device, params.threads
    if key not in _paces:
        options = EngineOptions(params.weights, params.device, params.threads)
        make_engine(params.engine, options)  # the first time loads the library as well
        started = time.perf_counter()
        engine = make_engine(params.engine, options)
        start_s = time.perf_counter() - started
        _paces[key] = _Pace(
            start_s, _engine_factor(engine), type(engine).work_ns, preserves_pixels(engine)
        )
    return _paces[key]


class _NoiseSource:
    """One channel of noise for a blend; see `BlendSource`."""

    n_channels = 1

    def __init__(self, planes: NDArray[np.float32]) -> None:
        self._planes = planes
        self.n_slices = planes.shape[0]
        self.shape_yx = (planes.shape[1], planes.shape[2])

    def seen(self, position: int) -> NDArray[np.float32]:
        return np.asarray(self._planes[position])

    def pixels(self, position: int) -> NDArray[np.float32]:
        return np.asarray(self._planes[position : position + 1])

    def invalid(self, position: int) -> None:
        return None


def _engine_factor(engine: AnyEngine) -> float:
    """Try an engine on noise; return seconds for what it counts as one."""
    on_cpu = str(engine.describe()["device"]) == "cpu"
    side_px = _TRIED_PX_CPU if on_cpu else _TRIED_PX_GPU
    planes = np.random.default_rng(0).random((_TRIED_SLICES, side_px, side_px), np.float32)

    def score() -> None:
        if not preserves_pixels(engine):
            for _ in engine.iter_blend(_NoiseSource(planes)):
                pass
            return
        for _ in engine.iter_scores(planes.__getitem__, _TRIED_SLICES, (side_px, side_px)):
            pass

    return _best_time(score) / (1e-9 * engine.work_ns(_TRIED_SLICES, (side_px, side_px)))


def _selection_factor() -> float:
    """Try the running argmax; return seconds for what it counts as one."""
    if not _selection_factors:
        planes = np.random.default_rng(0).random((4, 512, 512), np.float32)

        def select() -> None:
            selector = SliceSelector(planes.shape[1:])
            for plane in planes:
                selector.add(plane)

        _selection_factors.append(_best_time(select) / (1e-9 * _SELECT_NOISE_NS * planes.size))
    return _selection_factors[0]


def _read_times_of(stack: FocusStack, plan: FusionPlan) -> _ReadTimes:
    """Time one plane of a window; a stack that was read before answers from a cache it may have."""
    box = _tried_window(plan).read
    key = str(stack.data.name), box
    if key not in _read_times:
        volume = stack.data[plan.times[0], plan.focus_channels[0]]
        # Another slice first: the first of all loads what decodes.
        warm_up, tried = (plan.slices[part * len(plan.slices) // 3] for part in (1, 2))
        times = []
        for number in (warm_up, tried, tried):
            with reading(f"{stack.name}: slice {number}"):
                times.append(_timed(volume[number][box.slices].compute))
        if len(_read_times) >= _MOST_READINGS:
            del _read_times[next(iter(_read_times))]
        _read_times[key] = _ReadTimes(*times[1:])
    return _read_times[key]


def _tried_window(plan: FusionPlan) -> Window:
    return plan.windows[len(plan.windows) // 2]


def _area(box: Box) -> int:
    height, width = box.shape
    return height * width


def _best_time(work: Callable[[], object]) -> float:
    """Return the least time of a few runs: the first warms up, and others may be disturbed."""
    times = [_timed(work), _timed(work)]
    while sum(times[1:]) < _TRIAL_S:
        times.append(_timed(work))
    return min(times)


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
