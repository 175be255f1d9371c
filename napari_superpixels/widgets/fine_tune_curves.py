"""Curves of a fine-tuning while it runs: the loss, and the measures on the validation images."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import QGraphicsView, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_superpixels.widgets._plot import Plot
from napari_superpixels.widgets.fine_tune_wording import BR, UE

if TYPE_CHECKING:
    from napari_superpixels.engine.fine_tune_session import FineTuneSession

_HEIGHT, _LAST_HEIGHT = 108, 130
_AXIS_WIDTH, _AXIS_HEIGHT, _NAMED_AXIS_HEIGHT = 54, 22, 40
# pyqtgraph draws the name of an axis a little below it.
_NAME_MARGIN = 6
_SMOOTHING = 0.06
# Okabe and Ito's blue and vermilion, which colour-blind people tell apart, lighter on a dark ground.
_ON_DARK = {"curve": QColor("#56b4e9"), "start": QColor("#e69f00")}
_ON_LIGHT = {"curve": QColor("#0072b2"), "start": QColor("#b34700")}


class CurvePlot(Plot):
    """One quantity over the steps: a curve, and a thin or a dashed one to compare it with.

    Parameters
    ----------
    name, title, description : str
        Name of the object, what stands above the plot, and its tool tip.
    is_loss : bool
        Whether the values are noisy: they are then drawn thin, with a smoothed curve. Other values are dots on a line.
    is_last : bool
        Whether the plot names the axis of the steps.
    """

    def __init__(self, name: str, title: str, description: str, *, is_loss: bool, is_last: bool) -> None:
        self.raw = pg.PlotDataItem()
        self.curve = pg.PlotDataItem()
        self.start = pg.PlotDataItem()
        self._is_loss = is_loss
        self._drawn: tuple[Any, ...] = ()
        height = _LAST_HEIGHT if is_last else _HEIGHT
        super().__init__(name, title, description, height, (self.raw, self.start, self.curve), _NAME_MARGIN * is_last)
        self.setAccessibleName(title)
        self.axes["left"].setWidth(_AXIS_WIDTH)
        self.axes["left"].enableAutoSIPrefix(False)
        self.axes["bottom"].enableAutoSIPrefix(False)
        self.axes["bottom"].setHeight(_NAMED_AXIS_HEIGHT if is_last else _AXIS_HEIGHT)
        # Each change of an item would be an update of its own, for which napari's whole window, with its canvas, is put
        # together anew.
        self.view.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.NoViewportUpdate)
        if is_last:
            self.axes["bottom"].setLabel("Steps")
        self.box.disableAutoRange()
        self.take_colors(self.palette().color(QPalette.ColorRole.WindowText))

    def take_colors(self, text: QColor) -> None:
        """Draw in colours that can be seen on the window's ground."""
        super().take_colors(text)
        colors = curve_colors(text)
        thin = QColor(colors["curve"])
        thin.setAlphaF(0.35)
        self.raw.setPen(pg.mkPen(thin, width=1))
        self.curve.setPen(pg.mkPen(colors["curve"], width=2))
        if not self._is_loss:
            self.curve.setSymbol("o")
            self.curve.setSymbolSize(5)
            self.curve.setSymbolBrush(colors["curve"])
            self.curve.setSymbolPen(None)
        self.start.setPen(pg.mkPen(colors["start"], width=1.5, style=Qt.PenStyle.DashLine))
        self.view.viewport().update()

    def show_values(self, x: npt.NDArray[Any], y: npt.NDArray[Any], start: float | None, last_step: float) -> bool:
        """Draw values y (n,) at steps x (n,), and the start model's value as a dashed line up to `last_step`.

        Returns whether they are others than those drawn.
        """
        shown = np.isfinite(y)
        x, y = x[shown], y[shown]
        drawn = (x.tolist(), y.tolist(), start, last_step)
        if drawn == self._drawn:
            return False
        self._drawn = drawn
        values = y
        if self._is_loss:
            self.raw.setData(x, y)
            values = smoothed(y)
        elif start is not None:
            x, values = np.append(0.0, x), np.append(start, values)
        self.curve.setData(x, values)
        self.start.setData([0.0, last_step] if start is not None else [], [start, start] if start is not None else [])
        seen = np.append(y, start) if start is not None else y
        self.setVisible(len(seen) > 0)
        if len(seen):
            low, high = _range(seen, is_loss=self._is_loss)
            self.box.setRange(xRange=(0.0, last_step), yRange=(low, high), padding=0.03)
        self.view.viewport().update()
        return True


class FineTuneCurves(QWidget):
    """Loss, 1 - ASA and boundary recall of a session, as they are when `redraw` is called.

    Parameters
    ----------
    session : FineTuneSession
        Has the values.
    """

    def __init__(self, session: "FineTuneSession") -> None:
        super().__init__()
        self._session = session
        self.loss = CurvePlot(
            "loss_plot",
            "Loss (falls while it learns)",
            "How far the network's output is from what it should be, on the crops that it learns from. The strong "
            "curve is smoothed.",
            is_loss=True,
            is_last=False,
        )
        self.error = CurvePlot(
            "error_plot",
            "1 − ASA (lower is better)",
            "Undersegmentation error on the validation images: share of pixels that leak out of the object that their "
            "superpixel mostly covers. Each dot is an epoch; the first is the start model.",
            is_loss=False,
            is_last=False,
        )
        self.recall = CurvePlot(
            "recall_plot",
            "Boundary recall (higher is better)",
            "Share of the boundaries of the validation images that superpixels have too. Each dot is an epoch; the "
            "first is the start model.",
            is_loss=False,
            is_last=True,
        )
        self.legend = QLabel()
        self.legend.setObjectName("curve_legend")
        self.legend.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        self.validation = QLabel("On the validation images:")
        self.validation.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        for part in (self.legend, self.loss, self.validation, self.error, self.recall):
            layout.addWidget(part)
        self._show_legend()
        self.redraw()

    def redraw(self, n_plots: int = 3) -> bool:
        """Draw the values that the session has now, in so many plots at most; return whether all are drawn."""
        steps, losses = _columns(self._session.curve, "loss")
        epochs = [float(epoch["step"]) for epoch in self._session.epochs[-1:]]
        last = max([1.0, float(self._session.n_steps), *steps[-1:], *epochs])
        # First those that change now and then.
        for plot, measure in ((self.error, UE), (self.recall, BR)):
            start = self._session.baseline.get(measure)
            if n_plots and plot.show_values(*_columns(self._session.epochs, measure), start, last):
                n_plots -= 1
        if n_plots and self.loss.show_values(steps, losses, None, last):
            n_plots -= 1
        for part, plot in ((self.validation, self.error), (self.legend, self.loss)):
            part.setHidden(plot.isHidden() and self.error.isHidden())
        return n_plots > 0

    def changeEvent(self, event: Any) -> None:
        """Follow the window's theme."""
        super().changeEvent(event)
        if event.type() in (event.Type.PaletteChange, event.Type.StyleChange):
            self._show_legend()

    def _show_legend(self) -> None:
        colors = curve_colors(self.palette().color(QPalette.ColorRole.WindowText))
        new, old = (colors[name].name() for name in ("curve", "start"))
        text = f'<span style="color:{new}">━●━</span> this run &nbsp; <span style="color:{old}">╍╍╍</span> start model'
        if text != self.legend.text():
            self.legend.setText(text)


def curve_colors(text: QColor) -> dict[str, QColor]:
    """Return the colours of a curve and of what it starts from, where text has this colour."""
    return _ON_DARK if text.lightnessF() > 0.5 else _ON_LIGHT


def smoothed(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the means of values (n,) over a window of 6 % of them, shortened at both ends."""
    n = len(values)
    half = int(_SMOOTHING * n / 2)
    sums = np.append(0.0, np.cumsum(values, dtype=np.float64))
    i = np.arange(n)
    first, end = np.maximum(i - half, 0), np.minimum(i + half + 1, n)
    return np.asarray((sums[end] - sums[first]) / (end - first))


def _columns(points: Any, name: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    steps = np.array([point["step"] for point in points], dtype=np.float64)
    return steps, np.array([point.get(name, np.nan) for point in points], dtype=np.float64)


def _range(values: npt.NDArray[Any], *, is_loss: bool) -> tuple[float, float]:
    """Return limits that outliers of a loss do not set, and that a flat curve does not make a hair's breadth.

    They are round, so that they seldom change: an axis takes tens of milliseconds to be drawn anew.
    """
    low, high = float(values.min()), float(np.quantile(values, 0.99) if is_loss else values.max())
    least = 0.02 * max(abs(high), 1e-3)
    if high - low < least:
        low, high = (low + high - least) / 2, (low + high + least) / 2
    unit = 10 ** np.floor(np.log10(high - low)) / 2
    return float(np.floor(low / unit) * unit), float(np.ceil(high / unit) * unit)
