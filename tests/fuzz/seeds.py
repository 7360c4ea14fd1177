"""A small valid source of every format: what the damaged files are made from.

A source is held as the contents of its files by name, so that it can be damaged in memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
import zarr

from tests.reading.made_tiffs import write_lsm, write_mmstack, write_ndtiff, write_stk
from tests.reading.made_vendor_files import write_czi, write_lif, write_nd2
from tests.stacks import textured

Files = dict[str, bytes]
"""Contents by name within a folder, in the order of names."""

SHAPE_YX = (32, 40)
STACK = textured((3, *SHAPE_YX))


def _tiff(folder: Path, name: str = "a.tif", data: np.ndarray = STACK, **options: Any) -> str:
    wanted = {"photometric": "minisblack", "metadata": {"axes": "ZYX"}} | options
    tifffile.imwrite(folder / name, data, **wanted)
    return name


def _pyramid(folder: Path) -> str:
    with tifffile.TiffWriter(folder / "a.ome.tif") as writer:
        options: dict[str, Any] = {"tile": (16, 16), "photometric": "minisblack"}
        writer.write(STACK, subifds=1, metadata={"axes": "ZYX"}, compression="zlib", **options)
        writer.write(STACK[:, ::2, ::2], subfiletype=1, **options)
    return "a.ome.tif"


def _pixels(files: str, n_slices: int = 3) -> str:
    height, width = SHAPE_YX
    return (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:0">'
        '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" '
        f'SizeX="{width}" SizeY="{height}" SizeZ="{n_slices}" SizeC="1" SizeT="1" '
        f'PhysicalSizeX="0.5" PhysicalSizeY="0.5" PhysicalSizeZ="2">{files}</Pixels></Image></OME>'
    )


def _linked() -> str:
    return _pixels(
        "".join(
            f'<TiffData IFD="0" FirstZ="{z}" PlaneCount="1">'
            f'<UUID FileName="z{z}.ome.tif">urn:uuid:{z}</UUID></TiffData>'
            for z in range(len(STACK))
        )
    )


def _several_files(folder: Path) -> str:
    for z, plane in enumerate(STACK):
        text = _linked().replace("urn:uuid:0", f"urn:uuid:{z}", 1)
        _tiff(folder, f"z{z}.ome.tif", plane, metadata=None, description=text.encode())
    return "z0.ome.tif"


def _companion(folder: Path) -> str:
    for z, plane in enumerate(STACK):
        text = (
            f'<OME UUID="urn:uuid:{z}"><BinaryOnly MetadataFile="a.companion.ome" UUID="u"/></OME>'
        )
        _tiff(folder, f"z{z}.ome.tif", plane, metadata=None, description=text.encode())
    (folder / "a.companion.ome").write_text(_linked())
    return "a.companion.ome"


def _colour(folder: Path) -> str:
    data = textured((3, 3, *SHAPE_YX), "uint8").transpose(1, 0, 2, 3)
    return _tiff(folder, data=data, photometric="rgb", planarconfig="separate", compression="lzw")


def _zarr(version: int, **options: Any) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        root = zarr.open_group(folder / "a.zarr", mode="w", zarr_format=version)
        _write_image(root, version, **options)
        return "a.zarr"

    return write


def _write_image(group: Any, version: int, **options: Any) -> None:
    level = {"path": "0"}
    level |= {"coordinateTransformations": [{"type": "scale", "scale": [2.0, 0.5, 0.5]}]}
    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"]
    image = {"axes": axes, "datasets": [level], "name": "image"}
    channels = {"channels": [{"label": "GFP", "color": "00FF00"}]}
    facts: dict[str, Any] = {"multiscales": [image], "omero": channels}
    if version == 2:
        image["version"] = "0.4"
        group.attrs.update(facts)
    else:
        group.attrs["ome"] = {"version": "0.5"} | facts
    wanted = {"chunks": (1, 16, 20)} | options
    group.create_array("0", data=STACK, **wanted)


def _zarr_groups(folder: Path) -> str:
    root = zarr.open_group(folder / "a.zarr", mode="w", zarr_format=2)
    root.attrs["bioformats2raw.layout"] = 3
    for number in range(2):
        _write_image(root.create_group(str(number)), 2)
    return "a.zarr"


def _plate(folder: Path) -> str:
    root = zarr.open_group(folder / "a.zarr", mode="w", zarr_format=3)
    wells = [{"path": "A/1", "rowIndex": 0, "columnIndex": 0}]
    root.attrs["ome"] = {"version": "0.5", "plate": {"wells": wells}}
    well = root.create_group("A/1")
    well.attrs["ome"] = {"version": "0.5", "well": {"images": [{"path": "0"}]}}
    _write_image(well.create_group("0"), 3)
    return "a.zarr"


def _images(kind: str, encode: Callable[[np.ndarray], bytes], data: np.ndarray) -> Any:
    def write(folder: Path) -> str:
        inside = folder / "slices"
        inside.mkdir()
        for z, plane in enumerate(data):
            (inside / f"z{z}.{kind}").write_bytes(encode(np.ascontiguousarray(plane)))
        return "slices"

    return write


def _tiff_images(folder: Path) -> str:
    (folder / "slices").mkdir()
    for z, plane in enumerate(STACK):
        _tiff(folder / "slices", f"z{z}.tif", plane, metadata=None, compression="zlib")
    return "slices"


def _mmstack(folder: Path) -> str:
    planes = {(0, z, 0, 0): plane for z, plane in enumerate(STACK)}
    summary = {"Slices": 3, "Channels": 1, "Positions": 1, "z-step_um": 0.5, "PixelSize_um": 0.1}
    return write_mmstack(folder / "a_MMStack.ome.tif", planes, summary).name


def _ndtiff(folder: Path) -> str:
    planes = [({"z": z}, plane, {"PixelSizeUm": 0.2}) for z, plane in enumerate(STACK)]
    return write_ndtiff(folder / "nd", planes, {"z-step_um": 0.5}).name


def _lsm(folder: Path) -> str:
    data = textured((3, 3, *SHAPE_YX), "uint8").transpose(1, 0, 2, 3)
    return write_lsm(folder / "a.lsm", data, (5e-7, 1e-7, 1e-7)).name


def _result(folder: Path) -> str:
    from napari_gmff import fuse, read_stack

    with fuse(read_stack(STACK, axes="ZYX"), engine="laplacian-energy") as result:
        result.save(folder / "fused.ome.zarr")
    return "fused.ome.zarr"


def _encoded(codec: str, data: np.ndarray = STACK, **options: Any) -> Callable[[Path], str]:
    return lambda folder: _tiff(folder, data=data, compression=codec, **options)


_GREY = textured((3, *SHAPE_YX), "uint8")
_RGB = np.moveaxis(textured((3, 3, *SHAPE_YX), "uint8"), 0, -1)

_VENDORS: dict[str, tuple[str, Callable[[Path], str]]] = {
    "lif": ("liffile", lambda folder: write_lif(folder / "a.lif", {"a": STACK[:, None]}).name),
    "nd2": ("nd2", lambda folder: write_nd2(folder / "a.nd2", STACK[None, ..., None]).name),
    "czi": ("pylibCZIrw", lambda folder: write_czi(folder / "a.czi", STACK[None, None]).name),
}
"""Formats that are read where their package is installed."""

WRITERS: dict[str, Callable[[Path], str]] = {
    "ome-tiff": lambda folder: _tiff(folder, "a.ome.tif", ome=True),
    "ome-tiff-pyramid": _pyramid,
    "ome-tiff-files": _several_files,
    "companion": _companion,
    "imagej": lambda folder: _tiff(folder, imagej=True, metadata={"axes": "ZYX", "spacing": 2.0}),
    "plain-tiff": lambda folder: _tiff(folder, metadata=None),
    "bigtiff": lambda folder: _tiff(folder, bigtiff=True, compression="zlib", rowsperstrip=8),
    "big-endian": lambda folder: _tiff(folder, byteorder=">", rowsperstrip=8),
    "colour-tiff": _colour,
    "tiff-jpeg": _encoded("jpeg", _GREY, tile=(16, 16)),
    "tiff-zstd": _encoded("zstd", tile=(16, 16)),
    "tiff-packbits": _encoded("packbits", _GREY),
    "tiff-jpeg2000": _encoded("jpeg2000", _GREY, tile=(32, 32)),
    "tiff-images": _tiff_images,
    "png-images": _images("png", imagecodecs.png_encode, STACK),
    "png-colour": _images("png", imagecodecs.png_encode, _RGB),
    "jpeg-images": _images("jpg", imagecodecs.jpeg8_encode, _GREY),
    "jpeg-colour": _images("jpg", imagecodecs.jpeg8_encode, _RGB),
    "zarr-0.4": _zarr(2),
    "zarr-0.5": _zarr(3),
    "zarr-sharded": _zarr(3, shards=(3, 32, 40)),
    "zarr-groups": _zarr_groups,
    "zarr-plate": _plate,
    "result": _result,
    "mmstack": _mmstack,
    "ndtiff": _ndtiff,
    "stk": lambda folder: write_stk(folder / "a.stk", STACK, distance=1.5).name,
    "lsm": _lsm,
}

WRITERS |= {name: write for name, (package, write) in _VENDORS.items() if find_spec(package)}


@cache
def seed(format: str) -> tuple[str, Files]:
    """Return a small valid source.

    Returns
    -------
    str
        Name of the file or folder to open.
    dict of str to bytes
        All its files.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        opened = WRITERS[format](folder)
        found = sorted(path for path in folder.rglob("*") if path.is_file())
        return opened, {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def write_files(folder: Path, files: Files) -> None:
    """Write the files of a source into a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
