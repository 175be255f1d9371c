"""How the rows of the training data are drawn, and what mouse and keys do in them."""

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QRect, QRectF, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QColor, QFontMetrics, QKeyEvent, QPainter, QPalette, QResizeEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionComboBox,
    QStyleOptionViewItem,
    QWidget,
)

from napari_superpixels.widgets._fine_tune_rows import (
    DETAIL,
    IMAGE,
    PICTURE,
    PROBLEM,
    ROLE,
    ROLES,
    THUMBNAIL,
    USED,
    DataModel,
)
from napari_superpixels.widgets._icons import draw_icon
from napari_superpixels.widgets._table import HEADER, FittedTable

_GAP, _MARGIN = 6, 4
_USED_WIDTH = 22
#: Room beside the name of a role: the edges of its menu and the arrow, or the lock.
_ROLE_ROOM = 48
_LOCK = 16
_MOST_ROWS = 5


class DataTable(FittedTable):
    """A table as high as its rows, up to five of them; it tells of the keys that tick and remove.

    Parameters
    ----------
    model : DataModel
        The rows.
    """

    remove_pressed = Signal()
    """The user wants the chosen images removed."""

    def __init__(self, model: DataModel) -> None:
        super().__init__(model, "training_data", "Training data", IMAGE)
        self._data = model
        self._fit = QTimer(self)
        self._fit.setSingleShot(True)
        self._fit.timeout.connect(self._fit_rows)
        # A click on a role, and F2, are told from others below.
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setWordWrap(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setColumnWidth(USED, _USED_WIDTH)
        self.setItemDelegateForColumn(IMAGE, ImageDelegate(self))
        self.setItemDelegateForColumn(ROLE, RoleDelegate(self))
        self.clicked.connect(self._on_clicked)
        for signal in (model.modelReset, model.dataChanged, self.horizontalHeader().sectionResized):
            signal.connect(lambda *_: self._fit.start())
        self._fit.start()

    def chosen(self) -> set[int]:
        """Return the numbers of the chosen rows."""
        return {index.row() for index in self.selectionModel().selectedRows()}

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Tick with Space, remove with Del, choose the role with F2 from any column."""
        row = self.currentIndex().row()
        if event.key() == Qt.Key.Key_Delete:
            self.remove_pressed.emit()
        elif event.key() == Qt.Key.Key_Space and row >= 0:
            index = self._data.index(row, USED)
            is_used = index.data(Qt.ItemDataRole.CheckStateRole) == Qt.CheckState.Checked
            state = Qt.CheckState.Unchecked if is_used else Qt.CheckState.Checked
            self._data.setData(index, state, Qt.ItemDataRole.CheckStateRole)
        elif event.key() == Qt.Key.Key_F2 and row >= 0:
            index = self._data.index(row, ROLE)
            if index.flags() & Qt.ItemFlag.ItemIsEditable:
                self.edit(index)
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Let texts wrap in the room that there is."""
        super().resizeEvent(event)
        self._fit.start()

    def _on_clicked(self, index: Any) -> None:
        if index.column() == ROLE and index.flags() & Qt.ItemFlag.ItemIsEditable:
            self.edit(index)

    def fit_columns(self) -> None:
        """Make the column of roles as wide as the longest role in its menu."""
        widest = max(map(self.fontMetrics().horizontalAdvance, ROLES.values()))
        self.setColumnWidth(ROLE, widest + _ROLE_ROOM)

    def _fit_rows(self) -> None:
        self.resizeRowsToContents()
        heights = [self.rowHeight(i) for i in range(min(self._data.rowCount(), _MOST_ROWS))]
        self.setFixedHeight(sum(heights) + HEADER + 4)


class ImageDelegate(QStyledItemDelegate):
    """Draws a thumbnail, the name, what is known of the image, and below what is wrong with it."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Any) -> None:
        """Draw the texts beside the thumbnail; a name that is too long gives way in its middle."""
        self.initStyleOption(option, index)
        picture = index.data(PICTURE)
        name, option.text = option.text, ""
        option.widget.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        painter.save()
        box = option.rect.adjusted(2, _MARGIN, -2, -_MARGIN)
        if picture is not None:
            corner = QRect(0, 0, picture.width(), picture.height())
            corner.moveCenter(QRect(box.left(), box.top(), THUMBNAIL, THUMBNAIL).center())
            painter.drawPixmap(corner, picture)
        ink = option.palette.color(QPalette.ColorRole.Text)
        if index.siblingAtColumn(USED).data(Qt.ItemDataRole.CheckStateRole) != Qt.CheckState.Checked:
            ink.setAlphaF(0.5)
        beside = box.adjusted(THUMBNAIL + _GAP, 0, 0, 0)
        detail = _packed(option.fontMetrics, index.data(DETAIL), beside.width())
        self._write(painter, beside, name, detail, ink)
        if problem := index.data(PROBLEM):
            self._warn(painter, box.adjusted(0, _upper_height(option.fontMetrics, detail), 0, 0), problem)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: Any) -> QSize:
        """Return the room that the texts take at the column's width."""
        lines = option.fontMetrics
        view: Any = option.widget
        width = view.columnWidth(IMAGE) - 4
        height = _upper_height(lines, _packed(lines, index.data(DETAIL), width - THUMBNAIL - _GAP))
        if problem := index.data(PROBLEM):
            height += _height(lines, problem, width - lines.height() - 2)
        return QSize(width, height + 2 * _MARGIN)

    def _write(self, painter: QPainter, box: QRect, name: str, detail: str, ink: QColor) -> None:
        flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop
        font = painter.font()
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(ink)
        lines = painter.fontMetrics()
        painter.drawText(box, flags, lines.elidedText(name, Qt.TextElideMode.ElideMiddle, box.width()))
        font.setBold(False)
        painter.setFont(font)
        ink.setAlphaF(0.75 * ink.alphaF())
        painter.setPen(ink)
        painter.drawText(box.adjusted(0, lines.lineSpacing(), 0, 0), flags, detail)

    def _warn(self, painter: QPainter, box: QRect, problem: str) -> None:
        color, side = warning_color(painter.pen().color()), painter.fontMetrics().height()
        draw_icon(painter, "warning", QRectF(box.left() - 1, box.top(), side, side), color)
        painter.setPen(color)
        flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap
        painter.drawText(box.adjusted(side + 2, 0, 0, 0), flags, problem)


class RoleDelegate(QStyledItemDelegate):
    """Draws the role as a menu that a click opens; a role that is fixed is plain text."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Any) -> None:
        """Draw the menu as the window's style does."""
        self.initStyleOption(option, index)
        text, option.text = option.text, ""
        style = option.widget.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        if not index.flags() & Qt.ItemFlag.ItemIsEditable:
            ink = option.palette.color(QPalette.ColorRole.Text)
            box = option.rect.adjusted(8, 0, 0, 0)
            lock = QRectF(box.left(), box.center().y() - _LOCK / 2, _LOCK, _LOCK)
            draw_icon(painter, "lock", lock, ink)
            painter.setPen(ink)
            painter.drawText(box.adjusted(_LOCK + 4, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, text)
            return
        menu = QStyleOptionComboBox()
        menu.palette, menu.fontMetrics, menu.direction = option.palette, option.fontMetrics, option.direction
        menu.state = QStyle.StateFlag.State_Enabled
        menu.rect = _menu_box(option.rect)
        style.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, menu, painter, self._sample(option.widget))
        # Not the style's label, which leaves more room to the arrow than there is.
        painter.setPen(option.palette.color(QPalette.ColorRole.Text))
        painter.drawText(menu.rect.adjusted(_GAP + 1, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, text)

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Any) -> QComboBox:
        """Return the menu, which opens at once."""
        menu = QComboBox(parent)
        menu.setObjectName("role")
        for value, title in ROLES.items():
            menu.addItem(title, value)
        menu.activated.connect(lambda _: self._finish(menu))
        opener = QTimer(menu)
        opener.setSingleShot(True)
        opener.timeout.connect(menu.showPopup)
        opener.start()
        return menu

    def setEditorData(self, editor: QWidget, index: Any) -> None:
        """Show the present role."""
        assert isinstance(editor, QComboBox)
        editor.setCurrentIndex(editor.findData(index.data(Qt.ItemDataRole.EditRole)))

    def setModelData(self, editor: QWidget, model: Any, index: Any) -> None:
        """Give the image the chosen role."""
        assert isinstance(editor, QComboBox)
        model.setData(index, editor.currentData(), Qt.ItemDataRole.EditRole)

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Any) -> None:
        """Put the menu where it is drawn."""
        editor.setGeometry(_menu_box(option.rect))

    def _finish(self, menu: QComboBox) -> None:
        self.commitData.emit(menu)
        self.closeEditor.emit(menu)

    def _sample(self, view: Any) -> QComboBox:
        """Return a hidden menu of the view, whose style sheet the drawing follows."""
        sample: QComboBox | None = view.findChild(QComboBox, "role_sample")
        if sample is None:
            sample = QComboBox(view)
            sample.setObjectName("role_sample")
            sample.hide()
        return sample


def warning_color(text: QColor) -> QColor:
    """Return a colour for problems that can be read where text has this colour: orange on dark, brown on light."""
    return QColor("#f0a030" if text.lightnessF() > 0.5 else "#a04800")


def _menu_box(rect: QRect) -> QRect:
    height = min(26, rect.height() - 4)
    box = QRect(rect.left() + 2, 0, rect.width() - 6, height)
    box.moveTop(rect.center().y() - height // 2)
    return box


def _packed(lines: QFontMetrics, parts: Sequence[str], width: int) -> str:
    """Return parts on as few lines as hold them, with dots between those on one line."""
    text = parts[0]
    for part in parts[1:]:
        last = text.rpartition("\n")[2]
        fits = lines.horizontalAdvance(f"{last} · {part}") <= width
        text += f" · {part}" if fits else f"\n{part}"
    return text


def _upper_height(lines: QFontMetrics, detail: str) -> int:
    """Return the height of the thumbnail and of what is written beside it."""
    return max((2 + detail.count("\n")) * lines.lineSpacing(), THUMBNAIL) + 2


def _height(lines: QFontMetrics, text: str, width: int) -> int:
    return lines.boundingRect(QRect(0, 0, max(width, 1), 10_000), Qt.TextFlag.TextWordWrap, text).height()
