"""Damaged metadata anywhere in a zarr are told from missing ones, in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_gmff.errors import SourceError
from napari_gmff.reading.open import list_series, read_stack
from napari_gmff.reading.positions import list_positions
from napari_gmff.reading.zarr_nodes import member, numbered_groups

DAMAGES = {
    "no JSON": b"{",
    "no text": b"\xff\xfe{}",
    "no format": b'{"zarr_format": "../0"}',
    "no kind": b'{"zarr_format": 3, "node_type": "tree"}',
    "no object": b"[1]",
    "nested": b"[" * 100_000,
}


def write_image(group: Any, **facts: Any) -> None:
    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"]
    image = {"axes": axes, "datasets": [{"path": "0"}]} | facts
    group.attrs["ome"] = {"version": "0.5", "multiscales": [image]}
    group.create_array("0", data=np.zeros((3, 8, 9), "u1"))


@pytest.fixture
def group(tmp_path: Path) -> zarr.Group:
    """Return a group of two images, and a group named OME."""
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    root.attrs["ome"] = {"version": "0.5", "bioformats2raw.layout": 3}
    for path in ("0", "1"):
        write_image(root.create_group(path))
    root.create_group("OME")
    return root


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("part", ["0", "1", "OME"])
@pytest.mark.parametrize("use", [read_stack, list_series, list_positions])
def test_a_damaged_group_is_named(
    tmp_path: Path, group: zarr.Group, part: str, damage: str, use: Any
) -> None:
    (tmp_path / "a.zarr" / part / "zarr.json").write_bytes(DAMAGES[damage])
    with pytest.raises(SourceError, match=r"a\.zarr: .* damaged \(") as caught:
        use(tmp_path / "a.zarr")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("part", ["A/1", "A/1/0", "A/1/0/0"])
def test_a_damaged_part_of_a_plate_is_named(tmp_path: Path, part: str, damage: str) -> None:
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    root.attrs["ome"] = {"version": "0.5", "plate": {"wells": [{"path": "A/1"}]}}
    well = root.create_group("A/1")
    well.attrs["ome"] = {"version": "0.5", "well": {"images": [{"path": "0"}]}}
    write_image(well.create_group("0"))
    read_stack(tmp_path / "a.zarr").close()
    (tmp_path / "a.zarr" / part / "zarr.json").write_bytes(DAMAGES[damage])
    with pytest.raises(SourceError, match=rf"its part '.*{part[-1]}' is damaged"):
        read_stack(tmp_path / "a.zarr")


def test_a_missing_part_is_none(group: zarr.Group) -> None:
    assert member("a.zarr", group, "7") is None
    assert isinstance(member("a.zarr", group, "1"), zarr.Group)


def test_files_that_are_no_part_of_a_zarr_are_passed_over(
    tmp_path: Path, group: zarr.Group
) -> None:
    (tmp_path / "a.zarr" / "notes.txt").write_text("looked well")
    assert numbered_groups("a.zarr", group) == ["0", "1"]


@pytest.mark.parametrize("shape", [[10**30] * 3, [2**40, 8, 9], [3, 8, 2**40], [3, 2**63, 2**63]])
def test_lengths_that_fill_the_memory_by_their_list_alone_are_refused(
    tmp_path: Path, shape: list[int]
) -> None:
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    write_image(root)
    path = tmp_path / "a.zarr" / "0" / "zarr.json"
    facts = json.loads(path.read_text())
    facts["shape"] = shape
    path.write_text(json.dumps(facts))
    with pytest.raises(SourceError, match=r"must have at most 1000000 planes|damaged"):
        read_stack(tmp_path / "a.zarr")


def test_a_unit_that_is_no_text_is_unknown(tmp_path: Path) -> None:
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    write_image(root, axes=[{"name": axis, "unit": ["µm"]} for axis in "zyx"])
    with read_stack(tmp_path / "a.zarr") as stack:
        assert stack.voxel_size_um == (None, None, None)
