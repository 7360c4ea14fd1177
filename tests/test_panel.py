from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_gmff.errors import OutputError
from napari_gmff.panel import Tile, colored, draw_panel, grey


def picture(path: Path) -> np.ndarray:
    from PIL import Image

    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image)


def captions(path: Path, text: str) -> np.ndarray:
    draw_panel([Tile(text, grey(np.zeros((9, 200)), 0, 1))], path, columns=1)
    return picture(path)


def test_grey_maps_the_range_to_black_and_white() -> None:
    levels = grey(np.array([[-5, 0, 5, 10, 99]]), 0, 10)
    assert levels[0, :, 0].tolist() == [0, 0, 128, 255, 255]
    assert (levels == levels[..., :1]).all()


def test_colours_rise_in_lightness_and_flat_images_have_one() -> None:
    lightness = colored(np.arange(50)[None]).astype(int) @ [299, 587, 114]
    assert (np.diff(lightness[0]) > 0).all()
    assert len(np.unique(colored(np.full((3, 3), 7.0)).reshape(-1, 3), axis=0)) == 1


def test_a_missing_value_does_not_spoil_the_range() -> None:
    image = np.array([[0.0, np.nan, 1.0]])
    np.testing.assert_array_equal(colored(image)[:, ::2], colored(image[:, ::2]))


def test_tiles_stand_row_by_row(tmp_path: Path) -> None:
    values = (60, 120, 180)
    tiles = [Tile("", grey(np.full((40, 50), value), 0, 255)) for value in values]
    draw_panel(tiles, tmp_path / "a.png", columns=2)
    found = picture(tmp_path / "a.png")
    places = {value: np.argwhere((found == value).all(-1)).min(0).tolist() for value in values}
    assert places[60][0] == places[120][0] < places[180][0]
    assert places[60][1] == places[180][1] < places[120][1]
    for value in values:
        assert (found == value).all(-1).sum() == 40 * 50


def test_large_tiles_are_averaged_down(tmp_path: Path) -> None:
    checks = np.indices((400, 800)).sum(0) % 2
    draw_panel([Tile("", grey(checks, 0, 1))], tmp_path / "a.png", columns=1, width_px=400)
    found = picture(tmp_path / "a.png")
    assert found.shape[1] < 430
    assert ((found == 127) | (found == 128)).all(-1).sum() == 200 * 400


def test_a_micrometre_is_drawn_as_letters_and_not_as_an_empty_box(tmp_path: Path) -> None:
    expected = captions(tmp_path / "a.png", "5.5 um")
    np.testing.assert_array_equal(captions(tmp_path / "b.png", "5.5 µm"), expected)
    assert (captions(tmp_path / "c.png", "5.5 m") != expected).any()


def test_a_picture_that_cannot_be_written_is_named_and_not_begun(tmp_path: Path) -> None:
    tile = Tile("", grey(np.zeros((4, 4)), 0, 1))
    path = tmp_path / "no" / "a.png"
    with pytest.raises(OutputError, match=str(path)):
        draw_panel([tile], path, columns=1)
    assert list(tmp_path.iterdir()) == []
