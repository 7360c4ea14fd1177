import numpy as np
import pytest
from scipy import ndimage

from napari_gmff.errors import ParameterError
from napari_gmff.training.synthesis.fluorescence import (
    OBJECTS,
    fluorescence_stack,
    random_fluorescence,
)
from napari_gmff.training.synthesis.psf import DiskDefocus, GaussianDefocus, ScalarDefocus
from napari_gmff.training.synthesis.widefield import Background

SHAPE = (64, 72)


class Stripes:
    """Sharp images: stripes in a random place."""

    def crop(self, rng: np.random.Generator, shape_yx: tuple[int, int]) -> np.ndarray:
        start = rng.uniform(0, 6)
        row = 0.5 + 0.5 * np.sin(np.arange(shape_yx[1]) + start)
        return np.broadcast_to(row, shape_yx).astype(np.float32)


def sharpest(stack: np.ndarray) -> np.ndarray:
    energy = [ndimage.gaussian_filter(ndimage.laplace(image) ** 2, 2) for image in stack]
    return np.argmax(energy, axis=0)


@pytest.mark.parametrize("kind", OBJECTS)
@pytest.mark.parametrize("defocus", [GaussianDefocus(), DiskDefocus(), ScalarDefocus()])
def test_the_index_is_the_sharpest_slice(kind, defocus):
    scene = fluorescence_stack(
        SHAPE,
        5,
        np.random.default_rng(2),
        objects=[kind],
        coverage=0.1,
        whole_depths=True,
        defocus=defocus,
        images=Stripes(),
    )
    assert scene.known.any()
    near = np.abs(sharpest(scene.stack) - scene.index)[scene.known] <= 1
    assert near.mean() > 0.9


@pytest.mark.parametrize("depth", [0.0, 1.5, 4.0])
def test_objects_at_one_depth_are_sharpest_there(depth):
    scene = fluorescence_stack(
        SHAPE, 5, np.random.default_rng(0), depth_range=(depth, depth), objects=["nuclei"]
    )
    np.testing.assert_allclose(scene.depth, depth)
    assert (np.abs(sharpest(scene.stack) - depth)[scene.known] <= 0.5).mean() > 0.95


def test_haze_veils_every_slice_alike():
    clean, hazy = (
        fluorescence_stack(
            SHAPE, 4, np.random.default_rng(5), background=Background(0.0, haze, 20.0)
        )
        for haze in (0.0, 0.5)
    )
    scale = hazy.stack.max() / (clean.stack / clean.stack.max()).max()
    assert scale == pytest.approx(1)
    empty = ~ndimage.binary_dilation(clean.known, iterations=4)
    assert empty.any()
    assert hazy.stack[:, empty].mean() > clean.stack[:, empty].mean() + 0.1
    detail = hazy.stack - ndimage.gaussian_filter(hazy.stack, (0, 8, 8))
    assert detail.std() < (clean.stack - ndimage.gaussian_filter(clean.stack, (0, 8, 8))).std()


def test_what_haze_drowns_is_not_known():
    clean, drowned = (
        fluorescence_stack(
            SHAPE, 3, np.random.default_rng(5), background=Background(0.0, haze, 20.0)
        )
        for haze in (0.0, 20.0)
    )
    assert clean.known.mean() > 0.05
    assert drowned.known.mean() < 0.2 * clean.known.mean()


def test_light_is_kept_in_every_slice():
    scene = fluorescence_stack(
        (96, 96),
        5,
        np.random.default_rng(1),
        objects=["nuclei"],
        coverage=0.6,
        defocus=GaussianDefocus(0.8, 0.5),
        background=Background(0.0),
    )
    light = scene.stack.mean((1, 2))
    np.testing.assert_allclose(light, light.mean(), rtol=0.05)


def test_sharp_is_the_only_slice_of_a_flat_scene():
    scene = fluorescence_stack(SHAPE, 3, np.random.default_rng(1), depth_range=(1, 1))
    np.testing.assert_allclose(scene.sharp, scene.stack[1], atol=1e-5)


def test_objects_differ_by_the_contrast_asked_for():
    def roughness(contrast: float) -> float:
        scene = fluorescence_stack(
            (96, 96),
            1,
            np.random.default_rng(4),
            objects=["blobs"],
            radius_px=(25, 30),
            contrast=contrast,
            defocus=GaussianDefocus(0.3, 1),
            grain_sigma_px=1.5,
            coverage=0.2,
        )
        inside = ndimage.binary_erosion(scene.known, iterations=8)
        detail = scene.sharp - ndimage.gaussian_filter(scene.sharp, 5)
        return float(detail[inside].std() / scene.sharp[inside].mean())

    assert roughness(0.03) < 0.3 * roughness(0.3)


@pytest.mark.parametrize("n_slices", [1, 2, 9])
@pytest.mark.parametrize("shape", [(1, 1), (5, 70), (64, 48)])
def test_random_stacks_of_any_size_are_whole(n_slices, shape):
    for seed in range(6):
        scene = random_fluorescence(np.random.default_rng(seed), n_slices, shape, Stripes())
        assert scene.stack.shape == (n_slices, *shape)
        assert scene.stack.dtype == np.float32
        assert scene.stack.min() >= 0
        assert scene.stack.max() <= 1.0001
        assert np.isfinite(scene.sharp).all()
        assert 0 <= scene.depth.min() <= scene.depth.max() <= n_slices - 1
        np.testing.assert_array_equal(scene.texture, scene.known)
        assert scene.kind == "fluorescence"


def test_the_same_seed_gives_the_same_stack():
    first, again = (
        random_fluorescence(np.random.default_rng(7), 4, (40, 40), Stripes()) for _ in range(2)
    )
    np.testing.assert_array_equal(first.stack, again.stack)
    np.testing.assert_array_equal(first.depth, again.depth)


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"objects": ["ghosts"]}, "ghosts"),
        ({"objects": ()}, "objects"),
        ({"coverage": float("nan")}, "coverage"),
        ({"contrast": -0.1}, "contrast"),
        ({"radius_px": (9, 3)}, "radius_px"),
        ({"depth_range": (0, 4)}, "depth_range"),
        ({"n_slices": 0}, "n_slices"),
        ({"shape_yx": (0, 5)}, "shape_yx"),
    ],
)
def test_wrong_parameters_are_refused_by_name(wrong, name):
    parameters = {"shape_yx": SHAPE, "n_slices": 4, "rng": np.random.default_rng(0)}
    with pytest.raises(ParameterError, match=name):
        fluorescence_stack(**(parameters | wrong))
