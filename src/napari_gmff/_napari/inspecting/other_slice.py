"""What a pixel would be, had it come from another slice: in words and in pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_gmff._napari.common.background import Background
from napari_gmff._napari.common.notices import show_failure
from napari_gmff._napari.common.words import Words
from napari_gmff._napari.inspecting.patch_view import PatchView
from napari_gmff._napari.inspecting.pixel_facts import (
    Surroundings,
    engine_words,
    fused_part,
    surroundings_of,
    would_be_words,
)

if TYPE_CHECKING:
    from napari_gmff._napari.inspecting.pixel_facts import PixelCurves, PixelFacts
    from napari_gmff._napari.layers.saved_fusions import Fusion


class OtherSlice(QWidget):
    """One line of words, and the surroundings of the pixel in both slices."""

    def __init__(self) -> None:
        super().__init__()
        self._set: Fusion | None = None
        self._words = Words()
        self._patches = PatchView()
        self._work = Background(self)
        self._work.answered.connect(self._on_surroundings)
        self._work.failed.connect(show_failure)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._words)
        layout.addWidget(self._patches)

    @property
    def words(self) -> str:
        """What is said."""
        return self._words.words

    @property
    def patches(self) -> PatchView:
        """The pictures; hidden where there are none."""
        return self._patches

    def clear(self, words: str = "") -> None:
        """Show nothing but a few words."""
        self._work.forget()
        self._patches.hide()
        self._words.say(words)

    def show_slice(
        self, result_set: Fusion, facts: PixelFacts, curves: PixelCurves, number: int
    ) -> None:
        """Compare a slice with the one that a pixel came from.

        Parameters
        ----------
        result_set : Fusion
            Whose pixel it is.
        facts, curves
            Of the pixel.
        number : int
            Slice of the source; the pixel's own shows no pictures.
        """
        self._set = result_set
        if number == facts.number:
            self.clear(engine_words(facts, curves))
            return
        self._words.say(would_be_words(result_set.result, facts, curves, number))
        fused = fused_part(result_set, facts.pixel)
        self._work.ask(surroundings_of, result_set.result, facts.pixel, number, fused)

    def _on_surroundings(self, found: Surroundings) -> None:
        layers = [] if self._set is None else self._set.layers.get("fused", [])
        if layers:
            self._patches.show_parts(found.parts, found.at_yx, f"slice {found.number}", layers)
