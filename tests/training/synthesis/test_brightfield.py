import numpy as np
import pytest
from scipy import ndimage

from napari_gmff.errors import ParameterError
from napari_gmff.training.synthesis.brightfield import (
    OBJECTS,
    brightfield_stack,
)
from napari_gmff.training.synthesis.partial_coherence import Microscope
from napari_gmff.training.synthesis.specimens import Stain

SHAPE = (72, 80)
ABSORBING = Stain(0.8, 0.0, (8.0, 12.0), 1.2, 0.3)
SCOPE = Microscope(0.5, 0.55, 0.2, 1.5, 1.0, 0.6, 9)


class Stripes:
    """Sharp images: stripes in a random place."""

    def crop(self, rng: np.random.Generator, shape_yx: tuple[int, int]) -> np.ndarray:
        start = rng.uniform(0, 6)
        row = 0.55 + 0.4 * np.sin(np.arange(shape_yx[1]) + start)
        return np.broadcast_to(row, shape_yx).astype(np.float32)


def sharpest(stack: np.ndarray) -> np.ndarray:
    energy = [
        ndimage.gaussian_filter(ndimage.laplace(ndimage.gaussian_filter(image, 1.0)) ** 2, 4)
        for image in stack
    ]
    return np.argmax(energy, axis=0)


@pytest.mark.parametrize("depth", [0.0, 2.0, 5.0])
@pytest.mark.parametrize("kind", ["blood", "cells", "algae", "fibres", "dust", "picture"])
def test_absorbing_objects_are_sharpest_where_they_lie(kind, depth):
    scene = brightfield_stack(
        SHAPE,
        6,
        np.random.default_rng(3),
        objects=[kind],
        stain=ABSORBING,
        depth_range=(depth, depth),
        microscope=SCOPE,
        images=Stripes(),
    )
    assert (scene.index == depth).all()
    found = sharpest(scene.stack)[scene.texture]
    # Grains delay light as well, which shifts what looks sharpest.
    slack = 1 if kind == "dust" else 0
    assert (np.abs(found - depth) <= slack).mean() > 0.95


def test_objects_in_planes_are_sharpest_at_their_own_depth():
    hits = []
    for seed in range(4):
        scene = brightfield_stack(
            SHAPE,
            8,
            np.random.default_rng(seed),
            stain=ABSORBING,
            layout="planes",
            coverage=0.4,
            microscope=SCOPE,
        )
        assert len(np.unique(scene.depth)) > 1
        hits.append((np.abs(sharpest(scene.stack) - scene.index) <= 1)[scene.texture].mean())
    assert np.mean(hits) > 0.8


def test_a_relief_fills_the_range_and_is_sharpest_along_it():
    scene = brightfield_stack(
        SHAPE,
        8,
        np.random.default_rng(1),
        stain=ABSORBING,
        layout="relief",
        depth_range=(1.0, 6.0),
        coverage=0.8,
        microscope=SCOPE,
    )
    assert np.ptp(scene.depth) > 2.5
    near = np.abs(sharpest(scene.stack) - scene.depth)[scene.texture] <= 1.2
    assert near.mean() > 0.85


def test_sharp_is_the_slice_in_focus():
    flat = brightfield_stack(
        SHAPE, 5, np.random.default_rng(0), depth_range=(3, 3), microscope=SCOPE
    )
    np.testing.assert_allclose(flat.sharp, flat.stack[3], atol=1e-5)
    between = brightfield_stack(
        SHAPE, 5, np.random.default_rng(0), depth_range=(2.5, 2.5), microscope=SCOPE
    )
    assert between.sharp.std() != pytest.approx(between.stack[2].std(), rel=1e-3)


def test_the_inside_of_a_smooth_cell_is_known_but_has_no_texture():
    scene = brightfield_stack(
        (120, 120),
        4,
        np.random.default_rng(0),
        stain=Stain(0.6, 0.5, (40.0, 41.0), 1.5, 0.0),
        coverage=0.05,
        microscope=SCOPE,
    )
    assert ndimage.label(~scene.known)[1] == 1, "known has holes"
    deep = ndimage.distance_transform_edt(scene.known) > 12
    assert deep.any()
    assert scene.texture[scene.known].mean() > 0.1
    assert scene.texture[deep].mean() < 0.5
    assert not scene.texture[~scene.known].any()


def test_the_empty_field_has_the_given_level():
    scene = brightfield_stack(SHAPE, 3, np.random.default_rng(2), coverage=0.0, level=0.5)
    assert np.median(scene.stack[~np.broadcast_to(scene.known, scene.stack.shape)]) == (
        pytest.approx(0.5, abs=0.05)
    )


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"objects": ["ghosts"]}, "ghosts"),
        ({"objects": []}, "objects"),
        ({"layout": "heap"}, "heap"),
        ({"coverage": -1}, "coverage"),
        ({"depth_range": (0, 9)}, "depth_range"),
        ({"depth_range": (2, 1)}, "depth_range"),
        ({"n_planes": 0}, "n_planes"),
        ({"level": 0}, "level"),
        ({"n_slices": 0}, "n_slices"),
        ({"shape_yx": (0, 5)}, "shape_yx"),
    ],
)
def test_wrong_parameters_are_refused_by_name(wrong, name):
    parameters = {"shape_yx": SHAPE, "n_slices": 4, "rng": np.random.default_rng(0)}
    with pytest.raises(ParameterError, match=name):
        brightfield_stack(**(parameters | wrong))


def test_every_kind_of_object_is_seen():
    for kind in OBJECTS:
        scene = brightfield_stack(
            SHAPE, 2, np.random.default_rng(1), objects=[kind], microscope=SCOPE
        )
        assert scene.known.any(), kind
        assert scene.sharp.std() > 0.002, kind
