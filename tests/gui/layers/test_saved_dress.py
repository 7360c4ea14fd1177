"""Layers of saved results have what those of a fusion have from the viewer."""

from __future__ import annotations

from napari.components import ViewerModel

from tests.gui.sets import fused_set


def test_a_reopened_depth_map_has_its_colour_bar_when_nothing_covers_it(
    make_napari_viewer, tmp_path
):
    first = ViewerModel()
    fused = fused_set(first, with_source=False)
    folder = fused.result.save(tmp_path / "saved.ome.zarr")
    viewer = make_napari_viewer()
    for _ in range(2):
        viewer.open(folder, plugin="napari-gmff")
        bar = viewer.layers["relief depth"].colorbar
        assert not bar.visible
        for name in ("relief fused", "relief focus index"):
            viewer.layers[name].visible = False
        assert bar.visible
        viewer.layers.clear()


def test_the_status_names_the_slice_of_a_reopened_focus_map(make_napari_viewer, tmp_path):
    first = ViewerModel()
    fused = fused_set(first, with_source=False)
    viewer = make_napari_viewer()
    viewer.open(fused.result.save(tmp_path / "saved.ome.zarr"), plugin="napari-gmff")
    index = viewer.layers["relief focus index"]
    viewer.layers.selection = {index}
    viewer.cursor.position = (10.0, 10.0)
    parts = dict.fromkeys(("layer_base", "source_type", "plugin"), "")
    viewer.status = {**parts, "coordinates": "relief focus index [20 20]: 0"}
    assert "slice 0 · z 0 µm" in viewer.status["coordinates"]
