"""Channels that are focused by themselves: each has its own choice, and its own maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_gmff import Corrections, fuse, methods_text, open_result
from napari_gmff.errors import ParameterError
from tests.stacks import SMALL_BLOCKS, assert_same_images, images_of, stack_of, textured

ENGINE = {"engine": "laplacian-energy"}
OWN = {**ENGINE, "channel": "per-channel"}


def two_channels(dtype: str = "uint16") -> np.ndarray:
    """Return (C, Z, Y, X) of which the second channel has its slices in reverse."""
    one = textured((4, 150, 160), dtype)
    return np.stack([one, one[::-1]])


def test_each_channel_is_fused_as_if_it_were_alone():
    array = two_channels()
    images = images_of(stack_of(array, "CZYX"), **OWN, **SMALL_BLOCKS, projections=True)
    for channel in (0, 1):
        alone = images_of(stack_of(array[channel]), **ENGINE, **SMALL_BLOCKS, projections=True)
        assert_same_images({name: image[channel] for name, image in images.items()}, alone)


def test_channels_that_focus_elsewhere_get_another_index():
    images = images_of(stack_of(two_channels(), "CZYX"), **OWN)
    index = images["focus_index"].astype(int)
    assert (index[0] + index[1] == 3).mean() > 0.9


def test_every_pixel_is_a_voxel_of_its_own_channel():
    array = two_channels()
    images = images_of(stack_of(array, "CZYX"), **OWN)
    for channel in (0, 1):
        index = images["focus_index"][channel].astype(np.intp)
        expected = np.take_along_axis(array[channel], index[None], axis=0)[0]
        np.testing.assert_array_equal(images["fused"][channel], expected)


def test_a_region_and_some_time_points_are_the_crop_of_the_whole():
    stack = stack_of(np.stack([two_channels(), two_channels()[::-1]]), "TCZYX")
    whole = images_of(stack, **OWN, **SMALL_BLOCKS)
    part = images_of(stack, **OWN, **SMALL_BLOCKS, time=1, region=((20, 120), (33, 150)))
    assert whole["depth"].shape == (2, 2, 150, 160)
    assert_same_images(part, {name: one[1, :, 20:120, 33:150] for name, one in whole.items()})


def test_a_gap_in_one_channel_leaves_the_other_its_choice():
    array = two_channels("float32")
    expected = images_of(stack_of(array, "CZYX"), **OWN, input_range=(-1, 2))
    array[0, 2, 30:60, 100:110] = np.nan
    found = images_of(stack_of(array, "CZYX"), **OWN, input_range=(-1, 2))
    np.testing.assert_array_equal(found["focus_index"][1], expected["focus_index"][1])
    assert (found["focus_index"][0, 30:60, 100:110] != 2).all()
    assert np.isfinite(found["fused"]).all()


@pytest.mark.parametrize(("axes", "shape"), [("ZYX", (3, 40, 50)), ("ZYXS", (3, 40, 50, 3))])
def test_one_channel_or_one_colour_image_is_fused_as_ever(axes: str, shape: tuple[int, ...]):
    array = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    assert_same_images(
        images_of(stack_of(array, axes), **OWN), images_of(stack_of(array, axes), **ENGINE)
    )


def test_curves_of_each_channel_agree_with_its_index():
    with fuse(stack_of(two_channels(), "CZYX"), **OWN, **SMALL_BLOCKS) as result:
        index = result.focus_index.compute()
        for channel in (0, 1):
            for y, x in ((3, 5), (70, 90), (149, 159)):
                curve = result.focus_curve(y, x, channel=channel)
                assert int(np.argmax(curve)) == index[channel, y, x]
        assert result.intensity_curve(3, 5).shape == (2, 4)
        with pytest.raises(ParameterError, match=r"channel: one of the 2 .* got 2"):
            result.focus_curve(3, 5, channel=2)


def test_progress_counts_every_channel():
    from napari_gmff import iter_fuse

    steps = list(iter_fuse(stack_of(two_channels(), "CZYX"), **OWN))
    fusing = [step for step in steps if step.stage == "fuse"]
    assert fusing[-1].done == fusing[-1].total == 2 * 4
    assert [step.done for step in fusing] == sorted(step.done for step in fusing)


def test_the_record_names_the_input_of_each_channel_and_methods_say_how(tmp_path: Path):
    out = tmp_path / "out.ome.zarr"
    with fuse(stack_of(two_channels(), "CZYX"), **OWN, output=out) as result:
        record = result.provenance
    assert [(one["channel"], one["weight"]) for one in record["inputs"]] == [(0, 1.0), (1, 1.0)]
    assert "Each channel was focused by itself" in methods_text(record)
    again = open_result(out)
    assert again.images["depth"].axes == "cyx"
    assert [one.name for one in again.images["depth"].channels] == ["channel 0", "channel 1"]
    assert again.is_per_channel


def test_depth_of_low_confidence_is_marked_channel_by_channel(tmp_path: Path):
    options = {**OWN, "depth_min_confidence": 0.9, "output": tmp_path / "out.ome.zarr"}
    with fuse(stack_of(two_channels(), "CZYX"), **options) as result:
        unsure = result.confidence.compute() < 0.9
        assert 0 < unsure[0].mean() < 1
        np.testing.assert_array_equal(np.isnan(result.depth.compute()), unsure)


def test_it_can_be_saved_as_ome_tiff(tmp_path: Path):
    import tifffile

    with fuse(stack_of(two_channels(), "CZYX"), **OWN) as result:
        result.save(tmp_path / "out", format="ome-tiff")
        np.testing.assert_array_equal(
            tifffile.imread(tmp_path / "out/focus_index.ome.tif"), result.focus_index.compute()
        )


def test_corrections_are_refused_with_the_reason():
    with fuse(stack_of(two_channels(), "CZYX"), **OWN) as result:
        with pytest.raises(ParameterError, match="each channel was focused by itself"):
            Corrections.of(result)


def test_a_blend_decides_for_each_channel_too():
    array = two_channels()
    images = images_of(stack_of(array, "CZYX"), engine="weighted-average", channel="per-channel")
    alone = images_of(stack_of(array[1]), engine="weighted-average")
    np.testing.assert_array_equal(images["fused"][1], alone["fused"])
