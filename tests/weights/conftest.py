"""A real server that misbehaves on request, and checkpoints made from our own network."""

from __future__ import annotations

import shutil
import signal
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from napari_gmff.weights.store import ModelStore


@dataclass
class Answer:
    """How the server treats one request."""

    content: bytes
    etag: str | None = '"v1"'
    accepts_ranges: bool = True
    cut_after: int | None = None
    status: int | None = None
    location: str | None = None
    content_range: str | None = None
    hides_length: bool = False


@dataclass
class FileServer:
    """Gives the answers in order, the last one for ever, and records what was asked."""

    url: str
    answers: list[Answer] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)
    if_ranges: list[str | None] = field(default_factory=list)

    def next_answer(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class _Handler(BaseHTTPRequestHandler):
    files: FileServer

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.files.ranges.append(asked)
        self.files.if_ranges.append(self.headers.get("If-Range"))
        answer = self.files.next_answer()
        if answer.status is not None:
            self._refuse(answer)
            return
        same = self.headers.get("If-Range") in (None, answer.etag)
        start = 0
        if asked and answer.accepts_ranges and same:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(answer.content):
                self._refuse(Answer(b"", status=416))
                return
            size = len(answer.content)
            self.send_response(206)
            spans = answer.content_range or f"bytes {start}-{size - 1}/{size}"
            self.send_header("Content-Range", spans)
        else:
            self.send_response(200)
        body = answer.content[start:]
        if answer.etag:
            self.send_header("ETag", answer.etag)
        if not answer.hides_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if answer.cut_after is None else body[: answer.cut_after])
        self.close_connection = True

    def _refuse(self, answer: Answer) -> None:
        self.send_response(answer.status or 500)
        if answer.location:
            self.send_header("Location", answer.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Keep the test output clean."""


@contextmanager
def _serving(context: ssl.SSLContext | None = None) -> Iterator[FileServer]:
    class Handler(_Handler):
        pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    scheme = "http" if context is None else "https"
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_args: None  # a client that hangs up on us is expected
    Handler.files = FileServer(f"{scheme}://127.0.0.1:{server.server_port}/model.pth")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Handler.files
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def file_server() -> Iterator[FileServer]:
    """Serve files on a loopback port of its own."""
    with _serving() as files:
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
    with _serving(context) as server:
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
