"""Checks of the generators' parameters: one sentence that names the parameter and its value."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from napari_gmff.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def check_count(name: str, value: int, least: int = 1) -> None:
    """Refuse anything but a whole number of at least `least`.

    Raises
    ------
    ParameterError
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least:
        raise ParameterError(f"{name} must be a whole number of at least {least}, got {value!r}")


def check_within(name: str, value: float, low: float, high: float = math.inf) -> None:
    """Refuse a number outside `low` to `high`, NaN and infinity.

    Raises
    ------
    ParameterError
    """
    if not (math.isfinite(value) and low <= value <= high):
        rule = f"at least {low:g}" if high == math.inf else f"{low:g} to {high:g}"
        raise ParameterError(f"{name} must be a finite number, {rule}, got {value!r}")


def check_choice(name: str, value: str, choices: Collection[str]) -> None:
    """Refuse a word that is not among `choices`.

    Raises
    ------
    ParameterError
    """
    if value not in choices:
        raise ParameterError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def checked_shape(shape_yx: tuple[int, int]) -> tuple[int, int]:
    """Return the shape (Y, X) of an image.

    Raises
    ------
    ParameterError
        If it is not two sizes of at least one pixel.
    """
    if len(shape_yx) != 2 or any(int(side) != side or side < 1 for side in shape_yx):
        raise ParameterError(f"shape_yx must be two sizes of at least 1 px, got {shape_yx!r}")
    return int(shape_yx[0]), int(shape_yx[1])


def view_shape(whole_yx: tuple[int, ...], margin_px: int) -> tuple[int, int]:
    """Return the shape (Y, X) of what a margin leaves of an image.

    Raises
    ------
    ParameterError
        If the margin is no whole number from 0, or leaves nothing.
    """
    check_count("margin_px", margin_px, 0)
    height, width = (side - 2 * margin_px for side in whole_yx)
    if min(height, width) < 1:
        raise ParameterError(
            f"margin_px must leave a view of the image of {tuple(whole_yx)}, got {margin_px}"
        )
    return height, width


def checked_image(
    name: str, image: ArrayLike, shape_yx: tuple[int, int] | None = None
) -> NDArray[np.float32]:
    """Return an image as float32.

    Parameters
    ----------
    name : str
        Name of the parameter.
    image : array_like, (Y, X)
        Of any type of number.
    shape_yx : tuple of int, optional
        Shape that it must have.

    Raises
    ------
    ParameterError
        If it is not a plane, is empty, holds NaN or infinity, or has another shape.
    """
    plane = np.asarray(image, np.float32)
    if plane.ndim != 2 or plane.size == 0:
        raise ParameterError(f"{name} must be an image (Y, X), got shape {plane.shape}")
    if shape_yx is not None and plane.shape != shape_yx:
        raise ParameterError(f"{name} must have shape {shape_yx}, got {plane.shape}")
    if not np.isfinite(plane).all():
        raise ParameterError(f"{name} must be finite everywhere, got NaN or infinity")
    return plane


def checked_depth(
    depth: ArrayLike, shape_yx: tuple[int, int], n_slices: int, name: str = "depth"
) -> NDArray[np.float32]:
    """Return a depth map in slices as float32.

    Raises
    ------
    ParameterError
        If it has not the image's shape or leaves 0 to `n_slices` - 1.
    """
    plane = checked_image(name, depth, shape_yx)
    low, high = float(plane.min()), float(plane.max())
    if low < 0 or high > n_slices - 1:
        raise ParameterError(
            f"{name} must lie within 0 to {n_slices - 1} slices, got {low:g} to {high:g}"
        )
    return plane
