from __future__ import annotations

from collections.abc import Generator

import pytest

from napari_gmff.steps import outcome_of, relayed


def counting(to: int) -> Generator[int, None, str]:
    yield from range(to)
    return f"counted to {to}"


def test_the_outcome_is_what_the_generator_returns():
    assert outcome_of(counting(3)) == "counted to 3"
    assert outcome_of(counting(0)) == "counted to 0"


def test_an_error_of_a_step_is_raised():
    def failing() -> Generator[None, None, None]:
        yield None
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        outcome_of(failing())


def test_each_step_is_handed_over():
    told = []
    assert outcome_of(counting(3), told.append) == "counted to 3"
    assert told == [0, 1, 2]


def test_the_work_is_closed_when_the_one_who_is_told_fails():
    ended = []

    def work():
        try:
            yield 1
        finally:
            ended.append(True)

    def fail(_: int) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        outcome_of(work(), fail)
    assert ended == [True]


def test_relayed_steps_are_told_in_other_words_and_some_not_at_all():
    run = relayed(counting(3), lambda step: None if step == 1 else f"step {step}")
    told = []
    assert outcome_of(run, told.append) == "counted to 3"
    assert told == ["step 0", "step 2"]


def test_closing_what_relays_closes_the_work():
    ended = []

    def work():
        try:
            yield 1
            yield 2
        finally:
            ended.append(True)

    run = relayed(work(), str)
    assert next(run) == "1"
    run.close()
    assert ended == [True]
