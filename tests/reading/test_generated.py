"""Restored images that were moved, renamed or come from elsewhere are known for what they are."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from napari_gmff import fuse, open_result, read_stack
from napari_gmff.marks import AI_MARK, RESTORED_SOURCE_TYPE, is_of_restored
from napari_gmff.params import CLASSICAL_ENGINE
from napari_gmff.reading.generated import NOTE, with_mark
from napari_gmff.reading.stack import Channel
from tests.export.test_imagej_tiff import IMAGEJ
from tests.restoration.conftest import MakeRestoration, make_restoration, make_result
from tests.stacks import stack_of, textured

__all__ = ["make_restoration", "make_result"]

CHANNELS = (Channel("DAPI", "0000FF"), Channel("GFP", "00FF00"))
XMP_FORMS = {
    "element": "<a:DigitalSourceType>{}</a:DigitalSourceType>",
    "attribute": '<rdf:Description a:DigitalSourceType="{}"/>',
    "resource": '<a:DigitalSourceType rdf:resource="{}"/>',
}


@pytest.mark.parametrize("channels", [(), CHANNELS], ids=["grey", "channels"])
@pytest.mark.parametrize("name", ["ai-restored", "ai-restored-spread"])
def test_an_ome_tiff_that_was_moved_and_renamed_is_known(
    make_restoration: MakeRestoration, tmp_path: Path, name: str, channels: tuple[Channel, ...]
) -> None:
    with make_restoration(n_seeds=2, channels=channels) as made:
        made.save(tmp_path / "out", format="ome-tiff")
    moved = Path(shutil.copy(tmp_path / "out" / f"{name}.ome.tif", tmp_path / "a.ome.tif"))
    with read_stack(moved) as stack:
        assert stack.is_restored
        assert stack.notes[0] == NOTE
        assert stack.metadata["restored"] == AI_MARK
        json.dumps(stack.metadata)


@pytest.mark.parametrize("name", ["fused", "restoration_mask"])
def test_the_fused_image_and_the_mask_beside_it_are_not_taken_for_it(
    make_restoration: MakeRestoration, tmp_path: Path, name: str
) -> None:
    with make_restoration() as made:
        # The record names the mark, and lies in the file of the fused image too.
        made.provenance["restoration"]["mark"] = AI_MARK
        made.save(tmp_path / "out", format="ome-tiff")
    with read_stack(tmp_path / "out" / f"{name}.ome.tif") as stack:
        assert not stack.is_restored and NOTE not in stack.notes


@pytest.mark.parametrize("format", ["ome-tiff", "imagej"])
def test_what_is_fused_from_restored_files_is_marked_and_recorded(
    make_restoration: MakeRestoration, tmp_path: Path, format: str
) -> None:
    files = []
    for number in range(3):
        with make_restoration() as made:
            made.save(tmp_path / f"out{number}", format=format)  # type: ignore[arg-type]
        (file,) = (tmp_path / f"out{number}").glob("ai-restored.*tif")
        files.append(shutil.copy(file, tmp_path / f"slice{number}.tif"))
    with (
        read_stack(files) as stack,
        fuse(stack, engine=CLASSICAL_ENGINE, device="cpu") as result,
    ):
        assert all(spec.title.endswith(AI_MARK) for spec in result.images.values())
        assert NOTE in result.provenance["warnings"]
        assert is_of_restored(result.provenance)
        result.save(tmp_path / "fused.ome.zarr")
    again = open_result(tmp_path / "fused.ome.zarr")
    assert again.images == result.images


def test_what_imagej_makes_of_restored_files_is_known(
    make_restoration: MakeRestoration, tmp_path: Path
) -> None:
    with make_restoration() as made:
        made.save(tmp_path / "a", format="imagej")
        made.save(tmp_path / "b", format="imagej")
    in_imagej(
        tmp_path,
        """open("a/ai-restored.tif"); makeRectangle(5, 5, 40, 40); run("Crop");
        saveAs("Tiff", "crop.tif"); run("8-bit"); saveAs("Tiff", "8bit.tif"); run("Close All");
        open("a/ai-restored.tif"); open("b/ai-restored.tif"); run("Images to Stack", "use");
        saveAs("Tiff", "stack.tif"); run("Close All");
        open("a/fused.tif"); open("b/fused.tif"); run("Images to Stack", "use");
        saveAs("Tiff", "fused.tif");""",
    )
    for name in ("crop", "8bit"):
        with read_stack([tmp_path / f"{name}.tif", tmp_path / f"{name}.tif"]) as stack:
            assert stack.is_restored
    for name in ("stack", "fused"):
        with read_stack(tmp_path / f"{name}.tif") as stack:
            assert stack.n_slices == 2
            assert stack.is_restored == (name == "stack")


def in_imagej(folder: Path, macro: str) -> None:
    """Run a macro whose files are named from a folder; skip the test where ImageJ is missing."""
    if not IMAGEJ.is_file() or shutil.which("java") is None:
        pytest.skip("ImageJ is not installed (Debian's package imagej)")
    screen = [] if os.environ.get("DISPLAY") else ["xvfb-run", "-a"]
    if screen and shutil.which("xvfb-run") is None:
        pytest.skip("ImageJ needs a screen, or xvfb-run")
    absolute = re.sub(r'"([\w/-]+\.tif)"', lambda name: f'"{folder / name[1]}"', macro)
    (folder / "macro.ijm").write_text(f"setBatchMode(true);\n{absolute}")
    java = ["java", f"-Duser.home={folder}", "-Xmx512m", "-cp", str(IMAGEJ), "ij.ImageJ"]
    command = [*screen, *java, "-batch", str(folder / "macro.ijm")]
    subprocess.run(command, capture_output=True, timeout=240, check=True)


def test_an_image_of_an_ome_zarr_is_known(
    make_restoration: MakeRestoration, tmp_path: Path
) -> None:
    with make_restoration(times=3) as made:
        for format in ("ome-zarr", "ome-zarr-0.4"):
            made.save(tmp_path / format, format=format)  # type: ignore[arg-type]
            for name in ("restored", "fused", "abs_difference", "restoration_mask"):
                with read_stack(tmp_path / format / name, axes="ZYX") as stack:
                    assert stack.is_restored == (name in ("restored", "abs_difference"))


@pytest.mark.parametrize("form", XMP_FORMS.values(), ids=XMP_FORMS)
@pytest.mark.parametrize(
    "kind", ["compositeWithTrainedAlgorithmicMedia", "trainedAlgorithmicMedia"]
)
def test_pictures_and_tiffs_of_other_programs_are_known_by_their_source_type(
    tmp_path: Path, form: str, kind: str
) -> None:
    xmp = form.format(f"http://cv.iptc.org/newscodes/digitalsourcetype/{kind}").encode()
    pixels = textured((3, 40, 50), "uint8")
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp.decode())
    for number, plane in enumerate(pixels):
        Image.fromarray(plane).save(
            tmp_path / f"{number}.png", pnginfo=info if number == 2 else None
        )
    tags = [(700, 1, len(xmp), xmp, True)]
    tifffile.imwrite(
        tmp_path / "z.tif",
        pixels,
        photometric="minisblack",
        metadata={"axes": "ZYX"},
        extratags=tags,
    )
    with read_stack(str(tmp_path / "*.png")) as of_pictures, read_stack(tmp_path / "z.tif") as tiff:
        assert of_pictures.is_restored and tiff.is_restored


def test_captures_are_not_marked(tmp_path: Path) -> None:
    xmp = (
        XMP_FORMS["element"]
        .format("http://cv.iptc.org/newscodes/digitalsourcetype/computationalCapture")
        .encode()
    )
    pixels = textured((3, 40, 50), "uint8")
    tags = [(700, 1, len(xmp), xmp, True)]
    said = json.dumps({"digital_source_type": RESTORED_SOURCE_TYPE})
    tifffile.imwrite(
        tmp_path / "z.tif",
        pixels,
        photometric="minisblack",
        description=said,
        extratags=tags,
        metadata=None,
    )
    with read_stack(tmp_path / "z.tif", axes="ZYX") as stack:
        assert not stack.is_restored


def test_a_mark_changes_nothing_else_and_is_not_put_twice() -> None:
    plain = stack_of(textured((3, 40, 50)))
    marked = with_mark(plain)
    assert with_mark(marked) is marked
    assert not plain.is_restored and marked.is_restored
    assert marked.fingerprint != plain.fingerprint
    np.testing.assert_array_equal(marked.data, plain.data)
    assert marked.cropped((0, 10, 0, 10)).is_restored
