import numpy as np
import pytest
from scipy import ndimage

from napari_gmff.errors import ParameterError
from napari_gmff.training.synthesis.partial_coherence import Microscope, transmitted_images

SIDE = 96
FOCI = np.arange(-4.0, 5.0)


def microscope(ratio: float, n_angles: int = 13, **kwargs: object) -> Microscope:
    return Microscope(0.5, 0.55, 0.2, 1.5, 1.0, ratio, n_angles, **kwargs)  # type: ignore[arg-type]


def disc(radius_px: float = 20.0) -> np.ndarray:
    y, x = np.indices((SIDE, SIDE)) - SIDE // 2
    return np.clip((radius_px - np.hypot(y, x)) / 1.5 + 0.5, 0, 1).astype(np.float32)


def images(wave: np.ndarray, scope: Microscope, foci: np.ndarray = FOCI) -> np.ndarray:
    return transmitted_images(wave[None].astype(np.complex64), [0.0], foci, scope)


def abbe(wave: np.ndarray, scope: Microscope, focus: float) -> np.ndarray:
    """On-axis light, in the plainest way: one big transform, no coarse grid."""
    cycles = np.fft.fftfreq(SIDE, scope.pixel_size_um)
    radius2 = cycles[:, None] ** 2 + cycles**2
    axial = np.sqrt(np.maximum(1 - scope.wavelength_um**2 * radius2, 0))
    pupil = radius2 <= (scope.numerical_aperture / scope.wavelength_um) ** 2
    path = 2 * np.pi / scope.wavelength_um * focus * scope.z_step_um * axial
    return np.abs(np.fft.ifft2(np.fft.fft2(wave) * pupil * np.exp(1j * path))) ** 2


@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0])
def test_an_empty_field_stays_one(ratio):
    scope = microscope(ratio, bandwidth=0.1, spherical_waves=0.2, misalignment=(0.05, 0.1))
    np.testing.assert_allclose(images(np.ones((SIDE, SIDE)), scope), 1, atol=1e-4)


def test_light_from_a_point_source_equals_plain_fourier_optics():
    wave = np.exp((-0.3 + 1j) * disc())
    scope = microscope(0.0, n_angles=1)
    for focus, image in zip(FOCI, images(wave, scope), strict=True):
        np.testing.assert_allclose(image, abbe(wave, scope, focus), atol=2e-3)


def test_foci_may_come_in_any_order():
    wave, scope = np.exp(1j * disc()), microscope(0.5)
    order = np.array([3, 0, 8, 5])
    np.testing.assert_allclose(
        images(wave, scope, FOCI[order]), images(wave, scope)[order], atol=1e-4
    )


def test_a_phase_object_vanishes_in_focus_only():
    contrast = images(np.exp(0.4j * disc()), microscope(0.4)).std((1, 2))
    assert contrast.argmin() == 4
    assert contrast[4] < 0.25 * contrast[[3, 5]].min()


def test_contrast_of_a_phase_edge_turns_over_in_focus():
    wave = np.exp(0.4j * ndimage.gaussian_filter(disc(), 1.0))
    before, after = images(wave, microscope(0.4), np.array([-0.5, 0.5])) - 1
    overlap = np.corrcoef(before.ravel(), after.ravel())[0, 1]
    assert overlap < -0.8


def test_a_delay_turned_over_is_focus_turned_over():
    scope = microscope(0.5)
    wave = np.exp((-0.2 + 0.8j) * disc())
    mirrored = images(np.conj(wave), scope)[::-1, ::-1, ::-1]  # its light is tilted the other way
    np.testing.assert_allclose(images(wave, scope), np.roll(mirrored, 1, (1, 2)), atol=1e-3)


@pytest.mark.parametrize("ratio", [0.2, 0.6, 1.0])
def test_an_absorbing_edge_is_steepest_in_focus(ratio):
    steepness = [
        np.abs(np.diff(image, axis=1)).max()
        for image in images(np.exp(-0.4 * disc()), microscope(ratio))
    ]
    assert int(np.argmax(steepness)) == 4


def test_a_wide_condenser_weakens_rings():
    def ringing(ratio: float) -> float:
        far = images(np.exp(-0.3 * disc()), microscope(ratio, 31), np.array([3.0]))[0]
        y, x = np.indices(far.shape) - SIDE // 2
        outside = (np.hypot(y, x) > 26) & (np.hypot(y, x) < 40)
        fine = far - ndimage.gaussian_filter(far, 5, mode="wrap")
        return float(fine[outside].std())

    assert ringing(1.0) < 0.35 * ringing(0.2)


def test_few_angles_stand_for_many():
    wave, foci = np.exp(-0.5 * disc(10)), np.array([2.5])
    few, many = (images(wave, microscope(0.8, count), foci)[0] for count in (9, 120))
    assert np.abs(few - many).max() < 0.25 * np.abs(many - 1).max()


def test_planes_that_do_not_overlap_may_be_lit_alone():
    left, right = (np.roll(disc(12), shift, 1) for shift in (-22, 22))
    planes = np.exp((-0.2 + 0.3j) * np.stack([left, right])).astype(np.complex64)
    scope = microscope(0.5, 7)
    alone, in_turn = (
        transmitted_images(planes, [-1.0, 1.0], FOCI, scope, multiple_scattering=multiple)
        for multiple in (False, True)
    )
    assert np.abs(alone - in_turn).max() < 0.1 * np.abs(alone - 1).max()
    # Each is steepest at its own depth.
    steep = np.abs(np.diff(alone, axis=2)).max(1)
    assert FOCI[steep[:, : SIDE // 2].max(1).argmax()] == pytest.approx(-1, abs=1)
    assert FOCI[steep[:, SIDE // 2 :].max(1).argmax()] == pytest.approx(1, abs=1)


def test_light_that_meets_two_planes_is_dimmed_twice():
    planes = np.full((2, SIDE, SIDE), 0.5**0.5, np.complex64)
    twice = transmitted_images(planes, [0, 3], [1], microscope(0.5), multiple_scattering=True)
    np.testing.assert_allclose(twice, 0.25, atol=1e-4)


def test_sampling_coarser_than_the_pupil_still_keeps_the_light():
    scope = Microscope(0.9, 0.5, 0.6, 1.0)
    assert scope.cutoff_cycles_per_px > 0.5
    assert images(np.exp(0.3j * disc()), scope).mean() == pytest.approx(1, abs=0.05)


def test_impossible_optics_are_refused():
    with pytest.raises(ParameterError, match=r"coherence_ratio.*1\.5"):
        microscope(1.5)
    with pytest.raises(ParameterError, match="numerical_aperture"):
        Microscope(1.2)
    with pytest.raises(ParameterError, match="n_angles"):
        microscope(0.5, 0)
    with pytest.raises(ParameterError, match="plane_depths"):
        transmitted_images(np.ones((2, 8, 8), np.complex64), [1, 0], [0], microscope(0.5))
