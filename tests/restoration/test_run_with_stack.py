"""With the stack at hand a restoration says where it contradicts what was measured."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from napari_gmff import FusionResult, fuse, restore
from napari_gmff.reading.stack import FocusStack
from napari_gmff.scenes import relief_scene
from tests.restoration.restorers import PaintedRestorer, brighter, unchanged
from tests.stacks import stack_of, textured

FAST = {"engine": "laplacian-energy", "device": "cpu"}
SPOT = (slice(60, 64), slice(50, 54))


@pytest.fixture(scope="module")
def stack() -> FocusStack:
    return stack_of(relief_scene(128, 9, seed=2).stack, voxel_size_um=(1.0, 0.2, 0.2))


@pytest.fixture(scope="module")
def fused(stack: FocusStack) -> Iterator[FusionResult]:
    with fuse(stack, **FAST) as result:
        yield result


def spot(amplitude: float = 0.4) -> PaintedRestorer:
    def paint(image: np.ndarray, seed: int) -> np.ndarray:
        painted = image.copy()
        painted[:, *SPOT] += np.float32(amplitude)
        return painted

    return PaintedRestorer(paint)


def mask() -> np.ndarray:
    area = np.zeros((128, 128), bool)
    area[30:100, 20:110] = True
    return area


def restored(fused: FusionResult, restorer: PaintedRestorer, stack: FocusStack, **options):
    options.setdefault("mask", mask())
    return restore(fused, accept_generative=True, restorer=restorer, stack=stack, **options)


def test_a_planted_spot_raises_the_map_where_it_was_planted(fused, stack):
    with restored(fused, spot(), stack) as result:
        found = result.contradiction.compute()
        record = result.restoration["contradiction"]
    assert found[SPOT].min() > 2.5
    assert not found[~mask()].any()
    distance = np.hypot(*(np.indices((128, 128)) - np.array([[[62]], [[52]]])))
    assert found[distance > 10].max() < 0.05 * found[SPOT].min()
    assert not found[distance > 40].any()
    assert 0 < record["share_contradicted"] < 0.05
    assert record["max"] == pytest.approx(found.max(), rel=1e-5)


def test_a_model_that_changes_nothing_scores_zero_everywhere(fused, stack):
    with restored(fused, unchanged(), stack, back_projection=0) as result:
        assert not result.contradiction.compute().any()
        assert result.restoration["contradiction"]["share_contradicted"] == 0


def test_back_projection_lowers_the_contradiction_and_stays_in_the_mask(fused, stack):
    most = {}
    for rounds in (0, 4):
        with restored(fused, spot(), stack, back_projection=rounds) as result:
            most[rounds] = float(result.contradiction.compute()[SPOT].mean())
            after, before = result.restored.compute(), result.fused.compute()
        np.testing.assert_array_equal(after[~mask()], before[~mask()])
    assert most[4] < 0.5 * most[0]


def test_the_comparison_is_reported_step_by_step(fused, stack):
    steps = []
    restored(fused, spot(), stack, back_projection=2, on_progress=steps.append).close()
    stages = list(dict.fromkeys(step.stage for step in steps))
    assert stages == ["prepare", "check", "restore", "back-project"]
    rounds = [step for step in steps if step.stage == "back-project"]
    assert [step.done for step in rounds] == list(range(1, 19))
    assert {step.total for step in rounds} == {18}


def test_of_several_channels_the_one_that_contradicts_most_counts():
    array = textured((2, 5, 90, 70))
    stack = stack_of(array, "CZYX")
    area = np.ones((90, 70), bool)
    number = iter(range(2))

    def paint(image: np.ndarray, seed: int) -> np.ndarray:
        painted = image.copy()
        # Another place in each channel.
        column = 10 if next(number) == 0 else 50
        painted[:, 40:44, column : column + 4] += 0.5
        return painted

    with fuse(stack, **FAST) as fused:
        with restored(fused, PaintedRestorer(paint), stack, mask=area) as result:
            found = result.contradiction.compute()
            parts = result.restoration["parts"]
    assert found.shape == (90, 70)
    at_spots = min(found[40:44, 10:14].mean(), found[40:44, 50:54].mean())
    assert at_spots > 0.6
    assert found[:, 28:36].max() < 0.3 * at_spots
    assert [part["channels"] for part in parts] == [[0], [1]]


def test_time_points_colours_and_gaps_are_compared_too():
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 255, (2, 4, 60, 60, 3), dtype=np.uint8)
    stack = stack_of(colours, "TZYXS")
    with fuse(stack, **FAST) as fused:
        with restored(fused, brighter(), stack, mask=np.ones((60, 60), bool)) as result:
            found = result.contradiction.compute()
    assert found.shape == (2, 60, 60) and (found > 0).mean() > 0.9
    floats = textured(dtype="float32")
    floats[1, 30:33, 30:33] = np.nan
    floats[:, 50, 50] = np.inf
    stack = stack_of(floats)
    with fuse(stack, **FAST) as fused:
        with restored(
            fused, brighter(), stack, mask=np.ones((90, 70), bool), back_projection=1
        ) as result:
            assert np.isfinite(result.contradiction.compute()).all()


def test_a_region_is_compared_with_its_own_part_of_the_stack(stack):
    with fuse(stack, region=((10, 110), (20, 120)), **FAST) as fused:
        with restored(fused, unchanged(), stack, mask=mask()[10:110, 20:120]) as result:
            assert not result.contradiction.compute().any()
        with restored(
            fused,
            spot(),
            stack,
            mask=mask()[10:110, 20:120],
            region=((40, 90), (20, 80)),
        ) as result:
            found = result.contradiction.compute()
    assert found.shape == (50, 60)
    peak = np.unravel_index(found.argmax(), found.shape)
    # The spot lies at row 60, column 50 of the fused image.
    assert abs(peak[0] - 21) <= 3 and abs(peak[1] - 31) <= 3
