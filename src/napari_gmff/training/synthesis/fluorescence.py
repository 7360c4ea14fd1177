"""Wide-field fluorescence: glowing objects at many depths, whose light adds up.

Slice k is the sum over all layers j of light_j spread by the defocus between z_j and z_k. Nothing
hides anything: what is out of focus lies as haze over what is in focus.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_gmff.errors import ParameterError
from napari_gmff.training.synthesis import fluorophores
from napari_gmff.training.synthesis.checks import (
    check_choice,
    check_count,
    check_within,
    checked_shape,
)
from napari_gmff.training.synthesis.depth_range import log_uniform, random_depth_range
from napari_gmff.training.synthesis.fluorophores import LightLayers, Look, tiling_noise
from napari_gmff.training.synthesis.psf import (
    Defocus,
    DiskDefocus,
    GaussianDefocus,
    ScalarDefocus,
    padded_shape,
)
from napari_gmff.training.synthesis.widefield import Background, widefield_stack

if TYPE_CHECKING:
    from napari_gmff.training.synthesis.mixture import Images
    from napari_gmff.training.synthesis.synthetic_stack import FloatImage, SyntheticStack

_COMPACT = {
    "blobs": fluorophores.add_blob,
    "nuclei": fluorophores.add_nucleus,
    "rings": fluorophores.add_ring,
    "filaments": fluorophores.add_filament,
    "puncta": fluorophores.add_puncta,
}
_SHEETS = ("meshwork", "tissue")
OBJECTS = (*_COMPACT, *_SHEETS)
"""Names of the kinds of objects."""

_MARGIN_MAX_PX = 40
"""Light from farther outside of the view is too even to matter."""


def fluorescence_stack(
    shape_yx: tuple[int, int],
    n_slices: int,
    rng: np.random.Generator,
    *,
    objects: Sequence[str] = ("blobs",),
    coverage: float = 0.3,
    radius_px: tuple[float, float] = (4.0, 12.0),
    contrast: float = 0.3,
    grain_sigma_px: float = 1.0,
    brightness_spread: float = 0.5,
    depth_range: tuple[float, float] | None = None,
    whole_depths: bool = False,
    defocus: Defocus | None = None,
    background: Background | None = None,
    images: Images | None = None,
) -> SyntheticStack:
    """Make a fluorescence stack with known truth.

    Parameters
    ----------
    shape_yx : tuple of int
        Height and width.
    n_slices : int
        One or more.
    rng : numpy.random.Generator
        Draws places, shapes and depths.
    objects : sequence of str
        Kinds of objects, of `OBJECTS`; several are mixed.
    coverage : float
        About how large a part of the field is taken up by objects; above 1 they overlap.
    radius_px : tuple of float
        Smallest and largest radius.
    contrast : float
        Standard deviation of the fine structure inside objects, relative to their light.
    grain_sigma_px : float
        Size of the fine structure.
    brightness_spread : float
        How unequally bright objects are: 0 all alike, 1 by a factor of seven.
    depth_range : tuple of float, optional
        Depths of the objects, in slices; all slices by default.
    whole_depths : bool
        Whether objects lie exactly on slices.
    defocus : Defocus, optional
        How defocus spreads light; Gaussian, 1 px per slice by default.
    background : Background, optional
        Even light and haze.
    images : ImageSource, optional
        Patterns of tissue; noise if not given.

    Returns
    -------
    SyntheticStack
        `known` is where an object's own light is seen; elsewhere, `depth` is that of the nearest.
        The brightest pixel of the stack is 1.

    Raises
    ------
    ParameterError
    """
    shape_yx = checked_shape(shape_yx)
    check_count("n_slices", n_slices)
    low, high = (0.0, n_slices - 1.0) if depth_range is None else depth_range
    _check(objects, coverage, radius_px, contrast, (low, high), n_slices)
    defocus = defocus or GaussianDefocus()
    margin = int(np.ceil(min(defocus.reach_px(n_slices - 1), _MARGIN_MAX_PX)))
    spacing = 1.0 if whole_depths else 0.5
    layers = _empty_layers(padded_shape(shape_yx, margin), low, high, spacing)
    look = Look(
        radius_px, contrast, tiling_noise(rng, layers.shape_yx, grain_sigma_px), brightness_spread
    )
    depth_of = _DepthChoice(low, high, whole_depths, rng)
    for kind in objects:
        _add_objects(layers, kind, coverage / len(objects), look, depth_of, rng, images)
    return widefield_stack(layers, n_slices, shape_yx, defocus, background or Background(), rng)


def random_fluorescence(
    rng: np.random.Generator, n_slices: int, shape_yx: tuple[int, int], images: Images
) -> SyntheticStack:
    """Draw a fluorescence stack with all its parameters, over what microscopes see."""
    count = int(rng.choice([1, 2, 3], p=[0.6, 0.3, 0.1]))
    weights = np.array([0.2, 0.22, 0.12, 0.15, 0.13, 0.08, 0.1])
    objects = rng.choice(OBJECTS, count, replace=False, p=weights / weights.sum())
    smallest = log_uniform(rng, 2, 30)
    hazy = rng.random() < 0.5
    low, high = random_depth_range(rng, n_slices)
    return fluorescence_stack(
        shape_yx,
        n_slices,
        rng,
        objects=[str(kind) for kind in objects],
        coverage=log_uniform(rng, 0.05, 1.0),
        radius_px=(smallest, min(smallest * rng.uniform(1, 3), 60.0)),
        contrast=log_uniform(rng, 0.03, 0.6),
        grain_sigma_px=log_uniform(rng, 0.5, 4),
        brightness_spread=rng.uniform(0, 1),
        depth_range=(low, high),
        whole_depths=low == round(low) and high == round(high),
        defocus=_random_defocus(rng, n_slices),
        background=Background(
            offset=rng.uniform(0, 0.1),
            haze=log_uniform(rng, 0.02, 0.6) if hazy else 0.0,
            haze_sigma_px=rng.uniform(12, 40),
        ),
        images=images if rng.random() < 0.7 else None,
    )


@dataclass(frozen=True)
class _DepthChoice:
    """Draws depths of objects."""

    low: float
    high: float
    whole: bool
    rng: np.random.Generator

    def one(self) -> float:
        """Draw the depth of one object."""
        depth = self.rng.uniform(self.low, self.high)
        return float(np.clip(round(depth), self.low, self.high)) if self.whole else float(depth)

    def sheet(self, shape_yx: tuple[int, int]) -> FloatImage:
        """Draw the depths of a bent or tilted sheet."""
        middle, extent = self.one(), (self.high - self.low) * self.rng.random()
        turn = self.rng.uniform(0, 2 * np.pi)
        y, x = np.mgrid[-0.5 : 0.5 : shape_yx[0] * 1j, -0.5 : 0.5 : shape_yx[1] * 1j]
        lean = np.cos(turn) * x + np.sin(turn) * y
        hills = 0.3 * tiling_noise(self.rng, shape_yx, min(shape_yx) / self.rng.uniform(3, 8))
        share = self.rng.random()
        depth = middle + extent * (share * lean + (1 - share) * hills)
        return np.asarray(np.clip(depth, self.low, self.high), np.float32)


def _empty_layers(
    shape_yx: tuple[int, int], low: float, high: float, spacing: float
) -> LightLayers:
    count = int(np.ceil((high - low) / spacing - 1e-9)) + 1
    depths = np.asarray(low + spacing * np.arange(count))
    return LightLayers(np.zeros((count, *shape_yx), np.float32), depths)


def _add_objects(
    layers: LightLayers,
    kind: str,
    coverage: float,
    look: Look,
    depth_of: _DepthChoice,
    rng: np.random.Generator,
    images: Images | None,
) -> None:
    if kind in _SHEETS:
        depth = depth_of.sheet(layers.shape_yx)
        if kind == "tissue":
            fluorophores.add_tissue(layers, rng, look, depth, coverage < 0.4, images)
        else:
            fluorophores.add_meshwork(layers, rng, look, depth, coverage < 0.4)
        return
    height, width = layers.shape_yx
    typical_px = 3.0 * float(np.mean(look.radius_px)) ** 2
    if kind == "filaments":
        typical_px = 900.0
    count = int(np.clip(round(coverage * height * width / typical_px), 1, height * width / 450))
    for number in range(count):
        # The first lies in the middle, so that no image is empty.
        reach = 0.2 if number == 0 else 0.5
        y, x = (
            height * (0.5 + rng.uniform(-reach, reach)),
            width * (0.5 + rng.uniform(-reach, reach)),
        )
        _COMPACT[kind](layers, rng, look, y, x, depth_of.one())


def _random_defocus(rng: np.random.Generator, n_slices: int) -> Defocus:
    # More than this and the far slices are all alike.
    fastest = min(2.0, 24.0 / max(n_slices - 1, 1))
    rate = log_uniform(rng, 0.25, fastest)
    base = rng.uniform(0.4, 1.6)
    draw = rng.random()
    if draw < 0.4:
        return GaussianDefocus(base, rate)
    if draw < 0.6:
        return DiskDefocus(base, 1.6 * rate)
    aperture, index = ((0.3, 1.0), (0.5, 1.0), (0.75, 1.0), (1.1, 1.33), (1.4, 1.518))[
        int(rng.integers(5))
    ]
    wavelength_um = rng.uniform(0.45, 0.7)
    pixel_um = wavelength_um / (4 * aperture) * rng.uniform(0.5, 1.8)
    unit = ScalarDefocus(aperture, wavelength_um, pixel_um, 1.0, index)
    # Within the depth of focus nothing changes: a quarter of it is the smallest useful step.
    least_um = 0.25 * wavelength_um * index / aperture**2
    step_um = max(1.6 * rate / unit.cone_px_per_slice, least_um)
    return ScalarDefocus(aperture, wavelength_um, pixel_um, step_um, index)


def _check(
    objects: Sequence[str],
    coverage: float,
    radius_px: tuple[float, float],
    contrast: float,
    depth_range: tuple[float, float],
    n_slices: int,
) -> None:
    if not objects:
        raise ParameterError(f"objects must name at least one of {', '.join(OBJECTS)}, got none")
    for kind in objects:
        check_choice("objects", kind, OBJECTS)
    check_within("coverage", coverage, 0, 20)
    check_within("contrast", contrast, 0, 10)
    for name, (low, high), least, most in (
        ("radius_px", radius_px, 0.5, 1000.0),
        ("depth_range", depth_range, 0.0, n_slices - 1.0),
    ):
        if not least <= low <= high <= most:
            raise ParameterError(
                f"{name} must rise within {least:g} to {most:g}, got {low:g} to {high:g}"
            )
