"""Picks the stack to fuse, and says in words what was understood of it."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_gmff._napari.common.field_editors import ChoiceEditor
from napari_gmff._napari.common.words import Words, with_mnemonic
from napari_gmff._napari.fusing.stack_questions import Answers, StackQuestions
from napari_gmff._napari.layers.layer_stacks import stack_of, understood
from napari_gmff._napari.layers.result_sets import METADATA_KEY
from napari_gmff._napari.layers.stack_layers import source_of
from napari_gmff.summary import summary_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import napari
    from napari.layers import Layer

    from napari_gmff._napari.layers.stack_views import StackView
    from napari_gmff.reading.stack import FocusStack

_NOTHING = (
    "Open a focus stack, or a sample with File → Open Sample → GMFF focus stack fusion. "
    "Several slices as one image layer will do, whoever opened it."
)
_NO_Z = "Time points are no slices of a focus stack: there is nothing to choose from."

GEOMETRY_EVENTS = ("data", "scale", "translate", "rotate", "shear", "affine", "units")
"""Events of a layer after which its pixels, or their place, are others."""

_EVENTS = (*GEOMETRY_EVENTS, "axis_labels", "name")


class StackPicker(QWidget):
    """A list of the stacks in the viewer; it follows the active layer.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers are offered.
    used_letters : set of str
        Mnemonics that are taken; those of the labels are added.
    """

    changed = Signal()
    """Another stack was picked, or this one is understood otherwise."""

    def __init__(self, viewer: napari.Viewer, used_letters: set[str]) -> None:
        super().__init__()
        self._viewer = viewer
        self._answers: weakref.WeakKeyDictionary[Layer, Answers] = weakref.WeakKeyDictionary()
        self._watched: list[Layer] = []
        self._view: StackView | None = None
        self._stack: FocusStack | None = None
        self._extra = ""
        self._layers = ChoiceEditor([])
        self._words, self._problems, self._notes = Words(), Words("problem"), Words()
        self._lay_out(used_letters)
        self._layers.changed.connect(self._read)
        self._questions.answered.connect(self._read)
        events = viewer.layers.events
        self._emitters = (events.inserted, events.removed, events.reordered)
        for emitter in self._emitters:
            emitter.connect(self._offer)
        viewer.layers.selection.events.active.connect(self._follow)
        self._offer()
        self._follow()
        self._say()

    @property
    def view(self) -> StackView | None:
        """Where the picked stack is shown; None where there is none that can be fused."""
        return self._view if self._stack is not None else None

    @property
    def stack(self) -> FocusStack | None:
        """The picked stack, None where none can be fused; `lend` gives one to keep."""
        return self._stack

    @property
    def problems(self) -> str:
        """What stops a fusion, in words; ``""`` where nothing does."""
        return self._problems.words

    @property
    def words(self) -> str:
        """What was understood, in words."""
        return self._words.words

    def lend(self) -> FocusStack:
        """Return the picked stack for a run; its `close` gives it back.

        Raises
        ------
        SourceError
            If it cannot be fused.
        """
        assert self._view is not None
        return stack_of(self._view, self._said().z_step_um)

    def enter_step(self, z_step_um: float) -> None:
        """Take a distance between slices in µm as if it had been typed in, where it is asked."""
        self._questions.enter_step(z_step_um)

    def add_words(self, text: str) -> None:
        """Say something at the end of the line, such as how long a run will take."""
        self._extra = text
        self._say()

    def shut(self) -> None:
        """Stop listening to the viewer, and let the stack go."""
        for emitter in self._emitters:
            emitter.disconnect(self._offer)
        self._viewer.layers.selection.events.active.disconnect(self._follow)
        self._watch([])
        self._let_go()

    def _lay_out(self, used_letters: set[str]) -> None:
        label = QLabel(with_mnemonic("Stack", used_letters))
        label.setBuddy(self._layers)
        for widget in (label, self._layers):
            widget.setToolTip("<qt>The stack to fuse; it follows the layer you select.</qt>")
        self._layers.focusProxy().setAccessibleName("Stack")
        self._questions = StackQuestions(used_letters)
        row = QHBoxLayout()
        row.addWidget(label)
        row.addWidget(self._layers, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row)
        for part in (self._words, self._problems, self._questions, self._notes):
            layout.addWidget(part)

    def _offer(self, event: object = None) -> None:
        """List one entry for each stack, which several layers may show.

        The picked stack stays, whichever of its layers is moved or deleted.
        """
        before = self._layers.chosen
        choices: dict[object, tuple[str, object]] = {}
        for layer in self._viewer.layers:
            if _may_be_stack(layer):
                key = _stack_behind(layer)
                name = understood(layer, self._viewer.layers).name
                if layer is before or key not in choices:
                    choices[key] = (name, layer)
        self._layers.set_choices(choices.values())
        if isinstance(before, Image) and _stack_behind(before) in choices:
            self._layers.set_value(choices[_stack_behind(before)][1])
        if self._layers.chosen is before and self._has_other_channels():
            self._read()

    def _has_other_channels(self) -> bool:
        """Whether a layer of the picked stack came or went."""
        if self._view is None:
            return False
        return understood(self._view.layer, self._viewer.layers).layers != self._view.layers

    def _follow(self, event: object = None) -> None:
        """Pick the active layer, if it may be a stack or there is nothing better."""
        active = self._viewer.layers.selection.active
        if active is None or not _may_be_stack(active):
            return
        if active.ndim < 3 and self._stack is not None:
            return
        for _, layer in self._layers.choices():
            assert isinstance(layer, Image)
            if _stack_behind(layer) is _stack_behind(active):
                self._layers.set_value(layer)

    def _read(self, event: object = None) -> None:
        """Understand the picked layer anew."""
        layer = self._layers.chosen
        self._let_go()
        self._view = None
        if isinstance(layer, Image):
            said = self._answers.setdefault(layer, Answers(self._displayed(layer)))
            self._view = understood(
                layer, self._viewer.layers, said.z_axis, displayed=said.displayed
            )
            if not self._view.problems and not said.is_time:
                self._stack = stack_of(self._view, said.z_step_um)
        self._watch([] if self._view is None else self._view.layers)
        self._extra = ""
        self._questions.ask(self._view, self._said())
        self._say()
        self.changed.emit()

    def _let_go(self) -> None:
        if self._stack is not None:
            self._stack.close()
        self._stack = None

    def _watch(self, layers: Sequence[Layer]) -> None:
        """Hear when the picked layers change."""
        for old, connects in ((self._watched, False), (layers, True)):
            for layer in old:
                for name in _EVENTS:
                    emitter = getattr(layer.events, name)
                    (emitter.connect if connects else emitter.disconnect)(self._read)
        self._watched = list(layers)

    def _displayed(self, layer: Layer) -> tuple[int, ...]:
        """Return the dimensions of a layer that are on the canvas now."""
        offset = self._viewer.dims.ndim - layer.ndim
        return tuple(axis - offset for axis in self._viewer.dims.displayed if axis >= offset)

    def _said(self) -> Answers:
        """Return what was said about the picked layer."""
        layer = self._layers.chosen
        return self._answers[layer] if layer in self._answers else Answers()

    def _say(self) -> None:
        view = self._view
        if view is None:
            self._words.say(_NOTHING)
            self._problems.say("")
            self._notes.say("")
            return
        self._problems.say(_NO_Z if self._said().is_time else " ".join(view.problems))
        words = "" if self._stack is None else summary_of(self._stack)
        self._words.say(" · ".join(part for part in (words, self._extra) if part))
        notes = list(view.notes)
        if self._stack is not None and self._stack.z_positions_um is None:
            hint = f" Its scale along Z is {view.scale_hint:g}." if view.scale_hint else ""
            notes.append(f"Without the slice step, depth is counted in slices.{hint}")
        self._notes.say(" ".join(notes))


def _may_be_stack(layer: Layer) -> bool:
    """Whether a layer is an image that this program did not make."""
    return isinstance(layer, Image) and METADATA_KEY not in layer.metadata


def _stack_behind(layer: Layer) -> object:
    """Return what the layers of one stack have in common."""
    return source_of(layer.metadata) or layer
