"""Engines to test with."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import save_file

from napari_gmff.engines.base import EngineOptions
from napari_gmff.engines.stackmff import StackMFFV4Engine
from tests.network.conftest import _one_thread  # noqa: F401  (a fixture for this folder too)
from tests.network.helpers import random_model


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a weights file of an untrained network."""
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    state = {name: tensor.contiguous() for name, tensor in random_model(5).state_dict().items()}
    save_file(state, path)
    return path


@pytest.fixture
def engine(random_weights: Path) -> StackMFFV4Engine:
    """Return StackMFF V4 with random weights on the CPU."""
    return StackMFFV4Engine(EngineOptions(weights=str(random_weights), device="cpu"))
