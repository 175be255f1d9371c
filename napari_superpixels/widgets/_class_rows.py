"""The rows of the class table: what the keys do in them, how a class's colour is drawn."""

from typing import Any

from qtpy.QtCore import QEvent, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QKeyEvent, QPainter
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QStyledItemDelegate, QStyleOptionViewItem, QTableView

from napari_superpixels.widgets._class_model import CHIP, COUNT, NAME, SHARE, ClassModel

_ROW, _N_ROWS, _HEADER = 24, 5, 22
_CHIP_WIDTH, _PADDING = 26, 12
#: The widest text of a column, be it a title or a value.
_WIDEST = {COUNT: "Superpixels", SHARE: "> 99.9 %"}


class ClassRows(QTableView):
    """A table of five rows that tells of the keys which move and remove them."""

    remove_pressed = Signal()
    """The user wants the chosen class removed."""
    move_pressed = Signal(int)
    """The user wants it so many rows lower, or higher if negative."""

    def __init__(self, model: ClassModel) -> None:
        super().__init__()
        self.setModel(model)
        self.setObjectName("classes")
        self.setAccessibleName("Classes")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed)
        # The chosen row is enough; Qt would draw a frame around one of its cells too.
        self.setStyleSheet("QTableView { outline: 0; }")
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setSectionsClickable(False)
        self._arrange_columns()
        self.setItemDelegateForColumn(CHIP, _ChipDelegate(self))
        self.horizontalHeader().setFixedHeight(_HEADER)
        self.setFixedHeight(_N_ROWS * _ROW + _HEADER + 4)

    def _arrange_columns(self) -> None:
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(20)
        self.setColumnWidth(CHIP, _CHIP_WIDTH)
        self._fit_columns()

    def _fit_columns(self) -> None:
        for column, text in _WIDEST.items():
            self.setColumnWidth(column, self.fontMetrics().horizontalAdvance(text) + _PADDING)

    def changeEvent(self, event: QEvent) -> None:
        """Fit the columns to another font, as a theme brings it."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit_columns()

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
