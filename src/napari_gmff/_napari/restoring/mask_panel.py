"""The part of the dock that says where pixels may be restored, and shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_gmff._napari.common.field_editors import ChoiceEditor
from napari_gmff._napari.common.links import Links
from napari_gmff._napari.common.newest import Newest
from napari_gmff._napari.common.notices import show_failure
from napari_gmff._napari.common.words import Words, share_words, with_mnemonic
from napari_gmff._napari.layers.label_places import arranged
from napari_gmff._napari.restoring.mask_layers import (
    add_mask_layer,
    is_mask_of,
    painted_mask,
    shape_of,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from napari_gmff._napari.layers.saved_fusions import Fusion
    from napari_gmff._napari.restoring.restoration_parts import RestorationParts

CONFIDENCE = "confidence"
"""The choice of the area of low confidence."""

PAINTED_MS = 250
"""After a stroke, before the painted pixels are counted."""

_NO_CONFIDENCE = (
    "This fusion has no confidence: its pixels were computed from all slices. Paint where it is "
    "to be restored."
)
_TIP = (
    "Only pixels in the mask are restored; all others stay as they were fused, bit for bit. Take "
    "those of low focus confidence, or paint in a Labels layer with napari's own tools: any label "
    "counts."
)


class MaskPanel(QWidget):
    """Chooses the mask, shows it over the image, and says how much of the image it is.

    Parameters
    ----------
    viewer : ViewerModel
        Receives the layers.
    parts : RestorationParts
        Makes masks of confidence.
    used_letters : set of str
        Mnemonics that are taken; those of this panel are added.

    Attributes
    ----------
    choice : ChoiceEditor
        `CONFIDENCE`, or the Labels layer that was painted; None where there is neither.
    brush : QPushButton
        Makes a layer to paint in.
    box : QCheckBox
        Shows the mask as a layer.
    """

    changed = Signal()
    """Another mask is chosen, or can be."""
    renewed = Signal()
    """The mask was made again."""

    def __init__(
        self, viewer: ViewerModel, parts: RestorationParts, used_letters: set[str]
    ) -> None:
        super().__init__()
        self._viewer = viewer
        self._parts = parts
        self._fusion: Fusion | None = None
        self._below = 0.0
        self._mask: NDArray[np.bool_] | None = None
        self._layer: Labels | None = None
        self._painted = Links()
        self.choice = ChoiceEditor([("low focus confidence", CONFIDENCE)])
        self.choice.changed.connect(self._on_choice)
        self.box = QCheckBox(with_mnemonic("Show the mask", used_letters))
        self.box.setToolTip("Show where pixels will be restored, as a layer over the image")
        self.box.setChecked(True)
        self.box.toggled.connect(self._show)
        self.brush = QPushButton(with_mnemonic("Paint it…", used_letters))
        self.brush.setToolTip("Make a Labels layer of the mask, and take the brush")
        self.brush.clicked.connect(lambda: self.paint())
        self._words, self._problem = Words(), Words("problem")
        self._making = Newest(self)
        self._making.answered.connect(self._on_mask)
        self._making.failed.connect(show_failure)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(PAINTED_MS)
        self._later.timeout.connect(self.refresh)
        self._lay_out(used_letters)

    @property
    def words(self) -> str:
        """How much of the image is in the mask, in words."""
        return self._words.words

    @property
    def problem(self) -> str:
        """What is wrong with the choice; empty where nothing is."""
        return self._problem.words

    @property
    def layer(self) -> Labels | None:
        """The layer that shows the mask, None where it is not shown."""
        return self._layer if self._layer in self._viewer.layers else None

    @property
    def shown(self) -> NDArray[np.bool_] | None:
        """The mask (T)YX that `words` is about; None until it is made."""
        return self._mask

    @property
    def is_from_confidence(self) -> bool:
        """Whether the mask follows the confidence, and so the threshold."""
        return self.choice.chosen == CONFIDENCE

    @property
    def is_busy(self) -> bool:
        """Whether the mask is being made."""
        return self._making.is_busy or self._later.isActive()

    def use(self, fusion: Fusion | None) -> None:
        """Tell of another fusion, or of none."""
        if fusion is not self._fusion:
            self._remove_layer()
            self._mask = None
            self._fusion = fusion
        self.offer()
        self.refresh()

    def set_below(self, below: float) -> None:
        """Take another threshold of confidence, from 0 to 1."""
        if below != self._below:
            self._below = below
            self.refresh()

    def mask(self) -> NDArray[np.bool_] | None:
        """Return the painted mask (T)YX; None where it is that of confidence."""
        chosen = self.choice.chosen
        if self._fusion is None or not isinstance(chosen, Labels):
            return None
        return painted_mask(chosen, self._fusion)

    def offer(self) -> None:
        """Offer the Labels layers that fit the fusion."""
        fusion = self._fusion
        layers = [] if fusion is None else [
            layer for layer in self._viewer.layers if is_mask_of(layer, fusion)
        ]  # fmt: skip
        from_confidence = [("low focus confidence", CONFIDENCE)] if self._has_confidence() else []
        self.choice.set_choices(
            [
                *from_confidence,
                *((f"painted in {layer.name}", layer) for layer in layers),
                *([] if layers or from_confidence else [("nothing painted yet", None)]),
            ]
        )
        self.brush.setEnabled(fusion is not None)
        self._problem.say("" if fusion is None or from_confidence else _NO_CONFIDENCE)
        if self._layer is not None and self.layer is None:
            self._layer = None
            self.box.setChecked(False)

    def paint(self) -> Labels | None:
        """Make a layer to paint in, which begins as the mask that is shown now."""
        fusion = self._fusion
        over = None if fusion is None else fusion.any_layer()
        if fusion is None or over is None:
            return None
        start = np.zeros(shape_of(fusion), np.uint8)
        if self._mask is not None:
            start[:] = self._mask
        name = f"{fusion.name} where to restore"
        layer = add_mask_layer(self._viewer, start, over, name, is_aid=False)
        layer.selected_label = 1
        self._viewer.layers.selection.active = layer
        layer.mode = "paint"
        self.offer()
        self.choice.set_value(layer)
        return layer

    def refresh(self) -> None:
        """Make the mask again, in a thread."""
        fusion, chosen = self._fusion, self.choice.chosen
        if fusion is None:
            self._making.forget()
            self._words.say("")
        elif isinstance(chosen, Labels):
            self._making.ask(painted_mask, chosen, fusion)
        elif chosen == CONFIDENCE and self._has_confidence():
            confidence = fusion.images.levels("confidence")[0]
            axes = fusion.images.specs["confidence"].axes
            self._making.ask(self._parts.mask_of, confidence, axes, self._below)
        else:
            self._mask = None
            self._words.say("")

    def end(self) -> None:
        """Take the layer away that only shows the mask; a painted one stays."""
        self._making.forget()
        self._later.stop()
        self._painted.cut()
        self._remove_layer()

    def _lay_out(self, used_letters: set[str]) -> None:
        label = QLabel(with_mnemonic("Mask", used_letters))
        label.setBuddy(self.choice)
        for widget in (label, self.choice):
            widget.setToolTip(f"<qt>{_TIP}</qt>")
        self.choice.focusProxy().setAccessibleName("Mask")
        row = QHBoxLayout()
        row.addWidget(label)
        row.addWidget(self.choice, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row)
        layout.addWidget(self._problem)
        below = QHBoxLayout()
        below.addWidget(self.box, 1)
        below.addWidget(self.brush)
        layout.addLayout(below)
        layout.addWidget(self._words)

    def _has_confidence(self) -> bool:
        return self._fusion is not None and "confidence" in self._fusion.images.specs

    def _on_choice(self) -> None:
        self._painted.cut()
        chosen = self.choice.chosen
        if isinstance(chosen, Labels):
            self._remove_layer()  # the painted layer shows itself
            for name in ("paint", "labels_update", "data"):
                self._painted.add(getattr(chosen.events, name), self._on_painted)
        self.refresh()
        self.changed.emit()

    def _on_painted(self, event: object = None) -> None:
        self._later.start()

    def _on_mask(self, mask: NDArray[np.bool_]) -> None:
        if self._fusion is None or mask.shape != shape_of(self._fusion):
            return
        self._mask = mask
        self._words.say(mask_in_words(mask))
        self._show()
        self.renewed.emit()

    def _show(self) -> None:
        """Show the mask, unless it is painted in a layer of its own."""
        fusion, mask = self._fusion, self._mask
        over = None if fusion is None else fusion.any_layer()
        if not self.box.isChecked() or not self.is_from_confidence:
            self._remove_layer()
        elif fusion is not None and over is not None and mask is not None:
            if self.layer is None:
                name = f"{fusion.name} to be restored"
                self._layer = add_mask_layer(self._viewer, mask, over, name, is_aid=True)
            else:
                self.layer.data = arranged(mask.view(np.uint8), over)

    def _remove_layer(self) -> None:
        layer, self._layer = self.layer, None
        if layer is not None:
            self._viewer.layers.remove(layer)


def mask_in_words(mask: NDArray[np.bool_]) -> str:
    """Say how much a mask holds, and what to do where that is nothing."""
    if not mask.any():
        return "No pixel would be restored: raise the threshold, or paint."
    share = share_words(int(np.count_nonzero(mask)), mask.size)
    return f"{share} of the pixels may be restored."
