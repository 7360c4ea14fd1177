"""Positions: which stacks of a source are fused on their own, and what their outputs are called."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
import zarr

from napari_gmff import list_positions, read_stack
from napari_gmff.errors import ParameterError, SourceError
from napari_gmff.reading.positions import Position, folder_names

RNG = np.random.default_rng(4)


def pixels(*shape: int) -> np.ndarray:
    return RNG.integers(0, 60000, shape, dtype="u2")


def write_series(path: Path, *images: tuple[str, str, np.ndarray]) -> Path:
    """Write an OME-TIFF of images (name, axes, pixels)."""
    with tifffile.TiffWriter(path, ome=True) as writer:
        for name, axes, data in images:
            metadata = {"axes": axes, "Name": name, "PhysicalSizeZ": 1.5}
            writer.write(data, photometric="minisblack", metadata=metadata)
    return path


def write_image(group: zarr.Group, data: np.ndarray, axes: str = "zyx") -> None:
    """Make a group an OME-Zarr 0.5 image."""
    group.create_array("0", data=data, chunks=data.shape)
    scale = [{"type": "scale", "scale": [2.0, 0.5, 0.5][-len(axes) :]}]
    listed = [{"name": name, "type": "space", "unit": "micrometer"} for name in axes]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": listed, "datasets": datasets}]}


def write_plate(path: Path, fields: dict[str, list[np.ndarray]]) -> Path:
    """Write an OME-Zarr 0.5 plate of stacks by the path of their well."""
    plate = zarr.create_group(path)
    plate.attrs["ome"] = {"version": "0.5", "plate": {"wells": [{"path": one} for one in fields]}}
    for well_path, stacks in fields.items():
        well = plate.create_group(well_path)
        images = [{"path": str(number)} for number in range(len(stacks))]
        well.attrs["ome"] = {"version": "0.5", "well": {"images": images}}
        for number, data in enumerate(stacks):
            write_image(well.create_group(str(number)), data)
    return path


def write_folder(folder: Path, data: np.ndarray) -> Path:
    folder.mkdir(parents=True)
    for number, image in enumerate(data):
        (folder / f"{number}.png").write_bytes(imagecodecs.png_encode(image))
    return folder


def names_of(source: object) -> list[str]:
    return [one.name for one in list_positions(source)]


def read(source: object, **options: object) -> np.ndarray:
    with read_stack(source, **options) as stack:
        return stack.data[0, 0].compute()


def test_every_stack_of_a_file_is_a_position(tmp_path: Path) -> None:
    first, second = pixels(3, 16, 18), pixels(5, 20, 12)
    path = write_series(tmp_path / "s.ome.tif", ("one", "ZYX", first), ("two", "ZYX", second))
    positions = list_positions(path)
    assert [one.name for one in positions] == ["one", "two"]
    for position, data in zip(positions, (first, second), strict=True):
        np.testing.assert_array_equal(read(position), data)
        np.testing.assert_array_equal(read(path, position=position.name), data)
        np.testing.assert_array_equal(read(path, position=position.number), data)


def test_a_position_has_the_identity_and_the_scale_of_its_series(tmp_path: Path) -> None:
    images = [(name, "ZYX", pixels(3, 16, 18)) for name in ("one", "two")]
    path = write_series(tmp_path / "s.ome.tif", *images)
    with read_stack(path, position="two") as stack, read_stack(path, series=1) as same:
        assert stack.name == "s.ome.tif two"
        assert stack.fingerprint == same.fingerprint
        np.testing.assert_array_equal(stack.z_positions_um, [0, 1.5, 3])


def test_labels_thumbnails_and_pyramids_are_no_positions(tmp_path: Path) -> None:
    path = tmp_path / "slide.ome.tif"
    stack = pixels(3, 64, 64)
    options = {"photometric": "minisblack", "tile": (32, 32)}
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(pixels(20, 30), photometric="minisblack", metadata={"axes": "YX"})
        writer.write(stack, subifds=1, metadata={"axes": "ZYX"}, **options)
        writer.write(stack[:, ::2, ::2], subfiletype=1, **options)
        writer.write(pixels(2, 3, 20, 30), photometric="minisblack", metadata={"axes": "CZYX"})
        writer.write(pixels(2, 20, 30), photometric="minisblack", metadata={"axes": "TYX"})
        writer.write(stack, **options, metadata={"axes": "ZYX"})
    assert [one.series for one in list_positions(path)] == [1, 4]
    np.testing.assert_array_equal(read(path), stack)


def test_images_of_other_axes_than_the_first_stack_are_no_positions(tmp_path: Path) -> None:
    data = [pixels(3, 20, 30), pixels(3, 20, 30, 3).astype("u1"), pixels(4, 9, 9)]
    path = tmp_path / "mixed.tif"
    with tifffile.TiffWriter(path) as writer:
        for one in data:
            photometric = "rgb" if one.ndim == 4 else "minisblack"
            axes = "ZYXS" if one.ndim == 4 else "ZYX"
            writer.write(one, photometric=photometric, metadata={"axes": axes})
    assert [one.series for one in list_positions(path)] == [0, 2]


def test_the_first_of_several_is_read_and_a_note_says_that_there_are_more(tmp_path: Path) -> None:
    images = [(name, "ZYX", pixels(3, 16, 18)) for name in ("one", "two")]
    path = write_series(tmp_path / "s.ome.tif", *images)
    with read_stack(path) as stack:
        assert any("2 positions; this is the first, 'one'" in note for note in stack.notes)
        np.testing.assert_array_equal(stack.data[0, 0].compute(), images[0][2])
    for options in ({"series": 0}, {"position": "one"}):
        with read_stack(path, **options) as stack:
            assert stack.notes == ()


def test_the_images_of_a_group_that_are_stacks_are_positions(tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "g.zarr")
    root.attrs["ome"] = {"version": "0.5", "bioformats2raw.layout": 3}
    for number, data in enumerate((pixels(9, 9), pixels(3, 8, 8), pixels(4, 8, 8))):
        write_image(root.create_group(str(number)), data, "zyx"[-data.ndim :])
    assert names_of(tmp_path / "g.zarr") == ["1", "2"]
    assert read(tmp_path / "g.zarr").shape == (3, 8, 8)
    assert read(tmp_path / "g.zarr", position="2").shape == (4, 8, 8)


@pytest.mark.parametrize("n_fields", [1, 2])
def test_every_field_of_a_plate_is_a_position(tmp_path: Path, n_fields: int) -> None:
    fields = {well: [pixels(3, 8, 8) for _ in range(n_fields)] for well in ("A/1", "B/12")}
    plate = write_plate(tmp_path / "p.zarr", fields)
    expected = ["A/1", "B/12"] if n_fields == 1 else ["A/1/0", "A/1/1", "B/12/0", "B/12/1"]
    assert names_of(plate) == expected
    last = fields["B/12"][-1]
    with read_stack(plate, position=expected[-1]) as stack:
        np.testing.assert_array_equal(stack.data[0, 0].compute(), last)
        assert stack.voxel_size_um == (2.0, 0.5, 0.5)
    np.testing.assert_array_equal(read(plate / "B" / "12", position=n_fields - 1), last)
    np.testing.assert_array_equal(read(plate, series=len(expected) - 1), last)


def test_a_plate_of_version_0_4_is_read_alike(tmp_path: Path) -> None:
    data = pixels(3, 8, 8)
    plate = zarr.create_group(tmp_path / "p.zarr", zarr_format=2)
    plate.attrs["plate"] = {"wells": [{"path": "A/1"}], "version": "0.4"}
    well = plate.create_group("A/1")
    well.attrs["well"] = {"images": [{"path": "0"}], "version": "0.4"}
    image = well.create_group("0")
    image.create_array("0", data=data, chunks=data.shape)
    axes = [{"name": name, "type": "space"} for name in "zyx"]
    image.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": [{"path": "0"}]}]
    np.testing.assert_array_equal(read(tmp_path / "p.zarr"), data)


def test_a_plate_whose_well_is_missing_names_it(tmp_path: Path) -> None:
    plate = zarr.create_group(tmp_path / "p.zarr")
    plate.attrs["ome"] = {"version": "0.5", "plate": {"wells": [{"path": "A/1"}]}}
    with pytest.raises(SourceError, match=r"p\.zarr: the well 'A/1' it names is missing"):
        list_positions(tmp_path / "p.zarr")


def test_numbered_folders_of_images_are_positions_in_natural_order(tmp_path: Path) -> None:
    stacks = {name: pixels(3, 8, 9) for name in ("Pos10", "Pos2", "Pos1")}
    for name, data in stacks.items():
        write_folder(tmp_path / name, data)
    (tmp_path / "Pos3").mkdir()
    (tmp_path / "notes.txt").write_text("three positions")
    assert names_of(tmp_path) == ["Pos1", "Pos2", "Pos10"]
    for name, data in stacks.items():
        np.testing.assert_array_equal(read(tmp_path, position=name), data)
    with read_stack(tmp_path) as stack:
        np.testing.assert_array_equal(stack.data[0, 0].compute(), stacks["Pos1"])
        assert any("3 positions; this is the first, 'Pos1'" in note for note in stack.notes)


def test_a_number_names_a_folder_before_it_counts(tmp_path: Path) -> None:
    stacks = {name: pixels(3, 8, 9) for name in ("1", "2")}
    for name, data in stacks.items():
        write_folder(tmp_path / name, data)
    np.testing.assert_array_equal(read(tmp_path, position="1"), stacks["1"])
    np.testing.assert_array_equal(read(tmp_path, position=0), stacks["1"])


def test_folders_without_numbers_are_not_taken_for_positions(tmp_path: Path) -> None:
    for name in ("beads", "cells"):
        write_folder(tmp_path / name, pixels(3, 8, 9))
    with pytest.raises(SourceError, match="only 2 folders; give one of them"):
        read_stack(tmp_path)


def test_images_beside_numbered_folders_are_the_stack(tmp_path: Path) -> None:
    data = pixels(3, 8, 9)
    folder = write_folder(tmp_path / "stack", data)
    write_folder(folder / "old 1", pixels(3, 8, 9))
    assert len(list_positions(folder)) == 1
    np.testing.assert_array_equal(read(folder), data)


@pytest.mark.parametrize("source", ["file", "list", "array", "pattern"])
def test_a_single_stack_is_its_own_only_position(tmp_path: Path, source: str) -> None:
    data = pixels(3, 8, 9)
    folder = write_folder(tmp_path / "stack", data)
    path = write_series(tmp_path / "s.ome.tif", ("only", "ZYX", data))
    sources = {"file": path, "list": sorted(folder.iterdir()), "array": data}
    given = sources.get(source, str(folder / "*.png"))
    (position,) = list_positions(given)
    axes = {"axes": "ZYX"} if source == "array" else {}
    np.testing.assert_array_equal(read(position, **axes), data)


@pytest.mark.parametrize("wanted", ["three", 2, "-1"])
def test_a_position_that_is_not_there_lists_those_that_are(tmp_path: Path, wanted: object) -> None:
    images = [(name, "ZYX", pixels(3, 16, 18)) for name in ("one", "two")]
    path = write_series(tmp_path / "s.ome.tif", *images)
    with pytest.raises(ParameterError, match=rf"^position: .*0 \(one\), 1 \(two\).*'{wanted}'$"):
        read_stack(path, position=wanted)


def test_a_name_that_occurs_twice_asks_for_the_number(tmp_path: Path) -> None:
    images = [("same", "ZYX", pixels(3, 16, 18)) for _ in range(2)]
    path = write_series(tmp_path / "s.ome.tif", *images)
    with pytest.raises(ParameterError, match="name of several, give its number"):
        read_stack(path, position="same")
    np.testing.assert_array_equal(read(path, position=1), images[1][2])


def test_series_and_position_contradict_each_other(tmp_path: Path) -> None:
    images = [(name, "ZYX", pixels(3, 16, 18)) for name in ("one", "two")]
    path = write_series(tmp_path / "s.ome.tif", *images)
    with pytest.raises(ParameterError, match="position: must be left out where a series is named"):
        read_stack(path, series=1, position="one")


def test_names_of_folders_are_safe_and_differ() -> None:
    names = ["A/1", "A:1", "a_1", "", "..", "con", "x" * 300, "Ärger µm", "A_1_1"]
    found = folder_names([Position(i, name, None) for i, name in enumerate(names)])
    assert found[:6] == ["A_1", "A_1_1", "a_1_2", "position_3", "position_4", "con_"]
    assert found[7] == "Ärger_µm"
    assert len({name.casefold() for name in found}) == len(names)
    assert all(0 < len(name) < 100 and not set(name) & set('/\\:*?"<>|') for name in found)
