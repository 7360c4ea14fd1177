"""`Mixture`: draws training stacks of all kinds, through all kinds of cameras."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy import ndimage

from napari_gmff.errors import ParameterError
from napari_gmff.training.synthesis.camera import (
    Camera,
    photographed,
    random_camera,
    with_distractors,
)
from napari_gmff.training.synthesis.depth_range import log_uniform

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_gmff.training.synthesis.images import ImageSource
    from napari_gmff.training.synthesis.synthetic_stack import FloatImage, SyntheticStack


class Images(Protocol):
    """Where generators get sharp images from; see `ImageSource`."""

    def crop(self, rng: np.random.Generator, shape_yx: tuple[int, int]) -> FloatImage:
        """Return a sharp grey image (Y, X), 0 to 1."""


_GENERATORS = {
    "recipe": "recipe:random_recipe",
    "blurred": "blur:random_blurred",
    "fluorescence": "fluorescence:random_fluorescence",
    "brightfield": "random_brightfield:random_brightfield",
    "relief": "relief:random_relief",
    "thin_lens": "thin_lens:random_thin_lens",
    "overlap": "overlap:random_overlap",
}
KINDS = tuple(_GENERATORS)

_PACKAGE = "napari_gmff.training.synthesis"

_CLEAN_RECIPE = 0.55
"""Share of the papers' recipe that stays exactly as the papers have it, without a camera."""
_GRAINY_RECIPE = 0.2
"""Share of the papers' recipe that gets Gaussian noise and nothing else."""

_LEAST_PHOTONS = {"brightfield": 800.0, "relief": 200.0, "thin_lens": 200.0}
"""Where there is a lamp, a lack of light is rarely what limits; 50 for other kinds."""


@dataclass(frozen=True)
class Mixture:
    """Draws training stacks.

    Attributes
    ----------
    images : ImageSource
        Sharp images.
    shares : mapping of str to float
        Weight of each kind of `KINDS`; kinds left out are never drawn.
    distractors : float
        Share of stacks with added slices that show nothing new.
    """

    images: ImageSource
    shares: Mapping[str, float]
    distractors: float = 0.1

    def __post_init__(self) -> None:
        for kind, share in self.shares.items():
            if kind not in KINDS:
                raise ParameterError(f"mixture: kinds are {', '.join(KINDS)}, got {kind!r}")
            if not share >= 0:
                raise ParameterError(f"mixture: share of {kind} must be 0 or above, got {share}")
        if not sum(self.shares.values()) > 0:
            raise ParameterError("mixture: at least one kind must have a share above 0")

    def draw(
        self,
        rng: np.random.Generator,
        n_slices: int,
        shape_yx: tuple[int, int],
        kind: str | None = None,
    ) -> SyntheticStack:
        """Draw one stack as a camera delivers it.

        Parameters
        ----------
        rng : numpy.random.Generator
            Draws everything.
        n_slices : int
            Slices of the result, distractors included.
        shape_yx : tuple of int
            Size of the slices.
        kind : str, optional
            One of `KINDS`; drawn by share if not given.
        """
        kind = self._kind(rng) if kind is None else kind
        extra = _draw_extra(rng, n_slices) if rng.random() < self.distractors else (0, 0)
        images: Images = _Faded(self.images) if rng.random() < 0.25 else self.images
        scene = random_scene(kind, rng, n_slices - sum(extra), shape_yx, images)
        if sum(extra):
            scene = with_distractors(scene, *extra, rng)
        camera = _plain_camera(rng) if kind == "recipe" else None
        if camera is None:
            scene = _exposed(scene, rng)
            mean_level = float(scene.sharp.mean()) + 1e-3
            camera = random_camera(rng, mean_level, _LEAST_PHOTONS.get(kind, 50.0))
        return photographed(scene, camera, rng)

    def _kind(self, rng: np.random.Generator) -> str:
        kinds = [kind for kind in KINDS if self.shares.get(kind)]  # in an order of its own
        weights = np.array([self.shares[kind] for kind in kinds])
        return str(rng.choice(kinds, p=weights / weights.sum()))


def random_scene(
    kind: str,
    rng: np.random.Generator,
    n_slices: int,
    shape_yx: tuple[int, int],
    images: Images,
) -> SyntheticStack:
    """Draw one clean, ordered stack of a kind, with all its parameters.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    rng : numpy.random.Generator
        Draws everything.
    n_slices : int
        At least 1.
    shape_yx : tuple of int
        Of the slices, each at least 1.
    images : ImageSource
        Where textures come from.

    Returns
    -------
    SyntheticStack
        (N, Y, X), linear in light.

    Raises
    ------
    ParameterError
        If `n_slices` or `shape_yx` makes no sense.
    """
    module, _, function = _GENERATORS[kind].partition(":")
    make = getattr(import_module(f"{_PACKAGE}.{module}"), function)
    scene: SyntheticStack = make(rng, n_slices, shape_yx, images)
    return scene if scene.kind == kind else replace(scene, kind=kind)


@dataclass(frozen=True)
class _Faded:
    """Sharp images whose texture fades to nothing in places, as on a blank wall."""

    images: Images

    def crop(self, rng: np.random.Generator, shape_yx: tuple[int, int]) -> FloatImage:
        image = self.images.crop(rng, shape_yx)
        coarse = rng.standard_normal((5, 5))
        zoom = (shape_yx[0] / 5, shape_yx[1] / 5)
        field = ndimage.zoom(coarse, zoom, order=3, grid_mode=True, mode="reflect")
        keep = np.clip(field * 2 + rng.uniform(-0.5, 1.5), 0, 1).astype(np.float32)
        smooth = ndimage.gaussian_filter(image, rng.uniform(4, 12), mode="reflect")
        return np.asarray(smooth + keep * (image - smooth), np.float32)


def _exposed(scene: SyntheticStack, rng: np.random.Generator) -> SyntheticStack:
    """Scale a scene so that its brightest parts fill most of a camera's range."""
    brightest = float(np.percentile(scene.stack, 99.8))
    scale = np.float32(rng.uniform(0.45, 0.97) / max(brightest, 1e-3))
    return replace(scene, stack=scene.stack * scale, sharp=scene.sharp * scale)


def _plain_camera(rng: np.random.Generator) -> Camera | None:
    """Draw how the papers' recipe is photographed; None for a camera with all its faults."""
    draw = rng.random()
    if draw < _CLEAN_RECIPE:
        return Camera(bits=8)
    if draw < _CLEAN_RECIPE + _GRAINY_RECIPE:
        return Camera(bits=8, read_noise=log_uniform(rng, 0.004, 0.04))
    return None


def _draw_extra(rng: np.random.Generator, n_slices: int) -> tuple[int, int]:
    """Draw numbers of blank and doubled slices that leave at least two real ones."""
    room = min(n_slices - 2, max(1, n_slices // 3))
    if room <= 0:
        return 0, 0
    blank = int(rng.integers(0, room + 1))
    doubled = int(rng.integers(0, room - blank + 1))
    return blank, doubled
