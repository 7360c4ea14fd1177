"""Tiny models in the layouts of the real ones, and a server to fetch them from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from napari_gmff.restoration.models.catalog import SD21_BASE, Published, RestorationModel
from napari_gmff.weights.hashing import sha256_of
from napari_gmff.weights.store import ModelStore
from tests.restoration.models.tiny import (
    BASE_FILE,
    REFERENCE,
    agree_to_all,
    store_tiny_models,
    write_control,
    write_prompts,
)
from tests.weights.file_server import Answer, FileServer, serving


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """Return an empty store, to which nobody agreed to anything."""
    return ModelStore(tmp_path / "models")


@pytest.fixture
def agreed(store: ModelStore) -> ModelStore:
    """Return an empty store whose user agreed to all licences."""
    return agree_to_all(store)


@pytest.fixture(scope="session")
def tiny_base(shared_dir: Path) -> Path:
    """Return a tiny file in the layout of Stable Diffusion 2.1."""
    return shared_dir / REFERENCE / BASE_FILE


@pytest.fixture(scope="session")
def tiny_control(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny torch checkpoint in the layout of DiffBIR v2."""
    return write_control(shared_dir, tmp_path_factory.mktemp("control"))


@pytest.fixture(scope="session")
def tiny_prompts(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the reference's embedded prompts in a file of their own."""
    return write_prompts(shared_dir, tmp_path_factory.mktemp("prompts"))


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
def tiny_models(store: ModelStore, shared_dir: Path, tmp_path: Path) -> Callable[[], ModelStore]:
    """Return a function that stores the tiny models as tiny-base and diffbir-v2."""
    return lambda: store_tiny_models(store, shared_dir, tmp_path)
