"""The surface comes into the viewer, and the viewer is as before when it goes."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel

from napari_gmff._napari.common.viewer_parts import camera_of
from napari_gmff._napari.heights.fused_picture import looks_of
from napari_gmff._napari.heights.height_map import HeightMap, scale_of, shown_surface
from napari_gmff._napari.heights.surface_view import SurfaceView
from napari_gmff._napari.layers.result_sets import METADATA_KEY, set_of
from tests.gui.sets import fused_set
from tests.stacks import stack_of, textured


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def view(viewer):
    view = SurfaceView(viewer)
    viewer.dims.events.ndisplay.connect(view.on_ndisplay, position="last")
    viewer.layers.events.removed.connect(view.on_removed)
    return view


def show(view: SurfaceView, made, **options) -> None:
    scale = scale_of(made.result, **options)
    view.show(made, scale, shown_surface(HeightMap(made.images, 0, scale), looks_of(made)))


def state(viewer: ViewerModel) -> dict[str, object]:
    camera = camera_of(viewer)
    return {
        "layers": [(layer.name, layer.visible) for layer in viewer.layers],
        "active": viewer.layers.selection.active,
        "ndisplay": viewer.dims.ndisplay,
        "point": tuple(viewer.dims.point),
        "range": tuple(viewer.dims.range),
        "camera": (camera.center, camera.zoom, camera.angles, camera.orientation),
    }


def test_the_surface_lies_over_the_image_at_the_z_of_each_pixel(view, viewer):
    made = fused_set(viewer, z_positions_um=[9.0, 7.0, 5.0, 3.0])
    show(view, made)
    layer = view.layer
    assert (layer.name, viewer.dims.ndisplay) == ("relief surface", 3)
    depth = made.result.depth.compute()
    for number in (0, 500, len(layer.vertices) - 1):
        z, y, x = layer.data_to_world(layer.vertices[number])
        row, column = round(y / 0.5), round(x / 0.5)
        assert z == pytest.approx(depth[row, column], abs=1e-4)
        world_yx = made.layers["depth"][0].data_to_world((row, column))
        np.testing.assert_allclose((y, x), world_yx, atol=1e-4)
    assert [str(unit) for unit in layer.units] == ["micrometer"] * 3
    assert layer.metadata[METADATA_KEY]["provenance"] == made.result.provenance
    assert set_of(layer) is made


def test_only_the_surface_is_seen_and_all_is_as_before_when_it_goes(view, viewer):
    made = fused_set(viewer)
    made.layers["focus_index"][0].visible = False
    viewer.layers.selection.active = made.layers["depth"][0]
    viewer.dims.set_point(0, 4.0)
    before = state(viewer)
    show(view, made)
    view.set_exaggeration(20)
    assert [layer.name for layer in viewer.layers if layer.visible] == ["relief surface"]
    view.leave()
    assert not view.is_shown
    assert state(viewer) == before
    view.leave()  # a second time changes nothing
    assert state(viewer) == before


@pytest.mark.parametrize("how", ["button", "delete"])
def test_whoever_ends_the_surface_the_viewer_is_as_before(view, viewer, how):
    made = fused_set(viewer)
    viewer.dims.set_point(0, 4.0)
    before, left = state(viewer), []
    view.left.connect(lambda: left.append(True))
    show(view, made)
    if how == "button":
        viewer.dims.ndisplay = 2
    else:
        viewer.layers.remove(view.layer)
    assert state(viewer) == before
    assert left == [True]


def test_a_layer_shown_by_the_user_meanwhile_stays_visible(view, viewer):
    made = fused_set(viewer)
    confidence = made.layers["confidence"][0]
    show(view, made)
    confidence.visible = True
    view.leave()
    assert confidence.visible


def test_layers_deleted_meanwhile_are_no_trouble(view, viewer):
    made = fused_set(viewer)
    show(view, made)
    viewer.layers.remove(made.source_layers[0])
    viewer.layers.remove(made.layers["depth"][0])
    view.leave()
    assert viewer.dims.ndisplay == 2
    assert [layer.name for layer in viewer.layers if layer.visible] == [
        "relief focus index",
        "relief fused",
    ]


def test_going_to_3d_reads_no_slice_of_the_stack(view, viewer):
    made = fused_set(viewer, with_source=False)
    read = []

    def block(block_info=None):
        read.append(block_info)
        return np.zeros((1, 96, 128), np.uint16)

    lazy = da.map_blocks(block, chunks=((1,) * 4, 96, 128), dtype="uint16", meta=np.empty(0))
    viewer.add_image(lazy, contrast_limits=(0, 1), scale=(2, 0.5, 0.5), units=("um",) * 3)
    read.clear()
    show(view, made)
    assert read == []


def test_exaggeration_moves_the_layer_and_not_its_data(view, viewer):
    made = fused_set(viewer)
    show(view, made)
    vertices = view.layer.vertices.copy()
    low, high = vertices[:, 0].argmin(), vertices[:, 0].argmax()
    center = np.array(camera_of(viewer).center)
    view.set_exaggeration(5)
    np.testing.assert_array_equal(view.layer.vertices, vertices)
    lowest, highest = (view.layer.data_to_world(vertices[at])[0] for at in (low, high))
    span = vertices[high, 0] - vertices[low, 0]
    assert lowest == pytest.approx(vertices[low, 0], abs=1e-4)
    assert highest - lowest == pytest.approx(5 * span, rel=1e-4)
    moved = np.array(camera_of(viewer).center) - center
    np.testing.assert_allclose(moved, [2 * span, 0, 0], atol=1e-3)


def test_another_surface_takes_the_place_of_the_first(view, viewer):
    made = fused_set(viewer)
    other = fused_set(viewer, stack_of(textured((4, 64, 80)), voxel_size_um=(1.0, 0.5, 0.5)))
    show(view, made)
    n_layers = len(viewer.layers)
    show(view, other)
    assert len(viewer.layers) == n_layers
    assert len(view.layer.vertices) == len(view.layer.texcoords) == 64 * 80
    assert set_of(view.layer) is other


def test_colours_are_the_image_or_the_depth(view, viewer):
    made = fused_set(viewer)
    show(view, made)
    assert view.layer.texture.shape == (96, 128, 3)
    assert (view.layer.vertex_values == 1).all()
    assert view.layer.shading == "none"
    view.set_coloring("depth")
    assert (view.layer.texture == 255).all()
    np.testing.assert_array_equal(view.layer.vertex_values, view.layer.vertices[:, 0])
    assert tuple(view.layer.contrast_limits) == (0.0, 6.0)
    view.set_lit(True)
    assert view.layer.shading == "smooth"
    view.set_coloring("fused")
    assert view.layer.texture.shape == (96, 128, 3)
    assert (view.layer.vertex_values == 1).all()


@pytest.mark.parametrize("towards", [True, False])
def test_the_camera_looks_from_above_and_never_at_a_mirror_image(view, viewer, towards):
    made = fused_set(viewer)
    view.set_rising_towards(towards)
    show(view, made)
    camera = camera_of(viewer)
    up_z = 1 if towards else -1
    assert np.sign(camera.view_direction[0]) == -up_z
    assert np.sign(camera.up_direction[0]) == up_z
    assert str(camera.orientation[0]) == ("towards" if towards else "away")
    assert [str(part) for part in camera.orientation[1:]] == ["down", "right"]
    view.leave()
    assert str(camera.orientation[0]) == "towards"


def test_sizes_that_the_user_told_give_true_proportions(view, viewer):
    made = fused_set(viewer, stack_of(textured()))
    show(view, made, step_um=3.0, pixel_um=0.5)
    layer = view.layer
    corner, far = (np.array(layer.data_to_world(v)) for v in (layer.vertices[0], [3, 0.5, 0.5]))
    # The world counts pixels: half a µm is one of them, and three µm are six.
    np.testing.assert_allclose(far[1:], [1, 1], atol=1e-5)
    np.testing.assert_allclose(far[0], 6, atol=1e-5)
    np.testing.assert_allclose(corner[1:], 0, atol=1e-5)
