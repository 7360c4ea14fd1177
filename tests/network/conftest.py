"""Networks to test with: the authors' weights where they are, and random ones everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from napari_gmff.network.checkpoint import load_model, ours_from_authors
from napari_gmff.network.stackmff_v4 import StackMFFV4
from tests.network.helpers import random_model


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Compute on one thread: several wait for each other where tests share a processor."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def model() -> StackMFFV4:
    """Return a network whose BatchNorms do something."""
    return random_model(seed=5)


@pytest.fixture(scope="session")
def authors_checkpoint(shared_dir: Path) -> Path:
    """Return the authors' checkpoint file."""
    path = shared_dir / "weights" / "stackmffv4.pth"
    if not path.is_file():
        pytest.skip("the authors' checkpoint is not in shared/weights")
    return path


@pytest.fixture(scope="session")
def authors_model(authors_checkpoint: Path) -> StackMFFV4:
    """Return the network with the authors' weights."""
    state = torch.load(authors_checkpoint, map_location="cpu", weights_only=True)
    return load_model(ours_from_authors(state))
