from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import Base

from napari_gmff.errors import OutputError, ParameterError
from napari_gmff.export.previews import preview_paths, reduced
from napari_gmff.reading.stack import Channel
from napari_gmff.results import Geometry, open_result
from tests.export.conftest import MakeResult, largest_file, record

NAMES = ["moth.depth.png", "moth.focus_index.png", "moth.fused.png"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "hidden")


@pytest.mark.parametrize("out", ["moth", "moth.ome.zarr", "moth.zarr", "moth.ome-tiff"])
def test_previews_lie_beside_the_result_and_have_its_name(
    make_result: MakeResult, tmp_path: Path, out: str
) -> None:
    paths = make_result().save_previews(tmp_path / out)
    assert names(tmp_path) == NAMES
    assert {path.name for path in paths} == set(NAMES)


def test_a_png_has_scale_and_record(make_result: MakeResult, tmp_path: Path) -> None:
    provenance = {**record(), "pixels_copied": False, "corrections": {"n_pixels": 12}}
    result = make_result((90, 180), geometry=Geometry((0.5, 0.5)), provenance=provenance)
    result.save_previews(tmp_path / "moth")
    with Image.open(tmp_path / "moth.fused.png") as picture:
        picture.load()
        assert picture.size[0] == 420
        assert picture.info["dpi"] == pytest.approx((25400 / 0.5, 25400 / 0.5))
        texts = picture.text
    assert json.loads(texts["Provenance"]) == provenance
    assert "blended by stackmff-v4, not measured values" in texts["Title"]
    assert "12 pixels corrected by hand" in texts["Title"]
    assert "they are not measured values" in texts["Description"]


def test_a_jpeg_has_scale_and_record(make_result: MakeResult, tmp_path: Path) -> None:
    result = make_result((90, 180), geometry=Geometry((0.5, 0.5)))
    paths = result.save_previews(tmp_path / "moth", format="jpeg")
    assert all(path.suffix == ".jpg" for path in paths)
    with Image.open(tmp_path / "moth.depth.jpg") as picture:
        exif = picture.getexif()
        assert float(exif[Base.XResolution]) == pytest.approx(1e4 / 0.5)
        assert exif[Base.ResolutionUnit] == 3
        assert "depth" in exif[Base.ImageDescription]
        assert json.loads(picture.info["comment"]) == result.provenance


def test_without_a_pixel_size_there_is_no_scale(make_result: MakeResult, tmp_path: Path) -> None:
    make_result(geometry=Geometry()).save_previews(tmp_path / "moth")
    with Image.open(tmp_path / "moth.fused.png") as picture:
        assert "dpi" not in picture.info


def test_large_results_are_averaged_down_but_slice_numbers_are_picked(
    make_result: MakeResult, tmp_path: Path
) -> None:
    result = make_result((1100, 1500), geometry=Geometry((0.5, 0.5)))
    fused, pixel_um = reduced(result, result.images["fused"], 300)
    assert fused.shape == (220, 300)
    assert pixel_um == pytest.approx(2.5)
    assert fused.std() < result.fused.compute().std() / 3
    index, _ = reduced(result, result.images["focus_index"], 300)
    assert set(np.unique(index)) == {0, 1, 2, 3}
    result.save(tmp_path / "out")
    with open_result(tmp_path / "out") as saved:
        for name in ("fused", "focus_index", "depth"):
            stored, _ = reduced(saved, saved.images[name], 300)
            made, _ = reduced(result, result.images[name], 300)
            np.testing.assert_array_equal(stored, made)


def test_pixels_that_are_not_square_become_so(make_result: MakeResult) -> None:
    result = make_result((90, 70), geometry=Geometry((0.5, 0.25)))
    index, pixel_um = reduced(result, result.images["focus_index"], 2048)
    assert (index.shape, pixel_um) == ((180, 70), 0.25)
    np.testing.assert_array_equal(index[::2], result.focus_index.compute())


def test_of_several_times_and_channels_the_first_time_is_shown(
    make_result: MakeResult, tmp_path: Path
) -> None:
    channels = (Channel("DAPI", "0000FF"), Channel("GFP", "00FF00"))
    result = make_result(times=3, channels=channels, geometry=Geometry())
    fused, _ = reduced(result, result.images["fused"], 2048)
    np.testing.assert_array_equal(fused, result.fused[0].compute())
    result.save_previews(tmp_path / "moth")
    with Image.open(tmp_path / "moth.fused.png") as picture:
        assert "time point 0, the first of 3" in picture.text["Title"]


def test_nothing_is_replaced_without_being_asked(make_result: MakeResult, tmp_path: Path) -> None:
    (tmp_path / "moth.depth.png").write_text("mine")
    result = make_result()
    with pytest.raises(OutputError, match=r"moth\.depth\.png: already exists"):
        result.save_previews(tmp_path / "moth")
    assert names(tmp_path) == ["moth.depth.png"], "checked before the first is written"
    result.save_previews(tmp_path / "moth", overwrite=True)
    assert names(tmp_path) == NAMES


def test_a_preview_is_never_half_written(make_result: MakeResult, tmp_path: Path) -> None:
    result = make_result((600, 600))
    with pytest.raises(OutputError, match="File too large"), largest_file(20_000):
        result.save_previews(tmp_path / "moth")
    assert names(tmp_path) == []


@pytest.mark.parametrize("options", [{"format": "gif"}, {"longest_px": 10}, {"longest_px": 99999}])
def test_what_cannot_be_is_refused(
    make_result: MakeResult, tmp_path: Path, options: dict[str, Any]
) -> None:
    with pytest.raises(ParameterError, match=r"^preview.*(png or jpeg|from 64 to 16384)"):
        make_result().save_previews(tmp_path / "moth", **options)


def test_paths_follow_the_format() -> None:
    assert preview_paths("a/b.ome.zarr", "jpeg")["fused"] == Path("a/b.fused.jpg")
