"""See-through scenes: two or three things at different depths on one line of sight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from napari_gmff.errors import ParameterError
from napari_gmff.training.synthesis.blur import (
    BlurLadder,
    BlurShape,
    defocused_slices,
    farthest_slices,
    grown,
    inner_view,
    random_base_sigma,
    random_blur_rate,
    random_blur_shape,
)
from napari_gmff.training.synthesis.checks import (
    check_choice,
    check_count,
    check_within,
    checked_depth,
    checked_image,
    checked_shape,
    view_shape,
)
from napari_gmff.training.synthesis.depths import random_surface
from napari_gmff.training.synthesis.noise import smooth_field
from napari_gmff.training.synthesis.synthetic_stack import (
    SyntheticStack,
    ordered_stack,
    texture_mask,
)

if TYPE_CHECKING:
    from napari_gmff.training.synthesis.images import ImageSource

FloatImage = NDArray[np.float32]
Mixing = Literal["add", "multiply"]

_MARGIN_PX = 24
_CLEAR_RATIO = 1.25
"""Where one sheet's contrast is not this much stronger than the others', no depth is the truth."""

_EMPTY = 0.02
"""Light below this fraction of the brightest is empty background."""


@dataclass(frozen=True)
class SeeThrough:
    """A see-through stack and what is true of each of its sheets.

    Attributes
    ----------
    synthetic : SyntheticStack
        Its truth is that of the sheet with the strongest contrast at each pixel. `texture` leaves
        out where sheets are about equally strong, `known` leaves out where there is no light.
    depths : ndarray, (L, Y, X), float32
        Depth of each sheet in slices.
    contrasts : ndarray, (L, Y, X), float32
        Local contrast of each sheet in focus, in the units of the stack (of its logarithm where
        sheets multiply).
    """

    synthetic: SyntheticStack
    depths: NDArray[np.float32]
    contrasts: NDArray[np.float32]


def see_through(
    sheets: Sequence[ArrayLike],
    depths: Sequence[ArrayLike],
    n_slices: int,
    blur_px_per_slice: float,
    mixing: Mixing = "add",
    shape: BlurShape = "gaussian",
    base_sigma_px: float = 0.0,
    *,
    margin_px: int = 0,
) -> SeeThrough:
    """Look through sheets that lie above one another.

    Parameters
    ----------
    sheets : sequence of array_like, each (Y + 2 margin, X + 2 margin)
        Light of each sheet (add), or the share of light that it lets pass (multiply), 0 to 1.
    depths : sequence of array_like, each (Y, X)
        Of each sheet in slices, 0 to `n_slices` - 1.
    n_slices : int
        At least 1.
    blur_px_per_slice : float
        Sigma (Gaussian) or radius (disk) that each slice of defocus adds.
    mixing : {'add', 'multiply'}
        Fluorescence adds, absorption multiplies.
    shape : {'gaussian', 'disk'}
        Shape of the blur.
    base_sigma_px : float
        Gaussian blur that is there in focus too.
    margin_px : int
        Border of the sheets that is not part of the view.

    Returns
    -------
    SeeThrough

    Raises
    ------
    ParameterError
        If a parameter makes no sense or shapes do not fit.
    """
    check_count("n_slices", n_slices)
    check_within("blur_px_per_slice", blur_px_per_slice, 0)
    check_choice("mixing", mixing, get_args(Mixing))
    if not (len(sheets) == len(depths) >= 1):
        raise ParameterError(
            "sheets and depths must be of the same number, at least 1, "
            f"got {len(sheets)} and {len(depths)}"
        )
    mix = np.add if mixing == "add" else np.multiply
    neutral = 0.0 if mixing == "add" else 1.0
    whole = checked_image("sheets[0]", sheets[0]).shape
    shape_yx = view_shape(whole, margin_px)
    view = inner_view(shape_yx, margin_px)
    stack = np.full((n_slices, *shape_yx), neutral, np.float32)
    focused, places = [], []
    for number, (sheet, depth) in enumerate(zip(sheets, depths, strict=True)):
        light = checked_image(f"sheets[{number}]", sheet, (whole[0], whole[1]))
        place = checked_depth(depth, shape_yx, n_slices, f"depths[{number}]")
        width_px = blur_px_per_slice * farthest_slices(place, n_slices)
        ladder = BlurLadder(light, width_px, shape, base_sigma_px, view)
        mix(stack, defocused_slices(ladder, place, n_slices, blur_px_per_slice), out=stack)
        focused.append(ladder.focused)
        places.append(place)
    return _with_truth(stack, np.stack(focused), np.stack(places), mixing)


def overlap_stack(
    sheets: Sequence[ArrayLike],
    depths: Sequence[ArrayLike],
    n_slices: int,
    blur_px_per_slice: float,
    mixing: Mixing = "add",
    shape: BlurShape = "gaussian",
    base_sigma_px: float = 0.0,
    *,
    margin_px: int = 0,
) -> SyntheticStack:
    """Look through sheets, and keep only the truth of the strongest; see `see_through`."""
    return see_through(
        sheets,
        depths,
        n_slices,
        blur_px_per_slice,
        mixing,
        shape,
        base_sigma_px,
        margin_px=margin_px,
    ).synthetic


def random_overlap(
    rng: np.random.Generator, n_slices: int, shape_yx: tuple[int, int], images: ImageSource
) -> SyntheticStack:
    """Draw two or three sheets, each at depths of its own; see `see_through`.

    Parameters and errors: `napari_gmff.training.synthesis.mixture.random_scene`.
    """
    check_count("n_slices", n_slices)
    shape_yx = checked_shape(shape_yx)
    mixing: Mixing = "add" if rng.random() < 0.6 else "multiply"
    draw = _random_light if mixing == "add" else _random_absorber
    n_sheets = 2 if rng.random() < 0.8 else 3
    blur = random_blur_shape(rng)
    sheets = [draw(rng, grown(shape_yx, _MARGIN_PX), images) for _ in range(n_sheets)]
    if mixing == "add":
        brightest = np.float32(max(1.0, float(np.sum(sheets, axis=0).max())))
        sheets = [sheet / brightest for sheet in sheets]
    return overlap_stack(
        sheets,
        _random_depths(rng, n_sheets, shape_yx, n_slices),
        n_slices,
        random_blur_rate(rng) * (1.0 if blur == "gaussian" else 2.0),
        mixing,
        blur,
        random_base_sigma(rng),
        margin_px=_MARGIN_PX,
    )


def _with_truth(
    stack: NDArray[np.float32],
    focused: NDArray[np.float32],
    depths: NDArray[np.float32],
    mixing: Mixing,
) -> SeeThrough:
    adds = mixing == "add"
    # A darker sheet dims the others: what counts is contrast relative to brightness.
    contrasts = np.stack([
        _contrast(sheet if adds else np.log(np.maximum(sheet, 0.02))) for sheet in focused
    ])  # fmt: skip
    strongest = contrasts.argmax(0)
    depth = np.take_along_axis(depths, strongest[None], 0)[0]
    sharp = focused.sum(0) if adds else focused.prod(0)
    texture = texture_mask(sharp) & _clear(contrasts)
    known = None
    if adds:
        light = ndimage.gaussian_filter(sharp, 2)
        known = np.asarray(light > _EMPTY * float(light.max()))
    synthetic = ordered_stack(stack, depth, sharp, "overlap", texture=texture, known=known)
    return SeeThrough(synthetic, depths, contrasts)


def _contrast(sheet: FloatImage) -> FloatImage:
    """Return the local standard deviation of fine structure."""
    detail = sheet - ndimage.gaussian_filter(sheet, 1.5)
    return np.asarray(np.sqrt(ndimage.gaussian_filter(detail * detail, 2.5)))


def _clear(contrasts: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return where the strongest sheet leaves the second behind."""
    if len(contrasts) == 1:
        return np.ones(contrasts.shape[1:], bool)
    second, first = np.sort(contrasts, axis=0)[-2:]
    return np.asarray(first > _CLEAR_RATIO * second)


def _random_light(
    rng: np.random.Generator, shape_yx: tuple[int, int], images: ImageSource
) -> FloatImage:
    """Draw a glowing texture that covers all, or patches."""
    texture = images.crop(rng, shape_yx) ** np.float32(rng.uniform(0.8, 2.5))
    return texture * _patches(rng, shape_yx) * np.float32(rng.uniform(0.3, 1))


def _random_absorber(
    rng: np.random.Generator, shape_yx: tuple[int, int], images: ImageSource
) -> FloatImage:
    """Draw a sheet that lets most light pass except in patches."""
    density = images.crop(rng, shape_yx) * _patches(rng, shape_yx)
    return np.asarray(np.exp(-np.float32(rng.uniform(0.3, 2)) * density), np.float32)


def _patches(rng: np.random.Generator, shape_yx: tuple[int, int]) -> FloatImage:
    if rng.random() < 0.35:
        return np.ones(shape_yx, np.float32)
    field = smooth_field(rng, shape_yx, rng.uniform(8, 50))
    hardness = np.float32(np.exp(rng.uniform(np.log(0.7), np.log(8))))
    shift = np.float32(rng.uniform(-0.5, 0.5))
    return np.asarray(np.clip(0.5 + hardness * (field + shift), 0, 1), np.float32)


def _random_depths(
    rng: np.random.Generator, n_sheets: int, shape_yx: tuple[int, int], n_slices: int
) -> list[FloatImage]:
    """Share the stack out among the sheets, in any order, each flat or with a relief of its own."""
    last = n_slices - 1
    borders = np.linspace(0, last, n_sheets + 1)
    depths = []
    for low, high in pairwise(borders):
        bottom, top = np.sort(rng.uniform(low, high, 2))
        relief = np.zeros(shape_yx, np.float32)
        if rng.random() < 0.6:
            relief = random_surface(rng, shape_yx)
        depths.append(np.clip(bottom + (top - bottom) * relief, 0, last).astype(np.float32))
    return [depths[number] for number in rng.permutation(n_sheets)]
