"""Whole training runs: from a config to a folder with a model in it."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_gmff.network.devices import pick_device, torch_scope
from napari_gmff.network.stackmff_v4 import ARCHITECTURE
from napari_gmff.training.config import config_text
from napari_gmff.training.loop import Trainer
from napari_gmff.training.own_stacks import write_fused_images
from napari_gmff.training.run_folder import MODEL, RunFolder
from napari_gmff.training.synthesis.images import ImageSource
from napari_gmff.training.synthesis.mixture import Mixture
from napari_gmff.weights.card import described
from napari_gmff.weights.model_folder import write_model_folder
from napari_gmff.weights.resolve import resolve_weights

if TYPE_CHECKING:
    import torch

    from napari_gmff.training.config import ImageFolder, ImagesConfig, TrainConfig

OUTSIDE_THE_NETWORK = {"neighbours_vote_below": 0.3, "half_resolution_weight": 0.25}
"""What fusing does with a trained model's logits unless its config says otherwise; see
``docs/training.md``."""

_OWN_IMAGES = "images"
"""Folder inside a run that holds the fused images of the user's stacks."""

Report = Callable[[str], None]


def new_run(
    config: TrainConfig,
    folder: Path,
    stacks: Sequence[str] = (),
    *,
    device: str = "auto",
    n_workers: int = 1,
    threads: int | None = None,
    report: Report = print,
) -> Path:
    """Train from the beginning.

    Parameters
    ----------
    config : TrainConfig
        What to learn.
    folder : Path
        Of the run; must not be there yet.
    stacks : sequence of str
        Focus stacks to learn the look of: they are fused, and the fused images are learned from.
    device : str
        As for `FuseParams.device`.
    n_workers : int
        Processes that make stacks; 0 makes them in this one.
    threads : int, optional
        Of the training itself on a processor; torch's own choice by default.
    report : callable
        Is given a line of text now and then.

    Returns
    -------
    Path
        The model's folder.

    Raises
    ------
    SourceError
        If an image or a stack cannot be read.
    OutputError
        If the run's folder is there already or cannot be written.
    WeightsError, DeviceError
        If the model to start from, or the device, is not to be had.
    """
    run = RunFolder(Path(folder))
    run.check_new()
    picked = pick_device(device)
    # What is missing must be missed before anything is written.
    _images_of(config)
    if config.init_from is not None:
        resolve_weights(config.init_from, ARCHITECTURE)
    run.make()
    if stacks:
        config = _with_own_stacks(config, stacks, run.path, device, report)
    run.write_config(config)
    return _train(run, picked, n_workers, threads, report)


def _with_own_stacks(
    config: TrainConfig, stacks: Sequence[str], folder: Path, device: str, report: Report
) -> TrainConfig:
    """Fuse stacks into a run's folder, which is gone again if that fails."""
    images = folder / _OWN_IMAGES
    try:
        write_fused_images(stacks, images, device=device, report=report)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return config.learning_also_from(images)


def continue_run(
    folder: Path,
    *,
    device: str = "auto",
    n_workers: int = 1,
    threads: int | None = None,
    report: Report = print,
) -> Path:
    """Continue a run that was stopped, exactly as if it had not been.

    Parameters
    ----------
    folder : Path
        Of the run.
    device, n_workers, threads, report
        As for `new_run`.

    Returns
    -------
    Path
        The model's folder.

    Raises
    ------
    ParameterError, SourceError
        If the folder holds no run, or its checkpoint or images cannot be read.
    OutputError
        If the run's folder cannot be written.
    """
    return _train(RunFolder(Path(folder)), pick_device(device), n_workers, threads, report)


def _train(
    run: RunFolder, device: torch.device, n_workers: int, threads: int | None, report: Report
) -> Path:
    config = run.config()
    mixture = Mixture(_images_of(config), config.data.shares, config.data.distractors)
    trainer = Trainer(config, mixture, run, device, n_workers=n_workers, report=report)
    with torch_scope(threads):
        trainer.run()
    model = run.path / MODEL
    facts = _facts(config, trainer, device)
    description = described(
        architecture=ARCHITECTURE,
        input_range={"eight_bit": "percentiles", "other": "percentiles"},
        training=facts,
        **{**OUTSIDE_THE_NETWORK, **config.model.model_dump(exclude_none=True)},
    )
    write_model_folder(model, trainer.average.state, description, overwrite=True)
    return model


def _images_of(config: TrainConfig) -> ImageSource:
    images = config.data.images
    sources = [source for item in images.folders for source in _sources(config, item)]
    if not sources:
        return ImageSource.procedural()
    exclude = [pattern for item in images.folders for pattern in item.exclude]
    return ImageSource.from_files(
        sources, exclude=exclude, procedural_share=images.procedural_share
    )


def _sources(config: TrainConfig, item: ImageFolder) -> list[Path]:
    folder = Path(config.data_folder) / item.folder
    return [folder / pattern for pattern in item.files] or [folder]


def _facts(config: TrainConfig, trainer: Trainer, device: torch.device) -> dict[str, object]:
    """Return what the card says of the training."""
    text = config_text(config.model_copy(update={"data_folder": "."}))
    return {
        "config": config.name,
        "config_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "steps": config.steps,
        "hours": round(trainer.hours, 2),
        "machine": _machine(device),
        "seed": config.seed,
        "started_from": config.init_from or "",
        "data": tuple(_data_sources(config.data.images, config)),
        "synthesis": _synthesis(config),
    }


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        import torch

        return str(torch.cuda.get_device_name(device))
    return f"{os.cpu_count()} processor cores, {platform.machine()}"


def _data_sources(images: ImagesConfig, config: TrainConfig) -> list[dict[str, object]]:
    from napari_gmff.training.synthesis.image_cache import find_images

    rows: list[dict[str, object]] = []
    for item in images.folders:
        files = find_images(_sources(config, item), item.exclude)
        # A folder of the user's own is named without where it lies.
        name = Path(item.folder).name if Path(item.folder).is_absolute() else item.folder
        rows.append(
            {
                "name": name,
                "license": item.license,
                "source": item.source,
                "n_images": len(files),
            }
        )
    if images.procedural_share or not rows:
        rows.append({"name": "computed textures", "license": "BSD-3-Clause"})
    return rows


def _synthesis(config: TrainConfig) -> str:
    total = sum(config.data.shares.values())
    parts = (f"{kind} {share / total:.0%}" for kind, share in config.data.shares.items() if share)
    return f"napari_gmff.training.synthesis, by kind of stack: {', '.join(parts)}"
