"""What is known of one pixel of a result: at once, or after its curves were computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff import correction_labels
from napari_gmff.errors import ParameterError
from napari_gmff.windows import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff._napari.inspecting.pixel_picker import Pixel
    from napari_gmff._napari.layers.saved_fusions import Fusion
    from napari_gmff.results import FusionResult

RADIUS_PX = 20
"""How much of the surroundings is shown on each side of a pixel."""

_NEARLY_UM = 5e-4
"""Depths nearer than this are written alike."""


@dataclass(frozen=True, eq=False)
class PixelFacts:
    """What the images of a result say of a pixel.

    Attributes
    ----------
    pixel : tuple of int
        Time point, row, column.
    number : int
        Slice of the source that the pixel came from.
    z_um : float or None
        Position of that slice; None where unknown.
    depth : float
        Depth in the result's unit, refined between slices where they are in order.
    confidence : float
        From 0 to 1.
    values : ndarray, (C,)
        Fused intensities.
    """

    pixel: Pixel
    number: int
    z_um: float | None
    depth: float
    confidence: float
    values: NDArray[Any]

    @property
    def words(self) -> str:
        """Slice, z, depth and confidence in one line."""
        parts = [f"slice {self.number}"]
        if self.z_um is not None:
            parts.append(f"z {um_words(self.z_um)}")
            if abs(self.depth - self.z_um) > _NEARLY_UM:
                parts.append(f"depth {um_words(self.depth)}")
        parts.append(f"confidence {self.confidence:.2f}")
        return " · ".join(parts)


@dataclass(frozen=True, eq=False)
class PixelCurves:
    """What all slices say of a pixel.

    Attributes
    ----------
    pixel : tuple of int
        Time point, row, column.
    numbers : ndarray, (N,), int
        Slices of the source.
    scores : ndarray, (N,), float32
        As `FusionResult.focus_curve`.
    intensities : ndarray, (C, N)
        As `FusionResult.intensity_curve`.
    """

    pixel: Pixel
    numbers: NDArray[np.integer[Any]]
    scores: NDArray[np.float32]
    intensities: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The place round a pixel, as fused and as another slice has it.

    Attributes
    ----------
    number : int
        The other slice, numbered as in the source.
    parts : tuple of ndarray, (C, h, w)
        As fused, and of the other slice.
    at_yx : tuple of int
        Row and column of the pixel in the parts.
    """

    number: int
    parts: tuple[NDArray[Any], NDArray[Any]]
    at_yx: tuple[int, int]


def um_words(value_um: float) -> str:
    """Write a length in µm, such as ``"12.5 µm"``."""
    return f"{round(value_um, 3):.6g} µm"


def slice_numbers(result: FusionResult) -> NDArray[np.int64]:
    """Return the numbers, in the source, of the slices that were fused."""
    return np.asarray(correction_labels.slice_numbers(result), np.int64)


def z_of_slice(result: FusionResult, number: int) -> float | None:
    """Return the position of a slice of the source in µm, None where unknown or not fused."""
    z_um, at = result.z_positions, np.flatnonzero(slice_numbers(result) == number)
    return None if z_um is None or not at.size else float(z_um[at[0]])


def facts_of(result_set: Fusion, pixel: Pixel) -> PixelFacts:
    """Look a pixel up in the images in memory; cheap.

    Parameters
    ----------
    result_set : Fusion
        Whose images are looked up.
    pixel : tuple of int
        Time point, row, column.
    """
    number = int(_value(result_set, "focus_index", pixel))
    return PixelFacts(
        pixel=pixel,
        number=number,
        z_um=z_of_slice(result_set.result, number),
        depth=float(_value(result_set, "depth", pixel)),
        confidence=float(_value(result_set, "confidence", pixel)),
        values=np.atleast_1d(_value(result_set, "fused", pixel)),
    )


def curves_of(
    result: FusionResult, pixel: Pixel, should_stop: Callable[[], bool] | None = None
) -> PixelCurves:
    """Compute the curves of a pixel; may take a while and read the stack.

    Raises
    ------
    ParameterError
        If the result has no stack to look into.
    SourceError
        If the stack cannot be read.
    FusionCancelled
        If `should_stop` said so.
    """
    if result.curves is None:
        raise ParameterError("focus curve: this result has no stack any more; fuse it again")
    time, y, x = pixel
    scores = result.curves.at(y, x, time, should_stop=should_stop)
    return PixelCurves(pixel, slice_numbers(result), scores, result.intensity_curve(y, x, time))


def would_be_words(
    result: FusionResult, facts: PixelFacts, curves: PixelCurves, number: int
) -> str:
    """Say what a pixel would be, had it come from another slice.

    Parameters
    ----------
    result : FusionResult
        Knows the positions of the slices.
    facts, curves
        Of the pixel.
    number : int
        The other slice, numbered as in the source.
    """
    there = curves.intensities[:, list(curves.numbers).index(number)]
    words = f"From slice {number} it would be {_listed(there)} instead of {_listed(facts.values)}"
    z_um = z_of_slice(result, number)
    if z_um is not None and facts.z_um is not None:
        words += f", at z {um_words(z_um)} instead of {um_words(facts.z_um)}"
    return f"{words}."


def engine_words(facts: PixelFacts, curves: PixelCurves) -> str:
    """Say so where the slice is not the one that the engine found sharpest, else nothing."""
    best = int(curves.numbers[int(curves.scores.argmax())])
    if best == facts.number:
        return ""
    return f"Corrected by hand: the engine found slice {best} sharpest."


def surroundings_of(
    result: FusionResult, pixel: Pixel, number: int, fused: NDArray[Any]
) -> Surroundings:
    """Read the place round a pixel from a slice of the stack.

    Parameters
    ----------
    result : FusionResult
        Of the pixel.
    pixel : tuple of int
        Time point, row, column.
    number : int
        Slice of the source.
    fused : ndarray, (C, h, w)
        As `fused_part` gives it.

    Raises
    ------
    ParameterError
        If the result has no stack to look into.
    SourceError
        If the stack cannot be read.
    """
    if result.curves is None:
        raise ParameterError("slice: this result has no stack any more; fuse it again")
    time, y, x = pixel
    box = _box_round(pixel, result.images["fused"].shape_yx)
    there = result.curves.pixels.part_of_slice(number, box, time)
    return Surroundings(number, (fused, there), (y - box.y0, x - box.x0))


def fused_part(result_set: Fusion, pixel: Pixel) -> NDArray[Any]:
    """Return a copy of the fused image round a pixel, (C, h, w), from memory."""
    spec, full = result_set.images.specs["fused"], result_set.images.levels("fused")[0]
    frame = full[pixel[0]] if "t" in spec.axes else full
    part = frame[(..., *_box_round(pixel, spec.shape_yx).slices)].copy()
    return part if part.ndim == 3 else part[np.newaxis]


def _box_round(pixel: Pixel, shape_yx: tuple[int, int]) -> Box:
    """Return the square round a pixel, moved inward at the edges, as far as there is room."""
    (y0, y1), (x0, x1) = (
        _span(at, size, 2 * RADIUS_PX + 1) for at, size in zip(pixel[1:], shape_yx, strict=True)
    )
    return Box(y0, y1, x0, x1)


def _span(at: int, size: int, length: int) -> tuple[int, int]:
    start = min(max(at - length // 2, 0), max(size - length, 0))
    return start, min(start + length, size)


def _listed(values: NDArray[Any]) -> str:
    return " / ".join(f"{value:.6g}" for value in values.tolist())


def _value(result_set: Fusion, name: str, pixel: Pixel) -> Any:
    time, y, x = pixel
    spec, full = result_set.images.specs[name], result_set.images.levels(name)[0]
    return (full[time] if "t" in spec.axes else full)[..., y, x]
