"""The page that restores: what, where, how, how far it is, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGroupBox, QVBoxLayout, QWidget

from napari_gmff._napari.common.field_editors import ChoiceEditor
from napari_gmff._napari.common.newest import Newest
from napari_gmff._napari.common.parameter_form import ParameterForm
from napari_gmff._napari.common.start_panel import StartPanel
from napari_gmff._napari.common.words import Words
from napari_gmff._napari.layers.image_boxes import time_on_screen, visible_box
from napari_gmff._napari.layers.layer_stacks import understood
from napari_gmff._napari.layers.region_editor import RegionEditor
from napari_gmff._napari.layers.restored_sets import restored_set_of, restored_sets
from napari_gmff._napari.layers.result_sets import ResultSet
from napari_gmff._napari.layers.set_picker import SetPicker
from napari_gmff._napari.restoring.extents import estimate_in_words, preview_box
from napari_gmff._napari.restoring.mask_panel import MaskPanel
from napari_gmff._napari.restoring.restoration_runs import RestorationRuns
from napari_gmff._napari.restoring.restoration_words import NOTHING, RESTORING, notes_on, why_not
from napari_gmff._napari.restoring.restored_panel import RestoredPanel
from napari_gmff._napari.restoring.self_test_panel import SelfTestPanel
from napari_gmff._napari.restoring.threshold_editor import ThresholdEditor
from napari_gmff.errors import GmffError
from napari_gmff.params import validated
from napari_gmff.restoration.params import RestoreParams

if TYPE_CHECKING:
    import napari

    from napari_gmff._napari.common.connections import Connections
    from napari_gmff._napari.layers.restored_sets import RestoredSet
    from napari_gmff._napari.layers.saved_fusions import Fusion
    from napari_gmff._napari.layers.stack_views import StackView
    from napari_gmff._napari.restoring.restoration_parts import RestorationParts

MAIN_FIELDS = ("mask_below", "feather_px", "region", "model", "steps", "n_seeds", "device")
"""Fields of the form that are always seen, in this order; all others stand under "Advanced"."""


class RestorationPage(QWidget):
    """Form, mask, buttons and results.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose fusions are offered.
    parts : RestorationParts
        Models and runs.
    used_letters : set of str
        Mnemonics that are taken; those of this page are added.
    connections : Connections
        Of the dock widget.

    Attributes
    ----------
    sets : SetPicker
        Says which fusion.
    form, mask, panel, restored, self_test
        The parts of the page, from top to bottom; `panel` is placed by the dock.
    runs : RestorationRuns
        What runs.
    """

    models_changed = Signal()
    """Another model is chosen, which may need consent or weights."""

    def __init__(
        self,
        viewer: napari.Viewer,
        parts: RestorationParts,
        used_letters: set[str],
        connections: Connections,
    ) -> None:
        super().__init__()
        self._viewer = viewer
        defaults = validated(RestoreParams, {})
        self._models = (defaults.base, defaults.model)
        self.sets = SetPicker(viewer, used_letters, connections, with_saved=True, warns=False)
        self.form = ParameterForm(
            RestoreParams,
            MAIN_FIELDS,
            {
                "model": ChoiceEditor([("IFControlNet", "ifcontrolnet")]),
                "base": ChoiceEditor([("Stable Diffusion 2.1-base", "sd21-base")]),
                "mask_below": ThresholdEditor(),
                "region": RegionEditor(viewer),
                "device": ChoiceEditor(
                    [("automatic", "auto"), *((name, name) for name in ("cuda", "mps", "cpu"))]
                ),
            },
            used_letters,
        )
        self.mask = MaskPanel(viewer, parts, used_letters)
        self.panel = StartPanel(RESTORING, used_letters)
        self.restored = RestoredPanel(viewer, used_letters)
        self.self_test = SelfTestPanel(used_letters)
        self.runs = RestorationRuns(viewer, parts, self)
        self._words, self._problem, self._estimate = Words(), Words("problem"), Words()
        self._estimates = Newest(self)
        self._parts = parts
        self._lay_out()
        self._connect(connections)
        self._on_picked(self.sets.result_set)

    @property
    def fusion(self) -> Fusion | None:
        """The fusion that can be restored; None where the picked one cannot."""
        picked = self.sets.result_set
        return None if picked is None or why_not(picked) else picked

    @property
    def words(self) -> str:
        """What is known of the picked fusion, in words."""
        return self._words.words

    @property
    def problem(self) -> str:
        """Why the picked fusion cannot be restored; empty where it can."""
        return self._problem.words

    @property
    def estimate_words(self) -> str:
        """How long a restoration would take, in words; empty where that is not known."""
        return self._estimate.words

    def params(self) -> RestoreParams | None:
        """Return the parameters, None where the form contradicts them."""
        try:
            params = self.form.values()
            assert isinstance(params, RestoreParams)
            return params
        except GmffError as error:
            self.form.show_error(str(error))
            return None

    def restore(self) -> None:
        """Restore the picked fusion, as the button does."""
        fusion, params = self.fusion, self.params()
        if fusion is not None and params is not None and not self.runs.is_running:
            self.runs.restore(fusion, params, self.mask.mask())

    def preview(self) -> None:
        """Restore a part of what is in view into temporary layers."""
        fusion, params = self.fusion, self.params()
        view = self._view()
        if fusion is None or params is None or view is None or self.runs.is_running:
            return
        box = preview_box(params, visible_box(self._viewer, view))
        changes: dict[str, Any] = {"n_seeds": 1, "region": ((box.y0, box.y1), (box.x0, box.x1))}
        if view.n_times > 1:
            changes["time"] = time_on_screen(self._viewer, view)
        smaller = validated(RestoreParams, {**params.model_dump(), **changes})
        self.runs.restore(fusion, smaller, self.mask.mask(), is_preview=True)

    def test(self) -> None:
        """Try restoration on the stack of the picked fusion."""
        fusion, params = self.fusion, self.params()
        if isinstance(fusion, ResultSet) and params is not None and not self.runs.is_running:
            self.runs.self_test(fusion, params)

    def offer_models(self, offered: dict[str, list[tuple[str, str]]]) -> None:
        """Offer models by field of the form."""
        for field, choices in offered.items():
            editor = self.form.editor(field)
            assert isinstance(editor, ChoiceEditor)
            editor.set_choices(choices)

    def leave(self) -> None:
        """Take away what only helps to see, as when the page is not shown."""
        self.mask.end()
        self.restored.end()

    def come_back(self) -> None:
        """Show the mask again."""
        self.mask.use(self.fusion)

    def shut(self) -> None:
        """Stop everything, as when the dock is closed."""
        self.runs.abandon()
        self.leave()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        above = (self.sets, self._problem, self._words, self.mask, self.form, self._estimate)
        for widget in above:
            layout.addWidget(widget)
        self._boxes = {
            title: _boxed(title, panel)
            for title, panel in (("Result", self.restored), ("Self-test", self.self_test))
        }
        for box in self._boxes.values():
            layout.addWidget(box)
        layout.addStretch(1)

    def _connect(self, connections: Connections) -> None:
        connections.add(self._viewer.layers.events.inserted, self._on_layers)
        connections.add(self._viewer.layers.events.removed, self._on_layers)
        connections.add(restored_sets(self._viewer).changed, self._on_layers)
        connections.add(self._viewer.layers.selection.events.active, self._follow)
        self.sets.picked.connect(self._on_picked)
        self.form.changed.connect(self._on_params)
        self.mask.changed.connect(self._on_params)
        self.mask.renewed.connect(self._ask_estimate)
        self._estimates.answered.connect(self._estimate.say)
        self._estimates.failed.connect(self._on_no_estimate)
        self.panel.start_clicked.connect(self.restore)
        self.panel.preview_clicked.connect(self.preview)
        self.panel.cancel_clicked.connect(self.runs.cancel)
        self.panel.clear_clicked.connect(self.runs.clear_preview)
        self.self_test.clicked.connect(self.test)
        self.runs.started.connect(lambda: self._on_running(True))
        self.runs.ended.connect(lambda: self._on_running(False))
        self.runs.progressed.connect(self.panel.show_state)
        self.runs.finished.connect(self._on_finished)
        self.runs.tested.connect(lambda tested: self.self_test.show_verdict(tested.verdict))
        self.runs.failed.connect(lambda error: self.form.show_error(str(error)))
        self.runs.previews_changed.connect(self.panel.set_preview_shown)

    def _view(self) -> StackView | None:
        layer = None if self.fusion is None else self.fusion.any_layer()
        return None if layer is None else understood(layer)

    def _on_picked(self, picked: Fusion | None) -> None:
        why = NOTHING if picked is None else why_not(picked)
        self._problem.say(why if picked is not None else "")
        self._words.say(NOTHING if picked is None else notes_on(picked))
        region = self.form.editor("region")
        assert isinstance(region, RegionEditor)
        region.set_view(self._view())
        self.sets.setVisible(picked is not None)
        self.mask.use(self.fusion)
        self.restored.use(self._newest_of(picked))
        self.self_test.show_verdict("")
        self._on_params()

    def _on_layers(self, event: object = None) -> None:
        region = self.form.editor("region")
        assert isinstance(region, RegionEditor)
        region.refresh()
        self.mask.offer()
        self.restored.follow_layers()
        self._boxes["Result"].setVisible(self.restored.made is not None)

    def _on_params(self) -> None:
        self.form.editor("mask_below").setEnabled(self.mask.is_from_confidence)
        params = self.params()
        has_mask = self.mask.choice.chosen is not None
        is_ready = params is not None and self.fusion is not None and has_mask
        self.panel.set_ready(is_ready)
        has_stack = isinstance(self.fusion, ResultSet)
        self.self_test.set_ready(is_ready and not self.runs.is_running, has_stack=has_stack)
        self._boxes["Self-test"].setVisible(self.fusion is not None)
        self._boxes["Result"].setVisible(self.restored.made is not None)
        if params is None:
            return
        self.mask.set_below(params.mask_below)
        models = (params.base, params.model)
        if models != self._models:
            self._models = models
            self.models_changed.emit()
        self._ask_estimate()

    def _ask_estimate(self) -> None:
        """Find out how long a restoration would take; nothing is said while one runs."""
        params, mask, fusion = self.params(), self.mask.shown, self.fusion
        if params is None or mask is None or fusion is None or self.runs.is_running:
            self._estimates.forget()
            self._estimate.say("")
            return
        is_rgb, n_channels = fusion.result.geometry.is_rgb, fusion.images.specs["fused"].n_channels
        n_groups = 1 if is_rgb else n_channels
        self._estimates.ask(estimate_in_words, self._parts, params, mask, n_groups)

    def _on_no_estimate(self, error: Exception) -> None:
        self._estimate.say("")
        if not self.form.show_error(str(error)):
            self._estimate.say(str(error))

    def _on_running(self, is_running: bool) -> None:
        self.panel.set_running(is_running)
        if not is_running:
            self.panel.say("")
        self._on_params()

    def _newest_of(self, fusion: Fusion | None) -> RestoredSet | None:
        """Return the last restoration of a fusion that is still there."""
        made = [one for one in restored_sets(self._viewer) if one.fusion is fusion]
        return made[-1] if made and fusion is not None else None

    def _follow(self, event: object = None) -> None:
        """Look at the restoration whose layer the user selects."""
        made = restored_set_of(self._viewer.layers.selection.active)
        if made is not None and made in list(restored_sets(self._viewer)):
            self.restored.use(made)
            self._boxes["Result"].setVisible(True)

    def _on_finished(self, made: RestoredSet) -> None:
        self.restored.use(made)
        self._boxes["Result"].setVisible(True)
        # The mask would cover what was made of it.
        self.mask.box.setChecked(False)
        layer = made.any_layer()
        restored = made.layers.get("restored", [layer])
        self._viewer.layers.selection.active = restored[0]


def _boxed(title: str, panel: QWidget) -> QGroupBox:
    box = QGroupBox(title)
    layout = QVBoxLayout(box)
    layout.setContentsMargins(6, 6, 6, 6)
    layout.addWidget(panel)
    return box
