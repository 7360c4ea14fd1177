"""Fetching one file of known content: resumed, hashed while it streams, renamed when whole."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request

from napari_gmff.errors import DownloadError, OutputError
from napari_gmff.weights.addresses import check_url, opener_for
from napari_gmff.weights.part_file import PartFile

ProgressCallback = Callable[[int, int | None], None]
"""Called with the bytes held so far and the whole number, None where the server hides it."""

_CHUNK_BYTES = 1 << 16
_RETRIED_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


class _Dropped(Exception):
    """The connection broke or the server was busy: worth another attempt."""


@dataclass(frozen=True)
class Wanted:
    """What to download, and how patiently.

    Attributes
    ----------
    url : str
        https address, or http on a loopback address.
    sha256 : str
        The file must have it.
    max_bytes : int
        More is never written.
    attempts : int
        Connections in a row that may fail without bringing a single new byte.
    backoff_s : float
        Pause after a failure in s, doubled after each further one.
    timeout_s : float
        Longest silence of the server in s.
    """

    url: str
    sha256: str
    max_bytes: int
    attempts: int = 4
    backoff_s: float = 1.0
    timeout_s: float = 30.0


def download(wanted: Wanted, target: Path, progress: ProgressCallback | None = None) -> Path:
    """Download a file, going on where an earlier try was cut off.

    The bytes gather in ``<target>.part``, kept when the connection is lost or the user stops,
    so that the next call asks only for the rest. `target` appears only whole and right.

    Parameters
    ----------
    wanted : Wanted
        Address, expected SHA-256 and limits.
    target : Path
        File to make; its folder must exist.
    progress : callable, optional
        ``progress(done_bytes, total_bytes or None)``.

    Returns
    -------
    Path
        `target`.

    Raises
    ------
    DownloadError
        If the address is refused, the server says no or keeps failing, the file is larger than
        allowed, or its SHA-256 is wrong (then nothing is kept).
    OutputError
        If the file cannot be written.
    """
    check_url(wanted.url)
    with PartFile.opened(target) as part:
        _fill(wanted, part, progress)
        part.publish()
    return target


def _fill(wanted: Wanted, part: PartFile, progress: ProgressCallback | None) -> None:
    """Add to the part until it is the wanted file."""
    failures = 0
    while True:
        held = part.size
        if held and part.sha256 == wanted.sha256:  # whole, but stopped before it was renamed
            return
        try:
            _fetch_rest(wanted, part, progress)
        except _Dropped as dropped:
            failures = 1 if part.size > held else failures + 1
            if failures >= wanted.attempts:
                raise DownloadError(
                    f"{wanted.url}: download broke off after {part.size} bytes and "
                    f"{failures} attempts ({dropped}); run it again to go on from there"
                ) from None
            time.sleep(wanted.backoff_s * 2 ** (failures - 1))
            continue
        if part.sha256 == wanted.sha256:
            return
        found = part.sha256
        part.restart()
        if not held:
            raise DownloadError(
                f"{wanted.url}: sha256 must be {wanted.sha256}, found {found}; nothing was kept"
            )
        # What was kept may be of another version of the file: the next round asks for all of it.


def _fetch_rest(wanted: Wanted, part: PartFile, progress: ProgressCallback | None) -> None:
    """Ask once for what is missing, and append it.

    Raises
    ------
    _Dropped
        If it ended before the announced length.
    """
    try:
        with _open(wanted, part) as response:
            total = _prepare(response, part)
            if total is not None and total > wanted.max_bytes:
                raise _too_large(wanted, part, total)
            _copy(response, wanted, part, total, progress)
    except HTTPError as error:
        with error:
            _judge_refusal(error, wanted, part)
    except OutputError:  # the disk's fault, though an OSError like the network's
        raise
    except (HTTPException, OSError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise DownloadError(f"{wanted.url}: refused, {reason.verify_message}") from None
        raise _Dropped(str(reason) or type(error).__name__) from None
    if total is not None and part.size < total:
        raise _Dropped(f"the connection was closed, {total - part.size} bytes are missing")


def _open(wanted: Wanted, part: PartFile) -> HTTPResponse:
    # Compressed transfer would make byte ranges and lengths count something else.
    headers = {"User-Agent": f"napari-gmff/{_version()}", "Accept-Encoding": "identity"}
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
        if part.etag is not None:
            headers["If-Range"] = part.etag
    request = Request(wanted.url, headers=headers)  # noqa: S310 - check_url allows https only
    response = opener_for(wanted.url).open(request, timeout=wanted.timeout_s)
    assert isinstance(response, HTTPResponse)
    return response


def _prepare(response: HTTPResponse, part: PartFile) -> int | None:
    """Make the part end where the answer begins, and return the whole file's size in bytes."""
    if response.status == 206:
        start, total = _content_range(response)
        if start == part.size:
            return total
        part.restart()
        raise _Dropped(f"the server sent bytes from {start} on, which were not asked for")
    part.restart(etag=response.headers.get("ETag"))
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _content_range(response: HTTPResponse) -> tuple[int | None, int | None]:
    text = response.headers.get("Content-Range", "")
    span, _, total = text.removeprefix("bytes").strip().partition("/")
    start = span.partition("-")[0]
    return (
        int(start) if start.isdecimal() else None,
        int(total) if total.isdecimal() else None,
    )


def _copy(
    response: HTTPResponse,
    wanted: Wanted,
    part: PartFile,
    total: int | None,
    progress: ProgressCallback | None,
) -> None:
    if progress is not None:
        progress(part.size, total)
    while chunk := response.read(_CHUNK_BYTES):
        if part.size + len(chunk) > wanted.max_bytes:
            raise _too_large(wanted, part, total)
        part.append(chunk)
        if progress is not None:
            progress(part.size, total)


def _judge_refusal(error: HTTPError, wanted: Wanted, part: PartFile) -> None:
    """Turn an HTTP error status into a further attempt or a final word."""
    if error.code == 416 and part.size:  # the kept part is longer than the file now is
        part.restart()
        raise _Dropped("the server has no bytes beyond those kept")
    if error.code in _RETRIED_STATUS:
        raise _Dropped(f"HTTP {error.code} {error.reason}")
    raise DownloadError(f"{wanted.url}: the server answered HTTP {error.code} {error.reason}")


def _too_large(wanted: Wanted, part: PartFile, total: int | None) -> DownloadError:
    part.restart()
    found = "more" if total is None or total <= wanted.max_bytes else f"{total} bytes"
    return DownloadError(
        f"{wanted.url}: at most {wanted.max_bytes} bytes were expected, the server sends {found}; "
        "nothing was kept"
    )


def _version() -> str:
    try:
        return version("napari-gmff")
    except PackageNotFoundError:
        return "unknown"
