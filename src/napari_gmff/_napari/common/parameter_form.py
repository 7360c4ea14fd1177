"""A form for a parameter model, made from the model's own fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from napari_gmff._napari.common.field_editors import FieldEditor, editor_for
from napari_gmff._napari.common.words import Words, with_mnemonic
from napari_gmff.errors import ParameterError
from napari_gmff.params import validated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel


class ParameterForm(QWidget):
    """One row for each field of a parameter model: its title, its tooltip, its limits.

    Parameters
    ----------
    model : type of BaseModel
        The parameter model, such as `FuseParams`.
    main_fields : sequence of str
        Fields that are always seen, in this order; all others stand under "Advanced".
    editors : mapping of str to FieldEditor
        Editors for fields that need more than their type says; the other fields get one of
        `editor_for`.
    used_letters : set of str
        Mnemonics that are taken; those of the form's labels are added.
    """

    changed = Signal()
    """Emitted after any field changed, valid or not."""

    def __init__(
        self,
        model: type[BaseModel],
        main_fields: Sequence[str],
        editors: Mapping[str, FieldEditor],
        used_letters: set[str],
    ) -> None:
        super().__init__()
        self._model = model
        self._main_fields = frozenset(main_fields)
        self._fields = model.model_fields
        schemas = model.model_json_schema()["properties"]
        self._editors = {
            name: editors.get(name) or editor_for(self._fields[name].default, schemas[name])
            for name in dict.fromkeys((*main_fields, *self._fields))
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

    def values(self) -> Any:
        """Return the parameters, as an instance of the model.

        Raises
        ------
        ParameterError
            Naming each wrong field; they are marked in the form too.
        """
        return validated(self._model, self._changed_values())

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Show values by field name; defaults for those that are left out.

        Raises
        ------
        ParameterError
            If a value breaks a rule; the form stays as it was.
        """
        known = {name: value for name, value in values.items() if name in self._editors}
        params = validated(self._model, known)
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
            self._add_row((main if name in self._main_fields else self._advanced).layout(), name)
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
        field = self._fields[name]
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
        editors = {name: self._editors[name] for name in self._fields}
        found = {
            name: editor.value() for name, editor in editors.items() if editor.isEnabledTo(self)
        }
        return {name: value for name, value in found.items() if value != self._fields[name].default}

    def _on_changed(self) -> None:
        for name in self._errors:
            self._mark(name, "")
        try:
            self._model.model_validate(self._changed_values())
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
        if message and name not in self._main_fields:
            self._toggle.setChecked(True)
