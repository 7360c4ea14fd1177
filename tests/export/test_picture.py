from __future__ import annotations

import numpy as np
import pytest

from napari_gmff.export.layout import ImageSpec
from napari_gmff.export.picture import Legend, colored, framed, in_words, legend_bar, nice_length
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
    bar, ends = legend_bar(index, record())
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
    picture = colored(depth, np.array([[0, 7.5, np.nan]], np.float32), record(), is_rgb=False)
    assert picture[0, 0, 2] > picture[0, 0, 1], "violet"
    assert picture[0, 1, 0] > 200 and picture[0, 1, 1] > 200, "yellow"
    assert len(set(picture[0, 2].tolist())) == 1
    assert legend_bar(depth, record())[1] == ("0 µm", "7.5 µm")


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
