"""The tools as buttons, of which one is on."""

from collections.abc import Iterable
from typing import Any, Protocol

from qtpy.QtCore import QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QButtonGroup, QGridLayout, QSizePolicy, QWidget

from napari_superpixels.widgets._buttons import IconButton
from napari_superpixels.widgets._icons import draw_icon, has_icon

#: What stands on the buttons whose tools have longer names.
_SHORT = {
    "rectangle": "Box",
    "move": "Move",
    "add_seed": "+ Seed",
    "remove_seed": "− Seed",
}
_N_COLUMNS = 6
_ICON = 20
_WIDTH, _HEIGHT = 38, 46
_CAPTION_PX, _KEY_PX = 10, 9


class ToolInfo(Protocol):
    """What a tool is called, and how it is used."""

    @property
    def name(self) -> str:
        """Name, as a word of Python."""

    @property
    def title(self) -> str:
        """Name for the user."""

    @property
    def key(self) -> str:
        """Key that chooses it."""

    @property
    def help(self) -> str:
        """What to do with the mouse."""


class ToolButtons(QWidget):
    """One button for each tool, and one to look around without a tool.

    Parameters
    ----------
    tools : iterable of ToolInfo
        The tools in the order of their buttons.
    """

    chosen = Signal(object)
    """Name of the tool that the user chose; None to switch the tool off."""

    def __init__(self, tools: Iterable[ToolInfo]) -> None:
        super().__init__()
        self.buttons: dict[str, IconButton] = {}
        """Button of each tool, by name."""
        self._helps: dict[str, str] = {}
        self._tool: str | None = None
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(2)
        self.look = self._add("look", "Look", "Esc", "Look around: no tool is on, and a drag moves the picture.")
        self.look.clicked.connect(lambda: self._choose(None))
        for tool in tools:
            button = self._add(tool.name, tool.title, tool.key, tool.help)
            button.clicked.connect(lambda checked, name=tool.name: self._choose(name))
            self.buttons[tool.name] = button
            self._helps[tool.name] = tool.help
        self.set_tool(None)

    @property
    def tool(self) -> str | None:
        """The tool that is shown as on."""
        return self._tool

    @property
    def help(self) -> str:
        """What to do with the mouse while the present tool is on; empty without one."""
        return self._helps.get(self._tool or "", "")

    def set_tool(self, name: str | None) -> None:
        """Show which tool is on, without `chosen`.

        Raises
        ------
        KeyError
            If there is no such tool.
        """
        button = self.look if name is None else self.buttons[name]
        self._tool = name
        button.setChecked(True)

    def _add(self, name: str, title: str, key: str, description: str) -> IconButton:
        button = _ToolButton(name, title, key, description)
        at = self._grid.count()
        self._grid.addWidget(button, at // _N_COLUMNS, at % _N_COLUMNS)
        self._grid.setColumnStretch(at % _N_COLUMNS, 1)
        self._group.addButton(button)
        return button

    def _choose(self, name: str | None) -> None:
        """Switch to a tool, or off if it is on already."""
        name = None if name == self._tool else name
        self.set_tool(name)
        self.chosen.emit(name)


class _ToolButton(IconButton):
    """A tool's drawing above its name, with its key in the corner."""

    def __init__(self, name: str, title: str, key: str, description: str) -> None:
        super().__init__(name, title, f"{title} ({key})\n\n{description}")
        self._key = key
        self.setText(_SHORT.get(name, title))
        self.setCheckable(True)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Return a size in which drawing, name and key have room."""
        return QSize(_WIDTH, _HEIGHT)

    def draw_content(self, painter: Any, color: QColor) -> None:
        """Draw drawing, name and key."""
        if has_icon(self._icon):
            draw_icon(painter, self._icon, QRectF((self.width() - _ICON) / 2, 7, _ICON, _ICON), color)
        font = painter.font()
        font.setPixelSize(_CAPTION_PX)
        painter.setFont(font)
        painter.setPen(color)
        bottom = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom
        painter.drawText(self.rect().adjusted(0, 0, 0, -4), bottom, self.text())
        font.setPixelSize(_KEY_PX)
        painter.setFont(font)
        faint = QColor(color)
        faint.setAlphaF(0.75 * color.alphaF())
        painter.setPen(faint)
        painter.drawText(
            self.rect().adjusted(0, 2, -4, 0), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop, self._key
        )
