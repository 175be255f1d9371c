"""What every tool works with: the annotation, what lies under the cursor, and the lines that it draws."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_superpixels.core.strokes import pixel_path
from napari_superpixels.engine.annotation import Annotation
from napari_superpixels.engine.hierarchy import Hierarchy
from napari_superpixels.plugin.frames import Frames
from napari_superpixels.plugin.guides import Guides, Pixels, outline

#: Row and column of a position in the plane, in pixels.
Position = tuple[float, float]
Selection = npt.NDArray[np.integer]
_MARK = np.array([(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1), (-2, 0), (2, 0), (0, -2), (0, 2)])


class Hand:
    """The annotation at hand, and at which level of coarser superpixels it is painted.

    Parameters
    ----------
    annotation : Annotation
        What tools change.
    hierarchy : Hierarchy
        Coarser superpixels.
    guides : Guides
        Where tools draw.
    """

    level_changed = Signal()
    """Another level, or another number of steps up from it."""
    noted = Signal(str)
    """What the user should know of an act."""

    def __init__(self, annotation: Annotation, hierarchy: Hierarchy, guides: Guides) -> None:
        self.annotation = annotation
        self.hierarchy = hierarchy
        self.guides = guides
        self.frames = Frames()
        self._level = 0.0
        self._n_steps = 0

    @property
    def level(self) -> float:
        """Level of coarser superpixels, from 0, the superpixels themselves, to 1."""
        return self._level

    @level.setter
    def level(self, level: float) -> None:
        if level != self._level:
            self._level = level
            self._n_steps = 0
            self.level_changed.emit()

    def step(self, n: int) -> None:
        """Take larger regions under the cursor by so many steps of the hierarchy; negative for smaller ones."""
        steps = max(0, self._n_steps + n)
        if steps != self._n_steps:
            self._n_steps = steps
            self.level_changed.emit()

    def label_at(self, position: Position) -> int:
        """Return the superpixel at a position; 0 where there is none."""
        row, column = round(position[0]), round(position[1])
        return self.annotation.index.label_at((row, column))

    def point(self, position: Position) -> tuple[int, int]:
        """Return the pixel of the plane that is nearest to a position."""
        row, column = (
            min(max(round(part), 0), n - 1)
            for part, n in zip(position, self.annotation.labels_plane.shape, strict=True)
        )
        return row, column

    def selection(self, label: int) -> Selection:
        """Return what a click on a superpixel takes, at the present level."""
        chosen: Selection = np.array([label], np.int32)
        if self._level > 0:
            chosen = self.hierarchy.group(label, self._level)
        for _ in range(self._n_steps):
            larger = self.hierarchy.grow(chosen, label)
            if len(larger) == len(chosen):
                break
            chosen = larger
        return chosen

    def path(self, positions: Iterable[Position]) -> Pixels:
        """Return the pixels (n, 2) of the plane under a stroke through positions."""
        rows, columns = self.annotation.labels_plane.shape
        return pixel_path(np.array(list(positions), float).reshape(-1, 2), (rows, columns))

    def labels_on(self, path: Pixels) -> list[int]:
        """Return the superpixels under a path, in the order in which it meets them."""
        labels, first = np.unique(self.annotation.labels_plane[tuple(path.T)], return_index=True)
        return [int(label) for label in labels[np.argsort(first)] if label > 0]

    def draw_outline(self, labels: Iterable[int]) -> None:
        """Show which superpixels a click would take; none to show nothing."""
        box, mask = self.annotation.index.pixels_of(labels)
        self.guides.draw("hover", outline(mask, box))

    def draw_mark(self, position: Position) -> None:
        """Mark a click that waits for the next."""
        pixels = np.array(self.point(position)) + _MARK
        inside = np.all((pixels >= 0) & (pixels < self.annotation.labels_plane.shape), axis=1)
        self.guides.extend("stroke", pixels[inside])
