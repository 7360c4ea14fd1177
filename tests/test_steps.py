from __future__ import annotations

from collections.abc import Generator

import pytest

from napari_gmff.steps import outcome_of


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
