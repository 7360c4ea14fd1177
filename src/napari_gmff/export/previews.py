"""Previews of a result as PNG or JPEG files, to be looked at and put on slides."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_gmff.errors import ParameterError
from napari_gmff.export.atomic import check_output, staging
from napari_gmff.export.descriptions import description_of
from napari_gmff.export.layout import file_stem
from napari_gmff.export.picture import (
    PART_SEPARATOR,
    Legend,
    colored,
    corner_marked,
    framed,
    legend_bar,
)
from napari_gmff.export.pyramid import halved_by_choice, halved_by_mean, is_averaged
from napari_gmff.export.source_type import mark_texts, source_type_of, xmp_packet
from napari_gmff.export.working import CHUNK_PX
from napari_gmff.marks import AI_MARK, unmarked

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from napari_gmff.export.layout import ImageSpec
    from napari_gmff.stored_images import StoredImages

PreviewFormat = Literal["png", "jpeg"]

PREVIEWED = ("fused", "focus_index", "depth")
"""Images of a fusion that get a preview, where there are any."""

PREVIEWED_RESTORED = ("restored", "fused", "difference", "spread", "contradiction")
"""The same of a restoration."""

_ENDINGS = {"png": ".png", "jpeg": ".jpg"}
_FORMAT_ENDINGS = (".ome.zarr", ".zarr", ".ome-tiff", ".imagej")
_SMALLEST_PX, _LARGEST_PX = 64, 16384


def preview_paths(
    out: str | Path, format: PreviewFormat, names: Sequence[str] = PREVIEWED
) -> dict[str, Path]:
    """Return the files of previews by image name.

    Parameters
    ----------
    out : str or Path
        Folder of the result; the previews lie beside it, since a folder of OME-Zarr holds nothing
        else. ``moth.ome.zarr`` has ``moth.fused.png``.
    format : {"png", "jpeg"}
        Of the files.
    names : sequence of str
        Images that get one: `PREVIEWED`, or `PREVIEWED_RESTORED` of a restoration, whose generated
        ones are called ``moth.ai-restored.png``.

    Raises
    ------
    ParameterError
        If there is no such format.
    """
    if format not in _ENDINGS:
        raise ParameterError(f"preview: must be png or jpeg, got {format!r}")
    path = Path(out)
    ending = next((end for end in _FORMAT_ENDINGS if path.name.lower().endswith(end)), "")
    stem = path.name[: len(path.name) - len(ending)] or path.name
    suffix = _ENDINGS[format]
    return {name: path.with_name(f"{stem}.{file_stem(name)}{suffix}") for name in names}


def check_previews(
    out: str | Path,
    format: PreviewFormat,
    longest_px: int,
    overwrite: bool,
    names: Sequence[str] = PREVIEWED,
) -> None:
    """Check that previews may be written; see `write_previews` for the errors."""
    if not _SMALLEST_PX <= longest_px <= _LARGEST_PX:
        raise ParameterError(
            f"preview_px: must be from {_SMALLEST_PX} to {_LARGEST_PX}, got {longest_px}"
        )
    for path in preview_paths(out, format, names).values():
        check_output(path, overwrite, is_file=True)


def write_previews(
    result: StoredImages,
    out: str | Path,
    *,
    format: PreviewFormat = "png",
    longest_px: int = 2048,
    overwrite: bool = False,
    names: Sequence[str] = PREVIEWED,
    corner_mark: bool = True,
) -> list[Path]:
    """Write previews; see `StoredImages.save_previews` and `RestorationResult.save_previews`."""
    check_previews(out, format, longest_px, overwrite, names)
    written = []
    for name, path in preview_paths(out, format, names).items():
        if name in result.images:
            spec = result.images[name]
            picture, pixel_um = _picture(result, spec, longest_px, corner_mark)
            texts = _texts(spec, result.provenance)
            xmp = xmp_packet(spec, texts["Title"], texts["Description"])
            with staging(path, overwrite, is_file=True) as partial:
                _save(picture, partial, format, pixel_um, texts, xmp)
            written.append(path)
    return written


def _picture(
    result: StoredImages, spec: ImageSpec, longest_px: int, corner_mark: bool
) -> tuple[Image, float | None]:
    pixels, pixel_um = reduced(result, spec, longest_px)
    is_rgb = result.geometry.is_rgb and spec.kind == "intensity"
    picture = colored(spec, pixels, result.provenance, is_rgb=is_rgb)
    if corner_mark and spec.is_generated:
        picture = corner_marked(picture)
    bar, ends = legend_bar(spec, result.provenance, pixels)
    caption = _caption(spec, result.provenance)
    return framed(picture, Legend(caption, pixel_um, bar, ends)), pixel_um


def reduced(
    result: StoredImages, spec: ImageSpec, longest_px: int
) -> tuple[NDArray[Any], float | None]:
    """Return the first time point of an image in a size to be looked at, with square pixels.

    Parameters
    ----------
    result : StoredImages
        Saved or not; what has no pyramid is read block by block.
    spec : ImageSpec
        The image.
    longest_px : int
        Longest side; images that are smaller are not enlarged, but for their pixels to be square.

    Returns
    -------
    pixels : ndarray, (C)YX
        Intensities are averaged, float32; slice numbers and depths are picked, so that none is
        made up.
    pixel_um : float or None
        Side of these pixels; None where unknown.
    """
    level = 0
    while max(spec.shape_yx) // 2 ** (level + 1) >= longest_px:
        level += 1
    pixels = _level(result, spec, level)
    y_um, x_um = result.geometry.pixel_size_um
    is_known = y_um is not None and x_um is not None
    height, width = spec.shape_yx
    size_um = (height * (y_um or 1.0), width * (x_um or 1.0)) if is_known else (height, width)
    finest_um = min(y_um or 1.0, x_um or 1.0) if is_known else 1.0
    pixel = max(finest_um, max(size_um) / longest_px)
    shape_yx = (max(1, round(size_um[0] / pixel)), max(1, round(size_um[1] / pixel)))
    planes = pixels if "c" in spec.axes else pixels[np.newaxis]
    resized = np.stack([_resized(plane, shape_yx, spec) for plane in planes])
    return resized if "c" in spec.axes else resized[0], pixel if is_known else None


def _level(result: StoredImages, spec: ImageSpec, level: int) -> NDArray[Any]:
    """Return the first time point at a pyramid level, (C)YX, made here if it is not stored."""
    first = (0,) if "t" in spec.axes else ()
    try:
        return np.asarray(result.image(spec.name, level)[first])
    except ParameterError:
        finest = result.image(spec.name)[first]
    reduce = halved_by_mean if is_averaged(spec) else halved_by_choice
    step = CHUNK_PX * 2 ** max(0, level - 1)
    rows = []
    for y in range(0, spec.shape_yx[0], step):
        blocks = []
        for x in range(0, spec.shape_yx[1], step):
            block = np.asarray(finest[..., y : y + step, x : x + step])
            planes = block.reshape(-1, *block.shape[-2:])
            for _ in range(level):
                planes = np.stack([reduce(plane) for plane in planes])
            blocks.append(planes.reshape(*block.shape[:-2], *planes.shape[-2:]))
        rows.append(np.concatenate(blocks, axis=-1))
    return np.concatenate(rows, axis=-2)


def _resized(plane: NDArray[Any], shape_yx: tuple[int, int], spec: ImageSpec) -> NDArray[Any]:
    from PIL import Image

    if plane.shape == shape_yx:
        return plane
    if spec.kind == "intensity":
        image = Image.fromarray(plane.astype(np.float32))
        values = np.asarray(image.resize(shape_yx[::-1], Image.Resampling.BOX))
        return np.rint(values).astype(spec.dtype) if spec.dtype.kind in "iu" else values
    picks = [
        np.arange(length) * side // length
        for length, side in zip(shape_yx, plane.shape, strict=True)
    ]
    return plane[np.ix_(*picks)]


def _caption(spec: ImageSpec, provenance: Mapping[str, Any]) -> str:
    parts = [str(provenance["source"]["name"]), unmarked(spec.title)]
    if spec.kind != "intensity" and spec.n_channels > 1:
        parts.append(f"{spec.channels[0].name}, the first of {spec.n_channels} channels")
    if spec.kind == "intensity" and not provenance.get("pixels_copied", True):
        parts.append(f"blended by {provenance['engine']}, not measured values")
    corrected = provenance.get("corrections", {}).get("n_pixels")
    if corrected and not spec.is_generated:
        parts.append(f"{corrected} pixels corrected by hand")
    if spec.n_times > 1:
        parts.append(f"time point {provenance['times'][0]}, the first of {spec.n_times}")
    if spec.is_generated:
        # A part of its own: parts are broken into lines, and what is too long is cut off.
        parts.append(AI_MARK)
    return PART_SEPARATOR.join(parts)


def _texts(spec: ImageSpec, provenance: Mapping[str, Any]) -> dict[str, str]:
    source_type = source_type_of(spec)
    return {
        "Title": _caption(spec, provenance),
        "Description": description_of(spec, provenance),
        "Software": f"{provenance.get('program', '')} {provenance.get('version', '')}".strip(),
        "Provenance": json.dumps(provenance, ensure_ascii=False),
        **({"DigitalSourceType": source_type} if source_type else {}),
        # Of the keywords that the PNG specification lists, the one for such notices.
        **({"Disclaimer": mark_texts(spec)["Notice"]} if spec.is_generated else {}),
    }


def _save(
    picture: Image,
    file: Path,
    format: PreviewFormat,
    pixel_um: float | None,
    texts: Mapping[str, str],
    xmp: bytes | None,
) -> None:
    if format == "png":
        from PIL.PngImagePlugin import PngInfo

        info = PngInfo()
        for key, text in texts.items():
            info.add_itxt(key, text, zip=len(text) > 1000)
        if xmp is not None:
            info.add_itxt("XML:com.adobe.xmp", xmp.decode())
        per_inch = None if pixel_um is None else (25400 / pixel_um, 25400 / pixel_um)
        picture.save(file, format="PNG", pnginfo=info, **({"dpi": per_inch} if per_inch else {}))
        return
    from PIL import Image
    from PIL.ExifTags import Base

    exif = Image.Exif()
    exif[Base.ImageDescription] = _ascii(f"{texts['Title']}. {texts['Description']}")
    exif[Base.Software] = texts["Software"]
    if pixel_um is not None:
        per_cm = 1e4 / pixel_um
        exif[Base.XResolution] = exif[Base.YResolution] = per_cm
        exif[Base.ResolutionUnit] = 3
    # A comment ends at 64 KB, and the record of many time points is longer.
    comment = texts["Provenance"].encode()
    options: dict[str, Any] = {"comment": comment} if len(comment) < 2**16 - 2 else {}
    if xmp is not None:
        options["extra"] = _jpeg_segment(b"http://ns.adobe.com/xap/1.0/\0" + xmp)
    picture.save(file, format="JPEG", quality=92, subsampling=0, exif=exif, **options)


def _jpeg_segment(content: bytes) -> bytes:
    """Return an APP1 segment; Pillow before 11 knows none for XMP."""
    return b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content


def _ascii(text: str) -> str:
    """Return what EXIF can hold: its texts know no other letters."""
    return text.replace("µ", "u").replace("·", "-").encode("ascii", "replace").decode()
