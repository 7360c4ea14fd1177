"""Step 4 of the data flow: one window from scores to finished blocks."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.blended_pixels import blend_pixels
from napari_gmff.engines.registry import naming_engine, preserves_pixels
from napari_gmff.selection import Selection, SliceSelector, as_channels, gather, refined_depth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.engines.base import AnyEngine, BlendEngine, FocusEngine
    from napari_gmff.export.layout import ImageSpec
    from napari_gmff.plan import FusionPlan
    from napari_gmff.scores import TileScores
    from napari_gmff.window_reader import WindowReader
    from napari_gmff.windows import Box, Window


@dataclass(frozen=True)
class FusedWindow:
    """Finished part of the result.

    Attributes
    ----------
    place : tuple of slice
        Rows and columns in the result (which starts at the region's corner).
    blocks : dict of str to ndarray
        By image name; (C, h, w) or (h, w) as the image's axes say.
    invalid_voxels : int
        How many source voxels of this part are not finite.
    """

    place: tuple[slice, slice]
    blocks: dict[str, NDArray[Any]]
    invalid_voxels: int


def fuse_window(
    engine: AnyEngine,
    reader: WindowReader,
    plan: FusionPlan,
    window: Window,
    specs: dict[str, ImageSpec],
    z_um: NDArray[np.float64] | None,
    ordered: bool,
) -> Generator[FusedWindow | None, None, None]:
    """Score a window, choose slices, and copy the chosen pixels; or let a blend compute them.

    Yields
    ------
    FusedWindow or None
        None after each step of the engine and each slice copied, then the finished part.
    """
    kept = window.core.intersection(plan.region)
    assert kept is not None
    within = kept.shifted(-window.read.y0, -window.read.x0)
    parts: list[dict[str, NDArray[Any]]] = []
    invalid_voxels = 0
    for part in reader.parts():
        if preserves_pixels(engine):
            maps = _Maps(plan, z_um, ordered, engine)
            blocks = yield from _chosen_blocks(engine, part, window, within, maps, specs)
        else:
            blocks = yield from _blended_blocks(engine, part, window, within, specs)
        parts.append({name: block for name, block in blocks.items() if name in specs})
        invalid_voxels += sum(int(mask[within.slices].sum()) for mask in part.invalid.values())
    place = kept.shifted(-plan.region.y0, -plan.region.x0).slices
    together = {name: _together([part[name] for part in parts], specs[name]) for name in parts[0]}
    yield FusedWindow(place, together, invalid_voxels)


def _together(blocks: list[NDArray[Any]], spec: ImageSpec) -> NDArray[Any]:
    """Join what was made channel by channel, as the image's axes say."""
    if "c" not in spec.axes:
        (block,) = blocks
        return block[0] if block.ndim == 3 else block
    return np.concatenate([block if block.ndim == 3 else block[None] for block in blocks])


def _chosen_blocks(
    engine: FocusEngine,
    reader: WindowReader,
    window: Window,
    within: Box,
    maps: _Maps,
    specs: dict[str, ImageSpec],
) -> Generator[None, None, dict[str, NDArray[Any]]]:
    """Choose slices and copy from them; maps are (h, w), intensities (C, h, w)."""
    # An engine's scratch files must go when a run is stopped, not when it is forgotten.
    with closing(_scored(engine, reader, window, within)) as items:
        for item in items:
            if item is not None:
                invalid = reader.invalid.get(item.slice_index)
                maps.add(item.slice_index, item.tile, within, item.scores, invalid)
            yield None
    blocks = maps.blocks(within)
    position = blocks.pop("position")
    fused, projection = yield from _copy_pixels(reader, position, within, "max_projection" in specs)
    blocks["fused"] = as_channels(fused)
    if projection is not None:
        blocks["max_projection"] = as_channels(projection)
    return blocks


def _blended_blocks(
    engine: BlendEngine,
    reader: WindowReader,
    window: Window,
    within: Box,
    specs: dict[str, ImageSpec],
) -> Generator[None, None, dict[str, NDArray[Any]]]:
    """Compute pixels; there are no maps, since no slice is chosen."""
    with naming_engine(engine.name):
        fused = yield from blend_pixels(engine, reader, window.read.shape, within)
    blocks = {"fused": fused}
    if "max_projection" in specs:
        projection: NDArray[Any] | None = None
        for k in range(reader.n_slices):
            planes = as_channels(reader.raw(k, within))
            projection = planes if projection is None else np.fmax(projection, planes)
            yield None
        assert projection is not None
        blocks["max_projection"] = projection
    return blocks


def _scored(
    engine: FocusEngine, reader: WindowReader, window: Window, within: Box
) -> Generator[TileScores | None, None, None]:
    """Return the engine's scores as a generator, which can be closed whatever the engine made."""
    with naming_engine(engine.name):
        yield from engine.iter_scores(
            reader.engine_slice, reader.n_slices, window.read.shape, within=within
        )


class _Maps:
    """Collects the maps of a window, tile by tile."""

    def __init__(
        self,
        plan: FusionPlan,
        z_um: NDArray[np.float64] | None,
        ordered: bool,
        engine: FocusEngine,
    ) -> None:
        self._slices = np.asarray(plan.slices)
        self._z = self._slices.astype(np.float64) if z_um is None else z_um
        self._index_dtype = plan.index_dtype
        self._ordered = ordered
        self._kind = engine.score_kind
        self._parts: list[tuple[Box, Selection]] = []
        self._selector: SliceSelector | None = None

    def add(
        self,
        position: int,
        tile: Box,
        within: Box,
        scores: NDArray[np.float32],
        invalid: NDArray[np.bool_] | None,
    ) -> None:
        """Fold one slice's scores in; a tile's slices come one after the other."""
        part = tile.intersection(within)
        if part is None:
            return
        if position == 0:
            self._selector = SliceSelector(part.shape, ordered=self._ordered)
        assert self._selector is not None
        local = part.shifted(-tile.y0, -tile.x0)
        mask = None if invalid is None else invalid[part.slices]
        self._selector.add(scores[local.slices], mask)
        if position == len(self._slices) - 1:
            self._parts.append((part, self._selector.finish()))

    def blocks(self, within: Box) -> dict[str, NDArray[Any]]:
        """Assemble the maps of the part `within`."""
        position = np.empty(within.shape, np.int32)
        confidence = np.empty(within.shape, np.float32)
        depth = np.empty(within.shape, np.float32)
        for part, selection in self._parts:
            place = part.shifted(-within.y0, -within.x0).slices
            position[place] = selection.position
            confidence[place] = selection.confidence
            if self._ordered:
                depth[place] = refined_depth(selection, self._z, self._kind)
        unrefined = self._z[position].astype(np.float32)
        return {
            "position": position,
            "focus_index": self._slices[position].astype(self._index_dtype),
            "depth": depth if self._ordered else unrefined,
            "depth_unrefined": unrefined,
            "confidence": confidence,
        }


def _copy_pixels(
    reader: WindowReader, position: NDArray[np.int32], box: Box, project: bool
) -> Generator[None, None, tuple[NDArray[Any], NDArray[Any] | None]]:
    """Copy chosen pixels, (C, h, w) or (C, h, w, S), and the maximum over slices if wanted."""
    used = set(np.unique(position).tolist())
    fused: NDArray[Any] | None = None
    projection: NDArray[Any] | None = None
    for k in range(reader.n_slices) if project else sorted(used):
        planes = reader.raw(k, box)
        if fused is None:
            fused = np.empty_like(planes)
        if k in used:
            gather(planes, position, k, fused)
        if project:
            # fmax: a NaN in one slice must not blank the projection.
            projection = planes if projection is None else np.fmax(projection, planes)
        yield None
    assert fused is not None
    return fused, projection
