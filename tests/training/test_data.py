import numpy as np
import torch

from napari_gmff.training.config import DataConfig, TrainConfig
from napari_gmff.training.data import TrainingBatches, training_batches, validation_batch
from napari_gmff.training.synthesis import ImageSource, Mixture

CONFIG = TrainConfig(
    steps=6,
    data=DataConfig(shares={"blurred": 1}, patches_per_step=12, slices=(2, 5), long_slices=(6, 8)),
    validation_stacks=2,
    validation_px=128,
)
MIXTURE = Mixture(ImageSource.procedural(), CONFIG.data.shares)


def same(a, b):
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in ("seen", "target"))


def test_a_step_gives_the_same_stacks_whenever_it_is_asked_for():
    batches = TrainingBatches(CONFIG, MIXTURE)
    assert same(batches[3], TrainingBatches(CONFIG, MIXTURE)[3])
    assert batches[2].seen.shape != batches[3].seen.shape or not same(batches[2], batches[3])


def test_another_seed_gives_other_stacks():
    other = CONFIG.model_copy(update={"seed": 1})
    a, b = TrainingBatches(CONFIG, MIXTURE)[0], TrainingBatches(other, MIXTURE)[0]
    assert a.seen.shape != b.seen.shape or not same(a, b)


def test_every_step_holds_about_as_many_patches():
    batches = TrainingBatches(CONFIG, MIXTURE)
    for step in range(len(batches)):
        seen = batches[step].seen
        patches = seen.shape[0] * seen.shape[1] * (seen.shape[2] // 128) ** 2
        one_stack = seen.shape[1] * (seen.shape[2] // 128) ** 2
        assert abs(patches - 12) <= max(one_stack / 2, one_stack - 12)


def test_other_processes_make_the_same_batches_from_any_step_on():
    here = [TrainingBatches(CONFIG, MIXTURE)[step] for step in (4, 5)]
    there = list(training_batches(CONFIG, MIXTURE, 4, n_workers=1))
    assert len(there) == 2
    assert all(same(a, b) for a, b in zip(here, there, strict=True))


def test_validation_stacks_are_fixed_and_not_those_of_training():
    batch, textured = validation_batch(CONFIG, MIXTURE, "blurred")
    again, _ = validation_batch(CONFIG, MIXTURE, "blurred")
    assert same(batch, again)
    assert batch.seen.shape == (2, 8, 128, 128)
    assert textured.shape == (2, 128, 128) and textured.dtype == np.bool_
    assert not torch.equal(batch.seen[0], batch.seen[1])
