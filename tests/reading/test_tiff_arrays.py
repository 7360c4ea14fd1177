"""Pixels through numpy's maps and tifffile's zarr store: threads, handles, odd layouts."""

from __future__ import annotations

import gc
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_gmff.errors import SourceError
from napari_gmff.reading.open import read_stack

RNG = np.random.default_rng(6)
OPEN_FILES = Path("/proc/self/fd")


def pixels(*shape: int) -> np.ndarray:
    return RNG.integers(0, 60000, shape, dtype="u2")


def write(path: Path, data: np.ndarray, **options: object) -> Path:
    options = {"photometric": "minisblack", "metadata": {"axes": "ZYX"}} | options
    tifffile.imwrite(path, data, **options)
    return path


def open_files_in(folder: Path) -> list[Path]:
    if not OPEN_FILES.exists():
        pytest.skip("open files can only be counted through /proc")
    found = []
    for link in OPEN_FILES.iterdir():
        try:
            target = link.readlink()
        except FileNotFoundError:
            continue
        if folder in target.parents:
            found.append(target)
    return found


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tile": (32, 32)},
        {"tile": (32, 32), "compression": "zstd"},
        {"rowsperstrip": 3, "compression": "zlib"},
    ],
)
def test_many_threads_read_many_windows_at_once(tmp_path: Path, options: dict) -> None:
    data = pixels(5, 200, 170)
    path = write(tmp_path / "a.tif", data, **options)
    with read_stack(path) as stack:

        def check(corner: tuple[int, int]) -> None:
            y, x = corner
            window = stack.data[0, 0, :, y : y + 45, x : x + 60]
            np.testing.assert_array_equal(
                window.compute(scheduler="threads"), data[:, y : y + 45, x : x + 60]
            )

        corners = [tuple(int(v) for v in RNG.integers(0, 150, 2)) for _ in range(60)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(check, corners))


@pytest.mark.parametrize("options", [{}, {"tile": (16, 16), "compression": "zlib"}])
def test_stack_that_is_dropped_or_closed_leaves_no_file_open(tmp_path: Path, options: dict) -> None:
    path = write(tmp_path / "a.tif", pixels(3, 40, 50), **options)
    stack = read_stack(path)
    data = stack.data
    del stack
    data[0, 0, 0].compute()
    del data
    gc.collect()
    assert open_files_in(tmp_path) == []
    with read_stack(path) as stack:
        stack.data[0, 0, 0].compute()
    assert open_files_in(tmp_path) == []


def test_many_compressed_files_share_a_few_handles(tmp_path: Path) -> None:
    data = pixels(60, 32, 48)
    for index, image in enumerate(data):
        write(tmp_path / f"{index}.tif", image, tile=(16, 16), compression="lzw", metadata=None)
    with read_stack(tmp_path) as stack:
        np.testing.assert_array_equal(stack.data[0, 0].compute(), data)
        assert len(open_files_in(tmp_path)) < 20


def test_pages_apart_from_one_another_are_read_from_their_own_places(tmp_path: Path) -> None:
    data = pixels(4, 33, 47)
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for index, image in enumerate(data):
            # Descriptions of different lengths keep the pixels apart.
            writer.write(
                image, photometric="minisblack", description="x" * 97 * index, metadata=None
            )
    with read_stack(path) as stack:
        np.testing.assert_array_equal(stack.data[0, 0].compute(), data)


def test_files_whose_offsets_follow_one_another_are_not_read_as_one(tmp_path: Path) -> None:
    data = pixels(2, 16, 16)
    write(tmp_path / "0.tif", data[0], metadata=None)
    with tifffile.TiffFile(tmp_path / "0.tif") as tiff:
        page = tiff.pages[0]
        end = page.dataoffsets[0] + page.nbytes
        gap = end - page.dataoffsets[0]
        entry = next(tag.valueoffset for tag in page.tags if tag.name == "StripOffsets")
    content = bytearray((tmp_path / "0.tif").read_bytes())
    start = end - gap
    moved = bytearray(content[:end] + bytes(gap) + content[end:])
    moved[entry : entry + 4] = end.to_bytes(4, "little")
    moved[start : end + gap] = bytes(gap) + data[1].tobytes()
    (tmp_path / "1.tif").write_bytes(moved)
    with read_stack(tmp_path) as stack:
        np.testing.assert_array_equal(stack.data[0, 0].compute(), data)


def test_slices_of_different_layouts_are_read_all_the_same(tmp_path: Path) -> None:
    data = RNG.integers(0, 255, (4, 40, 48, 3), dtype="u1")
    layouts: list[dict] = [
        {},
        {"tile": (16, 16)},
        {"compression": "zlib", "rowsperstrip": 4},
        {"planarconfig": "separate", "compression": "lzw"},
    ]
    for index, options in enumerate(layouts):
        image = data[index]
        image = np.moveaxis(image, -1, 0) if "planarconfig" in options else image
        tifffile.imwrite(tmp_path / f"{index}.tif", image, photometric="rgb", **options)
    with read_stack(tmp_path) as stack:
        np.testing.assert_array_equal(stack.data[0, 0].compute(), data)


def test_tiles_that_were_never_written_are_empty(tmp_path: Path) -> None:
    data = pixels(2, 64, 64)
    path = write(tmp_path / "a.tif", data, tile=(32, 32), compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tag = tiff.pages[1].tags["TileByteCounts"]
        tag.overwrite((*tag.value[:3], 0))
        tag = tiff.pages[1].tags["TileOffsets"]
        tag.overwrite((*tag.value[:3], 0))
    data[1, 32:, 32:] = 0
    with read_stack(path) as stack:
        np.testing.assert_array_equal(stack.data[0, 0].compute(), data)


def test_page_that_lists_too_few_tiles_is_named(tmp_path: Path) -> None:
    for index in range(2):
        path = write(
            tmp_path / f"{index}.tif",
            pixels(64, 64),
            tile=(32, 32),
            compression="lzw",
            metadata=None,
        )
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tag = tiff.pages[0].tags["TileByteCounts"]
        tag.overwrite(tag.value[:3])
    with pytest.raises(SourceError, match=r"1\.tif: .*page 0 must list 4 .*found 3"):
        read_stack(tmp_path)


def test_damaged_tile_among_many_leaves_no_file_open(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", pixels(1, 512, 512), tile=(16, 16), compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        place = tiff.pages[0].dataoffsets[0]
    content = bytearray(path.read_bytes())
    content[place : place + 20] = bytes(20)
    path.write_bytes(content)
    with read_stack(path) as stack, pytest.raises(SourceError, match="its data are damaged"):
        stack.data.compute()
    # The other tiles were on their way when the damage was met; none may open the file again.
    time.sleep(0.1)
    deadline_s = time.monotonic() + 5
    while open_files_in(tmp_path) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert open_files_in(tmp_path) == []
    stack.close()


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiles_that_are_volumes_are_read(tmp_path: Path, compression: str | None) -> None:
    data = pixels(20, 40, 50)
    path = write(tmp_path / "a.tif", data, tile=(16, 16, 16), compression=compression)
    with read_stack(path) as stack:
        np.testing.assert_array_equal(stack.data[0, 0].compute(), data)
        window = stack.data[0, 0, 15:18, 7:30, 20:49]
        np.testing.assert_array_equal(window.compute(), data[15:18, 7:30, 20:49])


def test_levels_of_several_kinds_share_their_files(tmp_path: Path) -> None:
    data = pixels(2, 96, 80)
    path = tmp_path / "p.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(data, subifds=2, metadata={"axes": "ZYX"}, photometric="minisblack")
        options = {"subfiletype": 1, "photometric": "minisblack"}
        writer.write(data[:, ::2, ::2], tile=(16, 16), compression="zlib", **options)
        writer.write(data[:, ::4, ::4], rowsperstrip=2, compression="lzw", **options)
    with read_stack(path) as stack:
        for _ in range(2):
            for step, level in zip((1, 2, 4), stack.levels, strict=True):
                np.testing.assert_array_equal(level[0, 0].compute(), data[:, ::step, ::step])
