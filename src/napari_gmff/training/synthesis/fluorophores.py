"""Glowing objects for fluorescence stacks, painted into layers of light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.training.synthesis.mixture import Images
    from napari_gmff.training.synthesis.synthetic_stack import FloatImage


@dataclass
class LightLayers:
    """Light by place and depth.

    Attributes
    ----------
    light : ndarray, (M, Y, X), float32
        Light given off in each layer.
    depths : ndarray, (M,), float64
        Evenly spaced and rising, in slices.
    """

    light: NDArray[np.float32]
    depths: NDArray[np.float64]

    @property
    def shape_yx(self) -> tuple[int, int]:
        """Height and width."""
        return self.light.shape[1], self.light.shape[2]

    def places(self, depth: NDArray[np.floating] | float) -> NDArray[np.float64]:
        """Return depths as fractional layer numbers, 0 to M - 1."""
        spacing = self.depths[1] - self.depths[0] if len(self.depths) > 1 else 1.0
        place = (np.asarray(depth) - self.depths[0]) / spacing
        return np.asarray(np.clip(place, 0, len(self.depths) - 1))

    def add(
        self, patch: FloatImage, top: int, left: int, depth: NDArray[np.floating] | float
    ) -> None:
        """Add light at a depth, or a depth for each pixel, shared by the two nearest layers.

        Parameters
        ----------
        patch : ndarray, (H, W), float32
            Light given off by each pixel.
        top, left : int
            Where its corner lies; what lies outside is left out.
        depth : float or ndarray, (H, W)
            In slices.
        """
        height, width = self.shape_yx
        y0, x0 = max(top, 0), max(left, 0)
        y1, x1 = min(top + patch.shape[0], height), min(left + patch.shape[1], width)
        if y0 >= y1 or x0 >= x1:
            return
        inside = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
        place = self.places(depth[inside] if isinstance(depth, np.ndarray) else depth)
        for layer in range(int(place.min()), int(np.ceil(place.max())) + 1):
            share = np.clip(1 - np.abs(place - layer), 0, 1).astype(np.float32)
            self.light[layer, y0:y1, x0:x1] += share * patch[inside]

    def add_points(
        self,
        y: NDArray[np.float64],
        x: NDArray[np.float64],
        depth: NDArray[np.float64],
        light: NDArray[np.float64],
    ) -> None:
        """Add points of light, each shared by the eight nearest pixels of the layers."""
        height, width = self.shape_yx
        place = self.places(depth)
        for dz in (0, 1):
            layer = place.astype(np.intp) + dz
            share_z = np.clip(1 - np.abs(place - layer), 0, 1)
            for dy in (0, 1):
                row = np.floor(y).astype(np.intp) + dy
                for dx in (0, 1):
                    column = np.floor(x).astype(np.intp) + dx
                    share = share_z * (1 - np.abs(y - row)) * (1 - np.abs(x - column))
                    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
                    inside &= share > 0
                    at = (layer[inside], row[inside], column[inside])
                    np.add.at(self.light, at, (share * light)[inside].astype(np.float32))


@dataclass(frozen=True)
class Look:
    """How the objects of one scene look.

    Attributes
    ----------
    radius_px : tuple of float
        Smallest and largest radius of compact objects.
    contrast : float
        Standard deviation of the fine structure inside objects, relative to their light.
    grain : ndarray, (Y, X), float32
        Fine structure: zero mean, unit variance, without a seam at its border.
    spread : float
        How unequally bright objects are: 0 all alike.
    """

    radius_px: tuple[float, float]
    contrast: float
    grain: FloatImage
    spread: float

    def radius(self, rng: np.random.Generator) -> float:
        """Draw the radius of one object."""
        return float(np.exp(rng.uniform(*np.log(self.radius_px))))

    def brightness(self, rng: np.random.Generator) -> float:
        """Draw the light of one object."""
        return float(np.exp(-self.spread * rng.random() * 2))

    def structure(self, rng: np.random.Generator, shape: tuple[int, int]) -> FloatImage:
        """Draw a factor (H, W) that gives an object its fine structure."""
        height, width = self.grain.shape
        rows = (np.arange(shape[0]) + int(rng.integers(height))) % height
        columns = (np.arange(shape[1]) + int(rng.integers(width))) % width
        grain = self.grain[rows[:, None], columns]
        return np.asarray(np.maximum(1 + np.float32(self.contrast) * grain, np.float32(0)))


def tiling_noise(
    rng: np.random.Generator, shape_yx: tuple[int, int], sigma_px: float
) -> FloatImage:
    """Return blurred white noise (Y, X) without a seam: zero mean, unit variance."""
    spectrum = fft.rfft2(rng.standard_normal(shape_yx, np.float32), workers=1)
    radius = np.hypot(fft.fftfreq(shape_yx[0])[:, None], fft.rfftfreq(shape_yx[1]))
    spectrum *= np.exp(-2 * (np.pi * sigma_px * radius) ** 2).astype(np.float32)
    spectrum[0, 0] = 0
    noise = fft.irfft2(spectrum, s=shape_yx, workers=1)
    return np.asarray(noise / max(float(noise.std()), 1e-12), np.float32)


def outline(
    rng: np.random.Generator, radius_px: float, roughness: float, stretch: float
) -> FloatImage:
    """Return the distance from a rounded shape's centre as a share of its edge's distance.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws the shape.
    radius_px : float
        Mean distance of the edge from the centre.
    roughness : float
        0 for an ellipse; 0.3 for a potato.
    stretch : float
        Length by width, 1 or above.

    Returns
    -------
    ndarray, (H, W), float32
        0 in the centre, 1 on the edge; the patch reaches to about 1.4.
    """
    half = int(np.ceil(radius_px * 1.4 * stretch**0.5)) + 3
    steps = np.arange(-half, half + 1, dtype=np.float32)
    y = steps[:, None] + np.float32(rng.uniform(-0.5, 0.5))
    x = steps + np.float32(rng.uniform(-0.5, 0.5))
    turn, long = rng.uniform(0, np.pi), stretch**0.5
    cosine, sine = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    along = (cosine * x + sine * y) / np.float32(long)
    across = (cosine * y - sine * x) * np.float32(long)
    distance = np.hypot(along, across)
    edge = np.full_like(distance, radius_px)
    if roughness > 0:
        angle = np.arctan2(across, along)
        for order in (2, 3, 4, 5):
            amplitude = radius_px * roughness / order * rng.uniform(-1, 1)
            edge += np.float32(amplitude) * np.cos(order * angle + np.float32(rng.uniform(0, 6.28)))
    return np.asarray(distance / np.maximum(edge, 0.2 * radius_px), np.float32)


def add_blob(
    layers: LightLayers, rng: np.random.Generator, look: Look, y: float, x: float, depth: float
) -> None:
    """Add a soft-edged blob with fine structure."""
    rho = outline(rng, look.radius(rng), rng.uniform(0, 0.3), rng.uniform(1, 2))
    body = np.clip(rng.uniform(1.1, 1.6) - rho, 0, 1)
    _add_body(layers, rng, look, body, y, x, depth)


def add_nucleus(
    layers: LightLayers, rng: np.random.Generator, look: Look, y: float, x: float, depth: float
) -> None:
    """Add an evenly filled, sharp-edged body, perhaps with brighter or darker spots."""
    radius = look.radius(rng)
    rho = outline(rng, radius, rng.uniform(0, 0.25), rng.uniform(1, 1.8))
    edge_px = rng.uniform(0.6, 2.5)
    body = np.clip((1 - rho) * radius / edge_px + 0.5, 0, 1)
    if rng.random() < 0.5:  # thicker in the middle
        body *= np.sqrt(np.clip(1.05 - rho * rho, 0, 1))
    for _ in range(int(rng.integers(0, 5)) if radius > 5 else 0):
        spot_y, spot_x = np.array(body.shape) / 2 + radius * rng.uniform(-0.6, 0.6, 2)
        rows, columns = np.ogrid[: body.shape[0], : body.shape[1]]
        distance = np.hypot(rows - spot_y, columns - spot_x)
        size = radius * rng.uniform(0.06, 0.2) + 0.7
        body *= 1 + rng.uniform(-0.6, 0.8) * np.exp(-0.5 * (distance / size) ** 2)
    _add_body(layers, rng, look, body, y, x, depth)


def add_ring(
    layers: LightLayers, rng: np.random.Generator, look: Look, y: float, x: float, depth: float
) -> None:
    """Add a stained membrane: a bright rim, little light inside, perhaps tilted."""
    radius = look.radius(rng)
    rho = outline(rng, radius, rng.uniform(0, 0.3), rng.uniform(1, 1.6))
    width_px = rng.uniform(0.6, 1.6)
    rim = np.exp(-0.5 * ((rho - 1) * radius / width_px) ** 2)
    body = rim + rng.uniform(0, 0.3) * (rho < 1)
    _add_body(layers, rng, look, body, y, x, depth)


def add_filament(
    layers: LightLayers, rng: np.random.Generator, look: Look, y: float, x: float, depth: float
) -> None:
    """Add a curved thread that may climb from layer to layer."""
    steps = int(rng.uniform(40, 700))
    bend = np.cumsum(rng.normal(0, rng.uniform(0.0005, 0.006), steps))
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(bend * rng.uniform(0, 1))
    thick_px = rng.uniform(0.0, 1.2) if rng.random() < 0.7 else rng.uniform(1.2, 3.0)
    along = np.arange(steps) - steps / 2
    climb = rng.choice([0.0, 1.0]) * rng.normal(0, 0.01)
    strands = 1 if thick_px < 0.5 else int(2 + 2 * thick_px)
    path_y, path_x = np.cumsum(0.5 * np.sin(heading)), np.cumsum(0.5 * np.cos(heading))
    path_y += y - path_y[steps // 2]
    path_x += x - path_x[steps // 2]
    uneven = np.maximum(1 + look.contrast * rng.standard_normal(steps), 0)
    light = look.brightness(rng) * uneven / strands**0.5
    for _ in range(strands):  # a thick thread is a bundle of thin ones
        layers.add_points(
            path_y + rng.normal(0, thick_px) + rng.normal(0, 0.2, steps),
            path_x + rng.normal(0, thick_px) + rng.normal(0, 0.2, steps),
            depth + climb * along,
            light,
        )


def add_puncta(
    layers: LightLayers, rng: np.random.Generator, look: Look, y: float, x: float, depth: float
) -> None:
    """Add a cluster of points too small to be resolved, all at one depth."""
    count = int(rng.integers(3, 40))
    reach = rng.uniform(1.5, 4) * look.radius(rng)
    light = 4 * look.brightness(rng) * np.exp(-look.spread * rng.random(count))
    layers.add_points(
        y + rng.normal(0, reach, count),
        x + rng.normal(0, reach, count),
        np.full(count, depth),
        light,
    )


def add_meshwork(
    layers: LightLayers,
    rng: np.random.Generator,
    look: Look,
    depth: NDArray[np.floating],
    patchy: bool,
) -> None:
    """Add membranes between touching cells, or a network, over the whole field."""
    size_px = float(np.exp(rng.uniform(np.log(2.0), np.log(12.0))))
    noise = tiling_noise(rng, layers.shape_yx, size_px)
    width = rng.uniform(0.6, 1.5) / size_px
    light = np.exp(-0.5 * (noise / np.float32(width)) ** 2)
    light *= np.float32(look.brightness(rng)) * look.structure(rng, layers.shape_yx)
    layers.add(_patched(rng, light, patchy), 0, 0, depth)


def add_tissue(
    layers: LightLayers,
    rng: np.random.Generator,
    look: Look,
    depth: NDArray[np.floating],
    patchy: bool,
    images: Images | None,
) -> None:
    """Add a sheet of stained tissue over the whole field, patterned by an image if there is one."""
    if images is None:
        pattern = tiling_noise(rng, layers.shape_yx, rng.uniform(0.6, 4))
        light = np.clip(0.5 + look.contrast * pattern, 0, None)
    else:
        image = images.crop(rng, layers.shape_yx)
        low, high = np.quantile(image[::3, ::3], [rng.uniform(0, 0.6), 0.99])
        light = np.clip((image - low) / max(float(high - low), 0.02), 0, 1.3)
    layers.add(_patched(rng, np.asarray(light, np.float32), patchy), 0, 0, depth)


def _add_body(
    layers: LightLayers,
    rng: np.random.Generator,
    look: Look,
    body: NDArray[np.floating],
    y: float,
    x: float,
    depth: float,
) -> None:
    shape = body.shape[0], body.shape[1]
    patch = body.astype(np.float32) * np.float32(look.brightness(rng)) * look.structure(rng, shape)
    top, left = round(y) - shape[0] // 2, round(x) - shape[1] // 2
    tilt = rng.normal(0, 1.0) / max(shape) if rng.random() < 0.2 else 0.0
    if tilt == 0.0:
        layers.add(patch, top, left, depth)
        return
    turn = rng.uniform(0, 2 * np.pi)
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    lean = (rows - shape[0] / 2) * np.sin(turn) + (columns - shape[1] / 2) * np.cos(turn)
    layers.add(patch, top, left, depth + tilt * lean)


def _patched(rng: np.random.Generator, light: FloatImage, patchy: bool) -> FloatImage:
    if not patchy:
        return light
    shape = light.shape[0], light.shape[1]
    cover = tiling_noise(rng, shape, rng.uniform(8, 30)) * 3 + rng.uniform(-1.5, 2)
    return np.asarray(light * np.clip(cover, 0, 1), np.float32)
