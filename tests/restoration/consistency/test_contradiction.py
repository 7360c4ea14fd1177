"""Planted detail raises the map where it was planted; what is true, or unchanged, does not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import ndimage

from napari_gmff import FocusStack, fuse
from napari_gmff.evaluation import microscope_scenes
from napari_gmff.evaluation.scene import EvaluationScene
from napari_gmff.metrics import auroc
from napari_gmff.restoration.consistency import blur_map
from napari_gmff.restoration.consistency.back_projection import iter_back_projection
from napari_gmff.restoration.consistency.blur_map import BlurMap, iter_blur_map
from napari_gmff.restoration.consistency.contradiction import iter_contradiction
from napari_gmff.restoration.consistency.measured_slices import MeasuredSlices
from napari_gmff.restoration.self_test_run import without_slices
from napari_gmff.steps import outcome_of

GAP = (4, 5, 6, 7)


@dataclass
class Measured:
    """A scene, its fusion and what was measured of its blur."""

    scene: EvaluationScene
    fused: np.ndarray
    blur: BlurMap
    slices: MeasuredSlices
    noise: float
    in_gap: np.ndarray

    def read(self, position, box):
        return self.slices.part(position, 0, 0, box)

    def contradiction(self, restored: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        mask = np.ones(self.fused.shape, bool) if mask is None else mask
        steps = iter_contradiction(
            self.fused, restored.astype(np.float32), mask, self.blur, self.read, self.noise
        )
        return outcome_of(steps)


def measured(scene: EvaluationScene, stack: FocusStack) -> Measured:
    with fuse(stack, engine="laplacian-energy", device="cpu") as result:
        fused = result.fused.compute().astype(np.float32)
        slices = MeasuredSlices(stack, result.provenance)
    noise = slices.noise(0, 0)

    def read(position, box):
        return slices.part(position, 0, 0, box)

    blur = outcome_of(iter_blur_map(fused, read, slices.n_slices, slices.z, noise))
    return Measured(scene, fused, blur, slices, noise, np.isin(scene.index, GAP))


@pytest.fixture(scope="module")
def relief() -> Measured:
    scene = microscope_scenes.relief(1, 256, 12)
    return measured(scene, scene.as_stack("relief"))


@pytest.fixture(scope="module")
def with_gap() -> Measured:
    scene = microscope_scenes.relief(1, 256, 12)
    return measured(scene, without_slices(scene.as_stack("relief"), GAP))


@pytest.fixture(scope="module")
def transparent() -> Measured:
    scene = microscope_scenes.fluorescence(1, 256, 12, photons=2000, haze=0.1)
    return measured(scene, scene.as_stack("fluorescence"))


def planted(kind: str, amplitude: float, where: np.ndarray, seed: int = 1) -> np.ndarray:
    """Return details of one kind, in grey levels, at places that are all inside an area."""
    rng = np.random.default_rng(seed)
    shape = where.shape
    deep = ndimage.binary_erosion(where, iterations=14)
    places = np.argwhere(deep)[rng.integers(0, deep.sum(), 6)]
    details = np.zeros(shape, np.float32)
    for y, x in places:
        one = np.zeros(shape, np.float32)
        if kind == "spot":
            one[y, x] = 1
            one = ndimage.gaussian_filter(one, 1.5)
        elif kind == "line":
            one[y, x - 12 : x + 12] = 1
            one = ndimage.gaussian_filter(one, 1.0)
        else:
            grain = ndimage.gaussian_filter(rng.standard_normal((24, 24)), 1.2)
            one[y - 12 : y + 12, x - 12 : x + 12] = grain
        details += one * np.float32(amplitude / np.abs(one).max())
    return details


def score(case: Measured, base: np.ndarray, details: np.ndarray, area: np.ndarray) -> float:
    """Return how well the map tells what was planted from the rest of the area (AUROC)."""
    found = case.contradiction(base + details)
    is_planted = np.abs(details) > 0.3 * np.abs(details).max()
    rest = ~ndimage.binary_dilation(np.abs(details) > 0.01 * np.abs(details).max(), iterations=3)
    judged = (is_planted | rest) & area
    return auroc(found[judged], is_planted[judged])


@pytest.mark.parametrize("name", ["relief", "with_gap", "transparent"])
def test_an_unchanged_image_contradicts_nothing_anywhere(name: str, request):
    case = request.getfixturevalue(name)
    assert not case.contradiction(case.fused.copy()).any()


@pytest.mark.parametrize("kind", ["spot", "line", "texture"])
@pytest.mark.parametrize("levels_of_noise", [3, 30])
def test_detail_planted_in_the_fused_image_is_found_where_it_was_planted(
    relief: Measured, kind: str, levels_of_noise: float
):
    everywhere = np.ones(relief.fused.shape, bool)
    details = planted(kind, levels_of_noise * relief.noise, everywhere)
    assert score(relief, relief.fused, details, everywhere) > 0.99
    far = ndimage.distance_transform_edt(np.abs(details) < 1e-3 * np.abs(details).max()) > 40
    assert not relief.contradiction(relief.fused + details)[far].any()


@pytest.mark.parametrize("kind", ["spot", "line", "texture"])
def test_detail_planted_where_no_slice_was_in_focus_is_found(with_gap: Measured, kind: str):
    details = planted(kind, 30 * with_gap.noise, with_gap.in_gap)
    for base, least in ((with_gap.fused, 0.99), (with_gap.scene.sharp, 0.9)):
        assert score(with_gap, base, details, with_gap.in_gap) > least


@pytest.mark.parametrize("kind", ["spot", "line", "texture"])
def test_detail_planted_in_a_transparent_specimen_is_found(transparent: Measured, kind: str):
    everywhere = np.ones(transparent.fused.shape, bool)
    details = planted(kind, 12 * transparent.noise, everywhere)
    assert score(transparent, transparent.fused, details, everywhere) > 0.95


def test_the_true_sharp_image_contradicts_by_little_more_than_noise(
    relief: Measured, with_gap: Measured
):
    assert np.quantile(relief.contradiction(relief.scene.sharp), 0.95) < 2
    in_gap = with_gap.contradiction(with_gap.scene.sharp)[with_gap.in_gap]
    assert np.median(in_gap) < 1.5 and np.quantile(in_gap, 0.9) < 3


def test_wrong_structures_in_the_gap_contradict_more_than_the_true_ones(with_gap: Measured):
    # As far from the fused image as the truth is, but with the wrong structures.
    change = with_gap.scene.sharp - with_gap.fused
    wrong = with_gap.fused + np.roll(change, 20, axis=1)
    true, false = (
        with_gap.contradiction(image)[with_gap.in_gap] for image in (with_gap.scene.sharp, wrong)
    )
    assert np.median(false) > 1.5 * np.median(true)


def test_windows_leave_no_seams(relief: Measured, monkeypatch: pytest.MonkeyPatch):
    def results() -> list[np.ndarray]:
        blur = outcome_of(
            iter_blur_map(
                relief.fused, relief.read, relief.slices.n_slices, relief.slices.z, relief.noise
            )
        )
        image = relief.fused + planted("line", 30 * relief.noise, relief.fused > 0)
        weight = np.ones(image.shape, np.float32)
        pulled = outcome_of(iter_back_projection(relief.fused, image, weight, blur, relief.read))
        return [blur.variance_px2, relief.contradiction(image), pulled]

    whole = results()
    monkeypatch.setattr(blur_map, "WINDOW_PX", 96)
    for one, other in zip(whole, results(), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-3 * np.abs(one).max())


def test_nothing_is_said_outside_the_mask(relief: Measured):
    mask = np.zeros(relief.fused.shape, bool)
    mask[100:150, 100:150] = True
    found = relief.contradiction(relief.fused + 20 * relief.noise * mask, mask)
    assert found[mask].any() and not found[~mask].any()


def test_back_projection_lowers_the_contradiction_of_a_falsehood(relief: Measured):
    mask = np.zeros(relief.fused.shape, bool)
    mask[60:200, 60:200] = True
    details = planted("spot", 30 * relief.noise, mask)
    is_planted = np.abs(details) > 0.3 * details.max()
    weight = mask.astype(np.float32)
    image, scores = relief.fused + details, []
    for _ in range(3):
        scores.append(float(relief.contradiction(image, mask)[is_planted].mean()))
        for _ in range(2):
            image = outcome_of(
                iter_back_projection(relief.fused, image, weight, relief.blur, relief.read)
            )
    assert scores[1] < 0.4 * scores[0] and scores[2] < scores[1]
    np.testing.assert_array_equal(image[~mask], relief.fused[~mask])


def test_back_projection_of_the_truth_hardly_moves_it(with_gap: Measured):
    sharp = with_gap.scene.sharp
    weight = np.ones(sharp.shape, np.float32)
    image = sharp
    for _ in range(3):
        image = outcome_of(
            iter_back_projection(with_gap.fused, image, weight, with_gap.blur, with_gap.read)
        )
    moved = np.abs(image - sharp)[with_gap.in_gap].mean()
    gap = np.abs(with_gap.fused - sharp)[with_gap.in_gap].mean()
    assert moved < 0.5 * gap
