"""Writing a trained model: whole or not at all, with a card that can be trusted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from napari_gmff.errors import OutputError, ParameterError, WeightsError
from napari_gmff.weights.card import ModelCard, ModelDescription, described, read_card
from napari_gmff.weights.card_text import card_markdown
from napari_gmff.weights.hashing import sha256_of
from napari_gmff.weights.model_folder import restate_card, write_model_folder
from napari_gmff.weights.resolve import resolve_weights
from napari_gmff.weights.training_facts import DataSource, EvaluationRow, TrainingFacts

V4 = "stackmff-v4"
FILES = ["README.md", "card.json", "model.safetensors"]

FACTS = TrainingFacts(
    config="small.yaml",
    config_sha256="0" * 64,
    steps=12_000,
    hours=7.5,
    machine="two CPU cores",
    seed=0,
    started_from="",
    data=(
        DataSource(name="cells", license="CC0-1.0", source="https://example.org", n_images=38),
        DataSource(name="made | up", license="BSD-3-Clause", notes="<b>bold</b>"),
    ),
    synthesis="Half the papers' recipe.",
    evaluation=(
        EvaluationRow(scenes="haze", scores={"±1": 0.99651, "PSNR (dB)": 49.8}, n_scenes=8),
        EvaluationRow(scenes="dim", scores={"±1": 0.987}),
    ),
    evaluation_notes="8 scenes each.",
    limits=("glass",),
)


def describe(**changes: object) -> ModelDescription:
    return described(
        **{"name": "mine", "title": "Mine", "architecture": V4, "training": FACTS} | changes
    )


def everything_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_written_folder_is_weights_that_load_with_their_card(our_state, store, tmp_path):
    folder = tmp_path / "run" / "model"
    card = write_model_folder(folder, our_state, describe(input_smoothing="none"))
    assert everything_in(tmp_path) == ["run", "run/model", *(f"run/model/{name}" for name in FILES)]
    state, again = resolve_weights(folder, V4, store=store)
    assert again == card
    assert again.training == FACTS
    assert card.sha256 == card.source_sha256 == sha256_of(folder / "model.safetensors")
    assert all(torch.equal(state[name], our_state[name]) for name in our_state)
    assert (folder / "README.md").read_text(encoding="utf-8") == card_markdown(card)


def test_half_precision_and_views_are_stored_as_plain_float32(our_state, store, tmp_path):
    odd = {
        name: t.to(torch.bfloat16).t().contiguous().t() if t.ndim == 2 else t
        for name, t in our_state.items()
    }
    write_model_folder(tmp_path / "m", odd, describe())
    state, _ = resolve_weights(tmp_path / "m", V4, store=store)
    assert all(torch.equal(state[name], odd[name].to(state[name].dtype)) for name in odd)


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_whoever_may_read_the_card_may_read_the_tensors(our_state, tmp_path):
    write_model_folder(tmp_path / "m", our_state, describe())
    modes = {(tmp_path / "m" / name).stat().st_mode for name in FILES}
    assert len(modes) == 1


@pytest.mark.parametrize("spoil", ["nan", "missing", "network"])
def test_weights_that_nobody_could_use_are_not_written(our_state, tmp_path, spoil):
    state, description = dict(our_state), describe()
    name = next(name for name in state if name.endswith("weight"))
    if spoil == "nan":
        state[name] = state[name] * torch.nan
    elif spoil == "missing":
        del state[name]
    else:
        description = describe(architecture="stackmff-v9")
    with pytest.raises(WeightsError, match=r"finite|missing|architecture must be"):
        write_model_folder(tmp_path / "run" / "m", state, description)
    assert everything_in(tmp_path) == []


def test_only_a_model_folder_is_replaced_and_only_on_request(our_state, tmp_path):
    folder = tmp_path / "m"
    write_model_folder(folder, our_state, describe())
    with pytest.raises(OutputError, match="exists already"):
        write_model_folder(folder, our_state, describe(title="Second"))
    assert read_card(folder).title == "Mine"
    write_model_folder(folder, our_state, describe(title="Second"), overwrite=True)
    assert read_card(folder).title == "Second"
    assert everything_in(tmp_path) == ["m", *(f"m/{name}" for name in FILES)]

    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter.txt").write_text("mine")
    with pytest.raises(OutputError, match="not a model folder"):
        write_model_folder(thesis, our_state, describe(), overwrite=True)
    assert everything_in(thesis) == ["chapter.txt"]


def test_full_disk_leaves_the_old_model(our_state, tmp_path, files_limited_to):
    folder = tmp_path / "m"
    card = write_model_folder(folder, our_state, describe())
    with (
        files_limited_to(100_000),
        pytest.raises(OutputError, match=r"cannot store a model .*File too large"),
    ):
        write_model_folder(folder, our_state, describe(title="Second"), overwrite=True)
    assert read_card(folder) == card
    assert everything_in(tmp_path) == ["m", *(f"m/{name}" for name in FILES)]


def test_a_card_can_be_completed_without_touching_its_tensors(our_state, tmp_path):
    folder = tmp_path / "m"
    before = write_model_folder(folder, our_state, describe())
    content = (folder / "model.safetensors").read_bytes()
    after = restate_card(folder, name="renamed", training=FACTS.model_copy(update={"limits": ()}))
    assert after == read_card(folder)
    assert (after.name, after.title, after.training.limits) == ("renamed", "Mine", ())
    for field in ("sha256", "source_sha256", "created"):
        assert getattr(after, field) == getattr(before, field)
    assert (folder / "README.md").read_text(encoding="utf-8") == card_markdown(after)
    assert (folder / "model.safetensors").read_bytes() == content
    assert everything_in(tmp_path) == ["m", *(f"m/{name}" for name in FILES)]

    with pytest.raises(ParameterError, match="license"):
        restate_card(folder, license="free for all")
    (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="sha256 must be"):
        restate_card(folder, name="again")
    assert read_card(folder) == after


def test_cards_of_before_training_facts_are_still_read(our_state, tmp_path):
    folder = tmp_path / "m"
    write_model_folder(folder, our_state, describe())
    path = folder / "card.json"
    values = json.loads(path.read_text())
    for name in ("training", "version", "input_smoothing"):
        del values[name]
    path.write_text(json.dumps(values))
    card = read_card(folder)
    assert (card.training, card.version, card.input_smoothing) == (None, "", "auto-noise")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"steps": -1}, "steps"),
        ({"hours": float("nan")}, "hours"),
        ({"data": [{"name": "x", "license": "whatever you like"}]}, "license"),
        ({"evaluation": [{"scenes": "x", "scores": {"PSNR": "high"}}]}, "PSNR"),
        ({"surprise": 1}, "surprise"),
        ({"machine": "red \x1b[31m"}, "machine"),
    ],
)
def test_training_facts_that_break_a_rule_are_named(our_state, tmp_path, change, found):
    folder = tmp_path / "m"
    write_model_folder(folder, our_state, describe())
    path = folder / "card.json"
    values = json.loads(path.read_text())
    values["training"] |= change
    path.write_text(json.dumps(values))
    with pytest.raises(WeightsError, match=f"training.*{found}"):
        read_card(folder)


def test_scores_must_be_numbers():
    with pytest.raises(ValidationError, match="finite"):
        EvaluationRow(scenes="x", scores={"PSNR": float("inf")})


def test_markdown_tells_everything_the_card_knows(our_state, tmp_path):
    description = describe(version="1.2", citation="Somebody, 2026", license="BSD-3-Clause")
    text = card_markdown(write_model_folder(tmp_path / "m", our_state, description))
    for part in (
        "# Mine\n",
        "| version | 1.2 |",
        "| licence | BSD-3-Clause |",
        "| steps | 12,000 |",
        "| time | 7.5 h |",
        "| seed | 0 |",
        "| started from | random values |",
        "| cells (https://example.org) | 38 | CC0-1.0 |  |",
        "| made \\| up | made by a program | BSD-3-Clause | &lt;b>bold&lt;/b> |",
        "| scenes | number | ±1 | PSNR (dB) |\n| --- | --- | --- | --- |\n"
        "| haze | 8 | 0.9965 | 49.8 |\n| dim |  | 0.987 |  |",
        "Half the papers' recipe.",
        "8 scenes each.",
        "- glass",
        "Somebody, 2026",
        "smoothed where the estimated noise asks for it",
    ):
        assert part in text
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_markdown_of_a_card_that_knows_little_has_no_empty_parts():
    values = {"name": "a", "title": "", "architecture": "n", "created": "2026-01-01T00:00:00Z"}
    text = card_markdown(
        ModelCard.model_validate_json(
            json.dumps(values | {"sha256": "0" * 64, "source_sha256": "1" * 64})
        )
    )
    assert text.startswith("# a\n")
    assert "##" not in text
    assert "version" not in text
