"""Picks one of the fusions in the viewer; it follows the layer that the user selects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_gmff._napari.common.field_editors import narrow
from napari_gmff._napari.common.words import Words, with_mnemonic
from napari_gmff._napari.layers.one_choice import is_generated, why_no_one_choice
from napari_gmff._napari.layers.result_sets import result_sets, set_of
from napari_gmff._napari.layers.saved_fusions import saved_fusions, saved_of
from napari_gmff.export.layout import has_generated
from napari_gmff.marks import marked

if TYPE_CHECKING:
    import napari.viewer

    from napari_gmff._napari.common.connections import Connections
    from napari_gmff._napari.layers.saved_fusions import Fusion


class SetPicker(QWidget):
    """A list of the fusions in a viewer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Whose fusions are offered.
    used_letters : set of str
        Mnemonics that are taken; that of the label is added.
    connections : Connections
        Of the dock widget that the picker is part of.
    with_saved : bool
        Offer results that were opened from disk too, each as a `SavedFusion`.
    warns : bool
        Say so where the selected layer was restored, and what a dock shows is not of that layer.
    """

    picked = Signal(object)
    """The `ResultSet` that is looked at now; None where there is none."""

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        used_letters: set[str],
        connections: Connections,
        *,
        with_saved: bool = False,
        warns: bool = True,
    ) -> None:
        super().__init__()
        self._viewer = viewer
        self._with_saved = with_saved
        self._warns = warns
        self._sets: list[Fusion] = []
        self._shown: Fusion | None = None
        self._box = QComboBox()
        narrow(self._box)
        self._box.setAccessibleName("Fusion")
        self._box.setToolTip("<qt>The fusion to look at; it follows the layer you select.</qt>")
        label = QLabel(with_mnemonic("Fusion", used_letters))
        label.setBuddy(self._box)
        row = QHBoxLayout()
        row.addWidget(label)
        row.addWidget(self._box, 1)
        self._not_measured = Words("problem")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self._not_measured)
        self.setFocusProxy(self._box)
        self._box.currentIndexChanged.connect(self._on_chosen)
        connections.add(result_sets(viewer).changed, self._offer)
        if with_saved:
            connections.add(viewer.layers.events.inserted, self._offer)
            connections.add(viewer.layers.events.removed, self._offer)
        connections.add(viewer.layers.selection.events.active, self._follow)
        self._offer()
        self._follow()

    @property
    def result_set(self) -> Any:
        """The fusion that is picked; None where the viewer has none."""
        return self._shown

    @property
    def words(self) -> str:
        """What is said of a restored layer that is selected; empty where another one is."""
        return self._not_measured.words

    def pick(self, result_set: Fusion) -> None:
        """Pick a fusion of the viewer."""
        if result_set in self._sets:
            self._box.setCurrentIndex(self._sets.index(result_set))

    def _offer(self, event: object = None) -> None:
        """List the fusions; a new one is picked, and the picked one stays while it is there."""
        known = self._sets
        self._sets = list(result_sets(self._viewer))
        if self._with_saved:
            self._sets += saved_fusions(self._viewer, known)
        if event is not None and self._sets == known:
            return
        new = [one for one in self._sets if one not in known]
        wanted = new[-1] if new else self._shown
        self._box.blockSignals(True)
        self._box.clear()
        self._box.addItems([_title(one) for one in self._sets])
        if wanted in self._sets:
            self._box.setCurrentIndex(self._sets.index(wanted))
        self._box.blockSignals(False)
        self._box.setEnabled(bool(self._sets))
        self._on_chosen()

    def _follow(self, event: object = None) -> None:
        if result_sets(self._viewer).is_adding:
            return
        active = self._viewer.layers.selection.active
        found = set_of(active)
        saved = saved_of(active)
        for one in self._sets:
            if one is found or (saved is not None and getattr(one, "saved", None) is saved):
                self.pick(one)
        self._say_what_is_measured()

    def _say_what_is_measured(self) -> None:
        """Warn where the selected layer was restored, and what is shown is not of that layer."""
        # A restored image that is picked itself is refused by the dock, in as many words.
        is_apart = is_generated(self._viewer.layers.selection.active) and self._shown is not None
        if not is_apart or not self._warns or why_no_one_choice(self._shown):
            self._not_measured.say("")
            return
        name = "" if self._shown is None else self._shown.name
        self._not_measured.say(
            "The selected layer was restored by a generative model and is not measured. What is "
            f"shown here is of the fusion {name}, as it was measured."
        )

    def _on_chosen(self, index: int = 0) -> None:
        index = self._box.currentIndex()
        chosen = self._sets[index] if 0 <= index < len(self._sets) else None
        if chosen is not self._shown:
            self._shown = chosen
            self.picked.emit(chosen)
            self._say_what_is_measured()


def _title(fusion: Fusion) -> str:
    """Name a fusion in the list, where a restoration of the same stack may stand beside it."""
    is_restored = has_generated(fusion.result.images, fusion.result.provenance)
    return marked(f"{fusion.name} restored") if is_restored else fusion.name
