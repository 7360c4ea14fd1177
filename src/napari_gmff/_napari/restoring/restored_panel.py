"""The part of the dock that shows what was restored: compare, look at maps, cite, save."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_info
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QApplication,
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_gmff._napari.common.field_editors import ChoiceEditor
from napari_gmff._napari.common.tasks import start_task
from napari_gmff._napari.common.words import Words, with_mnemonic
from napari_gmff._napari.layers.restored_sets import restored_sets
from napari_gmff._napari.layers.swipe import Swipe
from napari_gmff.methods import methods_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel

    from napari_gmff._napari.layers.restored_sets import RestoredSet
    from napari_gmff.stored_images import Format

_SLIDER_STEPS = 1000

_TITLES = {
    "restored": "restored image",
    "restored_mean": "mean of all seeds",
    "difference": "restored − fused",
    "abs_difference": "|restored − fused|",
    "spread": "spread of the model",
    "contradiction": "contradiction",
    "restoration_mask": "mask",
}
"""Images in the order in which they are offered."""

_FORMATS: dict[str, tuple[str, Format]] = {
    "OME-Zarr (*.ome.zarr)": (".ome.zarr", "ome-zarr"),
    "OME-Zarr 0.4, for older programs (*.ome.zarr)": (".ome.zarr", "ome-zarr-0.4"),
    "Folder of OME-TIFFs (*.ome-tiff)": (".ome-tiff", "ome-tiff"),
    "Folder of TIFFs for ImageJ (*.imagej)": (".imagej", "imagej"),
}


class RestoredPanel(QWidget):
    """What can be done with a restoration.

    Parameters
    ----------
    viewer : ViewerModel
        Has its layers.
    used_letters : set of str
        Mnemonics that are taken; those of this panel are added.

    Attributes
    ----------
    look : ChoiceEditor
        Which of its images is seen.
    swipe_box : QCheckBox
        Compares with the fused image.
    swipe : Swipe or None
        The comparison that is seen.
    """

    def __init__(self, viewer: ViewerModel, used_letters: set[str]) -> None:
        super().__init__()
        self._viewer = viewer
        self._made: RestoredSet | None = None
        self.swipe: Swipe | None = None
        self._words, self._caution = Words(), Words("problem")
        self.look = ChoiceEditor([])
        self.look.changed.connect(self._on_look)
        self.swipe_box = QCheckBox(with_mnemonic("Swipe: fused left, restored right", used_letters))
        self.swipe_box.toggled.connect(self._on_swipe)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _SLIDER_STEPS)
        self.slider.setValue(_SLIDER_STEPS // 2)
        self.slider.setAccessibleName("Place of the line")
        self.slider.setToolTip("Place of the line; it can be dragged in the image too")
        self.slider.valueChanged.connect(self._on_slider)
        self.slider.hide()
        self.copy = self._button(
            "Copy methods text", used_letters, self._copy, "Copy a paragraph with citations, and "
            "what journals ask to disclose",
        )  # fmt: skip
        self.save = self._button(
            "Save restoration…", used_letters, self._save, "Save all images of this restoration "
            "with their marks and the record",
        )  # fmt: skip
        self._lay_out(used_letters)
        self.use(None)

    @property
    def words(self) -> str:
        """What the restoration changed, in words."""
        return self._words.words

    @property
    def caution(self) -> str:
        """What to beware of, in words."""
        return self._caution.words

    @property
    def made(self) -> RestoredSet | None:
        """The restoration that is looked at."""
        return self._made

    def use(self, made: RestoredSet | None) -> None:
        """Tell of another restoration, or of none."""
        if made is not None and made is self._made:
            return
        self.end()
        self._made = made
        fusion = None if made is None else made.fusion
        there = [] if made is None else [name for name in _TITLES if made.layers.get(name)]
        self.look.set_choices([(_TITLES[name], name) for name in there])
        if "restored" in there:
            self.look.set_value("restored")
        self._words.say("" if made is None else changes_in_words(made))
        self._caution.say("" if made is None else caution_in_words(made))
        self.swipe_box.setEnabled(
            "restored" in there and fusion is not None and bool(fusion.layers.get("fused"))
        )
        self.setVisible(made is not None)

    def follow_layers(self) -> None:
        """Notice that layers were deleted, or the whole restoration."""
        if self._made is not None and self._made not in list(restored_sets(self._viewer)):
            self.use(None)
        elif self.swipe is not None and len(self.swipe.layers) < 2:
            self.end()

    def end(self) -> None:
        """End the comparison, and put the layers back."""
        self.swipe_box.setChecked(False)

    def methods(self) -> str:
        """Return the paragraph for a paper; empty without a restoration."""
        return "" if self._made is None else methods_text(self._made.result.provenance)

    def save_to(self, path: str, format: Format = "ome-zarr", *, overwrite: bool = False) -> Any:
        """Save the restoration in a thread; its end becomes a notification."""
        assert self._made is not None
        return start_task(
            f"Saving {path}",
            self._made.result.save,
            path,
            format=format,
            overwrite=overwrite,
            done=lambda saved: show_info(f"Saved {saved}"),
        )

    def _lay_out(self, used_letters: set[str]) -> None:
        label = QLabel(with_mnemonic("Look at", used_letters))
        label.setBuddy(self.look)
        row = QHBoxLayout()
        row.addWidget(label)
        row.addWidget(self.look, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._words)
        layout.addWidget(self._caution)
        layout.addLayout(row)
        layout.addWidget(self.swipe_box)
        layout.addWidget(self.slider)
        for button in (self.copy, self.save):  # side by side they would be wider than the dock
            layout.addWidget(button)

    def _button(
        self, title: str, used_letters: set[str], slot: Callable[[], None], tip: str
    ) -> QPushButton:
        button = QPushButton(with_mnemonic(title, used_letters))
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.setToolTip(f"<qt>{tip}</qt>")
        button.clicked.connect(lambda _=False: slot())
        return button

    def _on_look(self) -> None:
        if self._made is None:
            return
        self.end()
        for name, layers in self._made.layers.items():
            for layer in layers:
                layer.visible = name == self.look.chosen
        shown = self._made.layers.get(str(self.look.chosen))
        if shown:
            # So that its limits and colours are at hand.
            self._viewer.layers.selection.active = shown[0]

    def _on_swipe(self, is_on: bool) -> None:
        if self.swipe is not None:
            swipe, self.swipe = self.swipe, None
            swipe.end()
        self.slider.setVisible(is_on)
        made = self._made
        fusion = None if made is None else made.fusion
        if not is_on or made is None or fusion is None or not fusion.layers.get("fused"):
            return
        # The fused image lies below: only a part of it may have been restored.
        right = [*fusion.layers["fused"], *made.layers.get("restored", [])]
        self.swipe = Swipe(
            self._viewer, fusion, self.slider.value() / _SLIDER_STEPS, right=right, parent=self
        )
        self.swipe.moved.connect(self._on_moved)

    def _on_slider(self, value: int) -> None:
        if self.swipe is not None:
            self.swipe.move_to(value / _SLIDER_STEPS)

    def _on_moved(self, fraction: float) -> None:
        self.slider.blockSignals(True)
        self.slider.setValue(round(fraction * _SLIDER_STEPS))
        self.slider.blockSignals(False)

    def _copy(self) -> None:
        QApplication.clipboard().setText(self.methods())
        show_info("Methods text copied.")

    def _save(self) -> None:
        if self._made is None:
            return
        path, chosen = QFileDialog.getSaveFileName(
            self, "Save restoration", f"{self._made.name} restored", ";;".join(_FORMATS)
        )
        if path:
            suffix, format = _FORMATS.get(chosen, _FORMATS["OME-Zarr (*.ome.zarr)"])
            # The dialog has asked about the very name that it gave, and about no other.
            is_asked = path.lower().endswith(suffix)
            self.save_to(path if is_asked else f"{path}{suffix}", format, overwrite=is_asked)


def changes_in_words(made: RestoredSet) -> str:
    """Say how much a restoration changed."""
    share = 100 * made.result.changed_share
    return f"{made.name}: {share:.3g} % of the pixels were changed by a model."


def caution_in_words(made: RestoredSet) -> str:
    """Say what to look at before believing anything."""
    if made.result.contradiction is None:
        return "The stack was not at hand, so nothing says where this contradicts the slices."
    return "Look at the contradiction with the slices before you believe a detail."
