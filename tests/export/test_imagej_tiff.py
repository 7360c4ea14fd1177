"""Files for ImageJ, opened with ImageJ itself where it is installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_gmff.errors import OutputError, SourceError
from napari_gmff.export import imagej_tiff
from napari_gmff.export.imagej_tiff import open_imagej_image
from napari_gmff.provenance import read_provenance
from napari_gmff.reading.stack import Channel
from napari_gmff.results import Geometry
from tests.export.conftest import MakeResult, record

COLORS = (Channel("DAPI", "0000FF"), Channel("actin"))
IMAGEJ = Path("/usr/share/java/ij.jar")
"""Where Debian's package `imagej` puts it."""

MACRO = """
setBatchMode(true);
files = split(getArgument(), ",");
for (i = 0; i < files.length; i++) {
    open(files[i]);
    getVoxelSize(width_um, height_um, depth, unit);
    getDimensions(width, height, channels, slices, frames);
    x = 0; y = 0; toScaled(x, y);
    labels = ""; pixels = "";
    for (n = 1; n <= nSlices; n++) {
        setSlice(n);
        labels = labels + "," + Property.getSliceLabel(n);
        pixels = pixels + "," + d2s(getPixel(3, 5), 9);
    }
    print(File.getName(files[i]) + "|" + width_um + "|" + height_um + "|" + unit + "|" + x + "|" + y
        + "|" + width + "|" + height + "|" + channels + "|" + frames + "|" + bitDepth()
        + "|" + labels + "|" + pixels);
    close();
}
"""


def opened_in_imagej(tmp_path: Path, files: list[Path]) -> dict[str, list[str]]:
    """Return what ImageJ says of files, by name: its own words, split where the macro says."""
    if not IMAGEJ.is_file() or shutil.which("java") is None:
        pytest.skip("ImageJ is not installed (Debian's package imagej)")
    screen = [] if os.environ.get("DISPLAY") else ["xvfb-run", "-a"]
    if screen and shutil.which("xvfb-run") is None:
        pytest.skip("ImageJ needs a screen, or xvfb-run")
    (tmp_path / "macro.ijm").write_text(MACRO)
    java = ["java", f"-Duser.home={tmp_path}", "-Xmx512m", "-cp", str(IMAGEJ), "ij.ImageJ"]
    command = [*screen, *java, "-batch", str(tmp_path / "macro.ijm"), ",".join(map(str, files))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    lines = [line.split("|") for line in done.stdout.splitlines() if "|" in line]
    assert len(lines) == len(files), done.stdout + done.stderr
    return {line[0]: line[1:] for line in lines}


def numbers(text: str) -> list[float]:
    return [float(part) for part in text.strip(",").split(",")]


def test_imagej_shows_the_right_scale_names_and_pixels(
    make_result: MakeResult, tmp_path: Path
) -> None:
    result = make_result((90, 70), times=2, channels=COLORS)
    out = result.save(tmp_path / "out", format="imagej")
    found = opened_in_imagej(tmp_path, [out / f"{name}.tif" for name in result.images])
    for name, spec in result.images.items():
        facts = found[f"{name}.tif"]
        x_um, y_um, unit, x0_um, y0_um, width, height, channels, frames, bits = facts[:10]
        assert (float(x_um), float(y_um), unit) == (0.25, 0.5, "µm")
        assert (float(x0_um), float(y0_um)) == (20.0, 10.0)
        assert [int(width), int(height)] == [70, 90]
        assert (int(channels), int(frames)) == (spec.n_channels, 2)
        assert int(bits) == 8 * spec.dtype.itemsize
        pixels = result.image(name).compute()[..., 5, 3].ravel()
        np.testing.assert_allclose(numbers(facts[11]), pixels, rtol=0, atol=1e-8)
    assert found["fused.tif"][10].strip(",").split(",") == ["DAPI", "actin"] * 2
    assert found["depth.tif"][10].strip(",").split(",") == ["depth (µm)"] * 2


def test_imagej_opens_signed_and_coloured_images_and_those_of_unknown_size(
    make_result: MakeResult, tmp_path: Path
) -> None:
    signed = make_result(dtype="int16", geometry=Geometry())
    rgb = tuple(Channel(name) for name in ("red", "green", "blue"))
    colored = make_result(
        channels=rgb, dtype="uint8", geometry=Geometry((1.0, 1.0), is_rgb=True), name="rgb"
    )
    files = []
    for name, result in (("signed", signed), ("colored", colored)):
        made = result.save(tmp_path / name, format="imagej") / "fused.tif"
        files.append(made.rename(tmp_path / f"{name}.tif"))
    found = opened_in_imagej(tmp_path, files)
    assert found["signed.tif"][2] == "pixels"
    assert found["signed.tif"][9] == "16"
    assert found["signed.tif"][10] == ",fused"
    assert (found["colored.tif"][7], found["colored.tif"][9]) == ("1", "24")


@pytest.mark.parametrize("channels", [(), COLORS], ids=["one", "two"])
@pytest.mark.parametrize("times", [1, 2])
def test_every_pixel_and_the_record_are_in_the_files(
    make_result: MakeResult, tmp_path: Path, times: int, channels: tuple[Channel, ...]
) -> None:
    result = make_result((700, 530), times=times, channels=channels)
    result.save(tmp_path / "out", format="imagej")
    for name, spec in result.images.items():
        with tifffile.TiffFile(tmp_path / "out" / f"{name}.tif") as tiff:
            facts: dict[str, Any] = tiff.imagej_metadata or {}
            np.testing.assert_array_equal(tiff.asarray(), result.image(name).compute(), strict=True)
            assert tiff.series[0].axes == spec.axes.upper()
        assert facts["unit"] == "um"
        _, _, text = facts["Info"].partition("\n")
        assert json.loads(text) == result.provenance
    assert read_provenance(tmp_path / "out") == result.provenance


def test_each_slice_number_has_its_own_colour(make_result: MakeResult, tmp_path: Path) -> None:
    make_result().save(tmp_path / "out", format="imagej")
    with tifffile.TiffFile(tmp_path / "out" / "focus_index.tif") as tiff:
        facts = tiff.imagej_metadata or {}
    # ImageJ looks up the pixels of 8-bit images as they are.
    table = np.moveaxis(facts["LUTs"], 0, -1)
    assert len(np.unique(table[:4], axis=0)) == 4
    assert facts["Ranges"] == (0.0, 255.0)


def test_an_image_too_large_for_imagej_is_refused_and_nothing_is_left(
    make_result: MakeResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imagej_tiff, "_LARGEST_BYTES", 20_000)
    with pytest.raises(OutputError, match=r"/out.*files of ImageJ end at 4 GB"):
        make_result(dtype="float32").save(tmp_path / "out", format="imagej")
    assert [path.name for path in tmp_path.iterdir()] == ["hidden"]


def test_blended_and_corrected_images_say_so(make_result: MakeResult, tmp_path: Path) -> None:
    blended = {**record(), "pixels_copied": False, "corrections": {"n_pixels": 7}}
    make_result(provenance=blended).save(tmp_path / "out", format="imagej")
    with tifffile.TiffFile(tmp_path / "out" / "fused.tif") as tiff:
        info = (tiff.imagej_metadata or {})["Info"]
    assert "they are not measured values. The slice of 7 pixels was chosen by hand." in info


@pytest.mark.parametrize("times", [1, 2])
def test_a_file_opens_again_where_it_was(
    make_result: MakeResult, tmp_path: Path, times: int
) -> None:
    result = make_result((90, 70), times=times, channels=COLORS)
    result.save(tmp_path / "out", format="imagej")
    stack = open_imagej_image(tmp_path / "out" / "fused.tif")
    assert stack.data.shape == (times, 2, 1, 90, 70)
    assert stack.voxel_size_um[1:] == pytest.approx((0.5, 0.25))
    assert stack.origin_yx_um == pytest.approx((10.0, 20.0))
    assert [channel.name for channel in stack.channels] == ["DAPI", "actin"]
    found = stack.data.compute().reshape(result.images["fused"].shape)
    np.testing.assert_array_equal(found, result.fused.compute(), strict=True)


def test_images_of_one_colour_table_open_too(make_result: MakeResult, tmp_path: Path) -> None:
    make_result().save(tmp_path / "out", format="imagej")
    stack = open_imagej_image(tmp_path / "out" / "focus_index.tif")
    assert [channel.name for channel in stack.channels] == ["focus index"]
    assert stack.voxel_size_um[1:] == pytest.approx((0.5, 0.25))


def test_another_file_in_its_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "fused.tif").write_bytes(b"II*\0 no more than that")
    with pytest.raises(SourceError, match=r"fused\.tif: not a file that this program wrote"):
        open_imagej_image(tmp_path / "fused.tif")
