"""What tests in several folders share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from napari_gmff.weights.card import ModelCard

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


@pytest.fixture
def nothing_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make this a copy of the package without its weights; return where they would be."""
    from napari_gmff.weights import shipped_models

    monkeypatch.setattr(shipped_models, "_ROOT", tmp_path / "shipped")
    return shipped_models.shipped_folder()


@pytest.fixture
def random_shipped(nothing_shipped: Path) -> ModelCard:
    """Make this a copy of the package that ships weights nobody trained; return their card."""
    import torch

    from napari_gmff.network.stackmff_v4 import StackMFFV4
    from napari_gmff.weights.card import InputRangeRule, described
    from napari_gmff.weights.model_folder import write_model_folder

    with torch.random.fork_rng():
        torch.manual_seed(5)
        state = StackMFFV4().state_dict()
    description = described(
        name=nothing_shipped.name,
        title="Random weights",
        architecture="stackmff-v4",
        input_range=InputRangeRule(eight_bit="percentiles", other="percentiles"),
        input_smoothing="none",
        license="BSD-3-Clause",
        version="0.5",
    )
    return write_model_folder(nothing_shipped, state, description)


@pytest.fixture(scope="session")
def shipped_folder() -> Path:
    """Return the weights that come with this very copy of the package."""
    from napari_gmff.weights.shipped_models import has_shipped, shipped_folder

    if not has_shipped():
        pytest.skip("the package's own weights are not in this source tree")
    return shipped_folder()
