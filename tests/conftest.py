"""What tests in several folders share."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root of the source tree."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Return the folder of real stacks, weights and reference results beside the repository.

    It is too large to be part of the project; tests that want it are skipped where it is not.
    """
    folder = REPOSITORY.parent / "shared"
    if not folder.is_dir():
        pytest.skip("no folder 'shared' beside the repository (real stacks and reference results)")
    return folder


@pytest.fixture(autouse=True)
def _own_model_store(tmp_path_factory: pytest.TempPathFactory, monkeypatch) -> None:
    """Keep every test away from the models that the user of this machine has stored."""
    monkeypatch.setenv("NAPARI_GMFF_MODELS", str(tmp_path_factory.getbasetemp() / "no-models"))
