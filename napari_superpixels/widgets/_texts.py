"""Texts that do not move what lies below them."""

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QLabel, QSizePolicy

from napari_superpixels.widgets.wording import wrapped

_FRAME = 2


class FixedLabel(QLabel):
    """A text in so many lines, whether they are filled or not; what does not fit is in the tool tip.

    Parameters
    ----------
    name : str
        Name of the object.
    n_lines : int
        Number of lines.
    """

    def __init__(self, name: str, n_lines: int) -> None:
        super().__init__()
        self._n_lines = n_lines
        self.setObjectName(name)
        # Without the room that napari leaves around labels.
        self.setStyleSheet("padding: 0px 4px;")
        self.setIndent(0)
        self.setWordWrap(n_lines > 1)
        self.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def setText(self, text: str) -> None:
        """Show a text, and all of it in the tool tip."""
        super().setText(text)
        self.setToolTip(wrapped(text) if text else "")

    def sizeHint(self) -> QSize:
        """Return the height of the lines."""
        return QSize(super().sizeHint().width(), self._n_lines * self.fontMetrics().lineSpacing() + _FRAME)

    def heightForWidth(self, width: int) -> int:
        """Return the height of the lines, however many of them the text takes."""
        return self.sizeHint().height()

    def minimumSizeHint(self) -> QSize:
        """Return the height of the lines."""
        return QSize(0, self.sizeHint().height())
