"""A restoration by tiny weights in the authors' layouts, from the model store to saved files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_gmff import (
    FuseParams,
    FusionResult,
    RestorationResult,
    RestoreParams,
    fuse,
    methods_text,
    open_result,
    restore,
)
from napari_gmff.errors import ConsentError
from napari_gmff.reading.stack import FocusStack
from napari_gmff.restoration.models.consent import withdraw_consent
from napari_gmff.restoration.models.load import load_restorer
from napari_gmff.restoration.restorer import Restorer
from napari_gmff.restoration.self_test import self_test
from napari_gmff.scenes import relief_scene
from napari_gmff.weights.store import ModelStore
from tests.restoration.models.tiny import REFERENCE, store_tiny_models
from tests.stacks import stack_of

TINY = {
    "model": "diffbir-v2",
    "base": "tiny-base",
    "steps": 2,
    "guidance": 1,
    "device": "cpu",
    "allow_cpu": True,
}


@pytest.fixture
def store(shared_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    """Make the tiny models those of the user."""
    pytest.importorskip("diffusers")
    if not (shared_dir / REFERENCE).is_dir():
        pytest.skip("no tiny IFControlNet reference in ../shared")
    monkeypatch.setenv("NAPARI_GMFF_MODELS", str(tmp_path / "models"))
    return store_tiny_models(ModelStore(), shared_dir, tmp_path)


@pytest.fixture(scope="module")
def stack() -> FocusStack:
    return stack_of(relief_scene(96, 7, seed=2).stack, voxel_size_um=(1.0, 0.2, 0.2))


@pytest.fixture(scope="module")
def fused(stack: FocusStack) -> Iterator[FusionResult]:
    with fuse(stack, engine="laplacian-energy", device="cpu") as result:
        yield result


def quick_restorer(store: ModelStore) -> Restorer:
    """Return the restorer of the stored models, which leaves small images small here."""
    return load_restorer(RestoreParams(**TINY), store, least_side_px=64)


def area() -> np.ndarray:
    mask = np.zeros((96, 96), bool)
    mask[20:70, 30:80] = True
    return mask


def test_the_users_own_models_restore_inside_the_mask_alone(store, fused, stack, tmp_path: Path):
    out = tmp_path / "restored.ome.zarr"
    options = {"n_seeds": 2, "seed": 3, "mask": area(), "stack": stack, **TINY}
    restorer = quick_restorer(store)
    restore(fused, accept_generative=True, restorer=restorer, output=out, **options).close()
    result = open_result(out)
    assert isinstance(result, RestorationResult)
    before, after = fused.fused.compute(), result.restored.compute()
    np.testing.assert_array_equal(after[~area()], before[~area()])
    assert (after != before)[area()].mean() > 0.5
    assert result.spread.compute()[area()].mean() > 0
    # Random weights invent what no slice shows.
    assert result.contradiction.compute()[area()].max() > 3
    record = result.restoration
    titles = [model["title"] for model in record["models"]]
    assert titles[0] == "DiffBIR v2" and titles[1].startswith("Stable Diffusion 2")
    assert all(len(model["sha256"]) == 64 for model in record["models"])
    assert record["device"] == "cpu" and record["seeds"] == [3, 4]
    text = methods_text(result.provenance)
    assert "DiffBIR v2" in text and "IFControlNet" not in text
    assert "contradict what was measured" in text


def test_the_same_seed_gives_the_same_pixels(store, fused):
    images = []
    options = {"restorer": quick_restorer(store), "mask": area(), **TINY}
    for seed in (3, 3, 4):
        with restore(fused, accept_generative=True, seed=seed, **options) as result:
            images.append(result.restored.compute())
    np.testing.assert_array_equal(images[0], images[1])
    assert (images[0] != images[2]).any()


def test_without_consent_to_a_model_nothing_runs(store, fused):
    withdraw_consent("diffbir-v2", store)
    with pytest.raises(ConsentError, match="DiffBIR v2"):
        restore(fused, accept_generative=True, mask=area(), **TINY)


def test_the_self_test_finds_random_weights_out(store, stack):
    fusing = FuseParams(engine="laplacian-energy", device="cpu")
    restorer = quick_restorer(store)
    found = self_test(stack, accept_generative=True, restorer=restorer, fuse_params=fusing, **TINY)
    assert "made it worse" in found.verdict
