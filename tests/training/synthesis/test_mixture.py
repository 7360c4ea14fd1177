import pickle

import numpy as np
import pytest

from napari_gmff.errors import ParameterError
from napari_gmff.training.synthesis import KINDS, ImageSource, Mixture, random_scene

IMAGES = ImageSource.procedural()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_slices", [2, 7])
def test_every_kind_keeps_the_promises_of_a_synthetic_stack(kind, n_slices):
    scene = random_scene(kind, np.random.default_rng(3), n_slices, (40, 56), IMAGES)
    assert scene.kind == kind
    assert scene.stack.shape == (n_slices, 40, 56)
    assert scene.stack.dtype == np.float32
    assert np.isfinite(scene.stack).all()
    for image in (scene.index, scene.depth, scene.sharp, scene.texture, scene.known):
        assert image.shape == (40, 56)
    assert scene.index.min() >= 0 and scene.index.max() < n_slices
    assert sorted(scene.order) == list(range(n_slices))


@pytest.mark.parametrize("kind", KINDS)
def test_the_true_slice_is_nearest_to_the_sharp_image(kind):
    """Whatever the scene, pixels taken from the true slice resemble the sharp image most."""
    better = []
    for seed in range(6):
        scene = random_scene(kind, np.random.default_rng(seed), 7, (96, 96), IMAGES)
        where = scene.texture & scene.known
        if not where.any():
            continue
        true = np.take_along_axis(scene.stack, scene.index[None], 0)[0]
        error = np.abs(true - scene.sharp)[where].mean()
        others = [np.abs(plane - scene.sharp)[where].mean() for plane in scene.stack]
        better.append(error <= min(others) * 1.001 + 1e-6)
    assert np.mean(better) >= 0.8


def test_the_same_seed_draws_the_same_stack_also_in_another_process():
    mixture = Mixture(IMAGES, dict.fromkeys(KINDS, 1.0))
    copy = pickle.loads(pickle.dumps(mixture))
    one, other = (m.draw(np.random.default_rng(5), 6, (64, 64)) for m in (mixture, copy))
    assert np.array_equal(one.stack, other.stack)
    assert np.array_equal(one.index, other.index)


def test_kinds_are_drawn_by_their_shares():
    mixture = Mixture(IMAGES, {"recipe": 3, "blurred": 1, "relief": 0}, distractors=0)
    rng = np.random.default_rng(0)
    kinds = [mixture.draw(rng, 2, (8, 8)).kind for _ in range(200)]
    assert "relief" not in kinds
    assert 0.65 < kinds.count("recipe") / 200 < 0.85


def test_a_stack_has_the_slices_asked_for_with_distractors_among_them():
    mixture = Mixture(IMAGES, {"blurred": 1}, distractors=1.0)
    stacks = [mixture.draw(np.random.default_rng(seed), 6, (32, 32)) for seed in range(12)]
    assert {stack.n_slices for stack in stacks} == {6}
    assert sum(not stack.ordered for stack in stacks) >= 6
    assert all(stack.index.max() < 6 for stack in stacks)


def test_a_pair_has_no_room_for_distractors():
    stack = Mixture(IMAGES, {"blurred": 1}, distractors=1.0).draw(
        np.random.default_rng(0), 2, (32, 32)
    )
    assert stack.ordered and stack.n_slices == 2


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"holography": 1.0}, "got 'holography'"),
        ({"recipe": -1.0}, "share of recipe must be 0 or above, got -1.0"),
        ({"recipe": 0.0}, "at least one kind"),
    ],
)
def test_impossible_shares_are_refused(shares, message):
    with pytest.raises(ParameterError, match=message):
        Mixture(IMAGES, shares)


def test_most_of_the_recipe_is_clean_or_has_nothing_but_gaussian_noise():
    """Clean slices are multiples of 1/255 that agree exactly wherever two bins are equally far."""
    mixture = Mixture(IMAGES, {"recipe": 1}, distractors=0)
    clean = grainy = 0
    for seed in range(60):
        drawn = mixture.draw(np.random.default_rng(seed), 4, (48, 48))
        true = np.take_along_axis(drawn.stack, drawn.index[None], 0)[0]
        off = np.abs(true - drawn.sharp)
        clean += bool(off.max() < 1e-6)
        grainy += bool(1e-6 < off.max() and abs((true - drawn.sharp).mean()) < 0.002)
    assert 0.4 < clean / 60 < 0.7
    assert 0.1 < grainy / 60 < 0.4


def test_a_lamp_gives_brightfield_more_light_than_fluorescence_may_have(monkeypatch):
    from napari_gmff.training.synthesis import mixture as module

    seen = {}
    monkeypatch.setattr(
        module,
        "photographed",
        lambda scene, camera, rng: seen.setdefault(scene.kind, []).append(camera),
    )
    for kind in ("brightfield", "fluorescence"):
        for seed in range(80):
            Mixture(IMAGES, {kind: 1}, distractors=0).draw(np.random.default_rng(seed), 2, (16, 16))
    photons = {kind: min(one.photons for one in cameras) for kind, cameras in seen.items()}
    assert photons["brightfield"] >= 800 > photons["fluorescence"] >= 50
