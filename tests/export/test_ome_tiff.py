from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import defusedxml.ElementTree as ElementTree
import numpy as np
import pytest
import tifffile

from napari_gmff.errors import OutputError
from napari_gmff.export.ome_tiff import write_ome_tiff
from napari_gmff.reading.stack import Channel
from napari_gmff.results import Geometry, open_result
from tests.export.conftest import MakeResult, record

OME = "{http://www.openmicroscopy.org/Schemas/OME/2016-06}"
NAMES = ("fused", "focus_index", "depth", "confidence")


def ome_xml(file: Path) -> Any:
    with tifffile.TiffFile(file) as tiff:
        assert tiff.is_ome
        text = tiff.ome_metadata
    return ElementTree.fromstring(text)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"dtype": "uint8"},
        {"dtype": "int16"},
        {"dtype": "float32"},
        {"times": 2},
        {"times": 3, "channels": (Channel("DAPI"), Channel("actin"))},
        {"shape_yx": (1030, 530), "channels": (Channel("a"), Channel("b"))},
    ],
    ids=lambda options: str(options)[:40],
)
def test_every_file_holds_the_result_bit_for_bit(
    make_result: MakeResult, tmp_path: Path, options: dict[str, Any]
) -> None:
    result = make_result(**options)
    result.save(tmp_path / "out", format="ome-tiff")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        [*(f"{name}.ome.tif" for name in NAMES), "provenance.json"]
    )
    for name, spec in result.images.items():
        with tifffile.TiffFile(tmp_path / "out" / f"{name}.ome.tif") as tiff:
            series = tiff.series[0]
            assert len(tiff.series) == 1
            assert series.axes == spec.axes.upper()
            stored = series.asarray()
        assert stored.dtype == spec.dtype
        np.testing.assert_array_equal(stored, result.image(name).compute())


@pytest.mark.parametrize("names", [("red", "green", "blue"), ("red", "green", "blue", "alpha")])
@pytest.mark.parametrize("times", [1, 2])
def test_colour_is_written_as_interleaved_rgb(
    make_result: MakeResult, tmp_path: Path, names: tuple[str, ...], times: int
) -> None:
    channels = tuple(Channel(name) for name in names)
    geometry = Geometry((0.5, 0.25), is_rgb=True)
    result = make_result(
        (530, 300), channels=channels, dtype="uint8", times=times, geometry=geometry
    )
    result.save(tmp_path / "out", format="ome-tiff")
    with tifffile.TiffFile(tmp_path / "out" / "fused.ome.tif") as tiff:
        page, series = tiff.pages[0], tiff.series[0]
        assert page.photometric == tifffile.PHOTOMETRIC.RGB
        assert page.planarconfig == tifffile.PLANARCONFIG.CONTIG
        assert series.axes == ("TYXS" if times > 1 else "YXS")
        stored = series.asarray()
        assert [level.shape[-3:-1] for level in series.levels] == [
            (530, 300),
            (265, 150),
            (133, 75),
        ]
    np.testing.assert_array_equal(np.moveaxis(stored, -1, -3), result.fused.compute())


def test_levels_are_tiled_subifds_equal_to_those_of_the_ome_zarr(
    make_result: MakeResult, tmp_path: Path
) -> None:
    result = make_result((1030, 530), times=2)
    result.save(tmp_path / "zarr")
    result.save(tmp_path / "tiff", format="ome-tiff")
    saved = open_result(tmp_path / "zarr")
    for name in NAMES:
        with tifffile.TiffFile(tmp_path / "tiff" / f"{name}.ome.tif") as tiff:
            levels = tiff.series[0].levels
            assert [len(page.subifds) for page in tiff.pages] == [3, 3]
            assert tiff.pages[0].is_tiled and tiff.pages[0].pages[2].is_tiled
            for number, level in enumerate(levels):
                expected = saved.image(name, number).compute()
                np.testing.assert_array_equal(level.asarray(), expected)
        assert number == 3


def test_known_sizes_are_in_the_xml_and_in_the_resolution_tags(
    make_result: MakeResult, tmp_path: Path
) -> None:
    geometry = Geometry((0.5, 0.25), (10.0, 20.0), time_step_s=4.0)
    make_result((300, 300), times=2, geometry=geometry).save(tmp_path / "out", format="ome-tiff")
    file = tmp_path / "out" / "depth.ome.tif"
    pixels = ome_xml(file).find(f"{OME}Image/{OME}Pixels")
    assert (pixels.get("PhysicalSizeY"), pixels.get("PhysicalSizeYUnit")) == ("0.5", "µm")
    assert (pixels.get("PhysicalSizeX"), pixels.get("PhysicalSizeXUnit")) == ("0.25", "µm")
    assert (pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit")) == ("4.0", "s")
    planes = pixels.findall(f"{OME}Plane")
    assert [plane.get("TheT") for plane in planes] == ["0", "1"]
    assert {(plane.get("PositionY"), plane.get("PositionX")) for plane in planes} == {
        ("10.0", "20.0")
    }
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages[0]
        assert page.resolutionunit == tifffile.RESUNIT.CENTIMETER
        assert page.get_resolution("MICROMETER") == pytest.approx((4.0, 2.0))
        assert page.pages[0].get_resolution("MICROMETER") == pytest.approx((2.0, 1.0))


def test_an_unknown_size_is_not_written_at_all(make_result: MakeResult, tmp_path: Path) -> None:
    make_result(geometry=Geometry()).save(tmp_path / "out", format="ome-tiff")
    file = tmp_path / "out" / "fused.ome.tif"
    assert "PhysicalSize" not in tifffile.tiffcomment(file)
    with tifffile.TiffFile(file) as tiff:
        assert tiff.pages[0].resolutionunit == tifffile.RESUNIT.NONE


def test_channel_names_and_colours_are_kept(make_result: MakeResult, tmp_path: Path) -> None:
    channels = (Channel("<DAPI> & µ", "0000FF"), Channel("bell\x07", "FF0000"))
    make_result(channels=channels).save(tmp_path / "out", format="ome-tiff")
    stored = ome_xml(tmp_path / "out" / "fused.ome.tif").findall(f".//{OME}Channel")
    assert [channel.get("Name") for channel in stored] == ["<DAPI> & µ", "bell?"]
    # OME colours are signed RGBA: blue is 0x0000FFFF, red 0xFF0000FF.
    assert [int(channel.get("Color")) for channel in stored] == [65535, 0xFF0000FF - 2**32]


def test_depth_names_its_unit_and_what_nan_means(make_result: MakeResult, tmp_path: Path) -> None:
    make_result().save(tmp_path / "out", format="ome-tiff", depth_min_confidence=0.25)
    root = ome_xml(tmp_path / "out" / "depth.ome.tif")
    assert root.find(f".//{OME}Channel").get("Name") == "depth (µm)"
    description = root.find(f"{OME}Image/{OME}Description").text
    assert "NaN marks pixels whose confidence is below 0.25" in description
    depth = tifffile.imread(tmp_path / "out" / "depth.ome.tif")
    confidence = tifffile.imread(tmp_path / "out" / "confidence.ome.tif")
    np.testing.assert_array_equal(np.isnan(depth), confidence < 0.25)


def test_every_file_carries_the_whole_record_whatever_characters_it_holds(
    make_result: MakeResult, tmp_path: Path
) -> None:
    provenance = record(source_name='a<b>&"c" \x00\x1b \udcff µ.tif', warnings=["]]> & <x/>"])
    make_result(provenance=provenance).save(tmp_path / "out", format="ome-tiff")
    for name in NAMES:
        root = ome_xml(tmp_path / "out" / f"{name}.ome.tif")
        comment = root.find(f".//{OME}CommentAnnotation")
        assert comment.get("Namespace") == "napari-gmff/provenance"
        assert json.loads(comment.find(f"{OME}Value").text) == provenance
        entries = {entry.get("K"): entry.text for entry in root.iter(f"{OME}M")}
        assert entries["engine"] == "stackmff-v4"
        assert entries["weights sha256"] == "c0ffee"
    text = (tmp_path / "out" / "provenance.json").read_text(encoding="utf-8")
    assert json.loads(text) == provenance


def test_a_folder_that_does_not_exist_is_refused(make_result: MakeResult, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="existing folder"):
        write_ome_tiff(make_result(), tmp_path / "missing")
