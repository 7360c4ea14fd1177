"""Window geometry: where to read, what to keep. Knows shapes only, no pixels.

Windows lie on a fixed grid that starts at the image's origin and depends on nothing but the image
size, `block_px` and `halo_px`. A region asked for later meets the same windows, which is why its
result equals the crop of the whole. A grid laid round the region would be cheaper, but StackMFF
V4 averages over its input, so its scores would then change with the region.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Box(NamedTuple):
    """Half-open rectangle in pixels: rows y0 to y1, columns x0 to x1."""

    y0: int
    y1: int
    x0: int
    x1: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.y1 - self.y0, self.x1 - self.x0

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of this rectangle in an array whose last two axes are Y, X."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def shifted(self, dy: int, dx: int) -> Box:
        """Return the rectangle moved by (dy, dx)."""
        return Box(self.y0 + dy, self.y1 + dy, self.x0 + dx, self.x1 + dx)

    def grown(self, margin_px: int, shape_yx: tuple[int, int]) -> Box:
        """Return the rectangle with a margin, as far as a window of `shape_yx` reaches."""
        return Box(
            max(self.y0 - margin_px, 0),
            min(self.y1 + margin_px, shape_yx[0]),
            max(self.x0 - margin_px, 0),
            min(self.x1 + margin_px, shape_yx[1]),
        )

    def intersection(self, other: Box) -> Box | None:
        """Return the common part, None if there is none."""
        y0, y1 = max(self.y0, other.y0), min(self.y1, other.y1)
        x0, x1 = max(self.x0, other.x0), min(self.x1, other.x1)
        return Box(y0, y1, x0, x1) if y0 < y1 and x0 < x1 else None


@dataclass(frozen=True)
class Window:
    """One unit of work.

    Attributes
    ----------
    read : Box
        What the engine sees, in image pixels.
    core : Box
        The part whose result is kept, in image pixels; cores tile the image without overlap.
    """

    read: Box
    core: Box

    @property
    def core_in_window(self) -> Box:
        """The core in pixels of the window."""
        return self.core.shifted(-self.read.y0, -self.read.x0)


def spans(size_px: int, block_px: int, halo_px: int) -> list[tuple[int, int, int, int]]:
    """Lay windows along one axis.

    Parameters
    ----------
    size_px : int
        Length of the axis.
    block_px : int
        Length of a window, halo included. The last one is shifted inward to full length.
    halo_px : int
        Margin dropped on each side that has a neighbour; less than half of `block_px`.

    Returns
    -------
    list of (read_start, read_stop, core_start, core_stop)
    """
    if size_px <= block_px:
        return [(0, size_px, 0, size_px)]
    stride_px = block_px - 2 * halo_px
    result = []
    core_start = 0
    for start in range(0, size_px, stride_px):
        read_start = min(start, size_px - block_px)
        is_last = read_start == size_px - block_px
        core_stop = size_px if is_last else start + block_px - halo_px
        result.append((read_start, read_start + block_px, core_start, core_stop))
        core_start = core_stop
        if is_last:
            break
    return result


def window_grid(shape_yx: tuple[int, int], block_px: int, halo_px: int) -> list[Window]:
    """Lay all windows of an image, row by row.

    Returns
    -------
    list of Window
        Every pixel belongs to exactly one core.
    """
    rows = spans(shape_yx[0], block_px, halo_px)
    columns = spans(shape_yx[1], block_px, halo_px)
    return [
        Window(read=Box(y[0], y[1], x[0], x[1]), core=Box(y[2], y[3], x[2], x[3]))
        for y in rows
        for x in columns
    ]


def tiles(shape_yx: tuple[int, int], tile_px: int) -> Iterator[Box]:
    """Cut a window into tiles of at most `tile_px`, row by row, without overlap."""
    for y0 in range(0, shape_yx[0], tile_px):
        for x0 in range(0, shape_yx[1], tile_px):
            yield Box(y0, min(y0 + tile_px, shape_yx[0]), x0, min(x0 + tile_px, shape_yx[1]))
