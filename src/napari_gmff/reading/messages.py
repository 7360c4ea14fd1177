"""How errors of libraries are put into our own messages."""

from __future__ import annotations


def first_line(error: BaseException) -> str:
    """Say an error in one line: its first, or its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
