import numpy as np
import pytest

from napari_gmff.errors import ParameterError
from napari_gmff.training.synthesis.fluorophores import LightLayers
from napari_gmff.training.synthesis.psf import GaussianDefocus
from napari_gmff.training.synthesis.widefield import Background, widefield_stack

SHAPE = (30, 40)
FIELD = (60, 70)


def two_spots() -> LightLayers:
    layers = LightLayers(np.zeros((3, *FIELD), np.float32), np.array([0.0, 1.0, 2.0]))
    layers.light[0, 25:29, 25:29] = 1.0
    layers.light[2, 33:37, 40:44] = 0.5
    return layers


def stack(layers: LightLayers, background: Background | None = None):
    return widefield_stack(
        layers,
        3,
        SHAPE,
        GaussianDefocus(0.5, 1.0),
        background or Background(0.0),
        np.random.default_rng(0),
    )


def test_each_spot_has_its_own_depth():
    scene = stack(two_spots())
    assert (scene.depth[10:14, 10:14] == 0).all()
    assert (scene.depth[18:22, 25:29] == 2).all()
    assert scene.known[10:14, 10:14].all()
    assert scene.known[18:22, 25:29].all()
    assert not scene.known[25:, :10].any()


def test_empty_places_take_the_depth_of_the_nearest_object():
    scene = stack(two_spots())
    assert scene.depth[0, 0] == 0
    assert scene.depth[-1, -1] == 2


def test_light_between_two_layers_lies_between_them():
    layers = two_spots()
    layers.light[:] = 0
    layers.light[1:, 25:29, 25:29] = [[[0.25]], [[0.75]]]
    scene = stack(layers)
    np.testing.assert_allclose(scene.depth[scene.known], 1.75, atol=0.02)


def test_the_brighter_of_two_on_one_line_of_sight_counts():
    layers = two_spots()
    layers.light[2, 25:29, 25:29] = 0.3
    assert (stack(layers).depth[10:14, 10:14] == 0).all()
    layers.light[2, 25:29, 25:29] = 3.0
    assert (stack(layers).depth[10:14, 10:14] == 2).all()


def test_an_offset_lies_everywhere():
    scene = stack(two_spots(), Background(0.5))
    assert scene.stack.min() == pytest.approx(scene.sharp.min(), rel=0.01)
    assert scene.stack.min() > 0.1


def test_impossible_backgrounds_are_refused_by_name():
    for name in ("offset", "haze", "haze_sigma_px"):
        with pytest.raises(ParameterError, match=name):
            Background(**{name: -1.0})
