"""How many superpixels have which size, as bars in the colours of the window."""

from typing import Any

import pyqtgraph as pg
from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QPalette
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

_HEIGHT = 124
_BAR = (79, 157, 222)


class SizePlot(QWidget):
    """A histogram that is looked at, not worked with: no zoom, no menu, no keyboard focus."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("size_histogram")
        self.setAccessibleName("Sizes of the superpixels")
        self.setToolTip("How many superpixels have how many pixels.")
        self.setFixedHeight(_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._bars = pg.BarGraphItem(x0=[0.0], x1=[1.0], height=[0.0], brush=_BAR, pen=None)
        self._box = pg.ViewBox(enableMouse=False, enableMenu=False)
        self._box.addItem(self._bars)
        self.axes = {side: pg.AxisItem(side) for side in ("left", "bottom")}
        """The axes of the plot, by side."""
        # Not a PlotWidget, whose menus outlive it.
        grid = pg.GraphicsLayout()
        grid.setContentsMargins(0, 4, 4, 0)
        grid.addItem(self.axes["left"], 0, 0)
        grid.addItem(self._box, 0, 1)
        grid.addItem(self.axes["bottom"], 1, 1)
        for axis in self.axes.values():
            axis.linkToView(self._box)
        self._view = pg.GraphicsView(background=None)
        self._view.setCentralItem(grid)
        self._view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._view.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(QLabel("Superpixels by size in pixels"))
        layout.addWidget(self._view)
        self._take_colors()

    def heights(self) -> list[int]:
        """Return the heights of the bars, from left to right."""
        return [int(height) for height in self._bars.opts["height"]]

    def show_histogram(self, counts: Any, limits: Any) -> None:
        """Show `counts` (B,) of superpixels with sizes between the `limits` (B + 1,)."""
        self._bars.setOpts(x0=limits[:-1], x1=limits[1:], height=counts)
        self._box.setRange(xRange=(limits[0], limits[-1]), yRange=(0, max(counts)), padding=0.02)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the window's theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._take_colors()

    def _take_colors(self) -> None:
        color = self.palette().color(QPalette.ColorRole.WindowText)
        for axis in self.axes.values():
            axis.setPen(color)
            axis.setTextPen(color)
