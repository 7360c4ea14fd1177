"""Draws brightfield stacks with all their parameters: smears, cells, fibres, tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import numpy as np

from napari_gmff.training.synthesis.brightfield import OBJECTS, Layout, brightfield_stack
from napari_gmff.training.synthesis.depth_range import log_uniform, random_depth_range
from napari_gmff.training.synthesis.partial_coherence import Microscope
from napari_gmff.training.synthesis.specimens import Stain

if TYPE_CHECKING:
    from napari_gmff.training.synthesis.mixture import Images
    from napari_gmff.training.synthesis.synthetic_stack import SyntheticStack

_FARTHEST_CONE_PX = 140.0
"""Radius of the light cone beyond which only shadows are left."""

_SHARES = np.array([0.14, 0.2, 0.1, 0.15, 0.08, 0.05, 0.28])
"""Of `OBJECTS`."""


def random_brightfield(
    rng: np.random.Generator, n_slices: int, shape_yx: tuple[int, int], images: Images
) -> SyntheticStack:
    """Draw a brightfield stack with all its parameters, over what microscopes see.

    Two in five are smears of large, smooth cells in one plane or on a gentle tilt. Three in five
    of all stacks are ordinary: well sampled, slices about a depth of focus apart, objects that any
    microscopist would focus on; the others show what else may come under a microscope.
    """
    smear = rng.random() < 0.4
    ordinary = rng.random() < 0.6
    if smear:
        objects = ["blood"] if rng.random() < 0.6 else ["blood", str(rng.choice(OBJECTS[1:]))]
        smallest = log_uniform(rng, 14 if ordinary else 12, 42)
        layout: Layout = "flat" if rng.random() < 0.7 else "relief"
        narrow = 0.6
    else:
        count = int(rng.choice([1, 2, 3], p=[0.55, 0.35, 0.1]))
        objects = [str(kind) for kind in rng.choice(OBJECTS, count, replace=False, p=_SHARES)]
        smallest = log_uniform(rng, 4, 40)
        layout = str(rng.choice(get_args(Layout), p=[0.25, 0.35, 0.4]))  # type: ignore[assignment]
        narrow = 0.15
    flat = 1.0 if layout == "flat" else 0.05
    return brightfield_stack(
        shape_yx,
        n_slices,
        rng,
        objects=objects,
        coverage=log_uniform(rng, 0.08, 0.9),
        stain=_ordinary_stain(rng, smallest)
        if ordinary
        else _random_stain(rng, smallest, stained=smear and rng.random() < 0.7),
        layout=layout,
        n_planes=int(rng.integers(2, 5)),
        depth_range=random_depth_range(rng, n_slices, flat=flat, narrow=narrow),
        microscope=random_microscope(rng, n_slices, ordinary=ordinary),
        level=rng.uniform(0.4, 0.85),
        images=images if rng.random() < 0.85 else None,
    )


def random_microscope(
    rng: np.random.Generator, n_slices: int, *, ordinary: bool = False
) -> Microscope:
    """Draw a microscope whose slices differ visibly.

    Sampling is from a little too coarse to four times finer than needed. Slices are a fifth of
    the depth of focus to more than twice that depth apart; the objective's cone opens
    to 140 px at most. An ordinary one samples well, has its condenser opened by a third to
    four fifths, and its slices are half a depth of focus to twice that depth apart.
    """
    aperture, index = (
        (0.1, 1.0),
        (0.25, 1.0),
        (0.4, 1.0),
        (0.65, 1.0),
        (1.0, 1.33),
        (1.25, 1.518),
    )[int(rng.integers(6))]
    wavelength_um = rng.uniform(0.45, 0.65)
    cutoff = log_uniform(rng, *((0.13, 0.28) if ordinary else (0.065, 0.33)))
    pixel_um = cutoff * wavelength_um / aperture
    # Defocus of a quarter wave at the pupil's rim, half of cone × cutoff, is the limit of what
    # looks focused: smaller steps hardly show, and a delay shifts what looks sharpest by as much.
    waves = log_uniform(rng, 0.1, 1.2) if n_slices > 3 else log_uniform(rng, 0.25, 2)
    if ordinary:
        waves = log_uniform(rng, 0.25, 0.9)
    rate = 2 * waves / cutoff
    if not ordinary and rng.random() < 0.3:
        rate = max(log_uniform(rng, 0.5, 4), 0.2 / cutoff)
    rate = min(rate, _FARTHEST_CONE_PX / max(n_slices - 1, 1))
    unit = Microscope(aperture, wavelength_um, pixel_um, 1.0, index)
    ratio = rng.uniform(*((0.3, 0.8) if ordinary else (0.2, 1.0)))
    return Microscope(
        aperture,
        wavelength_um,
        pixel_um,
        rate / unit.cone_px_per_slice,
        index,
        ratio,
        n_angles=round(7 + 10 * ratio),
        bandwidth=float(rng.choice([0.0, 0.05, 0.15])),
        spherical_waves=rng.normal(0, 0.05) if rng.random() < 0.5 else 0.0,
        misalignment=(rng.normal(0, 0.04), rng.normal(0, 0.04)),
    )


def _ordinary_stain(rng: np.random.Generator, smallest_px: float) -> Stain:
    return Stain(
        absorbance=log_uniform(rng, 0.15, 1.2),
        phase=log_uniform(rng, 0.1, 1.5) * float(rng.choice([-1.0, 1.0])),
        radius_px=(smallest_px, smallest_px * rng.uniform(1, 1.5)),
        edge_px=rng.uniform(0.8, 2),
        variety=rng.uniform(0, 1),
    )


def _random_stain(rng: np.random.Generator, smallest_px: float, stained: bool) -> Stain:
    phase = log_uniform(rng, 0.15, 5)
    absorbance = log_uniform(rng, 0.2 if stained else 0.04, 2.0)
    if rng.random() < 0.3:  # mounted in a medium of nearly the same index
        phase *= rng.uniform(0.03, 0.3)
    return Stain(
        # Nothing is purely a phase object; without any absorption there is no focus to see.
        absorbance=max(absorbance, 0.08 * phase),
        # Stacks are taken upwards and downwards, which is the same as a delay of either sign.
        phase=phase * float(rng.choice([-1.0, 1.0])),
        radius_px=(smallest_px, min(smallest_px * rng.uniform(1, 2), 60.0)),
        edge_px=rng.uniform(0.8, 3),
        variety=rng.uniform(0, 1),
    )
