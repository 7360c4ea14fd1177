"""Two synthetic stacks to try the plugin on, with known truth; made on the fly, without network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from napari_gmff.reading.stack import Channel, FocusStack
from napari_gmff.training.synthesis.fluorophores import (
    LightLayers,
    Look,
    add_nucleus,
    tiling_noise,
)
from napari_gmff.training.synthesis.psf import GaussianDefocus, padded_shape
from napari_gmff.training.synthesis.relief import relief_stack
from napari_gmff.training.synthesis.widefield import Background, widefield_stack

FloatImage = NDArray[np.float32]

RELIEF_VOXEL_UM = (10.0, 2.0, 2.0)
FLUORESCENCE_VOXEL_UM = (1.0, 0.2, 0.2)

_SIDE_PX = 576
_N_SLICES = 12
_GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
_MARGIN_PX = 24


@dataclass(frozen=True)
class SampleStack:
    """A synthetic stack and what is true of it.

    Attributes
    ----------
    stack : FocusStack
        With voxel size and channels.
    depth_um : ndarray, (Y, X), float32
        True z of the surface, in the z of the stack.
    known : ndarray, (Y, X), bool
        Where there is something that has a depth.
    """

    stack: FocusStack
    depth_um: FloatImage
    known: NDArray[np.bool_]


def relief_sample(side_px: int = _SIDE_PX) -> SampleStack:
    """Make a domed seed head in reflected light: RGB, 8 bit, 12 slices 10 µm apart.

    Parameters
    ----------
    side_px : int
        Side of the square image.
    """
    rng = np.random.default_rng(11)
    y, x = np.mgrid[:side_px, :side_px] / side_px - 0.5
    radius = np.hypot(y, x)
    distance, nearest = _from_seeds(y, x)
    seed = np.sqrt(np.clip(1 - (distance / 0.028) ** 2, 0, None))
    dome = np.sqrt(np.clip(1 - (radius / 0.66) ** 2, 0, None))
    height = 9 * dome + 1.3 * seed + 0.1 * _grain(rng, side_px, 1.2)
    height = ((height - height.min()) / np.ptp(height) * (_N_SLICES - 1)).astype(np.float32)
    albedo = _seed_colours(rng, radius, seed, nearest)
    # Each colour of light is scattered by the same relief.
    colours = [
        relief_stack(
            albedo[..., colour],
            height,
            _N_SLICES,
            0.9,
            px_per_slice=RELIEF_VOXEL_UM[0] / RELIEF_VOXEL_UM[1],
            light_azimuth_deg=130,
            light_elevation_deg=55,
            specular=0.25,
            shininess=40,
            base_sigma_px=0.5,
        ).stack
        for colour in range(3)
    ]
    light = np.stack(colours, axis=-1)
    light += rng.normal(0, 0.008, light.shape).astype(np.float32)
    pixels = np.rint(255 * np.clip(light, 0, 1) ** (1 / 1.8)).astype(np.uint8)
    stack = _stack("relief", pixels[None, None], RELIEF_VOXEL_UM, (Channel("brightfield"),))
    return SampleStack(stack, height * RELIEF_VOXEL_UM[0], np.ones(height.shape, bool))


def fluorescence_sample(side_px: int = 512) -> SampleStack:
    """Make a folded epithelium: nuclei and membranes, 16 bit, noisy, 12 slices 1 µm apart.

    Parameters
    ----------
    side_px : int
        Side of the square image.
    """
    rng = np.random.default_rng(5)
    field = padded_shape((side_px, side_px), _MARGIN_PX)
    depth = _folds(rng, field)
    cells = _cell_centres(rng, field)
    look = Look((9.0, 14.0), 0.35, tiling_noise(rng, field, 1.0), 0.3)
    nuclei, membranes = (
        LightLayers(np.zeros((_N_SLICES, *field), np.float32), np.arange(_N_SLICES, dtype=float))
        for _ in range(2)
    )
    for y, x in cells:
        row, column = np.clip((y, x), 0, np.array(field) - 1).astype(int)
        add_nucleus(nuclei, rng, look, y, x, float(depth[row, column]))
    membranes.add(_membranes(rng, cells, look), 0, 0, depth)
    seen, planes = [], []
    for layers, photons, white in ((nuclei, 200.0, 9000.0), (membranes, 120.0, 5000.0)):
        scene = widefield_stack(
            layers,
            _N_SLICES,
            (side_px, side_px),
            GaussianDefocus(),
            Background(0.02, 0.15),
            rng,
        )
        seen.append(scene.known)
        planes.append(_photographed(rng, scene.stack, photons, white))
    channels = (Channel("nuclei", "00FFFF"), Channel("membranes", "FF00FF"))
    stack = _stack("epithelium", np.stack(planes)[None], FLUORESCENCE_VOXEL_UM, channels)
    corner = tuple((length - side_px) // 2 for length in field)
    view = tuple(slice(start, start + side_px) for start in corner)
    return SampleStack(stack, depth[view] * FLUORESCENCE_VOXEL_UM[0], seen[0] | seen[1])


def _stack(
    name: str,
    pixels: NDArray[Any],
    voxel_size_um: tuple[float, float, float],
    channels: tuple[Channel, ...],
) -> FocusStack:
    import dask.array as da

    chunks = (1, 1, 1, *pixels.shape[3:])
    return FocusStack(
        data=da.from_array(pixels, chunks=chunks),
        name=name,
        voxel_size_um=voxel_size_um,
        channels=channels,
        metadata={"reader": "napari-gmff sample", "axes": "TCZYXS"[: pixels.ndim]},
    )


def _from_seeds(
    y: NDArray[np.float64], x: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Distance to the nearest seed of a sunflower's spiral, and its number."""
    numbers = np.arange(1, 480)
    radius, angle = 0.64 * np.sqrt(numbers / 480), numbers * _GOLDEN_ANGLE
    seeds = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    distance, nearest = cKDTree(seeds).query(np.stack([y.ravel(), x.ravel()], axis=1))
    return distance.reshape(y.shape), nearest.reshape(y.shape)


def _seed_colours(
    rng: np.random.Generator,
    radius: NDArray[np.float64],
    seed: NDArray[np.float64],
    nearest: NDArray[np.intp],
) -> FloatImage:
    """Share of red, green and blue that the surface scatters, (Y, X, 3)."""
    side_px = radius.shape[0]
    grain = 0.62 + 0.08 * _grain(rng, side_px, 0.8) + 0.05 * _grain(rng, side_px, 2.5)
    base = np.clip(grain, 0.05, 1) * np.where(seed > 0.05, 1.0, 0.4)
    outwards = np.clip(radius / 0.6, 0, 1)
    tone = (nearest % 5) / 5.0
    red = 0.55 + 0.45 * outwards
    green = 0.80 - 0.45 * outwards + 0.08 * tone
    blue = 0.22 + 0.10 * tone + 0.15 * outwards
    return np.stack([base * red, base * green, base * blue], axis=-1).astype(np.float32)


def _grain(rng: np.random.Generator, side_px: int, sigma_px: float) -> NDArray[np.float64]:
    noise = ndimage.gaussian_filter(rng.standard_normal((side_px, side_px)), sigma_px, mode="wrap")
    return np.asarray(noise / noise.std())


def _folds(rng: np.random.Generator, field: tuple[int, int]) -> FloatImage:
    """Depth of a tilted, gently folded sheet in slices."""
    y, x = np.mgrid[: field[0], : field[1]]
    hills = ndimage.gaussian_filter(rng.standard_normal(field), field[0] / 8, mode="wrap")
    depth = hills / np.ptp(hills) + 0.6 * x / field[1] + 0.4 * y / field[0]
    depth = (depth - depth.min()) / np.ptp(depth) * (_N_SLICES - 1)
    return np.asarray(depth, np.float32)


def _cell_centres(rng: np.random.Generator, field: tuple[int, int]) -> NDArray[np.float64]:
    """Places (N, 2) of cells, on a grid of hexagons that is not quite regular."""
    pitch_px = 38.0
    rows = np.arange(0, field[0] + pitch_px, 0.87 * pitch_px)
    columns = np.arange(0, field[1] + pitch_px, pitch_px)
    y, x = np.meshgrid(rows, columns, indexing="ij")
    x = x + 0.5 * pitch_px * (np.arange(len(rows)) % 2)[:, None]
    centres = np.stack([y.ravel(), x.ravel()], axis=1)
    return centres + rng.uniform(-6, 6, centres.shape)


def _membranes(rng: np.random.Generator, cells: NDArray[np.float64], look: Look) -> FloatImage:
    """Light of the borders between cells, patchy and finely structured."""
    field = look.grain.shape
    places = np.stack(np.meshgrid(*map(np.arange, field), indexing="ij"), axis=-1)
    distance, _ = cKDTree(cells).query(places.reshape(-1, 2), k=2)
    border = np.exp(-0.5 * ((distance[:, 1] - distance[:, 0]).reshape(field) / 2.2) ** 2)
    patches = np.clip(1 + 0.35 * tiling_noise(rng, field, 20.0), 0.2, None)
    return np.asarray(border * patches * np.clip(1 + 0.4 * look.grain, 0, None), np.float32)


def _photographed(
    rng: np.random.Generator, light: NDArray[np.float32], photons: float, white: float
) -> NDArray[np.uint16]:
    """Shot noise, read noise and the offset of a 16-bit camera."""
    counted = rng.poisson(light * photons) / photons
    levels = 100 + white * counted + rng.normal(0, 6, light.shape)
    return np.clip(np.rint(levels), 0, 65_535).astype(np.uint16)
