"""The history of an annotation: a list of what was done, and buttons to undo and redo it."""

from qtpy.QtCore import QElapsedTimer, QModelIndex, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QKeyEvent, QResizeEvent
from qtpy.QtWidgets import QAbstractItemView, QHBoxLayout, QHeaderView, QSizePolicy, QTableView, QWidget

from napari_superpixels.engine.annotation import Annotation
from napari_superpixels.engine.links import Links
from napari_superpixels.widgets._buttons import LabeledIconButton
from napari_superpixels.widgets._history_model import HistoryModel
from napari_superpixels.widgets.wording import wrapped

_ROW = 19
_LEAST_HEIGHT = 4 * _ROW + 4
#: A long way through the history is gone in steps of this length, between which the window lives on.
_STEP_MS = 25


class HistoryView(QTableView):
    """A list of all that was done to an annotation; a click goes to the state after it.

    It is a table of one column: Qt's lists go through all rows at each change, which takes 20 ms with 5000 of them.
    """

    acting = Signal()
    """Emitted before the user goes elsewhere: what is half done should be dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("history_list")
        self.setAccessibleName("History")
        self.setToolTip(wrapped("All that was done, the latest last. Click, or press Enter, to go to that state."))
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setStyleSheet("QTableView { outline: 0; }")
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.verticalHeader().hide()
        self.verticalHeader().setMinimumSectionSize(_ROW)
        self.verticalHeader().setDefaultSectionSize(_ROW)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.horizontalHeader().hide()
        self.horizontalHeader().setStretchLastSection(True)
        self.setMinimumHeight(_LEAST_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self._annotation: Annotation | None = None
        self._links = Links()
        self._target: int | None = None
        self._is_moving = False
        self._stepper = QTimer(self)
        self._stepper.setInterval(0)
        self._stepper.timeout.connect(self._step)
        self._model = HistoryModel(self)
        self.setModel(self._model)
        self.clicked.connect(self._on_chosen)
        self.activated.connect(self._on_chosen)

    def sizeHint(self) -> QSize:
        """Ask for the least height; the rest is what others leave."""
        return QSize(super().sizeHint().width(), _LEAST_HEIGHT)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Leave letters, digits and Space to the picture, instead of a search among the names."""
        if event.text().isprintable() and event.text():
            event.ignore()
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the present state in view."""
        super().resizeEvent(event)
        self.scrollTo(self.currentIndex())

    def set_annotation(self, annotation: Annotation | None) -> None:
        """Show another annotation, or none."""
        self._stop()
        self._links.close()
        self._annotation = annotation
        if annotation is not None:
            self._links.connect(annotation.history_changed, self._on_history)
        self._show()

    def go_to(self, position: int) -> None:
        """Undo or redo until so many entries are done; a long way is gone in steps."""
        if self._annotation is None or position == self._annotation.history.position:
            return
        self.acting.emit()
        self._target = position
        self._step()

    def _on_chosen(self, index: QModelIndex) -> None:
        self.go_to(index.row())

    def _step(self) -> None:
        """Go on for a moment towards where the user wants to be."""
        annotation, target = self._annotation, self._target
        if annotation is None or target is None:
            return
        clock = QElapsedTimer()
        clock.start()
        self._is_moving = True
        try:
            while annotation.history.position != target and clock.elapsed() < _STEP_MS:
                if annotation.history.position > target:
                    annotation.undo()
                else:
                    annotation.redo()
        finally:
            self._is_moving = False
        if annotation.history.position == target:
            self._stop()
        else:
            self._stepper.start()
        self._show()

    def _stop(self) -> None:
        self._target = None
        self._stepper.stop()

    def _on_history(self) -> None:
        # Another act on the way ends the journey.
        if not self._is_moving:
            self._stop()
            self._show()

    def _show(self) -> None:
        if self._annotation is None:
            self._model.show_history((), 0, 0)
        else:
            history = self._annotation.history
            self._model.show_history(history.entries, history.position, history.n_forgotten)
        current = self._model.index(self._model.position, 0)
        self.setCurrentIndex(current)
        self.scrollTo(current)


class UndoButtons(QWidget):
    """Undo and redo, with the names of what they would undo and redo."""

    acting = Signal()
    """Emitted before an act is undone or redone: what is half done should be dropped."""

    def __init__(self) -> None:
        super().__init__()
        self._annotation: Annotation | None = None
        self._links = Links()
        self.undo = LabeledIconButton("undo", "Undo", "")
        self.redo = LabeledIconButton("redo", "Redo", "")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.undo, 1)
        layout.addWidget(self.redo, 1)
        self.undo.clicked.connect(lambda: self._act("undo"))
        self.redo.clicked.connect(lambda: self._act("redo"))
        self._show()

    def set_annotation(self, annotation: Annotation | None) -> None:
        """Act on another annotation, or on none."""
        self._links.close()
        self._annotation = annotation
        if annotation is not None:
            self._links.connect(annotation.history_changed, self._show)
        self._show()

    def _act(self, verb: str) -> None:
        if self._annotation is not None:
            self.acting.emit()
            getattr(self._annotation, verb)()

    def _show(self) -> None:
        history = None if self._annotation is None else self._annotation.history
        for button, title, key, entry in (
            (self.undo, "Undo", "Ctrl+Z", history and history.last),
            (self.redo, "Redo", "Ctrl+Shift+Z", history and history.next),
        ):
            name = f"{title} {entry.name}" if entry else title
            button.setEnabled(bool(entry))
            # The arrow says which it is, where the whole does not fit.
            button.set_text(name, entry.name if entry else title)
            button.set_description(f"{name} ({key})" if entry else f"There is nothing to {title.lower()}.")
