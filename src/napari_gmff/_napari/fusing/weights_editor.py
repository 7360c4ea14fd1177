"""Picks the weights of the network: shipped, stored, to be downloaded, or a file."""

from __future__ import annotations

from typing import NamedTuple

from napari.utils.notifications import show_error, show_info
from qtpy.QtWidgets import QFileDialog, QPushButton

from napari_gmff._napari.common.background import Background
from napari_gmff._napari.common.field_editors import ChoiceEditor

_FILE = "file…"
_BROWSE = object()
"""Stands for the entry that opens a file dialog."""


class WeightsList(NamedTuple):
    """Models that can be chosen.

    Attributes
    ----------
    here : list of tuple of str
        Words and name of each model that is stored, beside the shipped one.
    elsewhere : list of tuple of str
        Those of the catalogue that are not, with the size of the download in the words.
    shipped : str
        Words for the package's own.
    """

    here: list[tuple[str, str]]
    elsewhere: list[tuple[str, str]]
    shipped: str


class WeightsEditor(ChoiceEditor):
    """A list of models, with a button that downloads the chosen one where it is not stored."""

    def __init__(self) -> None:
        super().__init__([("the package's own", None)])
        self._files: list[str] = []
        self._models = WeightsList([], [], "the package's own")
        self._before: object = None
        self._download = QPushButton("Get")
        self._download.setToolTip("Download these weights once and keep them on this computer")
        self._download.clicked.connect(self._get)
        self._download.hide()
        self._row.addWidget(self._download)
        self._listing, self._getting = Background(self), Background(self)
        self._listing.answered.connect(self._offer)
        self._getting.answered.connect(self._on_got)
        self._getting.failed.connect(self._on_failed)
        self.changed.connect(self._on_choice)
        self._listing.ask(known_weights)

    @property
    def missing(self) -> str:
        """Name of the chosen model where it is not on this computer, else ``""``."""
        names = [name for _, name in self._models.elsewhere]
        return str(self.value()) if self.value() in names else ""

    def value(self) -> object:
        """Return the name of the model or file, None for the package's own."""
        return self._before if self.chosen is _BROWSE else self.chosen

    def set_value(self, value: object) -> None:
        """Choose a model by its name, or a file."""
        names = [name for part in (self._models.here, self._models.elsewhere) for _, name in part]
        if value is not None and value not in names and value not in self._files:
            self._files.append(str(value))
            self._offer(self._models)
        super().set_value(value)

    def _offer(self, models: WeightsList) -> None:
        self._models = models
        here = {name for _, name in models.here}
        elsewhere = {name for _, name in models.elsewhere}
        files = [(name, name) for name in self._files if name not in here | elsewhere]
        self.set_choices(
            [(models.shipped, None), *models.here, *models.elsewhere, *files, (_FILE, _BROWSE)]
        )
        self._show_download()

    def _on_choice(self) -> None:
        if self.chosen is _BROWSE:
            self._browse()
            return
        self._before = self.value()
        self._show_download()

    def _browse(self) -> None:
        super().set_value(self._before)
        chosen, _ = QFileDialog.getOpenFileName(
            self, "Weights of the network", "", "Weights (*.safetensors *.pth *.pt);;All (*)"
        )
        if chosen:
            self.set_value(chosen)

    def _show_download(self) -> None:
        self._download.setVisible(bool(self.missing))
        self._download.setEnabled(not self._getting.is_busy)

    def _get(self) -> None:
        self._getting.ask(_downloaded, self.missing)
        self._show_download()

    def _on_got(self, name: str) -> None:
        show_info(f"The weights {name} are on this computer now.")
        self._listing.ask(known_weights)

    def _on_failed(self, error: Exception) -> None:
        show_error(str(error))
        self._show_download()


def known_weights() -> WeightsList:
    """List the models; reads the store, so it is for a thread."""
    from napari_gmff.weights.architectures import ARCHITECTURES
    from napari_gmff.weights.catalog import CATALOG
    from napari_gmff.weights.shipped_models import SHIPPED_NAME, has_shipped
    from napari_gmff.weights.store import ModelStore

    stored = [
        model
        for model in ModelStore().models()
        if model.card is not None and model.card.architecture in ARCHITECTURES
    ]
    names = {model.name for model in stored}
    return WeightsList(
        here=[(model.name, model.name) for model in stored],
        elsewhere=[
            (f"{entry.name} (to get: {entry.size_bytes / 1e6:.0f} MB)", entry.name)
            for entry in CATALOG.values()
            if entry.name not in names
        ],
        shipped=SHIPPED_NAME if has_shipped() else f"{SHIPPED_NAME} (missing)",
    )


def _downloaded(name: str) -> str:
    from napari_gmff.weights.obtain import download_model
    from napari_gmff.weights.store import ModelStore

    download_model(name, ModelStore())
    return name
