"""Buttons as all panels have them: with text, or with a drawing."""

from typing import Any

from qtpy.QtCore import QEvent, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFontMetrics, QPalette
from qtpy.QtWidgets import QFrame, QPushButton, QSizePolicy, QStyle, QStyleOptionButton, QStylePainter

from napari_superpixels.widgets._icons import draw_icon
from napari_superpixels.widgets.wording import wrapped

_ICON = 18
_SMALL = 26


def text_button(name: str, text: str, description: str) -> QPushButton:
    """Return a button with a verb on it, that scripts find by its name."""
    button = QPushButton(text)
    button.setObjectName(name)
    button.setToolTip(wrapped(description))
    button.setAutoDefault(False)
    return button


def line() -> QFrame:
    """Return a line between parts of a panel."""
    frame = QFrame()
    frame.setFrameShape(QFrame.Shape.HLine)
    frame.setFrameShadow(QFrame.Shadow.Sunken)
    return frame


class IconButton(QPushButton):
    """A button with a drawing; its text is for screen readers alone.

    Parameters
    ----------
    name : str
        Name of the object, and of the drawing unless `icon` names another.
    title : str
        What the button is called.
    description : str
        What it does.
    icon : str, optional
        Name of the drawing.
    """

    def __init__(self, name: str, title: str, description: str, icon: str = "") -> None:
        super().__init__()
        self._icon = icon or name
        self.setObjectName(name)
        self.setAccessibleName(title)
        self.setAutoDefault(False)
        self.set_description(description)

    def set_description(self, description: str) -> None:
        """Say what the button does."""
        self.setToolTip(wrapped(description))
        self.setAccessibleDescription(description)

    def sizeHint(self) -> QSize:
        """Return a square."""
        return QSize(_SMALL, _SMALL)

    def minimumSizeHint(self) -> QSize:
        """Return a square."""
        return self.sizeHint()

    def paintEvent(self, event: QEvent) -> None:
        """Draw the frame of a button, and the drawing in it."""
        painter = QStylePainter(self)
        option = QStyleOptionButton()
        self.initStyleOption(option)
        option.text = ""
        painter.drawControl(QStyle.ControlElement.CE_PushButton, option)
        color = self.ink()
        self.draw_content(painter, color)
        if self.hasFocus():
            painter.setPen(color)
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def ink(self) -> QColor:
        """Return the colour of text on this button."""
        color = self.palette().color(QPalette.ColorRole.WindowText)
        if not self.isEnabled():
            color.setAlphaF(0.35)
        return color

    def draw_content(self, painter: Any, color: QColor) -> None:
        """Draw what is inside the frame."""
        draw_icon(painter, self._icon, self._icon_box(), color)

    def _icon_box(self) -> QRectF:
        return QRectF((self.width() - _ICON) / 2, (self.height() - _ICON) / 2, _ICON, _ICON)


class LabeledIconButton(IconButton):
    """A drawing, and a text beside it; where that has no room a shorter one, as much of it as has."""

    def __init__(self, name: str, title: str, description: str, icon: str = "") -> None:
        super().__init__(name, title, description, icon)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.set_text(title)

    def set_text(self, text: str, short: str = "") -> None:
        """Say something else, and what stands for it where there is little room."""
        self.setText(text)
        self._short = short or text
        self.update()

    def shown_text(self, width: int) -> str:
        """Return what there is room for."""
        metrics = QFontMetrics(self.font())
        text = self.text() if metrics.horizontalAdvance(self.text()) <= width else self._short
        return metrics.elidedText(text, Qt.TextElideMode.ElideRight, width)

    def draw_content(self, painter: Any, color: QColor) -> None:
        """Draw both."""
        inside = self.rect().adjusted(6, 0, -6, 0)
        icon = QRectF(inside.left(), (self.height() - _ICON) / 2, _ICON, _ICON)
        draw_icon(painter, self._icon, icon, color)
        painter.setPen(color)
        inside.setLeft(inside.left() + _ICON + 6)
        shown = self.shown_text(inside.width())
        painter.drawText(inside, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)
