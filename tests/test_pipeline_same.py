"""The same stack gives the same result, whatever way it is cut, scheduled, cropped or ordered."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_gmff import fuse
from napari_gmff.engine_input import measure_input
from napari_gmff.engines.base import EngineOptions
from napari_gmff.engines.registry import make_engine
from napari_gmff.params import BLEND_ENGINES, CLASSICAL_ENGINES, FuseParams
from napari_gmff.plan import make_plan
from napari_gmff.scenes import relief_scene
from tests.stacks import (
    NEIGHBOURS,
    SMALL_BLOCKS,
    assert_same_images,
    images_of,
    random_weights,
    registered,
    stack_of,
    textured,
)

NETWORK = {"engine": "stackmff-v4", "device": "cpu"}


@pytest.fixture(scope="module", autouse=True)
def _neighbour_engine() -> Iterator[None]:
    with registered(NEIGHBOURS, "tests.stacks:NeighbourEngine"):
        yield


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a file of random weights for StackMFF V4."""
    return str(random_weights(tmp_path_factory.mktemp("weights")))


def options_for(engine: str, weights: str) -> dict[str, Any]:
    """Return options that use an engine with several small windows."""
    if engine == "stackmff-v4":
        return {**NETWORK, "weights": weights, **SMALL_BLOCKS}
    return {"engine": engine, **SMALL_BLOCKS}


ENGINES = pytest.mark.parametrize(
    "engine", [*CLASSICAL_ENGINES, "laplacian-pyramid", NEIGHBOURS, "stackmff-v4"]
)


@ENGINES
@pytest.mark.parametrize(
    ("chunks", "scheduler"), [((1, 37, 140), "threads"), ((3, 64, 53), "synchronous")]
)
def test_chunks_scheduler_and_repetition_change_nothing(
    engine: str, chunks: tuple[int, ...], scheduler: str, weights: str
) -> None:
    array = textured((2, 90, 170), "uint16")
    options = options_for(engine, weights)
    expected = images_of(stack_of(array), **options)
    with dask.config.set(scheduler=scheduler):
        lazy = stack_of(da.from_array(array, chunks=chunks))
        assert_same_images(images_of(lazy, **options), expected)


def test_a_cluster_changes_nothing(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    array = textured((3, 150, 140))
    expected = images_of(stack_of(array), **SMALL_BLOCKS)
    settings_ = {"distributed.admin.log-length": 0, "temporary-directory": str(tmp_path)}
    with (
        dask.config.set(settings_),
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        assert dask.base.get_scheduler() is not None
        lazy = stack_of(da.from_array(array, chunks=(1, 64, 64)))
        assert_same_images(images_of(lazy, **SMALL_BLOCKS), expected)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_region_is_the_crop_of_the_whole(data: st.DataObject) -> None:
    height, width = (data.draw(st.integers(1, 300)) for _ in "yx")
    n_slices = data.draw(st.integers(2, 4))
    block_px = data.draw(st.sampled_from([128, 256]))
    halo_px = data.draw(st.sampled_from([0, 8, 32, 60]))
    y0, x0 = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    y1, x1 = data.draw(st.integers(y0 + 1, height)), data.draw(st.integers(x0 + 1, width))
    stack = stack_of(textured((n_slices, height, width), seed=height))
    options = {
        "engine": data.draw(st.sampled_from([NEIGHBOURS, *CLASSICAL_ENGINES])),
        "block_px": block_px,
        "halo_px": halo_px,
        "projections": True,
    }
    whole = images_of(stack, **options)
    part = images_of(stack, region=((y0, y1), (x0, x1)), **options)
    assert_same_images(part, {name: image[y0:y1, x0:x1] for name, image in whole.items()})


def test_a_region_is_the_crop_of_the_whole_with_the_network(weights: str) -> None:
    options = options_for("stackmff-v4", weights)
    stack = stack_of(textured((2, 90, 170)))
    whole = images_of(stack, **options)
    assert len(np.unique(whole["focus_index"])) == 2
    part = images_of(stack, region=((30, 50), (5, 160)), **options)
    assert_same_images(part, {name: image[30:50, 5:160] for name, image in whole.items()})


@pytest.mark.parametrize("halo_px", [12, 32])
def test_windows_leave_no_trace_where_the_halo_covers_what_the_engine_sees(halo_px: int) -> None:
    stack = stack_of(textured((3, 300, 310)))
    options: dict[str, Any] = {"engine": NEIGHBOURS, "input_sigma_px": 0}
    whole = images_of(stack, **options)
    parts = images_of(stack, block_px=128, halo_px=halo_px, **options)
    assert_same_images(parts, whole, "focus_index", "fused")
    np.testing.assert_allclose(parts["confidence"], whole["confidence"], atol=1e-5)


@pytest.mark.parametrize("engine", BLEND_ENGINES)
def test_windows_leave_no_trace_in_blended_pixels(engine: str) -> None:
    stack = stack_of(textured((3, 300, 310)))
    options: dict[str, Any] = {"engine": engine, "input_sigma_px": 0, "halo_px": 64}
    whole = images_of(stack, **options)
    assert_same_images(images_of(stack, block_px=256, **options), whole)


@pytest.mark.parametrize("engine", CLASSICAL_ENGINES)
def test_windows_leave_no_trace_at_all_where_the_halo_is_what_the_engine_says(engine: str) -> None:
    reach_px = make_engine(engine, EngineOptions()).reach_px  # type: ignore[union-attr]
    assert reach_px is not None
    stack = stack_of(textured((3, 300, 310)))
    whole = images_of(stack, engine=engine, input_sigma_px=0)
    halo_px = -(-reach_px // 4) * 4
    parts = images_of(stack, engine=engine, input_sigma_px=0, block_px=128, halo_px=halo_px)
    assert_same_images(parts, whole)


def test_a_halo_that_is_too_small_does_leave_a_trace() -> None:
    """Shows that the test above can fail."""
    stack = stack_of(textured((3, 300, 310)))
    options: dict[str, Any] = {"engine": NEIGHBOURS, "input_sigma_px": 0}
    whole = images_of(stack, **options)["confidence"]
    parts = images_of(stack, block_px=128, halo_px=0, **options)["confidence"]
    assert np.abs(whole - parts).max() > 1e-3


def permuted(images: dict[str, np.ndarray], order: list[int]) -> dict[str, np.ndarray]:
    """Return what the images must become when slice i of the new stack is slice order[i]."""
    place = np.argsort(order)
    index = place[images["focus_index"]].astype(images["focus_index"].dtype)
    return {**images, "focus_index": index, "depth": index.astype(np.float32)}


@settings(max_examples=6, deadline=None)
@given(order=st.permutations(range(5)), dtype=st.sampled_from(["uint8", "float32"]))
def test_permuting_slices_permutes_the_index_and_nothing_else(order: list[int], dtype: str) -> None:
    array = textured((5, 140, 150), dtype)
    options: dict[str, Any] = {"engine": NEIGHBOURS, "slice_order": "unordered", **SMALL_BLOCKS}
    expected = permuted(images_of(stack_of(array), **options), order)
    found = images_of(stack_of(array[order]), **options)
    assert_same_images(found, expected, "fused", "focus_index", "depth")
    np.testing.assert_allclose(found["confidence"], expected["confidence"], rtol=1e-6)


def test_permuting_an_ordered_stack_permutes_its_unrefined_depth() -> None:
    array, order = textured((4, 60, 80)), [3, 2, 1, 0]
    before = images_of(stack_of(array), slice_order="ordered")
    after = images_of(stack_of(array[order]), slice_order="ordered")
    np.testing.assert_array_equal(after["depth_unrefined"], 3 - before["depth_unrefined"])
    np.testing.assert_array_equal(after["fused"], before["fused"])
    np.testing.assert_allclose(after["depth"], 3 - before["depth"], atol=1e-5)


def test_permuting_slices_permutes_what_the_network_chooses(shared_dir: Path) -> None:
    array, order = relief_scene(128, 4, seed=2).stack, [2, 0, 3, 1]
    options: dict[str, Any] = {
        **NETWORK,
        "weights": str(shared_dir / "weights" / "stackmffv4.pth"),
        "slice_order": "unordered",
    }
    expected = permuted(images_of(stack_of(array), **options), order)
    found = images_of(stack_of(array[order]), **options)
    for name in ("fused", "focus_index", "depth"):
        assert (found[name] == expected[name]).mean() >= 0.9999
    np.testing.assert_allclose(found["confidence"], expected["confidence"], atol=1e-4)


@pytest.mark.parametrize("shape", [(3, 128, 128), (3, 77, 101)])
def test_an_image_that_fits_one_window_is_what_the_plain_network_makes_of_it(
    shape: tuple[int, int, int], weights: str
) -> None:
    import torch

    from napari_gmff.engines.stackmff_window import padded_plane, padded_shape
    from napari_gmff.network.checkpoint import load_model
    from napari_gmff.network.stackmff_v4 import ARCHITECTURE
    from napari_gmff.weights.resolve import resolve_weights

    array = textured(shape)
    stack, params = stack_of(array), FuseParams(weights=weights, device="cpu")
    plan = make_plan(stack, params)
    engine = make_engine("stackmff-v4", EngineOptions(weights=weights, device="cpu"))
    seen = measure_input(stack, plan, params, engine, 0)
    planes = [padded_plane(seen.make([plane]), padded_shape(shape[1:])) for plane in array]
    state, _ = resolve_weights(weights, ARCHITECTURE)
    model = load_model(state).eval()
    with torch.inference_mode():
        logits = model(torch.from_numpy(np.stack(planes))[None])
    logits = logits.reshape(3, *padded_shape(shape[1:])).numpy()[:, : shape[1], : shape[2]]
    with fuse(stack, params=params) as result:
        found = result.focus_index.compute()
    assert len(np.unique(found)) == 3
    # Untrained weights leave near ties, which rounding decides; nothing else may differ.
    lost = logits.max(0) - np.take_along_axis(logits, found[None].astype(np.intp), 0)[0]
    assert lost.max() <= 1e-4 * np.ptp(logits)
    assert (found == logits.argmax(0)).mean() > 0.99


@pytest.mark.parametrize("n_times", [1, 2])
def test_each_time_point_is_fused_as_if_it_were_alone(n_times: int) -> None:
    array = np.stack([textured((3, 60, 60), seed=t) // (t + 1) for t in range(3)])
    stack = stack_of(array, "TZYX")
    found = images_of(stack, time=(1, 1 + n_times))
    for t in range(n_times):
        alone = images_of(stack_of(array[1 + t]))
        for name, image in alone.items():
            part = found[name][t] if n_times > 1 else found[name]
            np.testing.assert_array_equal(part, image, err_msg=name)


def test_hundreds_of_slices_are_fused_as_their_parts_would_be() -> None:
    array = textured((300, 64, 600), "uint8")
    # An engine that scores each slice alone.
    options = {"engine": "laplacian-energy", "input_range": "dtype", "input_sigma_px": 0}
    found = images_of(stack_of(array), **options)
    assert found["focus_index"].dtype == np.uint16
    part = images_of(stack_of(array), z_range=(200, 300), **options)
    inside = found["focus_index"] >= 200
    assert inside.mean() > 0.3
    np.testing.assert_array_equal(found["focus_index"][inside], part["focus_index"][inside])


def test_coarse_maps_on_disk_give_the_same_and_leave_no_file(
    weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_gmff.engines import stackmff_window

    keep = stackmff_window.coarse_maps
    asked: list[int] = []

    def tiny(shape: tuple[int, int, int, int], limit_mb: int) -> Any:
        asked.append(limit_mb)
        return keep(shape, 0)

    stack = stack_of(textured((5, 128, 60), "uint8"))
    options = {**NETWORK, "weights": weights, "region": ((70, 78), (20, 40))}
    in_memory = images_of(stack, **options)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(stackmff_window, "coarse_maps", tiny)
    files: list[Path] = []

    def look(_progress: object) -> None:
        files.extend(tmp_path.glob("*/coarse.f32"))

    with fuse(stack, on_progress=look, memory_limit_mb=64, **options) as result:
        on_disk = {name: result.image(name).compute() for name in result.images}
    assert asked == [64]
    assert files
    assert_same_images(on_disk, in_memory)
    assert list(tmp_path.iterdir()) == []
