"""The first page: what generative restoration is, and the consent without which it stays off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QGroupBox,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_gmff._napari.common.read_only_text import ReadOnlyText
from napari_gmff._napari.common.words import Words, with_mnemonic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_gmff._napari.restoring.restoration_parts import ModelState

WHAT_IT_IS = (
    "A diffusion model repaints the parts of a fused image that no slice holds in focus. What it "
    "paints looks plausible; it is not measured. It can invent structures that were never there, "
    "and remove ones that were.\n\n"
    "The result is an image of its own, marked in its name and in every file. Outside a mask that "
    "you choose, it equals the fused image. Use it to look at, never to measure, count, compare or "
    "diagnose.\n\n"
    "Restoration is off until you agree to the terms of its models. Before that, nothing is "
    "downloaded and nothing runs."
)
_TEXT_PX = 170


class ConsentPage(QWidget):
    """Shows the terms of each model that was not agreed to yet, with a box to check.

    Parameters
    ----------
    used_letters : set of str
        Mnemonics that are taken; that of the button is added.

    Attributes
    ----------
    boxes : dict of str to QCheckBox
        By name of the model.
    button : QPushButton
        Turns restoration on, once all boxes are checked.
    """

    agreed = Signal(list)
    """Names of the models that the user has just agreed to."""

    def __init__(self, used_letters: set[str]) -> None:
        super().__init__()
        self.boxes: dict[str, QCheckBox] = {}
        self._shown: tuple[ModelState, ...] = ()
        self._terms = QVBoxLayout()
        self._terms.setSpacing(8)
        self.button = QPushButton(with_mnemonic("Turn restoration on", used_letters))
        self.button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.button.clicked.connect(lambda: self.agreed.emit(list(self.boxes)))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(Words(text=WHAT_IT_IS))
        layout.addLayout(self._terms)
        layout.addWidget(self.button)
        self._update()

    def show_models(self, models: Sequence[ModelState]) -> None:
        """Show the terms of the models among these that were not agreed to."""
        missing = tuple(model for model in models if not model.has_consent)
        if missing == self._shown:
            return
        self._shown = missing
        self.boxes = {}
        while (item := self._terms.takeAt(0)) is not None:
            item.widget().hide()
            item.widget().deleteLater()
        for model in missing:
            self._terms.addWidget(self._terms_of(model))
        self._update()

    def _terms_of(self, model: ModelState) -> QGroupBox:
        box = QGroupBox(model.title)
        text = ReadOnlyText(model.consent_text, _TEXT_PX, f"Terms of {model.title}")
        check = QCheckBox("I have read this and agree")
        check.setAccessibleName(f"I agree to the terms of {model.title}")
        check.toggled.connect(self._update)
        self.boxes[model.name] = check
        layout = QVBoxLayout(box)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(text)
        layout.addWidget(check)
        return box

    def _update(self) -> None:
        boxes = self.boxes.values()
        self.button.setEnabled(bool(boxes) and all(box.isChecked() for box in boxes))
