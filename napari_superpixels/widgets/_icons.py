"""Line drawings of the tools and acts, in the colours of the window."""

from collections.abc import Sequence
from typing import NamedTuple

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF

#: Width and height of the field that the drawings are made for.
SIZE = 20.0
_PEN_WIDTH = 1.6
_HEAD = 3.0


class _Line(NamedTuple):
    """A line through points."""

    points: Sequence[tuple[float, float]]
    is_closed: bool = False
    is_dashed: bool = False
    is_filled: bool = False

    def draw(self, painter: QPainter, color: QColor) -> None:
        pen = painter.pen()
        pen.setStyle(Qt.PenStyle.DashLine if self.is_dashed else Qt.PenStyle.SolidLine)
        if self.is_dashed:
            pen.setDashPattern([2.0, 1.8])
        painter.setPen(pen)
        painter.setBrush(color if self.is_filled else Qt.BrushStyle.NoBrush)
        shape = QPolygonF([QPointF(x, y) for x, y in self.points])
        if self.is_closed or self.is_filled:
            painter.drawPolygon(shape)
        else:
            painter.drawPolyline(shape)


class _Arc(NamedTuple):
    """A part of an ellipse: its box, where it begins and how far it goes, in degrees against the clock."""

    box: tuple[float, float, float, float]
    start: float = 0.0
    span: float = 360.0
    is_filled: bool = False

    def draw(self, painter: QPainter, color: QColor) -> None:
        pen = painter.pen()
        pen.setStyle(Qt.PenStyle.SolidLine)
        painter.setPen(pen)
        painter.setBrush(color if self.is_filled else Qt.BrushStyle.NoBrush)
        if self.span == 360.0:
            painter.drawEllipse(QRectF(*self.box))
        else:
            painter.drawArc(QRectF(*self.box), round(16 * self.start), round(16 * self.span))


def _dot(x: float, y: float, radius: float) -> _Arc:
    return _Arc((x - radius, y - radius, 2 * radius, 2 * radius), is_filled=True)


def _ring(x: float, y: float, radius: float) -> _Arc:
    return _Arc((x - radius, y - radius, 2 * radius, 2 * radius))


def _arrow(start: float, end: float, y: float) -> tuple[_Line, _Line]:
    """Return a level arrow from one x to another."""
    back = end - _HEAD if end > start else end + _HEAD
    return _Line(((start, y), (end, y))), _Line(((back, y - _HEAD), (end, y), (back, y + _HEAD)))


_ICONS: dict[str, Sequence[_Line | _Arc]] = {
    "look": (_Line(((5, 3), (5, 16), (8.4, 13), (10.8, 17.4), (12.8, 16.4), (10.6, 12.2), (15, 12)), is_closed=True),),
    "paint": (
        _Line(((17, 3), (9.6, 10.4))),
        _Line(((8, 9.4), (11, 12.2), (8.6, 16), (3, 17), (4.6, 11.8)), is_filled=True),
    ),
    "erase": (
        _Line(((3, 12), (10.5, 4.5), (16, 10), (9.5, 16.5), (7, 16.5)), is_closed=True),
        _Line(((6.6, 8.4), (12.2, 13.8))),
        _Line(((12, 17), (18, 17))),
    ),
    "fill": (
        _Line(((9, 3), (15, 9), (8.4, 15.6), (2.6, 9.6)), is_closed=True),
        _Line(((3.4, 10), (14, 10), (8.4, 15.4)), is_filled=True),
        _Line(((17, 12), (18.4, 15.4), (17, 17), (15.6, 15.4)), is_filled=True),
    ),
    "rectangle": (_Line(((3, 4), (17, 4), (17, 16), (3, 16)), is_closed=True, is_dashed=True),),
    "lasso": (
        _Arc((2.5, 3, 15, 9.5)),
        _ring(6.4, 13.6, 1.7),
        _Line(((6.4, 15.4), (5.4, 18))),
    ),
    "merge": (*_arrow(2, 8.4, 10), *_arrow(18, 11.6, 10), _Line(((10, 3), (10, 6))), _Line(((10, 14), (10, 17)))),
    "split": (
        _Line(((2.5, 4), (17.5, 4), (17.5, 16), (2.5, 16)), is_closed=True),
        _Line(((10.6, 4), (9.4, 8), (10.6, 12), (9.4, 16))),
        _dot(6, 10, 1.3),
        _dot(14, 10, 1.3),
    ),
    "cut": (
        _ring(5.6, 15, 2.5),
        _ring(14.4, 15, 2.5),
        _Line(((7, 12.8), (13.6, 2.6))),
        _Line(((13, 12.8), (6.4, 2.6))),
    ),
    "move": (_Line(((5, 3), (5, 17)), is_dashed=True), *_arrow(8, 15, 10), _Line(((17.4, 3), (17.4, 17)))),
    "add_seed": (_dot(7.4, 12.4, 3.6), _Line(((15, 3), (15, 9))), _Line(((12, 6), (18, 6)))),
    "remove_seed": (_dot(7.4, 12.4, 3.6), _Line(((12, 6), (18, 6)))),
    "undo": (_Arc((4, 6, 12.5, 10), 130, -250), _Line(((3.4, 4), (4.6, 8.8), (9.4, 7.6)))),
    "redo": (_Arc((3.5, 6, 12.5, 10), 50, 250), _Line(((16.6, 4), (15.4, 8.8), (10.6, 7.6)))),
    "add": (_Line(((10, 4), (10, 16))), _Line(((4, 10), (16, 10)))),
    "remove": (
        _Line(((3.5, 5.5), (16.5, 5.5))),
        _Line(((8, 5.5), (8, 3), (12, 3), (12, 5.5))),
        _Line(((5, 5.5), (6, 17), (14, 17), (15, 5.5))),
        _Line(((8.4, 9), (8.6, 13.6))),
        _Line(((11.6, 9), (11.4, 13.6))),
    ),
    "up": (_Line(((5, 12.5), (10, 7.5), (15, 12.5))),),
    "down": (_Line(((5, 7.5), (10, 12.5), (15, 7.5))),),
    "previous": (_Line(((12.5, 5), (7.5, 10), (12.5, 15))),),
    "next": (_Line(((7.5, 5), (12.5, 10), (7.5, 15))),),
    "check": (_Line(((4, 10.5), (8.4, 15), (16, 5.5))),),
    "warning": (
        _Line(((10, 2.5), (18.4, 17), (1.6, 17)), is_closed=True),
        _Line(((10, 7.5), (10, 12))),
        _dot(10, 14.6, 0.5),
    ),
    "lock": (
        _Line(((4.5, 9), (15.5, 9), (15.5, 17), (4.5, 17)), is_closed=True),
        _Arc((6.5, 3, 7, 9), 0, 180),
        _Line(((6.5, 7.5), (6.5, 9))),
        _Line(((13.5, 7.5), (13.5, 9))),
    ),
    "more": (_dot(4.5, 10, 1.2), _dot(10, 10, 1.2), _dot(15.5, 10, 1.2)),
}


def draw_icon(painter: QPainter, name: str, box: QRectF, color: QColor) -> None:
    """Draw an icon into a square box.

    Raises
    ------
    KeyError
        If there is none of this name.
    """
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(box.topLeft())
    painter.scale(box.width() / SIZE, box.height() / SIZE)
    pen = QPen(color)
    pen.setWidthF(_PEN_WIDTH)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    for part in _ICONS[name]:
        part.draw(painter, color)
    painter.restore()


def has_icon(name: str) -> bool:
    """Return whether there is a drawing of this name."""
    return name in _ICONS
