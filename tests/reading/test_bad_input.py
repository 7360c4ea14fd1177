"""Sources that cannot be fused are refused up front, with the file, the rule and the finding."""

from __future__ import annotations

import logging
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_gmff.errors import SourceError
from napari_gmff.reading.open import read_stack

RNG = np.random.default_rng(9)
STACK = RNG.integers(0, 60000, (4, 40, 50), dtype="u2")


def write(path: Path, data: np.ndarray = STACK, **options: object) -> Path:
    options = {"photometric": "minisblack", "metadata": {"axes": "ZYX"}} | options
    tifffile.imwrite(path, data, **options)
    return path


def refused(source: object, reason: str, **options: object) -> None:
    with pytest.raises(SourceError, match=reason) as caught:
        read_stack(source, **options)
    assert "\n" not in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    refused(tmp_path / "no.tif", r"no\.tif: no such file")
    refused(str(tmp_path / "no*.tif"), r"no\*\.tif: the pattern must match images")
    refused("", "no such file")


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root can read every file"
)
def test_unreadable_file_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif")
    path.chmod(0)
    refused(path, r"a\.tif: cannot be read")


@pytest.mark.parametrize("content", [b"", b"hello", b"GIF89a...", b"II*\x00", b"%PDF-1.4" * 9])
def test_file_that_is_no_image_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    refused(path, r"a\.tif: (not an image|not a TIFF|truncated TIFF)")


def test_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_text("x")
    refused(tmp_path, "must hold images, found none, only 1 folders")


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.7, 0.99])
@pytest.mark.parametrize("kind", ["ome", "imagej", "plain", "bigtiff", "tiled"])
def test_truncated_tiff_is_found_when_opening(
    tmp_path: Path, part: float, kind: str, compression: str | None
) -> None:
    options = {
        "ome": {"ome": True},
        "imagej": {"imagej": True},
        "plain": {"metadata": None},
        "bigtiff": {"bigtiff": True},
        "tiled": {"tile": (16, 16)},
    }[kind]
    path = write(tmp_path / "a.tif", compression=compression, **options)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    refused(path, r"a\.tif: (truncated|damaged|its OME-XML)")


def test_no_log_lines_escape_for_a_damaged_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "a.ome.tif", ome=True)
    path.write_bytes(path.read_bytes()[:-9000])
    with caplog.at_level(logging.DEBUG, logger="tifffile"), pytest.raises(SourceError):
        read_stack(path)
    assert not caplog.records
    assert capfd.readouterr().err == ""


def test_page_chain_in_a_circle_ends(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", metadata=None)
    with tifffile.TiffFile(path) as tiff:
        first, last = tiff.pages[0].offset, tiff.pages[3].offset
    data = bytearray(path.read_bytes())
    n_tags = int.from_bytes(data[last : last + 2], "little")
    data[last + 2 + 12 * n_tags : last + 6 + 12 * n_tags] = first.to_bytes(4, "little")
    path.write_bytes(data)
    refused(path, "runs in a circle")


def test_file_cut_while_open_names_the_file(tmp_path: Path) -> None:
    for compression in (None, "zlib"):
        path = write(tmp_path / "a.tif", compression=compression)
        with read_stack(path) as stack:
            with path.open("r+b") as file:
                file.truncate(2000)
            with pytest.raises(SourceError, match=r"a\.tif: its data are damaged at T 0, C 0, Z"):
                stack.data.compute()


def test_ome_xml_naming_more_planes_than_pages_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ome.tif", ome=True)
    text = tifffile.tiffcomment(path)
    tifffile.tiffcomment(path, text.replace('SizeZ="4"', 'SizeZ="7"').encode())
    refused(path, r"a\.ome\.tif: .*7 planes.*found 4 pages")


@pytest.mark.parametrize(
    ("data", "axes", "found"),
    [(STACK[0], "YX", "Y=40 X=50"), (STACK, "TYX", "T axis is in fact Z"), (STACK, "CYX", "C=4")],
)
@pytest.mark.parametrize("kind", ["imagej", "shaped"])
def test_stack_without_z_is_refused_with_a_hint(
    tmp_path: Path, data: np.ndarray, axes: str, found: str, kind: str
) -> None:
    path = write(tmp_path / "a.tif", data, metadata={"axes": axes}, imagej=kind == "imagej")
    refused(path, f"no Z axis.*{found}")


@pytest.mark.parametrize("dtype", ["u4", "f8", "c8", "i4", "?"])
def test_other_pixel_types_are_refused_by_name(tmp_path: Path, dtype: str) -> None:
    path = write(tmp_path / "a.tif", np.zeros((3, 16, 16), dtype))
    refused(path, rf"a\.tif: .*found {np.dtype(dtype).name}")


@pytest.mark.parametrize("axes", ["ZY", "ZCTYX", "ZZX", "ABC", "ZXY"])
def test_wrong_axes_are_refused(tmp_path: Path, axes: str) -> None:
    refused(write(tmp_path / "a.tif"), r"a\.tif: .*axes", axes=axes)


def test_wrong_series_says_how_many_there_are(tmp_path: Path) -> None:
    refused(write(tmp_path / "a.tif"), r"1 series\), got 3", series=3)


def test_pages_of_different_size_or_type_are_refused_with_both(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for shape in ((20, 30), (20, 30), (25, 30)):
            writer.write(np.zeros(shape, "u1"), metadata=None)
    refused(path, r"page 0 is 20 × 30 uint8 and page 2 is 25 × 30 uint8")


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><OME>&b;</OME>'


@pytest.mark.parametrize("text", [BOMB, BOMB.replace("DOCTYPE", "doctype")])
def test_entities_are_refused_before_any_parser_sees_them(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.ome.tif", metadata=None, description=text)

    def parse(*_: object, **__: object) -> None:
        raise AssertionError("a parser saw the document")

    monkeypatch.setattr("xml.etree.ElementTree.fromstring", parse)
    monkeypatch.setattr("defusedxml.ElementTree.fromstring", parse)
    refused(path, r"a\.ome\.tif: XML .*must not declare")


def test_entities_in_a_companion_file_are_refused(tmp_path: Path) -> None:
    link = '<OME><BinaryOnly MetadataFile="x.companion.ome" UUID="u"/></OME>'
    path = write(tmp_path / "a.ome.tif", metadata=None, description=link)
    (tmp_path / "x.companion.ome").write_text(BOMB)
    refused(path, "must not declare")
    refused(tmp_path / "x.companion.ome", "must not declare")


def linked(name: str) -> str:
    return (
        '<OME UUID="urn:uuid:1"><Image><Pixels DimensionOrder="XYZCT" Type="uint16" SizeX="50" '
        'SizeY="40" SizeZ="8" SizeC="1" SizeT="1"><TiffData FirstZ="4" PlaneCount="4">'
        f'<UUID FileName="{name}">urn:uuid:2</UUID></TiffData></Pixels></Image></OME>'
    )


@pytest.mark.parametrize(
    "name", ["../b.tif", "/etc/passwd", "C:\\b.tif", "x\\b.tif", "a/../../b.tif", "http://x/b.tif"]
)
def test_linked_files_must_not_leave_their_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write(tmp_path / "b.tif", metadata=None)
    path = write(folder / "a.ome.tif", metadata=None, description=linked(name))
    refused(path, "must lie in its own folder")
    binary_only = f'<OME><BinaryOnly MetadataFile="{name}" UUID="u"/></OME>'
    path = write(folder / "c.ome.tif", metadata=None, description=binary_only)
    refused(path, "must lie in its own folder")


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no symbolic links here")
def test_linked_file_must_not_leave_through_a_symbolic_link(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write(tmp_path / "b.tif", metadata=None)
    (folder / "b.tif").symlink_to(tmp_path / "b.tif")
    path = write(folder / "a.ome.tif", metadata=None, description=linked("b.tif"))
    refused(path, "must lie in its own folder")


def test_missing_linked_file_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ome.tif", metadata=None, description=linked("b.tif"))
    refused(path, r"a\.ome\.tif: a file it links to is missing, 'b\.tif'")


@pytest.mark.parametrize(
    "address", ["http://h/a.zarr", "https://h/a.tif", "s3://b/a.zarr", "gs://b/a", "file:///a"]
)
def test_remote_addresses_are_refused_unless_asked_for(address: str) -> None:
    refused(address, "only read when asked for")
    refused([address, "b.png"], "only read when asked for")
    refused(Path(address), "only read when asked for")


def test_single_picture_has_no_z_axis(tmp_path: Path) -> None:
    import imagecodecs

    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(np.zeros((8, 8), "u1")))
    refused(tmp_path / "a.png", r"a\.png: .*Z axis")
    refused([tmp_path / "a.png"], r"a\.png: .*Z axis")


def test_things_that_are_no_source_are_refused() -> None:
    refused(7, "must be a path")
    refused([], "at least one image")
    refused([1, 2], "paths of at least one image")


@pytest.mark.parametrize("seed", range(8))
def test_damaged_headers_raise_nothing_but_source_errors(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    options = [{"ome": True}, {"imagej": True}, {"compression": "lzw"}, {"tile": (16, 16)}]
    path = write(tmp_path / "a.tif", **options[seed % 4])
    whole = path.read_bytes()
    for _ in range(25):
        data = bytearray(whole)
        for place in rng.integers(0, 500, 4):
            data[place] = rng.integers(0, 256)
        path.write_bytes(data)
        try:
            with read_stack(path) as stack:
                stack.data[0, 0, 0, :8, :8].compute()
        except SourceError as error:
            assert "a.tif" in str(error)


OME = '<OME><Image><Pixels DimensionOrder="XYZCT" Type="uint16" SizeX="50" SizeY="40" {}</OME>'
SIZES = 'SizeZ="4" SizeC="1" SizeT="1">'
MODULO = (
    '<StructuredAnnotations><XMLAnnotation><Value><Modulo><ModuloAlongZ Type="lifetime" Start="0" '
    'End="1e15" Step="1e-3"/></Modulo></Value></XMLAnnotation></StructuredAnnotations>'
)
COUNTING = {
    "slices": 'SizeZ="999999999" SizeC="1" SizeT="1"></Pixels></Image>',
    "all axes": 'SizeZ="99999" SizeC="99999" SizeT="99999"></Pixels></Image>',
    "planes": SIZES + '<TiffData PlaneCount="999999999999"/></Pixels></Image>',
    "old planes": SIZES + '<TiffData IFD="0" NumPlanes="999999999999"/></Pixels></Image>',
    "labels": f"{SIZES}</Pixels></Image>{MODULO}",
}


@pytest.mark.parametrize("what", COUNTING)
def test_ome_xml_that_would_be_counted_for_hours_is_refused_before(
    tmp_path: Path, what: str
) -> None:
    text = OME.format(COUNTING[what])
    path = write(tmp_path / "a.ome.tif", metadata=None, description=text)
    refused(path, r"a\.ome\.tif: its OME-XML must name at most 1000000 planes, found \d+$")


def test_a_size_of_thousands_of_digits_is_refused(tmp_path: Path) -> None:
    text = OME.format(SIZES.replace("4", "9" * 5000) + "</Pixels></Image>")
    path = write(tmp_path / "a.ome.tif", metadata=None, description=text)
    with pytest.raises(SourceError, match=r"a\.ome\.tif: ") as caught:
        read_stack(path)
    assert len(str(caught.value)) < 300


def test_a_page_in_the_last_bytes_of_a_bigtiff_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", bigtiff=True)
    data = bytearray(path.read_bytes())
    data[8:16] = (len(data) - 2).to_bytes(8, "little")
    path.write_bytes(data)
    refused(path, r"a\.tif: truncated TIFF, the tags of page 0 are cut short")


def test_a_tag_with_two_values_instead_of_one_ends_in_a_sentence(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", metadata=None)
    data = bytearray(path.read_bytes())
    for number in (256, 257, 258, 259, 262, 277, 278, 284):
        for place in range(8, len(data) - 12):
            if data[place : place + 4] == number.to_bytes(2, "little") + b"\x03\x00":
                changed = bytearray(data)
                changed[place + 4] = 2
                path.write_bytes(changed)
                try:
                    with read_stack(path) as stack:
                        stack.data.compute()
                except SourceError as error:
                    assert "a.tif" in str(error)
                break


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "packbits"])
@pytest.mark.parametrize(("tag", "value"), [(257, 2**24), (277, 2**17)])
def test_a_page_far_too_large_for_its_bytes_is_refused(
    tmp_path: Path, tag: int, value: int, compression: str | None
) -> None:
    """Rows or samples by the million would be listed, and take memory, one by one."""
    path = write(tmp_path / "a.tif", metadata=None, compression=compression)
    with tifffile.TiffFile(path) as tiff:
        codes = [257, 278] if tag == 257 else [tag]
        places = [page.tags[code].offset for page in tiff.pages for code in codes]
    data = bytearray(path.read_bytes())
    for place in places:
        data[place + 2 : place + 12] = struct.pack("<HII", 4, 1, value)
    path.write_bytes(data)
    refused(path, r"a\.tif: damaged TIFF, page 0 should hold \d+ bytes of pixels in \d+")


@pytest.mark.parametrize("compression", ["lzw", "zlib", "packbits", "zstd", "lzma"])
def test_an_even_page_is_no_damage_however_small_it_is_packed(
    tmp_path: Path, compression: str
) -> None:
    path = write(tmp_path / "a.tif", np.zeros((2, 1500, 2000), "u2"), compression=compression)
    with read_stack(path) as stack:
        assert not stack.data.compute().any()


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_a_picture_far_too_large_for_its_bytes_is_refused(tmp_path: Path, kind: str) -> None:
    import imagecodecs

    even = np.zeros((3000, 4000), "u1")
    encode = imagecodecs.png_encode if kind == "png" else imagecodecs.jpeg8_encode
    for number in range(2):
        (tmp_path / f"{number}").write_bytes(encode(even))
    with read_stack(tmp_path) as stack:
        assert not stack.data.compute().any()
    data = bytearray(encode(even[:8, :8]))
    place = data.index(b"\xff\xc0") + 5 if kind == "jpeg" else 16
    data[place : place + 4] = struct.pack(">HH", 60000, 60000) if kind == "jpeg" else b"\0\3\0\0"
    (tmp_path / "0").write_bytes(data)
    refused(tmp_path, f"damaged {kind.upper()}, it should hold")
