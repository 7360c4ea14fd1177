"""TIFF of every kind, written here and read back."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_gmff.errors import SourceError
from napari_gmff.reading.open import list_series, read_stack

RNG = np.random.default_rng(3)


def pixels(*shape: int, dtype: str = "u2") -> np.ndarray:
    if dtype == "f4":
        return RNG.normal(size=shape).astype("f4")
    info = np.iinfo(dtype)
    return RNG.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)


def write_ome(path: Path, data: np.ndarray, **metadata: object) -> Path:
    tifffile.imwrite(path, data, metadata=metadata, ome=True, photometric="minisblack")
    return path


@pytest.mark.parametrize("outer", ["".join(order) for order in itertools.permutations("TCZ")])
def test_ome_tiff_of_any_axis_order_reads_as_tczyx(tmp_path: Path, outer: str) -> None:
    sizes = {"T": 2, "C": 3, "Z": 4}
    data = pixels(*(sizes[letter] for letter in outer), 20, 24)
    path = write_ome(tmp_path / "a.ome.tif", data, axes=outer + "YX")
    expected = data.transpose(*(outer.index(letter) for letter in "TCZ"), 3, 4)
    with read_stack(path) as stack:
        assert stack.axes == "TCZYX"
        np.testing.assert_array_equal(stack.data.compute(), expected)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f4"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_every_pixel_type_and_byte_order_arrives_native(
    tmp_path: Path, dtype: str, byteorder: str
) -> None:
    data = pixels(3, 17, 21, dtype=dtype)
    for compression in (None, "zlib"):
        path = tmp_path / f"{compression}.tif"
        tifffile.imwrite(
            path,
            data.astype(byteorder + dtype),
            byteorder=byteorder,
            compression=compression,
            photometric="minisblack",
            metadata={"axes": "ZYX"},
        )
        with read_stack(path) as stack:
            assert stack.dtype == np.dtype(dtype)
            assert stack.dtype.isnative
            np.testing.assert_array_equal(stack.data[0, 0].compute(), data)


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "zstd"])
@pytest.mark.parametrize(
    "layout", [{"tile": (32, 48)}, {"rowsperstrip": 1}, {"rowsperstrip": 7}, {}]
)
@pytest.mark.parametrize("predictor", [False, True])
def test_every_layout_reads_the_same_window(
    tmp_path: Path, compression: str | None, layout: dict, predictor: bool
) -> None:
    data = pixels(3, 70, 90)
    path = tmp_path / "a.tif"
    options = {"predictor": True} if predictor and compression else {}
    tifffile.imwrite(
        path,
        data,
        compression=compression,
        photometric="minisblack",
        metadata={"axes": "ZYX"},
        **layout,
        **options,
    )
    with read_stack(path) as stack:
        np.testing.assert_array_equal(stack.data[0, 0].compute(), data)
        window = stack.data[0, 0, 1:3, 11:53, 29:88]
        np.testing.assert_array_equal(window.compute(), data[1:3, 11:53, 29:88])


@pytest.mark.parametrize("layout", [{"tile": (32, 32)}, {"rowsperstrip": 8}])
def test_jpeg_segments_decode_as_tifffile_decodes_them(tmp_path: Path, layout: dict) -> None:
    yy, xx = np.mgrid[:64, :80]
    slices = [np.stack([yy * 2, xx * 2, yy + xx], -1) + step for step in range(3)]
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for image in slices:
            writer.write(
                image.astype("u1"),
                photometric="ycbcr",
                compression="jpeg",
                metadata=None,
                **layout,
            )
    with read_stack(path) as stack:
        assert stack.axes == "TCZYXS"
        np.testing.assert_array_equal(stack.data[0, 0].compute(), tifffile.imread(path))


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("samples", [3, 4])
@pytest.mark.parametrize("layout", [{}, {"tile": (16, 16)}])
def test_planar_and_interleaved_colour_become_trailing_samples(
    tmp_path: Path, planar: str, compression: str | None, samples: int, layout: dict
) -> None:
    data = pixels(4, 40, 30, samples, dtype="u1")
    path = tmp_path / "rgb.tif"
    tifffile.imwrite(
        path,
        data if planar == "contig" else data.transpose(0, 3, 1, 2),
        photometric="rgb",
        planarconfig=planar,
        compression=compression,
        extrasamples=["unassalpha"] if samples == 4 else None,
        **layout,
    )
    with read_stack(path) as stack:
        np.testing.assert_array_equal(stack.data[0, 0].compute(), data)
        np.testing.assert_array_equal(
            stack.data[0, 0, 2, 5:25, 7:19].compute(), data[2, 5:25, 7:19]
        )


def test_two_grey_samples_of_a_page_are_channels(tmp_path: Path) -> None:
    data = pixels(5, 2, 16, 16)
    path = tmp_path / "two.tif"
    tifffile.imwrite(path, data, planarconfig="separate", photometric="minisblack", metadata=None)
    with read_stack(path, axes="ZCYX") as stack:
        np.testing.assert_array_equal(stack.data[0].compute(), data.swapaxes(0, 1))


def test_plain_multipage_pages_are_taken_as_z_and_it_says_so(tmp_path: Path) -> None:
    data = pixels(6, 16, 18)
    for index, options in enumerate(({"metadata": None}, {})):
        path = tmp_path / f"{index}.tif"
        tifffile.imwrite(path, data, photometric="minisblack", **options)
        with read_stack(path) as stack:
            np.testing.assert_array_equal(stack.data[0, 0].compute(), data)
            assert any("taken as Z" in note for note in stack.notes)


def test_dots_per_inch_are_no_voxel_size(tmp_path: Path) -> None:
    path = tmp_path / "dpi.tif"
    tifffile.imwrite(
        path,
        pixels(3, 16, 16),
        photometric="minisblack",
        resolution=(300, 300),
        resolutionunit="INCH",
    )
    with read_stack(path) as stack:
        assert stack.voxel_size_um == (None, None, None)
        assert stack.z_positions_um is None


def test_units_are_converted_axis_by_axis(tmp_path: Path) -> None:
    path = write_ome(
        tmp_path / "a.ome.tif",
        pixels(3, 8, 8),
        axes="ZYX",
        PhysicalSizeX=65,
        PhysicalSizeXUnit="nm",
        PhysicalSizeY=0.13,
        PhysicalSizeZ=0.0025,
        PhysicalSizeZUnit="mm",
    )
    with read_stack(path) as stack:
        assert stack.voxel_size_um == pytest.approx((2.5, 0.13, 0.065))
        np.testing.assert_allclose(stack.z_positions_um, [0, 2.5, 5])


def test_unknown_voxel_size_stays_unknown(tmp_path: Path) -> None:
    path = write_ome(tmp_path / "a.ome.tif", pixels(3, 8, 8), axes="ZYX", PhysicalSizeX=0.5)
    with read_stack(path) as stack:
        assert stack.voxel_size_um == (None, None, 0.5)
        assert stack.z_positions_um is None
    with read_stack(path, voxel_size_um=(2, None, 1)) as stack:
        assert stack.voxel_size_um == (2, None, 1)
        np.testing.assert_array_equal(stack.z_positions_um, [0, 2, 4])


def test_uneven_falling_slice_positions_are_kept(tmp_path: Path) -> None:
    positions = [10.0, 7.5, 7.0, 1.0]
    path = write_ome(
        tmp_path / "a.ome.tif",
        pixels(4, 8, 8),
        axes="ZYX",
        Plane={"PositionZ": positions, "PositionZUnit": ["µm"] * 4},
    )
    with read_stack(path) as stack:
        np.testing.assert_array_equal(stack.z_positions_um, positions)
        assert stack.voxel_size_um[0] == 2.5
    with read_stack(path, voxel_size_um=(3, 1, 1)) as stack:
        np.testing.assert_array_equal(stack.z_positions_um, [0, -3, -6, -9])


def test_channel_names_and_signed_colours_are_read(tmp_path: Path) -> None:
    red, blue_with_alpha = -16776961, 0x0000FFFF
    path = write_ome(
        tmp_path / "a.ome.tif",
        pixels(2, 3, 8, 8),
        axes="CZYX",
        Channel={"Name": ["DAPI", "GFP"], "Color": [red, blue_with_alpha]},
    )
    with read_stack(path) as stack:
        assert [(one.name, one.color) for one in stack.channels] == [
            ("DAPI", "FF0000"),
            ("GFP", "0000FF"),
        ]


def test_pyramid_levels_come_finest_first(tmp_path: Path) -> None:
    data = pixels(2, 128, 160)
    path = tmp_path / "p.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        options = {"tile": (32, 32), "photometric": "minisblack", "compression": "zlib"}
        writer.write(data, subifds=2, metadata={"axes": "ZYX"}, **options)
        writer.write(data[:, ::2, ::2], subfiletype=1, **options)
        writer.write(data[:, ::4, ::4], subfiletype=1, **options)
    with read_stack(path) as stack:
        assert [level.shape[3:] for level in stack.levels] == [(128, 160), (64, 80), (32, 40)]
        for step, level in zip((1, 2, 4), stack.levels, strict=True):
            np.testing.assert_array_equal(level[0, 0].compute(), data[:, ::step, ::step])


def test_each_series_is_read_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "s.ome.tif"
    first, second = pixels(3, 16, 16), pixels(5, 20, 12, dtype="u1")
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(first, photometric="minisblack", metadata={"axes": "ZYX", "Name": "one"})
        writer.write(second, photometric="minisblack", metadata={"axes": "ZYX", "Name": "two"})
    assert list_series(path) == ["one", "two"]
    with read_stack(path, series=1) as stack:
        np.testing.assert_array_equal(stack.data[0, 0].compute(), second)
    with pytest.raises(SourceError, match=r"2 series.*got 2"):
        read_stack(path, series=2)


@pytest.mark.parametrize(
    ("unit", "um"),
    [("micron", 1), ("um", 1), ("\\u00B5m", 1), ("nm", 1e-3), ("mm", 1e3), ("microns", 1)],
)
def test_imagej_calibration_is_read_in_its_unit(tmp_path: Path, unit: str, um: float) -> None:
    data = pixels(2, 4, 3, 12, 14)
    path = tmp_path / "ij.tif"
    tifffile.imwrite(
        path,
        data,
        imagej=True,
        resolution=(4, 2),
        metadata={"axes": "TZCYX", "spacing": -1.5, "unit": unit},
    )
    with read_stack(path) as stack:
        np.testing.assert_array_equal(stack.data.compute(), data.swapaxes(1, 2))
        assert stack.voxel_size_um == pytest.approx((1.5 * um, 0.5 * um, 0.25 * um))
        np.testing.assert_allclose(stack.z_positions_um, np.arange(4) * -1.5 * um)


def test_imagej_pixels_are_no_micrometres(tmp_path: Path) -> None:
    path = tmp_path / "ij.tif"
    metadata = {"axes": "ZYX", "spacing": 2.0, "unit": "pixel"}
    tifffile.imwrite(path, pixels(4, 9, 9), imagej=True, resolution=(1, 1), metadata=metadata)
    with read_stack(path) as stack:
        assert stack.voxel_size_um == (None, None, None)


def test_compressed_imagej_stack_is_read_page_by_page(tmp_path: Path) -> None:
    data = pixels(4, 30, 20)
    path = tmp_path / "ij.tif"
    tifffile.imwrite(path, data, imagej=True, compression="zlib", metadata={"axes": "ZYX"})
    with read_stack(path) as stack:
        np.testing.assert_array_equal(stack.data[0, 0].compute(), data)


def test_time_given_as_z_is_read_as_slices(tmp_path: Path) -> None:
    data = pixels(5, 8, 8)
    path = write_ome(tmp_path / "t.ome.tif", data, axes="TYX")
    with read_stack(path) as stack:
        assert stack.n_slices == 1
        assert any("in fact Z" in note for note in stack.notes)
    with read_stack(path, axes="ZYX") as stack:
        assert stack.n_slices == 5
        np.testing.assert_array_equal(stack.data[0, 0].compute(), data)


def test_linked_files_are_one_stack_from_either_file_folder_or_companion(tmp_path: Path) -> None:
    data = pixels(2, 3, 12, 14)
    folder = tmp_path / "set"
    folder.mkdir()
    write_linked(folder, data)
    for source in (folder, folder / "c0.ome.tif", folder / "c1.ome.tif"):
        with read_stack(source) as stack:
            np.testing.assert_array_equal(stack.data[0].compute(), data)
    companion = tmp_path / "other"
    companion.mkdir()
    write_linked(companion, data, companion=True)
    for source in (companion / "all.companion.ome", companion / "c0.ome.tif"):
        with read_stack(source) as stack:
            np.testing.assert_array_equal(stack.data[0].compute(), data)


def test_renamed_ome_tiff_is_not_taken_for_a_missing_one(tmp_path: Path) -> None:
    data = pixels(1, 3, 12, 14)
    write_linked(tmp_path, data)
    renamed = tmp_path / "new name.ome.tif"
    (tmp_path / "c0.ome.tif").rename(renamed)
    with read_stack(renamed) as stack:
        np.testing.assert_array_equal(stack.data[0].compute(), data)


def write_linked(folder: Path, data: np.ndarray, *, companion: bool = False) -> None:
    """One file for each channel of (C, Z, Y, X), all described in each file or a companion."""
    n_channels, n_slices, height, width = data.shape
    blocks = "".join(
        f'<TiffData FirstC="{c}" FirstZ="0" FirstT="0" IFD="0" PlaneCount="{n_slices}">'
        f'<UUID FileName="c{c}.ome.tif">urn:uuid:0000000{c}</UUID></TiffData>'
        for c in range(n_channels)
    )
    channels = "".join(
        f'<Channel ID="Channel:0:{c}" SamplesPerPixel="1"/>' for c in range(n_channels)
    )
    space = 'xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'
    body = (
        f'<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" '
        f'SizeX="{width}" SizeY="{height}" SizeZ="{n_slices}" SizeC="{n_channels}" SizeT="1">'
        f"{channels}{blocks}</Pixels></Image>"
    )
    if companion:
        text = f'<OME {space} UUID="urn:uuid:companion">{body}</OME>'
        (folder / "all.companion.ome").write_text(text, encoding="utf-8")
        body = '<BinaryOnly MetadataFile="all.companion.ome" UUID="urn:uuid:companion"/>'
    for c in range(n_channels):
        tifffile.imwrite(
            folder / f"c{c}.ome.tif",
            data[c],
            photometric="minisblack",
            metadata=None,
            description=f'<OME {space} UUID="urn:uuid:0000000{c}">{body}</OME>',
        )


def test_a_file_that_refers_to_another_tiff_of_its_set_is_the_whole_set(tmp_path: Path) -> None:
    data = pixels(2, 3, 12, 14)
    write_linked(tmp_path, data)
    space = 'xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'
    refers = '<BinaryOnly MetadataFile="c0.ome.tif" UUID="urn:uuid:00000000"/>'
    description = f'<OME {space} UUID="urn:uuid:00000001">{refers}</OME>'
    options = {"photometric": "minisblack", "metadata": None}
    tifffile.imwrite(tmp_path / "c1.ome.tif", data[1], description=description, **options)
    for source in (tmp_path, tmp_path / "c0.ome.tif", tmp_path / "c1.ome.tif"):
        with read_stack(source) as stack:
            np.testing.assert_array_equal(stack.data[0].compute(), data)
    tifffile.imwrite(tmp_path / "c0.ome.tif", data[0], description="no XML", **options)
    with pytest.raises(SourceError, match=r"c1\.ome\.tif: c0\.ome\.tif: must hold the OME-XML"):
        read_stack(tmp_path / "c1.ome.tif")


def test_a_set_named_by_identities_alone_is_found_in_its_folder(tmp_path: Path) -> None:
    data = pixels(3, 3, 12, 14)
    write_linked(tmp_path, data)
    for path in tmp_path.iterdir():
        text = tifffile.tiffcomment(path)
        for c in range(3):
            text = text.replace(f' FileName="c{c}.ome.tif"', "")
        tifffile.tiffcomment(path, text.encode())
    (tmp_path / "c0.ome.tif").rename(tmp_path / "renamed.ome.tif")
    for source in (tmp_path / "renamed.ome.tif", tmp_path / "c2.ome.tif", tmp_path):
        with read_stack(source) as stack:
            np.testing.assert_array_equal(stack.data[0].compute(), data)
    (tmp_path / "c1.ome.tif").unlink()
    with pytest.raises(SourceError, match=r"linked file.*urn:uuid:00000001"):
        read_stack(tmp_path / "c2.ome.tif")


def test_a_missing_file_of_a_set_is_named(tmp_path: Path) -> None:
    write_linked(tmp_path, pixels(2, 3, 12, 14))
    (tmp_path / "c1.ome.tif").unlink()
    with pytest.raises(SourceError, match=r"c0\.ome\.tif: .*missing, 'c1\.ome\.tif'"):
        read_stack(tmp_path / "c0.ome.tif")


def test_a_file_over_4_gb_is_read_where_its_pixels_are(tmp_path: Path) -> None:
    shape = (5, 21_000, 21_000)
    patch = pixels(64, 64)
    path = tmp_path / "big.ome.tif"
    options = {"ome": True, "metadata": {"axes": "ZYX"}, "photometric": "minisblack"}
    tifffile.imwrite(path, shape=shape, dtype="u2", bigtiff=True, **options)  # all of it a hole
    with tifffile.TiffFile(path) as tiff:
        start = tiff.series[0].pages[4].dataoffsets[0]
    row_bytes = 2 * shape[2]
    with path.open("r+b") as file:
        for number, row in enumerate(patch):
            file.seek(start + number * row_bytes)
            file.write(row.tobytes())
    assert path.stat().st_size > 2**32
    with read_stack(path) as stack:
        assert stack.data.shape[2:] == shape
        corner = stack.data[0, 0, 3:, :65, :65].compute()
        np.testing.assert_array_equal(corner[1, :64, :64], patch)
        assert np.count_nonzero(corner) == np.count_nonzero(patch)
        assert not stack.data[0, 0, 4, -99:, -99:].any().compute()
        assert stack.storage is not None
        assert stack.storage.kind == "OME-TIFF (BigTIFF)"
        assert stack.storage.n_bytes() < 2**24, "holes take up no room"
