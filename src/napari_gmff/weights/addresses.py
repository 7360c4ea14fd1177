"""Which addresses may be fetched, and how a connection to them is opened."""

from __future__ import annotations

import ipaddress
from http.client import HTTPMessage
from typing import IO
from urllib.parse import urlsplit
from urllib.request import (
    HTTPRedirectHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

from napari_gmff.errors import DownloadError


def check_url(url: str, *, allow_loopback: bool = True) -> None:
    """Check that an address is https, or http on this very machine.

    Raises
    ------
    DownloadError
        If it is of any other kind.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and allow_loopback and _is_loopback(url):
        return
    raise DownloadError(f"{url}: refused, downloads must use https")


def opener_for(url: str) -> OpenerDirector:
    """Make an opener that checks redirections as strictly as the first address."""
    handlers: list[HTTPRedirectHandler | ProxyHandler] = [_CheckedRedirects()]
    if _is_loopback(url):
        handlers.append(ProxyHandler({}))  # a proxy's loopback is another machine
    return build_opener(*handlers)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _CheckedRedirects(HTTPRedirectHandler):
    def redirect_request(
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> Request | None:
        """Follow only to addresses as good as the one that sends us there."""
        # A page elsewhere must not steer requests to services of this machine.
        check_url(newurl, allow_loopback=_is_loopback(req.full_url))
        return super().redirect_request(req, fp, code, msg, headers, newurl)
