"""Arrays with named axes."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr

from napari_gmff.errors import ParameterError, SourceError
from napari_gmff.reading.open import read_stack

DATA = np.random.default_rng(4).integers(0, 999, (6, 2, 12, 9), dtype="u2")


def test_numpy_dask_and_zarr_read_the_same_in_any_axis_order() -> None:
    expected = DATA.transpose(1, 0, 3, 2)[None]
    for source in (DATA, da.from_array(DATA, chunks=(2, 1, 5, 4)), zarr.array(DATA)):
        stack = read_stack(source, axes="zcxy")
        assert stack.axes == "TCZYX"
        np.testing.assert_array_equal(stack.data.compute(), expected)
        np.testing.assert_array_equal(
            stack.data[0, 1, 2:4, 3:8, 5].compute(), expected[0, 1, 2:4, 3:8, 5]
        )


def test_big_endian_array_becomes_native() -> None:
    for source in (DATA[:, 0].astype(">u2"), da.from_array(DATA[:, 0].astype(">u2"))):
        stack = read_stack(source, axes="ZYX")
        assert stack.dtype.isnative
        np.testing.assert_array_equal(stack.data[0, 0].compute(), DATA[:, 0])


def test_colour_samples_stay_last() -> None:
    stack = read_stack(np.zeros((3, 4, 8, 9), "u1"), axes="SZYX")
    assert stack.data.shape == (1, 1, 4, 8, 9, 3)


@pytest.mark.parametrize(
    ("axes", "reason"),
    [
        (None, "axes of an array must be named"),
        ("ZYX", "one letter for each of the 4"),
        ("ZQYX", "different letters"),
        ("ZZYX", "different letters"),
        ("TCYX", "no Z axis"),
        ("TCZX", "needs a Y axis"),
    ],
)
def test_wrong_axes_are_refused_with_the_reason(axes: str | None, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        read_stack(DATA, axes=axes)


@pytest.mark.parametrize("dtype", ["?", "c8", "u4", "f8", "i4", "i1", "f2", "u8"])
def test_other_pixel_types_are_refused_by_name(dtype: str) -> None:
    with pytest.raises(SourceError, match=f"found {np.dtype(dtype).name}"):
        read_stack(np.zeros((2, 8, 8), dtype), axes="ZYX")


def test_axis_of_length_zero_is_refused() -> None:
    with pytest.raises(SourceError, match=r"length above 0.*Z=0"):
        read_stack(np.zeros((0, 8, 8), "u1"), axes="ZYX")


def test_parameters_outside_their_limits_are_refused() -> None:
    with pytest.raises(ParameterError, match="series"):
        read_stack(DATA, axes="ZCYX", series=-1)
    with pytest.raises(ParameterError, match="voxel_size_um"):
        read_stack(DATA, axes="ZCYX", voxel_size_um=(0, 1, 1))
    with pytest.raises(SourceError, match="1 series"):
        read_stack(DATA, axes="ZCYX", series=1)
