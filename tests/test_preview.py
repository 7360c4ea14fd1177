"""A preview is one window around what is on screen, fused by the same engine."""

from __future__ import annotations

import tempfile
from pathlib import Path

import dask.array as da
import numpy as np
import pytest

from napari_gmff import FocusStack, FuseParams, fuse
from napari_gmff.errors import FusionCancelled, ParameterError
from napari_gmff.params import validated
from napari_gmff.preview import (
    NOTE,
    NOTE_OF_PART,
    iter_preview,
    preview_params,
    preview_region,
)
from napari_gmff.progress import Progress
from napari_gmff.steps import outcome_of
from napari_gmff.windows import Box
from tests.stacks import assert_same_images, stack_of, textured

CLASSICAL = "laplacian-energy"
BOX = Box(40, 168, 70, 198)
BORDER_PX = 24
"""Farther from the border of a preview the classical engine sees the same as in the full run."""


def params_of(**options: object) -> FuseParams:
    return validated(FuseParams, {"engine": CLASSICAL, **options})


def images_of_preview(stack: FocusStack, params: FuseParams, box: Box, **options: object):
    with outcome_of(iter_preview(stack, params, box, **options)) as result:
        return {name: result.image(name).compute() for name in result.images}


@pytest.mark.parametrize(
    ("shape", "visible", "expected"),
    [
        ((4096, 4096), (1000, 3000, 1000, 2000), (1744, 2256, 1244, 1756)),
        ((4096, 4096), (10, 20, 4090, 4096), (0, 512, 3584, 4096)),
        ((4096, 4096), (-5000, 9000, -500, 100), (1792, 2304, 0, 512)),
        ((4096, 4096), (5000, 6000, -900, -100), (3584, 4096, 0, 512)),
        ((300, 4096), (0, 300, 0, 4096), (0, 300, 1792, 2304)),
        ((1, 1), (0, 1, 0, 1), (0, 1, 0, 1)),
        ((600, 512), (0, 600, 0, 512), (44, 556, 0, 512)),
    ],
)
def test_the_window_lies_around_what_is_on_screen_and_inside_the_image(shape, visible, expected):
    assert preview_region(shape, Box(*visible)) == Box(*expected)


def test_the_side_of_the_window_can_be_chosen_as_the_network_asks():
    assert preview_region((900, 900), Box(0, 900, 0, 900), 256).shape == (256, 256)
    for side_px in (0, 100, -128, 513):
        with pytest.raises(ParameterError, match=f"multiple of 128, got {side_px}"):
            preview_region((900, 900), Box(0, 900, 0, 900), side_px)


@pytest.fixture(scope="module")
def stack() -> FocusStack:
    return stack_of(textured((2, 5, 260, 280)), "CZYX", voxel_size_um=(2.0, 0.5, 0.25))


def test_a_preview_equals_the_full_run_away_from_its_borders(stack):
    with fuse(stack, params=params_of()) as result:
        full = {name: result.image(name).compute() for name in result.images}
    preview = images_of_preview(stack, params_of(), BOX)
    inner = (Ellipsis, slice(BORDER_PX, -BORDER_PX), slice(BORDER_PX, -BORDER_PX))
    assert preview.keys() == full.keys()
    for name, image in preview.items():
        assert image.shape[-2:] == BOX.shape
        np.testing.assert_array_equal(image[inner], full[name][(..., *BOX.slices)][inner], name)


def test_a_preview_lies_where_its_pixels_are(stack):
    with outcome_of(iter_preview(stack, params_of(), BOX)) as result:
        assert result.geometry.origin_um == (20.0, 17.5)
        assert result.geometry.pixel_size_um == (0.5, 0.25)
        index = result.focus_index.compute()
        curve = result.focus_curve(30, 60)
        assert curve.argmax() == index[30, 60]
        source = stack.data[0, :, :, BOX.y0 + 30, BOX.x0 + 60].compute()
        np.testing.assert_array_equal(result.fused[:, 30, 60].compute(), source[:, index[30, 60]])


def test_the_record_of_a_preview_says_so_and_names_the_part(stack):
    with outcome_of(iter_preview(stack, params_of(z_range="1:4"), BOX)) as result:
        record = result.provenance
    assert record["warnings"] == [NOTE]
    assert record["parameters"]["region"] == [[40, 168], [70, 198]]
    assert record["slices"]["numbers"] == [1, 2, 3]
    assert record["source"]["fingerprint"] == stack.fingerprint


def test_one_time_point_is_previewed_the_one_on_screen():
    stack = stack_of(textured((3, 4, 140, 150)), "TZYX")
    box = Box(0, 128, 0, 128)
    for time, options, expected in ((2, {}, 2), (None, {"time": "1:3"}, 1), (None, {}, 0)):
        params = params_of(**options)
        with outcome_of(iter_preview(stack, params, box, time=time)) as result:
            assert result.images["fused"].axes == "yx"
            assert result.provenance["times"] == [expected]


def test_range_and_noise_of_a_small_stack_are_those_of_the_whole(stack):
    with (
        fuse(stack, params=params_of()) as full,
        outcome_of(iter_preview(stack, params_of(), BOX)) as preview,
    ):
        assert preview.provenance["inputs"] == full.provenance["inputs"]


def test_range_and_noise_of_a_large_stack_are_those_of_the_part(stack, monkeypatch):
    monkeypatch.setattr("napari_gmff.preview.SAMPLED_BYTES", 1000)
    with (
        fuse(stack.cropped(BOX), params=params_of()) as part,
        outcome_of(iter_preview(stack, params_of(), BOX)) as preview,
    ):
        assert preview.provenance["inputs"] == part.provenance["inputs"]
        assert preview.provenance["warnings"] == [NOTE, NOTE_OF_PART]


def test_a_preview_of_a_large_stack_reads_nothing_but_the_part(monkeypatch):
    monkeypatch.setattr("napari_gmff.preview.SAMPLED_BYTES", 1000)
    monkeypatch.setattr("napari_gmff.run.record_of_run", lambda *_, **__: {})
    rows = set()

    def block(block_info=None):
        place = block_info[None]["array-location"]
        rows.add(place[1][0])
        return np.random.default_rng(0).integers(0, 99, [b - a for a, b in place], "uint8")

    lazy = da.map_blocks(
        block, chunks=((1,) * 3, (64,) * 8, (128,)), dtype="u1", meta=np.empty((0, 0, 0), "u1")
    )
    stack = FocusStack(lazy[None, None], "stack")
    outcome_of(iter_preview(stack, params_of(), Box(64, 192, 0, 128))).close()
    assert rows == {64, 128}


def test_a_part_larger_than_a_window_is_fused_in_several():
    stack = stack_of(textured((3, 300, 300)))
    box = Box(10, 290, 20, 270)
    params = params_of(block_px=128, halo_px=32)
    windows = [progress for progress in iter_preview(stack, params, box) if progress.window]
    assert len(windows) == 4 * 3
    at_once = images_of_preview(stack, params_of(), box)
    assert_same_images(images_of_preview(stack, params, box), at_once)


def test_parameters_of_a_preview_keep_those_of_the_run():
    params = params_of(channel=1, time="2:5", z_range="0:3", region="0:9,0:9")
    found = preview_params(params, BOX)
    assert found.region == ((40, 168), (70, 198))
    assert found.time == (2, 3)
    assert (found.channel, found.z_range, found.engine) == (1, (0, 3), CLASSICAL)


def test_a_part_outside_the_image_is_refused(stack):
    with pytest.raises(ParameterError, match="region"):
        outcome_of(iter_preview(stack, params_of(), Box(200, 328, 0, 128)))


def test_a_preview_that_is_stopped_leaves_nothing(stack, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen: list[Progress] = []
    run = iter_preview(stack, params_of(), BOX, should_stop=lambda: seen[-1].stage == "fuse")
    with pytest.raises(FusionCancelled):
        for progress in run:
            seen.append(progress)
    assert list(tmp_path.iterdir()) == []


def test_the_network_previews_too(random_shipped, stack):
    """It looks at the whole window, so any slice may differ; pixels are the source's."""
    box = Box(0, 128, 0, 128)
    images = images_of_preview(stack, params_of(engine=random_shipped.architecture), box)
    source = stack.data[0, :, :, *box.slices].compute()
    index = images["focus_index"].astype(int)
    expected = np.take_along_axis(source, index[None, None], axis=1)[:, 0]
    np.testing.assert_array_equal(images["fused"], expected)
