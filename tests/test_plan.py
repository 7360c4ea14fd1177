from __future__ import annotations

import numpy as np
import pytest

import napari_gmff
from napari_gmff.errors import ParameterError, SourceError
from napari_gmff.params import FuseParams, validated
from napari_gmff.plan import FusionPlan, make_plan
from napari_gmff.reading.stack import Channel, FocusStack
from napari_gmff.windows import Box


def plan_of(shape: tuple[int, ...] = (2, 3, 5, 300, 400), **options: object) -> FusionPlan:
    """Plan a run on zeros of shape T C Z Y X with channels A, B, C, ..."""
    import dask.array as da

    data = da.zeros(shape, dtype=np.uint16)
    channels = tuple(Channel(letter) for letter in "ABCDE"[: shape[1]])
    stack = FocusStack(data, "zeros", channels=channels)
    return make_plan(stack, validated(FuseParams, options))


def test_plan_without_options_is_everything():
    plan = plan_of()
    assert plan.times == [0, 1]
    assert plan.slices == [0, 1, 2, 3, 4]
    assert plan.focus_channels == [0, 1, 2]
    assert plan.region == Box(0, 300, 0, 400)
    assert len(plan.windows) == 1


def test_plan_keeps_the_numbers_of_the_source():
    plan = plan_of(z_range="2:4", time="1", channel="C")
    assert (plan.times, plan.slices, plan.focus_channels) == ([1], [2, 3], [2])


def test_each_of_several_channels_may_decide_by_itself():
    plan = plan_of(channel="per-channel")
    assert (plan.focus_channels, plan.per_channel, plan.n_parts) == ([0, 1, 2], True, 3)
    assert plan_of().n_parts == 1
    alone = plan_of((1, 1, 3, 40, 40), channel="per-channel")
    assert (alone.per_channel, alone.n_parts) == (False, 1)


def test_a_channel_of_that_very_name_is_meant_where_there_is_one():
    import dask.array as da

    channels = (Channel("other"), Channel("per-channel"))
    stack = FocusStack(da.zeros((1, 2, 3, 40, 40), dtype=np.uint16), "zeros", channels=channels)
    plan = make_plan(stack, validated(FuseParams, {"channel": "per-channel"}))
    assert (plan.focus_channels, plan.per_channel) == ([1], False)


def test_region_keeps_the_windows_of_the_whole_image():
    shape = (1, 1, 2, 900, 900)
    whole = plan_of(shape, block_px=256, halo_px=32).windows
    part = plan_of(shape, block_px=256, halo_px=32, region="200:500,0:100")
    assert part.region == Box(200, 500, 0, 100)
    assert set(part.windows) < set(whole)
    assert all(window.core.intersection(part.region) for window in part.windows)
    area = sum(int(np.prod(window.core.intersection(part.region).shape)) for window in part.windows)
    assert area == 300 * 100


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"z_range": "3:6"}, r"z_range: 3:6 is outside the 5 slices of zeros"),
        ({"time": "2"}, r"time: 2:3 is outside the 2 time points of zeros"),
        ({"region": "0:301,0:10"}, r"region: 0:301 is outside the 300 rows of zeros"),
        ({"region": "0:10,0:500"}, r"region: 0:500 is outside the 400 columns of zeros"),
        ({"channel": 3}, r"channel: zeros has 0 \(A\), 1 \(B\), 2 \(C\), got 3"),
        ({"channel": "D"}, r"channel: zeros has .*got 'D'"),
    ],
)
def test_what_is_not_in_the_stack_is_refused(options, words):
    with pytest.raises(ParameterError, match=words):
        plan_of(**options)


def test_empty_axis_is_refused():
    with pytest.raises(SourceError, match=r"no axis may be empty.*\(1, 1, 0, 8, 8\)"):
        plan_of((1, 1, 0, 8, 8))


@pytest.mark.parametrize("dtype", [bool, np.uint32, np.float64, np.complex64, np.int8])
def test_pixel_type_that_is_not_supported_is_refused_by_name(dtype):
    import dask.array as da

    stack = FocusStack(da.zeros((1, 1, 2, 8, 8), dtype=dtype), "odd")
    with pytest.raises(SourceError, match=f"odd: .*{np.dtype(dtype).name}"):
        make_plan(stack, FuseParams())


def test_big_endian_pixels_are_supported():
    import dask.array as da

    assert make_plan(FocusStack(da.zeros((1, 1, 2, 8, 8), dtype=">u2"), "big"), FuseParams())


@pytest.mark.parametrize(("n_slices", "name"), [(1, "uint8"), (256, "uint8"), (257, "uint16")])
def test_index_has_the_smallest_type_that_holds_every_slice_number(n_slices, name):
    assert plan_of((1, 1, n_slices, 8, 8)).index_dtype == np.dtype(name)


def test_index_type_counts_the_numbers_of_the_source():
    assert plan_of((1, 1, 300, 8, 8), z_range="298:300").index_dtype == np.uint16


def test_positions_are_those_of_the_slices_chosen():
    stack = napari_gmff.read_stack(
        np.zeros((6, 8, 8), np.uint8), axes="ZYX", voxel_size_um=(0.5, None, None)
    )
    plan = make_plan(stack, validated(FuseParams, {"z_range": "2:5"}))
    np.testing.assert_allclose(plan.z_um(stack), [1.0, 1.5, 2.0])
