"""`FocusStack`: what every reader returns and everything else works on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from napari_gmff.errors import ParameterError
from napari_gmff.marks import SOURCE_KEY
from napari_gmff.reading.fingerprint import fingerprint_of

if TYPE_CHECKING:
    import dask.array as da
    from numpy.typing import NDArray

    from napari_gmff.reading.storage import Storage
    from napari_gmff.windows import Box

SUPPORTED_DTYPES = ("uint8", "uint16", "int16", "float32")
"""Pixel types that are fused; anything else is refused by name, never converted silently."""


@dataclass(frozen=True)
class Channel:
    """One channel of a stack.

    Attributes
    ----------
    name : str
        As the file says, or ``"channel 0"`` and so on.
    color : str or None
        ``"RRGGBB"`` in hexadecimal, None where the file does not say.
    """

    name: str
    color: str | None = None


@dataclass(frozen=True)
class FocusStack:
    """A lazily read focus stack with its metadata.

    Attributes
    ----------
    data : dask.array.Array
        Axes (T, C, Z, Y, X), or (T, C, Z, Y, X, S) where each pixel has 3 or 4 colour samples;
        uint8, uint16, int16 or float32. Slices in file order, which is never changed.
    name : str
        Name of the source file or folder, without its path.
    voxel_size_um : tuple of (float or None)
        Size (z, y, x) in µm; None where the source does not say. Never a silent 1.
    z_positions_um : ndarray of float64, shape (Z,), or None
        Position of every slice in µm, in slice order: spacing may be uneven, and may fall.
    origin_yx_um : tuple of float
        Position (y, x) of the first pixel in µm.
    channels : tuple of Channel
        One for each entry of C.
    levels : tuple of dask.array.Array
        Pyramid, finest first; ``levels[0]`` is `data`. Only for display: fusion reads `data`.
    metadata : dict
        What identifies the acquisition (reader, axes of the file, series ...), JSON-ready.
    notes : tuple of str
        What the reader had to assume, in words for the user.
    storage : Storage or None
        How the pixels lie on disk; None for arrays.
    sources : tuple of str
        Paths, patterns or addresses it was opened from, paths made absolute; none for arrays.
    """

    data: da.Array
    name: str
    voxel_size_um: tuple[float | None, float | None, float | None] = (None, None, None)
    z_positions_um: NDArray[np.float64] | None = None
    origin_yx_um: tuple[float, float] = (0.0, 0.0)
    channels: tuple[Channel, ...] = ()
    levels: tuple[da.Array, ...] = ()
    metadata: dict[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    storage: Storage | None = None
    sources: tuple[str, ...] = ()
    _close: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        """Fill what follows from the data, so that no reader has to repeat it."""
        if not self.levels:
            object.__setattr__(self, "levels", (self.data,))
        if not self.channels:
            names = (f"channel {index}" for index in range(self.data.shape[1]))
            object.__setattr__(self, "channels", tuple(Channel(name) for name in names))
        z_um = self.voxel_size_um[0]
        if self.z_positions_um is None and z_um is not None:
            object.__setattr__(self, "z_positions_um", np.arange(self.n_slices) * float(z_um))

    @property
    def axes(self) -> str:
        """``"TCZYX"``, or ``"TCZYXS"`` for colour samples."""
        return "TCZYXS" if self.has_samples else "TCZYX"

    @property
    def has_samples(self) -> bool:
        """Whether each pixel holds interleaved colour samples (RGB or RGBA)."""
        return bool(self.data.ndim == 6)

    @property
    def is_restored(self) -> bool:
        """Whether the files say that a generative model made pixels of the stack."""
        return SOURCE_KEY in self.metadata

    @property
    def n_times(self) -> int:
        """Number of time points."""
        return int(self.data.shape[0])

    @property
    def n_channels(self) -> int:
        """Number of channels; colour samples are not channels."""
        return int(self.data.shape[1])

    @property
    def n_slices(self) -> int:
        """Number of Z slices."""
        return int(self.data.shape[2])

    @property
    def shape_yx(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return int(self.data.shape[3]), int(self.data.shape[4])

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Pixel type of the source."""
        dtype: np.dtype[np.generic] = np.dtype(self.data.dtype)
        return dtype

    @cached_property
    def fingerprint(self) -> str:
        """Sha256 of shape, dtype, metadata and pixels at fixed positions (reads those pixels)."""
        return fingerprint_of(self.data, self.metadata)

    def with_voxel_size(
        self, voxel_size_um: tuple[float | None, float | None, float | None]
    ) -> FocusStack:
        """Return this stack with another voxel size (z, y, x) in µm, slices evenly spaced."""
        return replace(self, voxel_size_um=voxel_size_um, z_positions_um=None)

    def cropped(self, box: Box) -> FocusStack:
        """Return part of this stack: its pixels stay where they are in µm.

        Parameters
        ----------
        box : Box
            Rows and columns in pixels of this stack.

        Returns
        -------
        FocusStack
            Without pyramid; `metadata` names the part. It reads from this stack's files, and
            closing it leaves them open.

        Raises
        ------
        ParameterError
            If the part is empty or not within the image.
        """
        y0, y1, x0, x1 = box
        height, width = self.shape_yx
        if not (0 <= y0 < y1 <= height and 0 <= x0 < x1 <= width):
            raise ParameterError(
                f"part of {self.name}: must be within {height}x{width} px and not empty, got "
                f"{y0}:{y1},{x0}:{x1}"
            )
        _, y_um, x_um = self.voxel_size_um
        origin_y, origin_x = self.origin_yx_um
        return replace(
            self,
            data=self.data[:, :, :, y0:y1, x0:x1],
            origin_yx_um=(origin_y + y0 * (y_um or 0.0), origin_x + x0 * (x_um or 0.0)),
            levels=(),
            metadata={**self.metadata, "part_of": [height, width], "part_px": [y0, y1, x0, x1]},
            _close=None,
        )

    def close(self) -> None:
        """Close the files behind the stack; its data cannot be read afterwards."""
        if self._close is not None:
            self._close()

    def __enter__(self) -> FocusStack:
        """Use the stack in a ``with`` block that closes its files."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files."""
        self.close()
