"""How many superpixels have which size, as bars in the colours of the window."""

from typing import Any

import pyqtgraph as pg
from qtpy.QtGui import QPalette

from napari_superpixels.widgets._plot import Plot

_HEIGHT = 124
_BAR = (79, 157, 222)


class SizePlot(Plot):
    """A histogram that is looked at, not worked with: no zoom, no menu, no keyboard focus."""

    def __init__(self) -> None:
        self._bars = pg.BarGraphItem(x0=[0.0], x1=[1.0], height=[0.0], brush=_BAR, pen=None)
        super().__init__(
            "size_histogram",
            "Superpixels by size in pixels",
            "How many superpixels have how many pixels.",
            _HEIGHT,
            [self._bars],
        )
        self.setAccessibleName("Sizes of the superpixels")
        self.take_colors(self.palette().color(QPalette.ColorRole.WindowText))

    def heights(self) -> list[int]:
        """Return the heights of the bars, from left to right."""
        return [int(height) for height in self._bars.opts["height"]]

    def show_histogram(self, counts: Any, limits: Any) -> None:
        """Show `counts` (B,) of superpixels with sizes between the `limits` (B + 1,)."""
        self._bars.setOpts(x0=limits[:-1], x1=limits[1:], height=counts)
        self.box.setRange(xRange=(limits[0], limits[-1]), yRange=(0, max(counts)), padding=0.02)
