from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from napari_gmff.errors import ParameterError
from napari_gmff.export.layout import Geometry, ImageSpec
from napari_gmff.reading.stack import Channel


def test_a_spec_survives_json() -> None:
    spec = ImageSpec(
        "fused",
        "tcyx",
        (2, 1, 5, 6),
        np.dtype("uint16"),
        "intensity",
        unit="µm",
        channels=(Channel("DAPI", "0000FF"),),
        title="Fused image",
    )
    assert ImageSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_a_geometry_survives_json() -> None:
    geometry = Geometry((None, 0.25), (1.0, -2.0), 3.5, True)
    assert Geometry.from_json(json.loads(json.dumps(geometry.to_json()))) == geometry


def test_channels_are_named_where_nobody_named_them() -> None:
    fused = ImageSpec("fused", "cyx", (2, 5, 6), np.dtype("uint8"), "intensity")
    depth = ImageSpec("depth", "yx", (5, 6), np.dtype("float32"), "depth")
    assert [channel.name for channel in fused.channels] == ["channel 0", "channel 1"]
    assert [channel.name for channel in depth.channels] == ["depth"]


@pytest.mark.parametrize(
    "changes",
    [
        {"axes": "ctyx"},
        {"axes": "zyx"},
        {"shape": (5, 6)},
        {"shape": (2, 0, 6)},
        {"channels": (Channel("one"),)},
    ],
    ids=str,
)
def test_a_spec_that_contradicts_itself_is_refused(changes: dict[str, Any]) -> None:
    values: dict[str, Any] = {
        "name": "fused",
        "axes": "cyx",
        "shape": (2, 5, 6),
        "dtype": np.dtype("uint8"),
        "kind": "intensity",
    }
    with pytest.raises(ParameterError, match="of image fused"):
        ImageSpec(**{**values, **changes})


@pytest.mark.parametrize("name", ["", "../other", "/etc", "a/b", "."])
def test_a_name_that_leaves_the_result_is_refused(name: str) -> None:
    with pytest.raises(ParameterError, match="name of an image"):
        ImageSpec(name, "yx", (5, 6), np.dtype("uint8"), "index")
