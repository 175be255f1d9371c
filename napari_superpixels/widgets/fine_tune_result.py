"""A fine-tuning that has ended: whether it helped, where, and what becomes of the new model."""

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QFontMetrics
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from napari_superpixels.engine.links import Links
from napari_superpixels.errors import SuperpixelsError
from napari_superpixels.widgets._buttons import line, text_button
from napari_superpixels.widgets._fine_tune_results import NAME, ResultModel
from napari_superpixels.widgets._rows import ChoiceRow
from napari_superpixels.widgets._table import HEADER, FittedTable
from napari_superpixels.widgets.fine_tune_data import text_block
from napari_superpixels.widgets.fine_tune_wording import verdict
from napari_superpixels.widgets.wording import describe_error, wrapped

if TYPE_CHECKING:
    from napari_superpixels.engine.fine_tune_files import FineTuneReport
    from napari_superpixels.engine.fine_tune_session import FineTuneSession
    from napari_superpixels.widgets.fine_tune_setup import Models

_ROW, _MOST_ROWS = 22, 8
#: The widest value of each column of numbers.
_WIDEST = ("0.0000", "0.0000", "0.000", "0.000")
_PADDING = 10
_COMPARE_HELP = (
    "Show the chosen image with its old and its new superpixels. 'Blink' alternates between them; 'Swipe' shows the "
    "old ones left of the pointer and the new ones right of it."
)
_NAME_HELP = "Name of the new model, as it will stand in every menu of models."


class FineTuneResult(QWidget):
    """The report of a session.

    Parameters
    ----------
    session : FineTuneSession
        What was trained.
    models : callable
        Returns the models that are installed, whose names are taken.
    """

    compare_requested = Signal(str, str)
    """(image, "off", "blink" or "swipe") after the user chose an image or how to compare."""
    refused = Signal(str)
    """Why the model could not be saved."""
    told = Signal(str)
    """What the user should know."""

    def __init__(self, session: "FineTuneSession", models: "Models") -> None:
        super().__init__()
        self._session, self._models = session, models
        self._report: FineTuneReport | None = None
        self._is_asked_twice = False
        self.headline = text_block("verdict")
        self.headline.setStyleSheet("font-weight: bold;")
        self.detail = text_block("verdict_detail")
        self.model = ResultModel(self)
        self.table = _ResultTable(self.model)
        self.compare = ChoiceRow(["off", "blink", "swipe"], ["Off", "Blink", "Swipe"])
        self.compare.set_help("compare", "Compare", _COMPARE_HELP)
        self.name = QLineEdit()
        self.name.setObjectName("model_name")
        self.name.setAccessibleName("Name of the new model")
        self.name.setToolTip(wrapped(_NAME_HELP))
        self.name_problem = text_block("name_problem")
        self.use = text_button(
            "use", "Use and save", "Save the new model under this name and choose it for the next superpixels."
        )
        self.discard = text_button("discard", "Discard", "Delete the new model; the images and their roles stay here.")
        self._lay_out()
        self.table.selectionModel().currentRowChanged.connect(lambda *_: self._request_comparison())
        self.compare.committed.connect(lambda mode: self._request_comparison(was_chosen=True))
        self.name.textChanged.connect(lambda _: self._check_name())
        self.name.returnPressed.connect(self.use.click)
        self.use.clicked.connect(lambda: self._use())
        self.discard.clicked.connect(lambda: self._discard())
        self._links = Links()
        self._links.connect(session.phase_changed, self.refresh)
        self.refresh()

    def close_session(self) -> None:
        """Stop watching the session."""
        self._links.close()

    def refresh(self) -> None:
        """Show the report, if training has ended with one."""
        report = self._session.report if self._session.phase == "finished" else None
        if report is self._report:
            return
        if self._report is not None:
            self.set_compare("off")
            self._request_comparison(was_chosen=True)
        self._report = report
        self._is_asked_twice = False
        self.model.set_report(report)
        if report is None:
            return
        words = verdict(report)
        self.headline.setText(words.headline)
        self.detail.setText("\n\n".join([words.detail, *report.notes]))
        self.table.setFixedHeight(HEADER + 4 + _ROW * min(self.model.rowCount(), _MOST_ROWS))
        self.compare.setEnabled(report.best is not None)
        self.name.setText(self._free_name(report.start))
        self._check_name()

    def set_compare(self, mode: str) -> None:
        """Show how images are compared, without `compare_requested`."""
        self.compare.set_value(mode)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setHorizontalSpacing(6)
        form.setVerticalSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows: list[QWidget] = []
        for text, row, control in (
            ("Compare", self.compare, self.compare.focus_widget()),
            ("Save as", self.name, self.name),
        ):
            title = QLabel(text)
            title.setBuddy(control)
            title.setToolTip(control.toolTip())
            rows += [title, row]
        form.addRow(rows[0], rows[1])
        save = QFormLayout()
        save.setContentsMargins(0, 0, 0, 0)
        save.setHorizontalSpacing(6)
        save.addRow(rows[2], rows[3])
        buttons = QHBoxLayout()
        buttons.setSpacing(2)
        buttons.addWidget(self.use, 2)
        buttons.addWidget(self.discard, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for part in (self.headline, self.detail, self.table):
            layout.addWidget(part)
        layout.addLayout(form)
        layout.addWidget(line())
        layout.addLayout(save)
        layout.addWidget(self.name_problem)
        layout.addLayout(buttons)

    def _request_comparison(self, *, was_chosen: bool = False) -> None:
        """Ask for the comparison of the chosen image; the first one if the user has chosen none."""
        name = self.model.name_at(max(self.table.currentIndex().row(), 0))
        if name and (was_chosen or self.compare.value() != "off"):
            # What is told of it takes the place of the question.
            self._is_asked_twice = False
            self.compare_requested.emit(name, self.compare.value())

    def _free_name(self, start: str) -> str:
        """Return a name that says what the model comes from and is not taken."""
        taken = {model.name for model in self._models()}
        stem = start.replace("\\", "/").rpartition("/")[2].partition(".")[0]
        names = (f"{stem}-tuned{'' if n == 1 else f'-{n}'}" for n in range(1, len(taken) + 2))
        return next(name for name in names if name not in taken)

    def _check_name(self) -> None:
        name = self.name.text().strip()
        problem = "" if name else "Type a name to save the model."
        if self._report is not None and self._report.best is None:
            problem = "There is no new model to save."
        if any(model.name == name for model in self._models()):
            problem = f"There is a model {name!r} already: choose another name."
        self.name_problem.setText(problem)
        self.name_problem.setVisible(bool(problem))
        self.use.setEnabled(not problem)

    def _use(self) -> None:
        self._is_asked_twice = False
        try:
            self._session.use_as(self.name.text().strip())
        except (SuperpixelsError, ValueError) as error:
            self.refused.emit(describe_error(error))

    def _discard(self) -> None:
        """Delete the new model when asked for the second time; say so the first time."""
        has_model = self._report is not None and self._report.best is not None
        if has_model and not self._is_asked_twice:
            self._is_asked_twice = True
            self.told.emit("Press Discard once more to delete the new model for good.")
            return
        self._session.discard()


class _ResultTable(FittedTable):
    """Figures of each image.

    Parameters
    ----------
    model : ResultModel
        The figures.
    """

    def __init__(self, model: ResultModel) -> None:
        super().__init__(model, "results", "Validation images before and after", NAME)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.verticalHeader().setMinimumSectionSize(_ROW)
        self.verticalHeader().setDefaultSectionSize(_ROW)

    def fit_columns(self) -> None:
        """Make the columns of figures as wide as the widest figure, or the title."""
        font = self.font()
        font.setBold(True)
        # Figures that got better are bold.
        titles, values = self.fontMetrics(), QFontMetrics(font)
        for column, value in enumerate(_WIDEST, NAME + 1):
            title = self.model().headerData(column, Qt.Orientation.Horizontal)
            width = max(titles.horizontalAdvance(title), values.horizontalAdvance(value))
            self.setColumnWidth(column, width + _PADDING)
