"""`RunFolder`: config, logs and checkpoints of one training run on disk."""

from __future__ import annotations

import csv
import os
from typing import TYPE_CHECKING, Any

import torch

from napari_gmff.errors import OutputError, ParameterError
from napari_gmff.export.atomic import translate_os_errors
from napari_gmff.failures import reading
from napari_gmff.training.config import TrainConfig, config_text, load_config

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

CONFIG_FILE = "config.yaml"
STEP_LOG = "steps.csv"
VALIDATION_LOG = "validation.csv"
CHECKPOINT = "checkpoint.pt"
CURVES = "curves.png"
MODEL = "model"

Checkpoint = dict[str, Any]


class RunFolder:
    """Config, logs and checkpoints of one training run.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def check_new(self) -> None:
        """Make sure that a new run may begin here.

        Raises
        ------
        OutputError
            If the folder exists and is not empty.
        """
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise OutputError(f"{self.path}: already there; give a new folder, or --resume it")

    def begin(self, config: TrainConfig) -> None:
        """Make the folder and keep the config in it.

        Raises
        ------
        OutputError
            If the folder exists and is not empty, or cannot be written.
        """
        self.make()
        self.write_config(config)

    def make(self) -> None:
        """Make the folder; it is a run only once it holds a config.

        Raises
        ------
        OutputError
            If the folder exists and is not empty, or cannot be written.
        """
        self.check_new()
        with translate_os_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)

    def write_config(self, config: TrainConfig) -> None:
        """Keep the config in the folder."""
        with translate_os_errors(self.path):
            partial = self.path / f".{CONFIG_FILE}.partial"
            partial.write_text(config_text(config), encoding="utf-8")
            partial.replace(self.path / CONFIG_FILE)

    def config(self) -> TrainConfig:
        """Return the config the run was begun with.

        Raises
        ------
        ParameterError
            If the folder holds none.
        """
        if not (self.path / CONFIG_FILE).is_file():
            raise ParameterError(f"{self.path}: not a training run; it holds no {CONFIG_FILE}")
        return load_config(self.path / CONFIG_FILE)

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint; the one before stays whole until the new one is.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        with translate_os_errors(self.path):
            partial = self.path / f".{CHECKPOINT}.partial"
            with open(partial, "wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self.path / CHECKPOINT)

    def load_checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint, or None if the run has none yet; nothing in it is run as code.

        Raises
        ------
        SourceError
            If it cannot be read.
        """
        path = self.path / CHECKPOINT
        if not path.exists():
            return None
        with reading(str(path)):
            checkpoint: Checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        return checkpoint

    def append(self, log: str, rows: Iterable[Mapping[str, object]]) -> None:
        """Add rows to a log; the first row of a file decides its columns."""
        rows = list(rows)
        if not rows:
            return
        path = self.path / log
        with translate_os_errors(path):
            _write_rows(path, rows, with_header=not path.exists())

    def rows(self, log: str) -> list[dict[str, str]]:
        """Return the rows of a log; none if there is no such log yet."""
        path = self.path / log
        if not path.exists():
            return []
        with reading(str(path)), open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def forget_after(self, step: int) -> None:
        """Drop what the logs hold of steps from `step` on, which will be done again."""
        for log in (STEP_LOG, VALIDATION_LOG):
            rows = self.rows(log)
            kept: list[Mapping[str, object]] = [row for row in rows if int(row["step"]) < step]
            if len(kept) == len(rows):
                continue
            with translate_os_errors(self.path):
                if not kept:
                    (self.path / log).unlink()
                    continue
                partial = self.path / f".{log}.partial"
                partial.unlink(missing_ok=True)
                _write_rows(partial, kept, with_header=True)
                partial.replace(self.path / log)


def _write_rows(path: Path, rows: list[Mapping[str, object]], *, with_header: bool) -> None:
    with open(path, "a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        if with_header:
            writer.writeheader()
        writer.writerows(rows)
