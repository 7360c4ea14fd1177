import numpy as np
import pytest

from napari_gmff.errors import ParameterError
from napari_gmff.training.synthesis.specimens import (
    Stain,
    ThinPlane,
    add_blood_cell,
    add_droplet,
    add_picture,
)

STAIN = Stain(0.7, 1.5, (12.0, 12.0), 1.0, 0.0)


def test_transmission_follows_beer_and_lambert():
    plane = ThinPlane.empty((4, 4))
    plane.absorbance[1, 1] = np.log(4)
    plane.phase[1, 1] = np.pi / 2
    wave = plane.transmission()
    assert wave[0, 0] == 1
    assert abs(wave[1, 1]) ** 2 == pytest.approx(0.25)
    assert wave[1, 1] == pytest.approx(0.5j, abs=1e-6)


def test_a_blood_cell_absorbs_as_much_as_the_stain_says():
    plane = ThinPlane.empty((64, 64))
    add_blood_cell(plane, np.random.default_rng(0), STAIN, 32, 32)
    assert plane.absorbance.max() == pytest.approx(0.7, rel=0.35)
    np.testing.assert_allclose(plane.phase * 0.7, plane.absorbance * 1.5, atol=1e-4)
    assert plane.body.sum() == pytest.approx(np.pi * 12**2, rel=0.1)
    assert not plane.absorbance[~plane.body].max() > 0.4


def test_objects_beyond_the_border_are_cut():
    plane = ThinPlane.empty((20, 20))
    add_blood_cell(plane, np.random.default_rng(0), STAIN, 0, 0)
    assert plane.body[0, 0]
    assert not plane.body[15:, 15:].any()
    add_blood_cell(plane, np.random.default_rng(0), STAIN, 500, 500)


def test_a_droplet_hardly_absorbs():
    plane = ThinPlane.empty((64, 64))
    add_droplet(plane, np.random.default_rng(0), STAIN, 32, 32)
    assert np.abs(plane.phase).max() > 2
    assert plane.absorbance.max() < 0.3


def test_dark_parts_of_a_picture_absorb_and_its_clear_parts_do_not():
    class Halves:
        def crop(self, rng: np.random.Generator, shape_yx: tuple[int, int]) -> np.ndarray:
            image = np.full(shape_yx, 0.9, np.float32)
            image[:, : shape_yx[1] // 3] = 0.2
            return image

    plane = ThinPlane.empty((30, 30))
    add_picture(plane, np.random.default_rng(0), STAIN, Halves())
    assert plane.absorbance[15, 3] == pytest.approx(0.7, rel=0.01)
    assert plane.absorbance[15, 25] == pytest.approx(0, abs=1e-3)
    assert plane.body[15, 3]
    assert not plane.body[15, 25]


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ((-0.1, 0, (5, 6), 1, 0), "absorbance"),
        ((0.1, float("nan"), (5, 6), 1, 0), "phase"),
        ((0.1, 0, (6, 5), 1, 0), "radius_px"),
        ((0.1, 0, (5, 6), 0, 0), "edge_px"),
        ((0.1, 0, (5, 6), 1, -1), "variety"),
    ],
)
def test_impossible_stains_are_refused_by_name(values, name):
    with pytest.raises(ParameterError, match=name):
        Stain(*values)
