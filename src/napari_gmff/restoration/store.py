"""The temporary store of a restoration: everything as fused first, then what was restored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.export.atomic import translate_os_errors
from napari_gmff.export.working import CHUNK_PX, create_working_store, level_array, store_root
from napari_gmff.windows import Box, tiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_gmff.export.layout import ImageSpec
    from napari_gmff.restoration.part_work import RestoredPart
    from napari_gmff.restoration.parts import PartSource

COPIES = ("fused", "restored", "restored_mean")
"""Images that equal the fused one where nothing is restored; all others are 0 there."""


class RestorationStore:
    """Writes the images of a restoration; places are those of the fused image.

    Parameters
    ----------
    folder : Path
        Empty.
    specs : mapping of str to ImageSpec
        What the result holds.
    source : PartSource
        Time points and region of the fused image that it holds.
    """

    def __init__(self, folder: Path, specs: Mapping[str, ImageSpec], source: PartSource) -> None:
        self._specs, self._source = specs, source
        group = create_working_store(folder, specs.values())
        self._root = store_root(group)
        self._arrays = {name: level_array(group, name) for name in specs}
        self._in_mask = np.zeros(source.region.shape, bool)
        self._changed = np.zeros(source.region.shape, bool)

    @property
    def copies(self) -> list[str]:
        """Which of the images start as a copy of the fused one."""
        return [name for name in COPIES if name in self._specs]

    def iter_copy(self, time: int) -> Iterator[None]:
        """Copy one time point of the fused image, bit for bit; yields after each block."""
        region = self._source.region
        spec = self._specs["fused"]
        channels = tuple(range(spec.n_channels))
        for tile in tiles(region.shape, CHUNK_PX):
            box = tile.shifted(region.y0, region.x0)
            pixels = self._source.pixels(time, channels, box)
            for name in self.copies:
                self._write(name, time, channels, box, pixels)
            yield

    def write_part(self, restored: RestoredPart) -> None:
        """Write what was restored, as far as the result holds it.

        Parts of one time point may overlap, as channels do: their masks are joined, and of
        contradictions the largest counts.
        """
        part, region = restored.part, self._source.region
        box = part.box.intersection(region)
        assert box is not None
        within = box.shifted(-part.box.y0, -part.box.x0).slices
        for name, block in restored.images().items():
            self._write(name, part.time, part.channels, box, block[(slice(None), *within)])
        local = box.shifted(-region.y0, -region.x0).slices
        self._in_mask[local] |= restored.inside[within]
        self._changed[local] |= restored.changed[within]
        mask = self._in_mask[local].astype(np.uint8)
        self._write("restoration_mask", part.time, (), box, mask)
        if restored.contradiction is not None:
            index = self._index("contradiction", part.time, None, box)
            earlier = np.asarray(self._arrays["contradiction"][index])
            most = np.maximum(earlier, restored.contradiction[within])
            self._write("contradiction", part.time, (), box, most)

    def counts(self) -> tuple[int, int, int]:
        """Return the pixels of a time point, those in its mask, and those that changed.

        Counting starts again with the next one.
        """
        found = self._in_mask.size, int(self._in_mask.sum()), int(self._changed.sum())
        self._in_mask[:] = self._changed[:] = False
        return found

    def _write(
        self, name: str, time: int, channels: tuple[int, ...], box: Box, block: NDArray[Any]
    ) -> None:
        """Write a block (C, h, w), or (h, w) of an image without channels.

        Raises
        ------
        OutputError
            If the disk is full or the store cannot be written.
        """
        array = self._arrays[name]
        if block.dtype != array.dtype:
            raise ValueError(f"block of {name} must be {array.dtype}, got {block.dtype}")
        with translate_os_errors(self._root):
            if block.ndim == 2:
                array[self._index(name, time, None, box)] = block
                return
            for channel, plane in zip(channels, block, strict=True):
                array[self._index(name, time, channel, box)] = plane

    def _index(
        self, name: str, time: int, channel: int | None, box: Box
    ) -> tuple[int | slice, ...]:
        axes, region = self._specs[name].axes, self._source.region
        leading: tuple[int, ...] = (self._source.times.index(time),) if "t" in axes else ()
        if "c" in axes and channel is not None:
            leading = (*leading, channel)
        return (*leading, *box.shifted(-region.y0, -region.x0).slices)
