from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_gmff.errors import OutputError
from napari_gmff.export.layout import ImageSpec
from napari_gmff.export.working import create_working_store, write_block
from tests.export.conftest import largest_file


def spec_of(axes: str, shape: tuple[int, ...], dtype: str, name: str = "fused") -> ImageSpec:
    return ImageSpec(name, axes, shape, np.dtype(dtype), "intensity")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    side=st.integers(7, 40),
    chunk=st.integers(5, 33),
)
def test_blocks_of_any_size_fill_chunks_of_any_size(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, side: int, chunk: int
) -> None:
    spec = spec_of("tcyx", (2, 3, height, width), "uint16")
    expected = np.random.default_rng(height).integers(0, 2**16, spec.shape, dtype=np.uint16)
    group = create_working_store(tmp_path_factory.mktemp("w") / "store", [spec], chunk)
    for t in range(2):
        for y in range(0, height, side):
            for x in range(0, width, side):
                rows = slice(y, min(y + side, height))
                columns = slice(x, min(x + side, width))
                write_block(group, spec, t, rows, columns, expected[t, :, rows, columns])
    np.testing.assert_array_equal(group["fused/0"][:], expected)


def test_the_array_can_be_read_by_plain_zarr_with_its_axis_names(tmp_path: Path) -> None:
    create_working_store(tmp_path / "store", [spec_of("cyx", (2, 1000, 600), "int16")])
    array = zarr.open_array(str(tmp_path / "store" / "fused" / "0"), mode="r")
    assert array.shape == (2, 1000, 600)
    assert array.chunks == (1, 512, 512)
    assert array.dtype == np.int16
    assert array.metadata.dimension_names == ("c", "y", "x")


def test_a_depth_pixel_that_was_never_written_is_no_data(tmp_path: Path) -> None:
    depth = ImageSpec("depth", "yx", (8, 8), np.dtype("float32"), "depth")
    group = create_working_store(tmp_path / "store", [depth])
    write_block(group, depth, 0, slice(0, 4), slice(0, 8), np.zeros((4, 8), np.float32))
    assert np.isnan(group["depth/0"][4:]).all()
    assert (group["depth/0"][:4] == 0).all()


@pytest.mark.parametrize(
    "block",
    [np.zeros((4, 5), np.float64), np.zeros((4, 4), np.uint8), np.zeros((1, 4, 5), np.uint8)],
    ids=["dtype", "size", "axes"],
)
def test_a_block_that_would_be_cast_or_stretched_is_refused(
    tmp_path: Path, block: np.ndarray
) -> None:
    spec = spec_of("yx", (9, 9), "uint8")
    group = create_working_store(tmp_path / "store", [spec])
    with pytest.raises(ValueError, match="block of fused must be uint8 \\(4, 5\\)"):
        write_block(group, spec, 0, slice(0, 4), slice(0, 5), block)


def test_a_folder_with_files_is_not_taken_for_a_store(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="new or empty"):
        create_working_store(tmp_path, [spec_of("yx", (9, 9), "uint8")])
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_disk_that_takes_no_more_bytes_is_an_output_error_naming_the_store(
    tmp_path: Path,
) -> None:
    spec = spec_of("yx", (512, 512), "uint16")
    group = create_working_store(tmp_path / "store", [spec])
    noise = np.random.default_rng(0).integers(0, 2**16, (512, 512), dtype=np.uint16)
    with pytest.raises(OutputError, match="store: cannot be written"), largest_file(50_000):
        write_block(group, spec, 0, slice(0, 512), slice(0, 512), noise)
