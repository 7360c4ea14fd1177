from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import pytest
from scipy import ndimage

from napari_gmff.engine_input import EngineInput, iter_measure_input, measure_input, sampled_bytes
from napari_gmff.engines.base import EngineOptions, FocusEngine
from napari_gmff.engines.laplacian import LaplacianEnergy
from napari_gmff.engines.registry import make_engine
from napari_gmff.metrics import fraction_within
from napari_gmff.params import FuseParams, validated
from napari_gmff.plan import make_plan
from napari_gmff.reading.stack import FocusStack
from napari_gmff.scenes import Scene, fluorescence_scene, relief_scene
from napari_gmff.selection import SliceSelector


class EightBitByDtype(LaplacianEnergy):
    """An engine with the rule of the authors' weights."""

    def input_rule(self, dtype):
        return "dtype" if dtype == np.uint8 else "percentiles"


def measured(
    data: np.ndarray | da.Array, engine: FocusEngine | None = None, **options: object
) -> EngineInput:
    """Measure a stack (Z, Y, X) or (C, Z, Y, X)."""
    data = da.asarray(data)
    data = data[None, None] if data.ndim == 3 else data[None]
    stack = FocusStack(data, "stack")
    params = validated(FuseParams, options)
    engine = EightBitByDtype() if engine is None else engine
    return measure_input(stack, make_plan(stack, params), params, engine, 0)


def noise(dtype: type, low: int, high: int, shape: tuple[int, ...] = (3, 60, 70)) -> np.ndarray:
    return np.random.default_rng(0).integers(low, high, shape).astype(dtype)


def ranges(found: EngineInput) -> list[tuple[float, float]]:
    return [(scale.low, scale.high) for scale in found.scales]


def test_8_bit_is_seen_as_the_whole_range_where_the_card_says_so():
    assert ranges(measured(noise(np.uint8, 20, 60))) == [(0, 255)]


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32])
def test_other_types_are_seen_by_percentiles(dtype):
    ((low, high),) = ranges(measured(noise(dtype, 1000, 2000)))
    assert 1000 <= low < 1010
    assert 1990 < high <= 2000


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (np.uint8, (0, 255)),
        (np.uint16, (0, 65_535)),
        (np.int16, (0, 32_767)),
        (np.float32, (0, 1)),
    ],
)
def test_dtype_rule_is_the_whole_range_of_the_type(dtype, expected):
    assert ranges(measured(noise(dtype, 0, 100), input_range="dtype")) == [expected]


def test_given_range_is_taken_as_it_is():
    found = measured(noise(np.uint16, 0, 4096), input_range="100:4095", input_sigma_px=0)
    assert ranges(found) == [(100, 4095)]
    plane = np.array([[100, 4095, 2097]], np.uint16)
    np.testing.assert_allclose(found.make([plane]), [[0, 1, 1997 / 3995]], atol=1e-6)


def test_measurement_does_not_depend_on_chunks_or_region():
    stack = relief_scene(300, 4).stack
    whole = measured(stack)
    for chunks in ((1, 300, 300), (4, 64, 64), (2, 300, 17)):
        assert measured(da.from_array(stack, chunks=chunks)) == whole
    assert measured(stack, region="10:60,20:90", block_px=128, halo_px=32) == whole


def test_colour_is_seen_as_bt601_luminance():
    rgb = noise(np.uint8, 0, 256, (3, 40, 50, 3))
    stack = FocusStack(da.from_array(rgb)[None, None], "colour")
    params = validated(FuseParams, {"input_sigma_px": 0})
    found = measure_input(stack, make_plan(stack, params), params, EightBitByDtype(), 0)
    expected = rgb[1] @ np.array([0.299, 0.587, 0.114]) / 255
    np.testing.assert_allclose(found.make([rgb[1]]), expected, atol=1e-6)


def test_slices_are_smoothed_by_the_sigma_asked_for():
    stack = noise(np.uint8, 0, 256)
    raw = measured(stack, input_sigma_px=0).make([stack[0]])
    smooth = measured(stack, input_sigma_px=1.5).make([stack[0]])
    np.testing.assert_allclose(raw, stack[0] / 255, atol=1e-6)
    np.testing.assert_allclose(smooth, ndimage.gaussian_filter(raw, 1.5), atol=1e-6)
    assert smooth.dtype == np.float32


def test_automatic_sigma_follows_the_noise():
    sigmas = [measured(relief_scene(192, 4, photons=p).stack).sigma_px for p in (np.inf, 4000, 200)]
    assert sigmas[0] == 0.0
    assert 1.0 <= sigmas[1] < sigmas[2]


class NeverSmoothed(LaplacianEnergy):
    """An engine that learnt what noise looks like."""

    def smoothing_rule(self):
        return "none"


def test_automatic_sigma_is_none_where_the_engine_asks_for_none():
    noisy = relief_scene(192, 4, photons=200).stack
    found = measured(noisy, NeverSmoothed())
    assert found.sigma_px == 0.0
    assert found.scales == measured(noisy).scales
    np.testing.assert_allclose(
        found.make([noisy[0]]), measured(noisy, NeverSmoothed(), input_sigma_px=0).make([noisy[0]])
    )
    assert measured(noisy, NeverSmoothed(), input_sigma_px=1.5).sigma_px == 1.5


def test_constant_stack_is_measured_and_its_slices_named():
    found = measured(np.full((3, 60, 60), 500, np.uint16))
    assert found.constant_slices == (0, 1, 2)
    assert found.sigma_px == 0.0
    seen = found.make([np.full((60, 60), 500, np.uint16)])
    assert (seen == seen[0, 0]).all()


def test_single_constant_slice_is_named_by_its_position():
    stack = noise(np.uint16, 0, 1000, (4, 60, 60))
    stack[2] = 7
    assert measured(stack).constant_slices == (2,)
    assert measured(stack, z_range="1:4").constant_slices == (1,)


def test_gaps_are_filled_from_the_nearest_finite_pixel():
    plane = np.tile(np.arange(8, dtype=np.float32) / 8, (5, 1))
    plane[2, 3], plane[:, 7] = np.nan, np.inf
    found = measured(np.stack([plane, plane]), input_range="0:1", input_sigma_px=0)
    seen = found.make([plane])
    assert np.isfinite(seen).all()
    np.testing.assert_allclose(seen[:, 7], 6 / 8)
    assert seen[2, 3] in (2 / 8, 3 / 8, 4 / 8)
    untouched = np.isfinite(plane)
    np.testing.assert_array_equal(seen[untouched], plane[untouched])


def test_slice_without_any_finite_pixel_is_seen_as_even():
    stack = np.random.default_rng(0).random((3, 20, 20)).astype(np.float32)
    stack[1] = np.nan
    seen = measured(stack).make([stack[1]])
    assert np.isfinite(seen).all()
    assert np.ptp(seen) == 0


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_extreme_float_ranges_stay_finite(scale):
    stack = (np.random.default_rng(0).random((3, 50, 50)) * scale).astype(np.float32)
    seen = measured(stack, input_sigma_px=0).make([stack[0]])
    assert np.isfinite(seen).all()
    assert np.ptp(seen) == pytest.approx(1, abs=0.05)


def test_outliers_keep_their_detail():
    stack = noise(np.uint16, 100, 200)
    found = measured(stack, input_sigma_px=0)
    bright = stack[0].copy()
    bright[:2, 0] = 40_000, 65_535
    seen = found.make([bright])
    assert seen[1, 0] > seen[0, 0] > 100


def two_channels(second: np.ndarray) -> EngineInput:
    """Measure a good channel beside another one."""
    return measured(np.stack([relief_scene(128, 4, photons=20_000).stack, second]))


def test_shares_of_channels_add_up_to_1_and_equal_channels_share_alike():
    found = two_channels(relief_scene(128, 4, photons=20_000, seed=1).stack)
    weights = [scale.weight for scale in found.scales]
    assert sum(weights) == pytest.approx(1)
    assert weights[0] == pytest.approx(weights[1], rel=0.2)


@pytest.mark.parametrize(
    "empty",
    [
        np.random.default_rng(0).normal(300, 20, (4, 128, 128)).astype(np.uint16),
        # So little noise that rounding hides most of it.
        np.rint(np.random.default_rng(0).normal(100, 0.2, (4, 128, 128))).astype(np.uint16),
        np.full((4, 128, 128), 100, np.uint16),
    ],
    ids=["noise", "rounded noise", "constant"],
)
def test_empty_channel_counts_for_little(empty):
    assert two_channels(empty).scales[1].weight < 0.05


def test_constant_channels_alone_still_share():
    found = measured(np.full((2, 3, 60, 60), 100, np.uint16))
    assert [scale.weight for scale in found.scales] == [0.5, 0.5]


def chosen(scene: Scene, engine: FocusEngine, sigma: float | str) -> np.ndarray:
    """Return the focus index with a given smoothing."""
    found = measured(scene.stack, engine, input_sigma_px=sigma)
    n_slices, *shape = scene.stack.shape
    index = np.zeros(shape, int)
    selector = None
    for item in engine.iter_scores(lambda k: found.make([scene.stack[k]]), n_slices, tuple(shape)):
        if item is not None:
            if item.slice_index == 0:
                selector = SliceSelector(item.tile.shape)
            selector.add(item.scores)
            index[item.tile.slices] = selector.finish().position
    return index


def test_smoothing_lifts_the_authors_weights_on_photon_noise(shared_dir: Path):
    weights = str(shared_dir / "weights" / "stackmffv4.pth")
    engine = make_engine("stackmff-v4", EngineOptions(weights=weights, device="cpu", threads=1))
    scene = fluorescence_scene(256, 12, photons=2000, n_blobs=38)
    raw, smoothed = (
        fraction_within(chosen(scene, engine, sigma), scene.index, scene.textured, 1)
        for sigma in (0.0, "auto")
    )
    assert raw < 0.62
    assert smoothed >= 0.92


@pytest.mark.parametrize(
    ("options", "n_planes"),
    [({}, 6), ({"channel": 1}, 3), ({"z_range": "1:3", "channel": 0}, 2)],
)
def test_every_plane_that_decides_is_sampled_one_after_the_other(options, n_planes):
    stack = FocusStack(da.asarray(noise(np.uint16, 0, 99, (1, 2, 3, 60, 70))), "stack")
    params = validated(FuseParams, {"engine": "laplacian-energy", **options})
    plan = make_plan(stack, params)
    steps = iter_measure_input(stack, plan, params, LaplacianEnergy(), 0)
    assert len(list(steps)) == n_planes
    assert sampled_bytes(stack, plan) == 3 * 2 * n_planes * 60 * 70 * 2


@pytest.mark.parametrize("missing", [np.finfo("f4").min, np.finfo("f4").max])
@pytest.mark.parametrize("part", [0.01, 0.5])
def test_marks_of_missing_pixels_at_the_ends_of_float32_overflow_nothing(missing, part):
    rng = np.random.default_rng(0)
    values = rng.random((5, 60, 70)).astype(np.float32)
    data = np.where(rng.random(values.shape) < part, np.float32(missing), values)
    found = measured(data)
    for k in range(5):
        assert np.isfinite(found.make([data[k]])).all()
    assert len(measured(np.stack([data, data])).scales) == 2
