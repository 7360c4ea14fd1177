"""The papers' recipe: a photograph blurred by the distance of its depth bin from each slice.

StackMFF V3's Algorithm 1, which V4 was trained with too.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from napari_gmff.errors import ParameterError
from napari_gmff.training.synthesis.blur import grown, inner_view
from napari_gmff.training.synthesis.checks import (
    check_count,
    checked_image,
    checked_shape,
    view_shape,
)
from napari_gmff.training.synthesis.depths import fitted, random_range, random_surface, read_depth
from napari_gmff.training.synthesis.image_cache import read_grey
from napari_gmff.training.synthesis.synthetic_stack import SyntheticStack, ordered_stack

if TYPE_CHECKING:
    from napari_gmff.training.synthesis.images import ImageSource

FloatImage = NDArray[np.float32]

_FULL_RANGE_SHARE = 0.75


def recipe_stack(
    image: ArrayLike, depth: ArrayLike, n_slices: int, *, margin_px: int = 0
) -> SyntheticStack:
    """Make an ordered stack from an image and its depth, exactly as the papers did.

    Depth is cut into `n_slices` bins of equal width. In slice k each pixel comes from the image
    blurred by its distance d = abs(bin - k): a Gaussian kernel of size 2 d + 1 with OpenCV's sigma
    for that size, the image mirrored at its border without repeating the border pixel. Image and
    result have 8 bits. The papers then shuffle the slices: `SyntheticStack.rearranged`.

    Parameters
    ----------
    image : array_like, (Y + 2 margin, X + 2 margin)
        0 to 1; rounded to 8 bits first.
    depth : array_like, (Y, X)
        0 to 1.
    n_slices : int
        At least 1; 2 to 24 in the papers.
    margin_px : int
        Border of `image` that is not part of the view.

    Returns
    -------
    SyntheticStack
        (N, Y, X), multiples of 1/255. Its depth is the bin: there is none between slices.

    Raises
    ------
    ParameterError
        If a parameter makes no sense or shapes do not fit.
    """
    check_count("n_slices", n_slices)
    sharp = _to_8_bit(checked_image("image", image))
    shape_yx = view_shape(sharp.shape, margin_px)
    bins = _bins(checked_image("depth", depth, shape_yx), n_slices)
    farthest = max(int(bins.max()), n_slices - 1 - int(bins.min()))
    view = inner_view(shape_yx, margin_px)
    blurred = np.stack([_blurred(sharp, distance)[view] for distance in range(farthest + 1)])
    slices = [_chosen(blurred, np.abs(bins - k)) for k in range(n_slices)]
    return ordered_stack(np.stack(slices), bins.astype(np.float32), sharp[view], "recipe")


def recipe_stack_from_files(
    image: str | Path,
    depth: str | Path | None,
    n_slices: int,
    *,
    rng: np.random.Generator,
    invalid: float | None = 0.0,
) -> SyntheticStack:
    """Make a stack from an image file and a depth map, or a drawn one where there is none.

    Parameters
    ----------
    image : str or Path
        PNG, JPEG or TIFF.
    depth : str, Path or None
        PNG or TIFF of one channel; stretched to the image's size.
    n_slices : int
        At least 1.
    rng : numpy.random.Generator
        Draws the depth where no file is given.
    invalid : float, optional
        Value of the depth map that marks unknown pixels.

    Raises
    ------
    SourceError
        If a file cannot be read.
    ParameterError
        If `n_slices` makes no sense.
    """
    sharp = read_grey(Path(image)).astype(np.float32) / 255
    shape_yx = checked_shape(sharp.shape)
    if depth is None:
        return recipe_stack(sharp, random_surface(rng, shape_yx), n_slices)
    return recipe_stack(sharp, fitted(read_depth(depth, invalid=invalid), shape_yx), n_slices)


def random_recipe(
    rng: np.random.Generator, n_slices: int, shape_yx: tuple[int, int], images: ImageSource
) -> SyntheticStack:
    """Draw an image and a depth map, mostly over all slices; see `recipe_stack`.

    Parameters and errors: `napari_gmff.training.synthesis.mixture.random_scene`.
    """
    check_count("n_slices", n_slices)
    shape_yx = checked_shape(shape_yx)
    # The margin takes up the widest kernel, so that every blurred pixel is of real surroundings.
    margin_px = n_slices - 1
    image = images.crop(rng, grown(shape_yx, margin_px))
    relief = random_surface(rng, shape_yx, image[inner_view(shape_yx, margin_px)])
    if rng.random() >= _FULL_RANGE_SHARE:
        low, high = random_range(rng, n_slices)
        # A depth in slices lies in the middle of its bin.
        relief = np.float32((low + 0.5) / n_slices) + np.float32((high - low) / n_slices) * relief
    return recipe_stack(image, np.clip(relief, 0, 1), n_slices, margin_px=margin_px)


def gaussian_kernel(distance_slices: int) -> NDArray[np.float64]:
    """Return the kernel of size 2 d + 1 along one axis, its sum 1.

    Sigma is OpenCV's for a kernel size of k: 0.3 ((k - 1) / 2 - 1) + 0.8.
    """
    size = 2 * distance_slices + 1
    sigma = 0.3 * ((size - 1) * 0.5 - 1) + 0.8
    offsets = np.arange(size) - distance_slices
    kernel = np.exp(-(offsets**2) / (2 * sigma**2))
    return np.asarray(kernel / kernel.sum())


def _bins(depth: FloatImage, n_slices: int) -> NDArray[np.intp]:
    low, high = float(depth.min()), float(depth.max())
    if low < 0 or high > 1:
        raise ParameterError(f"depth must lie within 0 to 1, got {low:g} to {high:g}")
    return np.minimum((depth * n_slices).astype(np.intp), n_slices - 1)


def _blurred(image: FloatImage, distance: int) -> FloatImage:
    if distance == 0:
        return image
    kernel = gaussian_kernel(distance)
    along_y = ndimage.correlate1d(image, kernel, axis=0, mode="mirror")
    return _to_8_bit(ndimage.correlate1d(along_y, kernel, axis=1, mode="mirror"))


def _chosen(blurred: NDArray[np.float32], distance: NDArray[np.intp]) -> FloatImage:
    return np.asarray(np.take_along_axis(blurred, distance[None], axis=0)[0])


def _to_8_bit(image: FloatImage) -> FloatImage:
    return np.asarray(np.rint(np.clip(image, 0, 1) * 255) / np.float32(255), np.float32)
