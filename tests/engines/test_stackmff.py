from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_gmff.engines import stackmff_window
from napari_gmff.engines.base import EngineOptions
from napari_gmff.engines.neighbour_vote import voted_scores
from napari_gmff.engines.second_look import halved_plane, joined, raised
from napari_gmff.engines.stackmff import StackMFFV4Engine
from napari_gmff.engines.stackmff_window import padded_plane, padded_shape
from napari_gmff.errors import DeviceError, WeightsError
from napari_gmff.network.evaluator import StackMFFV4Evaluator
from napari_gmff.network.fine_tiles import FineTiles
from napari_gmff.network.memory_ladder import Rung
from napari_gmff.scores import ScoreKind
from napari_gmff.weights.model_folder import restate_card
from napari_gmff.windows import Box
from tests.network.helpers import assert_agree, plain_logits, random_model, random_stack

TEMPERATURE = 8.0
"""What logits are divided by where no card says otherwise."""


def scores_of(engine, stack, **options) -> np.ndarray:
    """Return all scores (N, H, W), NaN where the engine gives none."""
    found = np.full(stack.shape, np.nan, np.float32)
    for item in engine.iter_scores(lambda k: stack[k], len(stack), stack.shape[1:], **options):
        if item is not None:
            found[(item.slice_index, *item.tile.slices)] = item.scores
    return found


VOTE_BELOW = 0.5
"""Some of the pixels of random stacks of three slices have less."""


@pytest.fixture
def voting_engine(engine):
    """Return an engine whose card asks for a vote."""
    card = engine._card.model_copy(
        update={"neighbours_vote_below": VOTE_BELOW, "temperature": 500.0}
    )
    engine._card = card
    return engine


@pytest.fixture
def twice_looking_engine(engine):
    """Return an engine whose card asks for a second look, and for a vote on both."""
    engine._card = engine._card.model_copy(
        update={
            "half_resolution_weight": 0.5,
            "neighbours_vote_below": VOTE_BELOW,
            "temperature": 500.0,
        }
    )
    return engine


@pytest.fixture(params=["engine", "voting_engine", "twice_looking_engine"])
def either_engine(request):
    """Return engines that take pixels one by one, let neighbours vote, and look twice as well."""
    return request.getfixturevalue(request.param)


def reflected(position: int, size: int) -> int:
    """Return which pixel a position beyond the image shows, going to and fro between its ends."""
    period = max(2 * (size - 1), 1)
    inside = position % period
    return min(inside, period - inside)


@pytest.mark.parametrize("shape", [(5, 300), (1, 1), (3, 2), (128, 129), (127, 1), (256, 128)])
def test_padding_reflects_as_often_as_it_must(shape):
    plane = np.random.default_rng(0).random(shape).astype(np.float32)
    target = padded_shape(shape)
    padded = padded_plane(plane, target)
    rows = [reflected(y, shape[0]) for y in range(target[0])]
    columns = [reflected(x, shape[1]) for x in range(target[1])]
    np.testing.assert_array_equal(padded, plane[np.ix_(rows, columns)])
    assert padded.flags.c_contiguous
    assert padded.dtype == np.float32


def test_padded_sides_are_the_next_multiples_of_128():
    assert padded_shape((1, 128)) == (128, 128)
    assert padded_shape((129, 1000)) == (256, 1024)


@pytest.mark.parametrize("shape", [(2, 5, 300), (2, 1, 1), (3, 3, 2), (2, 130, 140)])
def test_image_of_any_size_is_scored_as_its_padded_self_never_resized(engine, shape):
    stack = random_stack(*shape)
    padded = np.stack([padded_plane(plane, padded_shape(shape[1:])) for plane in stack])
    expected = plain_logits(random_model(5), padded)[:, : shape[1], : shape[2]] / TEMPERATURE
    found = scores_of(engine, stack)
    assert np.isfinite(found).all()
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


def test_whole_multiple_needs_no_padding_and_equals_the_plain_network(engine):
    stack = random_stack(3, 128, 256)
    assert_agree(scores_of(engine, stack), plain_logits(random_model(5), stack) / TEMPERATURE)


def test_neighbours_vote_where_the_card_says_so_on_the_padded_window(voting_engine, monkeypatch):
    monkeypatch.setattr(stackmff_window, "fine_tile_px", lambda _: 64)
    stack = random_stack(3, 130, 200)
    padded = np.stack([padded_plane(plane, padded_shape((130, 200))) for plane in stack])
    logits = plain_logits(random_model(5), padded) / np.float32(500)
    expected = voted_scores(logits, VOTE_BELOW)
    voted = (expected != logits).any(0).mean()
    assert 0.05 < voted < 0.95
    found = scores_of(voting_engine, stack)
    # Rounding may tip a pixel at the threshold into the vote or out of it.
    near = np.abs(found - expected[:, :130, :200]).max(0) <= 1e-4 * np.abs(expected).max()
    assert near.mean() > 0.999
    assert voting_engine.describe()["weights"]["neighbours_vote_below"] == VOTE_BELOW


@pytest.mark.parametrize("tile_px", [64, 512])
def test_a_second_look_at_half_the_resolution_counts_as_the_card_says(engine, monkeypatch, tile_px):
    monkeypatch.setattr(stackmff_window, "fine_tile_px", lambda _: tile_px)
    engine._card = engine._card.model_copy(update={"half_resolution_weight": 0.25})
    stack = random_stack(3, 130, 200)
    padded = np.stack([padded_plane(plane, (256, 256)) for plane in stack])
    half = np.stack([halved_plane(plane) for plane in padded])
    first, second = plain_logits(random_model(5), padded), plain_logits(random_model(5), half)
    whole, behind = Box(0, 256, 0, 256), Box(0, 128, 0, 128)
    expected = [
        joined(one, raised(other, behind, whole), 0.25)
        for one, other in zip(first, second, strict=True)
    ]
    found = scores_of(engine, stack)
    assert_agree(found, np.stack(expected)[:, :130, :200] / TEMPERATURE)
    assert np.abs(found - first[:, :130, :200] / TEMPERATURE).max() > 0.01 * np.abs(found).max()
    assert engine.describe()["weights"]["half_resolution_weight"] == 0.25


def test_outliers_are_held_near_the_range(engine):
    stack = random_stack(2, 128, 128)
    hot, held = stack.copy(), stack.copy()
    hot[0, 5, 5], held[0, 5, 5] = 1e5, 2.0
    np.testing.assert_array_equal(scores_of(engine, hot), scores_of(engine, held))


@pytest.mark.parametrize(
    ("n_slices", "shape_yx", "tile_px"),
    [
        (1, (1, 1), 512),
        (2, (128, 128), 512),
        (3, (100, 300), 128),
        (2, (200, 129), 128),
        (2, (129, 257), 64),
        (2, (130, 10), 100),
    ],
)
def test_steps_are_counted_rightly(either_engine, n_slices, shape_yx, tile_px, monkeypatch):
    monkeypatch.setattr(stackmff_window, "fine_tile_px", lambda _: tile_px)
    stack = random_stack(n_slices, *shape_yx)
    items = list(either_engine.iter_scores(lambda k: stack[k], n_slices, shape_yx))
    assert len(items) == either_engine.n_steps(n_slices, shape_yx)
    scored = sum(item.scores.size for item in items if item is not None)
    assert scored == stack.size


def test_part_asked_for_has_the_scores_of_the_whole(either_engine, monkeypatch):
    monkeypatch.setattr(stackmff_window, "fine_tile_px", lambda _: 64)
    stack = random_stack(2, 128, 200)
    part = Box(70, 90, 100, 110)
    whole = scores_of(either_engine, stack)
    some = scores_of(either_engine, stack, within=part)
    scored = np.isfinite(some)
    assert scored[:, *part.slices].all()
    assert scored.mean() < 0.5
    np.testing.assert_array_equal(some[scored], whole[scored])


def test_scores_do_not_depend_on_where_coarse_maps_are_kept(random_weights, monkeypatch):
    stack = random_stack(2, 128, 128)
    used = []
    monkeypatch.setattr(
        stackmff_window,
        "coarse_maps",
        lambda shape, limit: used.append(limit) or stackmff_coarse_maps(shape, limit),
    )
    found = [
        scores_of(
            StackMFFV4Engine(EngineOptions(weights=str(random_weights), memory_limit_mb=limit)),
            stack,
        )
        for limit in (1024, 0)
    ]
    assert used == [1024, 0]
    np.testing.assert_array_equal(*found)


stackmff_coarse_maps = stackmff_window.coarse_maps


def test_the_maps_of_both_looks_share_the_memory(twice_looking_engine, monkeypatch):
    limits = []
    monkeypatch.setattr(
        stackmff_window,
        "coarse_maps",
        lambda shape, limit: limits.append(limit) or stackmff_coarse_maps(shape, limit),
    )
    for limit_mb in (64, 2):  # the first look's maps have 3 MB
        twice_looking_engine._options = EngineOptions(memory_limit_mb=limit_mb)
        twice_looking_engine.keep_window(2, (512, 512)).close()
    assert limits == [64, 61, 2, 0]


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA out of memory. Tried to allocate 20 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 99 bytes"),
        MemoryError("no room"),
    ],
)
def test_running_out_of_memory_is_a_device_error_that_names_the_device(engine, error):
    def read_slice(k: int) -> np.ndarray:
        raise error

    with pytest.raises(DeviceError, match=r"cpu: out of memory"):
        list(engine.iter_scores(read_slice, 2, (128, 128)))


def test_other_errors_pass_unchanged(engine):
    def read_slice(k: int) -> np.ndarray:
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        list(engine.iter_scores(read_slice, 2, (128, 128)))


def test_settings_of_the_process_hold_within_steps_only(random_weights):
    engine = StackMFFV4Engine(EngineOptions(weights=str(random_weights), threads=2))
    stack = random_stack(2, 128, 128)
    inside = []

    def read_slice(k: int) -> np.ndarray:
        inside.append(torch.get_num_threads())
        return stack[k]

    for _ in engine.iter_scores(read_slice, 2, (128, 128)):
        assert torch.get_num_threads() == 1
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
    assert inside == [2, 2]


def test_run_stopped_half_way_leaves_no_scratch_file(random_weights, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    engine = StackMFFV4Engine(EngineOptions(weights=str(random_weights), memory_limit_mb=0))
    stack = random_stack(2, 128, 128)
    run = engine.iter_scores(lambda k: stack[k], 2, (128, 128))
    next(run)
    assert list(tmp_path.iterdir()) != []
    run.close()
    assert list(tmp_path.iterdir()) == []


def test_parts_of_a_kept_window_are_scored_as_in_a_run(either_engine):
    stack = random_stack(3, 150, 200)
    expected = scores_of(either_engine, stack)
    kept = either_engine.keep_window(3, (150, 200))
    assert [None, None, None] == list(kept.prepare(lambda k: stack[k]))
    for part in (Box(0, 32, 0, 32), Box(70, 71, 130, 131), Box(118, 150, 100, 200)):
        assert_agree(kept.scores(part), expected[(slice(None), *part.slices)])
    kept.close()


def test_tiles_of_a_kept_window_are_those_of_a_run_to_the_last_bit(either_engine):
    stack, pixel = random_stack(3, 150, 200), Box(140, 141, 130, 131)
    kept = either_engine.keep_window(3, (150, 200))
    looks_again = either_engine._card.half_resolution_weight > 0
    assert kept.n_bytes == 3 * (64 * 64 + looks_again * 32 * 32) * 24 * 4
    list(kept.prepare(lambda k: stack[k]))
    run = either_engine.iter_scores(lambda k: stack[k], 3, (150, 200), within=pixel)
    expected = [item for item in run if item is not None]
    found = [item for item in kept.iter_scores(pixel) if item is not None]
    assert [one.slice_index for one in found] == [0, 1, 2]
    for one, other in zip(found, expected, strict=True):
        assert one.tile == other.tile
        np.testing.assert_array_equal(one.scores, other.scores)
    kept.close()


def test_a_kept_window_leaves_no_scratch_file(random_weights, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    engine = StackMFFV4Engine(EngineOptions(weights=str(random_weights), memory_limit_mb=0))
    stack = random_stack(2, 128, 128)
    kept = engine.keep_window(2, (128, 128))
    next(kept.prepare(lambda k: stack[k]))
    assert list(tmp_path.iterdir()) != []
    kept.close()
    assert list(tmp_path.iterdir()) == []


def test_engine_declares_logits_and_says_what_it_ran_with(engine):
    assert engine.score_kind is ScoreKind.LOGITS
    described = engine.describe()
    assert described["device"] == "cpu"
    assert len(described["weights"]["sha256"]) == 64


def test_authors_weights_see_8_bit_as_the_whole_range_and_others_by_percentiles(shared_dir):
    weights = str(shared_dir / "weights" / "stackmffv4.pth")
    engine = StackMFFV4Engine(EngineOptions(weights=weights))
    assert engine.input_rule(np.dtype(np.uint8)) == "dtype"
    for dtype in (np.uint16, np.int16, np.float32):
        assert engine.input_rule(np.dtype(dtype)) == "percentiles"


def test_without_a_word_the_weights_are_those_of_the_package(random_shipped):
    engine = StackMFFV4Engine(EngineOptions(device="cpu"))
    described = engine.describe()["weights"]
    assert (described["name"], described["version"]) == (random_shipped.name, "0.5")
    assert described["sha256"] == random_shipped.sha256
    for dtype in (np.uint8, np.uint16):
        assert engine.input_rule(np.dtype(dtype)) == "percentiles"


def test_smoothing_is_what_the_card_says(random_shipped, random_weights):
    assert StackMFFV4Engine(EngineOptions(device="cpu")).smoothing_rule() == "none"
    loose = EngineOptions(weights=str(random_weights), device="cpu")
    assert StackMFFV4Engine(loose).smoothing_rule() == "auto-noise"


def test_logits_are_divided_by_the_temperature_of_the_card(nothing_shipped, random_shipped):
    stack = random_stack(2, 128, 128)
    at_8 = scores_of(StackMFFV4Engine(EngineOptions(device="cpu")), stack)
    restate_card(nothing_shipped, temperature=1.0)
    engine = StackMFFV4Engine(EngineOptions(device="cpu"))
    at_1 = scores_of(engine, stack)
    np.testing.assert_allclose(at_1, TEMPERATURE * at_8, rtol=1e-6)
    assert random_shipped.temperature == TEMPERATURE
    assert engine.describe()["weights"]["temperature"] == 1.0


@pytest.mark.usefixtures("nothing_shipped")
def test_a_copy_of_the_package_without_weights_says_so():
    with pytest.raises(WeightsError, match="this copy of the package lacks its weights"):
        StackMFFV4Engine(EngineOptions())


def test_missing_weights_are_named():
    with pytest.raises(WeightsError, match=r"nothing\.pth"):
        StackMFFV4Engine(EngineOptions(weights="nothing.pth"))


def test_missing_device_is_named(random_weights, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="cuda"):
        StackMFFV4Engine(EngineOptions(weights=str(random_weights), device="cuda"))


def test_lack_of_memory_on_a_gpu_is_told_and_the_cpu_that_took_over_is_named(engine, monkeypatch):
    """The ladder itself is tested in tests/network; here the GPU is a CPU that is told to fail."""
    stack = random_stack(2, 128, 128)
    expected = scores_of(engine, stack)
    gpu, cpu = torch.device("cpu:0"), torch.device("cpu")
    rungs = [Rung(gpu), Rung(cpu, words="on the CPU, which takes longer")]
    evaluator = StackMFFV4Evaluator(random_model(5), gpu, rungs)
    refine = FineTiles._refine

    def small(tiles: FineTiles, features: torch.Tensor) -> None:
        if tiles.rung.device == gpu:
            raise torch.OutOfMemoryError("CUDA out of memory")
        refine(tiles, features)

    monkeypatch.setattr(FineTiles, "_refine", small)
    monkeypatch.setattr(engine, "_evaluator", evaluator)
    monkeypatch.setattr(engine, "_device", gpu)
    assert list(engine.notes) == []
    assert engine.describe()["device"] == "cpu:0"
    assert_agree(scores_of(engine, stack), expected)
    assert list(engine.notes) == [
        "cpu:0 ran out of memory; continued on the CPU, which takes longer"
    ]
    assert engine.describe()["device"] == "cpu:0, then cpu"
