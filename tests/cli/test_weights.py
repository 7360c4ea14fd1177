"""``napari-gmff weights``, run through its own parser."""

from __future__ import annotations

import argparse
import io
import json
import re
import subprocess
import sys

import pytest
import torch

from napari_gmff.cli.weights import add_weights_parser
from napari_gmff.errors import OutputError, ParameterError, WeightsError
from napari_gmff.network.checkpoint import authors_from_ours
from napari_gmff.network.stackmff_v4 import StackMFFV4
from napari_gmff.weights import shipped_models
from napari_gmff.weights.card import ModelDescription, described
from napari_gmff.weights.card_text import card_markdown
from napari_gmff.weights.shipped_models import SHIPPED_NAME
from napari_gmff.weights.store import ModelStore
from napari_gmff.weights.training_facts import DataSource, TrainingFacts

STATE = {"a": torch.arange(4.0)}


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch, nothing_shipped) -> ModelStore:
    """Make an empty store the user's, and nothing the package's."""
    monkeypatch.setenv("NAPARI_GMFF_MODELS", str(tmp_path / "models"))
    return ModelStore()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Return a random checkpoint in the authors' layout."""
    path = tmp_path_factory.mktemp("checkpoint") / "their.pth"
    torch.save(authors_from_ours(StackMFFV4().state_dict()), path)
    return path


@pytest.fixture
def our_card() -> ModelDescription:
    """Return a description that tells how a model was trained."""
    facts = TrainingFacts(
        config="small.yaml",
        steps=500,
        hours=0.25,
        machine="two cores",
        data=(
            DataSource(name="cells", license="CC0-1.0", n_images=3),
            DataSource(name="drawn", license="BSD-3-Clause"),
        ),
        limits=("glass", "fog"),
    )
    return described(name="mine", title="Mine", architecture="stackmff-v4", training=facts)


def run(*words: object) -> int:
    parser = argparse.ArgumentParser()
    add_weights_parser(parser.add_subparsers())
    args = parser.parse_args(["weights", *map(str, words)])
    return args.handler(args)


def test_empty_store_lists_what_can_be_downloaded(capsys):
    assert run("list") == 0
    header, row, *restoring = capsys.readouterr().out.splitlines()
    assert header.split() == ["NAME", "ARCHITECTURE", "LICENSE", "SIZE", "STATE"]
    assert row.split() == ["authors-v4", "stackmff-v4", "MIT", "4.0", "MB", "to", "download"]
    assert [line.split()[0] for line in restoring] == ["sd21-base", "ifcontrolnet", "diffbir-v2"]
    assert restoring[0].split()[-5:] == ["5.2", "GB", "to", "download,", "restores"]
    assert restoring[2].split()[1:] == [
        "diffbir-v2",
        "Apache-2.0",
        "?",
        "to",
        "import,",
        "restores",
    ]


def test_import_list_info_verify_remove_in_turn(capsys, store, checkpoint):
    assert run("import", checkpoint, "--name", "mine", "--license", "MIT", "--source", "here") == 0
    assert capsys.readouterr().out.startswith("mine: stored, stackmff-v4, licence MIT, sha256 ")
    assert run("list") == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:3] == ["mine", "stackmff-v4", "MIT"]
    assert run("info", "mine") == 0
    shown = capsys.readouterr().out
    assert store.card("mine").sha256 in shown
    assert "8 bit: dtype, others: percentiles" in shown
    assert run("verify") == 0
    assert capsys.readouterr().out.startswith("mine: ok, ")
    assert run("remove", "mine", "--yes") == 0
    assert store.names() == []
    assert run("verify") == 0


def test_json_holds_the_card(capsys, store, checkpoint):
    run("import", checkpoint, "--name", "mine")
    capsys.readouterr()
    run("info", "mine", "--json")
    card = json.loads(capsys.readouterr().out)
    assert card == store.card("mine").model_dump(mode="json")
    run("list", "--json")
    listed = json.loads(capsys.readouterr().out)
    assert listed["stored"][0]["card"] == card
    assert [entry["name"] for entry in listed["available"]] == ["authors-v4"]


def test_import_replaces_only_with_overwrite(checkpoint):
    run("import", checkpoint, "--name", "mine")
    with pytest.raises(OutputError, match="--overwrite"):
        run("import", checkpoint, "--name", "mine")
    assert run("import", checkpoint, "--name", "mine", "--overwrite") == 0


def test_verify_checks_all_before_it_fails(capsys, store, checkpoint):
    for name in ("one", "two", "zoo"):
        run("import", checkpoint, "--name", name)
    for name in ("one", "two"):
        (store.folder(name) / "model.safetensors").write_bytes(b"damaged")
    capsys.readouterr()
    with pytest.raises(WeightsError, match=r"one.*sha256 must be.*two.*sha256 must be"):
        run("verify")
    assert capsys.readouterr().out.startswith("zoo: ok")
    assert run("verify", "zoo") == 0


def test_damaged_card_is_listed_not_fatal(capsys, store, checkpoint):
    run("import", checkpoint, "--name", "mine")
    (store.folder("mine") / "card.json").write_text("{}")
    capsys.readouterr()
    assert run("list") == 0
    printed = capsys.readouterr()
    assert "damaged" in printed.out.splitlines()[1]
    assert "card.json: not a valid model card" in printed.err


def test_shipped_weights_are_listed_shown_verified_and_never_removed(capsys, random_shipped):
    assert run("list") == 0
    row = capsys.readouterr().out.splitlines()[1]
    assert row.split() == [SHIPPED_NAME, "stackmff-v4", "BSD-3-Clause", "3.9", "MB", "shipped"]
    assert run("list", "--json") == 0
    (listed,) = json.loads(capsys.readouterr().out)["shipped"]
    assert listed["card"]["sha256"] == random_shipped.sha256
    assert run("info", SHIPPED_NAME) == 0
    assert "8 bit: percentiles, others: percentiles" in capsys.readouterr().out
    for words in (["verify"], ["verify", SHIPPED_NAME]):
        assert run(*words) == 0
        assert capsys.readouterr().out.startswith(f"{SHIPPED_NAME}: ok, ")
    assert run("download", SHIPPED_NAME) == 0
    assert "nothing to download" in capsys.readouterr().out
    with pytest.raises(ParameterError, match="comes with the package and cannot be removed"):
        run("remove", SHIPPED_NAME, "--yes")
    assert run("verify") == 0


def test_damaged_shipped_weights_are_listed_and_fail_verification(capsys, random_shipped):
    folder = shipped_models.shipped_folder()
    (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="install the package again"):
        run("verify")
    (folder / "card.json").write_text("{}")
    assert run("list") == 0
    assert "damaged" in capsys.readouterr().out.splitlines()[1]


@pytest.mark.parametrize("command", ["info", "verify", "download"])
def test_shipped_weights_that_are_missing_are_said_to_be(command):
    with pytest.raises(WeightsError, match="this copy of the package lacks its weights"):
        run(command, SHIPPED_NAME)


def test_training_is_summed_up_and_told_whole_as_markdown(capsys, store, our_card):
    store.add(STATE, our_card, source_sha256="0" * 64)
    run("info", "mine")
    shown = capsys.readouterr().out
    assert re.search(r"^trained +500 steps, 0\.25 h, two cores$", shown, re.MULTILINE)
    assert re.search(r"^data +cells \(CC0-1\.0\), drawn \(BSD-3-Clause\)$", shown, re.MULTILINE)
    assert re.search(r"^limits +glass; fog$", shown, re.MULTILINE)
    run("info", "mine", "--markdown")
    assert capsys.readouterr().out == card_markdown(store.card("mine"))


@pytest.mark.parametrize("name", ["authors", "authors-v4"])
def test_the_authors_weights_have_a_short_name(capsys, store, shared_dir, name):
    run("import", shared_dir / "weights" / "stackmffv4.pth")
    for command in (["info"], ["verify"], ["download"], ["remove", "--yes"]):
        assert run(*command, name) == 0
        assert "authors-v4" in capsys.readouterr().out
    assert store.names() == []


def test_removing_needs_yes_where_nobody_can_be_asked(monkeypatch, store, checkpoint):
    run("import", checkpoint, "--name", "mine")
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.raises(ParameterError, match="--yes"):
        run("remove", "mine")
    assert store.names() == ["mine"]


@pytest.mark.parametrize(("said", "kept"), [("y", []), ("", ["mine"]), ("no", ["mine"])])
def test_removing_asks_on_a_terminal(monkeypatch, store, checkpoint, said, kept):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    run("import", checkpoint, "--name", "mine")
    monkeypatch.setattr(sys, "stdin", Terminal(f"{said}\n"))
    assert run("remove", "mine") == 0
    assert store.names() == kept


@pytest.mark.parametrize("command", ["info", "verify", "remove"])
def test_unknown_name_is_refused_before_anything_is_asked(command):
    with pytest.raises(WeightsError, match=r"nothing: no stored model"):
        run(command, "nothing")


def test_download_offline_is_enough_once_stored(capsys, store, shared_dir):
    run("import", shared_dir / "weights" / "stackmffv4.pth")
    capsys.readouterr()
    assert run("download", "authors-v4") == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("authors-v4: already stored, verified")
    assert printed.err == ""


def test_building_the_parser_imports_nothing_heavy():
    code = (
        "import argparse, sys; from napari_gmff.cli.weights import add_weights_parser; "
        "add_weights_parser(argparse.ArgumentParser().add_subparsers()); "
        "print([name for name in ('torch', 'numpy', 'pydantic', 'tqdm') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
