import numpy as np
import pytest

from napari_gmff.training.synthesis.partial_coherence import Microscope
from napari_gmff.training.synthesis.slide_layout import (
    at_depth,
    faded_border,
    owner_depth,
    relief_depth,
    shared_by_planes,
)
from napari_gmff.training.synthesis.specimens import ThinPlane


@pytest.mark.parametrize("step_um", [0.2, 3.0])
def test_planes_of_a_surface_add_up_to_it(step_um):
    depth = np.linspace(0.4, 3.3, 50, dtype=np.float32).reshape(5, 10)
    wave = np.full((5, 10), 0.5 + 0.5j, np.complex64)
    planes, depths = shared_by_planes(wave, depth, Microscope(z_step_um=step_um))
    np.testing.assert_allclose((planes - 1).sum(0), wave - 1, atol=1e-6)
    share = np.abs(planes - 1)
    centre = (share * depths[:, None, None]).sum(0) / share.sum(0)
    np.testing.assert_allclose(centre, depth, atol=1e-5)
    assert (np.isin(np.arange(5), depths)[:4]).all()


def test_coarse_steps_get_finer_planes():
    depth = np.linspace(0, 4, 50, dtype=np.float32).reshape(5, 10)
    wave = np.full((5, 10), 0.5, np.complex64)
    counts = [
        len(shared_by_planes(wave, depth, Microscope(z_step_um=step_um))[1])
        for step_um in (0.1, 10.0)
    ]
    assert counts[0] == 5
    assert counts[1] > 10


def test_each_pixel_is_imaged_at_its_depth():
    images = np.array([[[0.0, 0.0, 0.0]], [[2.0, 2.0, 2.0]], [[4.0, 4.0, 4.0]]], np.float32)
    depth = np.array([[0.0, 0.75, 2.0]], np.float32)
    got = at_depth(images, np.array([0.0, 1.0, 2.0]), depth)
    np.testing.assert_allclose(got, [[0, 1.5, 4]])
    np.testing.assert_allclose(at_depth(images[:1], np.array([0.0]), depth * 0), images[0])


def test_the_stronger_object_owns_a_pixel():
    planes = [ThinPlane.empty((9, 9)) for _ in range(2)]
    planes[0].absorbance[:] = 0.2
    planes[0].body[:] = True
    planes[1].absorbance[:, 5:] = 0.9
    planes[1].body[:, 5:] = True
    waves = np.stack([plane.transmission() for plane in planes])
    depth = owner_depth(planes, waves, np.array([1.5, 3.0]))
    assert (depth[:, :4] == 1.5).all()
    assert (depth[:, 6:] == 3.0).all()


def test_a_relief_fills_its_range():
    surface = relief_depth(np.random.default_rng(0), (20, 30), 1.0, 4.0)
    assert surface.min() == pytest.approx(1)
    assert surface.max() == pytest.approx(4)
    assert np.abs(np.diff(surface)).max() < 0.5


def test_objects_fade_outside_of_the_view_only():
    weights = faded_border((40, 50), (20, 30))
    assert (weights[10:30, 10:40] > 0.99).all()
    assert weights[0].max() < 0.1
    assert weights[:, -1].max() < 0.1
