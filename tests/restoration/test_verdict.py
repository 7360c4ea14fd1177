"""What a self-test means, in one plain sentence."""

from __future__ import annotations

import math

import pytest

from napari_gmff.restoration.closeness import Closeness
from napari_gmff.restoration.self_test_run import AreaComparison, SelfTest

UNTOUCHED = AreaComparison(900, 0.0, Closeness(40.0, 0.99), Closeness(40.0, 0.99))


def verdict(
    before: tuple[float, float],
    after: tuple[float, float],
    outside: AreaComparison = UNTOUCHED,
    dropped: tuple[int, ...] = (3, 4),
) -> str:
    inside = AreaComparison(100, 0.9, Closeness(*before), Closeness(*after))
    return SelfTest(dropped, inside, outside).verdict


def test_better_and_worse_are_said_with_numbers():
    assert verdict((28.1, 0.8), (29.3, 0.85)) == (
        "Without slices 3, 4, restoring made it better: inside the gap it is 1.2 dB closer to the "
        "measured image than leaving it (PSNR 28.1 → 29.3 dB, SSIM 0.800 → 0.850); outside the gap "
        "nothing was changed."
    )
    assert "made it worse: inside the gap it is 1.2 dB further from the measured image" in verdict(
        (29.3, 0.85), (28.1, 0.8)
    )


def test_a_difference_that_nobody_sees_is_none():
    assert "made no difference that counts: inside the gap it is as far from" in verdict(
        (28.0, 0.8), (28.1, 0.8)
    )


@pytest.mark.parametrize(
    ("before", "after", "doubt"),
    [
        ((28.0, 0.8), (30.0, 0.7), "but its structures are less like the measured ones"),
        ((30.0, 0.7), (28.0, 0.8), "though its structures are more like the measured ones"),
    ],
)
def test_structures_that_speak_against_intensities_are_mentioned(before, after, doubt: str):
    assert doubt in verdict(before, after)
    assert "structures" not in verdict((28.0, 0.8), (30.0, 0.9))


def test_harm_outside_the_gap_is_mentioned():
    harmed = AreaComparison(900, 0.2, Closeness(40.0, 0.99), Closeness(37.0, 0.95))
    assert "outside the gap it spoilt what had been measured, by 3.0 dB" in verdict(
        (28.0, 0.8), (30.0, 0.9), harmed
    )
    harmless = AreaComparison(900, 0.2, Closeness(40.0, 0.99), Closeness(40.0, 0.99))
    assert "outside the gap it did no harm" in verdict((28.0, 0.8), (30.0, 0.9), harmless)


def test_spoiling_what_was_perfect_outside_is_harm_without_measure():
    spoilt = AreaComparison(900, 0.2, Closeness(math.inf, 1.0), Closeness(37.0, 0.95))
    found = verdict((28.0, 0.8), (30.0, 0.9), spoilt)
    assert "outside the gap it spoilt what had been measured" in found and "inf" not in found


def test_a_perfect_restoration_is_no_number_of_decibels():
    found = verdict((28.0, 0.8), (math.inf, 1.0))
    assert "better: inside the gap it equals the measured image" in found and "inf" not in found


def test_nothing_changed_is_nothing_to_judge_and_one_slice_is_one():
    inside = AreaComparison(100, 0.0, Closeness(28.0, 0.8), Closeness(28.0, 0.8))
    found = SelfTest((3,), inside, UNTOUCHED).verdict
    assert found.startswith("Without slice 3, restoring changed nothing")
