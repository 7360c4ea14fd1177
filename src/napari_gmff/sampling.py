"""What is measured on samples before a run: input range, noise, and the order of slices.

All of it must be the same whatever the chunks, the pyramid or the region asked for. So samples
are square patches at full resolution, at positions that follow from the image's shape alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_gmff.failures import reading
from napari_gmff.reading.computing import computed
from napari_gmff.steps import outcome_of
from napari_gmff.windows import Box

if TYPE_CHECKING:
    import dask.array as da

PATCH_PX = 48
PATCHES_PER_AXIS = 6
BLOCK_PX = 16
LONG_STACK_SLICES = 64
LONG_STACK_PATCHES_PER_AXIS = 3
"""Longer stacks are sampled in fewer places, so that samples of a thousand slices fit in memory."""

PERCENTILES = (0.1, 99.9)
"""Robust against hot pixels; what lies outside is not clipped but maps outside 0...1."""

NOISY_PERCENTILE = 95
"""Of all blocks, the share that is quieter than what counts as the stack's noise."""

CLEAN_NOISE = 0.006
"""Noise, as a fraction of the input range, up to which nothing is smoothed (1.5 of 255).

Smoothing clean data costs accuracy; break-even lies between 2 and 4 of 255.
"""

_LEAST_RANGE = 1e-36
"""Smallest range whose inverse is still a float32."""

_DETAIL = np.array([1, -4, 6, -4, 1], np.float32)
"""Second difference, twice."""

_PERMUTATIONS = 200
_MIN_SLICES_TO_JUDGE_ORDER = 5

Samples = NDArray[np.float32]
"""Luminance of sample patches, (slices, patches, height, width)."""


def patch_boxes(shape_zyx: tuple[int, int, int]) -> list[Box]:
    """Place the sample patches; depends on the stack's shape alone."""
    n_slices, *sides = shape_zyx
    per_axis = PATCHES_PER_AXIS if n_slices <= LONG_STACK_SLICES else LONG_STACK_PATCHES_PER_AXIS
    rows, columns = (_patch_starts(side, per_axis) for side in sides)
    height, width = (min(PATCH_PX, side) for side in sides)
    return [Box(y, y + height, x, x + width) for y in rows for x in columns]


def _patch_starts(size_px: int, per_axis: int) -> list[int]:
    count = min(per_axis, max(1, size_px // PATCH_PX))
    last = max(size_px - PATCH_PX, 0)
    # Half a spacing from the border: frames and vignettes are not typical of an image.
    return sorted({round(last * (i + 0.5) / count) for i in range(count)})


def read_samples(planes: da.Array, name_of: Callable[[int], str] = "slice {}".format) -> Samples:
    """Read the sample patches of one channel and time point at once; see `iter_samples`."""
    return outcome_of(iter_samples(planes, name_of))


def iter_samples(
    planes: da.Array, name_of: Callable[[int], str] = "slice {}".format
) -> Generator[None, None, Samples]:
    """Read the sample patches of one channel and time point.

    Parameters
    ----------
    planes : dask.array.Array, (Z, Y, X) or (Z, Y, X, S)
        Lazy slices; colour samples become luminance.
    name_of : callable
        Names a slice in an error, given its position.

    Yields
    ------
    None
        After each slice, so that a run can be stopped there.

    Returns
    -------
    ndarray, (slices, patches, height, width), float32
        In grey levels of the source; NaN where the source is not finite.

    Raises
    ------
    SourceError
        If a slice cannot be read.
    """
    boxes = patch_boxes(planes.shape[:3])
    rows = _covered((box.y0, box.y1) for box in boxes)
    columns = _covered((box.x0, box.x1) for box in boxes)
    corners = [(np.searchsorted(rows, box.y0), np.searchsorted(columns, box.x0)) for box in boxes]
    height, width = boxes[0].shape
    result = []
    for k in range(planes.shape[0]):
        # One slice at a time: a plane-wise source decodes it once and may then forget it. Of a
        # slice all patches at once: dask takes a millisecond for each piece it is asked for.
        with reading(name_of(k)):
            grid = computed(planes[k][rows][:, columns])
        patches = (grid[y : y + height, x : x + width] for y, x in corners)
        result.append(np.stack([luminance(patch) for patch in patches]))
        yield
    samples = np.stack(result)
    samples[~np.isfinite(samples)] = np.nan
    return samples


def _covered(spans: Iterable[tuple[int, int]]) -> NDArray[np.intp]:
    """Return all numbers that lie in some span, each once and rising."""
    return np.unique(np.concatenate([np.arange(*span) for span in spans]))


def decoded_bytes(data: da.Array, boxes: Iterable[Box]) -> int:
    """Return what has to be decoded to read parts of one slice, in bytes.

    Parameters
    ----------
    data : dask.array.Array, (T, C, Z, Y, X) or (T, C, Z, Y, X, S)
        A chunk is decoded whole, with the slices that it holds besides.
    boxes : iterable of Box
        Parts; a chunk that several meet is decoded once.
    """
    boxes = list(boxes)
    rows = _met_px(data.chunks[3], ((box.y0, box.y1) for box in boxes))
    columns = _met_px(data.chunks[4], ((box.x0, box.x1) for box in boxes))
    beside = math.prod(max(data.chunks[axis]) for axis in (0, 1, 2))
    n_samples = data.shape[5] if data.ndim == 6 else 1
    return int(rows * columns * beside * n_samples * data.dtype.itemsize)


def _met_px(lengths: tuple[int, ...], spans: Iterable[tuple[int, int]]) -> int:
    """Return the total length of the chunks of one axis that some span meets."""
    ends = np.cumsum(lengths)
    met: set[int] = set()
    for start, stop in spans:
        first, last = np.searchsorted(ends, (start, stop - 1), side="right")
        met.update(range(int(first), int(last) + 1))
    return sum(lengths[number] for number in met)


def luminance(plane: NDArray[np.generic]) -> NDArray[np.float32]:
    """Turn a plane (Y, X) or (Y, X, S) of any dtype into luminance (Y, X), float32.

    BT.601 weights for colour, in the source's grey levels; an alpha sample is left out.
    """
    if plane.ndim == 2:
        return plane.astype(np.float32)
    red, green, blue = (plane[..., sample].astype(np.float32) for sample in range(3))
    # Term by term: the rounding of a matrix product changes with the memory layout of a chunk.
    grey: NDArray[np.float32] = (
        np.float32(0.299) * red + np.float32(0.587) * green + np.float32(0.114) * blue
    )
    return grey


def percentile_range(samples: Samples) -> tuple[float, float]:
    """Return the robust range of the samples in grey levels; never empty.

    Where the percentiles coincide, because objects are few on an even ground, the whole range
    counts instead; a constant stack gets a range of one grey level.
    """
    finite = samples[np.isfinite(samples)]
    if not finite.size:
        return 0.0, 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = (float(value) for value in np.percentile(finite, PERCENTILES))
    if high - low < _LEAST_RANGE:
        low, high = float(finite.min()), float(finite.max())
    return (low, high) if high - low >= _LEAST_RANGE else (low, low + 1.0)


# Marks of missing pixels at the ends of float32 (GDAL's -3.4e38) overflow, and count as no noise.
@np.errstate(over="ignore", invalid="ignore")
def noise_level(samples: Samples) -> float:
    """Estimate the camera noise of a stack, as a standard deviation in grey levels.

    The finest diagonal detail of an image is noise plus, where it is in focus, texture. So for
    each small block the slices are compared and the quietest, which is the most defocused,
    counts. Shot noise is highest where the signal is, and objects may be few, so the noisiest
    blocks decide, not the background.

    Parameters
    ----------
    samples : ndarray, (slices, patches, height, width)
        As `read_samples` gives them.

    Notes
    -----
    The detail filter is J. Immerkaer's ("Fast noise variance estimation", CVIU 64(2), 1996) applied
    twice: white noise passes as before, but texture that is blurred by as little as 0.8 px is
    held back, so two slices are enough to tell one from the other. The median absolute deviation
    in place of its mean leaves out isolated edges.
    """
    if min(samples.shape[2:]) < len(_DETAIL):
        return 0.0
    kernel = np.outer(_DETAIL, _DETAIL) / np.float32(np.sum(_DETAIL**2))
    clean = np.nan_to_num(samples, nan=0.0)
    detail = np.abs(ndimage.convolve(clean, kernel[None, None], mode="reflect"))
    deviation = np.median(_blocks(detail), axis=-1) / 0.6745  # (slices, blocks)
    level = float(np.percentile(deviation.min(0), NOISY_PERCENTILE))
    return level if math.isfinite(level) else 0.0


def _blocks(samples: Samples) -> Samples:
    """Cut patches into blocks: (slices, blocks, pixels of a block)."""
    n_slices, n_patches, height, width = samples.shape
    block_y, block_x = min(BLOCK_PX, height), min(BLOCK_PX, width)
    ny, nx = height // block_y, width // block_x
    whole = samples[:, :, : ny * block_y, : nx * block_x]
    cut = whole.reshape(n_slices, n_patches, ny, block_y, nx, block_x)
    return cut.swapaxes(3, 4).reshape(n_slices, n_patches * ny * nx, block_y * block_x)


def smoothing_for(noise_fraction: float) -> float:
    """Return the Gaussian sigma in pixels that noise asks for; exactly 0 on clean data.

    For engines that have not learnt what noise looks like; see `FocusEngine.smoothing_rule`.

    Parameters
    ----------
    noise_fraction : float
        Noise as a fraction of the input range.
    """
    if noise_fraction <= CLEAN_NOISE:
        return 0.0
    return round(float(np.clip(0.8 + 20 * noise_fraction, 1.0, 2.5)), 2)


@np.errstate(over="ignore", invalid="ignore")
def looks_ordered(samples: Samples) -> bool:
    """Judge whether neighbouring slices are neighbours in z.

    In an ordered stack the focus of a patch rises and falls smoothly, so the path from slice to
    slice is short; it is compared with paths in random order. Fewer than five slices have too few
    orders to tell and count as ordered.
    """
    n_slices = samples.shape[0]
    if n_slices < _MIN_SLICES_TO_JUDGE_ORDER:
        return True
    clean = np.nan_to_num(samples, nan=0.0)
    energy = ndimage.laplace(ndimage.gaussian_filter(clean, (0, 0, 1, 1)), axes=(2, 3)) ** 2
    curves = np.log(energy.mean(axis=(2, 3)) + 1e-12)  # (slices, patches)
    distance = np.abs(curves[:, None] - curves[None]).mean(2)

    def path_length(order: NDArray[np.intp]) -> float:
        return float(distance[order[:-1], order[1:]].sum())

    rng = np.random.default_rng(0)
    shuffled = [path_length(rng.permutation(n_slices)) for _ in range(_PERMUTATIONS)]
    own = path_length(np.arange(n_slices))
    middle = float(np.median(shuffled))
    # Of five slices every sixtieth order is theirs or its reverse: a tie must count as shortest.
    return own <= float(np.percentile(shuffled, 1)) + 1e-6 * middle and own < 0.9 * middle
