"""A form whose rows are generated from the declarations of the parameters, bound both ways to a session."""

from typing import get_args

from pydantic.fields import FieldInfo
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QVBoxLayout, QWidget

from napari_superpixels.engine.links import Links
from napari_superpixels.engine.resolve import unread_parameters
from napari_superpixels.engine.session import Session
from napari_superpixels.params import SegmentParams, bounds, control
from napari_superpixels.widgets._fold import Fold
from napari_superpixels.widgets._rows import ChoiceRow, ModelRow, NumberRow, Row
from napari_superpixels.widgets.wording import wrapped

_UNREAD = "Changes nothing with the present settings."


class ParamForm(QWidget):
    """Parameters of a session, the advanced ones folded away.

    Moving a control updates the session; a change of the session moves the controls and is not answered.
    """

    refused = Signal(str)
    """Why what the user chose cannot be used."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.rows: dict[str, Row] = {}
        """Row of each parameter, by name."""
        self._titles: dict[str, QLabel] = {}
        main, advanced = _form_layout(), _form_layout()
        # The long titles of a narrow dock's advanced part stand above their controls.
        advanced.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        for name, field in SegmentParams.model_fields.items():
            self._add_row(advanced if control(field).advanced else main, name, field)
        content = QWidget()
        content.setLayout(advanced)
        self.advanced = Fold("advanced", "Advanced", "Parameters that most images do not need", content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(main)
        layout.addWidget(self.advanced)
        self._links = Links()
        self._links.connect(session.params_changed, self._on_params_changed)
        self._links.connect(session.input_changed, self._on_input_changed)
        self._show_unread()

    def close_session(self) -> None:
        """Stop watching the session, which other widgets may go on using."""
        self._links.close()

    def set_slider_limit(self, name: str, high: float) -> None:
        """Let a slider end at a value that makes sense for the present image; the number beside it can go further."""
        row = self.rows[name]
        assert isinstance(row, NumberRow)
        row.set_slider_limit(high)

    def _add_row(self, layout: QFormLayout, name: str, field: FieldInfo) -> None:
        row = _make_row(name, field)
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

    def _on_params_changed(self, new: SegmentParams, old: SegmentParams) -> None:
        for name, row in self.rows.items():
            if getattr(new, name) != getattr(old, name):
                row.set_value(getattr(new, name))
        self._show_unread()

    def _on_input_changed(self, inputs: object) -> None:
        self._show_unread()

    def _show_unread(self) -> None:
        """Grey out what has no effect, and say so."""
        unread = unread_parameters(self._session.inputs, self._session.params)
        for name, row in self.rows.items():
            description = SegmentParams.model_fields[name].description or ""
            row.setEnabled(name not in unread)
            self._titles[name].setEnabled(name not in unread)
            self._titles[name].setToolTip(wrapped(f"{_UNREAD}\n\n{description}" if name in unread else description))


def _form_layout() -> QFormLayout:
    layout = QFormLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setHorizontalSpacing(6)
    layout.setVerticalSpacing(4)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return layout


def _make_row(name: str, field: FieldInfo) -> Row:
    if name == "model":
        return ModelRow()
    if choices := get_args(field.annotation):
        return ChoiceRow(choices, control(field).choices)
    limits, step = bounds(field), control(field).step
    assert limits is not None
    assert step is not None
    low = limits.low + step if limits.is_open else limits.low
    return NumberRow(low, limits.high, step, is_log=control(field).log, is_int=field.annotation is int)
