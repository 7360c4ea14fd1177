"""Checksums of blocks tell what was written from what was not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import zarr

from napari_gmff.export.layout import ImageSpec
from napari_gmff.export.working import create_working_store, write_block
from napari_gmff.unfinished.store import (
    block_sums,
    delete_strays,
    metadata_files,
    read_blocks,
    restore_metadata,
)

SHAPE = (2, 3, 100, 130)

SPECS = {
    "fused": ImageSpec("fused", "tcyx", SHAPE, np.dtype("uint16"), "intensity"),
    "depth": ImageSpec("depth", "tyx", (2, 100, 130), np.dtype("float32"), "depth"),
    "confidence": ImageSpec("confidence", "tyx", (2, 100, 130), np.dtype("float32"), "confidence"),
}

PLACE = (slice(20, 70), slice(30, 90))


def store_with(root: Path, blocks: dict[str, np.ndarray]) -> zarr.Group:
    group = create_working_store(root, SPECS.values(), chunk_px=40)
    for name, block in blocks.items():
        write_block(group, SPECS[name], 1, *PLACE, block)
    return group


def random_blocks() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {
        "fused": rng.integers(0, 60_000, (3, 50, 60), np.uint16),
        "depth": rng.random((50, 60), np.float32),
        "confidence": rng.random((50, 60), np.float32),
    }


def test_what_is_read_has_the_sums_of_what_was_written(tmp_path: Path) -> None:
    blocks = random_blocks()
    group = store_with(tmp_path / "store", blocks)
    found = read_blocks(group, SPECS, 1, PLACE)
    assert found is not None
    assert block_sums(found, SPECS) == block_sums(blocks, SPECS)


def test_each_pixel_counts() -> None:
    blocks = random_blocks()
    before = block_sums(blocks, SPECS)
    for name in blocks:
        changed = {key: block.copy() for key, block in blocks.items()}
        changed[name].flat[17] += 1
        after = block_sums(changed, SPECS)
        assert [key for key in before if before[key] != after[key]] == [name]


def test_zeros_and_gaps_are_equal_whatever_their_bits(tmp_path: Path) -> None:
    """A chunk of the fill value is not stored, whatever the sign of its zeros."""
    blocks = {**random_blocks(), "confidence": np.full((50, 60), -0.0, np.float32)}
    blocks["depth"][:] = -np.float32(np.nan)
    found = read_blocks(store_with(tmp_path / "store", blocks), SPECS, 1, PLACE)
    assert found is not None
    assert block_sums(found, SPECS) == block_sums(blocks, SPECS)


def test_marked_and_unmarked_depth_are_equal_below_the_least_confidence_alone() -> None:
    blocks = random_blocks()
    marked = {**blocks, "depth": blocks["depth"].copy()}
    marked["depth"][blocks["confidence"] < 0.5] = np.nan
    assert block_sums(blocks, SPECS, 0.5) == block_sums(marked, SPECS, 0.5)
    assert block_sums(blocks, SPECS, 0.4) != block_sums(marked, SPECS, 0.4)
    assert block_sums(blocks, SPECS) != block_sums(marked, SPECS)


def test_only_chunks_that_cannot_be_read_are_deleted(tmp_path: Path) -> None:
    root = tmp_path / "store"
    group = store_with(root, random_blocks())
    torn = root / "fused/0/c/1/2/1/1"
    torn.write_bytes(torn.read_bytes()[:20])
    outside = root / "fused/0/c/1/2/0/3"
    outside.write_bytes(b"torn, but none of this window")
    before = {path for path in root.rglob("*") if path.is_file()}
    assert read_blocks(group, SPECS, 1, PLACE) is None
    assert before - {path for path in root.rglob("*") if path.is_file()} == {torn}
    found = read_blocks(group, SPECS, 1, PLACE)
    assert found is not None
    assert (found["fused"][2, 20:50, 10:50] == 0).all()


def test_strays_go_and_chunks_stay(tmp_path: Path) -> None:
    root = tmp_path / "store"
    create_working_store(root, SPECS.values(), chunk_px=40)
    files = metadata_files(root)
    for path in root.rglob("*.json"):
        path.write_text("damaged")
    (root / "zarr.json").unlink()
    restore_metadata(root, files)
    group = zarr.open_group(str(root), mode="r+")
    for name, block in random_blocks().items():
        write_block(group, SPECS[name], 1, *PLACE, block)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    for name in ("fused/1/zarr.json", "fused/0/c/1/2/1/1.77.partial", "OME/zarr.json", "lost"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("stray")
    delete_strays(group, SPECS.values(), files)
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    assert not (root / "fused/1").exists()
