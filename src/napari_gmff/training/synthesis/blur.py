"""Blur that grows with the distance from focus, pixel by pixel.

Each pixel is blurred by its own depth, as in the papers: a defocused foreground does not veil what
is behind it. `thin_lens` does that.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft, special

from napari_gmff.training.synthesis.checks import (
    check_choice,
    check_count,
    check_within,
    checked_depth,
    checked_image,
    checked_shape,
    view_shape,
)
from napari_gmff.training.synthesis.depths import random_depth
from napari_gmff.training.synthesis.noise import radial_frequency
from napari_gmff.training.synthesis.synthetic_stack import SyntheticStack, ordered_stack

if TYPE_CHECKING:
    from napari_gmff.training.synthesis.images import ImageSource

FloatImage = NDArray[np.float32]
BlurShape = Literal["gaussian", "disk"]

_RUNG_RATIO = 1.25
"""Neighbouring rungs interpolated in variance keep an image's contrast within 1.4 % (Gaussian)."""

_FIRST_RUNG_PX = 0.35
_DISK_STEP = 0.002
_MARGIN_PX = 24
"""Border that random scenes are computed on and lose: mirrored light stays outside of the view."""


class BlurLadder:
    """An image blurred by a ladder of widths, from which any width in between is interpolated.

    The image continues beyond its borders as its mirror image. Blur is exact convolution with the
    continuous Gaussian or disk (a product of cosine transforms), at any fraction of a pixel.

    Parameters
    ----------
    image : array_like, (Y, X)
    width_max_px : float
        Largest width that will be asked for.
    shape : {'gaussian', 'disk'}
        A width is the sigma of the Gaussian or the radius of the disk.
    base_sigma_px : float
        Gaussian blur that is always there: what the objective does in focus.
    view : tuple of slice, optional
        Part of the image that is wanted; the rest is only margin.

    Raises
    ------
    ParameterError
        For values that make no sense.
    """

    def __init__(
        self,
        image: ArrayLike,
        width_max_px: float,
        shape: BlurShape = "gaussian",
        base_sigma_px: float = 0.0,
        view: tuple[slice, slice] = (slice(None), slice(None)),
    ) -> None:
        plane = checked_image("image", image)
        check_within("width_max_px", width_max_px, 0)
        check_choice("shape", shape, get_args(BlurShape))
        check_within("base_sigma_px", base_sigma_px, 0)
        self.widths_px = _rungs(width_max_px)
        spectrum = fft.dctn(plane, norm="ortho") * _gaussian(plane.shape, base_sigma_px)
        transfer = _gaussian if shape == "gaussian" else _disk
        rungs = [
            fft.idctn(spectrum * transfer(plane.shape, width), norm="ortho", overwrite_x=True)[view]
            for width in self.widths_px[1:]
        ]
        focused = plane if base_sigma_px == 0 else fft.idctn(spectrum, norm="ortho")
        self.images: NDArray[np.float32] = np.stack([focused[view], *rungs])
        self._pixels = np.arange(self.images[0].size).reshape(self.images[0].shape)

    @property
    def focused(self) -> FloatImage:
        """The image in focus, (Y, X): blurred by `base_sigma_px` alone."""
        return np.asarray(self.images[0])

    def at(self, width_px: ArrayLike) -> FloatImage:
        """Return the image blurred at each pixel by a width of its own.

        Parameters
        ----------
        width_px : array_like, (Y, X) or a number
            Widths beyond the ladder's largest count as the largest.

        Returns
        -------
        ndarray, (Y, X), float32
        """
        rung, share = _place(np.asarray(width_px, np.float32), self.widths_px)
        flat = self.images.reshape(-1)
        lower = rung * self._pixels.size + self._pixels
        near = flat.take(lower)
        if len(self.images) == 1:
            return near
        return near + share * (flat.take(lower + self._pixels.size) - near)


def blurred_stack(
    sharp: ArrayLike,
    depth: ArrayLike,
    n_slices: int,
    blur_px_per_slice: float,
    shape: BlurShape = "gaussian",
    base_sigma_px: float = 0.0,
    *,
    margin_px: int = 0,
) -> SyntheticStack:
    """Blur an image by depth: the simplest model of a focus stack.

    Parameters
    ----------
    sharp : array_like, (Y + 2 margin, X + 2 margin)
        About 0 to 1, linear in light.
    depth : array_like, (Y, X)
        In slices, 0 to `n_slices` - 1.
    n_slices : int
        At least 1.
    blur_px_per_slice : float
        Sigma (Gaussian) or radius (disk) that each slice of defocus adds.
    shape : {'gaussian', 'disk'}
        Shape of the blur.
    base_sigma_px : float
        Gaussian blur that is there in focus too.
    margin_px : int
        Border of `sharp` that is not part of the view; without one, light is mirrored there.

    Returns
    -------
    SyntheticStack
        (N, Y, X); `sharp` is blurred by `base_sigma_px`, which no slice can undo.

    Raises
    ------
    ParameterError
        If a parameter makes no sense or shapes do not fit.
    """
    check_count("n_slices", n_slices)
    check_within("blur_px_per_slice", blur_px_per_slice, 0)
    image = checked_image("sharp", sharp)
    shape_yx = view_shape(image.shape, margin_px)
    depth_slices = checked_depth(depth, shape_yx, n_slices)
    ladder = BlurLadder(
        image,
        blur_px_per_slice * farthest_slices(depth_slices, n_slices),
        shape,
        base_sigma_px,
        inner_view(shape_yx, margin_px),
    )
    return ordered_stack(
        defocused_slices(ladder, depth_slices, n_slices, blur_px_per_slice),
        depth_slices,
        ladder.focused,
        "blurred",
    )


def random_blurred(
    rng: np.random.Generator, n_slices: int, shape_yx: tuple[int, int], images: ImageSource
) -> SyntheticStack:
    """Draw an image, a depth map and a blur; see `blurred_stack`.

    Parameters and errors: `napari_gmff.training.synthesis.mixture.random_scene`.
    """
    check_count("n_slices", n_slices)
    shape_yx = checked_shape(shape_yx)
    blur = random_blur_shape(rng)
    rate = random_blur_rate(rng)
    image = images.crop(rng, grown(shape_yx))
    return blurred_stack(
        image,
        random_depth(rng, shape_yx, n_slices, image[inner_view(shape_yx)]),
        n_slices,
        # A disk spreads half as much as a Gaussian whose sigma is the disk's radius.
        rate * (1.0 if blur == "gaussian" else 2.0),
        blur,
        random_base_sigma(rng),
        margin_px=_MARGIN_PX,
    )


def random_blur_shape(rng: np.random.Generator) -> BlurShape:
    """Draw a Gaussian or a disk."""
    return "gaussian" if rng.random() < 0.5 else "disk"


def random_blur_rate(rng: np.random.Generator) -> float:
    """Draw the sigma that a slice of defocus adds: mostly 0.25 to 1.6 px, at times 0.1 to 2 px."""
    low, high = (0.25, 1.6) if rng.random() < 0.75 else (0.1, 2.0)
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def random_base_sigma(rng: np.random.Generator) -> float:
    """Draw the blur in focus: none (half), or up to 1.5 px, as microscopes sample finely."""
    return 0.0 if rng.random() < 0.5 else float(rng.uniform(0.3, 1.5))


def grown(shape_yx: tuple[int, int], margin_px: int = _MARGIN_PX) -> tuple[int, int]:
    """Return the shape with a margin on all sides."""
    return shape_yx[0] + 2 * margin_px, shape_yx[1] + 2 * margin_px


def inner_view(shape_yx: tuple[int, int], margin_px: int = _MARGIN_PX) -> tuple[slice, slice]:
    """Return where an image of this shape lies within `grown`."""
    return slice(margin_px, margin_px + shape_yx[0]), slice(margin_px, margin_px + shape_yx[1])


def farthest_slices(depth: FloatImage, n_slices: int) -> float:
    """Return the largest distance in slices between a depth and a focal plane."""
    return max(float(depth.max()), n_slices - 1 - float(depth.min()))


def defocused_slices(
    ladder: BlurLadder, depth: FloatImage, n_slices: int, blur_px_per_slice: float
) -> NDArray[np.float32]:
    """Return what the camera sees at each focal plane, (N, Y, X), not below zero."""
    stack = np.empty((n_slices, *depth.shape), np.float32)
    for k in range(n_slices):
        # The exact blur of sampled light may undershoot by a hair beside an edge.
        np.maximum(ladder.at(blur_px_per_slice * np.abs(depth - k)), 0, out=stack[k])
    return stack


def _rungs(width_max_px: float) -> FloatImage:
    """Return widths from 0 to the largest, each a quarter above the one before."""
    if width_max_px <= 0:
        return np.zeros(1, np.float32)
    steps = np.log(max(width_max_px / _FIRST_RUNG_PX, 1)) / np.log(_RUNG_RATIO)
    first = min(_FIRST_RUNG_PX, width_max_px)
    widths = np.geomspace(first, width_max_px, int(np.ceil(steps)) + 1)
    return np.concatenate([[0], widths]).astype(np.float32)


def _place(width_px: FloatImage, rungs_px: FloatImage) -> tuple[NDArray[np.intp], FloatImage]:
    """Return the rung below each width, and how far it is to the next one in variance."""
    # A linear blend of two blurs has the blended variance, whatever their shape.
    place = np.interp(width_px * width_px, rungs_px * rungs_px, np.arange(len(rungs_px)))
    rung = np.minimum(place.astype(np.intp), max(len(rungs_px) - 2, 0))
    return rung, (place - rung).astype(np.float32)


def _gaussian(shape_yx: tuple[int, ...], sigma_px: float) -> FloatImage:
    """Return the transfer function of a Gaussian for a cosine transform."""
    y, x = (
        np.exp(-2 * (np.pi * sigma_px * np.arange(side, dtype=np.float32) / (2 * side)) ** 2)
        for side in shape_yx
    )
    return np.asarray(y[:, None] * x[None, :], np.float32)


def _disk(shape_yx: tuple[int, ...], radius_px: float) -> FloatImage:
    """Return the transfer function of a uniform disk for a cosine transform."""
    frequency = radial_frequency((shape_yx[0], shape_yx[1]))
    place = frequency * np.float32(2 * np.pi * radius_px / _DISK_STEP)
    # Sizes in powers of two keep the number of tables small.
    table = _airy_amplitude(int(place.max()).bit_length() + 1)
    return table.take(place.astype(np.intp))


@cache
def _airy_amplitude(bits: int) -> FloatImage:
    """Return 2 J1(x) / x at multiples of `_DISK_STEP`: Bessel functions are slow to compute."""
    x = (np.arange(1 << bits) + 0.5) * _DISK_STEP
    return np.asarray(2 * special.j1(x) / x, np.float32)
