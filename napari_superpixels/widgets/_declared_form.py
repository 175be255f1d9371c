"""A form whose rows are generated from the declarations of parameters, bound both ways to a session."""

from types import NoneType
from typing import TYPE_CHECKING, Any, get_args

from pydantic.fields import FieldInfo
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QVBoxLayout, QWidget

from napari_superpixels.engine.links import Links
from napari_superpixels.params import bounds, control
from napari_superpixels.widgets._fold import Fold
from napari_superpixels.widgets._preset_row import PresetRow
from napari_superpixels.widgets._rows import ChoiceRow, ModelRow, NumberRow, Row
from napari_superpixels.widgets.wording import wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNREAD = "Changes nothing with the present settings."


class DeclaredForm(QWidget):
    """Parameters of a session, the advanced ones folded away.

    Moving a control updates the session; a change of the session moves the controls and is not answered.

    Parameters
    ----------
    session : object
        Has `params`, a frozen pydantic model; `params_changed`, a signal; and `update`, which takes parameters by name.
    advanced_help : str
        Tool tip of the button that unfolds the advanced parameters.
    """

    refused = Signal(str)
    """Why what the user chose cannot be used."""

    def __init__(self, session: Any, advanced_help: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._shown = session.params
        self.fields: Mapping[str, FieldInfo] = type(session.params).model_fields
        """Declaration of each parameter, by name."""
        self.rows: dict[str, Row] = {}
        """Row of each parameter, by name."""
        self._titles: dict[str, QLabel] = {}
        main, advanced = _form_layout(), _form_layout()
        # The long titles of a narrow dock's advanced part stand above their controls.
        advanced.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        for name, field in self.fields.items():
            self._add_row(advanced if control(field).advanced else main, name, field)
        content = QWidget()
        content.setLayout(advanced)
        self.advanced = Fold("advanced", "Advanced", advanced_help, content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(main)
        layout.addWidget(self.advanced)
        self.links = Links()
        """Connections that end with the session."""
        self.links.connect(session.params_changed, self._show_params)

    def close_session(self) -> None:
        """Stop watching the session, which other widgets may go on using."""
        self.links.close()

    def set_slider_limit(self, name: str, high: float) -> None:
        """Let a slider end at a value that makes sense for the present image; the number beside it can go further."""
        row = self.rows[name]
        assert isinstance(row, NumberRow)
        row.set_slider_limit(high)

    def make_row(self, name: str, field: FieldInfo) -> Row:
        """Return the control of a parameter."""
        types = get_args(field.annotation)
        if choices := [value for value in types if not isinstance(value, type)]:
            return ChoiceRow(choices, control(field).choices)
        limits, step = bounds(field), control(field).step
        assert limits is not None
        assert step is not None
        low = limits.low + step if limits.is_open else limits.low
        is_int = int in (field.annotation, *types)
        row = NumberRow(low, limits.high, step, is_log=control(field).log, is_int=is_int)
        return PresetRow(row) if NoneType in types else row

    def show_effects(self) -> None:
        """Show what the parameters change at present; called after each change."""

    def show_unread(self, unread: frozenset[str]) -> None:
        """Grey out what has no effect, and say so."""
        for name, row in self.rows.items():
            description = self.fields[name].description or ""
            row.setEnabled(name not in unread)
            self._titles[name].setEnabled(name not in unread)
            self._titles[name].setToolTip(wrapped(f"{_UNREAD}\n\n{description}" if name in unread else description))

    def _add_row(self, layout: QFormLayout, name: str, field: FieldInfo) -> None:
        row = self.make_row(name, field)
        if isinstance(row, ModelRow):
            row.refused.connect(self.refused)
        row.set_value(getattr(self._session.params, name))
        row.committed.connect(lambda value, name=name: self._session.update(**{name: value}))
        title = QLabel(field.title or name)
        title.setBuddy(row.focus_widget())
        title.setToolTip(wrapped(field.description or ""))
        row.set_help(name, field.title or name, field.description or "")
        layout.addRow(title, row)
        self.rows[name] = row
        self._titles[name] = title

    def _show_params(self) -> None:
        old, self._shown = self._shown, self._session.params
        for name, row in self.rows.items():
            value = getattr(self._shown, name)
            if value != getattr(old, name):
                row.set_value(value)
        self.show_effects()


def _form_layout() -> QFormLayout:
    layout = QFormLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setHorizontalSpacing(6)
    layout.setVerticalSpacing(4)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return layout
