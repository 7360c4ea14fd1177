"""What holds for every engine that computes pixels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_gmff.engines.base import EngineOptions
from napari_gmff.engines.blending import contrast_reach_px, contrast_weight, widest_sigma_px
from napari_gmff.engines.registry import make_engine, preserves_pixels
from napari_gmff.params import BLEND_ENGINES
from tests.engines.blends import ArraySource, blended
from tests.engines.classical import noise


@pytest.fixture(params=BLEND_ENGINES)
def engine(request):
    engine = make_engine(request.param, EngineOptions())
    assert not preserves_pixels(engine)
    return engine


def half_and_half(n_channels: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return two slices, each sharp on one half, and what is sharp everywhere."""
    sharp = 1000 * ndimage.gaussian_filter(noise(n_channels, 120, 200), (0, 0.7, 0.7))
    soft = ndimage.gaussian_filter(sharp, (0, 4, 4))
    is_left = np.arange(200) < 100
    return np.stack([np.where(is_left, sharp, soft), np.where(is_left, soft, sharp)]), sharp


def test_equal_slices_come_out_as_they_are(engine):
    plane = 1000 * noise(60, 70)
    found = blended(engine, ArraySource(np.stack([plane, plane, plane])))
    np.testing.assert_allclose(found[0], plane, atol=0.02)


def test_a_single_slice_comes_out_as_it_is(engine):
    plane = 60_000 * noise(33, 47)
    np.testing.assert_allclose(blended(engine, ArraySource(plane[None]))[0], plane, atol=0.2)


def test_what_is_sharp_in_some_slice_is_sharp_in_the_result(engine):
    stack, sharp = half_and_half()
    found = blended(engine, ArraySource(stack))

    def error(image: np.ndarray) -> float:
        inside = np.abs(image - sharp)[0, :, 20:-20]
        return float(np.delete(inside, np.s_[60:100], axis=1).mean())

    assert error(found) < 0.1 * min(error(one) for one in stack)


def test_every_channel_is_computed_from_its_own_pixels(engine):
    stack, sharp = half_and_half(3)
    stack[:, 1] += 5000
    found = blended(engine, ArraySource(stack))
    assert found.shape == sharp.shape
    means = found[:, 30:90, 30:70].mean((1, 2)) - sharp[:, 30:90, 30:70].mean((1, 2))
    np.testing.assert_allclose(means, [0, 5000, 0], atol=2)


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (2, 3), (17, 5)])
def test_tiny_images_are_blended(engine, shape):
    found = blended(engine, ArraySource(noise(3, *shape)))
    assert found.shape == (1, *shape)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


def test_constant_slices_give_their_mean(engine):
    stack = np.stack([np.full((20, 20), value) for value in (10.0, 20.0, 60.0)])
    np.testing.assert_allclose(blended(engine, ArraySource(stack)), 30, rtol=1e-5)


def test_a_slice_that_is_not_valid_somewhere_has_no_share_there(engine):
    stack = np.stack([noise(60, 60), 500 + 100 * noise(60, 60)])
    gap = {1: np.ones((60, 60), bool)}
    found = blended(engine, ArraySource(stack, gap))
    np.testing.assert_allclose(found[0], stack[0], atol=1e-3)


def test_where_no_slice_is_valid_there_is_no_value(engine):
    nowhere = np.zeros((40, 40), bool)
    nowhere[20, 20] = True
    source = ArraySource(noise(2, 40, 40), {0: nowhere, 1: nowhere})
    assert np.isnan(blended(engine, source)[0, 20, 20])


@pytest.mark.parametrize("halo_px", [4, 32, 64])
def test_a_pixel_depends_on_nothing_beyond_the_halo(engine, halo_px):
    engine = make_engine(engine.name, EngineOptions(halo_px=max(halo_px, 16)))
    reach_px = engine.halo_px
    stack = noise(2, 230, 240)
    rows, columns = slice(90 - reach_px, 131 + reach_px), slice(80 - reach_px, 99 + reach_px)
    # The same scale for both, as it is measured on the whole image in a run.
    stack[:, 110, 90] = 1
    whole = blended(engine, ArraySource(stack))
    part = blended(engine, ArraySource(np.ascontiguousarray(stack[:, rows, columns])))
    inside = (slice(None), slice(reach_px, -reach_px), slice(reach_px, -reach_px))
    np.testing.assert_allclose(part[inside], whole[:, 90:131, 80:99], atol=1e-6)


@pytest.mark.parametrize("reach_px", [13, 40, 64])
def test_the_widest_window_looks_no_further_than_it_may(reach_px):
    assert reach_px - 4 <= contrast_reach_px(widest_sigma_px(reach_px)) <= reach_px


def test_weights_fall_with_contrast_and_gaps_weigh_nothing():
    plane = noise(40, 40)
    gap = np.zeros((40, 40), bool)
    gap[3, 4] = True
    strong, weak = (contrast_weight(scale * plane, 3.0, 2.0, gap) for scale in (1, 0.5))
    assert (strong > weak)[~gap].all()
    np.testing.assert_allclose(strong[~gap], 16 * weak[~gap], rtol=1e-6)
    assert strong[3, 4] == weak[3, 4] == 0
