"""The training data as a model for Qt's views."""

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QSize, Qt
from qtpy.QtGui import QImage, QPixmap

from napari_superpixels.engine.links import Links
from napari_superpixels.widgets._class_model import percent
from napari_superpixels.widgets.wording import wrapped

if TYPE_CHECKING:
    from napari_superpixels.engine.fine_tune_rows import DataRow
    from napari_superpixels.engine.fine_tune_session import FineTuneSession

USED, IMAGE, ROLE = range(3)
#: Roles of Qt under which the delegate finds the thumbnail, what is known of an image, and what is wrong with it.
PICTURE, DETAIL, PROBLEM = (Qt.ItemDataRole.UserRole + i for i in (1, 2, 3))
ROLES = {"train": "Train", "validation": "Validate"}
_HEADERS = ("", "Image", "Role")
_TIPS = (
    "Tick what takes part. Space changes the chosen row.",
    "Image, where its objects come from, its size in pixels, and the share of it that is annotated: only that counts.",
    "'Train' images teach the network. 'Validate' images are never learnt from: they tell whether it got better. F2 or "
    "a click changes the role.",
)
_ORIGINS = {
    "annotation": "Correct",
    "layers": "layers",
    "folder": "folder",
    "earlier": "earlier run",
}
_FROZEN = (
    "The first fine-tuning of this model fixed the role of this image: one that validated must never train, or the "
    "figures would flatter."
)
THUMBNAIL = 36
"""Width and height of a picture in pixels."""


class DataModel(QAbstractTableModel):
    """The rows of a session.

    Parameters
    ----------
    session : FineTuneSession
        Holds the rows.
    """

    def __init__(self, session: "FineTuneSession", parent: Any = None) -> None:
        super().__init__(parent)
        self._session = session
        self._rows: tuple[DataRow, ...] = tuple(session.rows)
        self._pictures: dict[str, tuple[Any, QPixmap]] = {}
        self._links = Links()
        self._links.connect(session.rows_changed, self._on_rows)

    def close_session(self) -> None:
        """Stop watching the session."""
        self._links.close()

    def row_at(self, row: int) -> "DataRow | None":
        """Return what a row shows; None where there is none."""
        return self._rows[row] if 0 <= row < len(self._rows) else None

    def is_locked(self, row: int) -> bool:
        """Return whether a row must take part: an image that validated the model that is trained further."""
        data = self.row_at(row)
        return data is not None and data.is_frozen and data.role == "validation"

    def rowCount(self, parent: Any = None) -> int:
        """Return the number of images."""
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: Any = None) -> int:
        """Return the number of columns."""
        return 0 if parent is not None and parent.isValid() else len(_HEADERS)

    def flags(self, index: Any) -> Qt.ItemFlag:
        """Let rows be ticked and roles be edited, unless they are fixed."""
        data = self._rows[index.row()]
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        if index.column() == USED and not self.is_locked(index.row()):
            flags |= Qt.ItemFlag.ItemIsUserCheckable
        if index.column() == ROLE and not data.is_frozen:
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def data(self, index: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a view shows."""
        row = self._rows[index.row()]
        if role == Qt.ItemDataRole.ToolTipRole:
            return wrapped(self._tip(index))
        if index.column() == USED:
            is_used = Qt.CheckState.Checked if row.included else Qt.CheckState.Unchecked
            values: dict[int, Any] = {
                Qt.ItemDataRole.CheckStateRole: is_used,
                Qt.ItemDataRole.AccessibleTextRole: f"Use {row.name}",
            }
        elif index.column() == IMAGE:
            values = {
                Qt.ItemDataRole.DisplayRole: row.name,
                Qt.ItemDataRole.AccessibleTextRole: f"{row.name}, {', '.join(self._detail(row))}. {row.problem}",
                PICTURE: self._picture(row),
                DETAIL: self._detail(row),
                PROBLEM: row.problem,
            }
        else:
            values = {Qt.ItemDataRole.DisplayRole: ROLES[row.role], Qt.ItemDataRole.EditRole: row.role}
        return values.get(role)

    def setData(self, index: Any, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Include or exclude an image, or give it another role."""
        row = self._rows[index.row()]
        if index.column() == USED and role == Qt.ItemDataRole.CheckStateRole and not self.is_locked(index.row()):
            self._session.set_included(row.key, Qt.CheckState(value) == Qt.CheckState.Checked)
            return True
        if index.column() == ROLE and role == Qt.ItemDataRole.EditRole and not row.is_frozen and value != row.role:
            self._session.set_role(row.key, value)
            return True
        return False

    def remove(self, rows: set[int]) -> None:
        """Take images out of the list; what measured the model that is trained further stays, as it was then."""
        kept = [
            row for i, row in enumerate(self._rows) if i not in rows or (self.is_locked(i) and row.kind == "earlier")
        ]
        if len(kept) < len(self._rows):
            self._session.set_rows(kept)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return titles of columns."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        values: dict[int, Any] = {
            Qt.ItemDataRole.DisplayRole: _HEADERS[section],
            Qt.ItemDataRole.ToolTipRole: wrapped(_TIPS[section]),
            Qt.ItemDataRole.TextAlignmentRole: Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter,
        }
        return values.get(role)

    def _detail(self, row: "DataRow") -> tuple[str, ...]:
        """Return size, origin and share, as far as they are known."""
        if not row.shape:
            return (_ORIGINS[row.kind],) if row.problem else (_ORIGINS[row.kind], "reading…")
        size = " × ".join(str(n) for n in row.shape)
        share = percent(row.share_annotated) if row.share_annotated < 0.1 else f"{100 * row.share_annotated:.0f} %"
        return (f"{size} px", _ORIGINS[row.kind], f"{share} annotated")

    def _tip(self, index: Any) -> str:
        row = self._rows[index.row()]
        parts = [f"{row.name}: {row.origin}" if row.origin else row.name]
        if row.problem:
            parts.append(row.problem)
        if (index.column() == ROLE and row.is_frozen) or (index.column() == USED and self.is_locked(index.row())):
            parts.append(_FROZEN)
        parts.append(_TIPS[index.column()])
        return "\n\n".join(parts)

    def _picture(self, row: "DataRow") -> QPixmap | None:
        if row.thumbnail is None:
            return None
        thumbnail, picture = self._pictures.get(row.key, (None, None))
        if thumbnail is not row.thumbnail or picture is None:
            pixels = np.ascontiguousarray(row.thumbnail, np.uint8)
            height, width, _ = pixels.shape
            image = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
            size = QSize(THUMBNAIL, THUMBNAIL)
            keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            picture = QPixmap.fromImage(image).scaled(size, keep, smooth)
            self._pictures[row.key] = (row.thumbnail, picture)
        return picture

    def _on_rows(self) -> None:
        """Show other rows; where only their contents changed, the view keeps its selection."""
        new = tuple(self._session.rows)
        if [row.key for row in new] != [row.key for row in self._rows]:
            self.beginResetModel()
            self._rows = new
            self._pictures = {row.key: self._pictures[row.key] for row in new if row.key in self._pictures}
            self.endResetModel()
            return
        changed = [i for i, (row, old) in enumerate(zip(new, self._rows, strict=True)) if row is not old]
        self._rows = new
        for i in changed:
            self.dataChanged.emit(self.index(i, 0), self.index(i, ROLE), [])
