"""A stack in a few words: what was understood of it, and what stops it from being fused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_gmff.reading.stack import SUPPORTED_DTYPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.reading.stack import FocusStack

_BITS = {"uint8": "8 bit", "uint16": "16 bit", "int16": "16 bit signed", "float32": "32 bit float"}
_EVEN_WITHIN = 1e-3
"""Steps that differ by less, relative to the largest, are rounding in the file."""


def summary_of(stack: FocusStack) -> str:
    """Describe a stack in one line, from its metadata alone.

    Parameters
    ----------
    stack : FocusStack
        As `read_stack` gives it; no pixel is read.

    Returns
    -------
    str
        Such as ``"24 slices · 0.5 µm step · 2 channels · 16 bit · 5440×3648"``: the size is width
        by height in pixels. Time points and colour are named where there are any.
    """
    height, width = stack.shape_yx
    parts = [
        _counted(stack.n_slices, "slice"),
        step_in_words(stack.z_positions_um),
        _counted(stack.n_times, "time point") if stack.n_times > 1 else "",
        _counted(stack.n_channels, "channel") if stack.n_channels > 1 else "",
        "colour" if stack.has_samples else "",
        _BITS.get(stack.dtype.name, stack.dtype.name),
        f"{width}×{height}",
    ]
    return " · ".join(part for part in parts if part)


def step_in_words(z_positions_um: NDArray[np.float64] | None) -> str:
    """Describe the distance between neighbouring slices.

    Parameters
    ----------
    z_positions_um : ndarray of float64, shape (Z,), or None
        Position of every slice in µm; None where unknown.

    Returns
    -------
    str
        ``"0.5 µm step"``, ``"uneven step, 0.5 to 2 µm"``, ``"step unknown"``, or ``""`` for a
        single slice.
    """
    if z_positions_um is None:
        return "step unknown"
    if len(z_positions_um) < 2:
        return ""
    steps = np.abs(np.diff(z_positions_um))
    low, high = float(steps.min()), float(steps.max())
    if high - low <= _EVEN_WITHIN * high:
        return f"{steps.mean():.4g} µm step"
    return f"uneven step, {low:.4g} to {high:.4g} µm"


def problems_of(stack: FocusStack) -> list[str]:
    """List what stops a stack from being fused, in sentences that say what to do.

    Parameters
    ----------
    stack : FocusStack
        As `read_stack` gives it; no pixel is read.

    Returns
    -------
    list of str
        Empty where nothing does. An unknown step stops nothing: depth is then in slices.
    """
    problems = []
    if 0 in stack.data.shape:
        problems.append("The stack holds no pixels: one of its axes has length 0.")
    if stack.n_slices == 1:
        problems.append(_of_one_slice(stack))
    if stack.dtype.name not in SUPPORTED_DTYPES:
        problems.append(
            f"Its pixels are {stack.dtype.name}; only {', '.join(SUPPORTED_DTYPES)} are fused, "
            "so convert it first."
        )
    return problems


def _of_one_slice(stack: FocusStack) -> str:
    problem = "The stack has only 1 slice, and fusing needs at least 2"
    for count, axis in ((stack.n_times, "time points"), (stack.n_channels, "channels")):
        if count > 1:
            return f"{problem}; if its {count} {axis} are in fact slices, say that this axis is Z."
    return f"{problem}."


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
