import numpy as np
import pytest
from scipy import fft

from napari_gmff.errors import ParameterError
from napari_gmff.training.synthesis.psf import (
    Defocus,
    DiskDefocus,
    GaussianDefocus,
    ScalarDefocus,
    blurred_spectrum_sum,
    cropped,
    defocus_otfs,
    defocus_psf,
    disk_otf,
    padded_shape,
)

ALL: list[Defocus] = [
    GaussianDefocus(0.8, 1.0),
    DiskDefocus(0.8, 1.5),
    ScalarDefocus(),
    ScalarDefocus(1.2, 0.5, 0.1, 0.3, 1.33),
]
SHAPE = (96, 80)


def half_light_radius_px(psf: np.ndarray) -> float:
    y, x = np.indices(psf.shape)
    radius = np.hypot(y - psf.shape[0] // 2, x - psf.shape[1] // 2)
    order = np.argsort(radius, axis=None)
    light = np.cumsum(psf.ravel()[order])
    return float(radius.ravel()[order][np.searchsorted(light, 0.5 * light[-1])])


@pytest.mark.parametrize("defocus", ALL)
def test_spread_keeps_all_light_and_is_symmetric_in_z(defocus):
    for distance in (0.0, 1.3, 6.0):
        above, below = (defocus_psf(defocus, sign * distance, SHAPE) for sign in (1, -1))
        assert above.sum() == pytest.approx(1, abs=1e-5)
        np.testing.assert_allclose(above, below, atol=1e-7)


@pytest.mark.parametrize("defocus", ALL)
def test_spread_is_round_and_centred(defocus):
    psf = defocus_psf(defocus, 3, (64, 64))
    middle = psf[1:, 1:]  # symmetric about its own middle
    np.testing.assert_allclose(middle, middle[::-1, ::-1], atol=1e-7)
    np.testing.assert_allclose(middle, middle.T, atol=1e-7)


@pytest.mark.parametrize("defocus", ALL)
def test_spread_widens_with_distance(defocus):
    widths = [half_light_radius_px(defocus_psf(defocus, d, (160, 160))) for d in (0, 2, 4, 8)]
    assert widths == sorted(widths)
    assert widths[3] > 1.6 * widths[2] > 2 * widths[1]


def test_gaussian_spread_is_the_gaussian():
    psf = defocus_psf(GaussianDefocus(1.0, 0.5), 4, (64, 64))
    y, x = np.indices(psf.shape) - 32
    variance = 1.0 + 2.0**2
    expected = np.exp(-0.5 * (y**2 + x**2) / variance) / (2 * np.pi * variance)
    np.testing.assert_allclose(psf, expected, atol=2e-5)


def test_disk_spread_is_an_even_disk():
    psf = defocus_psf(DiskDefocus(0.7, 2.0), 5, (64, 64))
    assert psf[32, 32] == pytest.approx(1 / (np.pi * 10**2), rel=0.05)
    assert psf[32, 32 + 7] == pytest.approx(psf[32, 32], rel=0.1)
    assert psf[32, 32 + 13] < 0.05 * psf[32, 32]
    np.testing.assert_allclose(disk_otf((8, 8), 0.0), 1, atol=1e-6)


@pytest.mark.parametrize("distance", [0, 2, 6])
@pytest.mark.parametrize("aperture_index", [(0.75, 1.0), (1.2, 1.33)])
def test_scalar_otf_equals_the_fourier_transform_of_a_sampled_pupil(distance, aperture_index):
    aperture, index = aperture_index
    wavelength, pixel, step = 0.52, 0.16, 0.3
    side, fine = 512, 2 * pixel / 4
    cycles = fft.fftfreq(side, fine)
    radius2 = cycles[:, None] ** 2 + cycles**2
    axial = np.sqrt(np.maximum(index**2 - wavelength**2 * radius2, 0))
    pupil = (radius2 < (aperture / wavelength) ** 2) * np.exp(
        2j * np.pi / wavelength * distance * step * axial
    )
    spread = np.abs(fft.ifft2(pupil)) ** 2
    expected = fft.fft2(spread / spread.sum()).real[0, : side // 4]
    ours = ScalarDefocus(aperture, wavelength, pixel, step, index).transfer(np.array([distance]))
    at = np.linspace(0, 0.5**0.5, ours.shape[1])
    places = cycles[: side // 4] * pixel
    inside = places < 0.5
    np.testing.assert_allclose(np.interp(places[inside], at, ours[0]), expected[inside], atol=0.02)


def test_far_from_focus_light_fills_the_cone_of_the_aperture():
    defocus = ScalarDefocus(0.5, 0.52, 0.25, 4.0)
    psf = defocus_psf(defocus, 5, (256, 256))
    cone_px = 5 * 4.0 * np.tan(np.arcsin(0.5)) / 0.25
    assert 5 * defocus.cone_px_per_slice == pytest.approx(cone_px)
    # Half of an even disk's light lies within 1/√2 of its radius.
    assert half_light_radius_px(psf) == pytest.approx(cone_px / 2**0.5, rel=0.1)
    y, x = np.indices(psf.shape) - 128
    assert psf[np.hypot(y, x) < 1.1 * cone_px].sum() > 0.95


def test_light_of_layers_adds_up():
    rng = np.random.default_rng(0)
    layers = rng.random((2, *SHAPE)).astype(np.float32)
    otfs = defocus_otfs(GaussianDefocus(0.0, 1.0), np.array([0.0, 2.0]), SHAPE)
    both = blurred_spectrum_sum(fft.rfft2(layers), list(otfs), SHAPE)
    alone = [blurred_spectrum_sum(fft.rfft2(layers[k : k + 1]), [otfs[k]], SHAPE) for k in (0, 1)]
    np.testing.assert_allclose(both, alone[0] + alone[1], atol=1e-5)
    np.testing.assert_allclose(alone[0], layers[0], atol=1e-5)
    assert both.mean() == pytest.approx(layers.sum(0).mean(), rel=1e-5)


def test_cropping_undoes_padding():
    shape = padded_shape((17, 31), 9)
    assert shape[0] >= 35
    assert shape[1] >= 49
    middle = cropped(np.arange(shape[0] * shape[1]).reshape(1, *shape), (17, 31))
    assert middle.shape == (1, 17, 31)
    assert divmod(int(middle[0, 0, 0]), shape[1]) == ((shape[0] - 17) // 2, (shape[1] - 31) // 2)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: GaussianDefocus(-0.1, 1), "base_sigma_px"),
        (lambda: DiskDefocus(1, float("nan")), "blur_px_per_slice"),
        (lambda: ScalarDefocus(numerical_aperture=0), "numerical_aperture"),
        (lambda: ScalarDefocus(numerical_aperture=1.4, refractive_index=1.33), "1.4"),
        (lambda: ScalarDefocus(z_step_um=-1), "z_step_um"),
    ],
)
def test_impossible_optics_are_refused_by_name(make, name):
    with pytest.raises(ParameterError, match=name):
        make()
