"""Sharp photographs that scenes are made from; none of them is used to train shipped weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.errors import SourceError
from napari_gmff.evaluation.depths import filled
from napari_gmff.sampling import luminance

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHIPPED = (
    "astronaut",
    "coffee",
    "camera",
    "stereo_motorcycle",
    "chelsea",
    "rocket",
    "immunohistochemistry",
    "brick",
    "moon",
    "grass",
    "hubble_deep_field",
    "gravel",
    "retina",
)
"""Photographs in scikit-image's wheel, in the order of scenes."""

_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")


@dataclass(frozen=True)
class Photograph:
    """A sharp picture.

    Attributes
    ----------
    name : str
    grey : ndarray, (Y, X), uint8
    depth : ndarray, (Y, X), float32, or None
        Measured depth, 0 to 1, where there is one.
    """

    name: str
    grey: NDArray[np.uint8]
    depth: NDArray[np.float32] | None = None

    def cropped(self, size_px: int) -> Photograph:
        """Return the middle, at most `size_px` high and wide."""
        y0, x0 = (max(0, (side - size_px) // 2) for side in self.grey.shape)
        part = (slice(y0, y0 + size_px), slice(x0, x0 + size_px))
        depth = None if self.depth is None else self.depth[part]
        return Photograph(self.name, np.ascontiguousarray(self.grey[part]), depth)


def shipped_photograph(number: int) -> Photograph:
    """Return one of scikit-image's photographs; after the last one comes the first again."""
    from skimage import data

    name = SHIPPED[number % len(SHIPPED)]
    try:
        loaded: Any = getattr(data, name)()
    except Exception as error:  # scikit-image fetches what its wheel lacks, in many ways
        raise SourceError(
            f"scikit-image's picture {name!r}: not in the installed version ({error})"
        ) from error
    if name == "stereo_motorcycle":
        left, _, disparity = loaded
        return Photograph(name, _grey(left), filled(disparity))
    return Photograph(name, _grey(loaded))


def photographs_in(folder: Path) -> list[Path]:
    """List the pictures in a folder, evenly thinned by nothing: sorted by name.

    Raises
    ------
    SourceError
        If the folder is missing or holds no picture.
    """
    if not folder.is_dir():
        raise SourceError(f"{folder}: must be a folder of photographs")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
    if not found:
        raise SourceError(f"{folder}: holds no photograph ({', '.join(_SUFFIXES)})")
    return found


def read_photograph(path: Path) -> Photograph:
    """Read a picture file as grey.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            return Photograph(path.stem, _grey(np.asarray(image.convert("RGB"))))
    except (OSError, ValueError) as error:
        raise SourceError(f"{path}: not a readable picture ({error})") from error


def _grey(picture: NDArray[Any]) -> NDArray[np.uint8]:
    return np.clip(np.rint(luminance(picture)), 0, 255).astype(np.uint8)
