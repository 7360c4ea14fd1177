"""Results of every format in the hands of others: plain tifffile and plain zarr."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

from napari_gmff.reading.stack import Channel
from tests.export.conftest import MakeResult

CHANNELS = (Channel("DAPI", "0000FF"), Channel("GFP", "00FF00"))
SIZES = {"t": 1.0, "c": 1.0, "y": 0.5, "x": 0.25}
OPTIONS: dict[str, dict[str, Any]] = {
    "yx": {},
    "tcyx": {"times": 2, "channels": CHANNELS},
    "pyramid of int16": {"shape_yx": (700, 530), "dtype": "int16"},
}

every_shape = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


@every_shape
@pytest.mark.parametrize(
    ("format", "shard_px"), [("ome-zarr", 0), ("ome-zarr", 512), ("ome-zarr-0.4", None)]
)
def test_plain_zarr_finds_axes_scale_and_every_pixel(
    make_result: MakeResult,
    tmp_path: Path,
    options: dict[str, Any],
    format: Any,
    shard_px: int | None,
) -> None:
    result = make_result(**options)
    result.save(tmp_path / "out", format=format, shard_px=shard_px)
    root = zarr.open_group(str(tmp_path / "out"), mode="r")
    for name, spec in result.images.items():
        facts: dict[str, Any] = dict(root[name].attrs)
        (multiscale,) = facts.get("ome", facts)["multiscales"]
        assert "".join(axis["name"] for axis in multiscale["axes"]) == spec.axes
        units = {axis["name"]: axis.get("unit") for axis in multiscale["axes"]}
        assert (units["y"], units["x"]) == ("micrometer", "micrometer")
        array = root[name][multiscale["datasets"][0]["path"]]
        transforms = multiscale["datasets"][0]["coordinateTransformations"]
        assert transforms[0]["scale"] == [SIZES[axis] for axis in spec.axes]
        np.testing.assert_array_equal(array[:], result.image(name).compute(), strict=True)


@every_shape
def test_plain_tifffile_finds_axes_scale_and_every_pixel_of_ome_tiff(
    make_result: MakeResult, tmp_path: Path, options: dict[str, Any]
) -> None:
    result = make_result(**options)
    result.save(tmp_path / "out", format="ome-tiff")
    for name, spec in result.images.items():
        with tifffile.TiffFile(tmp_path / "out" / f"{name}.ome.tif") as tiff:
            series = tiff.series[0]
            assert series.axes == spec.axes.upper()
            pixels = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]
            assert (pixels["PhysicalSizeX"], pixels["PhysicalSizeXUnit"]) == (0.25, "µm")
            assert (pixels["PhysicalSizeY"], pixels["PhysicalSizeYUnit"]) == (0.5, "µm")
            np.testing.assert_array_equal(
                series.asarray(), result.image(name).compute(), strict=True
            )


@every_shape
def test_plain_tifffile_finds_axes_scale_and_every_pixel_of_imagej_files(
    make_result: MakeResult, tmp_path: Path, options: dict[str, Any]
) -> None:
    result = make_result(**options)
    result.save(tmp_path / "out", format="imagej")
    for name, spec in result.images.items():
        with tifffile.TiffFile(tmp_path / "out" / f"{name}.tif") as tiff:
            series, page = tiff.series[0], tiff.pages.first
            assert series.axes == spec.axes.upper()
            per_um = [page.tags[tag].value for tag in ("XResolution", "YResolution")]
            assert [high / low for high, low in per_um] == pytest.approx([4.0, 2.0])
            assert (tiff.imagej_metadata or {})["unit"] == "um"
            np.testing.assert_array_equal(
                series.asarray(), result.image(name).compute(), strict=True
            )
