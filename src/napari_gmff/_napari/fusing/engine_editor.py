"""Picks the engine by its name, and says below what it is."""

from __future__ import annotations

from qtpy.QtWidgets import QBoxLayout

from napari_gmff._napari.common.background import Background
from napari_gmff._napari.common.field_editors import ChoiceEditor
from napari_gmff._napari.common.words import Words
from napari_gmff.engines.registry import engine_names, engine_titles


class EngineEditor(ChoiceEditor):
    """The engines under the names that the command line takes; titles would not fit a dock."""

    def __init__(self) -> None:
        super().__init__([(name, name) for name in engine_names()])
        self._titles: dict[str, str] = {}
        self._words = Words()
        self._row.setDirection(QBoxLayout.Direction.TopToBottom)
        self._row.addWidget(self._words)
        self.changed.connect(self._describe)
        # Titles stand in the engines' modules, and those import torch.
        self._asking = Background(self)
        self._asking.answered.connect(self._take_titles)
        self._asking.ask(engine_titles)

    @property
    def words(self) -> str:
        """What is said of the chosen engine; nothing until it is known."""
        return self._words.words

    def _take_titles(self, titles: dict[str, str]) -> None:
        self._titles = titles
        self._describe()

    def _describe(self) -> None:
        self._words.say(self._titles.get(str(self.chosen), ""))
