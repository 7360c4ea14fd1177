"""Sharp images of any size, from files or drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_gmff.training.synthesis.checks import check_count, check_within, checked_shape
from napari_gmff.training.synthesis.image_cache import (
    GreyImage,
    GreyImages,
    cached_images,
    find_images,
)
from napari_gmff.training.synthesis.textures import random_texture

FloatImage = NDArray[np.float32]

_LARGEST_REDUCTION = 3.0
_CANDIDATES = 3
"""Cuts of which the one with most texture is taken: much of a photograph is sky or soft."""

_FILTERS = (Image.Resampling.BOX, Image.Resampling.HAMMING, Image.Resampling.LANCZOS)


class ImageSource:
    """Where generators take their sharp images from.

    Make one with `from_files` or `procedural`. It can be pickled: every process opens the images'
    cache for itself, and the system keeps the pixels in memory but once.

    Parameters
    ----------
    cache_file : Path, optional
        Images, as `image_cache.cached_images` wrote them.
    procedural_share : float
        Fraction of crops that are drawn instead, 0 to 1.

    Raises
    ------
    ParameterError
        If the share is outside of 0 to 1, or less than 1 without images.
    SourceError
        If the cache cannot be read.
    """

    def __init__(self, cache_file: Path | None = None, procedural_share: float = 0.0) -> None:
        check_within("procedural_share", procedural_share, 1.0 if cache_file is None else 0.0, 1.0)
        self.cache_file = cache_file
        self.procedural_share = procedural_share
        self._open()

    @classmethod
    def from_files(
        cls,
        sources: Sequence[str | Path],
        *,
        exclude: Sequence[str] = (),
        procedural_share: float = 0.0,
        cache_dir: str | Path | None = None,
        longest_side_px: int = 2048,
    ) -> ImageSource:
        """Take images from folders, files or patterns, decoding each file only once ever.

        Parameters
        ----------
        sources, exclude
            As for `image_cache.find_images`.
        procedural_share : float
            Fraction of crops that are drawn instead, 0 to 1.
        cache_dir : str or Path, optional
            Where the decoded images are kept; the user's cache folder by default.
        longest_side_px : int
            Larger images are scaled down to this.

        Raises
        ------
        SourceError
            If a source is missing, holds no images, or an image cannot be read.
        OutputError
            If the cache cannot be written.
        """
        check_count("longest_side_px", longest_side_px)
        check_within("procedural_share", procedural_share, 0, 1)
        folder = _default_cache_dir() if cache_dir is None else Path(cache_dir)
        files = find_images(sources, exclude)
        return cls(cached_images(files, folder, longest_side_px), procedural_share)

    @classmethod
    def procedural(cls) -> ImageSource:
        """Draw all images."""
        return cls(None, 1.0)

    def __len__(self) -> int:
        """Return the number of image files."""
        return 0 if self._images is None else len(self._images)

    def crop(self, rng: np.random.Generator, shape_yx: tuple[int, int]) -> FloatImage:
        """Return a sharp grey texture.

        An image is drawn, flipped, turned by quarters and scaled down by 1 to 3, which makes soft
        images sharp. Of three cuts of it that with the most texture is preferred; an image that
        is too small is continued by its mirror image. A folder's share of the crops grows with
        the square root of the number of its images, so that a large one does not drown the others.

        Parameters
        ----------
        rng : numpy.random.Generator
            Where chance comes from.
        shape_yx : tuple of int
            Size wanted, each at least 1.

        Returns
        -------
        ndarray, (Y, X), float32
            0 to 1.

        Raises
        ------
        ParameterError
            If the shape makes no sense.
        """
        shape_yx = checked_shape(shape_yx)
        turns = int(rng.integers(4))
        cut_yx = shape_yx if turns % 2 == 0 else shape_yx[::-1]
        if self._images is None or rng.random() < self.procedural_share:
            texture = random_texture(rng, cut_yx)
        else:
            number = int(np.searchsorted(self._cumulative, rng.random(), "right"))
            texture = _crop(rng, self._images[min(number, len(self._images) - 1)], cut_yx)
        texture = np.rot90(texture, turns)
        return np.ascontiguousarray(texture[:, ::-1] if rng.random() < 0.5 else texture)

    def __getstate__(self) -> dict[str, Any]:
        return {"cache_file": self.cache_file, "procedural_share": self.procedural_share}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    def _open(self) -> None:
        self._images = None if self.cache_file is None else GreyImages(self.cache_file)
        if self._images is not None:
            folders = self._images.folders
            weights = 1 / np.sqrt(np.bincount(folders)[folders])
            self._cumulative = np.cumsum(weights / weights.sum())


def _crop(rng: np.random.Generator, image: GreyImage, shape_yx: tuple[int, int]) -> FloatImage:
    """Cut a random part of an image, scaled down at random."""
    cuts = [_cut(rng, image, shape_yx) for _ in range(_CANDIDATES)]
    # Flat and soft places exist under microscopes too.
    place, scale = cuts[0] if rng.random() < 0.25 else max(cuts, key=_texture_of)
    return _resized(rng, place, scale, shape_yx)


def _cut(
    rng: np.random.Generator, image: GreyImage, shape_yx: tuple[int, int]
) -> tuple[GreyImage, float]:
    """Return a random place of an image, and by how much it is to be scaled down."""
    room = min(side / wanted for side, wanted in zip(image.shape, shape_yx, strict=True))
    largest = min(max(room, 1), _LARGEST_REDUCTION)
    scale = 1.0 if rng.random() < 0.25 else float(np.exp(rng.uniform(0, np.log(largest))))
    spans = []
    for side, wanted in zip(image.shape, shape_yx, strict=True):
        length = min(side, round(wanted * scale))
        start = int(rng.integers(side - length + 1))
        spans.append(slice(start, start + length))
    return image[tuple(spans)], scale


def _texture_of(cut: tuple[GreyImage, float]) -> float:
    """Return how much of a place has contrast, rather than how strong the strongest is."""
    place, scale = cut
    # Two pixels of the result: a soft image has contrast only once it is scaled down.
    apart = round(2 * scale)
    sample = place[:: apart + 1].astype(np.int16)
    if sample.shape[1] <= apart:
        return 0.0
    return float(np.minimum(np.abs(sample[:, apart:] - sample[:, :-apart]), 24).mean())


def _resized(
    rng: np.random.Generator, place: GreyImage, scale: float, shape_yx: tuple[int, int]
) -> FloatImage:
    """Scale down with a filter against aliasing, then mirror up to the shape."""
    texture = place.astype(np.float32) / 255
    size_yx = tuple(
        min(wanted, max(1, round(side / scale)))
        for wanted, side in zip(shape_yx, place.shape, strict=True)
    )
    if size_yx != place.shape:
        chosen = _FILTERS[rng.integers(len(_FILTERS))]
        texture = np.asarray(Image.fromarray(texture).resize(size_yx[::-1], chosen))
    if texture.shape != shape_yx:
        missing = [(0, wanted - side) for wanted, side in zip(shape_yx, texture.shape, strict=True)]
        texture = np.pad(texture, missing, mode="symmetric")
    return np.clip(texture, 0, 1)


def _default_cache_dir() -> Path:
    import platformdirs

    return platformdirs.user_cache_path("napari-gmff") / "training-images"
