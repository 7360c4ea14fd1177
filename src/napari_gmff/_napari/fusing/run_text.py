"""A run as text: copied as Python or a command line, saved to a file and loaded again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from napari.utils.notifications import show_info
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QApplication, QFileDialog, QGridLayout, QPushButton, QSizePolicy, QWidget

from napari_gmff._napari.common.background import Background
from napari_gmff._napari.common.notices import show_failure
from napari_gmff._napari.common.words import with_mnemonic
from napari_gmff._napari.fusing.parameter_file import FILTER, load_parameters, save_parameters
from napari_gmff.commands import as_command_line, as_python

if TYPE_CHECKING:
    from napari_gmff.params import FuseParams


class RunWords(NamedTuple):
    """What a run is made of.

    Attributes
    ----------
    origin : str or None
        Path that the stack was read from, None for pixels that came from no file.
    read_options : dict
        Options of `read_stack` that differ from their defaults.
    params : FuseParams
        All parameters.
    """

    origin: str | None
    read_options: dict[str, Any]
    params: FuseParams


class RunText(QWidget):
    """Four buttons for those who want the run outside of the window.

    Parameters
    ----------
    run : callable
        Returns the `RunWords` of the run that the form describes; None where it describes none.
    used_letters : set of str
        Mnemonics that are taken; those of the buttons are added.
    """

    loaded = Signal(dict)
    """Values of a parameter file, by name."""

    def __init__(self, run: Callable[[], RunWords | None], used_letters: set[str]) -> None:
        super().__init__()
        self._run = run
        self._saving, self._loading = Background(self), Background(self)
        self._saving.answered.connect(self._on_saved)
        self._saving.failed.connect(show_failure)
        self._loading.answered.connect(self.loaded.emit)
        self._loading.failed.connect(show_failure)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        buttons = (
            ("Copy as Python", "Copy a script that repeats this run", self.copy_python),
            ("Copy command line", "Copy the command line that repeats this run", self.copy_command),
            ("Save settings…", "Save the parameters to a file for --params", self._save),
            ("Load settings…", "Load parameters saved here or written by hand", self._load),
        )
        self._needs_stack = []
        for number, (title, tooltip, slot) in enumerate(buttons):
            button = QPushButton(with_mnemonic(title, used_letters))
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.setToolTip(tooltip)
            button.clicked.connect(lambda _=False, slot=slot: slot())
            layout.addWidget(button, number // 2, number % 2)
            if number < 3:
                self._needs_stack.append(button)

    def set_ready(self, is_ready: bool) -> None:
        """Offer the run as text where there is one."""
        for button in self._needs_stack:
            button.setEnabled(is_ready)

    def copy_python(self) -> None:
        """Put a script that repeats the run on the clipboard."""
        self._copy(as_python, "Python script")

    def copy_command(self) -> None:
        """Put the command line that repeats the run on the clipboard."""
        self._copy(as_command_line, "Command line")

    def save_to(self, path: str) -> None:
        """Save the parameters to a file, in a thread."""
        run = self._run()
        if run is not None:
            self._saving.ask(save_parameters, path, run.params, run.read_options)

    def load_from(self, path: str) -> None:
        """Load parameters from a file, in a thread; `loaded` comes when it is read."""
        self._loading.ask(load_parameters, path)

    def _copy(self, write: Callable[..., str], what: str) -> None:
        run = self._run()
        if run is not None:
            QApplication.clipboard().setText(write(run.origin, run.params, run.read_options))
            show_info(f"{what} copied.")

    def _save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save settings", "fusion.json", FILTER)
        if path:
            self.save_to(path)

    def _load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load settings", "", FILTER)
        if path:
            self.load_from(path)

    def _on_saved(self, path: str) -> None:
        show_info(f"Settings saved to {path}.")
