"""Texts that do not move what lies below them."""

from qtpy.QtCore import QEvent, QRect, QSize, Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QLabel, QSizePolicy

from napari_superpixels.widgets.wording import wrapped

_FRAME = 2
_PADDING = 4
_EDGE = 3


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
        self._text = ""
        self.setObjectName(name)
        # Without the room that napari leaves around labels.
        self.setStyleSheet(f"padding: 0px {_PADDING}px;")
        self.setIndent(0)
        self.setWordWrap(n_lines > 1)
        self.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def text(self) -> str:
        """Return all of the text."""
        return self._text

    def setText(self, text: str) -> None:
        """Show a text as far as it fits, and all of it in the tool tip."""
        self._text = text
        self._show()
        self.setToolTip(wrapped(text) if text else "")

    def changeEvent(self, event: QEvent) -> None:
        """Take the height of the lines of another font, as a theme brings it, and show what fits in it."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self.updateGeometry()
            self._show()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show as much of the text as fits now."""
        super().resizeEvent(event)
        self._show()

    def _show(self) -> None:
        shown, words = self._text, self._text.split(" ")
        while len(words) > 1 and not self._fits(shown):
            words.pop()
            shown = f"{' '.join(words)} …"
        if shown != super().text():
            super().setText(shown)

    def _fits(self, text: str) -> bool:
        metrics, width = self.fontMetrics(), self.width() - 2 * _PADDING
        needed = metrics.boundingRect(QRect(0, 0, width, 0), int(Qt.TextFlag.TextWordWrap), text)
        # Lines are a little higher than they are apart.
        return needed.height() < (self._n_lines + 0.5) * metrics.lineSpacing() and needed.width() <= width

    def sizeHint(self) -> QSize:
        """Return the height of the lines."""
        return QSize(super().sizeHint().width(), self._n_lines * self.fontMetrics().lineSpacing() + _FRAME)

    def heightForWidth(self, width: int) -> int:
        """Return the height of the lines, however many of them the text takes."""
        return self.sizeHint().height()

    def minimumSizeHint(self) -> QSize:
        """Return the height of the lines."""
        return QSize(0, self.sizeHint().height())


class FittedLabel(QLabel):
    """A text at the right of a field that is as wide as the widest text that it ever shows.

    Parameters
    ----------
    name : str
        Name of the object.
    widest : str
        The widest text.
    """

    def __init__(self, name: str, widest: str) -> None:
        super().__init__()
        self._widest = widest
        self.setObjectName(name)
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        # Without the room that napari leaves around labels, which would cut the first digits.
        self.setStyleSheet(f"padding: 0px {_EDGE}px 0px 0px;")
        self.setIndent(0)
        self._fit()

    def changeEvent(self, event: QEvent) -> None:
        """Fit another font, as a theme brings it."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit()

    def _fit(self) -> None:
        self.setFixedWidth(self.fontMetrics().horizontalAdvance(self._widest) + 2 * _EDGE)
