"""``napari-gmff weights`` for models of restoration: consent, import, download, prompts."""

from __future__ import annotations

import builtins
import dataclasses
import json
from pathlib import Path

import pytest

from napari_gmff.cli.main import EXIT_BAD_INPUT, main
from napari_gmff.restoration.models.catalog import RESTORATION_MODELS, SD21_BASE, Published
from napari_gmff.restoration.models.consent import give_consent, has_consent
from napari_gmff.weights.hashing import sha256_of
from napari_gmff.weights.store import ModelStore
from tests.restoration.models.tiny import BASE_FILE, REFERENCE, write_control, write_prompts
from tests.weights.file_server import Answer, serving


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    """Make an empty store the user's."""
    monkeypatch.setenv("NAPARI_GMFF_MODELS", str(tmp_path / "models"))
    return ModelStore()


@pytest.fixture(scope="session")
def base(shared_dir: Path) -> Path:
    return shared_dir / REFERENCE / BASE_FILE


@pytest.fixture(scope="session")
def control(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_control(shared_dir, tmp_path_factory.mktemp("control"))


@pytest.fixture
def at_terminal(monkeypatch: pytest.MonkeyPatch):
    """Return a function that makes a person at a terminal give an answer."""

    def answers(text: str) -> None:
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr(builtins, "input", lambda _question: text)

    return answers


def run(*words: object) -> int:
    return main(["weights", *map(str, words)])


def test_consent_is_asked_for_at_a_terminal(store, at_terminal, capsys):
    at_terminal("no")
    assert run("consent", "sd21-base") == EXIT_BAD_INPUT
    shown = " ".join(capsys.readouterr().err.split())
    assert "Content may be invented" in shown
    assert "“To provide medical advice and medical results interpretation”" in shown
    assert "sd21-base: not agreed to, so nothing was done" in shown
    assert not has_consent("sd21-base", store)
    at_terminal("yes")
    assert run("consent", "sd21-base") == 0
    assert has_consent("sd21-base", store)
    assert run("consent", "sd21-base", "--withdraw") == 0
    assert not has_consent("sd21-base", store)


def test_without_a_terminal_the_flag_must_be_given(store, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert run("consent", "sd21-base") == EXIT_BAD_INPUT
    assert capsys.readouterr().err.splitlines()[-1].endswith("or pass --accept-license")
    assert run("consent", "sd21-base", "--accept-license") == 0
    assert "Content may be invented" in capsys.readouterr().err
    assert has_consent("sd21-base", store)


def test_import_list_info_verify_and_remove_in_turn(store, control, capsys):
    words = ["import", control, "--as", "diffbir-v2", "--accept-license"]
    assert run(*words) == 0
    assert capsys.readouterr().out.startswith("diffbir-v2: stored as DiffBIR v2, diffbir-v2, ")
    assert run("list") == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("diffbir")]
    assert row.split() == ["diffbir-v2", "diffbir-v2", "Apache-2.0", "7.3", "MB", "stored"]
    assert run("info", "diffbir-v2") == 0
    info = capsys.readouterr().out
    assert "licence agreed to  yes" in info
    assert "input_range" not in info
    assert "IFControlNet" not in info
    assert run("info", "diffbir-v2", "--markdown") == 0
    assert "intensities" not in capsys.readouterr().out
    assert run("verify", "diffbir-v2") == 0
    assert run("remove", "diffbir-v2", "--yes") == 0
    assert store.names() == []
    assert has_consent("diffbir-v2", store)


def test_a_control_model_without_label_is_refused_in_one_line(store, control, capsys):
    assert run("import", control) == EXIT_BAD_INPUT
    (line,) = capsys.readouterr().err.splitlines()
    assert "--as ifcontrolnet" in line
    assert "--as diffbir-v2" in line
    assert not store.root.exists()


def test_a_licence_that_is_not_the_models_is_refused(store, control, capsys):
    words = ["import", control, "--as", "diffbir-v2", "--license", "MIT", "--accept-license"]
    assert run(*words) == EXIT_BAD_INPUT
    assert "DiffBIR v2 is under Apache-2.0, got MIT" in capsys.readouterr().err
    assert not has_consent("diffbir-v2", store)


def test_the_list_says_what_can_be_got_and_how(capsys):
    assert run("list", "--json") == 0
    listed = {one["name"]: one for one in json.loads(capsys.readouterr().out)["for_restoration"]}
    assert set(listed) == set(RESTORATION_MODELS)
    assert listed["sd21-base"]["sha256"] == SD21_BASE.published.sha256
    assert listed["diffbir-v2"]["url"] is None


def test_nothing_is_asked_of_the_network_before_consent(store, base, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with serving() as server:
        server.answers = [Answer(base.read_bytes())]
        published = Published(server.url, sha256_of(base), base.stat().st_size)
        tiny = dataclasses.replace(SD21_BASE, published=published)
        monkeypatch.setitem(RESTORATION_MODELS, "sd21-base", tiny)
        assert run("download", "sd21-base") == EXIT_BAD_INPUT
        assert server.ranges == []
        assert run("download", "sd21-base", "--accept-license", "--quiet") == 0
        assert len(server.ranges) == 1
        assert "sd21-base: downloaded and stored" in capsys.readouterr().out
        assert run("download", "sd21-base", "--quiet") == 0
        assert len(server.ranges) == 1
    assert "already stored, verified" in capsys.readouterr().out


def test_what_cannot_be_downloaded_says_how_to_get_it(store, capsys):
    give_consent("diffbir-v2", store)
    assert run("download", "diffbir-v2") == EXIT_BAD_INPUT
    assert "napari-gmff weights import v2.pth --as diffbir-v2" in capsys.readouterr().err


def test_prompts_are_imported_and_verified_with_their_base(
    store, base, shared_dir, tmp_path, capsys
):
    assert run("import", base, "--name", "mine", "--accept-license") == 0
    prompts = write_prompts(shared_dir, tmp_path)
    assert run("prompts", "mine") == EXIT_BAD_INPUT
    assert "--file FILE" in capsys.readouterr().err
    assert run("prompts", "mine", "--file", prompts) == 0
    assert "mine: prompts imported from prompts.safetensors" in capsys.readouterr().out
    assert run("verify", "mine") == 0
    (store.folder("mine") / "contexts.safetensors").write_bytes(b"damaged")
    assert run("verify", "mine") == EXIT_BAD_INPUT
    assert "contexts.safetensors: sha256 must be" in capsys.readouterr().err
