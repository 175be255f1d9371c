"""Suggested classes: how sure they must be, and what becomes of them."""

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_superpixels.engine.links import Links
from napari_superpixels.widgets._buttons import text_button
from napari_superpixels.widgets._rows import NumberRow
from napari_superpixels.widgets._texts import FixedLabel
from napari_superpixels.widgets.level_row import grouped
from napari_superpixels.widgets.wording import describe_error, wrapped

if TYPE_CHECKING:
    from napari_superpixels.engine.suggestions import Suggester, Suggestions

_CONFIDENCE = 80
_CONFIDENCE_HELP = "Suggestions that the classifier is less sure of are neither shown nor accepted."
_OFF = "Paint a few superpixels of each class, then let the others be suggested."
_NOT_READY = "Available once the superpixels have been examined."


class SuggestionControls(QWidget):
    """Asks for suggestions, and for what becomes of them; shows how many there are."""

    suggest_toggled = Signal(bool)
    """The user wants suggestions, or none any more."""
    confidence_chosen = Signal(float)
    """The user wants those of at least this confidence, 0 to 1; emitted before suggestions are asked for, too."""
    accept_requested = Signal(float)
    """The user accepts all of at least this confidence."""
    accept_in_lasso_toggled = Signal(bool)
    """The user wants to accept those inside a lasso, or not any more."""
    reject_requested = Signal(float)
    """The user rejects all of at least this confidence."""

    def __init__(self) -> None:
        super().__init__()
        self._suggester: Suggester | None = None
        self._links = Links()
        self._make_widgets()
        self._connect()
        self.set_suggester(None)

    @property
    def confidence(self) -> float:
        """The least confidence of suggestions that are shown, 0 to 1."""
        return float(self.threshold.value()) / 100

    def set_suggester(self, suggester: "Suggester | None") -> None:
        """Show the suggestions of another suggester, or of none."""
        self._links.close()
        self._suggester = suggester
        self.suggest.setEnabled(suggester is not None)
        self.suggest.setChecked(False)
        self.accept_in_lasso.setChecked(False)
        if suggester is not None:
            self._links.connect(suggester.suggested, self._on_suggested)
            self._links.connect(suggester.cleared, self._show)
            self._links.connect(suggester.failed, self._on_failed)
        self._show()

    def set_on(self, is_on: bool) -> None:
        """Show whether suggestions are wanted, without `suggest_toggled`."""
        self.suggest.setChecked(is_on)
        self._show()

    def set_accept_in_lasso(self, is_on: bool) -> None:
        """Show whether suggestions inside a lasso are accepted, without `accept_in_lasso_toggled`."""
        self.accept_in_lasso.setChecked(is_on)

    def _make_widgets(self) -> None:
        self.suggest = QPushButton("Suggest  (U)")
        self.suggest.setObjectName("suggest")
        self.suggest.setCheckable(True)
        self.suggest.setToolTip(
            wrapped("Learn from the superpixels that have a class, and suggest classes for the others. Stays on.")
        )
        self.threshold = NumberRow(0, 100, 1, is_log=False, is_int=True)
        self.threshold.set_value(_CONFIDENCE)
        self.threshold.box.setSuffix(" %")
        self.threshold.set_help("confidence", "Confidence", _CONFIDENCE_HELP)
        self.accept = text_button(
            "accept_above", "Accept all  (T)", "Give every superpixel that has a suggestion shown its class."
        )
        self.accept_in_lasso = QPushButton("In lasso  (I)")
        self.accept_in_lasso.setObjectName("accept_in_lasso")
        self.accept_in_lasso.setCheckable(True)
        self.accept_in_lasso.setToolTip(wrapped("Drag around superpixels to accept the suggestions inside."))
        self.reject = text_button(
            "reject_above", "Reject", "Take back the suggestions shown; the same are not made again."
        )
        self.message = FixedLabel("suggestion_status", 2)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setHorizontalSpacing(6)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        title = QLabel("Confidence")
        title.setBuddy(self.threshold.focus_widget())
        title.setToolTip(wrapped(_CONFIDENCE_HELP))
        form.addRow(title, self.threshold)
        buttons = QHBoxLayout()
        buttons.setSpacing(2)
        for button in (self.accept, self.accept_in_lasso, self.reject):
            buttons.addWidget(button, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.suggest)
        layout.addLayout(form)
        layout.addLayout(buttons)
        layout.addWidget(self.message)

    def _connect(self) -> None:
        self.suggest.clicked.connect(self._on_toggled)
        self.threshold.committed.connect(self._on_threshold)
        self.accept.clicked.connect(lambda: self.accept_requested.emit(self.confidence))
        self.accept_in_lasso.clicked.connect(self.accept_in_lasso_toggled)
        self.reject.clicked.connect(lambda: self.reject_requested.emit(self.confidence))

    def _on_toggled(self, is_on: bool) -> None:
        self._show()
        if is_on:
            self.confidence_chosen.emit(self.confidence)
        self.suggest_toggled.emit(is_on)

    def _on_threshold(self, value: Any) -> None:
        self._show()
        self.confidence_chosen.emit(self.confidence)

    def _on_suggested(self, suggestions: "Suggestions") -> None:
        self._show()

    def _on_failed(self, error: Exception) -> None:
        self._show()
        self.message.setText(describe_error(error))

    def _show(self) -> None:
        """Say how many suggestions there are, or why there are none."""
        suggester = self._suggester
        current = None if suggester is None else suggester.current
        n_all = 0 if current is None else len(current)
        n_shown = 0 if current is None else len(current.above(self.confidence))
        for button in (self.accept, self.reject):
            button.setEnabled(n_shown > 0)
        self.accept_in_lasso.setEnabled(n_all > 0)
        if suggester is None:
            self.message.setText(_NOT_READY)
        elif n_all:
            self.message.setText(f"{grouped(n_all)} suggested, {grouped(n_shown)} of them at this confidence.")
        elif suggester.missing:
            self.message.setText(suggester.missing)
        else:
            self.message.setText("Learning…" if self.suggest.isChecked() else _OFF)
