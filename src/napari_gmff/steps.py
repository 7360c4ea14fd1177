"""Work done in steps by a generator, for those who drive it or pass its steps on."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any, TypeVar

StepT = TypeVar("StepT")
OtherT = TypeVar("OtherT")
OutcomeT = TypeVar("OutcomeT")


def outcome_of(
    steps: Generator[StepT, None, OutcomeT], on_step: Callable[[StepT], Any] | None = None
) -> OutcomeT:
    """Run a generator to its end and give what it returns.

    Parameters
    ----------
    steps : generator
        Closed here and now whatever happens: an error that is kept, as Jupyter keeps the last one,
        holds the frames of the work, and with them a half-written output.
    on_step : callable, optional
        Called with what is yielded.
    """
    with closing(steps):
        while True:
            try:
                step = next(steps)
            except StopIteration as finished:
                value: OutcomeT = finished.value
                return value
            if on_step is not None:
                on_step(step)


def relayed(
    steps: Generator[StepT, None, OutcomeT], relay: Callable[[StepT], OtherT | None]
) -> Generator[OtherT, None, OutcomeT]:
    """Run a generator as a part of another, its steps told in other words.

    Parameters
    ----------
    steps : generator
        Closed at the end, or as soon as this one is.
    relay : callable
        Says what to yield for a step; None for nothing.

    Yields
    ------
    object
        What `relay` made of the steps.

    Returns
    -------
    object
        What `steps` returned.
    """
    with closing(steps):
        while True:
            try:
                step = next(steps)
            except StopIteration as finished:
                value: OutcomeT = finished.value
                return value
            other = relay(step)
            if other is not None:
                yield other
