"""Small stacks with known content, and an engine that sees neighbours, for several tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from napari_gmff import FocusStack, fuse, read_stack
from napari_gmff.engines import registry
from napari_gmff.engines.base import EngineOptions
from napari_gmff.params import BLOCK_MULTIPLE_PX
from napari_gmff.scores import ReadSlice, ScoreKind, TileScores
from napari_gmff.windows import Box, tiles

NEIGHBOURS = "test-neighbours"


class NeighbourEngine:
    """Sees 10 px around, works in tiles, and takes extra steps, as a network would."""

    name = NEIGHBOURS
    title = "for tests"
    score_kind = ScoreKind.LOG_ENERGY
    method = "sharpness that sees neighbours"
    references = ()
    reach_px = None
    notes = ()
    tile_px = 56

    def __init__(self, options: EngineOptions) -> None:
        del options

    def input_rule(self, dtype: np.dtype[Any]) -> str:
        return "percentiles"

    def smoothing_rule(self) -> str:
        return "auto-noise"

    def n_steps(self, n_slices: int, shape_yx: tuple[int, int]) -> int:
        return n_slices * (1 + len(list(tiles(shape_yx, self.tile_px))))

    def iter_scores(
        self,
        read_slice: ReadSlice,
        n_slices: int,
        shape_yx: tuple[int, int],
        *,
        within: Box | None = None,
    ) -> Iterator[TileScores | None]:
        energy = []
        for k in range(n_slices):
            detail = np.abs(ndimage.laplace(read_slice(k)))
            energy.append(np.log(ndimage.uniform_filter(detail, 19) + 1e-6))
            yield None
        for tile in tiles(shape_yx, self.tile_px):
            if within is None or tile.intersection(within):
                for k in range(n_slices):
                    yield TileScores(k, tile, energy[k][tile.slices].copy())

    def describe(self) -> Mapping[str, object]:
        return {"device": "cpu"}


@contextmanager
def registered(name: str, target: str) -> Iterator[None]:
    """Add a row to the table of engines for a while."""
    registry._ENGINES[name] = target
    try:
        yield
    finally:
        del registry._ENGINES[name]


def textured(
    shape: tuple[int, ...] = (4, 90, 70), dtype: str = "uint16", seed: int = 0
) -> np.ndarray:
    """Return (..., Z, Y, X) noise of which slice k is sharp in the k-th part of the width."""
    rng = np.random.default_rng(seed)
    n_slices, width = shape[-3], shape[-1]
    noise = rng.random(shape)
    soft = ndimage.gaussian_filter(noise, (0,) * (len(shape) - 2) + (2, 2))
    part = np.minimum(np.arange(width) * n_slices // width, n_slices - 1)
    sharp = np.arange(n_slices)[:, None, None] == part
    values = np.where(sharp, noise, soft)
    if dtype == "float32":
        return (values * 3 - 1).astype(np.float32)
    limits = np.iinfo(dtype)
    return (values * (float(limits.max) - limits.min) + limits.min).astype(dtype)


def stack_of(array: np.ndarray, axes: str = "ZYX", **options: Any) -> FocusStack:
    """Return an array as a stack."""
    return read_stack(array, axes=axes, **options)


def images_of(stack: FocusStack, **options: Any) -> dict[str, np.ndarray]:
    """Fuse in a temporary store, and return all images by name."""
    with fuse(stack, **options) as result:
        return {name: result.image(name).compute() for name in result.images}


def assert_same_images(
    found: dict[str, np.ndarray], expected: dict[str, np.ndarray], *names: str
) -> None:
    """Compare images bit for bit."""
    assert found.keys() == expected.keys()
    for name in names or expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name, strict=True)


def random_weights(folder: Path) -> Path:
    """Write weights of StackMFF V4 that nobody trained, in our layout."""
    import torch
    from safetensors.torch import save_file

    from napari_gmff.network.stackmff_v4 import StackMFFV4

    path = folder / "random.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(4)
        save_file(StackMFFV4().state_dict(), path)
    return path


SMALL_BLOCKS = {"block_px": BLOCK_MULTIPLE_PX, "halo_px": 32}
"""Several windows even in a small image."""
