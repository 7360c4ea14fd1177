"""What a run will do is told before it starts, and holds when it is done."""

from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import zarr

from napari_gmff import FocusStack, FuseParams, fuse
from napari_gmff.errors import ParameterError
from napari_gmff.outlook import outlook_of
from napari_gmff.params import validated
from tests.stacks import stack_of, textured

CLASSICAL = "laplacian-energy"


def params_of(**options: object) -> FuseParams:
    return validated(FuseParams, {"engine": CLASSICAL, **options})


def lazy(*shape: int, dtype: str = "uint16") -> FocusStack:
    return FocusStack(da.zeros(shape, dtype=dtype, chunks=512), "stack")


@pytest.mark.parametrize(
    "options",
    [{}, {"region": "0:100,5:300"}, {"projections": True}, {"time": "1"}, {"z_range": "1:3"}],
)
def test_the_images_told_are_those_of_the_run(tmp_path: Path, options: dict) -> None:
    stack = stack_of(textured((2, 2, 4, 300, 310)), "TCZYX", voxel_size_um=(1, 1, 1))
    params = params_of(**options)
    outlook = outlook_of(stack, params)
    with fuse(stack, params=params, output=tmp_path / "out") as result:
        assert tuple(result.images.values()) == outlook.images
    root = zarr.open_group(tmp_path / "out", mode="r")
    members = (member for _, member in root.members(max_depth=None))
    stored = [member for member in members if isinstance(member, zarr.Array)]
    assert sum(array.nbytes for array in stored) == outlook.output_bytes


def test_windows_are_counted_with_their_halo() -> None:
    outlook = outlook_of(lazy(1, 1, 3, 700, 500), params_of(block_px=256, halo_px=64))
    assert outlook.window_yx == (256, 256)
    assert outlook.n_windows == 5 * 3
    assert outlook_of(lazy(1, 1, 3, 70, 50), params_of()).window_yx == (70, 50)


def test_depth_is_refined_unless_the_slices_are_known_to_be_in_no_order() -> None:
    stack = lazy(1, 1, 3, 9, 9)
    names = [image.name for image in outlook_of(stack, params_of()).images]
    assert "depth_unrefined" in names
    for one, options in (
        (stack, {"slice_order": "unordered"}),
        (FocusStack(stack.data, "s", z_positions_um=np.array([0.0, 2, 1])), {}),
    ):
        names = [image.name for image in outlook_of(one, params_of(**options)).images]
        assert "depth_unrefined" not in names


def test_memory_grows_with_the_window_and_not_with_the_image() -> None:
    def memory(*shape: int, **options: object) -> int:
        return outlook_of(lazy(*shape), params_of(**options)).memory_bytes

    small = memory(1, 1, 8, 1024, 1024)
    assert memory(1, 1, 8, 16384, 16384) == small
    assert memory(5, 1, 8, 1024, 1024) == small
    assert memory(1, 1, 8, 2048, 2048, block_px=2048) > 2 * small
    assert memory(1, 1, 64, 1024, 1024) - small == pytest.approx(56 * 2 * 1024**2)
    assert memory(1, 1, 4000, 1024, 1024) - small < 256 * 2**20
    assert memory(1, 1, 8, 1024, 1024, engine="stackmff-v4") > small + 200e6


def test_parameters_that_do_not_fit_are_refused_as_the_run_would() -> None:
    with pytest.raises(ParameterError, match="region"):
        outlook_of(lazy(1, 1, 3, 9, 9), params_of(region="0:10,0:9"))
