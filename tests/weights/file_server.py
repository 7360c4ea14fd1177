"""A real server that misbehaves on request."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


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
def serving(context: ssl.SSLContext | None = None) -> Iterator[FileServer]:
    """Serve files on a loopback port of its own while the block runs."""

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
