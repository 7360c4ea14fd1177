"""Tiny models in the layouts of the real ones, and a server to fetch them from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from napari_gmff.restoration.models.catalog import (
    RESTORATION_MODELS,
    SD21_BASE,
    Published,
    RestorationModel,
)
from napari_gmff.restoration.models.consent import give_consent
from napari_gmff.weights.hashing import sha256_of
from napari_gmff.weights.store import ModelStore
from tests.weights.file_server import Answer, FileServer, serving


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """Return an empty store, to which nobody agreed to anything."""
    return ModelStore(tmp_path / "models")


@pytest.fixture
def agreed(store: ModelStore) -> ModelStore:
    """Return an empty store whose user agreed to all licences."""
    for name in RESTORATION_MODELS:
        give_consent(name, store)
    return store


@pytest.fixture(scope="session")
def tiny_dir(shared_dir: Path) -> Path:
    """Return the folder of the tiny reference."""
    return shared_dir / "reference" / "ifcontrolnet_tiny"


@pytest.fixture(scope="session")
def tiny_base(tiny_dir: Path) -> Path:
    """Return a tiny file in the layout of Stable Diffusion 2.1."""
    return tiny_dir / "sd21_layout.safetensors"


@pytest.fixture(scope="session")
def tiny_control(tiny_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny torch checkpoint in the layout of DiffBIR v2, as its authors save it."""
    from safetensors.torch import load_file

    path = tmp_path_factory.mktemp("control") / "v2.pth"
    torch.save(load_file(tiny_dir / "ifcontrolnet_layout.safetensors"), path)
    return path


@pytest.fixture(scope="session")
def tiny_prompts(tiny_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the reference's embedded prompts in a file of their own."""
    from safetensors.torch import load_file, save_file

    loaded = load_file(tiny_dir / "reference.safetensors")
    path = tmp_path_factory.mktemp("prompts") / "prompts.safetensors"
    save_file({name: loaded[name] for name in ("context_positive", "context_negative")}, path)
    return path


@pytest.fixture
def published(tiny_base: Path, file_server: FileServer) -> RestorationModel:
    """Return the base model of the catalogue, as if the tiny file were the one published."""
    return dataclasses.replace(
        SD21_BASE,
        published=Published(file_server.url, sha256_of(tiny_base), tiny_base.stat().st_size),
    )


@pytest.fixture
def file_server() -> Iterator[FileServer]:
    """Serve files on a loopback port of its own."""
    with serving() as files:
        yield files


@pytest.fixture
def answer() -> type[Answer]:
    """Return the class of the server's answers."""
    return Answer


@pytest.fixture
def tiny_models(
    agreed: ModelStore, tiny_base: Path, tiny_control: Path, tiny_prompts: Path
) -> Callable[[], ModelStore]:
    """Return a function that stores the tiny models as tiny-base and diffbir-v2."""
    from napari_gmff.restoration.models.obtain import import_restoration_model
    from napari_gmff.restoration.models.prompts import import_prompts

    def put() -> ModelStore:
        import_restoration_model(tiny_base, agreed, name="tiny-base")
        import_restoration_model(tiny_control, agreed, kind="diffbir-v2")
        import_prompts(tiny_prompts, "tiny-base", agreed)
        return agreed

    return put
