"""A preview: one window around what is on screen, fused as it is, without waiting for the rest."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_gmff.engine_input import sampled_bytes
from napari_gmff.errors import ParameterError
from napari_gmff.params import BLOCK_MULTIPLE_PX, FuseParams, validated
from napari_gmff.plan import make_plan
from napari_gmff.run import Run
from napari_gmff.windows import Box, Window, window_grid

if TYPE_CHECKING:
    from napari_gmff.progress import Progress
    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.results import FusionResult

PREVIEW_PX = 512
"""Side of a preview's window: enough to judge by, and quick on any processor."""

SAMPLED_BYTES = 128 << 20
"""Up to this much is read to measure range and noise on the whole image, as the full run does."""

NOTE = (
    "preview: fused on its own, so that confidence and some slices, most of all near its borders, "
    "may differ a little from the full run"
)
NOTE_OF_PART = "preview: range and noise were measured on this part alone, not on the whole image"


def preview_region(shape_yx: tuple[int, int], visible: Box, side_px: int = PREVIEW_PX) -> Box:
    """Place a preview's window: around the middle of what is on screen, inside the image.

    Parameters
    ----------
    shape_yx : tuple of int
        Height and width of the image in pixels.
    visible : Box
        What is on screen, in pixels of the image; may reach beyond it.
    side_px : int
        Wanted side, a multiple of 128.

    Returns
    -------
    Box
        Of that side, or as long as the image where that is shorter.

    Raises
    ------
    ParameterError
        If `side_px` is not a positive multiple of 128.
    """
    if side_px < BLOCK_MULTIPLE_PX or side_px % BLOCK_MULTIPLE_PX:
        raise ParameterError(
            f"side_px: must be a positive multiple of {BLOCK_MULTIPLE_PX}, got {side_px}"
        )
    y0, y1 = _span(shape_yx[0], visible.y0, visible.y1, side_px)
    x0, x1 = _span(shape_yx[1], visible.x0, visible.x1, side_px)
    return Box(y0, y1, x0, x1)


def _span(size_px: int, start: int, stop: int, side_px: int) -> tuple[int, int]:
    length = min(size_px, side_px)
    # The middle of what is seen of the image, not of what is seen beyond it.
    start, stop = (min(max(end, 0), size_px) for end in (start, stop))
    first = min(max((start + stop - length) // 2, 0), size_px - length)
    return first, first + length


def iter_preview(
    stack: FocusStack,
    params: FuseParams,
    box: Box,
    *,
    time: int | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Generator[Progress, None, FusionResult]:
    """Fuse part of a stack on its own, step by step.

    The windows of the full run lie elsewhere, so an engine sees other surroundings here:
    confidence and some slices differ slightly, most of all near the borders. What the engine sees
    as 0 and 1, and how much it is smoothed, is measured as in the full run where little has to be
    read for that; on a large image it is measured on the part.

    Parameters
    ----------
    stack : FocusStack
        The whole stack.
    params : FuseParams
        As for the full run; `region` is replaced by `box`.
    box : Box
        Part to fuse, in pixels: one window, or several if it is larger than ``params.block_px``.
    time : int, optional
        Time point to fuse, the one on screen; the first of the run where left out.
    should_stop : callable, optional
        Asked between slices; a true answer ends the preview. Closing the generator does the same.

    Yields
    ------
    Progress

    Returns
    -------
    FusionResult
        In a temporary store; its record says "preview" among the warnings.

    Raises
    ------
    FusionCancelled
        If `should_stop` said so; nothing is left behind.
    GmffError
        As for `napari_gmff.fuse`.
    """
    run = make_preview(stack, params, box, time=time)
    return (yield from run.iterate(should_stop=should_stop))


def make_preview(
    stack: FocusStack, params: FuseParams, box: Box, *, time: int | None = None
) -> Run:
    """Lay out the run of a preview, without reading anything; see `iter_preview`."""
    params = preview_params(params, box, time)
    plan = replace(make_plan(stack, params), windows=_windows(box, params))
    if sampled_bytes(stack, plan) <= SAMPLED_BYTES:
        return Run(stack, params, plan, warnings=[NOTE])
    part = stack.cropped(box)
    return Run(stack, params, plan, measured=part, warnings=[NOTE, NOTE_OF_PART])


def preview_params(params: FuseParams, box: Box, time: int | None = None) -> FuseParams:
    """Return the parameters of a preview: those of the run, for one part and one time point."""
    if time is None:
        time = params.time[0] if params.time else 0
    changes = {"region": ((box.y0, box.y1), (box.x0, box.x1)), "time": (time, time + 1)}
    return validated(type(params), {**params.model_dump(exclude_unset=True), **changes})


def _windows(box: Box, params: FuseParams) -> list[Window]:
    grid = window_grid(box.shape, params.block_px, params.halo_px)
    corner = box.y0, box.x0
    return [Window(one.read.shifted(*corner), one.core.shifted(*corner)) for one in grid]
