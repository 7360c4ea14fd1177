"""Pictures for people: images side by side with captions, as PNG."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_gmff.export.atomic import staging

RgbImage = NDArray[np.uint8]

_CAPTION_PX = 26
_GAP_PX = 8
_BACKGROUND = (24, 26, 30)

# Colours of equal steps in lightness from dark violet to yellow, readable with every common
# colour vision. Interpolated between; own choice of anchors in the manner of "viridis".
_ANCHORS = np.array(
    [
        (68, 1, 84),
        (65, 62, 133),
        (48, 104, 141),
        (32, 143, 140),
        (58, 186, 118),
        (145, 214, 67),
        (253, 231, 37),
    ],
    dtype=np.float64,
)


@dataclass(frozen=True)
class Tile:
    """One picture of a panel: its caption and (h, w, 3) uint8 pixels."""

    caption: str
    image: RgbImage


def grey(image: NDArray[Any], low: float, high: float) -> RgbImage:
    """Map low...high to black...white."""
    level = _level(image, low, high)
    return np.repeat(np.rint(255 * level).astype(np.uint8)[..., None], 3, axis=-1)


def colored(image: NDArray[Any], low: float | None = None, high: float | None = None) -> RgbImage:
    """Map low...high (the image's own range by default) to a colour scale."""
    low = float(np.nanmin(image)) if low is None else low
    high = float(np.nanmax(image)) if high is None else high
    place = _level(image, low, high) * (len(_ANCHORS) - 1)
    channels = [np.interp(place, np.arange(len(_ANCHORS)), _ANCHORS[:, c]) for c in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def draw_panel(tiles: list[Tile], path: Path, *, columns: int, width_px: int = 480) -> None:
    """Write tiles of equal size row by row.

    Parameters
    ----------
    tiles : list of Tile
        All of the same shape.
    path : Path
        PNG file, replaced if it exists, whole or not at all.
    columns : int
        Tiles in a row.
    width_px : int
        Width of each tile; larger images are averaged down to it.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    from PIL import Image, ImageDraw, ImageFont

    height, width = tiles[0].image.shape[:2]
    size = (min(width, width_px), round(height * min(width, width_px) / width))
    rows = -(-len(tiles) // columns)
    cell = (size[0] + _GAP_PX, size[1] + _CAPTION_PX + _GAP_PX)
    panel = Image.new("RGB", (columns * cell[0] + _GAP_PX, rows * cell[1] + _GAP_PX), _BACKGROUND)
    draw = ImageDraw.Draw(panel)
    font = ImageFont.load_default(size=15)
    for number, tile in enumerate(tiles):
        x = _GAP_PX + (number % columns) * cell[0]
        y = _GAP_PX + (number // columns) * cell[1]
        # Pillow's own font has no micro sign and would draw an empty box.
        caption = tile.caption.replace("µ", "u")
        draw.text((x + 2, y + 3), caption, fill=(235, 235, 235), font=font)
        image = Image.fromarray(tile.image).resize(size, Image.Resampling.BOX)
        panel.paste(image, (x, y + _CAPTION_PX))
    with staging(path, overwrite=True, is_file=True) as partial:
        panel.save(partial, format="PNG", optimize=True)


def _level(image: NDArray[Any], low: float, high: float) -> NDArray[np.float64]:
    span = high - low if high > low else 1.0
    return np.clip(np.nan_to_num((image.astype(np.float64) - low) / span), 0, 1)
