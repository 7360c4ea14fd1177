"""Images of thin transparent objects under a condenser: partially coherent light.

The condenser's aperture is filled with tilted plane waves that know nothing of each other
(Abbe's method): for each, the field behind the object is propagated (angular spectrum), passes
the objective's pupil and becomes an intensity; the image is their mean. This gives the bright and
dark lines around defocused edges (Becke lines), rings, and contrast that turns over in focus.

A field that has passed the pupil has few frequencies, so it is computed on a coarser grid that
just holds its intensity, and refined at the end, which is exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from napari_gmff.errors import ParameterError
from napari_gmff.training.synthesis.checks import check_count, check_within
from napari_gmff.training.synthesis.psf import disk_otf

ComplexImage = NDArray[np.complex64]

_GOLDEN_ANGLE = np.pi * (3 - 5**0.5)


@dataclass(frozen=True)
class Microscope:
    """A transmitted-light microscope.

    Attributes
    ----------
    numerical_aperture : float
        Of the objective.
    wavelength_um : float
        Of the light, in vacuum.
    pixel_size_um : float
        In the specimen.
    z_step_um : float
        Between slices.
    refractive_index : float
        Of the medium.
    coherence_ratio : float
        Aperture of the condenser by that of the objective, 0 (a point of light) to 1.
    n_angles : int
        Plane waves that stand for the condenser's aperture.
    bandwidth : float
        Half the spread of wavelengths, relative; white light has about 0.15.
    spherical_waves : float
        Spherical aberration: Zernike coefficient (6r⁴ − 6r² + 1) in wavelengths.
    misalignment : tuple of float
        Shift (y, x) of the condenser's aperture, relative to the objective's aperture.
    """

    numerical_aperture: float = 0.4
    wavelength_um: float = 0.55
    pixel_size_um: float = 0.2
    z_step_um: float = 2.0
    refractive_index: float = 1.0
    coherence_ratio: float = 0.5
    n_angles: int = 11
    bandwidth: float = 0.0
    spherical_waves: float = 0.0
    misalignment: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        for name in ("numerical_aperture", "wavelength_um", "pixel_size_um", "refractive_index"):
            check_within(name, getattr(self, name), 1e-6)
        check_within("z_step_um", self.z_step_um, 0)
        check_within("coherence_ratio", self.coherence_ratio, 0, 1)
        check_within("bandwidth", self.bandwidth, 0, 0.5)
        check_within("spherical_waves", self.spherical_waves, -5, 5)
        check_count("n_angles", self.n_angles)
        if not self.numerical_aperture < self.refractive_index:
            raise ParameterError(
                f"numerical_aperture must be below the refractive index {self.refractive_index}, "
                f"got {self.numerical_aperture}"
            )

    @property
    def cutoff_cycles_per_px(self) -> float:
        """Highest frequency that the pupil passes; 0.25 is critical sampling."""
        return self.numerical_aperture / self.wavelength_um * self.pixel_size_um

    @property
    def cone_px_per_slice(self) -> float:
        """Radius, in pixels, by which the objective's cone opens from slice to slice."""
        sine = self.numerical_aperture / self.refractive_index
        return float(self.z_step_um * sine / np.sqrt(1 - sine**2) / self.pixel_size_um)

    @property
    def waves_per_slice(self) -> float:
        """Defocus of one slice at the pupil's rim, in wavelengths; 0.5 is the depth of focus."""
        rim = (self.refractive_index**2 - self.numerical_aperture**2) ** 0.5
        return float(self.z_step_um * (self.refractive_index - rim) / self.wavelength_um)


def transmitted_images(
    planes: NDArray[np.complexfloating],
    plane_depths: ArrayLike,
    focus_depths: ArrayLike,
    microscope: Microscope,
    *,
    multiple_scattering: bool = False,
    turn: float = 0.0,
) -> NDArray[np.float32]:
    """Return images of thin objects at several foci.

    Parameters
    ----------
    planes : ndarray, (M, Y, X), complex64
        Amplitude transmission of each plane; 1 is empty. The field repeats beyond its borders.
    plane_depths : array_like, (M,)
        Rising, in slices.
    focus_depths : array_like, (K,)
        In slices.
    microscope : Microscope
        Optics and step between slices.
    multiple_scattering : bool
        Whether light from one plane meets the next (multislice); otherwise each plane is lit as if
        it were alone, which is faster, and exact where planes do not overlap.
    turn : float
        Turns the pattern of plane waves, in radians.

    Returns
    -------
    ndarray, (K, Y, X), float32
        Relative to the light without an object.

    Raises
    ------
    ParameterError
        If planes and their depths do not match.
    """
    depths = np.asarray(plane_depths, float)
    foci = np.asarray(focus_depths, float)
    if planes.ndim != 3 or depths.shape != planes.shape[:1] or (np.diff(depths) < 0).any():
        raise ParameterError(
            f"plane_depths must rise and be one for each of planes (M, Y, X), got "
            f"{depths.tolist()} for shape {planes.shape}"
        )
    shape_yx = planes.shape[1], planes.shape[2]
    angles = list(_angles(microscope, shape_yx, turn))
    grid = _coarse_shape(shape_yx, max(angle.cutoff for angle in angles))
    if multiple_scattering and len(planes) > 1:
        fields = [angle.scattered_in_turn(planes, depths) for angle in angles]
    else:
        spectra = fft.fft2(planes - 1, norm="forward", workers=1)
        fields = [angle.scattered_once(spectra, depths) for angle in angles]
    result = np.empty((len(foci), *shape_yx), np.float32)
    refocus = _Refocus(angles, fields, grid)
    # Each plane wave stands for its neighbours, too: tilts that shift a defocused image.
    gap_px = microscope.cone_px_per_slice * microscope.coherence_ratio / len(angles) ** 0.5
    for number in np.argsort(foci):
        intensity = refocus.to(float(foci[number]))
        nearest = float(np.abs(depths - foci[number]).min())
        result[number] = _refined(intensity, shape_yx, nearest * gap_px)
    return result


class _Angle:
    """One plane wave from the condenser, and what the pupil passes of its light."""

    def __init__(
        self,
        microscope: Microscope,
        shape_yx: tuple[int, int],
        tilt: NDArray[np.float64],
        wavelength_um: float,
    ) -> None:
        self._shape = shape_yx
        self._index = microscope.refractive_index
        self._step_um = microscope.z_step_um
        self._wavelength_um = wavelength_um
        self._per_um = 1 / (np.array(shape_yx) * microscope.pixel_size_um)
        aperture = microscope.numerical_aperture / wavelength_um
        self.cutoff = aperture * microscope.pixel_size_um
        reach = np.minimum(aperture / self._per_um, (np.array(shape_yx) - 1) // 2).astype(int)
        rows, columns = np.mgrid[-reach[0] : reach[0] + 1, -reach[1] : reach[1] + 1]
        radius = np.hypot(rows * self._per_um[0], columns * self._per_um[1]) / aperture
        passed = radius <= 1
        self.rows, self.columns = rows[passed], columns[passed]
        rho2 = radius[passed] ** 2
        aberration = microscope.spherical_waves * (6 * rho2**2 - 6 * rho2 + 1)
        self._pupil = np.exp(2j * np.pi * aberration).astype(np.complex64)
        self.tilt = _inside(np.rint(tilt * aperture / self._per_um), aperture, self._per_um)
        self._phase = self._axial_phase(self.rows, self.columns)  # radians per slice
        self._phase_lit = float(self._axial_phase(self.tilt[0], self.tilt[1]))
        # The common phase does not show; taking it off keeps numbers small.
        self._common = float(self._axial_phase(0, 0))

    def _axial_phase(self, row: ArrayLike, column: ArrayLike) -> NDArray[np.float64]:
        cycles2 = (np.asarray(row) * self._per_um[0]) ** 2
        cycles2 = cycles2 + (np.asarray(column) * self._per_um[1]) ** 2
        axial = np.sqrt(np.maximum(self._index**2 - self._wavelength_um**2 * cycles2, 0))
        return np.asarray(2 * np.pi / self._wavelength_um * self._step_um * axial)

    def step(self, slices: float) -> ComplexImage:
        """Return the factor that moves the focus by some slices."""
        turn = 1j * slices * (self._phase - self._common)
        return np.asarray(np.exp(turn), np.complex64)

    def scattered_once(
        self, spectra: NDArray[np.complexfloating], depths: NDArray[np.float64]
    ) -> ComplexImage:
        """Return the field in the pupil, focused on depth 0; each plane is lit alone."""
        rows = (self.rows - self.tilt[0]) % self._shape[0]
        columns = (self.columns - self.tilt[1]) % self._shape[1]
        field = np.zeros(len(self.rows), np.complex64)
        for spectrum, depth in zip(spectra, depths, strict=True):
            path = depth * (self._phase_lit - self._phase)
            field += spectrum[rows, columns] * np.exp(1j * path).astype(np.complex64)
        field[(self.rows == self.tilt[0]) & (self.columns == self.tilt[1])] += 1
        return np.asarray(field * self._pupil, np.complex64)

    def scattered_in_turn(
        self, planes: NDArray[np.complexfloating], depths: NDArray[np.float64]
    ) -> ComplexImage:
        """Return the field in the pupil, focused on depth 0; light meets plane after plane."""
        height, width = self._shape
        y = np.exp(2j * np.pi * self.tilt[0] * np.arange(height) / height)[:, None]
        x = np.exp(2j * np.pi * self.tilt[1] * np.arange(width) / width)
        wave = (y * x).astype(np.complex64)
        rows = np.rint(fft.fftfreq(height, 1 / height))[:, None]
        phase = self._axial_phase(rows, np.rint(fft.fftfreq(width, 1 / width))) - self._common
        for number, plane in enumerate(planes):
            wave = wave * plane
            if number + 1 < len(planes):
                path = (depths[number + 1] - depths[number]) * phase
                spectrum = fft.fft2(wave, workers=1) * np.exp(1j * path).astype(np.complex64)
                wave = fft.ifft2(spectrum, workers=1)
        spectrum = fft.fft2(wave, norm="forward", workers=1)
        field = spectrum[self.rows % height, self.columns % width]
        return np.asarray(field * self.step(-float(depths[-1])) * self._pupil, np.complex64)


class _Refocus:
    """Moves the focus from slice to slice; foci must rise."""

    def __init__(
        self, angles: Sequence[_Angle], fields: Sequence[ComplexImage], grid: tuple[int, int]
    ) -> None:
        self._angles = angles
        self._fields = list(fields)
        self._places = [
            (angle.rows % grid[0]) * grid[1] + angle.columns % grid[1] for angle in angles
        ]
        self._pupils = np.zeros((len(angles), *grid), np.complex64)
        self._focus = 0.0
        self._move = 0.0
        self._steps = [np.ones_like(field) for field in fields]

    def to(self, focus: float) -> NDArray[np.float32]:
        """Return the intensity at a focus, on the coarse grid."""
        move = focus - self._focus
        if abs(move - self._move) > 1e-9:
            self._steps = [angle.step(move) for angle in self._angles]
            self._move = move
        self._focus = focus
        for number, (step, places) in enumerate(zip(self._steps, self._places, strict=True)):
            self._fields[number] = self._fields[number] * step
            self._pupils[number].reshape(-1)[places] = self._fields[number]
        waves = fft.ifft2(self._pupils, norm="forward", workers=1)
        return np.asarray((waves.real**2 + waves.imag**2).mean(0), np.float32)


def _angles(microscope: Microscope, shape_yx: tuple[int, int], turn: float) -> Iterator[_Angle]:
    """Yield plane waves that fill the condenser's aperture evenly (a sunflower's seeds)."""
    count = microscope.n_angles
    for number in range(count):
        radius = microscope.coherence_ratio * ((number + 0.5) / count) ** 0.5
        direction = turn + number * _GOLDEN_ANGLE
        tilt = radius * np.array([np.sin(direction), np.cos(direction)])
        # Colours in an order of their own, so that none keeps to the rim.
        colour = (number * 0.618 + 0.5) % 1 * 2 - 1
        wavelength_um = microscope.wavelength_um * (1 + microscope.bandwidth * colour)
        yield _Angle(microscope, shape_yx, tilt + microscope.misalignment, wavelength_um)


def _inside(
    tilt: NDArray[np.float64], aperture: float, per_um: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Return a tilt in whole grid steps that the pupil passes: this is no dark field."""
    while np.hypot(*(tilt * per_um)) > aperture:
        tilt = np.trunc(tilt * 0.98)
    return tilt.astype(np.intp)


def _coarse_shape(shape_yx: tuple[int, int], cutoff: float) -> tuple[int, int]:
    """Return a grid that holds the intensity, or the full one: then it aliases as in a camera."""
    height, width = (
        min(int(fft.next_fast_len(int(4 * cutoff * side) + 3)), side) for side in shape_yx
    )
    return height, width


def _refined(
    coarse: NDArray[np.float32], shape_yx: tuple[int, int], blur_px: float
) -> NDArray[np.float32]:
    """Return an image on the full grid, blurred by a disk."""
    spectrum = fft.rfft2(coarse, norm="forward", workers=1)
    full = np.zeros((shape_yx[0], shape_yx[1] // 2 + 1), np.complex64)
    half = (min(coarse.shape[0], shape_yx[0]) - 1) // 2
    columns = min(spectrum.shape[1], full.shape[1])
    full[: half + 1, :columns] = spectrum[: half + 1, :columns]
    if half:
        full[-half:, :columns] = spectrum[-half:, :columns]
    if blur_px > 0.3:
        full *= disk_otf(shape_yx, blur_px)
    return np.asarray(fft.irfft2(full, s=shape_yx, norm="forward", workers=1), np.float32)
