"""A result follows an array of labels, part by part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_gmff import fuse
from napari_gmff._napari.correcting.correction_follower import CorrectionFollower
from napari_gmff.live_images import LiveImages
from tests.stacks import stack_of, textured

SHAPE = (600, 1100)


@pytest.fixture(scope="module")
def fused() -> Any:
    stack = stack_of(textured((3, *SHAPE), "uint8"))
    with fuse(stack, engine="laplacian-energy") as result:
        yield stack, result


@pytest.fixture
def follower(qtbot, fused) -> Any:
    stack, result = fused
    images = LiveImages(result.images.values())
    made = CorrectionFollower(result, stack, images)
    made.follow(np.zeros(SHAPE, np.uint8))
    qtbot.waitUntil(lambda: made.is_settled, timeout=20_000)
    yield made
    made.end()


def changes(qtbot, follower: CorrectionFollower, labels: np.ndarray) -> list[Any]:
    """Follow labels, and return the parts that were told of."""
    told: list[Any] = []
    follower.changed.connect(lambda time, place: told.append(place))
    follower.follow(labels)
    qtbot.waitUntil(lambda: follower.is_settled, timeout=20_000)
    return told


def test_a_stroke_over_the_border_of_tiles_is_one_part(qtbot, follower) -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[500:530, 490:700] = 2
    assert changes(qtbot, follower, labels) == [(slice(500, 530), slice(490, 700))]
    assert follower.live.n_corrected == 30 * 210


def test_what_is_large_comes_tile_by_tile(qtbot, follower) -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[10, 5] = labels[590, 1090] = 1
    labels[0:600, 600] = 3
    told = changes(qtbot, follower, labels)
    assert (slice(10, 11), slice(5, 6)) in told
    assert len(told) == 4
    np.testing.assert_array_equal(follower.live.labels, labels)


def test_nothing_new_is_nothing_told(qtbot, follower) -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[5, 5] = 200  # names no slice
    assert changes(qtbot, follower, labels) == []


def test_after_the_end_nothing_is_told_and_nothing_is_left(qtbot, follower) -> None:
    told: list[Any] = []
    for signal in (follower.changed, follower.failed, follower.settled):
        signal.connect(lambda *found: told.append(found))
    store = follower.live.store_path
    follower.end()
    follower.follow(np.ones(SHAPE, np.uint8))
    qtbot.wait(100)
    assert told == []
    assert not store.exists()
