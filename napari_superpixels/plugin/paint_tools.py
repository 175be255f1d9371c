"""Tools that give superpixels a class."""

from collections.abc import Callable, Iterable

import numpy as np

from napari_superpixels.core.strokes import pixels_inside
from napari_superpixels.plugin.hand import Hand, Position
from napari_superpixels.plugin.tool import Tool

_NO_CLASS = "There is no class to paint with: add one to the table."


class Paint(Tool):
    """Gives each superpixel that the mouse is dragged over the current class."""

    name, title, key = "paint", "Paint", "A"
    help = "Click or drag over superpixels to give them the current class; with Shift to take it away."

    def __init__(self, hand: Hand) -> None:
        super().__init__(hand)
        self._last: Position = (0.0, 0.0)
        self._class: int | None = None
        self._visited: set[int] = set()
        self._waiting: set[int] = set()

    def press(self, position: Position, *, is_shift: bool = False) -> None:
        """Begin a stroke with the superpixel that was clicked."""
        annotation = self.hand.annotation
        self._class = self._chosen_class(is_shift)
        if self._class is None:
            self.hand.noted.emit(_NO_CLASS)
            return
        self._visited.clear()
        self._waiting.clear()
        self._last = position
        annotation.begin_stroke()
        self.hand.guides.clear("hover")
        self._take([self.hand.label_at(position)])
        self.hand.frames.flush()

    def move(self, position: Position) -> None:
        """Paint what lies between the last position and this."""
        if self._class is None:
            return
        self._take(self.hand.labels_on(self.hand.path([self._last, position])))
        self._last = position

    def release(self, position: Position) -> None:
        """End the stroke, which is one step to undo."""
        self.move(position)
        self.hand.frames.flush()
        if self._class is not None:
            self.hand.annotation.end_stroke()
        self._class = None

    def cancel(self) -> None:
        """Take back what the stroke has painted."""
        super().cancel()
        self.hand.frames.drop()
        self._class = None
        self.hand.annotation.cancel_stroke()

    def forget_numbers(self) -> None:
        """Let the stroke paint what it comes over again."""
        self._visited.clear()

    def _chosen_class(self, is_shift: bool) -> int | None:
        return 0 if is_shift else self.hand.annotation.current_class or None

    def _take(self, labels: Iterable[int]) -> None:
        """Paint superpixels with the next frame."""
        for label in labels:
            if label and label not in self._visited:
                chosen = set(self.hand.selection(label).tolist()) | {label}
                self._waiting |= chosen - self._visited
                self._visited |= chosen
        if self._waiting:
            self.hand.frames.request(self._flush)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, set()
        if self._class is not None:
            self.hand.annotation.paint(waiting, self._class)


class Erase(Paint):
    """Takes the class of each superpixel that the mouse is dragged over away."""

    name, title, key = "erase", "Erase", "D"
    help = "Click or drag over superpixels to take their class away."

    def _chosen_class(self, is_shift: bool) -> int | None:
        return 0


class Fill(Tool):
    """Gives all connected superpixels of one class the current class."""

    name, title, key = "fill", "Fill", "G"
    help = "Click: the superpixel, and all of its class that hang together with it, get the current class."

    def press(self, position: Position, *, is_shift: bool = False) -> None:
        """Fill from the superpixel that was clicked."""
        annotation, label = self.hand.annotation, self.hand.label_at(position)
        if not is_shift and not annotation.current_class:
            self.hand.noted.emit(_NO_CLASS)
        elif label:
            annotation.fill(label, 0 if is_shift else None)

    def hover(self, label: int) -> None:
        """Show all that would be filled."""
        self.hand.draw_outline(self.hand.annotation.index.connected(label).tolist() if label else ())


class Rectangle(Tool):
    """Gives all superpixels in a rectangle the current class."""

    name, title, key = "rectangle", "Rectangle", "R"
    help = "Drag a box: superpixels whose middle lies inside get the current class; with Shift none."

    def __init__(self, hand: Hand) -> None:
        super().__init__(hand)
        self._corners: list[Position] = []
        self._class: int | None = None

    def press(self, position: Position, *, is_shift: bool = False) -> None:
        """Set the first corner."""
        self._class = 0 if is_shift else self.hand.annotation.current_class or None
        self._corners = [position] if self._class is not None else []
        if self._class is None:
            self.hand.noted.emit(_NO_CLASS)
        self.hand.guides.clear("hover")

    def move(self, position: Position) -> None:
        """Draw the shape as it would be."""
        if self._corners:
            self._extend(position)
            self.hand.frames.request(self._draw)

    def release(self, position: Position) -> None:
        """Paint what lies inside."""
        corners, self._corners = self._corners, []
        self.hand.frames.drop()
        self.hand.guides.clear("stroke")
        if not corners:
            return
        index, (n_rows, n_columns) = self.hand.annotation.index, self.hand.annotation.labels_plane.shape
        if np.ptp(corners, axis=0).max() < 1:
            # A click takes the superpixel itself.
            self._take(self.hand.selection(self.hand.label_at(position)).tolist())
            return
        box, mask = pixels_inside(self._polygon(corners), (n_rows, n_columns))
        self._take(index.labels_inside(box, mask, "center").tolist())

    def cancel(self) -> None:
        """Drop the shape."""
        self._corners = []
        self.hand.frames.drop()
        super().cancel()

    def _take(self, labels: list[int]) -> None:
        self.hand.annotation.paint(labels, self._class)

    def _extend(self, position: Position) -> None:
        self._corners = [self._corners[0], position]

    def _polygon(self, corners: list[Position]) -> list[Position]:
        (top, left), (bottom, right) = corners[0], corners[-1]
        return [(top, left), (top, right), (bottom, right), (bottom, left)]

    def _draw(self) -> None:
        if self._corners:
            polygon = self._polygon(self._corners)
            self.hand.guides.draw("stroke", self.hand.path([*polygon, polygon[0]]))


class Lasso(Rectangle):
    """Gives all superpixels in a shape drawn by hand the current class."""

    name, title, key = "lasso", "Lasso", "O"
    help = "Drag around superpixels to give them the current class; with Shift to take it away."

    def _extend(self, position: Position) -> None:
        self._corners.append(position)

    def _polygon(self, corners: list[Position]) -> list[Position]:
        return corners


class AcceptLasso(Lasso):
    """Accepts what is suggested for the superpixels in a shape drawn by hand.

    Parameters
    ----------
    hand : Hand
        What it works with.
    accept : callable
        Accepts what is suggested for some superpixels.
    """

    name, title, key = "accept_lasso", "Accept in lasso", ""
    help = "Drag around superpixels to give those inside the classes that are suggested for them."

    def __init__(self, hand: Hand, accept: Callable[[list[int]], None]) -> None:
        super().__init__(hand)
        self._accept = accept

    def press(self, position: Position, *, is_shift: bool = False) -> None:
        """Begin the shape."""
        self._corners = [position]
        self.hand.guides.clear("hover")

    def _take(self, labels: list[int]) -> None:
        self._accept(labels)
