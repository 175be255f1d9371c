"""Plots that are looked at, not worked with, in the colours of the window."""

from typing import Any

import pyqtgraph as pg
from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget


class Plot(QWidget):
    """Two axes without zoom, menu or keyboard focus, under a title.

    Parameters
    ----------
    name, title, description : str
        Name of the object, what stands above the plot, and its tool tip.
    height : int
        Height in pixels, with the title.
    items : sequence of pyqtgraph.GraphicsObject
        What is drawn.
    bottom : int
        Margin in pixels below the axis.
    """

    def __init__(self, name: str, title: str, description: str, height: int, items: Any, bottom: int = 0) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setToolTip(description)
        self.setFixedHeight(height)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.title = QLabel(title)
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.box = pg.ViewBox(enableMouse=False, enableMenu=False)
        for item in items:
            self.box.addItem(item)
        self.axes = {side: pg.AxisItem(side) for side in ("left", "bottom")}
        """The axes of the plot, by side."""
        # Not a PlotWidget, whose menus outlive it.
        grid = pg.GraphicsLayout()
        grid.setContentsMargins(0, 4, 4, bottom)
        grid.addItem(self.axes["left"], 0, 0)
        grid.addItem(self.box, 0, 1)
        grid.addItem(self.axes["bottom"], 1, 1)
        for axis in self.axes.values():
            axis.linkToView(self.box)
        self.view = pg.GraphicsView(background=None)
        """Draws them."""
        self.view.setCentralItem(grid)
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.view.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.title)
        layout.addWidget(self.view)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the window's theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self.take_colors(self.palette().color(QPalette.ColorRole.WindowText))

    def take_colors(self, text: QColor) -> None:
        """Draw the axes in the colour of the window's text."""
        for axis in self.axes.values():
            axis.setPen(text)
            axis.setTextPen(text)
