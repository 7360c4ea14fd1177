"""What a result holds and where: its images, their axes and the place of their pixels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from napari_gmff.errors import ParameterError
from napari_gmff.marks import is_marked, is_restored, marked
from napari_gmff.reading.stack import Channel

Kind = Literal["intensity", "index", "depth", "confidence", "mask", "difference", "amount"]

IMAGE_NAMES = (
    "fused",
    "focus_index",
    "depth",
    "confidence",
    "depth_unrefined",
    "max_projection",
    "corrected",
    "restored",
    "restored_mean",
    "restoration_mask",
    "difference",
    "abs_difference",
    "spread",
    "contradiction",
)
"""Images that a result may hold; a fusion stores those it has in this order."""

GENERATED = frozenset(
    ("restored", "restored_mean", "difference", "abs_difference", "spread", "contradiction")
)
"""Those that a generative model made, or that say nothing without it; their titles are marked."""

_FILE_STEMS = {
    "restored": "ai-restored",
    "restored_mean": "ai-restored-mean",
    "difference": "ai-restored-difference",
    "abs_difference": "ai-restored-abs-difference",
    "spread": "ai-restored-spread",
    "contradiction": "ai-restored-contradiction",
}

_AXES = ("yx", "cyx", "tyx", "tcyx")


@dataclass(frozen=True)
class ImageSpec:
    """Shape and meaning of one image of a result.

    Attributes
    ----------
    name : str
        One of `IMAGE_NAMES`; also the name of the Zarr group, and of the TIFF file but for
        `file_stem`.
    axes : str
        ``"yx"``, ``"cyx"``, ``"tyx"`` or ``"tcyx"``; axes of length 1 are left out for T and C.
    shape : tuple of int
        Length of each axis in pixels, at full resolution.
    dtype : numpy.dtype
        Pixel type; that of the source for intensities.
    kind : {"intensity", "index", "depth", "confidence", "mask", "difference", "amount"}
        What the values are; decides how pyramid levels are made and how they are shown. A mask is
        0 or 1, a difference has a sign, and an amount begins at 0.
    unit : str or None
        Unit of the values, such as ``"µm"``; None where they have none.
    channels : tuple of Channel
        One for each entry of C; colour samples are channels named red, green, blue (and alpha).
    title : str
        Name for people; `name` where left out. Of `GENERATED` images it ends with the mark,
        whatever is given.
    """

    name: str
    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    kind: Kind
    unit: str | None = None
    channels: tuple[Channel, ...] = ()
    title: str = ""

    def __post_init__(self) -> None:
        """Check what the writers rely on."""
        object.__setattr__(self, "dtype", np.dtype(self.dtype))
        object.__setattr__(self, "shape", tuple(int(length) for length in self.shape))
        title = self.title or self.name.replace("_", " ")
        object.__setattr__(self, "title", marked(title) if self.is_generated else title)
        # Names become folders, and those of a saved result come from a file anyone may edit.
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            raise ParameterError(f"name of an image: letters a-z and _, got {self.name!r}")
        if self.axes not in _AXES:
            raise ParameterError(f"axes of image {self.name}: one of {_AXES}, got {self.axes!r}")
        if len(self.shape) != len(self.axes) or min(self.shape) < 1:
            raise ParameterError(
                f"shape of image {self.name}: one positive length per axis {self.axes}, "
                f"got {self.shape}"
            )
        if not self.channels:
            names = (
                f"channel {index}" if "c" in self.axes else self.title
                for index in range(self.n_channels)
            )
            object.__setattr__(self, "channels", tuple(Channel(name) for name in names))
        if len(self.channels) != self.n_channels:
            raise ParameterError(
                f"channels of image {self.name}: {self.n_channels} needed, got {len(self.channels)}"
            )

    @property
    def is_generated(self) -> bool:
        """Whether a generative model made the image, or what it comes from; no measurement."""
        return self.name in GENERATED or is_marked(self.title)

    @property
    def n_times(self) -> int:
        """Number of time points; 1 where there is no T axis."""
        return self.shape[0] if "t" in self.axes else 1

    @property
    def n_channels(self) -> int:
        """Number of channels; 1 where there is no C axis."""
        return self.shape[self.axes.index("c")] if "c" in self.axes else 1

    @property
    def shape_yx(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.shape[-2], self.shape[-1]

    def to_json(self) -> dict[str, Any]:
        """Return plain values from which `from_json` makes the same spec."""
        return {**asdict(self), "dtype": self.dtype.name, "shape": list(self.shape)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ImageSpec:
        """Make the spec that `to_json` described."""
        channels = tuple(Channel(**channel) for channel in values["channels"])
        shape = tuple(values["shape"])
        return cls(**{**values, "channels": channels, "shape": shape})


def has_generated(images: Iterable[str], provenance: Mapping[str, Any]) -> bool:
    """Tell whether a generative model made some of the images of a result.

    Parameters
    ----------
    images : iterable of str
        Their names.
    provenance : mapping
        The record. Either is enough: files can be edited, and neither way may lose the mark.
    """
    return is_restored(provenance) or not GENERATED.isdisjoint(images)


def file_stem(name: str) -> str:
    """Return how the file of an image is called, without folder and ending.

    Parameters
    ----------
    name : str
        Of the image. What a generative model made begins with ``ai-restored``: a file may be
        moved away from all that says so.
    """
    return _FILE_STEMS.get(name, name)


@dataclass(frozen=True)
class Geometry:
    """Where the pixels of a result lie; the same for all of its images.

    Attributes
    ----------
    pixel_size_um : tuple of (float or None)
        Size (y, x) of a pixel in µm; None where the source does not say. Never a silent 1.
    origin_um : tuple of float
        Position (y, x) of the centre of the first pixel in µm.
    time_step_s : float or None
        Seconds between time points; None where the source does not say.
    is_rgb : bool
        Whether the channels of intensity images are the colour samples of one image.
    """

    pixel_size_um: tuple[float | None, float | None] = (None, None)
    origin_um: tuple[float, float] = (0.0, 0.0)
    time_step_s: float | None = None
    is_rgb: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return plain values from which `from_json` makes the same geometry."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Geometry:
        """Make the geometry that `to_json` described."""
        lists = {key: tuple(values[key]) for key in ("pixel_size_um", "origin_um")}
        return cls(**{**values, **lists})
