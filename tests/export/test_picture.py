from __future__ import annotations

import numpy as np
import pytest

from napari_gmff.export.layout import ImageSpec
from napari_gmff.export.picture import (
    Legend,
    colored,
    corner_marked,
    framed,
    in_words,
    legend_bar,
    nice_length,
)
from napari_gmff.export.slice_colors import slice_colors
from napari_gmff.reading.stack import Channel
from tests.export.conftest import record


def spec(axes: str, shape: tuple[int, ...], dtype: str, kind: str, **options) -> ImageSpec:
    return ImageSpec("fused", axes, shape, np.dtype(dtype), kind, **options)


def test_each_slice_has_its_own_flat_colour_and_the_legend_the_same() -> None:
    index = spec("yx", (1, 4), "uint8", "index")
    pixels = np.array([[0, 1, 2, 3]], np.uint8)
    picture = colored(index, pixels, record(), is_rgb=False)
    expected = np.rint(255 * slice_colors(4)[:, :3]).astype(np.uint8)
    np.testing.assert_array_equal(picture[0], expected)
    bar, ends = legend_bar(index, record(), pixels)
    assert ends == ("slice 0", "slice 3")
    np.testing.assert_array_equal(bar[32::64], expected)


def test_of_a_map_for_each_channel_the_first_is_shown() -> None:
    channels = (Channel("DAPI"), Channel("GFP"))
    index = spec("cyx", (2, 1, 4), "uint8", "index", channels=channels)
    pixels = np.array([[[0, 1, 2, 3]], [[3, 3, 3, 3]]], np.uint8)
    expected = np.rint(255 * slice_colors(4)[:, :3]).astype(np.uint8)
    np.testing.assert_array_equal(colored(index, pixels, record(), is_rgb=False)[0], expected)


def test_depth_goes_over_the_whole_range_of_the_slices_and_no_data_is_grey() -> None:
    depth = spec("yx", (1, 3), "float32", "depth", unit="µm")
    pixels = np.array([[0, 7.5, np.nan]], np.float32)
    picture = colored(depth, pixels, record(), is_rgb=False)
    assert picture[0, 0, 2] > picture[0, 0, 1], "violet"
    assert picture[0, 1, 0] > 200 and picture[0, 1, 1] > 200, "yellow"
    assert len(set(picture[0, 2].tolist())) == 1
    assert legend_bar(depth, record(), pixels)[1] == ("0 µm", "7.5 µm")


def test_channels_are_added_in_their_colours_each_stretched_alone() -> None:
    channels = (Channel("DAPI", "0000FF"), Channel("GFP", "00FF00"))
    image = spec("cyx", (2, 10, 10), "uint16", "intensity", channels=channels)
    ramp = np.arange(100, dtype=np.uint16).reshape(10, 10)
    picture = colored(image, np.stack([ramp * 600, ramp[::-1]]), record(), is_rgb=False)
    assert (picture[..., 0] == 0).all()
    assert picture[-1, -1, 2] == 255 and picture[0, 0, 2] == 0
    assert picture[0, -1, 1] == 255 and picture[-1, 0, 1] == 0


def test_colours_of_a_photograph_stay_as_they_are() -> None:
    names = ("red", "green", "blue", "alpha")
    channels = tuple(Channel(name) for name in names)
    image = spec("cyx", (4, 5, 6), "uint8", "intensity", channels=channels)
    pixels = np.random.default_rng(0).integers(0, 99, (4, 5, 6), dtype=np.uint8)
    picture = colored(image, pixels, record(), is_rgb=True)
    np.testing.assert_array_equal(picture, np.moveaxis(pixels[:3], 0, -1))
    deep = spec("cyx", (3, 5, 6), "uint16", "intensity", channels=channels[:3])
    grey = np.repeat(np.arange(30, dtype=np.uint16).reshape(1, 5, 6) * 1000, 3, axis=0)
    stretched = colored(deep, grey, record(), is_rgb=True)
    assert (stretched == stretched[..., :1]).all(), "one stretch for all colours"
    assert stretched.min() == 0 and stretched.max() == 255


@pytest.mark.parametrize(
    ("longest", "expected"), [(1.0, 1.0), (0.99, 0.5), (4.9, 2.0), (99, 50), (0.21, 0.2)]
)
def test_scale_bars_have_round_lengths(longest: float, expected: float) -> None:
    assert nice_length(longest) == pytest.approx(expected)


def test_lengths_are_written_in_the_unit_that_fits() -> None:
    assert [in_words(x) for x in (0.2, 20.0, 5000.0)] == ["200 nm", "20 µm", "5 mm"]


def test_the_footer_leaves_the_picture_alone_and_its_bar_has_the_right_length() -> None:
    picture = np.random.default_rng(0).integers(0, 200, (300, 500, 3), dtype=np.uint8)
    made = np.asarray(framed(picture, Legend("moth · fused", pixel_um=0.5)))
    np.testing.assert_array_equal(made[:300], picture)
    footer = made[300:]
    # The scale bar is the longest bright run: 100 µm are 200 pixels of 0.5 µm.
    bright = (footer == 235).all(axis=-1)
    assert bright.sum(axis=1).max() == 200
    unknown = np.asarray(framed(picture, Legend("moth", pixel_um=None)))
    assert (unknown[300:] == 235).all(axis=-1).sum(axis=1).max() < 60
    assert unknown.shape[0] < made.shape[0]


def test_small_pictures_get_margins_and_long_captions_are_cut() -> None:
    picture = np.full((20, 30, 3), 200, np.uint8)
    made = np.asarray(framed(picture, Legend("word " * 100, pixel_um=1.0)))
    assert made.shape[1] == 420
    np.testing.assert_array_equal(made[:20, 195:225], picture)
    assert (made[:20, :195] < 40).all()
    assert (made[20:, -4:] < 40).all(), "nothing is written up to the border"


def test_a_caption_that_is_too_long_goes_on_in_another_line() -> None:
    picture = np.zeros((100, 500, 3), np.uint8)
    parts = ("moth", "fused (blended)", "blended by laplacian-pyramid, not measured values")
    heights = {
        caption: framed(picture, Legend(caption, pixel_um=None)).size[1]
        for caption in ("moth", " · ".join(parts[:2]), " · ".join(parts))
    }
    short, still_one, two = heights.values()
    assert short == still_one
    # Two lines of 14 px letters; the last of them is complete.
    assert two - short == 20
    alone = np.asarray(framed(picture, Legend(parts[-1], pixel_um=None)))
    both = np.asarray(framed(picture, Legend(" · ".join(parts), pixel_um=None)))
    np.testing.assert_array_equal(both[-26:], alone[-26:])


def test_a_difference_is_white_at_zero_red_above_and_blue_below() -> None:
    change = spec("yx", (1, 5), "float32", "difference")
    pixels = np.array([[-40, 0, 0, 0, 20]], np.float32)
    picture = colored(change, pixels, record(), is_rgb=False).astype(int)
    assert picture[0, 1].min() > 240
    assert picture[0, 4, 0] > picture[0, 4, 2] + 50, "red"
    assert picture[0, 0, 2] > picture[0, 0, 0] + 50, "blue"
    low, high = legend_bar(change, record(), pixels)[1]
    assert (low[0], f"{low[1:]} grey levels") == ("−", high)


def test_an_amount_begins_at_zero_in_black_however_large_the_least_is() -> None:
    amount = spec("yx", (1, 3), "float32", "amount", unit="σ")
    pixels = np.array([[0, 8, 10]], np.float32)
    picture = colored(amount, pixels, record(), is_rgb=False).astype(int)
    assert picture[0, 0].sum() < 10
    assert picture[0, 2].sum() > picture[0, 1].sum() > 200
    assert legend_bar(amount, record(), pixels)[1] == ("0", "9.998 σ")


def test_a_map_of_nothing_has_limits_all_the_same() -> None:
    for kind in ("difference", "amount"):
        image = spec("yx", (2, 2), "float32", kind)
        pixels = np.zeros((2, 2), np.float32)
        assert colored(image, pixels, record(), is_rgb=False).shape == (2, 2, 3)
        assert legend_bar(image, record(), pixels)[1][1] == "1 grey levels"


@pytest.mark.parametrize("shape", [(60, 400), (400, 60), (2000, 3000)])
def test_a_corner_mark_covers_a_corner_and_nothing_else(shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 3), 100, np.uint8)
    marked = corner_marked(picture)
    assert marked.shape == picture.shape and marked.dtype == np.uint8
    assert (picture == 100).all(), "the picture itself stays as it is"
    rows, columns = np.nonzero((marked != 100).any(axis=-1))
    assert (rows.min(), columns.min()) == (0, 0)
    assert rows.max() < shape[0] / 2
    amber = (marked == (255, 176, 0)).all(axis=-1)
    assert amber.sum() > 50 and amber[0, 0]
    assert len(np.unique(marked.reshape(-1, 3), axis=0)) > 3, "letters, not only a box"
