"""The record of a run says what was done, and repeats it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_gmff import fuse, open_result, read_stack
from napari_gmff.params import RunParams, validated
from napari_gmff.provenance import read_provenance
from tests.stacks import (
    SMALL_BLOCKS,
    assert_same_images,
    images_of,
    random_weights,
    stack_of,
    textured,
)


def test_the_recorded_parameters_repeat_the_run() -> None:
    stack = stack_of(textured((2, 2, 5, 150, 140)), "TCZYX")
    options = {
        "channel": "channel 1",
        "time": (1, 2),
        "z_range": (1, 5),
        "region": ((5, 140), (3, 120)),
        "input_range": (100.0, 50_000.0),
        "input_sigma_px": 1.5,
        "slice_order": "unordered",
        "projections": True,
        **SMALL_BLOCKS,
    }
    with fuse(stack, **options) as result:
        expected = {name: result.image(name).compute() for name in result.images}
        recorded = json.loads(json.dumps(result.provenance["parameters"]))
    assert_same_images(images_of(stack, params=validated(RunParams, recorded)), expected)
    changed = {**recorded, "channel": 0}
    assert (images_of(stack, **changed)["focus_index"] != expected["focus_index"]).any()


def test_parameters_of_reading_are_recorded_where_they_are_given() -> None:
    params = validated(RunParams, {"series": 2, "voxel_size_um": "1,,", "block_px": 256})
    with fuse(stack_of(textured()), params=params, halo_px=32) as result:
        recorded = result.provenance["parameters"]
    assert (recorded["series"], recorded["voxel_size_um"]) == (2, [1.0, None, None])
    assert (recorded["block_px"], recorded["halo_px"]) == (256, 32)


def test_options_override_parameters_that_were_not_set() -> None:
    params = validated(RunParams, {"block_px": 256})
    with fuse(stack_of(textured()), params=params, block_px=128, halo_px=0) as result:
        assert result.provenance["parameters"]["block_px"] == 128


def test_the_record_names_range_smoothing_and_source() -> None:
    array = textured((3, 200, 200), "uint16")
    noisy = np.random.default_rng(0).poisson(array / 500.0).astype(np.uint16)
    stack = stack_of(noisy, voxel_size_um=(2, 0.5, None))
    with fuse(stack, engine="laplacian-energy") as result:
        record = result.provenance
    (seen,) = record["inputs"]
    assert seen["range"][0] < np.median(noisy) < seen["range"][1]
    assert seen["sigma_px"] > 0
    assert record["source"]["shape"] == [1, 1, 3, 200, 200]
    assert record["source"]["dtype"] == "uint16"
    assert record["source"]["voxel_size_um"] == [2.0, 0.5, None]
    assert len(record["source"]["fingerprint"]) == 64
    assert record["slices"] == {"numbers": [0, 1, 2], "z_um": [0.0, 2.0, 4.0], "order": "ordered"}
    assert record["engine"] == "laplacian-energy"
    assert record["weights"] is None
    assert record["pixels_copied"] is True


def test_a_range_and_smoothing_that_are_given_are_used() -> None:
    with fuse(stack_of(textured()), input_range="dtype", input_sigma_px=0) as result:
        (seen,) = result.provenance["inputs"]
    assert (seen["range"], seen["sigma_px"]) == ([0.0, 65_535.0], 0.0)


def test_the_range_is_that_of_the_whole_image_in_every_region() -> None:
    stack = stack_of(textured((3, 300, 300)))
    found = []
    for region in (None, ((0, 9), (0, 9)), ((250, 300), (100, 300))):
        with fuse(stack, region=region) as result:
            found.append(result.provenance["inputs"])
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("format", ["ome-zarr", "ome-tiff"])
def test_weights_are_recorded_by_their_hash_and_no_folder_is(tmp_path: Path, format: str) -> None:
    import hashlib

    weights = random_weights(tmp_path)
    import tifffile

    source = tmp_path / "secret folder" / "stack.tif"
    source.parent.mkdir()
    tifffile.imwrite(source, textured((2, 40, 40)), imagej=True, metadata={"axes": "ZYX"})
    with read_stack(source) as stack:
        out = tmp_path / "out"
        fuse(stack, weights=str(weights), output=out, format=format, device="cpu").close()
    record = read_provenance(out)
    assert record["engine"] == "stackmff-v4"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert digest in (record["weights"]["sha256"], record["weights"]["source_sha256"])
    assert record["parameters"]["weights"] == "random.safetensors"
    assert record["source"]["name"] == "stack.tif"
    assert record["device"] == "cpu"
    for file in (path for path in out.rglob("*") if path.is_file()):
        assert str(tmp_path).encode() not in file.read_bytes()
        assert b"secret folder" not in file.read_bytes()


def test_least_confidence_marks_depth_of_the_output(tmp_path: Path) -> None:
    array = textured((3, 80, 90))
    array[:, 20:60, 20:60] = 7  # nothing to focus on
    out = tmp_path / "out"
    options = {"engine": "laplacian-energy", "depth_min_confidence": 0.2}
    fuse(stack_of(array), output=out, **options).close()
    with open_result(out) as result:
        depth, confidence = result.depth.compute(), result.confidence.compute()
    np.testing.assert_array_equal(np.isnan(depth), confidence < 0.2)
    assert np.isnan(depth[36:44, 36:44]).all()
    assert np.isfinite(depth).any()


def test_one_slice_is_warned_of_and_copied() -> None:
    array = textured((1, 30, 40))
    with fuse(stack_of(array)) as result:
        np.testing.assert_array_equal(result.fused.compute(), array[0])
        assert (result.focus_index.compute() == 0).all()
        assert (result.confidence.compute() == 0).all()
        assert result.provenance["warnings"] == ["only one slice: there is nothing to choose from"]


def test_constant_slices_are_warned_of_by_number() -> None:
    array = textured((5, 60, 70))
    array[[1, 4]] = 500
    with fuse(stack_of(array)) as result:
        (warning,) = result.provenance["warnings"]
    assert warning == "constant slices, with nothing to focus on: 1, 4"
    with fuse(stack_of(array), z_range=(2, 5)) as result:
        (warning,) = result.provenance["warnings"]
    assert warning.endswith(": 4")


def test_a_constant_slice_of_a_long_stack_is_called_by_its_own_number() -> None:
    array = textured((63, 20, 20), "uint8")  # every other slice is sampled
    array[40] = 9
    with fuse(stack_of(array)) as result:
        (warning,) = result.provenance["warnings"]
    assert warning.endswith(": 40")


def test_a_time_point_of_constant_slices_is_called_by_its_number() -> None:
    array = np.stack([textured((3, 40, 40)), np.full((3, 40, 40), 9, np.uint16)])
    with fuse(stack_of(array, "TZYX"), time=1) as result:
        (warning,) = result.provenance["warnings"]
        assert (result.focus_index.compute() == 0).all()
        assert (result.confidence.compute() == 0).all()
    assert "of time point 1, " in warning


def test_notes_of_the_reader_reach_the_record(tmp_path: Path) -> None:
    import tifffile

    source = tmp_path / "pages.tif"
    tifffile.imwrite(source, textured(), photometric="minisblack", metadata=None)
    with read_stack(source) as stack, fuse(stack) as result:
        assert stack.notes
        assert result.provenance["warnings"] == list(stack.notes)
