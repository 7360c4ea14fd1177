from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_gmff.params import FuseParams
from napari_gmff.plan import make_plan
from napari_gmff.reading.stack import Channel
from napari_gmff.result_images import result_geometry, result_images
from tests.stacks import stack_of


def images(
    axes: str, shape: tuple[int, ...], ordered: bool = True, **options: Any
) -> dict[str, tuple[str, tuple[int, ...], str]]:
    stack = stack_of(np.zeros(shape, np.int16), axes)
    params = FuseParams.model_validate(options)
    specs = result_images(stack, make_plan(stack, params), params, ordered)
    return {name: (spec.axes, spec.shape, spec.dtype.name) for name, spec in specs.items()}


@pytest.mark.parametrize(
    ("axes", "shape", "fused", "index"),
    [
        ("ZYX", (3, 8, 9), ("yx", (8, 9)), ("yx", (8, 9))),
        ("CZYX", (2, 3, 8, 9), ("cyx", (2, 8, 9)), ("yx", (8, 9))),
        ("CZYX", (1, 3, 8, 9), ("yx", (8, 9)), ("yx", (8, 9))),
        ("TZYX", (4, 3, 8, 9), ("tyx", (4, 8, 9)), ("tyx", (4, 8, 9))),
        ("TCZYX", (4, 2, 3, 8, 9), ("tcyx", (4, 2, 8, 9)), ("tyx", (4, 8, 9))),
        ("ZYXS", (3, 8, 9, 4), ("cyx", (4, 8, 9)), ("yx", (8, 9))),
    ],
)
def test_axes_of_length_one_are_left_out(axes: str, shape: Any, fused: Any, index: Any) -> None:
    found = images(axes, shape)
    assert found["fused"] == (*fused, "int16")
    assert found["focus_index"] == (*index, "uint8")
    for name in ("depth", "depth_unrefined", "confidence"):
        assert found[name] == (*index, "float32")


def test_optional_images_are_there_for_a_reason() -> None:
    always = {"fused", "focus_index", "depth", "confidence"}
    assert images("ZYX", (3, 8, 9), ordered=False).keys() == always
    assert images("ZYX", (3, 8, 9)).keys() == always | {"depth_unrefined"}
    projected = images("ZYX", (3, 8, 9), ordered=False, projections=True)
    assert projected.keys() == always | {"max_projection"}


def test_one_chosen_time_point_is_no_axis() -> None:
    assert images("TZYX", (4, 3, 8, 9), time=2)["fused"][:2] == ("yx", (8, 9))


def test_names_and_colours_of_channels_are_kept() -> None:
    stack = stack_of(np.zeros((2, 3, 8, 9), np.uint8), "CZYX")
    stack = replace(stack, channels=(Channel("DAPI", "0000FF"), Channel("GFP", None)))
    params = FuseParams()
    specs = result_images(stack, make_plan(stack, params), params, True)
    assert specs["fused"].channels == stack.channels


def test_unknown_pixel_size_stays_unknown_in_a_region() -> None:
    stack = stack_of(np.zeros((3, 8, 9), np.uint8), "ZYX")
    params = FuseParams.model_validate({"region": "2:5,3:9"})
    geometry = result_geometry(stack, make_plan(stack, params))
    assert geometry.pixel_size_um == (None, None)
    assert geometry.origin_um == (0.0, 0.0)


def test_the_origin_of_the_source_counts() -> None:
    stack = stack_of(np.zeros((3, 8, 9), np.uint8), "ZYX", voxel_size_um=(1, 2, 3))
    stack = replace(stack, origin_yx_um=(100.0, 200.0))
    params = FuseParams.model_validate({"region": "2:5,3:9"})
    assert result_geometry(stack, make_plan(stack, params)).origin_um == (104.0, 209.0)
