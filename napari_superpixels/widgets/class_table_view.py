"""The classes: colour, key, name and how much of the plane each has; and what can be done to them."""

from typing import Any

from qtpy.QtCore import QItemSelectionModel, QModelIndex, Qt, Signal
from qtpy.QtGui import QColor, QResizeEvent
from qtpy.QtWidgets import (
    QColorDialog,
    QHBoxLayout,
    QMenu,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from napari_superpixels.engine.annotation import Annotation
from napari_superpixels.engine.links import Links
from napari_superpixels.widgets._buttons import IconButton
from napari_superpixels.widgets._class_model import CHIP, NAME, ClassModel, percent
from napari_superpixels.widgets._class_rows import ClassRows
from napari_superpixels.widgets.wording import wrapped

# The progress bar of a narrow dock has room for the number alone.
_LABELED_WIDTH = 120
_PROGRESS_HELP = "Share of this plane's superpixels, by area, that have a class."


class ClassTableView(QWidget):
    """A view of an annotation's classes; the chosen row is the class that painting gives."""

    acting = Signal()
    """Emitted before an act of the user changes the annotation: what is half done should be dropped."""
    told = Signal(str, bool)
    """(text, is it an error) for the status line."""
    import_requested = Signal()
    """The user wants the classes of a file."""
    export_requested = Signal()
    """The user wants the classes in a file."""

    def __init__(self) -> None:
        super().__init__()
        self._annotation: Annotation | None = None
        self._links = Links()
        self._dialog: QColorDialog | None = None
        self.model = ClassModel(self)
        self.table = ClassRows(self.model)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.table)
        layout.addLayout(self._make_actions())
        self._connect()
        self.set_annotation(None)

    def set_annotation(self, annotation: Annotation | None) -> None:
        """Show another annotation, or none."""
        self._links.close()
        self._close_dialog()
        self._annotation = annotation
        self.model.set_annotation(annotation)
        if annotation is not None:
            self._links.connect(annotation.table_changed, self._on_table)
            self._links.connect(annotation.current_class_changed, self._show_current)
        self._show_current()
        self.recount()

    def recount(self) -> None:
        """Read counts and progress of the plane at hand anew."""
        self.model.recount()
        self._show_progress()

    def _show_progress(self) -> None:
        progress = 0.0 if self._annotation is None else self._annotation.progress
        self.progress.setValue(round(1000 * progress))
        is_wide = self.progress.width() >= _LABELED_WIDTH
        text = percent(progress) + (" annotated" if is_wide else "")
        self.progress.setFormat(text if self._annotation is not None else "")

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Say as much as there is room for."""
        super().resizeEvent(event)
        self._show_progress()

    @property
    def chosen(self) -> int:
        """Number of the class in the chosen row; 0 for none."""
        return self.model.number_at(self.table.currentIndex().row())

    def add(self) -> None:
        """Add a class, and let its name be typed."""
        if self._annotation is None:
            return
        self.acting.emit()
        try:
            number = self._annotation.add_class()
        except ValueError as error:
            self.told.emit(str(error), True)
            return
        self.table.edit(self.model.index(self.model.row_of(number), NAME))

    def remove(self) -> None:
        """Remove the chosen class; undo brings it back."""
        number = self.chosen
        if self._annotation is None or not number:
            return
        self.acting.emit()
        name = self._annotation.table[number].name
        self._annotation.remove_class(number)
        self.told.emit(f"Removed {name} and took it from its pixels. Undo brings it back.", False)

    def shift(self, step: int) -> None:
        """Move the chosen class up or down, with its key."""
        number, row = self.chosen, self.table.currentIndex().row() + step
        if self._annotation is not None and number and 0 <= row < self.model.rowCount():
            self.acting.emit()
            self._annotation.move_class(number, row)

    def rename(self) -> None:
        """Let the chosen class's name be typed."""
        if self.chosen:
            self.table.edit(self.model.index(self.table.currentIndex().row(), NAME))

    def recolor(self) -> None:
        """Open a dialog for the chosen class's colour; the window can be used meanwhile."""
        number = self.chosen
        if self._annotation is None or not number:
            return
        self._close_dialog()
        self._dialog = QColorDialog(QColor(*self._annotation.table[number].color), self)
        self._dialog.setObjectName("color_dialog")
        self._dialog.setWindowTitle(f"Colour of {self._annotation.table[number].name}")
        self._dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._dialog.colorSelected.connect(lambda color, number=number: self._set_color(number, color))
        self._dialog.finished.connect(self._forget_dialog)
        self._dialog.show()

    def _set_color(self, number: int, color: QColor) -> None:
        if self._annotation is not None and number in self._annotation.table:
            self.acting.emit()
            self._annotation.recolor_class(number, (color.red(), color.green(), color.blue()))

    def _close_dialog(self) -> None:
        if self._dialog is not None:
            self._dialog.close()

    def _forget_dialog(self, result: int) -> None:
        self._dialog = None

    def _make_actions(self) -> QHBoxLayout:
        self.add_button = IconButton("add_class", "Add class", "Add a class and type its name.", "add")
        self.remove_button = IconButton(
            "remove_class",
            "Remove class",
            "Remove the chosen class (Del). Its pixels have no class then; undo brings all back.",
            "remove",
        )
        self.up_button = IconButton(
            "class_up", "Move class up", "Move the chosen class up (Alt+Up). Its key becomes the one before.", "up"
        )
        self.down_button = IconButton(
            "class_down", "Move class down", "Move the chosen class down (Alt+Down). Its key becomes the next.", "down"
        )
        self.more_button = IconButton("class_menu", "More", "Rename, recolour, read and write classes.", "more")
        self.progress = QProgressBar()
        self.progress.setObjectName("annotated_share")
        self.progress.setAccessibleName("Annotated")
        self.progress.setToolTip(wrapped(_PROGRESS_HELP))
        self.progress.setRange(0, 1000)
        self.progress.setFixedHeight(18)
        self.progress.setMinimumWidth(40)
        actions = QHBoxLayout()
        actions.setContentsMargins(0, 0, 0, 0)
        actions.setSpacing(2)
        for button in (self.add_button, self.remove_button, self.up_button, self.down_button, self.more_button):
            actions.addWidget(button)
        actions.addSpacing(4)
        actions.addWidget(self.progress, 1)
        return actions

    def _make_menu(self, menu: QMenu) -> None:
        for name, title, act in (
            ("rename_class", "Rename…\tF2", self.rename),
            ("recolor_class", "Change colour…", self.recolor),
            ("", "", None),
            ("import_classes", "Import classes…", self.import_requested.emit),
            ("export_classes", "Export classes…", self.export_requested.emit),
        ):
            if act is None:
                menu.addSeparator()
                continue
            action = menu.addAction(title)
            action.setObjectName(name)
            action.triggered.connect(lambda checked=False, act=act: act())

    def _connect(self) -> None:
        self.add_button.clicked.connect(lambda: self.add())
        self.remove_button.clicked.connect(lambda: self.remove())
        self.up_button.clicked.connect(lambda: self.shift(-1))
        self.down_button.clicked.connect(lambda: self.shift(1))
        self.menu = QMenu(self)
        self._make_menu(self.menu)
        self.more_button.clicked.connect(
            lambda: self.menu.popup(self.more_button.mapToGlobal(self.more_button.rect().bottomLeft()))
        )
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.customContextMenuRequested.connect(lambda at: self.menu.popup(self.table.viewport().mapToGlobal(at)))
        self.table.doubleClicked.connect(self._on_double_click)
        self.table.selectionModel().currentChanged.connect(self._on_current)
        self.table.remove_pressed.connect(self.remove)
        self.table.move_pressed.connect(self.shift)
        self.model.refused.connect(lambda text: self.told.emit(text, True))
        self.model.renaming.connect(self.acting)

    def _on_double_click(self, index: QModelIndex) -> None:
        if index.column() == CHIP:
            self.recolor()

    def _on_current(self, new: QModelIndex, old: QModelIndex) -> None:
        if self.model.is_changing:
            return
        number = self.model.number_at(new.row())
        if self._annotation is not None and number in self._annotation.table:
            self._annotation.current_class = number
        self._show_enabled()

    def _on_table(self, table: Any) -> None:
        self._show_current()

    def _show_current(self, number: int | None = None) -> None:
        row = -1 if self._annotation is None else self.model.row_of(self._annotation.current_class)
        index = self.model.index(row, NAME)
        # The name's cell is the current one, so that F2 renames.
        flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
        self.table.selectionModel().setCurrentIndex(index, flags)
        if row >= 0:
            self.table.scrollTo(index)
        self._show_enabled()

    def _show_enabled(self) -> None:
        row, n_rows = self.table.currentIndex().row(), self.model.rowCount()
        self.add_button.setEnabled(self._annotation is not None)
        self.remove_button.setEnabled(row >= 0)
        self.up_button.setEnabled(row > 0)
        self.down_button.setEnabled(0 <= row < n_rows - 1)
        self.more_button.setEnabled(self._annotation is not None)
