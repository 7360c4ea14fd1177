"""Fixtures: a server of files, and checkpoints made from our own network."""

from __future__ import annotations

import shutil
import signal
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from napari_gmff.weights.store import ModelStore
from tests.weights.file_server import Answer, FileServer, serving


@pytest.fixture
def file_server() -> Iterator[FileServer]:
    """Serve files on a loopback port of its own."""
    with serving() as files:
        yield files


@pytest.fixture
def https_server(tmp_path: Path) -> Iterator[tuple[FileServer, Path]]:
    """Serve over https with a certificate that nobody vouches for; return that too."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl program to make a certificate with")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=test -addext"
    command = [openssl, *words.split(), "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command + files, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving(context) as server:
        yield server, certificate


@pytest.fixture
def answer() -> type[Answer]:
    """Return the class of the server's answers."""
    return Answer


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """Return an empty store."""
    return ModelStore(tmp_path / "models")


@pytest.fixture
def files_limited_to() -> Callable[[int], AbstractContextManager[None]]:
    """Return a context in which files cannot grow beyond some bytes, as on a full disk."""
    resource = pytest.importorskip("resource", reason="file size limits are a POSIX feature")

    @contextmanager
    def limited(size_bytes: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        old_handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, old_handler)

    return limited


@pytest.fixture(scope="session")
def our_state() -> dict[str, object]:
    """Return random weights of StackMFF V4 in our layout."""
    import torch

    from napari_gmff.network.stackmff_v4 import StackMFFV4

    with torch.random.fork_rng():
        torch.manual_seed(4)
        return StackMFFV4().state_dict()


@pytest.fixture(scope="session")
def authors_file(our_state, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkpoint in the authors' layout, as they saved it, with random weights."""
    import torch

    from napari_gmff.network.checkpoint import authors_from_ours

    path = tmp_path_factory.mktemp("checkpoint") / "Their Model.pth"
    torch.save(authors_from_ours(our_state), path)
    return path


@pytest.fixture
def stored(store: ModelStore, authors_file: Path) -> Callable[[str], Path]:
    """Return a function that stores the random model under a name and returns its folder."""
    from napari_gmff.weights.obtain import import_model

    def put(name: str) -> Path:
        import_model(authors_file, store, name=name)
        return store.folder(name)

    return put
