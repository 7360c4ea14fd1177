"""What defocus does to incoherent light: transfer functions (OTFs) of microscopes.

All of them are round, so each is computed along one radius and laid out on the grid of
`scipy.fft.rfft2`. Spreading one image by many defoci then costs one transform forward and one
back for each slice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
from scipy import fft, special

from napari_gmff.errors import ParameterError
from napari_gmff.training.synthesis.checks import check_within

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.training.synthesis.synthetic_stack import FloatImage

ScalarT = TypeVar("ScalarT", bound=np.generic)

_RADII = 512
"""Radial frequencies at which an OTF is computed; linear between them."""
_HIGHEST_CYCLES_PER_PX = 0.5 * 2**0.5


class Defocus(Protocol):
    """How light from a point spreads, by its distance from the focal plane."""

    def transfer(self, distances_slices: NDArray[np.floating]) -> FloatImage:
        """Return OTFs (D, 512) at D distances, along the radius; 1 at frequency 0."""

    def reach_px(self, distance_slices: float) -> float:
        """Return the radius within which nearly all light of a point falls."""


@dataclass(frozen=True)
class GaussianDefocus:
    """Gaussian spread whose sigma grows with distance.

    Attributes
    ----------
    base_sigma_px : float
        Sigma in focus, 0 or above.
    blur_px_per_slice : float
        Sigma added (in quadrature) by each slice of distance, 0 or above.
    """

    base_sigma_px: float = 0.8
    blur_px_per_slice: float = 1.0

    def __post_init__(self) -> None:
        check_within("base_sigma_px", self.base_sigma_px, 0)
        check_within("blur_px_per_slice", self.blur_px_per_slice, 0)

    def transfer(self, distances_slices: NDArray[np.floating]) -> FloatImage:
        """Return OTFs (D, 512) at D distances, along the radius; 1 at frequency 0."""
        sigma = np.hypot(self.base_sigma_px, self.blur_px_per_slice * distances_slices)[:, None]
        return np.asarray(np.exp(-2 * (np.pi * sigma * _radial()) ** 2), np.float32)

    def reach_px(self, distance_slices: float) -> float:
        """Return three sigmas."""
        return 3 * float(np.hypot(self.base_sigma_px, self.blur_px_per_slice * distance_slices))


@dataclass(frozen=True)
class DiskDefocus:
    """Geometric optics: an evenly lit disk that grows with distance, on a Gaussian focus.

    Attributes
    ----------
    base_sigma_px : float
        Sigma of the Gaussian in focus, 0 or above.
    blur_px_per_slice : float
        Radius of the disk added by each slice of distance, 0 or above.
    """

    base_sigma_px: float = 0.8
    blur_px_per_slice: float = 1.5

    def __post_init__(self) -> None:
        check_within("base_sigma_px", self.base_sigma_px, 0)
        check_within("blur_px_per_slice", self.blur_px_per_slice, 0)

    def transfer(self, distances_slices: NDArray[np.floating]) -> FloatImage:
        """Return OTFs (D, 512) at D distances, along the radius; 1 at frequency 0."""
        radius = np.abs(self.blur_px_per_slice * np.asarray(distances_slices, float))[:, None]
        in_focus = np.exp(-2 * (np.pi * self.base_sigma_px * _radial()) ** 2)
        return np.asarray(in_focus * _disk(radius * _radial()), np.float32)

    def reach_px(self, distance_slices: float) -> float:
        """Return the disk's radius and three sigmas."""
        return abs(self.blur_px_per_slice * distance_slices) + 3 * self.base_sigma_px


@dataclass(frozen=True)
class ScalarDefocus:
    """Scalar diffraction theory of an ideal objective, exact for high apertures.

    The field of a point is the Fourier transform of a round pupil that carries the phase
    2π/λ · z · sqrt(n² − (λf)²); its square is the spread of incoherent light [1]_.

    Attributes
    ----------
    numerical_aperture : float
        Above 0, below the refractive index.
    wavelength_um : float
        Of the light, in vacuum.
    pixel_size_um : float
        In the specimen.
    z_step_um : float
        Between slices.
    refractive_index : float
        Of the immersion medium.

    References
    ----------
    .. [1] M. Gu, Advanced Optical Imaging Theory, Springer 2000, chapter 6.
    """

    numerical_aperture: float = 0.75
    wavelength_um: float = 0.52
    pixel_size_um: float = 0.16
    z_step_um: float = 0.5
    refractive_index: float = 1.0

    def __post_init__(self) -> None:
        for name in ("numerical_aperture", "wavelength_um", "pixel_size_um", "refractive_index"):
            check_within(name, getattr(self, name), 1e-6)
        check_within("z_step_um", self.z_step_um, 0)
        if not self.numerical_aperture < self.refractive_index:
            raise ParameterError(
                f"numerical_aperture must be below the refractive index {self.refractive_index}, "
                f"got {self.numerical_aperture}"
            )

    @property
    def cone_px_per_slice(self) -> float:
        """Radius, in pixels, by which the cone of light opens from slice to slice."""
        sine = self.numerical_aperture / self.refractive_index
        return float(self.z_step_um * sine / np.sqrt(1 - sine**2) / self.pixel_size_um)

    @property
    def airy_radius_px(self) -> float:
        """Radius of the first dark ring in focus, in pixels."""
        return 0.61 * self.wavelength_um / self.numerical_aperture / self.pixel_size_um

    def transfer(self, distances_slices: NDArray[np.floating]) -> FloatImage:
        """Return OTFs (D, 512) at D distances, along the radius; 1 at frequency 0."""
        z_um = np.abs(np.asarray(distances_slices, float)) * self.z_step_um
        far = float(z_um.max(initial=0.0))
        cutoff = self.numerical_aperture / self.wavelength_um  # cycles/µm
        field = self._field(z_um, far, cutoff)
        radius_um = self._radii_um(far, cutoff)
        spread = (field.real**2 + field.imag**2) * radius_um
        cycles_um = _radial() / self.pixel_size_um
        passed = np.flatnonzero(cycles_um < 2 * cutoff)
        kernel = _bessel_kernel(radius_um, cycles_um[passed])
        transfer = np.zeros((len(z_um), _RADII), np.float32)
        transfer[:, passed] = (spread.astype(np.float32) @ kernel) / spread.sum(1, keepdims=True)
        return transfer

    def reach_px(self, distance_slices: float) -> float:
        """Return the cone's radius and three rings of the Airy pattern."""
        return abs(distance_slices) * self.cone_px_per_slice + 3 * self.airy_radius_px

    def _radii_um(self, far_um: float, cutoff: float) -> NDArray[np.float64]:
        # The tail beyond holds 1 % of the light; the spread's own frequencies end at 2 cutoff.
        end = far_um * self.cone_px_per_slice / max(self.z_step_um, 1e-9) * self.pixel_size_um
        count = int(np.ceil((end + 16 / cutoff) * cutoff * 8))
        return np.asarray((np.arange(count) + 0.5) / (8 * cutoff))

    def _field(
        self, z_um: NDArray[np.float64], far_um: float, cutoff: float
    ) -> NDArray[np.complex64]:
        """Return the field (D, R) of a point by distance, at `_radii_um`."""
        edge = np.sqrt(self.refractive_index**2 - self.numerical_aperture**2)
        waves = far_um / self.wavelength_um * (self.refractive_index - edge)
        radii = self._radii_um(far_um, cutoff)
        turns = waves + radii[-1] * cutoff
        count = 48 + int(4 * turns)
        cycles = (np.arange(count) + 0.5) / count * cutoff
        axial = np.sqrt(self.refractive_index**2 - (self.wavelength_um * cycles) ** 2)
        phase = 2 * np.pi / self.wavelength_um * z_um[:, None] * axial
        pupil = np.exp(1j * phase) * cycles
        kernel = _bessel_kernel(cycles, radii)
        return np.asarray(pupil.astype(np.complex64) @ kernel, np.complex64)


def disk_otf(shape_yx: tuple[int, int], radius_px: float) -> FloatImage:
    """Return the OTF of an evenly lit disk on the grid of `rfft2`."""
    check_within("radius_px", radius_px, 0)
    transfer = np.asarray(_disk(radius_px * _radial())[None], np.float32)
    return np.asarray(on_grid(transfer, shape_yx)[0])


def defocus_otfs(
    defocus: Defocus, distances_slices: NDArray[np.floating], shape_yx: tuple[int, int]
) -> FloatImage:
    """Return OTFs at several distances on the grid of `rfft2`.

    Parameters
    ----------
    defocus : Defocus
        How light spreads.
    distances_slices : ndarray, (D,)
        From the focal plane; their sign does not matter.
    shape_yx : tuple of int
        Of the image that will be transformed.

    Returns
    -------
    ndarray, (D, Y, X // 2 + 1), float32
        1 at frequency 0, so that light is kept.
    """
    return on_grid(defocus.transfer(np.asarray(distances_slices, float)), shape_yx)


def defocus_psf(defocus: Defocus, distance_slices: float, shape_yx: tuple[int, int]) -> FloatImage:
    """Return the spread of a point, (Y, X), centred at (Y // 2, X // 2), with sum 1."""
    otf = defocus_otfs(defocus, np.array([distance_slices]), shape_yx)[0]
    return np.asarray(fft.fftshift(fft.irfft2(otf, s=shape_yx)), np.float32)


def on_grid(transfer: FloatImage, shape_yx: tuple[int, int]) -> FloatImage:
    """Lay out radial OTFs (D, 512) on the grid of `rfft2`, (D, Y, X // 2 + 1)."""
    below, share = _grid_places(*shape_yx)
    result = np.empty((len(transfer), *below.shape), np.float32)
    for row, values in enumerate(transfer):
        low = values[below]
        result[row] = low + share * (values[below + 1] - low)
    return result


def blurred_spectrum_sum(
    spectra: NDArray[np.complexfloating],
    otfs: Sequence[FloatImage],
    shape_yx: tuple[int, int],
) -> FloatImage:
    """Return the light of several layers, each spread by its own OTF, in one image.

    Parameters
    ----------
    spectra : ndarray, (M, Y, X // 2 + 1), complex64
        `rfft2` of each layer.
    otfs : sequence of ndarray, (Y, X // 2 + 1), float32
        One for each layer.
    shape_yx : tuple of int
        Of the image.
    """
    total = np.zeros(spectra.shape[1:], np.complex64)
    for spectrum, otf in zip(spectra, otfs, strict=True):
        total += spectrum * otf
    return np.asarray(fft.irfft2(total, s=shape_yx, workers=1), np.float32)


def padded_shape(shape_yx: tuple[int, int], margin_px: int) -> tuple[int, int]:
    """Return a shape that is fast to transform, with at least a margin on every side."""
    height, width = (int(fft.next_fast_len(side + 2 * margin_px, real=True)) for side in shape_yx)
    return height, width


def cropped(padded: NDArray[ScalarT], shape_yx: tuple[int, int]) -> NDArray[ScalarT]:
    """Return the middle of an array (..., Y, X)."""
    top, left = ((have - want) // 2 for have, want in zip(padded.shape[-2:], shape_yx, strict=True))
    return padded[..., top : top + shape_yx[0], left : left + shape_yx[1]]


@lru_cache(maxsize=1)
def _radial() -> NDArray[np.float64]:
    return np.linspace(0, _HIGHEST_CYCLES_PER_PX, _RADII)


@lru_cache(maxsize=16)
def _grid_places(height: int, width: int) -> tuple[NDArray[np.intp], FloatImage]:
    """Return, for each frequency, the radial sample below it and the way to the next."""
    radius = np.hypot(fft.fftfreq(height)[:, None], fft.rfftfreq(width))
    place = radius / _HIGHEST_CYCLES_PER_PX * (_RADII - 1)
    below = np.minimum(place.astype(np.intp), _RADII - 2)
    return below, np.asarray(place - below, np.float32)


def _disk(radius_times_frequency: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the Fourier transform of a disk of unit sum."""
    angle = 2 * np.pi * radius_times_frequency
    safe = np.maximum(angle, 1e-6)
    return np.asarray(np.where(angle > 1e-6, 2 * special.j1(safe) / safe, 1.0))


def _bessel_kernel(a: NDArray[np.float64], b: NDArray[np.float64]) -> FloatImage:
    """Return J0(2π a b), (A, B): the round Fourier transform."""
    return np.asarray(special.j0(2 * np.pi * np.outer(a, b)), np.float32)
