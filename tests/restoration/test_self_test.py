"""The self-test: helpful, harmless and harmful restorers are told apart."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

from napari_gmff import FocusStack, FuseParams, fuse
from napari_gmff.errors import ConsentError, ParameterError, RestorationCancelled
from napari_gmff.restoration.self_test import iter_self_test, self_test
from napari_gmff.restoration.self_test_run import without_slices
from napari_gmff.scenes import relief_scene
from tests.restoration.restorers import PaintedRestorer, noisy, unchanged
from tests.stacks import stack_of, textured

FUSING = FuseParams(engine="laplacian-energy", device="cpu")
WHITE = 65535.0


@pytest.fixture(scope="module")
def stack() -> FocusStack:
    return stack_of(relief_scene(128, 9, seed=2).stack, voxel_size_um=(1.0, 0.2, 0.2))


@pytest.fixture(scope="module")
def truth(stack: FocusStack) -> np.ndarray:
    with fuse(stack, params=FUSING) as result:
        return result.fused.compute()


def found_by(stack: FocusStack, restorer: PaintedRestorer, **options):
    options = {"fuse_params": FUSING, "input_range": (0.0, WHITE), "feather_px": 0, **options}
    return self_test(stack, accept_generative=True, restorer=restorer, **options)


def oracle(truth: np.ndarray) -> PaintedRestorer:
    return PaintedRestorer(lambda image, _: np.stack([truth / WHITE] * 3).astype(np.float32))


def test_an_oracle_is_found_to_help(stack, truth):
    found = found_by(stack, oracle(truth))
    assert found.dropped == (3, 4, 5)
    assert found.inside.restored.psnr_db > found.inside.fused.psnr_db + 20
    assert found.inside.restored.ssim > 0.999 > found.inside.fused.ssim
    assert found.outside.restored.psnr_db == found.outside.fused.psnr_db
    assert found.verdict.startswith("Without slices 3, 4, 5, restoring made it better: inside")
    assert found.verdict.endswith("; outside the gap nothing was changed.")


def test_a_harmful_restorer_is_found_out(stack):
    found = found_by(stack, noisy(0.2))
    lost = found.inside.fused.psnr_db - found.inside.restored.psnr_db
    assert lost > 3
    assert f"made it worse: inside the gap it is {lost:.1f} dB further from" in found.verdict


def test_a_restorer_that_changes_nothing_leaves_nothing_to_judge(stack):
    found = found_by(stack, unchanged())
    assert found.inside.restored == found.inside.fused
    assert found.inside.restored_share == 0
    assert "changed nothing" in found.verdict


def test_a_change_too_small_to_count_is_called_that(stack):
    found = found_by(stack, noisy(0.002))
    assert found.inside.restored_share > 0.5
    assert "made no difference that counts" in found.verdict


def test_with_the_mask_by_confidence_harm_outside_the_gap_is_found(stack):
    found = found_by(stack, noisy(0.2), mask="confidence", mask_below=0.9)
    assert found.outside.restored_share > 0
    assert found.outside.restored.psnr_db < found.outside.fused.psnr_db
    assert "outside the gap it spoilt what had been measured" in found.verdict


def test_the_gap_is_where_the_full_fusion_took_the_slices_left_out(stack):
    found = found_by(stack, unchanged(), drop=[2])
    with fuse(stack, params=FUSING) as full:
        assert found.inside.n_pixels == int((full.focus_index == 2).sum())
    assert found.inside.n_pixels + found.outside.n_pixels == 128 * 128


def test_colours_channels_and_regions_are_tested_together():
    array = textured((2, 6, 90, 70))
    found = found_by(stack_of(array, "CZYX"), noisy(0.2), region=((10, 80), (0, 70)))
    assert found.inside.n_pixels + found.outside.n_pixels == 70 * 70
    assert "worse" in found.verdict


def test_consent_is_asked_for_here_too(stack):
    with pytest.raises(ConsentError, match="accept_generative"):
        self_test(stack, restorer=unchanged(), fuse_params=FUSING)


@pytest.mark.parametrize(
    ("drop", "shown"),
    [
        ([], "must name slices"),
        ([9], "from 0 to 8"),
        ([-1], "from 0 to 8"),
        (range(8), "must leave 2 slices or more of the 9"),
    ],
)
def test_slices_that_cannot_be_left_out_are_refused(stack, drop, shown: str):
    with pytest.raises(ParameterError, match=shown):
        found_by(stack, unchanged(), drop=drop)


def test_slices_that_nothing_is_in_focus_in_are_refused():
    array = textured((5, 60, 60))
    array[2] = array[2].mean()
    with pytest.raises(ParameterError, match=r"drop: nothing of .* is in focus in slices 2"):
        found_by(stack_of(array), unchanged(), drop=[2])


def test_a_blend_cannot_be_tested_and_says_so(stack):
    blend = FuseParams(engine="weighted-average", device="cpu")
    with pytest.raises(ParameterError, match="cannot be tested, weighted-average computes"):
        found_by(stack, unchanged(), fuse_params=blend)


def test_positions_of_the_slices_that_are_left_stay(stack):
    rest = without_slices(stack, (3, 4, 5))
    np.testing.assert_array_equal(rest.z_positions_um, [0, 1, 2, 6, 7, 8])
    np.testing.assert_array_equal(rest.data[0, 0, 3], stack.data[0, 0, 6])
    assert rest.fingerprint != stack.fingerprint


def test_a_test_that_is_stopped_leaves_nothing_behind(stack, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    restorer = unchanged()
    run = iter_self_test(
        stack,
        accept_generative=True,
        restorer=restorer,
        fuse_params=FUSING,
        should_stop=lambda: bool(restorer.given),
    )
    with pytest.raises(RestorationCancelled, match="self-test stopped"):
        list(run)
    assert list(tmp_path.iterdir()) == []


def test_stages_are_reported_in_order(stack, truth):
    stages = []
    found_by(stack, oracle(truth), on_progress=lambda step: stages.append(step.stage))
    assert list(dict.fromkeys(stages)) == ["fuse all", "fuse the rest", "restore", "compare"]
