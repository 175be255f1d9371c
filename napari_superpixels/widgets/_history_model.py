"""The history of an annotation as a model for Qt's views."""

import time
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt
from qtpy.QtGui import QColor, QFont, QPalette
from qtpy.QtWidgets import QTableView

from napari_superpixels.engine.history import Entry
from napari_superpixels.widgets.wording import wrapped

_UNDONE_ALPHA = 0.5


class HistoryModel(QAbstractTableModel):
    """Row 0 is the beginning, row i the state after entry i."""

    def __init__(self, parent: QTableView) -> None:
        super().__init__(parent)
        self._view = parent
        self._entries: tuple[Entry, ...] = ()
        self._position = 0
        self._n_forgotten = 0

    @property
    def position(self) -> int:
        """The row of the present state."""
        return self._position

    def show_history(self, entries: tuple[Entry, ...], position: int, n_forgotten: int) -> None:
        """Show other entries; those that are as before stay, and with them what the view has scrolled to."""
        old = self._entries
        n_gone = n_forgotten - self._n_forgotten
        if 0 < n_gone <= len(old) and old[n_gone : n_gone + 1] == entries[:1]:
            self.beginRemoveRows(QModelIndex(), 1, n_gone)
            old = self._entries = old[n_gone:]
            self.endRemoveRows()
        n_same = _n_same(old, entries)
        if n_same < len(old):
            self.beginRemoveRows(QModelIndex(), n_same + 1, len(old))
            self._entries = old[:n_same]
            self.endRemoveRows()
        if n_same < len(entries):
            self.beginInsertRows(QModelIndex(), n_same + 1, len(entries))
            self._entries = entries
            self.endInsertRows()
        first, last = sorted((self._position, position))
        self._position, self._n_forgotten = position, n_forgotten
        self.dataChanged.emit(self.index(min(first, len(entries)), 0), self.index(min(last, len(entries)), 0))

    def rowCount(self, parent: Any = None) -> int:
        """Return the number of states."""
        return 0 if parent is not None and parent.isValid() else len(self._entries) + 1

    def columnCount(self, parent: Any = None) -> int:
        """Return 1."""
        return 0 if parent is not None and parent.isValid() else 1

    def data(self, index: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what the view shows."""
        row = index.row()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._title(self._entries[row - 1]) if row else self._beginning()
        if role == Qt.ItemDataRole.FontRole and row == self._position:
            font = QFont(self._view.font())
            font.setBold(True)
            return font
        if role == Qt.ItemDataRole.ForegroundRole and row > self._position:
            color = QColor(self._view.palette().color(QPalette.ColorRole.Text))
            color.setAlphaF(_UNDONE_ALPHA)
            return color
        if role == Qt.ItemDataRole.ToolTipRole:
            return wrapped(self._tip(row))
        return None

    def _beginning(self) -> str:
        return f"Start ({self._n_forgotten} older acts forgotten)" if self._n_forgotten else "Start"

    def _tip(self, row: int) -> str:
        if not row:
            return "Go back to before the first act of this list."
        entry = self._entries[row - 1]
        when = time.strftime("%H:%M:%S", time.localtime(entry.time))
        return f"{self._title(entry)}, {when}\n\nClick to go to the state after it."

    def _title(self, entry: Entry) -> str:
        return f"{entry.name}, plane {entry.place}" if entry.place else entry.name


def _n_same(old: tuple[Entry, ...], new: tuple[Entry, ...]) -> int:
    """Return how many entries at the beginning are the same."""
    n = min(len(old), len(new))
    if old[:n] == new[:n]:
        return n
    return next(i for i in range(n) if old[i] is not new[i])
