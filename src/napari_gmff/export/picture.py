"""Pictures of results for people: colours, a footer with scale and legend."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.export.display import COLORMAPS, display_limits, lookup_table
from napari_gmff.marks import AI_MARK

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import ImageFont
    from PIL.Image import Image

    from napari_gmff.export.layout import ImageSpec

_BACKGROUND = (24, 26, 30)
PART_SEPARATOR = " · "
"""Between the parts of a caption, where it may be broken."""

_INK = (235, 235, 235)
_NO_DATA = (90, 90, 90)
_AMBER = (255, 176, 0)
_SMALLEST_FONT_PX = 6
_LEAST_WIDTH_PX = 420
"""The footer needs this much; narrower images get margins."""


@dataclass(frozen=True)
class Legend:
    """What the footer of a picture says.

    Attributes
    ----------
    caption : str
        First line.
    pixel_um : float or None
        Width of a pixel of the picture; None where unknown, which leaves out the scale bar.
    bar : ndarray, (N, 3), uint8, or None
        Colours from left to right, with `ends` below them.
    ends : tuple of str
        What the first and the last colour mean.
    """

    caption: str
    pixel_um: float | None
    bar: NDArray[np.uint8] | None = None
    ends: tuple[str, str] = ("", "")


def colored(
    spec: ImageSpec, pixels: NDArray[Any], provenance: Mapping[str, Any], *, is_rgb: bool
) -> NDArray[np.uint8]:
    """Return an image of a result in colours.

    Parameters
    ----------
    spec : ImageSpec
        The image; of several time points, `pixels` is one. Of a map of several channels the first
        is shown.
    pixels : ndarray, (C)YX
        Small enough for a picture.
    provenance : mapping
        Record of the run.
    is_rgb : bool
        Whether the channels are colour samples, which then are not stretched one by one.

    Returns
    -------
    ndarray, (h, w, 3), uint8
        Grey where there is no data.
    """
    if "c" not in spec.axes:
        pixels = pixels[np.newaxis]
    if spec.kind != "intensity":
        pixels = pixels[:1]  # the colours of maps mean numbers, and cannot be added
    if is_rgb and spec.kind == "intensity" and spec.dtype == np.uint8:
        return np.ascontiguousarray(np.moveaxis(pixels[:3], 0, -1))
    common = _limits(spec, pixels[:3]) if is_rgb else None
    total = np.zeros((*pixels.shape[-2:], 3), np.float32)
    for number, plane in enumerate(pixels):
        if spec.channels[number].name == "alpha":
            continue
        table, limits = lookup_table(spec, number, provenance)
        low, high = limits or common or _limits(spec, plane)
        place = np.nan_to_num((plane.astype(np.float32) - low) / (high - low))
        total += table[np.clip(place * 256, 0, 255).astype(np.uint8)]
    picture = np.clip(np.rint(total), 0, 255).astype(np.uint8)
    picture[np.isnan(pixels).all(axis=0)] = _NO_DATA
    return picture


def legend_bar(
    spec: ImageSpec, provenance: Mapping[str, Any], pixels: NDArray[Any]
) -> tuple[NDArray[np.uint8] | None, tuple[str, str]]:
    """Return the colours of a legend and what its ends mean; none for intensities.

    Parameters
    ----------
    spec, provenance, pixels
        As for `colored`, whose colours these are.
    """
    if spec.kind != "index" and spec.kind not in COLORMAPS:
        return None, ("", "")
    table, limits = lookup_table(spec, 0, provenance)
    if spec.kind in ("difference", "amount"):
        low, high = _limits(spec, pixels[0] if "c" in spec.axes else pixels)
        unit = spec.unit or "grey levels"
        return table, (f"{low:.4g}".replace("-", "−"), f"{high:.4g} {unit}")
    numbers = provenance["slices"]["numbers"]
    if spec.kind == "index":
        return table, (f"slice {numbers[0]}", f"slice {numbers[-1]}")
    low, high = limits or (0.0, 1.0)
    unit = spec.unit or "slice"
    return table, (f"{low:.4g} {unit}", f"{high:.4g} {unit}")


def corner_marked(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Burn the mark of what a model made into the upper left corner of a picture.

    Parameters
    ----------
    picture : ndarray, (h, w, 3), uint8
        As `colored` makes it; stays as it is.

    Returns
    -------
    ndarray, (h, w, 3), uint8
        The mark is at most as wide as the picture, and hides at least what lies below it: a footer
        is cut off sooner than a corner.
    """
    from PIL import Image, ImageDraw

    height, width = picture.shape[:2]
    text = AI_MARK.strip("[]")
    size = max(12, max(height, width) // 60)
    font = _font(size)
    while size > _SMALLEST_FONT_PX and font.getlength(text) + size > width:
        size -= 1
        font = _font(size)
    canvas = Image.fromarray(picture)
    draw = ImageDraw.Draw(canvas)
    box = (0, 0, round(font.getlength(text)) + size, round(1.7 * size))
    draw.rectangle(box, _AMBER)
    draw.text((size // 2, round(0.2 * size)), text, _BACKGROUND, font)
    return np.asarray(canvas)


def framed(picture: NDArray[np.uint8], legend: Legend) -> Image:
    """Put a footer below a picture, whose own pixels stay free of marks.

    Parameters
    ----------
    picture : ndarray, (h, w, 3), uint8
        As `colored` makes it.
    legend : Legend
        What the footer says.

    Returns
    -------
    PIL.Image.Image
        RGB; the picture begins in the first row, in the middle where it is narrower.
    """
    from PIL import Image, ImageDraw

    height, width = picture.shape[:2]
    size = max(14, max(height, width) // 75)
    gap, font = size // 2, _font(size)
    canvas_width = max(width, _LEAST_WIDTH_PX)
    has_second = legend.pixel_um is not None or legend.bar is not None
    lines = _lines(legend.caption, font, canvas_width - 2 * gap)
    footer = 2 * gap + round(1.4 * size) * len(lines) + (2 * size if has_second else 0)
    canvas = Image.new("RGB", (canvas_width, height + footer), _BACKGROUND)
    canvas.paste(Image.fromarray(picture), ((canvas_width - width) // 2, 0))
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(lines):
        draw.text((gap, height + gap + round(1.4 * size) * number), line, _INK, font)
    top = height + gap + round(1.4 * size) * len(lines) + round(0.1 * size)
    part = (canvas_width - 3 * gap) // 2
    if legend.pixel_um is not None:
        length_um = nice_length(legend.pixel_um * min(part, width // 2))
        length_px = round(length_um / legend.pixel_um)
        draw.rectangle((gap, top, gap + length_px - 1, top + size // 3), _INK)
        draw.text((gap, top + size // 2), in_words(length_um), _INK, font)
    if legend.bar is not None:
        left = canvas_width - gap - part
        columns = legend.bar[np.arange(part) * len(legend.bar) // part]
        bar = np.repeat(columns[np.newaxis], size // 2, axis=0)
        canvas.paste(Image.fromarray(bar), (left, top - size // 6))
        draw.text((left, top + size // 2), legend.ends[0], _INK, font)
        end_px = round(draw.textlength(legend.ends[1], font))
        draw.text((left + part - end_px, top + size // 2), legend.ends[1], _INK, font)
    return canvas


def nice_length(longest_um: float) -> float:
    """Return the largest of 1, 2, 5, 10 ... µm (or 0.5, 0.2 ...) that is not longer."""
    power = 10.0 ** math.floor(math.log10(longest_um))
    return next(step * power for step in (5, 2, 1) if step * power <= longest_um * (1 + 1e-9))


def in_words(length_um: float) -> str:
    """Write a length in nm, µm or mm."""
    if length_um < 1:
        return f"{1000 * length_um:.4g} nm"
    return f"{length_um:.4g} µm" if length_um < 1000 else f"{length_um / 1000:.4g} mm"


def _limits(spec: ImageSpec, plane: NDArray[Any]) -> tuple[float, float]:
    values = plane.astype(np.float64).ravel()
    return display_limits(spec, values[np.isfinite(values)])


def _font(size_px: int) -> ImageFont.FreeTypeFont:
    """Return a font that has a micro sign, which Pillow's own has not."""
    import matplotlib
    from PIL import ImageFont

    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(file), size_px)


def _lines(caption: str, font: ImageFont.FreeTypeFont, width_px: int) -> list[str]:
    """Break a caption between its parts: none of them may be lost, they say what is shown."""
    lines: list[str] = []
    for part in caption.split(PART_SEPARATOR):
        longer = f"{lines[-1]}{PART_SEPARATOR}{part}" if lines else part
        if lines and font.getlength(longer) <= width_px:
            lines[-1] = longer
        else:
            lines.append(part)
    return [_cut(line, font, width_px) for line in lines]


def _cut(text: str, font: ImageFont.FreeTypeFont, width_px: int) -> str:
    """Return as much of a text as there is room for."""
    if font.getlength(text) <= width_px:
        return text
    while text and font.getlength(f"{text}…") > width_px:
        text = text[:-1]
    return f"{text}…"
