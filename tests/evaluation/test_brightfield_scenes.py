"""The physics of the brightfield scenes."""

from __future__ import annotations

import numpy as np
import pytest

from napari_gmff.evaluation import brightfield_scenes
from napari_gmff.evaluation.brightfield_scenes import (
    MICROSCOPES,
    Microscope,
    brightfield,
    condenser_directions,
    smear,
)


def images(transmission: np.ndarray, depth: float, n_slices: int, microscope: Microscope):
    """Return slices and the image in focus of one thin object."""
    scattered = (transmission - 1).astype(np.complex64)[None]
    return brightfield_scenes._images(microscope, scattered, np.array([depth]), n_slices)


def disc(size_px: int = 96, radius_px: float = 14.0) -> np.ndarray:
    y, x = np.mgrid[:size_px, :size_px] - size_px / 2
    return np.clip(radius_px - np.hypot(y, x), 0, 1)


def contrast(image: np.ndarray) -> float:
    return float(image.std())


@pytest.mark.parametrize("microscope", MICROSCOPES)
def test_an_empty_field_is_evenly_bright(microscope: Microscope):
    slices, sharp = images(np.ones((48, 48)), 1.0, 3, microscope)
    np.testing.assert_allclose(slices, 1, atol=1e-5)
    np.testing.assert_allclose(sharp, 1, atol=1e-5)


def test_light_of_the_condenser_stays_within_its_aperture():
    for microscope in MICROSCOPES:
        sine = np.hypot(*condenser_directions(microscope).T) * microscope.wavelength_um
        assert sine.max() <= microscope.condenser_na
        assert microscope.condenser_na < microscope.objective_na


def test_an_absorbing_edge_has_most_contrast_in_focus():
    slices, sharp = images(np.exp(-0.5 * disc()), 3.0, 7, MICROSCOPES[0])
    edges = [contrast(np.diff(plane, axis=0)) for plane in slices]
    assert int(np.argmax(edges)) == 3
    np.testing.assert_allclose(slices[3], sharp, atol=1e-4)


def test_a_pure_phase_object_vanishes_in_focus_and_reverses_behind_it():
    slices, _ = images(np.exp(0.4j * disc()), 2.0, 5, MICROSCOPES[0])
    assert contrast(slices[2]) < 0.35 * min(contrast(slices[1]), contrast(slices[3]))
    before, behind = (slices[k] - 1 for k in (1, 3))
    correlation = np.corrcoef(before.ravel(), behind.ravel())[0, 1]
    assert correlation < -0.5


def test_a_narrow_condenser_gives_stronger_rings():
    narrow, wide = (Microscope(0.65, na, pixel_size_um=0.18, z_step_um=2.0) for na in (0.1, 0.6))
    overshoots = []
    for microscope in (narrow, wide):
        slices, _ = images(np.exp(-0.5 * disc()), 0.0, 4, microscope)
        overshoots.append(float(slices[3].max() - 1))  # a mere blur is never above the ground
    assert overshoots[0] > 2 * overshoots[1]


def test_scenes_put_objects_at_several_depths_and_a_smear_in_one():
    several, flat = brightfield(1, 96, 6), smear(1, 96, 6)
    assert len(np.unique(several.depth)) > 1
    assert len(np.unique(flat.depth)) == 1
    for scene in (several, flat):
        assert scene.stack.shape == (6, 96, 96)
        assert scene.objects.any()
        assert not scene.objects.all()
        assert scene.stack.max() < 65_535
