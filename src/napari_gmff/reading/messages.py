"""Sentences that several readers say."""

from __future__ import annotations

from collections.abc import Sequence


def first_line(error: BaseException) -> str:
    """Say an error in one line: its first, or its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def note_of_more(names: Sequence[str]) -> tuple[str, ...]:
    """Tell that a source holds more than the stack that was read, which is the first of `names`."""
    if len(names) < 2:
        return ()
    return (
        f"The source holds {len(names)} positions; this is the first, {names[0]!r}; "
        "position= names another.",
    )
