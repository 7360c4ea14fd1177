"""The dock with the program's own parts: the tiny models restore in a real window."""

from __future__ import annotations

import numpy as np
import pytest
from napari.utils.notifications import NotificationSeverity

from napari_gmff import open_result
from napari_gmff._napari.restoring.restoration_parts import (
    RestorationParts,
    missing_extra,
    state_of,
)
from napari_gmff._napari.restoring.restoration_widget import RestorationWidget
from napari_gmff.errors import DeviceError
from napari_gmff.marks import AI_MARK
from napari_gmff.restoration.masks import mask_of_confidence
from napari_gmff.restoration.models.load import load_restorer
from napari_gmff.restoration.models.obtain import import_restoration_model
from napari_gmff.restoration.models.prompts import import_prompts
from napari_gmff.restoration.params import RestoreParams
from napari_gmff.weights.store import STORE_VARIABLE, ModelStore
from tests.gui.fusion_dock import WAIT_MS, notices
from tests.gui.restoring.fake_parts import (
    blurred_set,
    docked,
    wait_for_end,
    wait_for_mask,
    wait_for_page,
)
from tests.restoration.models.tiny import BASE_FILE, REFERENCE, write_control, write_prompts

TINY = {
    "model": "diffbir-v2",
    "base": "tiny-base",
    "steps": 2,
    "guidance": 1.0,
    "tile_px": 64,
    "device": "cpu",
    "allow_cpu": True,
}


class SmallParts(RestorationParts):
    """Does not enlarge small images to what the real models were made for, which takes minutes."""

    def load_restorer(self, params):
        return load_restorer(params, least_side_px=64)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv(STORE_VARIABLE, str(tmp_path / "models"))
    return ModelStore()


@pytest.fixture
def parts():
    return RestorationParts()


def test_before_consent_nothing_is_stored_or_known_of(store, parts):
    readiness = parts.readiness(RestoreParams())
    assert not readiness.has_consent
    assert [model.name for model in readiness.models] == ["sd21-base", "ifcontrolnet"]
    assert not store.root.exists()
    parts.give_consent(["sd21-base"])
    assert [model.has_consent for model in parts.readiness(RestoreParams()).models] == [True, False]


def test_it_says_which_file_where_how_large_and_its_sum(store):
    base, control = state_of("sd21-base"), state_of("diffbir-v2")
    for part in ("v2-1_512-ema-pruned.safetensors", "https://", "5,214,604,494", "df955bdf6b68"):
        assert part in base.how_to_get
    assert base.download_bytes == 5_214_604_494
    assert control.download_bytes is None
    assert "v2.pth" in control.how_to_get
    assert "IFControlNet" not in control.how_to_get + control.title


def test_all_models_are_offered_by_what_they_are(store, parts):
    offered = parts.offered()
    assert offered["model"] == [("IFControlNet", "ifcontrolnet"), ("DiffBIR v2", "diffbir-v2")]
    assert offered["base"] == [("Stable Diffusion 2.1-base", "sd21-base")]


def test_the_mask_is_the_one_of_the_run_for_each_plane(parts):
    confidence = np.random.default_rng(3).random((2, 3, 40, 50)).astype(np.float32)
    mask = parts.mask_of(confidence, "tcyx", 0.8)
    assert mask.shape == (2, 40, 50)
    expected = [[mask_of_confidence(plane, 0.8) for plane in planes] for planes in confidence]
    np.testing.assert_array_equal(mask, np.any(expected, axis=1))


def test_the_time_grows_with_what_is_restored(parts):
    params = RestoreParams(device="cpu", allow_cpu=True, steps=10, guidance=1)
    small, large = np.zeros((600, 3000), bool), np.ones((600, 3000), bool)
    small[:100, :100] = True
    short = parts.estimate_s(params, [small], 1)
    assert short > 0
    assert parts.estimate_s(params, [large], 1) > 3 * short
    assert parts.estimate_s(params, [small, small], 2) == pytest.approx(4 * short)
    assert parts.estimate_s(params, [np.zeros((600, 3000), bool)], 1) == 0
    with pytest.raises(DeviceError, match="allow_cpu"):
        parts.estimate_s(RestoreParams(device="cpu"), [small], 1)


def test_a_missing_extra_says_what_to_install(monkeypatch):
    from napari_gmff.restoration.diffusion import extra

    monkeypatch.setattr(extra, "has_diffusers", lambda: False)
    assert "pip install 'napari-gmff[restoration]'" in missing_extra()


def test_tiny_models_go_from_consent_to_saved_layers(
    make_napari_viewer, store, qtbot, shared_dir, tmp_path
):
    pytest.importorskip("diffusers", reason="the extra 'restoration' is not installed")
    viewer = make_napari_viewer()
    made, parts = blurred_set(viewer), SmallParts()
    parts.give_consent(["sd21-base"])
    # The name sd21-base is kept for the one published file.
    import_restoration_model(shared_dir / REFERENCE / BASE_FILE, store, name="tiny-base")
    import_prompts(write_prompts(shared_dir, tmp_path), "tiny-base", store)
    control = write_control(shared_dir, tmp_path)

    widget: RestorationWidget = docked(viewer, qtbot, parts)
    widget.page.form.set_values(TINY)
    qtbot.waitUntil(lambda: list(widget.consent.boxes) == ["diffbir-v2"], timeout=WAIT_MS)
    widget.consent.boxes["diffbir-v2"].setChecked(True)
    widget.consent.button.click()
    qtbot.waitUntil(lambda: widget.shown_page is widget.models, timeout=WAIT_MS)
    widget.models.import_file("diffbir-v2", str(control))
    qtbot.waitUntil(lambda: widget.shown_page is widget.page, timeout=WAIT_MS)
    wait_for_page(qtbot, widget)
    wait_for_mask(qtbot, widget)
    widget.page.panel.start.click()
    wait_for_end(qtbot, widget, 6 * WAIT_MS)  # diffusers is imported, which takes long
    assert notices(NotificationSeverity.ERROR) == []

    new = widget.page.restored.made
    (restored,), (fused,) = new.layers["restored"], made.layers["fused"]
    mask = np.asarray(new.layers["restoration_mask"][0].data) != 0
    np.testing.assert_array_equal(restored.data[~mask], fused.data[~mask])
    assert np.mean(restored.data[mask] != fused.data[mask]) > 0.5
    assert restored.name.endswith(AI_MARK)
    text = widget.page.restored.methods()
    assert "DiffBIR v2" in text
    assert store.card("diffbir-v2").sha256 in text
    path = tmp_path / "restored.ome.zarr"
    widget.page.restored.save_to(str(path))
    qtbot.waitUntil(lambda: path.exists(), timeout=WAIT_MS)
    models = open_result(path).provenance["restoration"]["models"]
    assert models[0]["title"] == "DiffBIR v2"
    sums = [store.card(name).sha256 for name in ("diffbir-v2", "tiny-base")]
    assert [model["sha256"] for model in models] == sums
