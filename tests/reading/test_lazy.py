"""Only what a window needs is read: the rest of the file may as well be garbage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_gmff.errors import SourceError
from napari_gmff.reading.fingerprint import sample_places
from napari_gmff.reading.open import read_stack

RNG = np.random.default_rng(5)


def garble(path: Path, keep: list[tuple[int, int]], start: int, stop: int) -> None:
    """Overwrite all bytes from `start` to `stop` but those to be kept."""
    data = bytearray(path.read_bytes())
    kept = [(offset, bytes(data[offset : offset + count])) for offset, count in keep]
    data[start:stop] = bytes(RNG.integers(0, 256, stop - start, dtype="u1"))
    for offset, piece in kept:
        data[offset : offset + len(piece)] = piece
    path.write_bytes(data)


def segments(path: Path) -> list[list[tuple[int, int]]]:
    with tifffile.TiffFile(path) as tiff:
        return [
            list(zip(page.dataoffsets, page.databytecounts, strict=True)) for page in tiff.pages
        ]


def test_window_of_a_tiled_pyramid_touches_only_its_tiles(tmp_path: Path) -> None:
    data = RNG.integers(0, 9, (3, 512, 512), dtype="u1")
    path = tmp_path / "p.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        options = {"tile": (64, 64), "photometric": "minisblack", "compression": "zlib"}
        writer.write(data, subifds=1, metadata={"axes": "ZYX"}, **options)
        writer.write(data[:, ::2, ::2], subfiletype=1, **options)
    pages = segments(path)
    # Rows 64 to 192 and columns 128 to 192 are tiles (1..2, 2) of 8 × 8.
    keep = [page[row * 8 + 2] for page in pages for row in (1, 2)]
    flat = sorted(piece for page in pages for piece in page)
    for offset, count in (piece for piece in flat if piece not in keep):
        garble(path, [], offset, offset + count)
    with read_stack(path) as stack:
        window = stack.data[0, 0, :, 64:192, 128:192]
        np.testing.assert_array_equal(window.compute(), data[:, 64:192, 128:192])
        with pytest.raises(
            SourceError, match=r"p\.ome\.tif: its data are damaged at T 0, C 0, Z 0,"
        ):
            stack.data[0, 0, 0, 0:64, 0:64].compute()


@pytest.mark.parametrize("compression", [None, "lzw"])
def test_window_of_a_stripped_file_touches_only_nearby_strips(
    tmp_path: Path, compression: str | None
) -> None:
    data = RNG.integers(0, 9, (2, 640, 96), dtype="u1")
    path = tmp_path / "s.tif"
    tifffile.imwrite(
        path,
        data,
        rowsperstrip=1,
        compression=compression,
        photometric="minisblack",
        metadata={"axes": "ZYX"},
    )
    for page in segments(path):
        if compression:
            for offset, count in page[:256] + page[384:]:
                garble(path, [], offset, offset + count)
        else:
            start = page[0][0]
            garble(path, [(start + 256 * 96, 128 * 96)], start, start + 640 * 96)
    with read_stack(path) as stack:
        window = stack.data[0, 0, :, 300:350, 10:60]
        np.testing.assert_array_equal(window.compute(), data[:, 300:350, 10:60])


def test_narrow_window_of_an_uncompressed_plane_leaves_out_the_rest_of_its_rows(
    tmp_path: Path,
) -> None:
    data = RNG.integers(0, 60000, (2, 64, 8192), dtype="u2")
    path = tmp_path / "wide.tif"
    tifffile.imwrite(path, data, photometric="minisblack", metadata={"axes": "ZYX"})
    with tifffile.TiffFile(path) as tiff:
        start = tiff.series[0].dataoffset
    keep = [(start + (z * 64 + y) * 16384 + 2000, 512) for z in range(2) for y in range(64)]
    garble(path, keep, start, start + data.nbytes)
    with read_stack(path) as stack:
        window = stack.data[0, 0, :, :, 1000:1256]
        np.testing.assert_array_equal(window.compute(), data[:, :, 1000:1256])


def test_closed_stack_says_that_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, np.zeros((3, 16, 16), "u1"), photometric="minisblack", metadata={"axes": "ZYX"}
    )
    stack = read_stack(path)
    stack.close()
    with pytest.raises(SourceError, match="closed"):
        stack.data.compute()


def test_fingerprint_sees_pixels_and_metadata_but_no_chunks(tmp_path: Path) -> None:
    data = RNG.integers(0, 60000, (4, 300, 200), dtype="u2")
    prints = []
    for name, options in (("a", {"tile": (64, 64)}), ("b", {}), ("c", {"compression": "zlib"})):
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, data, photometric="minisblack", metadata={"axes": "ZYX"}, **options)
        with read_stack(path) as stack:
            prints.append(stack.fingerprint)
    assert len(set(prints)) == 1
    place = sample_places((1, 1, 4, 300, 200))[7]
    changed = data.copy()
    changed[place[2], place[3].start, place[4].start] += 1
    tifffile.imwrite(
        tmp_path / "d.tif", changed, photometric="minisblack", metadata={"axes": "ZYX"}
    )
    with read_stack(tmp_path / "d.tif") as stack:
        assert stack.fingerprint != prints[0]
    rechunked = read_stack(data, axes="ZYX")
    other = read_stack(rechunked.data[0, 0].rechunk((3, 41, 77)), axes="ZYX")
    assert other.fingerprint == rechunked.fingerprint
    assert rechunked.fingerprint != prints[0]
