from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_gmff.errors import ParameterError
from napari_gmff.export.layout import ImageSpec
from napari_gmff.export.ome_zarr import finish_ome_zarr
from napari_gmff.export.working import create_working_store
from napari_gmff.export.zarr_arrays import (
    ZarrLayout,
    chosen_shard_px,
    fill,
    unit_regions,
    version_of,
)
from napari_gmff.results import Geometry, open_result
from tests.export.conftest import MakeResult, image_specs, record
from tests.export.conftest import fill as fill_by_blocks


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name != "zarr.json"]


def image(shape: tuple[int, ...], dtype: str = "uint16") -> ImageSpec:
    axes = {2: "yx", 3: "cyx", 4: "tcyx"}[len(shape)]
    return ImageSpec("fused", axes, shape, np.dtype(dtype), "intensity")


@settings(deadline=None, max_examples=15)
@given(
    height=st.integers(1, 1300),
    width=st.integers(1, 1300),
    layout=st.sampled_from([ZarrLayout(), ZarrLayout("0.4"), ZarrLayout(shard_px=1024)]),
)
def test_every_pixel_is_written_once_whatever_the_shape(
    height: int, width: int, layout: ZarrLayout, tmp_path_factory: pytest.TempPathFactory
) -> None:
    spec = image((2, height, width))
    folder = tmp_path_factory.mktemp("arrays")
    group = zarr.open_group(str(folder), mode="a", zarr_format=layout.zarr_format)
    array = layout.create(group, "fused/0", spec, spec.shape_yx)
    expected = np.arange(2 * height * width, dtype=np.uint32).reshape(spec.shape).astype("uint16")
    seen = np.zeros(spec.shape, np.uint8)

    def block_of(region):
        seen[region] += 1
        return expected[region]

    fill(array, block_of)
    assert (seen == 1).all()
    assert layout.is_that_of(array)
    np.testing.assert_array_equal(array[:], expected)
    assert version_of(group) == layout.version


def test_shards_hold_whole_chunks_and_small_images_have_none(tmp_path: Path) -> None:
    group = zarr.open_group(str(tmp_path), mode="a", zarr_format=3)
    layout = ZarrLayout(shard_px=4096)
    large = layout.create(group, "a/0", image((3, 9000, 5000)), (9000, 5000))
    assert (large.chunks, large.shards) == ((1, 512, 512), (1, 4096, 4096))
    assert len(list(unit_regions(large))) == 3 * 3 * 2
    middle = layout.create(group, "a/1", image((600, 5000)), (600, 5000))
    assert (middle.chunks, middle.shards) == ((512, 512), (1024, 4096))
    small = layout.create(group, "a/2", image((300, 512)), (300, 512))
    assert (small.chunks, small.shards) == ((300, 512), None)


def test_shards_come_by_themselves_above_a_thousand_chunks() -> None:
    small, large = image_specs((4096, 4096)), image_specs((8200, 8200))
    assert chosen_shard_px("auto", "0.5", small) is None
    assert chosen_shard_px("auto", "0.5", large) == 4096
    assert chosen_shard_px("auto", "0.4", large) is None
    assert chosen_shard_px(0, "0.5", large) is None
    assert chosen_shard_px(1024, "0.5", small) == 1024
    with pytest.raises(ParameterError, match=r"only OME-Zarr 0\.5 has shards, got 1024 for 0\.4"):
        chosen_shard_px(1024, "0.4", small)


def test_a_finished_run_is_brought_into_shards_with_the_same_pixels(tmp_path: Path) -> None:
    specs = image_specs((1500, 1100))
    rng = np.random.default_rng(0)
    values = {
        spec.name: (rng.random(spec.shape) * (4 if spec.dtype.kind == "u" else 1)).astype(
            spec.dtype
        )
        for spec in specs
    }
    for name, shard_px in (("plain", 0), ("sharded", 1024)):
        group = create_working_store(tmp_path / name, specs)
        for spec in specs:
            fill_by_blocks(group, spec, values[spec.name])
        parameters = {"shard_px": shard_px, "depth_min_confidence": 0.2}
        finish_ome_zarr(group, specs, Geometry((0.5, 0.5)), record(parameters=parameters))
    with open_result(tmp_path / "plain") as plain, open_result(tmp_path / "sharded") as sharded:
        for spec in specs:
            for level in range(4):
                one, other = plain.image(spec.name, level), sharded.image(spec.name, level)
                np.testing.assert_array_equal(one.compute(), other.compute(), strict=True)
        assert np.isnan(sharded.depth.compute()).any()
    assert len(files_below(tmp_path / "plain" / "depth" / "0")) == 9
    assert len(files_below(tmp_path / "sharded" / "depth" / "0")) == 4
    assert sorted(path.name for path in (tmp_path / "sharded" / "fused").iterdir()) == [
        "0", "1", "2", "3", "zarr.json",
    ]  # fmt: skip


def test_a_sharded_result_is_valid_and_saved_without_touching_its_pixels(
    make_result: MakeResult, tmp_path: Path
) -> None:
    with make_result((1200, 600)) as result:
        result.save(tmp_path / "out", shard_px=1024)
        expected = result.fused.compute()
    stored = zarr.open_array(str(tmp_path / "out" / "fused" / "0"), mode="r")
    assert stored.shards == (1024, 1024)
    with open_result(tmp_path / "out") as saved:
        assert saved.provenance["parameters"]["shard_px"] == 1024
        np.testing.assert_array_equal(saved.fused.compute(), expected, strict=True)


def test_one_shard_at_a_time_is_in_memory(tmp_path: Path) -> None:
    group = zarr.open_group(str(tmp_path), mode="a", zarr_format=3)
    spec = image((4096, 4096))
    array = ZarrLayout(shard_px=1024).create(group, "fused/0", spec, spec.shape_yx)
    rng = np.random.default_rng(0)
    tracemalloc.start()
    try:
        fill(array, lambda _: rng.integers(0, 65535, (512, 512), dtype=np.uint16))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The image is 32 MiB, a shard 2 MiB: itself, its chunks encoded, and the file made of them.
    assert peak < 12 * 2**20
