from __future__ import annotations

import numpy as np

from napari_gmff.engine_input import ChannelScale, EngineInput
from napari_gmff.params import FuseParams
from napari_gmff.plan import make_plan
from napari_gmff.run_record import warning_of_invalid, warnings_of_input
from tests.stacks import stack_of


def warnings(shape: tuple[int, ...], axes: str, *constant: int) -> list[str]:
    stack = stack_of(np.zeros(shape, np.uint8), axes)
    plan = make_plan(stack, FuseParams())
    one = EngineInput((ChannelScale(0, 0.0, 1.0, 0.0, 1.0),), 0.0, True, constant)
    return warnings_of_input(stack, plan, [one] * len(plan.times))


def test_a_sound_stack_has_no_warning() -> None:
    assert warnings((3, 4, 4), "ZYX") == []


def test_a_long_list_of_slices_is_cut_short() -> None:
    (line,) = warnings((50, 4, 4), "ZYX", *range(30))
    assert line.endswith(": 0, 1, 2, 3, 4, 5, 6, 7 and 22 more")


def test_every_time_point_is_named() -> None:
    assert [line.split(",")[0] for line in warnings((2, 3, 4, 4), "TZYX", 1)] == [
        "constant slices of time point 0",
        "constant slices of time point 1",
    ]


def test_voxels_are_counted_in_good_grammar() -> None:
    assert warning_of_invalid(1).startswith("1 voxel is NaN")
    assert warning_of_invalid(2).startswith("2 voxels are NaN")
