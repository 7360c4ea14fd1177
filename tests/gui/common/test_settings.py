"""The plugin's page of napari's Preferences."""

from __future__ import annotations

import builtins

import napari.settings
import pytest

from napari_gmff._napari.common import settings
from napari_gmff._napari.common.settings import FIELDS, PLUGIN, SECTION
from napari_gmff.params import FuseParams
from napari_gmff.processors import threads_for_window

needs_pages = pytest.mark.skipif(
    not hasattr(napari.settings, "get_plugin_settings"),
    reason="napari older than 0.9 has no pages for plugins",
)


@pytest.fixture
def page(plugin_settings, npe2pm):
    """Return what napari makes of the manifest, as nobody has touched it."""
    with npe2pm.tmp_plugin(package=PLUGIN):
        yield getattr(napari.settings.get_plugin_settings(PLUGIN), SECTION)


@needs_pages
def test_untouched_preferences_are_the_defaults_of_a_run(page):
    chosen = settings.plugin_settings()
    assert set(chosen) == {*FIELDS, "threads"}
    for name in FIELDS:
        assert chosen[name] == FuseParams.model_fields[name].default
    assert FuseParams(**chosen).engine == FuseParams().engine


@needs_pages
def test_what_is_chosen_is_what_a_run_gets(page):
    page.engine, page.device, page.block_px = "laplacian-energy", "cpu", 512
    page.memory_limit_mb = 2048
    chosen = settings.plugin_settings()
    assert (chosen["engine"], chosen["device"], chosen["block_px"]) == (
        "laplacian-energy",
        "cpu",
        512,
    )
    assert chosen["memory_limit_mb"] == 2048


@needs_pages
def test_one_core_is_left_to_the_window_unless_that_is_switched_off(page):
    assert settings.plugin_settings()["threads"] == threads_for_window()
    page.keep_one_core_free = False
    assert settings.plugin_settings()["threads"] is None


@needs_pages
def test_values_outside_their_limits_are_refused_by_the_page(page):
    for name, wrong in (("block_px", 100), ("block_px", 8320), ("memory_limit_mb", 1)):
        with pytest.raises(ValueError, match=name):
            setattr(page, name, wrong)
    with pytest.raises(ValueError, match="device"):
        page.device = "toaster"


@needs_pages
def test_the_smallest_window_of_the_page_can_be_fused_with(page):
    with pytest.raises(ValueError, match="block_px"):
        page.block_px = 128
    page.block_px = 256
    assert FuseParams(**settings.plugin_settings()).block_px == 256


def test_napari_without_such_pages_gets_the_defaults(monkeypatch):
    real = builtins.__import__

    def older(name, globals=None, locals=None, fromlist=(), level=0):
        if "get_plugin_settings" in (fromlist or ()):
            raise ImportError("cannot import name 'get_plugin_settings'")
        return real(name, globals, locals, fromlist, level)

    monkeypatch.setattr(builtins, "__import__", older)
    assert settings.plugin_settings()["block_px"] == FuseParams.model_fields["block_px"].default


def test_a_plugin_that_napari_does_not_know_gets_the_defaults(monkeypatch):
    def unknown(name):
        raise KeyError(name)

    monkeypatch.setattr(napari.settings, "get_plugin_settings", unknown, raising=False)
    assert settings.plugin_settings()["device"] == "auto"
