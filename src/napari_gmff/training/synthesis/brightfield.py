"""Brightfield: thin objects that absorb and delay light, under a condenser.

What is out of focus is not simply blurred: edges get bright and dark lines (Becke lines) and
rings, and contrast turns over from one side of focus to the other. An object that only delays
light is nearly invisible in focus; the truth is still the plane it lies in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from scipy import ndimage

from napari_gmff.errors import ParameterError
from napari_gmff.training.synthesis import specimens
from napari_gmff.training.synthesis.checks import (
    check_choice,
    check_count,
    check_within,
    checked_shape,
)
from napari_gmff.training.synthesis.depth_range import filled_from_nearest
from napari_gmff.training.synthesis.partial_coherence import Microscope, transmitted_images
from napari_gmff.training.synthesis.psf import cropped, padded_shape
from napari_gmff.training.synthesis.slide_layout import (
    at_depth,
    faded_border,
    owner_depth,
    relief_depth,
    shared_by_planes,
)
from napari_gmff.training.synthesis.specimens import Stain, ThinPlane
from napari_gmff.training.synthesis.synthetic_stack import (
    SyntheticStack,
    ordered_stack,
    texture_mask,
)

if TYPE_CHECKING:
    from napari_gmff.training.synthesis.mixture import Images

Layout = Literal["flat", "relief", "planes"]

_COMPACT = {
    "blood": specimens.add_blood_cell,
    "cells": specimens.add_cell,
    "droplets": specimens.add_droplet,
    "algae": specimens.add_alga,
    "fibres": specimens.add_fibre,
    "dust": specimens.add_dust,
}
OBJECTS = (*_COMPACT, "picture")
"""Names of the kinds of objects."""

_MARGIN_MAX_PX = 48
_LEAST_OVERLAP = 0.02
"""Share of the field below which planes may be taken as lit alone, which is much faster."""

_LEAST_EFFECT = 0.04
"""Least |transmission - 1| of an object for its depth to be called known."""


def brightfield_stack(
    shape_yx: tuple[int, int],
    n_slices: int,
    rng: np.random.Generator,
    *,
    objects: Sequence[str] = ("blood",),
    coverage: float = 0.4,
    stain: Stain | None = None,
    layout: Layout = "flat",
    n_planes: int = 3,
    depth_range: tuple[float, float] | None = None,
    microscope: Microscope | None = None,
    level: float = 0.6,
    images: Images | None = None,
) -> SyntheticStack:
    """Make a brightfield stack with known truth.

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
        About how large a part of the field is taken up by objects.
    stain : Stain, optional
        What objects do to light: size, absorption and delay.
    layout : {'flat', 'relief', 'planes'}
        All objects in one plane in the middle of the depth range, or on a tilted or bent surface
        that fills the range, or each in one of a few planes. In planes that overlap, light passes
        one after the other.
    n_planes : int
        For the layout of that name; the outer ones lie at the ends of the range.
    depth_range : tuple of float, optional
        Depths of the objects, in slices; all slices by default.
    microscope : Microscope, optional
        A low-power objective, with slices of about a depth of focus, by default.
    level : float
        Brightness of the empty field.
    images : ImageSource, optional
        Patterns of stained tissue; noise if not given.

    Returns
    -------
    SyntheticStack
        `known` is where objects are, their insides included; elsewhere, `depth` is that of the
        nearest. `sharp` is what the microscope shows of each pixel when focused on its depth.

    Raises
    ------
    ParameterError
    """
    shape_yx = checked_shape(shape_yx)
    check_count("n_slices", n_slices)
    low, high = (0.0, n_slices - 1.0) if depth_range is None else depth_range
    _check(objects, coverage, layout, n_planes, (low, high), n_slices, level)
    microscope = microscope or Microscope()
    stain = stain or Stain(0.2, 1.0, (15.0, 25.0), 1.5, 0.3)
    field = padded_shape(shape_yx, _margin_px(microscope, n_slices, low, high))
    if layout == "planes" and high > low and n_planes > 1:
        depths = np.sort([low, *rng.uniform(low, high, n_planes - 2), high])
    else:
        depths = np.array([(low + high) / 2])
    planes = [ThinPlane.empty(field) for _ in depths]
    for kind in objects:
        _add_objects(planes, kind, coverage / len(objects), stain, rng, images)
    waves = np.stack([plane.transmission() for plane in planes])
    waves = 1 + (waves - 1) * faded_border(field, shape_yx)
    depth = owner_depth(planes, waves, depths)
    stacked = np.sum([plane.body for plane in planes], axis=0)
    body = stacked > 0
    effect = np.abs(waves - 1).max(0)
    texture = texture_mask(waves.real.sum(0)) | texture_mask(waves.imag.sum(0))
    if layout == "relief" and high > low:
        depth = relief_depth(rng, field, low, high)
        waves, depths = shared_by_planes(waves[0], depth, microscope)
    foci = np.unique(np.concatenate([np.arange(n_slices), depths]))
    images_at = transmitted_images(
        waves,
        depths,
        foci,
        microscope,
        multiple_scattering=bool((stacked > 1).mean() > _LEAST_OVERLAP),
        turn=rng.uniform(0, 6.28),
    )
    images_at = cropped(images_at, shape_yx)
    depth, effect = (cropped(image, shape_yx) for image in (depth, effect))
    body, texture = (cropped(image, shape_yx) for image in (body, texture))
    sharp = at_depth(images_at, foci, depth)
    known = body & (ndimage.maximum_filter(effect, 5) > _LEAST_EFFECT)
    stack = images_at[np.searchsorted(foci, np.arange(n_slices))]
    scale = np.float32(level / max(1.0, level * float(np.quantile(stack[:, ::2, ::2], 0.999))))
    return ordered_stack(
        np.maximum(stack, 0) * scale,
        filled_from_nearest(depth, known) if layout == "planes" else depth,
        np.maximum(sharp, 0) * scale,
        "brightfield",
        texture=known & texture,
        known=known,
    )


def _add_objects(
    planes: Sequence[ThinPlane],
    kind: str,
    coverage: float,
    stain: Stain,
    rng: np.random.Generator,
    images: Images | None,
) -> None:
    if kind == "picture":
        specimens.add_picture(planes[int(rng.integers(len(planes)))], rng, stain, images)
        return
    height, width = planes[0].body.shape
    typical_px = 3.0 * float(np.mean(stain.radius_px)) ** 2
    typical_px = {"dust": 2500.0, "fibres": 9000.0}.get(kind, typical_px)
    count = int(np.clip(round(coverage * height * width / typical_px), 1, height * width / 500))
    for number in range(count):
        # The first lies in the middle, so that no image is empty.
        reach = 0.2 if number == 0 else 0.5
        y, x = (side * (0.5 + rng.uniform(-reach, reach)) for side in (height, width))
        _COMPACT[kind](planes[int(rng.integers(len(planes)))], rng, stain, y, x)


def _margin_px(microscope: Microscope, n_slices: int, low: float, high: float) -> int:
    farthest = max(high, n_slices - 1 - low)
    cone = farthest * microscope.cone_px_per_slice * (1 + microscope.coherence_ratio)
    ring = 1 / microscope.cutoff_cycles_per_px
    return int(np.ceil(min(0.7 * cone + ring, _MARGIN_MAX_PX)))


def _check(
    objects: Sequence[str],
    coverage: float,
    layout: str,
    n_planes: int,
    depth_range: tuple[float, float],
    n_slices: int,
    level: float,
) -> None:
    if not objects:
        raise ParameterError(f"objects must name at least one of {', '.join(OBJECTS)}, got none")
    for kind in objects:
        check_choice("objects", kind, OBJECTS)
    check_within("coverage", coverage, 0, 20)
    check_choice("layout", layout, get_args(Layout))
    check_count("n_planes", n_planes)
    check_within("level", level, 1e-6)
    low, high = depth_range
    if not 0 <= low <= high <= n_slices - 1:
        raise ParameterError(
            f"depth_range must rise within 0 to {n_slices - 1}, got {low:g} to {high:g}"
        )
