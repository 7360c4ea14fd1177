"""Sources that are addresses rather than paths."""

from __future__ import annotations

import os
import re

from napari_gmff.errors import SourceError

REMOTE = re.compile(r"^([a-z][a-z0-9+.-]+):/", re.IGNORECASE)


def is_remote(source: object) -> bool:
    """Whether a source is an address rather than a path."""
    return isinstance(source, str | os.PathLike) and bool(REMOTE.match(os.fspath(source)))


def check_remote(address: str, allowed: bool) -> None:
    """Refuse an address that nobody allowed.

    Raises
    ------
    SourceError
        That names it, and how to allow it.
    """
    if not allowed:
        raise SourceError(
            f"{address}: remote addresses are only read when asked for "
            "(--allow-remote, or allow_remote=True)"
        )
