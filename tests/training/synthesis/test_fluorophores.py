import numpy as np
import pytest

from napari_gmff.training.synthesis.fluorophores import (
    LightLayers,
    Look,
    add_filament,
    outline,
    tiling_noise,
)


def empty(n_layers: int = 4, side: int = 20) -> LightLayers:
    return LightLayers(np.zeros((n_layers, side, side), np.float32), 1.0 + np.arange(n_layers))


def test_light_between_layers_is_shared_by_distance():
    layers = empty()
    layers.add(np.ones((3, 3), np.float32), 5, 5, 2.25)
    np.testing.assert_allclose(layers.light[:, 6, 6], [0, 0.75, 0.25, 0], atol=1e-6)


def test_depth_may_change_from_pixel_to_pixel():
    layers = empty()
    layers.add(np.ones((1, 2), np.float32), 0, 0, np.array([[1.0, 4.0]]))
    np.testing.assert_allclose(layers.light[:, 0, 0], [1, 0, 0, 0])
    np.testing.assert_allclose(layers.light[:, 0, 1], [0, 0, 0, 1])


def test_what_lies_outside_is_left_out():
    layers = empty()
    layers.add(np.ones((6, 6), np.float32), -3, 17, 1.0)
    assert layers.light.sum() == 9
    layers.add(np.ones((6, 6), np.float32), 30, 0, 1.0)
    assert layers.light.sum() == 9


def test_points_keep_their_light_and_place():
    layers = empty()
    layers.add_points(*(np.array([value]) for value in (7.25, 3.5, 2.5, 2.0)))
    assert layers.light.sum() == pytest.approx(2)
    rows = layers.light.sum((0, 2))
    assert (rows * np.arange(20)).sum() / 2 == pytest.approx(7.25)
    columns = layers.light.sum((0, 1))
    assert (columns * np.arange(20)).sum() / 2 == pytest.approx(3.5)
    np.testing.assert_allclose(layers.light.sum((1, 2)), [0, 1, 1, 0], atol=1e-6)


def test_noise_has_no_seam():
    noise = tiling_noise(np.random.default_rng(0), (48, 60), 3.0)
    assert noise.std() == pytest.approx(1, abs=1e-3)
    steps = np.abs(np.diff(noise, axis=0)).mean()
    assert np.abs(noise[0] - noise[-1]).mean() < 2 * steps


@pytest.mark.parametrize("stretch", [1.0, 2.0])
def test_an_outline_has_the_area_of_its_radius(stretch):
    rho = outline(np.random.default_rng(0), 20.0, 0.0, stretch)
    assert (rho < 1).sum() == pytest.approx(np.pi * 20**2, rel=0.05)
    assert min(rho[0].min(), rho[:, 0].min()) > 1


def test_a_filament_is_thin_and_long():
    layers = empty(1, 80)
    look = Look((3.0, 3.0), 0.1, np.zeros((8, 8), np.float32), 0.0)
    add_filament(layers, np.random.default_rng(0), look, 40.0, 40.0, 1.0)
    lit = layers.light[0] > 0.05
    assert lit.sum() > 30
    assert lit.mean() < 0.3
