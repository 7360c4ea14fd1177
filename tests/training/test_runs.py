"""Whole runs, small: on computed images, a few steps."""

import numpy as np
import pytest
import torch
from PIL import Image

from napari_gmff import FuseParams, fuse, read_stack
from napari_gmff.errors import OutputError, ParameterError, SourceError
from napari_gmff.network.stackmff_v4 import ARCHITECTURE
from napari_gmff.training.config import DataConfig, ImagesConfig, TrainConfig, load_config
from napari_gmff.training.loop import Trainer
from napari_gmff.training.run_folder import STEP_LOG, VALIDATION_LOG, RunFolder
from napari_gmff.training.runs import OUTSIDE_THE_NETWORK, continue_run, new_run
from napari_gmff.training.synthesis import ImageSource, Mixture
from napari_gmff.weights.resolve import resolve_weights
from napari_gmff.weights.shipped_models import SHIPPED_NAME

TINY = TrainConfig(
    steps=4,
    data=DataConfig(
        images=ImagesConfig(procedural_share=1.0),
        shares={"blurred": 1},
        patches_per_step=4,
        crop_px={128: 1},
        slices=(2, 3),
        long_share=0,
    ),
    validate_every=2,
    checkpoint_every=2,
    validation_stacks=1,
    validation_px=128,
)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trainer(path, config=TINY, *, new=True):
    run = RunFolder(path)
    if new:
        run.begin(config)
    mixture = Mixture(ImageSource.procedural(), config.data.shares)
    return Trainer(config, mixture, run, torch.device("cpu"), n_workers=0, report=lambda _: None)


def weights_of(one):
    return [t for t in one.network.state_dict().values() if t.is_floating_point()]


def test_a_stopped_run_continues_as_if_it_had_not_been_stopped(tmp_path):
    whole = trainer(tmp_path / "whole")
    whole.run()
    trainer(tmp_path / "stopped").run(until=2)
    continued = trainer(tmp_path / "stopped", new=False)
    assert continued.step == 2
    continued.run()
    for a, b in zip(weights_of(whole), weights_of(continued), strict=True):
        assert torch.equal(a, b)
    for name, value in whole.average.state.items():
        assert torch.equal(value, continued.average.state[name])
    losses = [
        [row["loss"] for row in RunFolder(tmp_path / name).rows(STEP_LOG)]
        for name in ("whole", "stopped")
    ]
    assert losses[0] == losses[1] and len(losses[0]) == 4


def test_a_run_killed_between_checkpoints_repeats_only_what_was_lost(tmp_path):
    killed = trainer(tmp_path / "run")
    killed.run(until=2)
    # Steps done after the checkpoint are in the logs alone.
    RunFolder(tmp_path / "run").append(
        STEP_LOG, [{**RunFolder(tmp_path / "run").rows(STEP_LOG)[-1], "step": 2}]
    )
    continued = trainer(tmp_path / "run", new=False)
    continued.run()
    steps = [row["step"] for row in RunFolder(tmp_path / "run").rows(STEP_LOG)]
    assert steps == ["0", "1", "2", "3"]


def test_the_same_seed_trains_the_same_network_and_another_does_not(tmp_path):
    nets = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        one = trainer(tmp_path / name, TINY.model_copy(update={"seed": seed, "steps": 1}))
        one.run()
        nets.append(weights_of(one))
    assert all(torch.equal(x, y) for x, y in zip(nets[0], nets[1], strict=True))
    assert not all(torch.equal(x, y) for x, y in zip(nets[0], nets[2], strict=True))


def test_training_lowers_the_loss(tmp_path):
    config = TINY.model_copy(
        update={
            "steps": 30,
            "validate_every": 30,
            "optimiser": TINY.optimiser.model_copy(
                update={"warmup_steps": 3, "learning_rate": 5e-3}
            ),
        }
    )
    trainer(tmp_path / "run", config).run()
    losses = [float(row["loss"]) for row in RunFolder(tmp_path / "run").rows(STEP_LOG)]
    assert np.mean(losses[-8:]) < 0.8 * np.mean(losses[:8])


def test_the_smoke_run_ends_in_a_model_that_fuses(tmp_path):
    lines = []
    model = new_run(load_config("smoke"), tmp_path / "run", n_workers=0, report=lines.append)
    _, card = resolve_weights(model, ARCHITECTURE)
    assert card.training.steps == load_config("smoke").steps
    stated = card.model_dump(include=set(OUTSIDE_THE_NETWORK))
    assert stated == OUTSIDE_THE_NETWORK
    assert card.training.data[0].name == "computed textures"
    assert card.input_range.eight_bit == card.input_range.other == "percentiles"
    assert RunFolder(tmp_path / "run").rows(VALIDATION_LOG)
    assert (tmp_path / "run" / "curves.png").exists()
    assert any("min left" in line for line in lines)
    stack = read_stack(write_images(tmp_path / "stack"))
    with fuse(stack, params=FuseParams(weights=str(model))) as result:
        assert result.focus_index.shape[-2:] == (160, 150)


def write_images(folder, n=3):
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(n):
        Image.fromarray(rng.integers(0, 255, (160, 150), np.uint8)).save(folder / f"{number}.png")
    return folder


def test_fine_tuning_starts_from_a_model_and_names_the_images(tmp_path):
    other_seed = TINY.model_copy(update={"seed": 1, "steps": 1})
    first = new_run(other_seed, tmp_path / "first", n_workers=0, report=lambda _: None)
    images = write_images(tmp_path / "my images")
    tuned = TINY.model_copy(update={"init_from": str(first), "steps": 1}).learning_from([images])
    model = new_run(tuned, tmp_path / "second", n_workers=0, report=lambda _: None)
    before, _ = resolve_weights(first, ARCHITECTURE)
    after, card = resolve_weights(model, ARCHITECTURE)
    assert card.training.data[0].name == "my images"
    assert card.training.data[0].n_images == 3
    # One step from there is nearer to the first model than a fresh start is.
    fresh = trainer(tmp_path / "fresh").network.state_dict()
    key = "backbone.down.0.conv1.weight"
    assert 0 < (after[key] - before[key]).abs().max()
    assert (after[key] - before[key]).abs().max() < 0.1 * (fresh[key] - before[key]).abs().max()


def test_own_stacks_are_fused_and_learned_from(tmp_path):
    stack = write_images(tmp_path / "stack", 4)
    model = new_run(
        TINY.model_copy(update={"steps": 1}),
        tmp_path / "run",
        [str(stack)],
        n_workers=0,
        report=lambda _: None,
    )
    fused = sorted((tmp_path / "run" / "images").iterdir())
    assert [path.name for path in fused] == ["stack0_channel0.png"]
    with Image.open(fused[0]) as image:
        assert image.size == (150, 160)
    _, card = resolve_weights(model, ARCHITECTURE)
    assert any(source.name == "images" for source in card.training.data)


def test_continuing_a_finished_run_writes_its_model_again(tmp_path):
    config = TINY.model_copy(update={"steps": 1})
    model = new_run(config, tmp_path / "run", n_workers=0, report=lambda _: None)
    before = (model / "model.safetensors").read_bytes()
    again = continue_run(tmp_path / "run", n_workers=0, report=lambda _: None)
    assert (again / "model.safetensors").read_bytes() == before


def test_missing_images_are_missed_before_anything_is_written(tmp_path):
    config = TINY.learning_from([tmp_path / "nowhere"])
    with pytest.raises(SourceError, match="nowhere"):
        new_run(config, tmp_path / "run", n_workers=0)
    assert not (tmp_path / "run").exists()


def test_a_run_never_begins_in_a_folder_with_something_in_it(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(OutputError, match="already there"):
        new_run(TINY, tmp_path, n_workers=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["thesis.txt"]


def test_only_a_run_can_be_continued(tmp_path):
    with pytest.raises(ParameterError, match="not a training run"):
        continue_run(tmp_path, n_workers=0)


def test_stacks_read_for_training_are_only_read(tmp_path):
    stack = write_images(tmp_path / "stack", 4)
    before = {path.name: path.read_bytes() for path in stack.iterdir()}
    assert read_stack(stack).data.shape[2] == 4
    new_run(
        TINY.model_copy(update={"steps": 1}),
        tmp_path / "run",
        [str(stack)],
        n_workers=0,
        report=lambda _: None,
    )
    assert {path.name: path.read_bytes() for path in stack.iterdir()} == before


def test_half_precision_trains_and_keeps_weights_in_float32(tmp_path):
    # Trained weights: rounding moves the loss of random ones by as much as their noise does.
    config = TINY.model_copy(
        update={"steps": 2, "precision": "bfloat16", "init_from": SHIPPED_NAME}
    )
    half = trainer(tmp_path / "half", config)
    half.run()
    full = trainer(tmp_path / "full", config.model_copy(update={"precision": "float32"}))
    full.run()
    assert all(tensor.dtype == torch.float32 for tensor in weights_of(half))
    losses = [
        float(RunFolder(tmp_path / name).rows(STEP_LOG)[0]["loss"]) for name in ("half", "full")
    ]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


def test_a_run_whose_stacks_cannot_be_fused_leaves_nothing(tmp_path):
    good = write_images(tmp_path / "good", 4)
    with pytest.raises(SourceError, match="missing"):
        new_run(
            TINY,
            tmp_path / "run",
            [str(good), str(tmp_path / "missing.tif")],
            n_workers=0,
            report=lambda _: None,
        )
    assert not (tmp_path / "run").exists()
