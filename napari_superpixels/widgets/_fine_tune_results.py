"""Figures of the validation images before and after, as a model for Qt's views."""

import math
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QAbstractTableModel, Qt
from qtpy.QtGui import QFont

from napari_superpixels.widgets.fine_tune_wording import BR, UE, number
from napari_superpixels.widgets.wording import wrapped

if TYPE_CHECKING:
    from napari_superpixels.engine.fine_tune_files import FineTuneReport

NAME = 0
_COLUMNS = (
    ("Image", "", ""),
    ("1 − ASA", "before", UE),
    ("after", "after", UE),
    ("BR", "before", BR),
    ("after", "after", BR),
)
_TIPS = (
    "Validation images, the worst first. Choose one to see its old and new superpixels in the viewer.",
    "1 − ASA of the start model: share of pixels that leak out of the object that their superpixel mostly covers. 0 is "
    "best.",
    "1 − ASA of the new model; bold where it is better.",
    "Boundary recall of the start model: share of the object boundaries that superpixels have too. 1 is best.",
    "Boundary recall of the new model; bold where it is better.",
)
_LEAST = 5e-5


class ResultModel(QAbstractTableModel):
    """One row for each image that validated."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._images: tuple[Any, ...] = ()

    def set_report(self, report: "FineTuneReport | None") -> None:
        """Show another report, or none."""
        self.beginResetModel()
        self._images = () if report is None else tuple(report.images)
        self.endResetModel()

    def name_at(self, row: int) -> str:
        """Return the name of the image in a row; empty where there is none."""
        return str(self._images[row].name) if 0 <= row < len(self._images) else ""

    def rowCount(self, parent: Any = None) -> int:
        """Return the number of images."""
        return 0 if parent is not None and parent.isValid() else len(self._images)

    def columnCount(self, parent: Any = None) -> int:
        """Return the number of columns."""
        return 0 if parent is not None and parent.isValid() else len(_COLUMNS)

    def data(self, index: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a view shows; bold says that a figure got better."""
        image = self._images[index.row()]
        _, when, measure = _COLUMNS[index.column()]
        if role == Qt.ItemDataRole.ToolTipRole:
            return wrapped(f"{image.name}\n\n{_TIPS[index.column()]}")
        if index.column() == NAME:
            return image.name if role == Qt.ItemDataRole.DisplayRole else None
        after = image.after.get(measure, math.nan)
        change = after - image.before[measure]
        if role == Qt.ItemDataRole.DisplayRole:
            return number(after if when == "after" else image.before[measure], 3 if measure == BR else 4)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        is_better = change > _LEAST if measure == BR else change < -_LEAST
        if role == Qt.ItemDataRole.FontRole and when == "after" and is_better:
            font = QFont()
            font.setBold(True)
            return font
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return titles of columns."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        side = Qt.AlignmentFlag.AlignLeft if section == NAME else Qt.AlignmentFlag.AlignRight
        values: dict[int, Any] = {
            Qt.ItemDataRole.DisplayRole: _COLUMNS[section][0],
            Qt.ItemDataRole.ToolTipRole: wrapped(_TIPS[section]),
            Qt.ItemDataRole.TextAlignmentRole: side | Qt.AlignmentFlag.AlignVCenter,
        }
        return values.get(role)
