from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_gmff.errors import OutputError, ParameterError
from napari_gmff.params import FORMATS
from napari_gmff.results import open_result
from tests.export.conftest import MakeResult, largest_file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("format", FORMATS)
def test_saving_twice_needs_overwrite(make_result: MakeResult, tmp_path: Path, format: str) -> None:
    out = tmp_path / "out"
    result = make_result()
    assert result.save(out, format=format) == out
    with pytest.raises(OutputError, match="--overwrite"):
        result.save(out, format=format)
    result.save(out, format=format, overwrite=True)
    assert names(tmp_path) == ["hidden", "out"]


def test_one_format_may_replace_the_other(make_result: MakeResult, tmp_path: Path) -> None:
    result = make_result()
    result.save(tmp_path / "out", format="ome-tiff")
    result.save(tmp_path / "out", overwrite=True)
    assert "zarr.json" in names(tmp_path / "out")
    assert "provenance.json" not in names(tmp_path / "out")


@pytest.mark.parametrize("format", FORMATS)
def test_a_disk_that_takes_no_more_bytes_leaves_nothing_and_names_the_output(
    make_result: MakeResult, tmp_path: Path, format: str
) -> None:
    result = make_result((300, 300))
    expected = r"/out: cannot be written \(File too large\)$"
    with pytest.raises(OutputError, match=expected) as caught, largest_file(60_000):
        result.save(tmp_path / "out", format=format)
    assert "partial" not in str(caught.value)
    assert names(tmp_path) == ["hidden"]


def test_a_disk_that_fills_up_during_the_tiff_leaves_nothing(
    make_result: MakeResult, tmp_path: Path
) -> None:
    # The file of all tiles grows past the limit that every chunk of the store stays below.
    result = make_result((1030, 1030), dtype="uint8")
    with largest_file(1_500_000):
        result.save(tmp_path / "zarr")
        with pytest.raises(OutputError, match="tiff: cannot be written"):
            result.save(tmp_path / "tiff", format="ome-tiff")
    assert names(tmp_path) == ["hidden", "zarr"]


def test_a_saved_result_can_be_saved_again_elsewhere(
    make_result: MakeResult, tmp_path: Path
) -> None:
    result = make_result((300, 520))
    result.save(tmp_path / "one")
    result.close()
    with open_result(tmp_path / "one") as saved:
        saved.save(tmp_path / "two", depth_min_confidence=0.5)
        with open_result(tmp_path / "two") as copy:
            for level in (0, 1, 2):
                first, second = saved.image("fused", level), copy.image("fused", level)
                np.testing.assert_array_equal(first.compute(), second.compute())
            assert np.isnan(copy.depth.compute()).any()
        assert not np.isnan(saved.depth.compute()).any()


def test_a_result_is_not_saved_over_or_into_itself(make_result: MakeResult, tmp_path: Path) -> None:
    make_result().save(tmp_path / "one")
    saved = open_result(tmp_path / "one")
    for out in (tmp_path / "one", tmp_path / "one" / "copy"):
        with pytest.raises(OutputError, match="apart from the source"):
            saved.save(out, overwrite=True)
    assert open_result(tmp_path / "one").fused.compute().shape == (90, 70)


def test_a_threshold_given_when_saving_is_noted_in_the_record(
    make_result: MakeResult, tmp_path: Path
) -> None:
    result = make_result()
    result.save(tmp_path / "out", depth_min_confidence=0.5)
    saved = open_result(tmp_path / "out")
    assert saved.provenance["parameters"]["depth_min_confidence"] == 0.5
    assert "depth_min_confidence" not in result.provenance["parameters"]
    assert result.fused.compute().shape == (90, 70), "saving must not delete the store"


def test_an_unknown_format_and_threshold_are_refused(
    make_result: MakeResult, tmp_path: Path
) -> None:
    result = make_result()
    with pytest.raises(ParameterError, match=r"one of ome-zarr, .*, got 'png'"):
        result.save(tmp_path / "out", format="png")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="from 0 to 1, got 7"):
        result.save(tmp_path / "out", depth_min_confidence=7)
    assert names(tmp_path) == ["hidden"]


@pytest.mark.parametrize("format", ["ome-zarr", "ome-tiff"])
def test_depth_can_be_saved_alone_with_its_confidence(
    make_result: MakeResult, tmp_path: Path, format: Any
) -> None:
    with make_result() as result:
        result.save(tmp_path / "out", format=format, images=["depth", "max_projection"])
        expected = result.depth.compute()
    if format == "ome-zarr":
        saved = open_result(tmp_path / "out")
        assert list(saved.images) == ["depth", "confidence"]
        np.testing.assert_array_equal(saved.depth.compute(), expected)
    else:
        files = ["confidence.ome.tif", "depth.ome.tif", "provenance.json"]
        assert names(tmp_path / "out") == files


def test_saving_none_of_the_images_is_refused(make_result: MakeResult, tmp_path: Path) -> None:
    with make_result() as result:
        with pytest.raises(ParameterError, match=r"images: some of fused, .*got \['height'\]"):
            result.save(tmp_path / "out", images=["height"])
    assert not (tmp_path / "out").exists()


def test_a_result_goes_from_one_version_of_ome_zarr_to_the_other_and_back(
    make_result: MakeResult, tmp_path: Path
) -> None:
    with make_result((700, 300)) as result:
        result.save(tmp_path / "first", shard_px=512)
        expected = {name: result.image(name).compute() for name in result.images}
    for source, target, format in (("first", "old", "ome-zarr-0.4"), ("old", "new", "ome-zarr")):
        with open_result(tmp_path / source) as saved:
            saved.save(tmp_path / target, format=format)
    with open_result(tmp_path / "first") as first, open_result(tmp_path / "new") as new:
        assert new.images == first.images
        assert new.geometry == first.geometry
        assert new.provenance == first.provenance
        for name, values in expected.items():
            np.testing.assert_array_equal(new.image(name).compute(), values, strict=True)
            coarse = [saved.image(name, 1).compute() for saved in (first, new)]
            np.testing.assert_array_equal(coarse[0], coarse[1], strict=True)


@pytest.mark.parametrize("format", ["ome-zarr-0.4", "ome-tiff"])
def test_shards_are_refused_where_a_format_has_none(
    make_result: MakeResult, tmp_path: Path, format: Any
) -> None:
    with pytest.raises(ParameterError, match=f"only OME-Zarr 0.5 has shards, got 512 for {format}"):
        make_result().save(tmp_path / "out", format=format, shard_px=512)
    with pytest.raises(ParameterError, match=r"shard_px: .*multiple of 512"):
        make_result(name="other").save(tmp_path / "out", shard_px=700)
    assert names(tmp_path) == ["hidden"]
