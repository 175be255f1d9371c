"""How the rows of the training data are drawn, and what mouse and keys do in them."""

from typing import Any

from qtpy.QtCore import QRect, QRectF, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QColor, QFontMetrics, QKeyEvent, QPainter, QPalette, QResizeEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionComboBox,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from napari_superpixels.widgets._fine_tune_rows import DETAIL, IMAGE, PROBLEM, ROLE, ROLES, USED, DataModel
from napari_superpixels.widgets._icons import draw_icon

_THUMBNAIL, _GAP, _LEAST, _HEADER = 40, 6, 48, 22
_WIDTHS = {USED: 26, ROLE: 102}
_LOCK = 16
_MOST_ROWS = 5


class DataTable(QTableView):
    """A table as high as its rows, up to five of them; it tells of the keys that tick and remove.

    Parameters
    ----------
    model : DataModel
        The rows.
    """

    remove_pressed = Signal()
    """The user wants the chosen images removed."""

    def __init__(self, model: DataModel) -> None:
        super().__init__()
        self._data = model
        self.setModel(model)
        self.setObjectName("training_data")
        self.setAccessibleName("Training data")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.EditKeyPressed | QAbstractItemView.EditTrigger.SelectedClicked
        )
        self.setStyleSheet("QTableView { outline: 0; }")
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalHeader().hide()
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionsClickable(False)
        header.setFixedHeight(_HEADER)
        header.setMinimumSectionSize(20)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(IMAGE, QHeaderView.ResizeMode.Stretch)
        for column, width in _WIDTHS.items():
            self.setColumnWidth(column, width)
        self.setItemDelegateForColumn(IMAGE, ImageDelegate(self))
        self.setItemDelegateForColumn(ROLE, RoleDelegate(self))
        self.clicked.connect(self._on_clicked)
        self._fit = QTimer(self)
        self._fit.setSingleShot(True)
        self._fit.timeout.connect(self._fit_rows)
        for signal in (model.modelReset, model.dataChanged):
            signal.connect(lambda *_: self._fit.start())

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

    def _fit_rows(self) -> None:
        self.resizeRowsToContents()
        heights = [self.rowHeight(i) for i in range(min(self._data.rowCount(), _MOST_ROWS))]
        self.setFixedHeight(sum(heights) + _HEADER + 4)


class ImageDelegate(QStyledItemDelegate):
    """Draws a thumbnail, the name, what is known of the image, and what is wrong with it."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Any) -> None:
        """Draw the texts beside the thumbnail; a name that is too long gives way in its middle."""
        self.initStyleOption(option, index)
        picture = index.data(Qt.ItemDataRole.DecorationRole)
        name, option.text = option.text, ""
        option.features &= ~QStyleOptionViewItem.ViewItemFeature.HasDecoration
        option.widget.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        painter.save()
        box = option.rect.adjusted(2, 4, -2, -4)
        if picture is not None:
            corner = QRect(0, 0, picture.width(), picture.height())
            corner.moveCenter(QRect(box.left(), box.top(), _THUMBNAIL, _THUMBNAIL).center())
            painter.drawPixmap(corner, picture)
        box.setLeft(box.left() + _THUMBNAIL + _GAP)
        ink = option.palette.color(QPalette.ColorRole.Text)
        if index.siblingAtColumn(USED).data(Qt.ItemDataRole.CheckStateRole) != Qt.CheckState.Checked:
            ink.setAlphaF(0.5)
        self._write(painter, box, (name, index.data(DETAIL), index.data(PROBLEM)), ink)
        painter.restore()

    def _write(self, painter: QPainter, box: QRect, texts: tuple[str, str, str], ink: QColor) -> None:
        name, detail, problem = texts
        lines = painter.fontMetrics()
        painter.setPen(ink)
        font = painter.font()
        font.setBold(True)
        painter.setFont(font)
        bold = painter.fontMetrics()
        flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop
        painter.drawText(box, flags, bold.elidedText(name, Qt.TextElideMode.ElideMiddle, box.width()))
        font.setBold(False)
        painter.setFont(font)
        box = box.adjusted(0, bold.lineSpacing(), 0, 0)
        ink.setAlphaF(0.75 * ink.alphaF())
        painter.setPen(ink)
        painter.drawText(box, flags | Qt.TextFlag.TextWordWrap, detail)
        if problem:
            box = box.adjusted(0, _height(lines, detail, box.width()), 0, 0)
            color = warning_color(ink)
            side = lines.height()
            draw_icon(painter, "warning", QRectF(box.left() - 1, box.top(), side, side), color)
            painter.setPen(color)
            painter.drawText(box.adjusted(side + 2, 0, 0, 0), flags | Qt.TextFlag.TextWordWrap, problem)

    def sizeHint(self, option: QStyleOptionViewItem, index: Any) -> QSize:
        """Return the room that the texts take at the column's width."""
        lines = option.fontMetrics
        width = option.widget.columnWidth(IMAGE) - _THUMBNAIL - _GAP - 4
        height = lines.lineSpacing() + _height(lines, index.data(DETAIL), width) + 10
        if problem := index.data(PROBLEM):
            height += _height(lines, problem, width - lines.height() - 2)
        return QSize(width, max(height, _LEAST))


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
        menu.currentText = text
        style.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, menu, painter, self._sample(option.widget))
        style.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, menu, painter, self._sample(option.widget))

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


def _height(lines: QFontMetrics, text: str, width: int) -> int:
    return lines.boundingRect(QRect(0, 0, max(width, 1), 10_000), Qt.TextFlag.TextWordWrap, text).height()
