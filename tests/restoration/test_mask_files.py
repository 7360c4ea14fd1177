"""Masks are read from the files that drawing programs write, and from nothing unsafe."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from napari_gmff.errors import ParameterError, SourceError
from napari_gmff.restoration.mask_files import read_mask

SHAPE = (7, 12)
MASK = np.zeros(SHAPE, bool)
MASK[2:5, 3:9] = True


def write_label(folder, values, name="mask"):
    """Write an OME-Zarr 0.5 image with one label image."""
    root = zarr.open_group(folder, mode="w", zarr_format=3)
    labels = root.create_group("labels")
    labels.attrs["ome"] = {"version": "0.5", "labels": [name]}
    label = labels.create_group(name)
    axes = [{"name": axis, "type": "space"} for axis in "tczyx"[-values.ndim :]]
    transforms = [{"type": "scale", "scale": [1.0] * values.ndim}]
    datasets = [{"path": "0", "coordinateTransformations": transforms}]
    label.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [{"axes": axes, "datasets": datasets}],
        "image-label": {"version": "0.5"},
    }
    label.create_array("0", data=values)


@pytest.mark.parametrize(
    "values",
    [
        MASK,
        MASK.astype(np.uint8),
        MASK.astype(np.uint8) * 255,
        MASK.astype(np.float32),
        MASK.astype(np.int32) * 7,
        MASK[None],
    ],
    ids=["bool", "0 and 1", "0 and 255", "float", "label 7", "one time point"],
)
def test_numpy_files(tmp_path, values):
    np.save(tmp_path / "mask.npy", values)
    assert np.array_equal(read_mask(tmp_path / "mask.npy", SHAPE), MASK)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_pictures_of_every_grey_kind(tmp_path, mode):
    grey = Image.fromarray(MASK.astype(np.uint8) * 255)
    if mode == "I;16":
        grey = Image.fromarray(MASK.astype(np.uint16) * 65535)
    picture = grey if mode == "I;16" else grey.convert(mode)
    picture.save(tmp_path / "mask.png")
    assert np.array_equal(read_mask(tmp_path / "mask.png", SHAPE), MASK)


def test_a_coloured_picture_is_no_mask(tmp_path):
    color = np.zeros((*SHAPE, 3), np.uint8)
    color[2:5, 3:9, 0] = 255
    Image.fromarray(color).save(tmp_path / "mask.png")
    with pytest.raises(SourceError, match=r"mask\.png: a mask must be grey"):
        read_mask(tmp_path / "mask.png", SHAPE)


@pytest.mark.parametrize("imagej", [False, True])
def test_tiff_files(tmp_path, imagej):
    tifffile.imwrite(tmp_path / "mask.tif", MASK.astype(np.uint8) * 255, imagej=imagej)
    assert np.array_equal(read_mask(tmp_path / "mask.tif", SHAPE), MASK)
    tifffile.imwrite(tmp_path / "bits.tif", MASK)
    assert np.array_equal(read_mask(tmp_path / "bits.tif", SHAPE), MASK)


def test_masks_of_each_time_point(tmp_path):
    masks = np.stack([MASK, ~MASK, MASK]).astype(np.uint8)
    tifffile.imwrite(tmp_path / "mask.tif", masks, photometric="minisblack")
    assert np.array_equal(read_mask(tmp_path / "mask.tif", (3, *SHAPE)), masks != 0)
    np.save(tmp_path / "one.npy", MASK)
    assert read_mask(tmp_path / "one.npy", (3, *SHAPE)).shape == SHAPE


@pytest.mark.parametrize("name", ["", "labels/mask", "labels/mask/0"])
def test_label_images_of_an_ome_zarr(tmp_path, name):
    write_label(tmp_path / "image.zarr", MASK.astype(np.uint8)[None, None, None])
    assert np.array_equal(read_mask(tmp_path / "image.zarr" / name, SHAPE), MASK)


def test_several_label_images_must_be_told_apart(tmp_path):
    write_label(tmp_path / "image.zarr", MASK.astype(np.uint8))
    labels = zarr.open_group(tmp_path / "image.zarr" / "labels")
    labels.attrs["ome"] = {"version": "0.5", "labels": ["nuclei", "mask"]}
    with pytest.raises(SourceError, match="one label image, found nuclei, mask; name its folder"):
        read_mask(tmp_path / "image.zarr", SHAPE)
    assert np.array_equal(read_mask(tmp_path / "image.zarr" / "labels" / "mask", SHAPE), MASK)


@pytest.mark.parametrize("kind", ["npy", "png", "tif", "zarr"])
def test_a_mask_of_another_size_is_refused_before_it_is_decoded(tmp_path, kind):
    path, other = tmp_path / f"mask.{kind}", np.zeros((8, 12), np.uint8)
    if kind == "npy":
        np.save(path, other)
    elif kind == "png":
        Image.fromarray(other).save(path)
    elif kind == "tif":
        tifffile.imwrite(path, other)
    else:
        write_label(path, other)
    with pytest.raises(ParameterError, match=rf"mask\.{kind}: .*7 × 12 pixels .*found 8 × 12"):
        read_mask(path, SHAPE)


def test_a_huge_picture_costs_nothing(tmp_path):
    Image.fromarray(np.zeros((1, 1), np.uint8)).save(tmp_path / "mask.png")
    content = bytearray((tmp_path / "mask.png").read_bytes())
    content[16:24] = (2**31 - 1).to_bytes(4, "big") * 2
    (tmp_path / "mask.png").write_bytes(content)
    with pytest.raises(ParameterError, match="found 2147483647 × 2147483647"):
        read_mask(tmp_path / "mask.png", SHAPE)


def test_a_pickle_is_never_loaded(tmp_path):
    np.save(tmp_path / "mask.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(SourceError, match=r"mask\.npy: not a \.npy file of plain numbers"):
        read_mask(tmp_path / "mask.npy", SHAPE)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "mask cannot be read .No such file"),
        (b"", "must be a PNG, TIFF or .npy file"),
        (b"\xff\xd8\xff picture", "must be a PNG, TIFF or .npy file"),
        (b"\x93NUMPY\x01\x00v\x00", "not a .npy file"),
        (b"II*\x00\x08\x00\x00\x00", "truncated|damaged"),
    ],
)
def test_other_and_damaged_files_are_named(tmp_path, content, message):
    path = tmp_path / "mask.any"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=rf"mask\.any: .*({message})"):
        read_mask(path, SHAPE)


def test_nan_is_no_mask(tmp_path):
    np.save(tmp_path / "mask.npy", np.full(SHAPE, np.nan))
    with pytest.raises(SourceError, match="found NaN"):
        read_mask(tmp_path / "mask.npy", SHAPE)
