"""The second page: weights that are missing, and the two ways to get them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_info
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QGroupBox,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_gmff._napari.common.generator_run import GeneratorRun, stoppable
from napari_gmff._napari.common.notices import show_failure
from napari_gmff._napari.common.read_only_text import ReadOnlyText
from napari_gmff._napari.common.words import Words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_gmff._napari.common.generator_run import MakeSteps, RunState
    from napari_gmff._napari.restoring.restoration_parts import ModelState, RestorationParts

_FINE = 1000
_FACTS_PX = 280
_FILTER = "Weights (*.safetensors *.pth *.pt *.ckpt);;All (*)"


class ModelsPage(QWidget):
    """Says for each missing model which file is needed, and gets it.

    Parameters
    ----------
    parts : RestorationParts
        Downloads and imports.

    Attributes
    ----------
    buttons : dict of (str, str) to QPushButton
        By name of the model, and ``"file"`` or ``"download"``.
    cancel : QPushButton
        Stops what is being got; a download goes on from there the next time.
    """

    got = Signal()
    """A model is on this computer now."""

    def __init__(self, parts: RestorationParts) -> None:
        super().__init__()
        self._parts = parts
        self._run: GeneratorRun | None = None
        self._shown: tuple[ModelState, ...] = ()
        self.buttons: dict[tuple[str, str], QPushButton] = {}
        self._models = QVBoxLayout()
        self._models.setSpacing(8)
        self._bar = QProgressBar()
        self._words = Words()
        self.cancel = _button("Cancel", "Stop; a download goes on from there the next time")
        self.cancel.clicked.connect(self.stop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(Words(text="Restoration needs these weights on this computer:"))
        layout.addLayout(self._models)
        for widget in (self._bar, self._words, self.cancel):
            layout.addWidget(widget)
        self._show_running(False)

    @property
    def is_running(self) -> bool:
        """Whether a file is being got."""
        return self._run is not None

    @property
    def words(self) -> str:
        """How far a download is, in words."""
        return self._words.words

    def show_models(self, models: Sequence[ModelState]) -> None:
        """Show those of the models that are not stored."""
        missing = tuple(model for model in models if not model.is_stored)
        if missing == self._shown:
            return
        self._shown = missing
        self.buttons = {}
        while (item := self._models.takeAt(0)) is not None:
            item.widget().hide()
            item.widget().deleteLater()
        for model in missing:
            self._models.addWidget(self._row_of(model))
        self._show_running(self.is_running)

    def import_file(self, name: str, path: str) -> None:
        """Take a file of the user's as a model."""
        self._start(
            f"Importing {Path(path).name}", lambda _: self._parts.import_file(name, Path(path))
        )

    def download(self, name: str) -> None:
        """Download a model."""
        self._start(f"Downloading {name}", lambda _: self._parts.download(name))

    def stop(self) -> None:
        """Stop what is being got."""
        if self._run is not None:
            self._run.cancel()

    def abandon(self) -> None:
        """Stop for good, as when the dock is closed."""
        if self._run is not None:
            self._run.abandon()
            self._end()

    def _row_of(self, model: ModelState) -> QGroupBox:
        box = QGroupBox(model.title)
        layout = QVBoxLayout(box)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(4)
        facts = ReadOnlyText(model.how_to_get, _FACTS_PX, f"Where {model.title} is")
        layout.addWidget(facts)
        self._add_button(
            layout, (model.name, "file"), "Use a local file…", lambda: self._browse(model)
        )
        if model.download_bytes is not None:
            title = f"Download ({model.download_bytes / 1e9:.1f} GB)…"
            self._add_button(
                layout, (model.name, "download"), title, lambda: self.download(model.name)
            )
        return box

    def _add_button(
        self, layout: QVBoxLayout, key: tuple[str, str], title: str, slot: Callable[[], None]
    ) -> None:
        button = _button(title)
        button.clicked.connect(lambda _=False: slot())
        self.buttons[key] = button
        layout.addWidget(button)

    def _browse(self, model: ModelState) -> None:
        path, _ = QFileDialog.getOpenFileName(self, f"Weights of {model.title}", "", _FILTER)
        if path:
            self.import_file(model.name, path)

    def _start(self, title: str, make_steps: MakeSteps) -> None:
        if self._run is not None:
            return
        run = self._run = GeneratorRun(title, stoppable(make_steps), self)
        run.progressed.connect(self._on_progress)
        run.finished.connect(self._on_got)
        run.failed.connect(self._on_failed)
        run.cancelled.connect(self._end)
        self._words.say(f"{title} …")
        self._show_running(True)
        run.start()

    def _on_progress(self, state: RunState) -> None:
        self._bar.setRange(0, _FINE if state.total else 0)
        if state.total:
            self._bar.setValue(round(_FINE * state.done / state.total))
            self._words.say(f"{_gigabytes(state.done)} of {_gigabytes(state.total)}")

    def _on_got(self, _: object) -> None:
        self._end()
        show_info("The weights are on this computer now.")
        self.got.emit()

    def _on_failed(self, error: Exception) -> None:
        self._end()
        show_failure(error)

    def _end(self) -> None:
        run, self._run = self._run, None
        if run is not None:
            run.deleteLater()
        self._words.say("")
        self._show_running(False)

    def _show_running(self, is_running: bool) -> None:
        for widget in (self._bar, self.cancel):
            widget.setVisible(is_running)
        for button in self.buttons.values():
            button.setEnabled(not is_running)


def _button(title: str, tip: str = "") -> QPushButton:
    button = QPushButton(title)
    button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    button.setToolTip(tip)
    return button


def _gigabytes(size_bytes: int) -> str:
    if size_bytes < 1e8:
        return f"{size_bytes / 1e6:.1f} MB"
    return f"{size_bytes / 1e9:.2f} GB"
