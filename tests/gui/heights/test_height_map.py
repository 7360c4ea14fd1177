"""Heights to show, to measure and to write, from the depth of a result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from napari.components import ViewerModel

from napari_gmff._napari.heights.fused_picture import looks_of
from napari_gmff._napari.heights.height_map import (
    SHOWN_VERTICES,
    HeightMap,
    HeightScale,
    export_mesh,
    scale_of,
    shown_surface,
    smoothed,
)
from napari_gmff.errors import OutputError, ParameterError
from napari_gmff.export.layout import ImageSpec
from napari_gmff.live_images import LiveImages
from tests.gui.sets import fused_set
from tests.stacks import stack_of, textured

TRUE = HeightScale((0.5, 0.5), 1.0)


@pytest.fixture
def viewer():
    """Return a viewer without a window; its fusions are closed when it goes."""
    return ViewerModel()


@pytest.fixture
def made(viewer):
    return fused_set(viewer)


def test_a_scale_comes_from_the_source_and_is_never_overridden(made):
    assert scale_of(made.result, 7.0, 9.0) == TRUE
    assert TRUE.is_known
    assert TRUE.depth_unit == "µm"


def test_where_the_source_says_nothing_the_user_may(viewer):
    made = fused_set(viewer, stack_of(textured((4, 64, 96))))
    bare = scale_of(made.result)
    assert bare == HeightScale((None, None), None)
    assert (bare.is_known, bare.depth_unit) == (False, "slice")
    assert not scale_of(made.result, step_um=2.0).is_known
    told = scale_of(made.result, 2.0, 0.5)
    assert told == HeightScale((0.5, 0.5), 2.0)
    assert told.is_known
    heights = HeightMap(made.images, 0, told)[:, :]
    np.testing.assert_allclose(heights, made.images.levels("depth")[0] * 2.0)


def test_heights_are_the_depth_and_a_part_is_a_copy(made):
    heights = HeightMap(made.images, 0, TRUE)
    depth = made.result.depth.compute()
    assert heights.shape == depth.shape
    np.testing.assert_array_equal(np.asarray(heights), depth)
    part = heights[10:20, 30:40]
    part[:] = -1
    np.testing.assert_array_equal(heights[10:20, 30:40], depth[10:20, 30:40])


def test_where_confidence_is_low_there_is_no_height(made):
    confidence = made.result.confidence.compute()
    least = float(np.median(confidence))
    heights = HeightMap(made.images, 0, TRUE, least)[:, :]
    np.testing.assert_array_equal(np.isnan(heights), confidence < np.float32(least))


def test_each_time_point_has_its_own_heights(viewer):
    array = np.stack([textured((4, 64, 96)), textured((4, 64, 96))[::-1]])
    made = fused_set(viewer, stack_of(array, "TZYX", voxel_size_um=(2.0, 0.5, 0.5)))
    depth = made.result.depth.compute()
    for time in range(2):
        np.testing.assert_array_equal(HeightMap(made.images, time, TRUE)[:, :], depth[time])
    assert not np.array_equal(depth[0], depth[1])


def test_what_is_shown_is_thinned_but_each_vertex_is_measured(viewer):
    side = 1400
    spec = ImageSpec("depth", "yx", (side, side), np.dtype("float32"), "depth", "µm")
    fused = ImageSpec("fused", "yx", (side, side), np.dtype("uint8"), "intensity")
    images = LiveImages([spec, fused])
    rng = np.random.default_rng(1)
    depth = rng.random((side, side), np.float32)
    images.put("depth", 0, (slice(0, side), slice(0, side)), depth)
    made = fused_set(viewer, stack_of(textured(dtype="uint8")))
    shown = shown_surface(HeightMap(images, 0, TRUE), looks_of(made))
    vertices = shown.surface.vertices
    assert 0.3 * SHOWN_VERTICES < len(vertices) <= 1.05 * SHOWN_VERTICES
    row, column = np.rint(vertices[:, 1:] / 0.5).astype(int).T
    np.testing.assert_array_equal(vertices[:, 0], depth[row, column])
    assert (shown.lowest, shown.highest) == (vertices[:, 0].min(), vertices[:, 0].max())
    assert shown.texture.shape == (side, side, 3)


def test_smoothing_follows_a_slope_and_keeps_holes():
    x = np.tile(np.arange(80), (60, 1))
    slope = (0.5 * x).astype(np.float32)
    slope[20:30, 20:30] = np.nan
    result = smoothed(slope, 2.0)
    np.testing.assert_array_equal(np.isnan(result), np.isnan(slope))
    np.testing.assert_allclose(result[40:50, 10:70], slope[40:50, 10:70], atol=1e-3)
    rng = np.random.default_rng(0)
    noisy = slope + rng.normal(0, 1, slope.shape).astype(np.float32)
    inner = (slice(35, 55), slice(10, 70))
    assert np.std((smoothed(noisy, 2.0) - slope)[inner]) < 0.3


def test_smoothing_changes_only_what_is_shown(made):
    heights = HeightMap(made.images, 0, TRUE)
    before = heights[:, :]
    steps = []
    for smoothing_px in (0.0, 3.0):
        shown = shown_surface(heights, looks_of(made), smoothing_px).surface.vertices[:, 0]
        steps.append(np.abs(np.diff(shown.reshape(heights.shape), axis=1)).max())
    assert steps[1] < steps[0] / 2
    np.testing.assert_array_equal(heights[:, :], before)


@pytest.mark.parametrize("rises", [True, False])
def test_a_mesh_has_the_true_heights_and_the_colours_shown(made, rises, tmp_path: Path):
    heights = HeightMap(made.images, 0, TRUE)
    path = export_mesh(heights, looks_of(made), tmp_path / "x.ply", rises=rises)
    mesh = trimesh.load_mesh(path, process=False)
    depth = made.result.depth.compute()
    row = np.rint(-mesh.vertices[:, 1] / 0.5).astype(int)
    column = np.rint(mesh.vertices[:, 0] / 0.5).astype(int)
    expected = depth[row, column] if rises else -depth[row, column]
    np.testing.assert_allclose(mesh.vertices[:, 2], expected)
    assert (mesh.face_normals[:, 2] > 0).all()
    assert len(np.unique(mesh.visual.vertex_colors[:, 0])) > 50


def test_a_mesh_replaces_a_file_only_when_that_was_agreed(made, tmp_path: Path):
    heights, looks = HeightMap(made.images, 0, TRUE), looks_of(made)
    path = tmp_path / "x.stl"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="already exists"):
        export_mesh(heights, looks, path)
    assert path.read_bytes() == b"precious"
    export_mesh(heights, looks, path, overwrite=True)
    assert len(trimesh.load_mesh(path).faces) == 2 * 95 * 127


def test_confidence_may_leave_nothing_to_show(made):
    made.images.levels("confidence")[0][:] = 0.1
    with pytest.raises(ParameterError, match="three neighbouring pixels"):
        shown_surface(HeightMap(made.images, 0, TRUE, 0.9), looks_of(made))
