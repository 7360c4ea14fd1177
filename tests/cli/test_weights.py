"""``napari-gmff weights``, run through its own parser."""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys

import pytest
import torch

from napari_gmff.cli.weights import add_weights_parser
from napari_gmff.errors import OutputError, ParameterError, WeightsError
from napari_gmff.network.checkpoint import authors_from_ours
from napari_gmff.network.stackmff_v4 import StackMFFV4
from napari_gmff.weights.store import ModelStore


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch) -> ModelStore:
    """Make an empty store the user's."""
    monkeypatch.setenv("NAPARI_GMFF_MODELS", str(tmp_path / "models"))
    return ModelStore()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Return a random checkpoint in the authors' layout."""
    path = tmp_path_factory.mktemp("checkpoint") / "their.pth"
    torch.save(authors_from_ours(StackMFFV4().state_dict()), path)
    return path


def run(*words: object) -> int:
    parser = argparse.ArgumentParser()
    add_weights_parser(parser.add_subparsers())
    args = parser.parse_args(["weights", *map(str, words)])
    return args.handler(args)


def test_empty_store_lists_what_can_be_downloaded(capsys):
    assert run("list") == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == ["NAME", "ARCHITECTURE", "LICENSE", "SIZE", "STATE"]
    assert row.split() == ["authors-v4", "stackmff-v4", "MIT", "4.0", "MB", "to", "download"]


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


def test_progress_bar_follows_restarts(capsys):
    from napari_gmff.cli.weights import _DownloadBar

    bar = _DownloadBar("m", quiet=False)
    for done, total in ((0, None), (1000, 2000), (0, 2000), (2000, 2000)):
        bar.update(done, total)
    assert (bar._bar.n, bar._bar.total) == (2000, 2000)
    bar.close()
    assert "m: 100%" in capsys.readouterr().err
    quiet = _DownloadBar("m", quiet=True)
    quiet.update(1, 2)
    quiet.close()
    assert capsys.readouterr().err == ""


def test_building_the_parser_imports_nothing_heavy():
    code = (
        "import argparse, sys; from napari_gmff.cli.weights import add_weights_parser; "
        "add_weights_parser(argparse.ArgumentParser().add_subparsers()); "
        "print([name for name in ('torch', 'numpy', 'pydantic', 'tqdm') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
