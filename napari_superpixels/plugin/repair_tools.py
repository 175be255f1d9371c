"""Tools that repair wrong superpixels."""

import numpy as np
from skimage.graph import MCP

from napari_superpixels.plugin.guides import Pixels
from napari_superpixels.plugin.hand import Hand, Position
from napari_superpixels.plugin.tool import Tool


class _Stroke(Tool):
    """A tool that draws a line and acts when it ends."""

    def __init__(self, hand: Hand) -> None:
        super().__init__(hand)
        self._positions: list[Position] = []
        self._n_drawn = 0

    def press(self, position: Position, *, is_shift: bool = False) -> None:
        """Begin the line."""
        self._positions, self._n_drawn = [position], 0
        self.hand.guides.clear("hover")

    def move(self, position: Position) -> None:
        """Go on with the line."""
        if self._positions:
            self._positions.append(position)
            self.hand.frames.request(self._draw)

    def cancel(self) -> None:
        """Drop the line."""
        self._positions = []
        self.hand.frames.drop()
        super().cancel()

    def _end(self, position: Position) -> Pixels | None:
        """Return the pixels under the line, whose drawing goes, or None if it was dropped."""
        if not self._positions:
            return None
        if position != self._positions[-1]:
            self._positions.append(position)
        positions, self._positions = self._positions, []
        self.hand.frames.drop()
        return self.hand.path(positions)

    def _draw(self) -> None:
        if len(self._positions) > self._n_drawn:
            self.hand.guides.extend("stroke", self.hand.path(self._positions[max(self._n_drawn - 1, 0) :]))
            self._n_drawn = len(self._positions)


class Merge(_Stroke):
    """Makes superpixels one."""

    name, title, key = "merge", "Merge", "J"
    help = "Drag across superpixels, or click two that touch, to join them. Ctrl+drag in any tool."

    def __init__(self, hand: Hand) -> None:
        super().__init__(hand)
        self._first: tuple[int, int] | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether the first of two has been clicked."""
        return self._first is not None

    def release(self, position: Position) -> None:
        """Merge what the line crosses, or wait for a second click."""
        path = self._end(position)
        if path is None or not len(path):
            return
        if len(self.hand.labels_on(path)) > 1:
            self.cancel()
            self.hand.annotation.merge(_points(path))
        elif self._first is None:
            self._first = self.hand.point(position)
            self.hand.noted.emit("Now click a superpixel that touches this one.")
            self.hand.draw_mark(position)
        else:
            first = self._first
            self.cancel()
            self._merge_clicked(first, self.hand.point(position))

    def cancel(self) -> None:
        """Drop the line, or the first click."""
        self._first = None
        super().cancel()

    def _merge_clicked(self, first: tuple[int, int], second: tuple[int, int]) -> None:
        index = self.hand.annotation.index
        pair = [index.label_at(first), index.label_at(second)]
        if pair[0] == pair[1] or not all(pair):
            return
        path = _path_inside(*index.pixels_of(pair), first, second)
        if path is None:
            self.hand.noted.emit("These superpixels do not touch: drag across those between them to merge all.")
        else:
            self.hand.annotation.merge(path)


class Split(_Stroke):
    """Divides a superpixel between clicks or scribbles."""

    name, title, key = "split", "Split", "S"
    help = "Click or scribble in both parts of a superpixel; hold Shift for more parts."

    def __init__(self, hand: Hand) -> None:
        super().__init__(hand)
        self._groups: list[Pixels] = []
        self._is_more = False

    @property
    def is_waiting(self) -> bool:
        """Whether parts have been clicked and more are to come."""
        return bool(self._groups)

    def press(self, position: Position, *, is_shift: bool = False) -> None:
        """Begin a click or scribble."""
        super().press(position)
        self._is_more = is_shift

    def release(self, position: Position) -> None:
        """Take a part, and divide after the last."""
        path = self._end(position)
        if path is None or not len(path):
            return
        self._groups.append(np.unique(path, axis=0) if len(path) == 1 else path)
        if len(path) == 1:
            self.hand.draw_mark(position)
        else:
            self.hand.guides.extend("stroke", path)
        if len(self._groups) > 1 and not self._is_more:
            groups = self._groups
            self.cancel()
            if self.hand.annotation.split([_points(group) for group in groups]) is None:
                self.hand.noted.emit("There is nothing to divide: these are superpixels of their own already.")

    def cancel(self) -> None:
        """Drop the line and the clicks."""
        self._groups = []
        super().cancel()


class Cut(_Stroke):
    """Makes a line a border."""

    name, title, key = "cut", "Cut", "C"
    help = "Draw a border across superpixels: they are divided along it, and stay so."

    def release(self, position: Position) -> None:
        """Cut along the line."""
        path = self._end(position)
        if path is not None:
            self.cancel()
            if len(path) < 2 or self.hand.annotation.cut(_points(path)) is None:
                self.hand.noted.emit("This line divides no superpixel; draw from one side of it to the other.")


class Move(_Stroke):
    """Moves a border."""

    name, title, key = "move", "Move border", "Y"
    help = "Drag from inside a superpixel over its border: what the line covers joins it."

    def release(self, position: Position) -> None:
        """Give the pixels under the line to the superpixel where it began."""
        path = self._end(position)
        if path is not None:
            self.cancel()
            if len(path) > 1:
                points = _points(path)
                self.hand.annotation.assign(points[1:], points[0])


class AddSeed(Tool):
    """Adds a superpixel."""

    name, title, key = "add_seed", "Add seed", "W"
    help = "Click where a superpixel of its own should grow."

    def press(self, position: Position, *, is_shift: bool = False) -> None:
        """Let a superpixel grow from here."""
        if self.hand.label_at(position):
            self.hand.annotation.add_seed(self.hand.point(position))


class RemoveSeed(Tool):
    """Removes a superpixel."""

    name, title, key = "remove_seed", "Remove seed", "Q"
    help = "Click a superpixel to remove it: its neighbours grow into its place."

    def press(self, position: Position, *, is_shift: bool = False) -> None:
        """Remove the superpixel that was clicked."""
        if self.hand.label_at(position):
            self.hand.annotation.remove_seed(self.hand.point(position))


def _points(path: Pixels) -> list[tuple[int, int]]:
    return [(int(row), int(column)) for row, column in path]


def _path_inside(
    box: tuple[slice, slice], mask: np.ndarray, first: tuple[int, int], second: tuple[int, int]
) -> list[tuple[int, int]] | None:
    """Return the shortest 4-connected path between two pixels that stays in a mask; None if there is none."""
    origin = np.array([side.start for side in box])
    search = MCP(np.where(mask, 1.0, -1.0), fully_connected=False)
    start, end = tuple(np.array(first) - origin), tuple(np.array(second) - origin)
    costs, _ = search.find_costs([start], [end])
    if not np.isfinite(costs[end]):
        return None
    return _points(np.array(search.traceback(end)) + origin)
