"""The form for `FuseParams`, made from the model's own fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from napari_gmff._napari.common.field_editors import FieldEditor, editor_for
from napari_gmff._napari.common.words import Words, with_mnemonic
from napari_gmff.errors import ParameterError
from napari_gmff.params import FuseParams, validated

if TYPE_CHECKING:
    from collections.abc import Mapping

MAIN_FIELDS = ("engine", "weights", "channel", "z_range", "region", "device")
"""Fields that are always seen, in this order; all others stand under "Advanced"."""


class ParameterForm(QWidget):
    """One row for each field of `FuseParams`: its title, its tooltip, its limits.

    Parameters
    ----------
    editors : mapping of str to FieldEditor
        Editors for fields that need more than their type says; the other fields get one of
        `editor_for`.
    used_letters : set of str
        Mnemonics that are taken; those of the form's labels are added.
    """

    changed = Signal()
    """Emitted after any field changed, valid or not."""

    def __init__(self, editors: Mapping[str, FieldEditor], used_letters: set[str]) -> None:
        super().__init__()
        schemas = FuseParams.model_json_schema()["properties"]
        self._editors = {
            name: editors.get(name) or editor_for(name, schemas[name])
            for name in dict.fromkeys((*MAIN_FIELDS, *FuseParams.model_fields))
        }
        self._errors = {name: Words("problem") for name in self._editors}
        self._mnemonics = used_letters
        self._advanced = QWidget()
        self._toggle = QToolButton()
        self._lay_out()
        self.set_values({})
        for editor in self._editors.values():
            editor.changed.connect(self._on_changed)
        self._on_changed()

    def editor(self, name: str) -> FieldEditor:
        """Return the editor of a field."""
        return self._editors[name]

    def error_of(self, name: str) -> str:
        """Return what is shown as wrong with a field, ``""`` if nothing is."""
        return self._errors[name].words

    def values(self) -> FuseParams:
        """Return the parameters.

        Raises
        ------
        ParameterError
            Naming each wrong field; they are marked in the form too.
        """
        return validated(FuseParams, self._changed_values())

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Show values by field name; defaults for those that are left out.

        Raises
        ------
        ParameterError
            If a value breaks a rule; the form stays as it was.
        """
        known = {name: value for name, value in values.items() if name in self._editors}
        params = validated(FuseParams, known)
        for name, editor in self._editors.items():
            editor.set_value(getattr(params, name))

    def show_error(self, message: str) -> bool:
        """Mark the field that an error's message begins with; return whether there is one."""
        name = message.split(":")[0].split(" ")[0]
        if name not in self._errors:
            return False
        self._mark(name, message.removeprefix(f"{name}:").strip())
        return True

    def _lay_out(self) -> None:
        main = QWidget()
        for part in (main, self._advanced):
            layout = QFormLayout(part)
            layout.setContentsMargins(0, 0, 0, 0)
            layout.setHorizontalSpacing(6)
            layout.setVerticalSpacing(4)
            layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
            layout.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        for name in self._editors:
            self._add_row((main if name in MAIN_FIELDS else self._advanced).layout(), name)
        self._toggle.setText(with_mnemonic("Advanced", self._mnemonics))
        self._toggle.setToolTip("Show the parameters that seldom need a change")
        self._toggle.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._toggle.setCheckable(True)
        self._toggle.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._toggle.toggled.connect(self._show_advanced)
        self._show_advanced(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (main, self._toggle, self._advanced):
            layout.addWidget(part)

    def _show_advanced(self, shown: bool) -> None:
        # Hidden rather than folded to no height: the keyboard must not get lost in there.
        self._advanced.setVisible(shown)
        self._toggle.setArrowType(Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow)

    def _add_row(self, layout: QFormLayout, name: str) -> None:
        field = FuseParams.model_fields[name]
        editor, title = self._editors[name], str(field.title)
        label = QLabel(with_mnemonic(title, self._mnemonics))
        label.setBuddy(editor)
        for widget in (label, editor):
            # As rich text, Qt wraps it.
            widget.setToolTip(f"<qt>{field.description}</qt>")
        proxy = editor.focusProxy()
        if proxy is not None:
            proxy.setAccessibleName(title)
            proxy.setAccessibleDescription(str(field.description))
        layout.addRow(label, editor)
        layout.addRow(self._errors[name])

    def _changed_values(self) -> dict[str, Any]:
        """Return the values that differ from their defaults, without fields that do not apply."""
        editors = {name: self._editors[name] for name in FuseParams.model_fields}
        found = {
            name: editor.value() for name, editor in editors.items() if editor.isEnabledTo(self)
        }
        return {
            name: value
            for name, value in found.items()
            if value != FuseParams.model_fields[name].default
        }

    def _on_changed(self) -> None:
        for name in self._errors:
            self._mark(name, "")
        try:
            FuseParams.model_validate(self._changed_values())
        except ParameterError as error:
            self.show_error(str(error))
        except ValidationError as error:
            for item in error.errors():
                message = item["msg"].removeprefix("Value error, ")
                name = str(item["loc"][0]) if item["loc"] else ""
                self.show_error(f"{name}: {message}" if name else message)
        self.changed.emit()

    def _mark(self, name: str, message: str) -> None:
        self._errors[name].say(message)
        if message and name not in MAIN_FIELDS:
            self._toggle.setChecked(True)
