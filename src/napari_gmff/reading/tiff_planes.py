"""Pixels of a TIFF: only the strips or tiles that a window touches are read and decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from napari_gmff.errors import SourceError
from napari_gmff.reading.messages import first_line

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tifffile import TiffPage

    from napari_gmff.reading.byte_ranges import ByteRanges

Bounds = tuple[int, int]

BIG_TILE_PX = 2048 * 2048
"""Compressed tiles above this are decoded once and kept, like strips."""

LEAST_SKIP_BYTES = 4096
"""Rows are read in parts where that leaves out at least this much of each."""

MOST_GAP_BYTES = 4096
"""Segments this close to one another in the file are read in one go."""


@dataclass(frozen=True)
class TiffPlane:
    """Where the pixels of one plane are.

    Attributes
    ----------
    path : Path
        File that holds it.
    number : int
        Number of the page in the file, for messages.
    offsets, byte_counts : ndarray of int64
        Of every strip or tile; a count of 0 stands for one that was never written.
    jpeg_tables : bytes or None
        Shared tables of JPEG segments.
    """

    path: Path
    number: int
    offsets: NDArray[np.int64]
    byte_counts: NDArray[np.int64]
    jpeg_tables: bytes | None = None


class RawPlanes:
    """Reader of uncompressed planes that lie in one piece: reads bands of rows.

    Parameters
    ----------
    planes : sequence of TiffPlane
        One offset for each separate sample.
    plane_shape : tuple of int
        (Y, X) or (Y, X, S).
    file_dtype : numpy.dtype
        Pixel type in the byte order of the file.
    separate_samples : bool
        Samples are planes of their own, one after the other.
    files : ByteRanges
        Open files.
    """

    def __init__(
        self,
        planes: Sequence[TiffPlane],
        plane_shape: tuple[int, ...],
        file_dtype: np.dtype[np.generic],
        files: ByteRanges,
        *,
        separate_samples: bool,
    ) -> None:
        self.planes = planes
        self.plane_shape = plane_shape
        self.dtype = file_dtype.newbyteorder("=")
        self._file_dtype = file_dtype
        self._files = files
        self._separate = separate_samples and len(plane_shape) == 3
        in_row = plane_shape[1:2] if self._separate else plane_shape[1:]
        self._row_shape = in_row
        self._row_bytes = int(np.prod(in_row)) * file_dtype.itemsize

    @property
    def tile_yx(self) -> tuple[int, int]:
        """Any rows can be read on their own, at their full width."""
        return 1, 1

    def read(self, plane: int, rows: Bounds, columns: Bounds) -> NDArray[np.generic]:
        """Read a window (y, x[, s]) of a plane."""
        place = self.planes[plane]
        bands = [self._band(place, int(offset), rows, columns) for offset in place.offsets]
        found = np.stack(bands, axis=-1) if self._separate else bands[0]
        return found.astype(self.dtype, copy=False)

    def _band(
        self, place: TiffPlane, offset: int, rows: Bounds, columns: Bounds
    ) -> NDArray[np.generic]:
        n_rows = rows[1] - rows[0]
        pixel_bytes = self._row_bytes // self._row_shape[0]
        part_bytes = (columns[1] - columns[0]) * pixel_bytes
        start = offset + rows[0] * self._row_bytes
        if self._row_bytes - part_bytes < LEAST_SKIP_BYTES:
            data = self._files.read(place.path, start, n_rows * self._row_bytes)
            whole = np.frombuffer(data, self._file_dtype).reshape(n_rows, *self._row_shape)
            return whole[:, columns[0] : columns[1]]
        start += columns[0] * pixel_bytes
        data = self._files.read_strided(place.path, start, part_bytes, self._row_bytes, n_rows)
        shape = (n_rows, columns[1] - columns[0], *self._row_shape[1:])
        return np.frombuffer(data, self._file_dtype).reshape(shape)


class SegmentedPlanes:
    """Reader of planes in strips or tiles: decodes those that a window touches.

    Parameters
    ----------
    planes : sequence of TiffPlane
        Where the segments of each plane are.
    keyframe : tifffile.TiffPage
        Page that all planes are like.
    files : ByteRanges
        Open files.
    """

    def __init__(self, planes: Sequence[TiffPlane], keyframe: TiffPage, files: ByteRanges) -> None:
        separate, _, height, width, interleaved = keyframe.shaped
        self.planes = planes
        self._page = keyframe
        self._files = files
        self._n_samples = max(separate, interleaved)
        self._separate = separate
        self.plane_shape: tuple[int, ...] = (height, width)
        if self._n_samples > 1:
            self.plane_shape += (self._n_samples,)
        self.dtype = cast("np.dtype[np.generic]", np.dtype(keyframe.dtype).newbyteorder("="))
        if keyframe.is_tiled:
            self._segment_yx = (keyframe.tilelength, keyframe.tilewidth)
        else:
            self._segment_yx = (min(keyframe.rowsperstrip, height), width)
        self._n_segments_yx = tuple(
            -(-length // step)
            for length, step in zip((height, width), self._segment_yx, strict=True)
        )

    @property
    def tile_yx(self) -> tuple[int, int]:
        """Height and width of a strip or tile."""
        return self._segment_yx

    @property
    def band_rows(self) -> int | None:
        """Rows worth decoding once and keeping; None where single tiles are cheap to read."""
        if self._page.compression == 1:
            return None
        height, width = self._segment_yx
        if self._page.is_tiled:
            return self.plane_shape[0] if height * width > BIG_TILE_PX else None
        # Bands of about 64 rows: few enough to look up fast, small enough not to over-read.
        return max(1, round(64 / height)) * height

    def check(self, name: str) -> None:
        """Check that every plane lists all its segments.

        Raises
        ------
        SourceError
            That names the page that does not.
        """
        down, across = self._n_segments_yx
        wanted = self._separate * down * across
        for plane in self.planes:
            found = min(len(plane.offsets), len(plane.byte_counts))
            if found < wanted:
                raise SourceError(
                    f"{name}: damaged TIFF, page {plane.number} must list {wanted} strips or "
                    f"tiles, found {found}"
                )

    def read_band(self, plane: int, rows: Bounds) -> NDArray[np.generic]:
        """Read whole rows of a plane."""
        return self.read(plane, rows, (0, self.plane_shape[1]))

    def read(self, plane: int, rows: Bounds, columns: Bounds) -> NDArray[np.generic]:
        """Read a window (y, x[, s]) of a plane.

        Raises
        ------
        SourceError
            That names the file and the page whose data are damaged.
        """
        place = self.planes[plane]
        shape = (rows[1] - rows[0], columns[1] - columns[0], self._n_samples)
        found = np.empty(shape, self.dtype)
        if 0 not in shape:
            wanted = [
                (index, tile_yx, sample)
                for sample in range(self._separate)
                for index, tile_yx in self._touched(sample, rows, columns)
            ]
            encoded = self._fetch(place, [index for index, _, _ in wanted])
            for index, (top, left), sample in wanted:
                part = self._decode(place, encoded[index], index, (top, left))
                y0, y1 = max(rows[0], top), min(rows[1], top + part.shape[0])
                x0, x1 = max(columns[0], left), min(columns[1], left + part.shape[1])
                target = found[y0 - rows[0] : y1 - rows[0], x0 - columns[0] : x1 - columns[0]]
                source = part[y0 - top : y1 - top, x0 - left : x1 - left]
                if self._separate > 1:
                    target[..., sample] = source[..., 0]
                else:
                    target[...] = source
        return found if len(self.plane_shape) == 3 else found[..., 0]

    def _touched(
        self, sample: int, rows: Bounds, columns: Bounds
    ) -> Iterator[tuple[int, tuple[int, int]]]:
        down, across = self._n_segments_yx
        height, width = self._segment_yx
        for y in range(rows[0] // height, (rows[1] - 1) // height + 1):
            for x in range(columns[0] // width, (columns[1] - 1) // width + 1):
                yield (sample * down + y) * across + x, (y * height, x * width)

    def _fetch(self, place: TiffPlane, indices: Sequence[int]) -> dict[int, bytes | None]:
        """Read segments, neighbours in the file together."""
        found: dict[int, bytes | None] = dict.fromkeys(indices)
        filled = [i for i in indices if place.byte_counts[i] > 0]
        filled.sort(key=lambda i: int(place.offsets[i]))
        runs: list[list[int]] = []
        end = -1
        for i in filled:
            start = int(place.offsets[i])
            if runs and 0 <= start - end <= MOST_GAP_BYTES:
                runs[-1].append(i)
            else:
                runs.append([i])
            end = start + int(place.byte_counts[i])
        for run in runs:
            first = int(place.offsets[run[0]])
            size = int(place.offsets[run[-1]] + place.byte_counts[run[-1]]) - first
            data = self._files.read(place.path, first, size)
            for i in run:
                start = int(place.offsets[i]) - first
                found[i] = data[start : start + int(place.byte_counts[i])]
        return found

    def _decode(
        self, place: TiffPlane, data: bytes | None, index: int, corner: tuple[int, int]
    ) -> NDArray[np.generic]:
        """Decode a segment to (y, x, s), cropped to the image."""
        height = min(self._segment_yx[0], self.plane_shape[0] - corner[0])
        width = min(self._segment_yx[1], self.plane_shape[1] - corner[1])
        samples = self._n_samples if self._separate == 1 else 1
        if data is None:
            return np.full((height, width, samples), self._page.nodata, self.dtype)
        options: dict[str, Any] = {}
        if self._page.compression in (6, 7, 34892, 33007):
            options["jpegtables"] = place.jpeg_tables
        try:
            decoded, _, _ = self._page.decode(data, index, **options)
        # Decoders raise whatever they like; all of it means that the segment is damaged.
        except Exception as error:
            raise self._damaged(place, first_line(error)) from error
        if decoded is None:
            raise self._damaged(place, "no data")
        part = decoded[0][:height, :width]
        if part.shape != (height, width, samples):
            raise self._damaged(place, f"{part.shape} pixels for {(height, width, samples)}")
        return cast("NDArray[np.generic]", part)

    def _damaged(self, place: TiffPlane, found: str) -> SourceError:
        return SourceError(
            f"{place.path}: page {place.number} is damaged or cannot be decoded ({found})"
        )
