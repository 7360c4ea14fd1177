"""The reader in a real viewer, on real files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from napari.components import ViewerModel
from npe2 import PluginManager, PluginManifest
from PIL import Image as Picture

from napari_gmff import fuse, read_stack
from napari_gmff._napari.files.reader import get_reader, read, sources_of, stacks_among
from napari_gmff._napari.layers.layer_stacks import stack_of, understood
from napari_gmff._napari.layers.stack_layers import SOURCE_KEY
from napari_gmff.errors import SourceError
from tests.reading.test_positions import write_plate
from tests.stacks import stack_of as array_stack
from tests.stacks import textured

PLUGIN = "napari-gmff"
SIZES = {
    "PhysicalSizeZ": 500,
    "PhysicalSizeZUnit": "nm",
    "PhysicalSizeY": 0.2,
    "PhysicalSizeYUnit": "µm",
    "PhysicalSizeX": 0.2,
    "PhysicalSizeXUnit": "µm",
}


def write_ome(path: Path, pixels: np.ndarray, axes: str = "ZYX", **metadata) -> Path:
    """Write an OME-TIFF."""
    tifffile.imwrite(path, pixels, metadata={"axes": axes, **SIZES, **metadata})
    return path


def write_two_series(path: Path) -> Path:
    """Write an OME-TIFF with two images of different sizes."""
    with tifffile.TiffWriter(path, ome=True) as writer:
        for name, side in (("left", 40), ("right", 64)):
            pixels = textured((3, side, side))
            writer.write(pixels, metadata={"axes": "ZYX", "Name": name, **SIZES})
    return path


def write_zarr(path: Path, pixels: np.ndarray) -> Path:
    """Write an OME-Zarr 0.5 of axes (C, Z, Y, X) with two levels."""
    group = zarr.open_group(str(path), mode="w", zarr_format=3)
    for level, array in enumerate((pixels, pixels[..., ::2, ::2])):
        group.create_array(str(level), data=np.ascontiguousarray(array), chunks=(1, 1, 32, 32))
    axes = [{"name": "c", "type": "channel"}]
    axes += [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"]
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": [1, 0.5, 0.2 * 2**level, 0.2 * 2**level]}
            ],
        }
        for level in (0, 1)
    ]
    channels = [{"label": "DAPI", "color": "0000FF"}, {"label": "GFP", "color": "00FF00"}]
    group.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [{"name": "cells", "axes": axes, "datasets": datasets}],
        "omero": {"channels": channels},
    }
    return path


@pytest.fixture
def viewer():
    """Return a viewer without a window: reading needs none."""
    PluginManager.instance().discover()
    return ViewerModel()


def test_an_ome_tiff_opens_in_a_window_with_its_sizes(make_napari_viewer, tmp_path):
    viewer = make_napari_viewer()
    pixels = textured((4, 60, 80))
    path = write_ome(tmp_path / "worm.ome.tif", pixels)
    (layer,) = viewer.open(path, plugin=PLUGIN)
    assert layer.name == "worm"
    np.testing.assert_allclose(layer.scale, (0.5, 0.2, 0.2))
    assert [str(unit) for unit in layer.units] == ["micrometer"] * 3
    np.testing.assert_array_equal(np.asarray(layer.data), pixels)
    source = layer.metadata[SOURCE_KEY]
    assert source.origin == str(path)
    assert source.read_options == {}


def test_an_ome_zarr_opens_with_levels_channels_and_colours(viewer, tmp_path):
    pixels = textured((2, 3, 64, 96))
    path = write_zarr(tmp_path / "cells.ome.zarr", pixels)
    layers = viewer.open(path, plugin=PLUGIN)
    assert [layer.name for layer in layers] == ["cells DAPI", "cells GFP"]
    assert [layer.colormap.name for layer in layers] == ["blue", "green"]
    assert all(layer.multiscale for layer in layers)
    np.testing.assert_array_equal(np.asarray(layers[1].data[0]), pixels[1])


def test_a_companion_file_opens_the_images_that_it_names(viewer, tmp_path):
    pixels = textured((3, 40, 50))
    tiff = tmp_path / "planes.ome.tiff"
    tifffile.imwrite(tiff, pixels, metadata={"axes": "ZYX", **SIZES})
    xml = tifffile.tiffcomment(tiff).replace(
        '<TiffData IFD="0" PlaneCount="3"/>',
        "".join(
            f'<TiffData IFD="{k}" FirstZ="{k}" PlaneCount="1">'
            f'<UUID FileName="planes.ome.tiff">urn:uuid:1</UUID></TiffData>'
            for k in range(3)
        ),
    )
    companion = tmp_path / "all.companion.ome"
    companion.write_text(xml, encoding="utf-8")
    assert "planes.ome.tiff" in xml
    (layer,) = viewer.open(companion, plugin=PLUGIN)
    np.testing.assert_array_equal(np.asarray(layer.data), pixels)


def test_all_series_open_from_a_script(viewer, tmp_path):
    layers = viewer.open(write_two_series(tmp_path / "both.ome.tif"), plugin=PLUGIN)
    assert [layer.name for layer in layers] == ["both left", "both right"]
    assert [layer.data.shape for layer in layers] == [(3, 40, 40), (3, 64, 64)]
    assert [layer.metadata[SOURCE_KEY].read_options for layer in layers] == [
        {"series": 0},
        {"series": 1},
    ]


def test_each_series_is_a_stack_of_its_own(viewer, tmp_path):
    layers = viewer.open(write_two_series(tmp_path / "both.ome.tif"), plugin=PLUGIN)
    assert understood(layers[0], viewer.layers).layers == (layers[0],)


def test_a_series_that_cannot_be_fused_is_left_out_and_that_is_said(tmp_path):
    path = tmp_path / "mixed.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(textured((3, 40, 40)), metadata={"axes": "ZYX", "Name": "good"})
        writer.write(np.zeros((3, 40, 40)), metadata={"axes": "ZYX", "Name": "doubles"})
    sources, left_out = sources_of(str(path))
    assert [source.name for source in sources] == ["mixed good"]
    (reason,) = left_out
    assert "float64" in reason
    assert "left out" in reason


def test_a_file_without_a_series_that_can_be_fused_says_why(tmp_path):
    path = write_ome(tmp_path / "doubles.ome.tif", np.zeros((3, 40, 40)))
    with pytest.raises(SourceError, match="float64"):
        read(str(path))


def test_numbered_folders_and_plates_open_as_a_stack_each(viewer, tmp_path):
    stacks = [textured((3, 30, 40), seed=seed) for seed in range(2)]
    for number, pixels in enumerate(stacks, start=1):
        (tmp_path / "stage" / f"Pos{number}").mkdir(parents=True)
        for k, plane in enumerate(pixels):
            tifffile.imwrite(tmp_path / "stage" / f"Pos{number}" / f"{k}.tif", plane)
    plate = write_plate(tmp_path / "plate.zarr", {"A/1": [stacks[0]], "A/2": [stacks[1]]})
    for source, names in ((tmp_path / "stage", ["Pos1", "Pos2"]), (plate, ["A/1", "A/2"])):
        layers = viewer.open(source, plugin=PLUGIN)
        assert [layer.name for layer in layers] == [f"{source.stem} {name}" for name in names]
        for number, layer in enumerate(layers):
            np.testing.assert_array_equal(np.asarray(layer.data), stacks[number])
            assert layer.metadata[SOURCE_KEY].read_options == {"position": str(number)}


@pytest.mark.parametrize("ending", ["czi", "lif", "nd2", "stk", "lsm"])
def test_files_of_microscope_programs_are_offered(tmp_path, ending):
    starts = {"czi": b"ZISRAWFILE", "lif": b"p\0\0\0\0\0\0\0*", "nd2": b"\xda\xce\xbe\x0a"}
    path = tmp_path / f"a.{ending}"
    path.write_bytes(starts.get(ending, b"II*\0").ljust(64, b"\0"))
    assert get_reader(str(path)) is not None
    path.write_bytes(b"something else".ljust(64))
    assert get_reader(str(path)) is None
    manifest = PluginManifest.from_file(Path(__file__).parents[3] / "napari.yaml")
    (reader,) = manifest.contributions.readers
    assert f"*.{ending}" in reader.filename_patterns


def test_a_folder_of_images_opens_as_slices(viewer, tmp_path):
    folder = tmp_path / "shots"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (3, 30, 40, 3), dtype=np.uint8)
    for k, plane in enumerate(pixels):
        Picture.fromarray(plane).save(folder / f"shot{k + 8}.png")
    (layer,) = viewer.open(folder, plugin=PLUGIN)
    assert layer.rgb
    assert layer.name == "shots"
    np.testing.assert_array_equal(np.asarray(layer.data), pixels)


def test_real_photographs_open_as_a_lazy_colour_stack(viewer, shared_dir):
    (layer,) = viewer.open(shared_dir / "data" / "stacks" / "keyboard", plugin=PLUGIN)
    assert layer.rgb
    assert layer.data.shape[0] == 32
    view = understood(layer, viewer.layers)
    assert view.problems == ()
    assert view.unknown_step


@pytest.mark.parametrize("name", ["notes.ome.tif", "empty.ome.tiff", "a.companion.ome"])
def test_what_cannot_be_read_is_left_to_others(name, tmp_path):
    assert get_reader(str(tmp_path / name)) is None
    if not name.endswith("companion.ome"):
        (tmp_path / name).write_bytes(b"not a TIFF" if "notes" in name else b"")
        assert get_reader(str(tmp_path / name)) is None


def test_folders_without_images_are_left_to_others(tmp_path):
    (tmp_path / "text.txt").write_text("hello")
    assert get_reader(str(tmp_path)) is None
    assert get_reader([]) is None


def test_several_files_are_the_slices_of_one_stack(viewer, tmp_path):
    paths = []
    for k in (10, 9):
        paths.append(tmp_path / f"plane{k}.ome.tif")
        tifffile.imwrite(paths[-1], np.full((30, 40), k, np.uint16), ome=False)
    layers = viewer.open([str(path) for path in paths], stack=True, plugin=PLUGIN)
    assert layers[0].data.shape == (2, 30, 40)
    assert layers[0].metadata[SOURCE_KEY].origin is None


def test_slices_are_told_from_stacks_and_put_in_natural_order(tmp_path):
    planes = []
    for k in (10, 9):
        planes.append(str(tmp_path / f"plane{k}.tif"))
        tifffile.imwrite(planes[-1], np.zeros((30, 40), np.uint16))
    assert stacks_among(planes) == [planes[::-1]]
    stack = str(write_ome(tmp_path / "stack.ome.tif", textured((3, 30, 40))))
    assert stacks_among([stack, planes[0]]) == [planes[0], stack]
    assert stacks_among([stack]) == [stack]


def test_what_the_reader_opened_fuses_as_the_file_itself(viewer, tmp_path):
    path = write_ome(tmp_path / "worm.ome.tif", textured((4, 90, 70)))
    (layer,) = viewer.open(path, plugin=PLUGIN)
    options = {"engine": "laplacian-energy"}
    shown, direct = stack_of(understood(layer, viewer.layers)), read_stack(path)
    with shown, direct, fuse(shown, **options) as ours, fuse(direct, **options) as expected:
        assert ours.provenance["source"] == expected.provenance["source"]
        np.testing.assert_array_equal(ours.fused.compute(), expected.fused.compute())


def test_a_saved_result_is_recognised_whatever_of_it_is_opened(viewer, tmp_path):
    stack = array_stack(textured((3, 96, 80)), voxel_size_um=(2, 0.5, 0.5))
    with fuse(stack, engine="laplacian-energy") as result:
        folder = result.save(tmp_path / "out", format="ome-tiff")
        store = result.save(tmp_path / "out.ome.zarr")
    names = ["array confidence", "array depth", "array focus index", "array fused"]
    for path in (folder, store, folder / "provenance.json"):
        assert [kwargs["name"] for _, kwargs, _ in read(str(path))] == names
    (depth,) = viewer.open(folder / "depth.ome.tif", plugin=PLUGIN)
    assert depth.name == "array depth"
    assert depth.metadata["gmff"]["image"] == "depth"


def test_the_reader_is_offered_for_our_patterns_only(viewer, tmp_path):
    manager = PluginManager.instance()

    def offers(name: str) -> bool:
        path = tmp_path / name
        path.write_bytes(b"")
        found = manager.iter_compatible_readers([str(path)])
        return PLUGIN in {reader.plugin_name for reader in found}

    assert all(offers(f"a{end}") for end in (".ome.tif", ".OME.TIFF", ".ome.btf", ".companion.ome"))
    assert not any(offers(f"a{end}") for end in (".tif", ".png", ".npy", ".ome"))
