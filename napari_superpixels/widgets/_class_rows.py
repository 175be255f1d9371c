"""The rows of the class table: what the keys do in them, how a class's colour is drawn."""

from typing import Any

from qtpy.QtCore import QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QKeyEvent, QPainter
from qtpy.QtWidgets import QAbstractItemView, QStyledItemDelegate, QStyleOptionViewItem

from napari_superpixels.widgets._class_model import CHIP, COUNT, NAME, SHARE, ClassModel
from napari_superpixels.widgets._table import HEADER, FittedTable

_ROW, _N_ROWS = 24, 5
_CHIP_WIDTH, _PADDING = 26, 12
#: The widest text of a column, be it a title or a value.
_WIDEST = {COUNT: "Superpixels", SHARE: "> 99.9 %"}


class ClassRows(FittedTable):
    """A table of five rows that tells of the keys which move and remove them."""

    remove_pressed = Signal()
    """The user wants the chosen class removed."""
    move_pressed = Signal(int)
    """The user wants it so many rows lower, or higher if negative."""

    def __init__(self, model: ClassModel) -> None:
        super().__init__(model, "classes", "Classes", NAME)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed)
        self.verticalHeader().setDefaultSectionSize(_ROW)
        self.setColumnWidth(CHIP, _CHIP_WIDTH)
        self.setItemDelegateForColumn(CHIP, _ChipDelegate(self))
        self.setFixedHeight(_N_ROWS * _ROW + HEADER + 4)

    def fit_columns(self) -> None:
        """Make the columns of numbers as wide as the widest number, or the title."""
        for column, text in _WIDEST.items():
            self.setColumnWidth(column, self.fontMetrics().horizontalAdvance(text) + _PADDING)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move and remove the chosen row."""
        steps: dict[int, int] = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
        if event.key() == Qt.Key.Key_Delete:
            self.remove_pressed.emit()
        elif event.modifiers() & Qt.KeyboardModifier.AltModifier and event.key() in steps:
            self.move_pressed.emit(steps[event.key()])
        elif event.text().isprintable() and event.text():
            # Letters, digits and Space are for the picture, not for a search among the names.
            event.ignore()
        else:
            super().keyPressEvent(event)


class _ChipDelegate(QStyledItemDelegate):
    """Draws a class's colour, with its key in it."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Any) -> None:
        """Draw the colour, and the key so that it can be read on it."""
        color = index.data(Qt.ItemDataRole.BackgroundRole)
        self.initStyleOption(option, index)
        option.text = ""
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side = 17
        box = QRectF(0, 0, side, side)
        box.moveCenter(QRectF(option.rect).center())
        painter.setPen(QColor(128, 128, 128))
        painter.setBrush(color)
        painter.drawRoundedRect(box, 3, 3)
        is_light = 0.299 * color.red() + 0.587 * color.green() + 0.114 * color.blue() > 140
        painter.setPen(QColor("black" if is_light else "white"))
        font = painter.font()
        font.setPixelSize(11)
        font.setBold(True)
        painter.setFont(font)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, index.data(Qt.ItemDataRole.DisplayRole))
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: Any) -> QSize:
        """Return the size of a square."""
        return QSize(_ROW, _ROW)
