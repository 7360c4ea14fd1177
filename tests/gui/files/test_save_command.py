"""The command that saves a fusion while the window stays free."""

from __future__ import annotations

import threading

import pytest
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QFileDialog

from napari_gmff import open_result
from napari_gmff._napari.files import save_command
from napari_gmff._napari.files.save_command import layers_of_fusion, save_result
from napari_gmff._napari.files.writer import save_layers
from napari_gmff._napari.heights.surface_view import SurfaceView
from napari_gmff._napari.layers.result_sets import METADATA_KEY
from napari_gmff._napari.layers.saved_results import open_saved
from tests.gui.heights.test_surface_view import show
from tests.gui.layers.test_saved_fusions import reopened
from tests.gui.sets import fused_set

ZARR, OLDER_ZARR, TIFF, IMAGEJ = save_command._FORMATS


@pytest.fixture(autouse=True)
def _no_old_notifications():
    """Let no test find what another one was told."""
    notification_manager.records.clear()


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer()
    fused_set(viewer)
    viewer.layers.selection.active = viewer.layers["relief depth"]
    return viewer


def messages() -> list[str]:
    return [record.message for record in notification_manager.records]


def give(monkeypatch, path, chosen: str) -> list[str]:
    """Make the dialog give a name; return the names that it suggested."""
    suggested = []

    def ask(parent, caption, name, filters):
        suggested.append(name)
        assert chosen in filters
        return str(path), chosen

    monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)
    return suggested


def test_all_layers_of_the_active_fusion_belong_to_it_and_no_other(viewer):
    mine = layers_of_fusion(viewer)
    assert len(mine) == 4
    active = viewer.layers.selection.active
    fused_set(viewer, with_source=False)
    viewer.layers.selection.active = active
    assert layers_of_fusion(viewer) == mine
    viewer.layers.selection.active = viewer.layers["relief"]
    assert layers_of_fusion(viewer) == []


def test_the_surface_stands_for_the_fusion_that_it_was_made_from_also_one_from_disk(qapp, tmp_path):
    fresh = ViewerModel()
    made = fused_set(fresh)
    viewer, saved = reopened(made, tmp_path / "saved.ome.zarr", "ome-zarr")
    for shown, fusion in ((fresh, made), (viewer, saved)):
        show(SurfaceView(shown), fusion)
        shown.layers.selection.active = shown.layers["relief surface"]
        layers = layers_of_fusion(shown)
        assert {layer.metadata[METADATA_KEY]["image"] for layer in layers} == set(fusion.layers)
        described = [layer.as_layer_data_tuple() for layer in layers]
        save_layers(str(tmp_path / f"{len(shown.layers)}.ome.zarr"), described, "ome-zarr")


@pytest.mark.parametrize(("chosen", "ending"), [(ZARR, ".ome.zarr"), (TIFF, ".ome-tiff")])
def test_the_ending_is_added_and_the_whole_result_saved(
    viewer, qtbot, tmp_path, monkeypatch, chosen, ending
):
    suggested = give(monkeypatch, tmp_path / "mine", chosen)
    save_result()
    place = tmp_path / f"mine{ending}"
    qtbot.waitUntil(lambda: f"Saved {place}" in messages(), timeout=20_000)
    assert {"fused", "focus_index", "depth", "confidence"} <= set(open_saved(place).images)
    assert suggested == ["relief fused"]


def test_saving_runs_in_another_thread(viewer, qtbot, tmp_path, monkeypatch):
    threads = []
    save = save_command.save_layers

    def watched(*args, **kwargs):
        threads.append(threading.current_thread())
        return save(*args, **kwargs)

    monkeypatch.setattr(save_command, "save_layers", watched)
    give(monkeypatch, tmp_path / "mine", ZARR)
    save_result()
    qtbot.waitUntil(lambda: (tmp_path / "mine.ome.zarr").is_dir(), timeout=20_000)
    assert threads[0] is not threading.main_thread()


def test_only_a_name_that_the_dialog_asked_about_is_replaced(viewer, qtbot, tmp_path, monkeypatch):
    place = tmp_path / "mine.ome.zarr"
    (tmp_path / "mine.ome.zarr").mkdir()
    (place / "notes.txt").write_text("keep")
    give(monkeypatch, tmp_path / "mine", ZARR)
    save_result()
    qtbot.waitUntil(lambda: any("already exists" in one for one in messages()), timeout=20_000)
    give(monkeypatch, place, ZARR)
    save_result()
    qtbot.waitUntil(lambda: any("holds other files" in one for one in messages()), timeout=20_000)
    assert (place / "notes.txt").read_text() == "keep"


def test_an_earlier_result_is_replaced_when_the_dialog_asked(viewer, qtbot, tmp_path, monkeypatch):
    place = tmp_path / "mine.ome.zarr"
    first = fused_set(viewer, with_source=False, projections=True)
    first.result.save(place)
    viewer.layers.selection.active = viewer.layers["relief depth"]
    give(monkeypatch, place, ZARR)
    save_result()
    qtbot.waitUntil(lambda: f"Saved {place}" in messages(), timeout=20_000)
    assert "max_projection" not in open_result(place).images


def test_without_a_fusion_it_says_what_to_select(viewer, monkeypatch):
    viewer.layers.selection.active = viewer.layers["relief"]
    save_result()
    assert "Select a layer of a fusion first" in messages()[-1]


def test_a_cancelled_dialog_saves_nothing(viewer, tmp_path, monkeypatch):
    give(monkeypatch, "", ZARR)
    save_result()
    assert list(tmp_path.glob("*.ome*")) == []


@pytest.mark.parametrize("name", ["moth", "moth.png"])
def test_pictures_are_saved_beside_each_other(viewer, tmp_path, monkeypatch, qtbot, name):
    (chosen, _) = save_command._PICTURES
    give(monkeypatch, tmp_path / name, chosen)
    save_result()
    expected = [f"moth.{image}.png" for image in ("depth", "focus_index", "fused")]
    found = lambda: sorted(path.name for path in tmp_path.glob("*.png"))  # noqa: E731
    qtbot.waitUntil(lambda: found() == expected and bool(messages()), timeout=20_000)
    assert messages()[-1].startswith("Saved moth.fused.png")


def test_the_older_zarr_and_files_for_imagej_are_offered(viewer, tmp_path, monkeypatch, qtbot):
    for chosen, file in ((OLDER_ZARR, "old.ome.zarr/.zattrs"), (IMAGEJ, "ij.imagej/fused.tif")):
        give(monkeypatch, tmp_path / file.partition(".")[0], chosen)
        save_result()
        qtbot.waitUntil((tmp_path / file).is_file, timeout=20_000)
