"""The dock widget *Correct focus map*: choose the slice of a pixel by painting."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import (
    QFileDialog,
    QGridLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_gmff._napari.common.connections import Connections
from napari_gmff._napari.common.field_editors import quiet_wheel
from napari_gmff._napari.common.links import Links
from napari_gmff._napari.common.notices import show_failure
from napari_gmff._napari.common.real_viewer import real_viewer
from napari_gmff._napari.common.words import Words, with_mnemonic
from napari_gmff._napari.correcting.correction_session import CorrectionSession, session_of
from napari_gmff._napari.layers.one_choice import why_no_one_choice
from napari_gmff._napari.layers.set_picker import SetPicker
from napari_gmff._napari.layers.slice_status import slice_words
from napari_gmff.corrections import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari.viewer

    from napari_gmff._napari.layers.result_sets import ResultSet

_NO_SET = (
    "Fuse a stack first; here you then correct the slices it chose. A result that was opened from "
    "a file has no stack to take pixels from: open and fuse the stack, then load the corrections."
)
_HOW = (
    "Paint with napari's brush, polygon or bucket (its tools are at the upper left). The fused "
    "image, the depth and the record follow. The eraser gives a pixel back what the fusion chose."
)
_FILTER = f"Corrections (*{SUFFIX} *.npz)"


class CorrectionWidget(QWidget):
    """Corrects the focus map of a fusion.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer that it is docked to.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        viewer = self._viewer = real_viewer(viewer)
        self._letters: set[str] = set()
        self._of_session, self._of_layer = Links(), Links()
        self.picker = SetPicker(viewer, self._letters, Connections(self))
        self._make_buttons()
        self.slice_box = QSpinBox()
        quiet_wheel(self.slice_box)
        self.slice_box.setToolTip("<qt>Number of the slice that the brush paints, from 0.</qt>")
        self.slice_box.valueChanged.connect(self._on_slice)
        self._hint, self._brush, self._count = Words(), Words(), Words()
        self._answer = Words("problem")
        self._lay_out()
        self.picker.picked.connect(lambda _: self._use(self._picked))
        self._use(self._picked)

    @property
    def _picked(self) -> ResultSet | None:
        """The fusion to correct; None where there is none that can be corrected."""
        picked = self.picker.result_set
        return None if why_no_one_choice(picked) else picked

    @property
    def session(self) -> CorrectionSession | None:
        """What is being corrected; None before the first correction of a result."""
        result_set = self._picked
        return None if result_set is None else result_set.correcting

    @property
    def words(self) -> str:
        """What is said below the buttons."""
        parts = (self._hint, self._brush, self._count, self._answer)
        return "\n".join(part.words for part in parts if part.words)

    def save_to(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Save the corrections to a file, in a thread."""
        self._with_session(lambda session: session.save(path, overwrite=overwrite))

    def apply_file(self, path: str | Path) -> None:
        """Paint what a file of corrections holds, in a thread."""

        def apply(session: CorrectionSession) -> None:
            session.open_layer()
            session.apply_file(path)

        self._with_session(apply)

    def event(self, event: QEvent) -> bool:
        """Listen no longer when napari takes the widget out of its dock; painting goes on."""
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is None:
                self._of_layer.cut()
                self._of_session.cut()
            else:
                self._use(self._picked)
        return bool(super().event(event))

    def _make_buttons(self) -> None:
        self.start = self._button(
            "Correct by painting",
            lambda session: session.open_layer(),
            "Adds a Labels layer over the focus map, and takes up its brush. Deleting that layer "
            "keeps the corrections; Reset takes them back.",
        )
        self.in_view = self._button(
            "Use the slice on screen",
            self._use_slice_in_view,
            "Paint with the slice that the slider shows.",
        )
        self.mark = self._button(
            "Mark an area",
            lambda session: session.mark_area(),
            "Paint over what is to be filled; the marks change nothing by themselves.",
        )
        self.fill = self._button(
            "Fill from neighbours",
            lambda session: session.fill(),
            "Gives the marked area the slices of what lies around it, sloping from side to side.",
        )
        self.undo = self._button("Undo", lambda session: session.undo(), "Take back a stroke.")
        self.redo = self._button("Redo", lambda session: session.redo(), "Make it again.")
        self.reset = self._button(
            "Reset all",
            lambda session: session.reset(),
            "Every pixel gets back what the fusion chose. Undo brings the corrections back.",
        )
        self.reset_in_view = self._button(
            "Reset in view",
            lambda session: session.reset(in_view=True),
            "Only the pixels on the canvas get back what the fusion chose.",
        )
        self.save = self._button(
            "Save…",
            self._ask_where_to_save,
            "Save the corrections to a file, to apply them again to another fusion of this stack.",
        )
        self.load = self._button(
            "Load…", self._ask_what_to_apply, "Paint what a file of corrections holds."
        )

    def _lay_out(self) -> None:
        slice_label = QLabel(with_mnemonic("Slice", self._letters))
        slice_label.setBuddy(self.slice_box)
        row = QHBoxLayout()
        row.addWidget(slice_label)
        row.addWidget(self.slice_box, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(8)
        for part in (self.picker, self.start, self._hint):
            layout.addWidget(part)
        layout.addWidget(_group("Paint with", row, self.in_view, self._brush))
        layout.addWidget(_group("Fill", _rows((self.mark, self.fill))))
        kept = ((self.undo, self.redo), (self.reset, self.reset_in_view), (self.save, self.load))
        layout.addWidget(_group("Corrections", self._count, _rows(*kept)))
        layout.addWidget(self._answer)
        layout.addStretch(1)

    def _button(
        self, title: str, slot: Callable[[CorrectionSession], object], tip: str
    ) -> QPushButton:
        button = QPushButton(with_mnemonic(title, self._letters))
        button.setToolTip(f"<qt>{tip}</qt>")
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.clicked.connect(lambda: self._with_session(slot))
        return button

    def _with_session(self, slot: Callable[[CorrectionSession], object]) -> None:
        """Do something with the picked result; its correction begins where it has not yet."""
        result_set = self._picked
        if result_set is None:
            return
        self._answer.say("")
        is_new = result_set.correcting is None
        session = session_of(self._viewer, result_set)
        if is_new:
            self._use(result_set)
        slot(session)

    def _use(self, result_set: ResultSet | None) -> None:
        """Show the state of another result, or of none."""
        self._of_session.cut()
        self._answer.say("")
        if result_set is not None:
            numbers = result_set.result.provenance["slices"]["numbers"]
            self.slice_box.blockSignals(True)
            self.slice_box.setRange(min(numbers), max(numbers))
            self.slice_box.blockSignals(False)
        session = self.session
        if session is not None:
            self._of_session.add(session.changed, self._update)
            self._of_session.add(session.told, self._answer.say)
            self._of_session.add(session.failed, self._on_failure)
        self._update()

    def _update(self) -> None:
        """Say where things stand, and let buttons be pressed that do something."""
        session = self.session
        layer = None if session is None else session.layer
        self._of_layer.cut()
        if layer is not None:
            for event in (layer.events.selected_label, layer.events.mode):
                self._of_layer.add(event, self._show_brush)
        has_set, has_layer = self._picked is not None, layer is not None
        is_corrected = session is not None and session.n_corrected > 0
        why_not = why_no_one_choice(self.picker.result_set) or _NO_SET
        self._hint.say(_HOW if has_layer else "" if has_set else why_not)
        for widget in (self.start, self.load):
            widget.setEnabled(has_set)
        for widget in (self.slice_box, self.in_view, self.mark, self.fill, self.undo, self.redo):
            widget.setEnabled(has_layer)
        self.reset_in_view.setEnabled(has_layer)
        self.reset.setEnabled(has_layer or is_corrected)
        self.save.setEnabled(is_corrected)
        self._count.say(count_in_words(session) if has_set else "")
        self._show_brush()

    def _show_brush(self, event: object = None) -> None:
        """Say what the brush does, whoever chose it."""
        session = self.session
        layer = None if session is None else session.layer
        if session is None or layer is None:
            self._brush.say("")
            return
        label = int(layer.selected_label)
        if str(layer.mode) == "erase" or label == 0:
            self._brush.say("Erases: pixels get back what the fusion chose.")
        elif label == session.mark:
            self._brush.say("Marks, in green, what is to be filled.")
        else:
            self.slice_box.blockSignals(True)
            self.slice_box.setValue(label - 1)
            self.slice_box.blockSignals(False)
            assert self._picked is not None
            provenance = self._picked.result.provenance
            self._brush.say(f"Paints {slice_words(provenance, label - 1)}.")

    def _on_slice(self, number: int) -> None:
        self._with_session(lambda session: session.use_slice(number))

    def _use_slice_in_view(self, session: CorrectionSession) -> None:
        number = session.slice_in_view()
        if number is None:
            self._answer.say(
                "The slider shows no slice that was fused; is the stack's layer there?"
            )
        else:
            session.use_slice(number)

    def _on_failure(self, error: Exception) -> None:
        self._answer.say(str(error))
        show_failure(error)

    def _ask_where_to_save(self, session: CorrectionSession) -> None:
        assert self._picked is not None
        proposed = f"{self._picked.name}{SUFFIX}"
        path, _ = QFileDialog.getSaveFileName(self, "Save corrections", proposed, _FILTER)
        if path:
            # The dialog asked before it let an existing file be named, but only for that name.
            complete = path if path.endswith(".npz") else f"{path}{SUFFIX}"
            self.save_to(complete, overwrite=complete == path)

    def _ask_what_to_apply(self, session: CorrectionSession) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load corrections", "", _FILTER)
        if path:
            self.apply_file(path)


def count_in_words(session: CorrectionSession | None) -> str:
    """Say how much was corrected, such as ``"1,234 pixels corrected (0.4 %)"``."""
    if session is None or session.n_corrected == 0:
        return "Nothing is corrected yet."
    pixels = "1 pixel" if session.n_corrected == 1 else f"{session.n_corrected:,} pixels"
    percent = 100 * session.fraction
    shown = f"{percent:.1f}" if percent >= 0.05 else "less than 0.1"
    return f"{pixels} corrected ({shown} %)"


def _rows(*rows: tuple[QPushButton, ...]) -> QGridLayout:
    grid = QGridLayout()
    grid.setSpacing(4)
    for number, buttons in enumerate(rows):
        for column, button in enumerate(buttons):
            grid.addWidget(button, number, column)
    return grid


def _group(title: str, *parts: Any) -> QGroupBox:
    group = QGroupBox(title)
    layout = QVBoxLayout(group)
    layout.setContentsMargins(6, 6, 6, 6)
    layout.setSpacing(4)
    for part in parts:
        if isinstance(part, QWidget):
            layout.addWidget(part)
        else:
            layout.addLayout(part)
    return group
