"""Work done in steps by a generator, for those who only want what comes out."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

OutcomeT = TypeVar("OutcomeT")


def outcome_of(steps: Generator[Any, None, OutcomeT]) -> OutcomeT:
    """Run a generator to its end and give what it returns.

    Parameters
    ----------
    steps : generator
        What it yields is dropped; what it raises is raised.
    """
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            value: OutcomeT = finished.value
            return value
