"""The fold-out part that says how good the superpixels are."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QFormLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_superpixels.engine.links import Links
from napari_superpixels.engine.quality import Quality, QualityMeter
from napari_superpixels.engine.session import Session
from napari_superpixels.params import ViewParams, bounds
from napari_superpixels.widgets._fold import Fold
from napari_superpixels.widgets._rows import NumberRow
from napari_superpixels.widgets.wording import QUALITY_ROWS, REGION_ROWS, QualityRow, describe_error, wrapped

if TYPE_CHECKING:
    from napari_superpixels.widgets.size_plot import SizePlot

_EMPTY = "Press Segment; each result is then measured."
_MEASURING = "Comparing with the ground truth..."
_NO_TRUTH = "Choose a Labels layer that shows the true objects to compare with it."


class QualityPanel(QWidget):
    """Measures of a session's latest result, as a meter tells them.

    Parameters
    ----------
    session : Session
        Keeps whether the part is open, and the tolerance.
    meter : QualityMeter
        Measures.
    truth_menu : QWidget
        Control that chooses the ground truth.
    """

    missed_toggled = Signal(bool)
    """The user wants the missed boundary as a layer, or not any more."""

    def __init__(self, session: Session, meter: QualityMeter, truth_menu: QWidget) -> None:
        super().__init__()
        self._session = session
        self.values: dict[str, QLabel] = {}
        """Label of each measure, by the measure's name."""
        self.plot: SizePlot | None = None
        content = QWidget()
        rows = QVBoxLayout(content)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(4)
        rows.addLayout(self._make_controls(truth_menu))
        self.message = QLabel(_EMPTY)
        self.message.setObjectName("quality_message")
        self.message.setWordWrap(True)
        self.message.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        rows.addWidget(self.message)
        self._truth_measures = self._make_measures(QUALITY_ROWS)
        self._region_measures = self._make_measures(REGION_ROWS)
        rows.addWidget(self._truth_measures)
        rows.addWidget(self._region_measures)
        field = ViewParams.model_fields["quality_open"]
        self.fold = Fold("quality", field.title or "", field.description or "", content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.fold)
        self._connect(meter)
        self.set_has_truth(False)
        self.clear()
        self._show_view(session.view, session.view)

    def close_session(self) -> None:
        """Stop watching the session, which other widgets may go on using."""
        self._links.close()

    def set_has_truth(self, has_truth: bool) -> None:
        """Say whether a ground truth is chosen."""
        self.missed.setEnabled(has_truth)
        if not has_truth:
            self._truth_measures.hide()
        elif self.message.text() == _NO_TRUTH:
            self._say(_MEASURING)

    def set_missed(self, is_shown: bool) -> None:
        """Show whether the missed boundary is a layer at present, without `missed_toggled`."""
        self.missed.setChecked(is_shown)

    def clear(self) -> None:
        """Show that nothing has been measured."""
        self._truth_measures.hide()
        self._region_measures.hide()
        self._say(_EMPTY)

    def show_quality(self, quality: Quality) -> None:
        """Show what was measured."""
        for name, _, _, describe in REGION_ROWS:
            self.values[name].setText(describe(quality))
        if quality.metrics is not None:
            for name, _, _, describe in QUALITY_ROWS:
                self.values[name].setText(describe(quality))
        self._truth_measures.setVisible(quality.metrics is not None)
        self._region_measures.show()
        self._set_fresh(True)
        if self.plot is not None:
            self.plot.show_histogram(*quality.size_histogram())
        self._say(quality.problem or ("" if quality.metrics is not None else _NO_TRUTH))

    def _make_controls(self, truth_menu: QWidget) -> QFormLayout:
        field = ViewParams.model_fields["tolerance"]
        limits = bounds(field)
        assert limits is not None
        self.tolerance = NumberRow(limits.low, limits.high, 1, is_log=False, is_int=True)
        self.tolerance.set_help("tolerance", field.title or "", field.description or "")
        self.missed = QCheckBox("Show missed boundary")
        self.missed.setObjectName("show_missed")
        self.missed.setToolTip(
            wrapped(
                "Add a layer of the ground truth's boundary pixels that have no superpixel boundary within the "
                "tolerance, and keep it up to date."
            )
        )
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setHorizontalSpacing(6)
        form.setVerticalSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        slider = self.tolerance.focus_widget()
        for title, row, control in (("Ground truth", truth_menu, truth_menu), (field.title, self.tolerance, slider)):
            label = QLabel(title)
            label.setToolTip(control.toolTip())
            label.setBuddy(control)
            form.addRow(label, row)
        form.addRow(self.missed)
        return form

    def _make_measures(self, rows: Sequence[QualityRow]) -> QWidget:
        """Return a table of names and values, which screen readers read as one."""
        table = QWidget()
        form = QFormLayout(table)
        form.setContentsMargins(0, 0, 0, 0)
        form.setHorizontalSpacing(4)
        form.setVerticalSpacing(2)
        for name, title, description, _ in rows:
            value = QLabel()
            value.setObjectName(name)
            value.setAlignment(Qt.AlignmentFlag.AlignRight)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            value.setAccessibleName(title)
            heading = QLabel(title)
            for label in (heading, value):
                label.setToolTip(wrapped(description))
            form.addRow(heading, value)
            self.values[name] = value
        return table

    def _connect(self, meter: QualityMeter) -> None:
        session = self._session
        self.fold.toggled.connect(lambda is_open: session.update_view(quality_open=is_open))
        self.tolerance.committed.connect(lambda value: session.update_view(tolerance=value))
        self.missed.clicked.connect(self.missed_toggled)
        self._links = Links()
        self._links.connect(session.view_changed, self._show_view)
        meter.measured.connect(self.show_quality)
        meter.outdated.connect(self._on_outdated)
        meter.cleared.connect(self.clear)
        meter.failed.connect(self._on_failed)

    def _show_view(self, new: ViewParams, old: ViewParams) -> None:
        self.tolerance.set_value(new.tolerance)
        if new.quality_open and self.plot is None:
            self._add_plot()
        self.fold.set_open(new.quality_open)

    def _add_plot(self) -> None:
        # Imported here: pyqtgraph takes a third of a second, and most users never look.
        from napari_superpixels.widgets.size_plot import SizePlot

        self.plot = SizePlot()
        table: Any = self._region_measures.layout()
        table.addRow(self.plot)

    def _set_fresh(self, is_fresh: bool) -> None:
        self._truth_measures.setEnabled(is_fresh)
        self._region_measures.setEnabled(is_fresh)

    def _on_outdated(self) -> None:
        self._set_fresh(False)

    def _on_failed(self, error: Exception) -> None:
        self._say(describe_error(error))

    def _say(self, text: str) -> None:
        self.message.setText(text)
        self.message.setVisible(bool(text))
