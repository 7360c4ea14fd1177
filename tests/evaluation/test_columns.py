from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_gmff.errors import ParameterError, SourceError
from napari_gmff.evaluation.columns import (
    Column,
    chosen_columns,
    photograph_column,
    standard_columns,
)
from napari_gmff.evaluation.scoring import METRICS

COLUMNS = {column.name: column for column in standard_columns()}


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_every_column_makes_a_whole_scene(column: Column):
    scene = column.make(1, 96)
    assert scene.stack.shape[1:] == scene.sharp.shape == scene.depth.shape == (96, 96)
    assert scene.stack.dtype in (np.uint8, np.uint16)
    assert scene.objects.any()
    assert scene.known.any()
    assert not (scene.objects & ~scene.known).any()
    assert len(scene.order) == len(scene.stack)
    assert 0 <= scene.index.min() <= scene.index.max() < len(scene.stack)
    assert column.main_metric in METRICS
    if scene.plain_column:
        assert scene.plain_column in COLUMNS


@pytest.mark.parametrize("name", ["200 photons + haze", "recipe + noise", "distractors", "smear"])
def test_a_scene_is_the_same_every_time(name: str):
    from napari_gmff.evaluation import microscope_scenes, recipe_scenes

    first = COLUMNS[name].make(1, 96)
    recipe_scenes._clean.cache_clear()
    microscope_scenes._blobs.cache_clear()
    again, other = (COLUMNS[name].make(number, 96) for number in (1, 4))
    np.testing.assert_array_equal(first.stack, again.stack)
    assert first.order == again.order
    assert (first.stack[:1] != other.stack[:1]).any()


def test_numbers_of_slices_are_as_the_names_say():
    for name, count in (("24 slices", 24), ("pairs", 2), ("relief", 12), ("distractors", 16)):
        assert len(COLUMNS[name].make(2, 96).stack) == count


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_disturbed_scene_is_the_plain_one_of_the_same_number(number: int):
    scene = COLUMNS["unordered"].make(number, 96)
    plain = COLUMNS[scene.plain_column].make(number, 96)
    np.testing.assert_array_equal(scene.sharp, plain.sharp)
    np.testing.assert_array_equal(scene.depth, plain.depth)
    assert not scene.is_ordered


def test_haze_and_noise_change_pixels_but_no_truth():
    clean, hazy, noisy, dim = (
        COLUMNS[name].make(0, 96) for name in ("fluorescence", "haze", "2000 photons", "dim")
    )
    assert hazy.stack.mean() > 1.02 * clean.stack.mean()
    assert dim.stack.mean() == pytest.approx(0.1 * clean.stack.mean(), rel=0.02)
    for scene in (hazy, noisy, dim):
        np.testing.assert_array_equal(scene.index, clean.index)
        np.testing.assert_array_equal(scene.objects, clean.objects)


def test_columns_are_chosen_by_name_in_the_order_of_the_board():
    columns = list(COLUMNS.values())
    chosen = chosen_columns(columns, ["relief", "fluorescence"])
    assert [column.name for column in chosen] == ["fluorescence", "relief"]
    assert chosen_columns(columns, []) == columns
    with pytest.raises(ParameterError, match=r"columns: must be of fluorescence, .*got 'reliefs'"):
        chosen_columns(columns, ["reliefs"])


def test_photographs_of_a_folder_become_scenes(tmp_path: Path):
    rng = np.random.default_rng(1)
    for number in range(3):
        pixels = rng.integers(0, 256, (70, 110, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    (tmp_path / "notes.txt").write_text("not a picture")
    column = photograph_column(tmp_path)
    scenes = [column.make(number, 96) for number in range(3)]
    assert {scene.sharp.shape for scene in scenes} == {(70, 96)}
    assert len({scene.sharp.tobytes() for scene in scenes}) == 3


def test_a_folder_without_photographs_and_a_broken_one_are_named(tmp_path: Path):
    with pytest.raises(SourceError, match="holds no photograph"):
        photograph_column(tmp_path)
    with pytest.raises(SourceError, match=r"nowhere: must be a folder"):
        photograph_column(tmp_path / "nowhere")
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    with pytest.raises(SourceError, match=r"broken\.png: not a readable picture"):
        photograph_column(tmp_path).make(0, 64)
