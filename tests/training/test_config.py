import hashlib

import pytest

from napari_gmff.errors import ParameterError
from napari_gmff.training.config import (
    TrainConfig,
    config_text,
    load_config,
    shipped_configs,
)
from napari_gmff.training.synthesis import KINDS
from napari_gmff.weights.card import read_card


def written(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", shipped_configs())
def test_every_shipped_config_can_be_read_and_written_again(name, tmp_path):
    config = load_config(name)
    assert load_config(written(tmp_path, config_text(config))) == config
    assert set(config.data.shares) <= set(KINDS)


@pytest.mark.parametrize(
    "name", ["microscopy-v1", "microscopy-v2", "microscopy-v3", "microscopy-v4"]
)
def test_the_shipped_weights_learn_only_from_images_with_a_stated_licence(name):
    folders = load_config(name).data.images.folders
    assert folders
    assert {item.license for item in folders} <= {"MIT", "CC0-1.0"}
    assert all(item.source for item in folders)
    assert not any("bsds" in item.folder or "middlebury" in item.folder for item in folders)


def test_values_given_replace_those_of_the_file_and_none_does_not(tmp_path):
    path = written(tmp_path, "steps: 5\nseed: 1\n")
    config = load_config(path, steps=9, seed=None)
    assert (config.steps, config.seed) == (9, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps: 0", "steps: .*greater than or equal to 1, got 0"),
        ("stepz: 5", "stepz"),
        ("- 1\n- 2", "must be a mapping"),
        ("steps: [", "not valid YAML"),
        ("data: {crop_px: {100: 1}}", "multiples of 128, got 100"),
        ("data: {slices: [5, 2]}", "rising: 5, 2"),
        ("data: {shares: {recipe: 0}}", "weight above 0"),
        ("precision: float16", "float16"),
    ],
)
def test_a_wrong_config_is_refused_in_one_line_that_names_file_and_value(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(ParameterError, match=message) as caught:
        load_config(path)
    assert str(path) in str(caught.value)


def test_an_unknown_config_lists_the_shipped_ones():
    with pytest.raises(ParameterError, match=r"shipped configs: .*smoke"):
        load_config("no-such-config")


def test_yaml_tags_that_run_code_are_refused(tmp_path):
    path = written(tmp_path, "!!python/object/apply:os.system ['exit 1']")
    with pytest.raises(ParameterError, match="not valid YAML"):
        load_config(path)


def test_own_folders_take_the_place_of_those_of_the_config(tmp_path):
    config = load_config("microscopy-v1").learning_from([tmp_path])
    assert [item.folder for item in config.data.images.folders] == [str(tmp_path)]
    more = config.learning_also_from(tmp_path / "more")
    assert len(more.data.images.folders) == 2


def test_a_model_name_is_checked():
    assert TrainConfig().named("my-lab").model.name == "my-lab"
    with pytest.raises(ParameterError, match="model name"):
        TrainConfig().named("../elsewhere")


def test_the_card_of_the_shipped_weights_vouches_for_this_config(shipped_folder):
    card = read_card(shipped_folder)
    config = load_config(card.training.config)
    text = config_text(config)  # as `runs` hashes it
    assert hashlib.sha256(text.encode()).hexdigest() == card.training.config_sha256
    assert config.steps == card.training.steps
    assert config.seed == card.training.seed
    trained_on = {source.name for source in card.training.data} - {"computed textures"}
    assert trained_on == {item.folder for item in config.data.images.folders}
