"""The dock widget *Restore (generative)*: off until the user agrees, and never without banner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import (
    QFormLayout,
    QFrame,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_gmff._napari.common.background import Background
from napari_gmff._napari.common.connections import Connections
from napari_gmff._napari.common.field_editors import ChoiceEditor
from napari_gmff._napari.common.notices import show_failure
from napari_gmff._napari.common.real_viewer import real_viewer
from napari_gmff._napari.common.words import Words, with_mnemonic
from napari_gmff._napari.restoring.banner import Banner
from napari_gmff._napari.restoring.consent_page import ConsentPage
from napari_gmff._napari.restoring.models_page import ModelsPage
from napari_gmff._napari.restoring.restoration_page import RestorationPage
from napari_gmff._napari.restoring.restoration_parts import RestorationParts

if TYPE_CHECKING:
    import napari.viewer

    from napari_gmff._napari.restoring.restoration_parts import Readiness


class RestorationWidget(QWidget):
    """Restores fused images, once the user has agreed and the weights are there.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer that it is docked to.
    parts : RestorationParts, optional
        Models and runs; those of the program where left out.

    Attributes
    ----------
    banner : Banner
        Above every page.
    consent, models, page
        The pages; one is seen at a time.
    model : ChoiceEditor
        The model that the first two pages are about.
    """

    def __init__(self, viewer: napari.viewer.Viewer, parts: RestorationParts | None = None) -> None:
        super().__init__()
        viewer = real_viewer(viewer)
        self._parts = RestorationParts() if parts is None else parts
        self._readiness: Readiness | None = None
        letters: set[str] = set()
        self.banner = Banner()
        self._problem = Words("problem")
        self.model = ChoiceEditor([("IFControlNet", "ifcontrolnet")])
        self.consent = ConsentPage(letters)
        self.models = ModelsPage(self._parts)
        self.page = RestorationPage(viewer, self._parts, letters, Connections(self))
        self._asking, self._offering = Background(self), Background(self)
        self._agreeing = Background(self)
        self._lay_out(letters)
        self._connect()
        self._show_page()
        self._offering.ask(self._parts.offered)
        self._ask()

    @property
    def problem(self) -> str:
        """What is missing of the installation, in words; empty where nothing is."""
        return self._problem.words

    @property
    def shown_page(self) -> QWidget | None:
        """The page that is seen; None until it is known which one that is."""
        pages = (self.consent, self.models, self.page)
        return next((page for page in pages if not page.isHidden()), None)

    def event(self, event: QEvent) -> bool:
        """Stop everything when the dock is closed: napari takes the widget out of it then."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.shut()
        return bool(super().event(event))

    def closeEvent(self, event: Any) -> None:
        """Stop everything when the widget is closed."""
        self.shut()
        super().closeEvent(event)

    def shut(self) -> None:
        """Stop what runs, and take away what only helps to see."""
        self.models.abandon()
        self.page.shut()

    def _lay_out(self, letters: set[str]) -> None:
        """Scroll through the page; banner and buttons are always in reach."""
        self._choice = QWidget()
        choice = QFormLayout(self._choice)
        choice.setContentsMargins(0, 0, 0, 0)
        choice.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        label = QLabel(with_mnemonic("Model", letters))
        label.setBuddy(self.model)
        self.model.focusProxy().setAccessibleName("Model")
        choice.addRow(label, self.model)
        pages = QWidget()
        inner = QVBoxLayout(pages)
        inner.setContentsMargins(6, 0, 6, 6)
        inner.setSpacing(8)
        for widget in (self._choice, self.consent, self.models, self.page):
            inner.addWidget(widget)
        inner.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidget(pages)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        above = QVBoxLayout()
        above.setContentsMargins(6, 6, 6, 0)
        above.addWidget(self.banner)
        above.addWidget(self._problem)
        below = QVBoxLayout()
        below.setContentsMargins(6, 0, 6, 6)
        below.addWidget(self.page.panel)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(above)
        layout.addWidget(scroll, 1)
        layout.addLayout(below)

    def _connect(self) -> None:
        self._offering.answered.connect(self._on_offered)
        self._offering.failed.connect(show_failure)
        self._asking.answered.connect(self._on_readiness)
        self._asking.failed.connect(show_failure)
        self._agreeing.answered.connect(self._ask)
        self._agreeing.failed.connect(show_failure)
        self.consent.agreed.connect(self._on_agreed)
        self.models.got.connect(self._ask)
        self.model.changed.connect(self._on_model)
        self.page.models_changed.connect(self._ask)

    def _ask(self, _: object = None) -> None:
        """Find out what the chosen models still need."""
        params = self.page.params()
        if params is not None:
            self.model.set_value(params.model)
            self._asking.ask(self._parts.readiness, params)

    def _on_offered(self, offered: dict[str, list[tuple[str, str]]]) -> None:
        self.page.offer_models(offered)
        self.model.set_choices(offered["model"])

    def _on_model(self) -> None:
        self.page.form.editor("model").set_value(self.model.value())

    def _on_agreed(self, names: list[str]) -> None:
        self._agreeing.ask(self._parts.give_consent, names)

    def _on_readiness(self, readiness: Readiness) -> None:
        self._readiness = readiness
        self._problem.say(readiness.missing_extra)
        self.consent.show_models(readiness.models)
        self.models.show_models(readiness.models)
        self._show_page()

    def _show_page(self) -> None:
        """Show the first page that still has something to be done on it."""
        readiness = self._readiness
        needs_consent = readiness is not None and not readiness.has_consent
        is_complete = readiness is not None and readiness.is_complete
        needs_models = readiness is not None and not needs_consent and not is_complete
        was_shown = not self.page.isHidden()
        self.consent.setVisible(needs_consent)
        self.models.setVisible(needs_models)
        self._choice.setVisible(needs_consent or needs_models)
        for widget in (self.page, self.page.panel):
            widget.setVisible(is_complete)
        if is_complete and not was_shown:
            self.page.come_back()
        elif was_shown and not is_complete:
            self.page.leave()
