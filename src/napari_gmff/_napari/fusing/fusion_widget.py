"""The dock widget *Fuse focus stack*: what to fuse, how, and how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QFormLayout, QFrame, QLabel, QScrollArea, QVBoxLayout, QWidget

from napari_gmff._napari.common.field_editors import ChoiceEditor, SliceRangeEditor
from napari_gmff._napari.common.parameter_form import ParameterForm
from napari_gmff._napari.common.real_viewer import real_viewer
from napari_gmff._napari.common.settings import plugin_settings
from napari_gmff._napari.common.words import with_mnemonic
from napari_gmff._napari.fusing.device_line import DeviceLine
from napari_gmff._napari.fusing.engine_editor import EngineEditor
from napari_gmff._napari.fusing.estimates import Estimates
from napari_gmff._napari.fusing.fusion_runs import FusionRuns
from napari_gmff._napari.fusing.run_panel import RunPanel
from napari_gmff._napari.fusing.run_text import RunText, RunWords
from napari_gmff._napari.fusing.stack_picker import StackPicker
from napari_gmff._napari.fusing.weights_editor import WeightsEditor
from napari_gmff._napari.layers.image_boxes import time_on_screen, visible_box
from napari_gmff._napari.layers.region_editor import RegionEditor
from napari_gmff._napari.layers.slice_status import show_slice_in_status
from napari_gmff.errors import GmffError, ParameterError
from napari_gmff.params import COMBINED, PER_CHANNEL, WEIGHTLESS_ENGINES, FuseParams
from napari_gmff.plan import make_plan
from napari_gmff.preview import preview_region
from napari_gmff.windows import Box

if TYPE_CHECKING:
    import napari.viewer

    from napari_gmff.reading.stack import FocusStack

MAIN_FIELDS = ("engine", "weights", "channel", "z_range", "region", "device")
"""Fields of the form that are always seen, in this order; all others stand under "Advanced"."""

_ALL_CHANNELS = "all, weighed by their signal"
_EACH_CHANNEL = "each by itself"


class FusionWidget(QWidget):
    """Fuses the active focus stack.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer that it is docked to.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        viewer = self._viewer = real_viewer(viewer)
        letters: set[str] = set()
        self.picker = StackPicker(viewer, letters)
        self.form = ParameterForm(
            FuseParams,
            MAIN_FIELDS,
            {
                "engine": EngineEditor(),
                "weights": WeightsEditor(),
                "channel": ChoiceEditor([(_ALL_CHANNELS, "combined")]),
                "z_range": SliceRangeEditor(),
                "region": RegionEditor(viewer),
                "device": ChoiceEditor([("automatic", "auto"), ("cpu", "cpu")]),
            },
            letters,
        )
        self.rerun = ChoiceEditor([("is replaced", True), ("stays beside the new one", False)])
        self.panel = RunPanel(letters)
        self.device = DeviceLine()
        self.text = RunText(self._run_words, letters)
        self.runs = FusionRuns(viewer, self)
        self.estimates = Estimates(self)
        self._lay_out(letters)
        self._connect()
        self._take_settings()
        self._on_stack()
        show_slice_in_status(viewer)

    def fuse(self) -> None:
        """Fuse the picked stack, as the button does."""
        ready = self._ready_run()
        if ready is not None:
            view = self.picker.view
            assert view is not None
            self.runs.fuse(view, *ready, replaces=bool(self.rerun.value()))

    def preview(self) -> None:
        """Fuse what is on the canvas, or the rectangle, as temporary layers."""
        box = self._preview_box()
        ready = self._ready_run()
        view = self.picker.view
        if ready is not None and box is not None and view is not None:
            self.runs.preview(view, *ready, box, time_on_screen(self._viewer, view))

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
        """Stop a run, remove what is half-done, and listen to the viewer no longer."""
        self.runs.abandon()
        self.picker.shut()
        self._viewer.layers.events.inserted.disconnect(self._on_layers)
        self._viewer.layers.events.removed.disconnect(self._on_layers)

    def _lay_out(self, letters: set[str]) -> None:
        """Scroll through the form above; the buttons below are always in reach."""
        form = QWidget()
        above = QVBoxLayout(form)
        above.setContentsMargins(6, 6, 6, 6)
        above.setSpacing(8)
        for part in (self.picker, self.form, self._rerun_row(letters), self.text):
            above.addWidget(part)
        above.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidget(form)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll, 1)
        below = QVBoxLayout()
        below.setContentsMargins(6, 0, 6, 6)
        below.addWidget(self.device)
        below.addWidget(self.panel)
        layout.addLayout(below)

    def _rerun_row(self, letters: set[str]) -> QWidget:
        row = QWidget()
        layout = QFormLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        label = QLabel(with_mnemonic("Earlier result", letters))
        label.setBuddy(self.rerun)
        for widget in (label, self.rerun):
            widget.setToolTip("<qt>What happens to layers of an earlier run on this stack.</qt>")
        layout.addRow(label, self.rerun)
        return row

    def _connect(self) -> None:
        self._viewer.layers.events.inserted.connect(self._on_layers)
        self._viewer.layers.events.removed.connect(self._on_layers)
        self.picker.changed.connect(self._on_stack)
        self.form.changed.connect(self._on_params)
        self.estimates.known.connect(self._on_estimates)
        self.device.devices_found.connect(self._on_devices)
        self.panel.start_clicked.connect(self.fuse)
        self.panel.preview_clicked.connect(self.preview)
        self.panel.cancel_clicked.connect(self.runs.cancel)
        self.panel.clear_clicked.connect(self.runs.clear_preview)
        self.runs.started.connect(self._on_started)
        self.runs.progressed.connect(self.panel.show_state)
        self.runs.ended.connect(self._on_ended)
        self.runs.failed.connect(lambda error: self.form.show_error(str(error)))
        self.runs.previews_changed.connect(self.panel.set_preview_shown)
        self.text.loaded.connect(self._on_loaded)

    def _take_settings(self) -> None:
        try:
            self.form.set_values(plugin_settings())
        except ParameterError as error:
            show_error(f"Preferences of the plugin: {error}")

    def _on_layers(self, event: object = None) -> None:
        region = self.form.editor("region")
        assert isinstance(region, RegionEditor)
        region.refresh()

    def _on_stack(self) -> None:
        """Offer what the picked stack has: its channels, its slices, its pixels."""
        stack, view = self.picker.stack, self.picker.view
        channel, slices = self.form.editor("channel"), self.form.editor("z_range")
        region = self.form.editor("region")
        assert isinstance(channel, ChoiceEditor)
        assert isinstance(slices, SliceRangeEditor)
        assert isinstance(region, RegionEditor)
        region.set_view(view)
        if stack is not None:
            channel.set_choices(_channel_choices(stack))
            channel.setEnabled(stack.n_channels > 1)
            slices.set_n_slices(stack.n_slices)
        self._on_params()

    def _on_params(self) -> None:
        """Say what a run would take, and let it be started if it can be."""
        engine, weights = self.form.editor("engine"), self.form.editor("weights")
        weights.setEnabled(engine.value() not in WEIGHTLESS_ENGINES)
        params, stack = self._valid_params(), self.picker.stack
        is_ready = params is not None and stack is not None
        self.panel.set_ready(is_ready)
        self.text.set_ready(is_ready)
        if params is None:
            self.estimates.forget()
            return
        self.device.show_for(params)
        if stack is None:
            self.estimates.forget()
        elif not self.runs.is_running:
            self.estimates.ask(self.picker.lend(), params, self._preview_box())

    def _valid_params(self) -> FuseParams | None:
        """Return the parameters, None where the form, or the stack, contradicts them."""
        stack = self.picker.stack
        try:
            params = self.form.values()
            if stack is not None:
                make_plan(stack, params)
        except GmffError as error:
            self.form.show_error(str(error))
            return None
        weights = self.form.editor("weights")
        assert isinstance(weights, WeightsEditor)
        if weights.missing and params.weights == weights.missing:
            self.form.show_error(f'weights: {weights.missing} must be got first: press "Get"')
            return None
        return params

    def _ready_run(self) -> tuple[FocusStack, FuseParams] | None:
        params = self._valid_params()
        if self.runs.is_running or params is None or self.picker.stack is None:
            return None
        return self.picker.lend(), params

    def _preview_box(self) -> Box | None:
        view, params = self.picker.view, self._valid_params()
        if view is None or params is None:
            return None
        if params.region is not None:
            rows, columns = params.region
            return Box(*rows, *columns)
        return preview_region(view.shape_yx, visible_box(self._viewer, view))

    def _run_words(self) -> RunWords | None:
        params, stack, view = self._valid_params(), self.picker.stack, self.picker.view
        if params is None or stack is None or view is None:
            return None
        source = view.source
        options = dict(source.read_options) if source is not None else {}
        if source is None or stack.voxel_size_um != source.stack.voxel_size_um:
            if any(size is not None for size in stack.voxel_size_um):
                options["voxel_size_um"] = stack.voxel_size_um
        return RunWords(None if source is None else source.origin, options, params)

    def _on_estimates(self, estimate: Any) -> None:
        self.picker.add_words(estimate.words)
        self.panel.set_preview_estimate(estimate.preview_s)

    def _on_devices(self, devices: tuple[str, ...]) -> None:
        device = self.form.editor("device")
        assert isinstance(device, ChoiceEditor)
        device.set_choices([("automatic", "auto"), *((name, name) for name in devices)])

    def _on_started(self) -> None:
        self.estimates.forget()
        self.panel.set_running(True)

    def _on_ended(self) -> None:
        self.panel.set_running(False)
        self.panel.say("")
        self._on_params()

    def _on_loaded(self, values: dict[str, Any]) -> None:
        self.form.set_values(values)
        voxel_size_um = values.get("voxel_size_um")
        if voxel_size_um and voxel_size_um[0] is not None:
            self.picker.enter_step(voxel_size_um[0])


def _channel_choices(stack: FocusStack) -> list[tuple[str, object]]:
    """Offer channels by name, by number where a name occurs twice or looks like a number."""
    if stack.n_channels == 1:
        return [("the only one", COMBINED)]
    names = [channel.name for channel in stack.channels]
    single = [
        (name, name if names.count(name) == 1 and not name.isdigit() else number)
        for number, name in enumerate(names)
    ]
    return [(_ALL_CHANNELS, COMBINED), (_EACH_CHANNEL, PER_CHANNEL), *single]
