from __future__ import annotations

import numpy as np
import pytest

from napari_gmff.engines import registry
from napari_gmff.engines.base import EngineOptions
from napari_gmff.engines.laplacian import LaplacianEnergy
from napari_gmff.engines.registry import engine_names, make_engine
from napari_gmff.errors import ParameterError
from napari_gmff.params import DEFAULT_ENGINE, FuseParams


def test_engines_of_this_version_are_listed():
    assert set(engine_names()) >= {"laplacian-energy", "stackmff-v4"}


@pytest.mark.usefixtures("random_shipped")
def test_default_engine_is_one_of_them_and_needs_nothing_but_the_package():
    assert make_engine(FuseParams().engine, EngineOptions()).name == DEFAULT_ENGINE


def test_unknown_engine_names_the_known():
    with pytest.raises(ParameterError, match=r"laplacian-energy.*stackmff-v4.*got 'magic'"):
        make_engine("magic", EngineOptions())


class Brightness(LaplacianEnergy):
    """An engine that takes the brightest slice: one class in one file."""

    name = "brightness"

    def iter_scores(self, read_slice, n_slices, shape_yx, *, within=None):
        for item in super().iter_scores(read_slice, n_slices, shape_yx, within=within):
            item.scores[:] = read_slice(item.slice_index)
            yield item


def test_engine_is_added_by_one_file_and_one_row(monkeypatch):
    import napari_gmff

    monkeypatch.setitem(registry._ENGINES, "brightness", f"{__name__}:Brightness")
    stack = np.random.default_rng(0).integers(0, 255, (4, 32, 40), dtype=np.uint8)
    source = napari_gmff.read_stack(stack, axes="ZYX")
    with napari_gmff.fuse(source, engine="brightness", input_sigma_px=0) as result:
        np.testing.assert_array_equal(np.squeeze(result.fused.compute()), stack.max(0))


@pytest.mark.parametrize("name", engine_names())
def test_rows_point_to_classes_of_that_name(name):
    from importlib import import_module

    module, _, attribute = registry._ENGINES[name].partition(":")
    assert getattr(import_module(module), attribute).name == name
