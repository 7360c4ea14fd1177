"""Thin transparent objects for brightfield stacks: how much they absorb and delay light."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_gmff.errors import ParameterError
from napari_gmff.training.synthesis.checks import check_within
from napari_gmff.training.synthesis.fluorophores import outline, tiling_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.training.synthesis.mixture import Images
    from napari_gmff.training.synthesis.synthetic_stack import BoolImage, FloatImage


@dataclass
class ThinPlane:
    """What lies in one plane.

    Attributes
    ----------
    absorbance : ndarray, (Y, X), float32
        Natural logarithm of the light lost.
    phase : ndarray, (Y, X), float32
        Delay in radians.
    body : ndarray, (Y, X), bool
        Where objects are, their insides included.
    """

    absorbance: FloatImage
    phase: FloatImage
    body: BoolImage

    @classmethod
    def empty(cls, shape_yx: tuple[int, int]) -> ThinPlane:
        """Return a plane with nothing in it."""
        return cls(
            np.zeros(shape_yx, np.float32), np.zeros(shape_yx, np.float32), np.zeros(shape_yx, bool)
        )

    def add(
        self,
        absorbance: NDArray[np.floating],
        phase: NDArray[np.floating],
        body: BoolImage,
        y: float,
        x: float,
    ) -> None:
        """Add an object (H, W) centred on y, x; what lies outside is left out."""
        height, width = self.body.shape
        top, left = round(y) - body.shape[0] // 2, round(x) - body.shape[1] // 2
        y0, x0 = max(top, 0), max(left, 0)
        y1, x1 = min(top + body.shape[0], height), min(left + body.shape[1], width)
        if y0 >= y1 or x0 >= x1:
            return
        inside = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
        self.absorbance[y0:y1, x0:x1] += absorbance[inside].astype(np.float32)
        self.phase[y0:y1, x0:x1] += phase[inside].astype(np.float32)
        self.body[y0:y1, x0:x1] |= body[inside]

    def transmission(self) -> NDArray[np.complex64]:
        """Return the amplitude transmission, (Y, X)."""
        amplitude = np.exp(-0.5 * self.absorbance)
        turned = np.empty(amplitude.shape, np.complex64)
        turned.real = amplitude * np.cos(self.phase)
        turned.imag = amplitude * np.sin(self.phase)
        return turned


@dataclass(frozen=True)
class Stain:
    """How the objects of one scene act on light.

    Attributes
    ----------
    absorbance : float
        Of a typical object at its thickest; the natural logarithm of the light lost.
    phase : float
        Delay of a typical object at its thickest, in radians; below 0 where it speeds light up.
    radius_px : tuple of float
        Smallest and largest radius.
    edge_px : float
        Width over which objects begin.
    variety : float
        How much objects differ: 0 all alike.
    """

    absorbance: float
    phase: float
    radius_px: tuple[float, float]
    edge_px: float
    variety: float

    def __post_init__(self) -> None:
        check_within("absorbance", self.absorbance, 0)
        check_within("phase", self.phase, -math.inf)
        check_within("edge_px", self.edge_px, 0.1)
        check_within("variety", self.variety, 0, 3)
        low, high = self.radius_px
        if not 0.5 <= low <= high <= 1000:
            raise ParameterError(f"radius_px must rise within 0.5 to 1000, got {low:g} to {high:g}")

    def radius(self, rng: np.random.Generator) -> float:
        """Draw the radius of one object."""
        return float(np.exp(rng.uniform(*np.log(self.radius_px))))

    def factor(self, rng: np.random.Generator) -> float:
        """Draw how much one object differs from a typical one."""
        return float(np.exp(self.variety * rng.normal(0, 0.4)))


def add_blood_cell(
    plane: ThinPlane, rng: np.random.Generator, stain: Stain, y: float, x: float
) -> None:
    """Add a smooth disc, often thinner in the middle."""
    radius = stain.radius(rng)
    rho = outline(rng, radius, stain.variety * rng.uniform(0, 0.25), rng.uniform(1, 1.15))
    dimple = rng.uniform(0.25, 1.2)
    flatness = rng.choice([1.0, 2.0, 4.0])
    inside = np.minimum(rho, 1)
    profile = (1 - inside ** (2 * flatness)) ** 0.5 * (
        dimple + (1 - dimple) * np.minimum(inside / 0.65, 1) ** 2
    )
    _add(plane, rng, stain, profile, rho, radius, y, x)


def add_cell(plane: ThinPlane, rng: np.random.Generator, stain: Stain, y: float, x: float) -> None:
    """Add a rounded body with a nucleus and granules."""
    radius = stain.radius(rng)
    rho = outline(rng, radius, rng.uniform(0, 0.4), rng.uniform(1, 2))
    profile = np.sqrt(np.clip(1 - rho * rho, 0, 1)) * rng.uniform(0.5, 1)
    rows, columns = (np.arange(side) - side / 2 for side in rho.shape)
    for number in range(int(rng.integers(0, 12)) if radius > 5 else 0):
        off_y, off_x = radius * rng.uniform(-0.55, 0.55, 2)
        size = radius * (rng.uniform(0.2, 0.4) if number == 0 else rng.uniform(0.03, 0.12)) + 0.8
        distance = np.hypot(rows[:, None] - off_y, columns - off_x)
        profile = profile + rng.uniform(0.2, 1.0) * np.clip((size - distance) / 1.5 + 0.5, 0, 1) * (
            rho < 1
        )
    _add(plane, rng, stain, profile, rho, radius, y, x)


def add_droplet(
    plane: ThinPlane, rng: np.random.Generator, stain: Stain, y: float, x: float
) -> None:
    """Add a bubble or droplet: a lens that hardly absorbs."""
    radius = 0.7 * stain.radius(rng)
    rho = outline(rng, radius, 0, 1)
    profile = np.sqrt(np.clip(1 - rho * rho, 0, 1))
    # A steeper lens would turn light away faster than pixels can show.
    strength = min(2.5 * abs(stain.phase), 0.6 * radius) * rng.choice([-1.0, 1.0])
    thin = Stain(0.3 * stain.absorbance, strength, stain.radius_px, stain.edge_px, stain.variety)
    _add(plane, rng, thin, profile, rho, radius, y, x)


def add_alga(plane: ThinPlane, rng: np.random.Generator, stain: Stain, y: float, x: float) -> None:
    """Add a long body with a wall, with ribs like a diatom's or with green grains."""
    radius = stain.radius(rng)
    rho = outline(rng, radius, rng.uniform(0, 0.2), rng.uniform(1.5, 5))
    wall_px = rng.uniform(0.8, 2.0)
    profile = 0.9 * np.exp(-0.5 * ((rho - 0.95) * radius / wall_px) ** 2) + 0.2 * (rho < 1)
    if rng.random() < 0.5:
        period_px, turn = rng.uniform(3, 9), rng.uniform(0, np.pi)
        rows, columns = (np.arange(side) for side in rho.shape)
        along = rows[:, None] * np.sin(turn) + columns * np.cos(turn)
        profile = profile + 0.5 * (1 + np.sin(2 * np.pi * along / period_px)) * (rho < 0.92)
    else:
        grain = tiling_noise(rng, (rho.shape[0], rho.shape[1]), radius * rng.uniform(0.08, 0.25))
        profile = profile + np.clip(grain, 0, 1.5) * (rho < 0.9)
    _add(plane, rng, stain, profile, rho, radius, y, x)


def add_fibre(plane: ThinPlane, rng: np.random.Generator, stain: Stain, y: float, x: float) -> None:
    """Add a bent, round fibre that crosses much of the field."""
    half_px = float(np.clip(0.25 * stain.radius(rng), 1.2, 10))
    height, width = plane.body.shape
    turn, bend = rng.uniform(0, np.pi), rng.normal(0, 0.5) / max(height, width)
    rows, columns = np.arange(height)[:, None] - y, np.arange(width) - x
    along = rows * np.sin(turn) + columns * np.cos(turn)
    across = rows * np.cos(turn) - columns * np.sin(turn) - bend * along**2
    # Distance from the curve, to first order.
    rho = np.abs(across) / np.sqrt(1 + (2 * bend * along) ** 2) / half_px
    profile = np.sqrt(np.clip(1 - rho * rho, 0, 1))
    rho[np.abs(along) > rng.uniform(0.2, 1) * max(height, width)] = 2
    # The patch's centre is the field's.
    _add(plane, rng, stain, profile, rho, half_px, height // 2, width // 2)


def add_dust(plane: ThinPlane, rng: np.random.Generator, stain: Stain, y: float, x: float) -> None:
    """Add a small, dark, irregular grain."""
    radius = rng.uniform(1.2, 5)
    rho = outline(rng, radius, 0.6, rng.uniform(1, 2))
    dark = Stain(rng.uniform(0.5, 3), rng.uniform(0, 2), stain.radius_px, stain.edge_px, 0.5)
    _add(plane, rng, dark, np.ones_like(rho), rho, radius, y, x)


def add_picture(
    plane: ThinPlane, rng: np.random.Generator, stain: Stain, images: Images | None
) -> None:
    """Add stained tissue over the whole field: the grey values of an image are its stain."""
    shape = plane.body.shape[0], plane.body.shape[1]
    if images is None:
        grey = 0.5 + 0.2 * tiling_noise(rng, shape, rng.uniform(0.7, 4))
    else:
        grey = images.crop(rng, shape)
    clear = max(float(np.quantile(grey[::3, ::3], rng.uniform(0.7, 0.99))), 0.05)
    density = np.clip(-np.log(np.clip(grey / clear, 0.03, 1)), 0, 2.5)
    density /= max(float(np.quantile(density[::3, ::3], 0.98)), 0.05)
    smooth_px = rng.uniform(1, 4) if rng.random() < 0.5 else 0.0
    thickness = ndimage.gaussian_filter(density, smooth_px) if smooth_px else density
    body = ndimage.uniform_filter(density, 9) > 0.08
    plane.absorbance += np.float32(stain.absorbance) * density.astype(np.float32)
    plane.phase += np.float32(stain.phase) * thickness.astype(np.float32)
    plane.body |= body


def _add(
    plane: ThinPlane,
    rng: np.random.Generator,
    stain: Stain,
    profile: NDArray[np.floating],
    rho: NDArray[np.floating],
    radius_px: float,
    y: float,
    x: float,
) -> None:
    begin = np.clip((1 - rho) * (radius_px / stain.edge_px) + 0.5, 0, 1)
    profile = profile * begin * stain.factor(rng)
    plane.add(stain.absorbance * profile, stain.phase * profile, rho < 1, y, x)
