"""The class table as a model for Qt's views."""

from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt, Signal
from qtpy.QtGui import QColor

from napari_superpixels.engine.annotation import Annotation
from napari_superpixels.engine.links import Links
from napari_superpixels.widgets.wording import wrapped

CHIP, NAME, COUNT, SHARE = range(4)
_HEADERS = ("", "Class", "Superpixels", "Area")
_TIPS = (
    "Colour, and the key that chooses the class while a tool is on. Double-click to change the colour.",
    "Name. Double-click, or press F2, to change it.",
    "Superpixels of this plane that mostly have this class.",
    "Share of this plane's pixels that have this class.",
)
_N_KEYS = 9


class ClassModel(QAbstractTableModel):
    """The classes of an annotation, with the counts of the plane at hand."""

    refused = Signal(str)
    """Why a name cannot be used."""
    renaming = Signal()
    """The user gives a class another name; emitted before it has it."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._annotation: Annotation | None = None
        self._classes: tuple[Any, ...] = ()
        self._counts: dict[int, int] = {}
        self._shares: dict[int, float] = {}
        self._links = Links()
        self.is_changing = False
        """Whether another table is being taken over, while Qt moves the view's current row on its own."""

    def set_annotation(self, annotation: Annotation | None) -> None:
        """Show another annotation, or none."""
        self._links.close()
        self.beginResetModel()
        self._annotation = annotation
        self._classes = () if annotation is None else annotation.table.classes
        self._count()
        self.endResetModel()
        if annotation is not None:
            self._links.connect(annotation.table_changed, self._on_table)

    def number_at(self, row: int) -> int:
        """Return the number of the class in a row; 0 where there is none."""
        return self._classes[row].number if 0 <= row < len(self._classes) else 0

    def row_of(self, number: int) -> int:
        """Return the row of a class; -1 where there is none."""
        return next((row for row, one in enumerate(self._classes) if one.number == number), -1)

    def color_at(self, row: int) -> QColor:
        """Return the colour of the class in a row."""
        return QColor(*self._classes[row].color)

    def recount(self) -> None:
        """Read the counts of the plane at hand anew."""
        self._count()
        if self._classes:
            self.dataChanged.emit(self.index(0, COUNT), self.index(len(self._classes) - 1, SHARE))

    def rowCount(self, parent: Any = None) -> int:
        """Return the number of classes."""
        return 0 if parent is not None and parent.isValid() else len(self._classes)

    def columnCount(self, parent: Any = None) -> int:
        """Return the number of columns."""
        return 0 if parent is not None and parent.isValid() else len(_HEADERS)

    def flags(self, index: Any) -> Qt.ItemFlag:
        """Let names be edited."""
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return flags | Qt.ItemFlag.ItemIsEditable if index.column() == NAME else flags

    def data(self, index: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a view shows."""
        row, column = index.row(), index.column()
        one = self._classes[row]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return self._text(row, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return wrapped(f"{one.name}, class {one.number}\n\n{_TIPS[column]}")
        if column == CHIP:
            key = f"key {row + 1}" if row < _N_KEYS else "no key"
            values: dict[int, Any] = {
                Qt.ItemDataRole.BackgroundRole: QColor(*one.color),
                Qt.ItemDataRole.AccessibleTextRole: key,
            }
            return values.get(role)
        if role == Qt.ItemDataRole.TextAlignmentRole and column in (COUNT, SHARE):
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def setData(self, index: Any, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Rename a class."""
        if role != Qt.ItemDataRole.EditRole or index.column() != NAME or self._annotation is None:
            return False
        name = str(value).strip()
        if name == self._classes[index.row()].name:
            return False
        self.renaming.emit()
        try:
            self._annotation.rename_class(self.number_at(index.row()), name)
        except ValueError as error:
            self.refused.emit(str(error))
            return False
        return True

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return titles of columns."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return _HEADERS[section]
        if role == Qt.ItemDataRole.ToolTipRole:
            return wrapped(_TIPS[section])
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignLeft if section <= NAME else Qt.AlignmentFlag.AlignRight
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def _text(self, row: int, column: int) -> str:
        one = self._classes[row]
        if column == CHIP:
            return str(row + 1) if row < _N_KEYS else ""
        if column == NAME:
            return str(one.name)
        if column == COUNT:
            return f"{self._counts.get(one.number, 0):,}".replace(",", "\u2009")
        return percent(self._shares.get(one.number, 0.0))

    def _count(self) -> None:
        if self._annotation is None:
            self._counts, self._shares = {}, {}
            return
        index = self._annotation.index
        self._counts = index.superpixels_per_class()
        pixels = index.pixels_per_class()
        total = max(sum(pixels.values()), 1)
        self._shares = {number: n / total for number, n in pixels.items()}

    def _on_table(self, table: Any) -> None:
        """Show another table; rows that stay are not lost to the view's selection and scroll bar."""
        self.is_changing = True
        old, new = len(self._classes), len(table)
        if new > old:
            self.beginInsertRows(QModelIndex(), old, new - 1)
        elif new < old:
            self.beginRemoveRows(QModelIndex(), new, old - 1)
        self._classes = table.classes
        self._count()
        if new > old:
            self.endInsertRows()
        elif new < old:
            self.endRemoveRows()
        self.is_changing = False
        if self._classes:
            self.dataChanged.emit(self.index(0, 0), self.index(new - 1, SHARE))


def percent(share: float) -> str:
    """Return a share as text that tells nothing from a little, and a little less than all from all."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{100 * share:.1f} %"
