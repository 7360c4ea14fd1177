"""The focus index as a label image of NGFF, which viewers lay over the stack."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.errors import OutputError
from napari_gmff.export.ome_zarr import in_ome
from napari_gmff.export.slice_colors import slice_colors
from napari_gmff.export.zarr_arrays import OmeVersion, Region, ZarrLayout, fill
from napari_gmff.provenance import ATTRIBUTE

if TYPE_CHECKING:
    import dask.array as da
    import zarr
    from numpy.typing import NDArray

    from napari_gmff.export.layout import ImageSpec
    from napari_gmff.reading.ome_zarr_metadata import Multiscale
    from napari_gmff.results import FusionResult


@dataclass(frozen=True)
class LabelPlace:
    """What a label image needs to know of the image that it belongs to.

    Attributes
    ----------
    image : Multiscale
        What the image says of itself.
    version : {"0.4", "0.5"}
        Of OME-Zarr.
    shapes : list of tuple of int
        Shape of each level of the image; the label image has as many, of the same height and
        width, as NGFF demands.
    result : str
        Path from the label image to the result.
    name : str
        Of the label image.
    """

    image: Multiscale
    version: OmeVersion
    shapes: list[tuple[int, ...]]
    result: str
    name: str


def write_label(result: FusionResult, folder: Path, place: LabelPlace) -> None:
    """Write the focus index to an empty folder as a label image.

    A label is the number of the slice + 1: viewers show 0 as nothing, and here it is what was not
    fused. The label image is as large as the image it belongs to, whatever part was fused.

    Parameters
    ----------
    result : FusionResult
        Holds ``focus_index``.
    folder : Path
        Exists, and is empty.
    place : LabelPlace
        Of the image.
    """
    import zarr

    layout = ZarrLayout(place.version)
    group = zarr.open_group(str(folder), mode="a", zarr_format=layout.zarr_format)
    spec = _label_spec(result, place)
    image = _level_shapes_yx(place)
    fine = layout.create(group, "0", spec, image[0])
    fill(fine, partial(_labels_of, result.focus_index, spec, _Offset.of(result, spec)))
    for level, shape_yx in enumerate(image[1:], start=1):
        coarse = layout.create(group, str(level), spec, shape_yx)
        fill(coarse, partial(_picked, fine, shape_yx))
        fine = coarse
    ours: Any = {"provenance": result.provenance, "result": place.result}
    facts = {
        "multiscales": [_multiscale(spec, place)],
        "image-label": _image_label(result, place.version),
    }
    group.attrs.update({**in_ome(facts, place.version), ATTRIBUTE: ours})


def list_label(folder: Path, version: OmeVersion) -> None:
    """Add a label image to the list of those that its group has; all else there stays.

    Parameters
    ----------
    folder : Path
        Of the label image, complete.
    version : {"0.4", "0.5"}
        Of OME-Zarr.

    Raises
    ------
    OutputError
        If the list that is there cannot be understood.
    """
    labels = folder.parent
    file = labels / (".zattrs" if version == "0.4" else "zarr.json")
    values: dict[str, Any] = _read(file)
    if version == "0.4":
        facts = values
    else:
        values = values or {"zarr_format": 3, "node_type": "group"}
        facts = values.setdefault("attributes", {}).setdefault("ome", {"version": version})
    listed = facts.setdefault("labels", [])
    if not isinstance(listed, list):
        raise OutputError(f"{file}: its list of labels must be a list, found {listed!r:.100}")
    if folder.name not in listed:
        listed.append(folder.name)
        _replace(file, json.dumps(values, indent=2, ensure_ascii=False))
    if version == "0.4" and not (labels / ".zgroup").is_file():
        _replace(labels / ".zgroup", '{"zarr_format": 2}')


@dataclass(frozen=True)
class _Offset:
    """Where in the stack the pixels of a result lie: its time points, row and column."""

    times: tuple[int, ...]
    y: int
    x: int

    @classmethod
    def of(cls, result: FusionResult, spec: ImageSpec) -> _Offset:
        region = result.provenance["parameters"].get("region")
        y, x = (region[0][0], region[1][0]) if region else (0, 0)
        times = tuple(result.provenance["times"]) if "t" in spec.axes else (0,)
        return cls(times, y, x)


def _label_spec(result: FusionResult, place: LabelPlace) -> ImageSpec:
    index = result.images["focus_index"]
    source = result.provenance["source"]
    lengths = dict(zip(source["axes"], source["shape"], strict=True))
    axes, leading = index.axes.replace("t", ""), index.shape[-3:-2] if "c" in index.axes else ()
    if lengths["T"] > 1:
        axes, leading = f"t{axes}", (lengths["T"], *leading)
    highest = max(result.provenance["slices"]["numbers"]) + 1
    return replace(
        index,
        name="label",
        axes=axes,
        shape=(*leading, *_level_shapes_yx(place)[0]),
        dtype=np.dtype(np.min_scalar_type(highest)),
        title=place.name,
    )


def _level_shapes_yx(place: LabelPlace) -> list[tuple[int, int]]:
    letters = [axis.lower() for axis, _ in place.image.axes]
    y, x = letters.index("y"), letters.index("x")
    return [(shape[y], shape[x]) for shape in place.shapes]


def _labels_of(index: da.Array, spec: ImageSpec, offset: _Offset, region: Region) -> NDArray[Any]:
    """Return the labels of a part of the stack, 0 where the result has no pixels."""
    *leading, rows, columns = region
    labels = np.zeros((rows.stop - rows.start, columns.stop - columns.start), spec.dtype)
    if "t" in spec.axes:
        if leading[0] not in offset.times:
            return labels
        time = offset.times.index(leading[0])
        leading = [time, *leading[1:]] if len(offset.times) > 1 else leading[1:]
    height, width = index.shape[-2:]
    y0, y1 = max(rows.start, offset.y), min(rows.stop, offset.y + height)
    x0, x1 = max(columns.start, offset.x), min(columns.stop, offset.x + width)
    if y0 < y1 and x0 < x1:
        place = (slice(y0 - offset.y, y1 - offset.y), slice(x0 - offset.x, x1 - offset.x))
        block = np.asarray(index[(*leading, *place)])
        target = (
            slice(y0 - rows.start, y1 - rows.start),
            slice(x0 - columns.start, x1 - columns.start),
        )
        labels[target] = block.astype(spec.dtype) + spec.dtype.type(1)
    return labels


def _picked(fine: zarr.Array[Any], shape_yx: tuple[int, int], region: Region) -> NDArray[Any]:
    """Return part of a coarser level: a mean of two slice numbers would be a third slice."""
    *leading, rows, columns = region
    picks = [
        np.arange(part.start, part.stop) * side // length
        for part, side, length in zip((rows, columns), fine.shape[-2:], shape_yx, strict=True)
    ]
    whole = tuple(slice(int(pick[0]), int(pick[-1]) + 1) for pick in picks)
    block = np.asarray(fine[(*leading, *whole)])
    return block[np.ix_(*(pick - pick[0] for pick in picks))]


def _multiscale(spec: ImageSpec, place: LabelPlace) -> dict[str, Any]:
    """Say where the label image lies: each level exactly where the image's own lies."""
    facts = place.image.group.attrs.asdict()
    found: Any = facts.get("ome", facts)
    own: Mapping[str, Any] = found["multiscales"][0]
    names = [axis.lower() for axis, _ in place.image.axes]
    axes = [
        own["axes"][names.index(axis)] if axis in names else {"name": "c", "type": "channel"}
        for axis in spec.axes
    ]

    def kept(transforms: Any) -> list[dict[str, Any]]:
        return [
            {"type": kind, kind: [
                float(one[kind][names.index(axis)]) if axis in names else float(kind == "scale")
                for axis in spec.axes
            ]}
            for one in transforms
            if (kind := one.get("type")) in ("scale", "translation")
        ]  # fmt: skip

    datasets = [
        {"path": str(level), "coordinateTransformations": kept(one["coordinateTransformations"])}
        for level, one in enumerate(own["datasets"])
    ]
    multiscale = {"name": spec.title, "axes": axes, "datasets": datasets, "type": "nearest"}
    if own.get("coordinateTransformations"):
        multiscale["coordinateTransformations"] = kept(own["coordinateTransformations"])
    return multiscale if place.version == "0.5" else {**multiscale, "version": place.version}


def _image_label(result: FusionResult, version: OmeVersion) -> dict[str, Any]:
    slices = result.provenance["slices"]
    numbers, z_um = slices["numbers"], slices.get("z_um")
    colors = np.rint(255 * slice_colors(numbers[-1] - numbers[0] + 1)).astype(int)
    properties = []
    for position, number in enumerate(numbers):
        entry = {"label-value": number + 1, "slice": number}
        properties.append(entry if z_um is None else {**entry, "z_um": z_um[position]})
    return {
        "version": version,
        "colors": [
            {"label-value": number + 1, "rgba": colors[number - numbers[0]].tolist()}
            for number in numbers
        ],
        "properties": properties,
        "source": {"image": "../../"},
    }


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise OutputError(f"{file}: lists the labels that are there, and is not readable JSON")
    return values


def _replace(file: Path, text: str) -> None:
    """Write a small file that is never half there, nor gone for a moment."""
    new = file.with_name(f".{file.name}.partial-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with new.open("w", encoding="utf-8") as stream:
            stream.write(text + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(file)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
