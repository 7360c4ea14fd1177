from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_gmff.errors import ParameterError, SourceError
from napari_gmff.export.working import create_working_store, write_block
from napari_gmff.results import FusionResult, Geometry, ImageSpec, open_result

RECORD: dict[str, Any] = {
    "schema_version": 1,
    "program": "napari-gmff",
    "parameters": {},
    "slices": {"z_um": [0.0, 2.0, 5.0]},
}


def make(store: Path, *, unit: str | None = "µm", **options: Any) -> FusionResult:
    shape = (6, 5)
    specs = [
        ImageSpec("fused", "yx", shape, np.dtype("int16"), "intensity"),
        ImageSpec("focus_index", "yx", shape, np.dtype("uint8"), "index"),
        ImageSpec("depth", "yx", shape, np.dtype("float32"), "depth", unit=unit),
        ImageSpec("confidence", "yx", shape, np.dtype("float32"), "confidence"),
    ]
    group = create_working_store(store, specs)
    for number, spec in enumerate(specs):
        block = np.full(shape, number, spec.dtype)
        write_block(group, spec, 0, slice(0, 6), slice(0, 5), block)
    images = {spec.name: spec for spec in specs}
    return FusionResult(images, Geometry((0.5, 0.5)), RECORD, store, **options)


def test_images_are_lazy_and_have_the_dtype_of_their_spec(tmp_path: Path) -> None:
    result = make(tmp_path / "store")
    for number, name in enumerate(("fused", "focus_index", "depth", "confidence")):
        image = getattr(result, name)
        assert type(image).__module__.startswith("dask")
        assert image.dtype == result.images[name].dtype
        assert (image.compute() == number).all()


def test_depth_without_a_known_step_is_counted_in_slices(tmp_path: Path) -> None:
    assert make(tmp_path / "a").depth_unit == "µm"
    assert make(tmp_path / "b", unit=None).depth_unit == "slice"
    assert make(tmp_path / "c", unit="slice").depth_unit == "slice"


def test_positions_of_the_slices_come_from_the_record(tmp_path: Path) -> None:
    result = make(tmp_path / "store")
    np.testing.assert_array_equal(result.z_positions, [0.0, 2.0, 5.0])
    result.provenance = {"slices": {"z_um": None}}
    assert result.z_positions is None


def test_an_image_that_was_not_kept_is_none_or_named(tmp_path: Path) -> None:
    result = make(tmp_path / "store")
    assert result.depth_unrefined is None
    with pytest.raises(ParameterError, match=r"one of fused, .*, got 'max_projection'"):
        result.image("max_projection")
    with pytest.raises(ParameterError, match="depth level 3"):
        result.image("depth", 3)


def test_a_saved_result_opens_as_it_was(tmp_path: Path) -> None:
    with make(tmp_path / "store", is_temporary=True) as result:
        result.save(tmp_path / "out.ome.zarr")
        before = {name: result.image(name).compute() for name in result.images}
    with open_result(tmp_path / "out.ome.zarr") as saved:
        assert saved.images == result.images
        assert saved.geometry == result.geometry
        assert saved.provenance == RECORD
        for name, values in before.items():
            np.testing.assert_array_equal(saved.image(name).compute(), values)
    assert (tmp_path / "out.ome.zarr").is_dir()


@pytest.mark.parametrize("content", [None, "not json", "[]", '{"attributes": {"ome": {}}}'])
def test_a_folder_that_is_no_result_is_named(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "zarr.json").write_text(content)
    with pytest.raises(SourceError, match=str(tmp_path)):
        open_result(tmp_path)


def test_a_result_with_damaged_metadata_is_named(tmp_path: Path) -> None:
    damaged = {"attributes": {"napari_gmff": {"provenance": RECORD, "images": [{"name": "x"}]}}}
    (tmp_path / "zarr.json").write_text(json.dumps(damaged))
    with pytest.raises(SourceError, match="not a complete result"):
        open_result(tmp_path)
