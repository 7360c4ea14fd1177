"""Brightfield scenes: absorbing and phase objects in partially coherent light.

Written apart from the training's generator and on another model: objects of several depths are
taken as side by side, so the light that each scatters is carried to the focal plane by itself and
added (first Born approximation), where training sends one wave through all planes.

References
----------
.. [1] J. W. Goodman, "Introduction to Fourier Optics", 3rd ed., 2005: angular spectrum (3.10) and
   imaging with partially coherent light (chapter 7).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft, ndimage

from napari_gmff.evaluation.scene import EvaluationScene, photographed

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEED = 43_000_000

_MARGIN_PX = 64
_GROUND = 0.6
"""Brightness of the empty field; bright rings must not saturate."""
_WHITE = 40_000.0
_GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
_N_DIRECTIONS = 12
_NOTABLE = 0.06
"""Least |transmission - 1| of a pixel that belongs to an object."""


@dataclass(frozen=True)
class Microscope:
    """What forms the image.

    Attributes
    ----------
    objective_na, condenser_na : float
    wavelength_um, pixel_size_um : float
    refractive_index : float
        Of the medium between the objects.
    z_step_um : float
        Between slices.
    """

    objective_na: float
    condenser_na: float
    wavelength_um: float = 0.55
    pixel_size_um: float = 0.16
    refractive_index: float = 1.33
    z_step_um: float = 1.0


MICROSCOPES = (
    Microscope(0.65, 0.40, pixel_size_um=0.18, z_step_um=1.6),
    Microscope(0.75, 0.30, wavelength_um=0.53, pixel_size_um=0.15, z_step_um=1.2),
    Microscope(0.45, 0.30, wavelength_um=0.58, pixel_size_um=0.30, z_step_um=3.0),
    Microscope(0.80, 0.60, pixel_size_um=0.12, z_step_um=0.9),
)
"""Scenes take turns; a slice of defocus blurs by about 1 to 2 px."""


def brightfield(number: int, size_px: int, n_slices: int = 12) -> EvaluationScene:
    """Return discs, ellipses and rods, absorbing and phase, at several depths.

    Parameters
    ----------
    number, size_px, n_slices
        Of the scene.
    """
    rng = np.random.default_rng([SEED, number])
    depths = np.sort(rng.choice(np.arange(n_slices), min(5, n_slices), replace=False))
    planes = _scattered_objects(size_px + 2 * _MARGIN_PX, len(depths), rng)
    return _scene(number, planes, depths.astype(float), n_slices, rng)


def smear(number: int, size_px: int, n_slices: int = 12) -> EvaluationScene:
    """Return a flat smear: large smooth cells in one plane, which may be near an end."""
    rng = np.random.default_rng([SEED, number, 1])
    depth = float(rng.uniform(1, n_slices - 2)) if n_slices > 3 else 0.0
    planes = _cells(size_px + 2 * _MARGIN_PX, rng)[None]
    return _scene(number, planes, np.array([depth]), n_slices, rng)


def _scene(
    number: int,
    planes: NDArray[np.complex64],
    depths: NDArray[np.float64],
    n_slices: int,
    rng: np.random.Generator,
) -> EvaluationScene:
    microscope = MICROSCOPES[number % len(MICROSCOPES)]
    light, sharp = _images(microscope, planes, depths, n_slices)
    inner = (slice(_MARGIN_PX, -_MARGIN_PX),) * 2
    notable = np.abs(planes)[:, *inner]
    objects = notable.max(0) > _NOTABLE
    objects = ndimage.binary_fill_holes(ndimage.binary_closing(objects, iterations=2))
    depth = depths[_nearest_object(notable)]
    return EvaluationScene(
        stack=photographed(
            _GROUND * light[:, *inner], _WHITE, np.uint16, rng, photons=20_000, read_noise=0.002
        ),
        sharp=(_WHITE * _GROUND * sharp[inner]).astype(np.float32),
        depth=depth.astype(np.float32),
        full_scale=_WHITE,
        objects=objects,
        known=objects,
    )


def _nearest_object(notable: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the plane of the object at each pixel, or of the nearest one; (Y, X)."""
    strongest = notable.argmax(0)
    empty = notable.max(0) <= _NOTABLE
    nearest = ndimage.distance_transform_edt(empty, return_distances=False, return_indices=True)
    return np.asarray(strongest[tuple(nearest)])


def _images(
    microscope: Microscope,
    planes: NDArray[np.complex64],
    depths: NDArray[np.float64],
    n_slices: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the intensity of every slice (N, Y, X) and of all objects in focus (Y, X).

    Parameters
    ----------
    microscope : Microscope
        What forms the image.
    planes : ndarray, (D, Y, X), complex64
        Transmission of each depth minus 1: what its objects scatter.
    depths : ndarray, (D,)
        In slices.
    n_slices : int
        Of the stack; the first is at depth 0.
    """
    spectra = fft.fft2(planes, workers=1)
    total = np.zeros((n_slices + 1, *planes.shape[1:]), np.float32)
    directions = condenser_directions(microscope)
    for direction in directions:
        pupil, phase_per_um = tilted_pupil(microscope, planes.shape[1:], direction)
        in_focus = spectra * pupil
        total[-1] += _intensity(in_focus)
        one_slice = np.exp(np.complex64(1j * microscope.z_step_um) * phase_per_um)
        # Each plane's light as the first slice sees it, then carried on slice by slice.
        seen = in_focus * np.exp(
            (-1j * microscope.z_step_um * depths[:, None, None]).astype(np.complex64) * phase_per_um
        )
        for k in range(n_slices):
            total[k] += _intensity(seen)
            seen *= one_slice
    total /= len(directions)
    return total[:-1], total[-1]


def _intensity(spectra: NDArray[np.complex64]) -> NDArray[np.float32]:
    """Return what all planes' scattered light (D, Y, X) and unscattered light of 1 give."""
    field = fft.ifft2(spectra.sum(0), workers=1)
    return np.asarray((1 + field.real) ** 2 + field.imag**2, np.float32)


def condenser_directions(microscope: Microscope) -> NDArray[np.float64]:
    """Spread directions evenly over the condenser's aperture; (n, 2) spatial frequencies per µm."""
    number = np.arange(_N_DIRECTIONS) + 0.5
    radius = microscope.condenser_na / microscope.wavelength_um * np.sqrt(number / _N_DIRECTIONS)
    angle = number * _GOLDEN_ANGLE
    return np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=-1)


def tilted_pupil(
    microscope: Microscope, shape_yx: tuple[int, ...], direction: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.complex64]]:
    """Return what passes the objective, and how fast its phase turns with defocus.

    Parameters
    ----------
    microscope : Microscope
        Whose pupil.
    shape_yx : tuple of int
        Of the grid.
    direction : ndarray, (2,)
        Spatial frequency (y, x) per µm of the light that falls in.

    Returns
    -------
    pupil : ndarray, (Y, X), float32
        In the frame in which unscattered light has frequency 0.
    phase_per_um : ndarray, (Y, X), complex64
        Real, in radians, relative to unscattered light.
    """
    pixel_um = microscope.pixel_size_um
    fy = np.fft.fftfreq(shape_yx[0], pixel_um)[:, None] + direction[0]
    fx = np.fft.fftfreq(shape_yx[1], pixel_um)[None] + direction[1]
    f2 = fy**2 + fx**2
    pupil = f2 <= (microscope.objective_na / microscope.wavelength_um) ** 2
    limit2 = (microscope.refractive_index / microscope.wavelength_um) ** 2

    def along_axis(squared: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(2 * np.pi * np.sqrt(np.clip(limit2 - squared, 0, None)), np.float64)

    turns = along_axis(f2) - along_axis(np.array((direction**2).sum()))
    return pupil.astype(np.float32), turns.astype(np.complex64)


def _scattered_objects(
    size_px: int, n_planes: int, rng: np.random.Generator
) -> NDArray[np.complex64]:
    """Place small objects apart from each other; (D, Y, X) transmission minus 1."""
    planes = np.zeros((n_planes, size_px, size_px), np.complex64)
    taken = np.zeros((size_px, size_px), bool)
    grain = _grain(size_px, rng)
    wanted = round(120 * (size_px / 640) ** 2)
    for _ in range(wanted):
        half = _half_axes_px(rng)
        center = rng.uniform(0, size_px, 2)
        inside = _soft_ellipse(size_px, center, half, rng.uniform(0, np.pi))
        footprint = ndimage.binary_dilation(inside > 0.05, iterations=8)
        if (taken & footprint).any():
            continue
        taken |= footprint
        phase, absorption = _phase_and_absorption(rng)
        inside = inside * (1 + 0.5 * grain)
        thickness = inside if rng.random() < 0.5 else inside * (1 - 0.5 * inside)
        planes[rng.integers(n_planes)] += np.exp(thickness * complex(-absorption / 2, phase)) - 1
    return planes


def _half_axes_px(rng: np.random.Generator) -> tuple[float, float]:
    kind = rng.integers(3)
    if kind == 0:  # disc
        radius = rng.uniform(5, 18)
        return radius, radius
    if kind == 1:  # ellipse
        return rng.uniform(8, 24), rng.uniform(5, 12)
    return rng.uniform(20, 60), rng.uniform(2, 4)  # rod


def _phase_and_absorption(rng: np.random.Generator) -> tuple[float, float]:
    """Draw the phase in radians and the absorbance: strong phase, absorbing, or both."""
    kind = rng.integers(3)
    if kind == 0:
        return float(rng.uniform(0.5, 1.5)), float(rng.uniform(0.08, 0.2))
    if kind == 1:
        return float(rng.uniform(0.0, 0.3)), float(rng.uniform(0.3, 1.0))
    return float(rng.choice([-1, 1]) * rng.uniform(0.3, 1.0)), float(rng.uniform(0.15, 0.6))


def _cells(size_px: int, rng: np.random.Generator) -> NDArray[np.complex64]:
    """Scatter dented discs, smooth inside, some overlapping; (Y, X) transmission minus 1."""
    thickness = np.zeros((size_px, size_px))
    radius_px = rng.uniform(14, 30)
    for _ in range(round(0.35 * size_px**2 / (np.pi * radius_px**2))):
        half = radius_px * rng.uniform(0.85, 1.15, 2)
        center = rng.uniform(0, size_px, 2)
        full = _soft_ellipse(size_px, center, tuple(half), rng.uniform(0, np.pi))
        dent = _soft_ellipse(size_px, center, tuple(0.5 * half), 0.0, softness_px=0.3 * radius_px)
        thickness += full * (1 - rng.uniform(0.2, 0.6) * dent)
    thickness *= 1 + 0.05 * _grain(size_px, rng)
    phase, absorption = rng.uniform(0.2, 0.7), rng.uniform(0.3, 0.8)
    return np.asarray(np.exp(thickness * complex(-absorption / 2, phase)) - 1, np.complex64)


def _soft_ellipse(
    size_px: int,
    center_yx: NDArray[np.float64],
    half_px: tuple[float, float],
    angle: float,
    softness_px: float = 1.0,
) -> NDArray[np.float32]:
    """Return 1 inside, 0 outside, with an edge of some pixels; (Y, X)."""
    y, x = _grid(size_px)
    y, x = y - np.float32(center_yx[0]), x - np.float32(center_yx[1])
    along = np.float32(np.cos(angle)) * y + np.float32(np.sin(angle)) * x
    across = np.float32(np.cos(angle)) * x - np.float32(np.sin(angle)) * y
    distance = np.hypot(along / np.float32(half_px[0]), across / np.float32(half_px[1]))
    edge_px = (1 - distance) * np.float32(min(half_px))
    return np.asarray(np.clip(0.5 + edge_px / np.float32(2 * softness_px), 0, 1), np.float32)


@lru_cache(maxsize=2)
def _grid(size_px: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    y, x = np.mgrid[:size_px, :size_px].astype(np.float32)
    return y, x


def _grain(size_px: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise of about 3 px with unit variance."""
    noise = ndimage.gaussian_filter(
        rng.standard_normal((size_px, size_px), np.float32), 1.2, mode="wrap"
    )
    return np.asarray(noise / noise.std(), np.float32)
