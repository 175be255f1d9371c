"""Giving superpixels a class."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from napari_superpixels.engine.annotation_core import AnnotationCore
from napari_superpixels.engine.deltas import ArrayDelta, classes_used
from napari_superpixels.engine.history import Entry
from napari_superpixels.engine.region_index import PlaneBox, Rule


class PaintingActs(AnnotationCore):
    """Painting of an annotation, in strokes or at once."""

    @property
    def is_in_stroke(self) -> bool:
        """Whether a stroke is under way."""
        return self._stroke is not None

    def begin_stroke(self, name: str | None = None) -> None:
        """Begin a stroke: what is painted until :meth:`end_stroke` is one entry of the history.

        Parameters
        ----------
        name : str, optional
            Name of the entry; that of the first act of the stroke if None.
        """
        self.end_stroke()
        self._stroke, self._stroke_name = [], name

    def paint(self, labels: Iterable[int], class_number: int | None = None) -> Entry | None:
        """Give superpixels a class.

        Parameters
        ----------
        labels : iterable of int
            The superpixels; numbers that are not there are passed over.
        class_number : int, optional
            The class, 0 to take it away; the current one if None.

        Returns
        -------
        Entry or None
            The act; None in a stroke, or if nothing changes.

        Raises
        ------
        ValueError
            If there is no such class.
        """
        number = self._known_class(self._current_class if class_number is None else class_number)
        return self._paint(self._verb("Paint", number), *self.index.pixels_of(labels), number)

    def erase(self, labels: Iterable[int]) -> Entry | None:
        """Take the class of superpixels away, as :meth:`paint` does."""
        return self.paint(labels, 0)

    def fill(self, label: int, class_number: int | None = None) -> Entry | None:
        """Give a class to a superpixel and to all that are connected to it through superpixels of its present class.

        Parameters and errors are those of :meth:`paint`; a superpixel that is not there is a KeyError.
        """
        number = self._known_class(self._current_class if class_number is None else class_number)
        box, mask = self.index.pixels_of(self.index.connected(label))
        return self._paint(self._verb("Fill", number), box, mask, number)

    def paint_inside(
        self,
        box: PlaneBox,
        mask: npt.NDArray[np.bool_],
        class_number: int | None = None,
        rule: Rule = "center",
    ) -> Entry | None:
        """Give a class to all superpixels inside a shape.

        Parameters
        ----------
        box : tuple of slice
            Rows and columns of the mask, within the plane.
        mask : ndarray of bool
            The shape, in the box.
        class_number : int, optional
            The class, 0 to take it away; the current one if None.
        rule : {"center", "any", "all"}
            Whether a superpixel is inside when its anchor is, when any of its pixels is, or when all are.

        Raises
        ------
        ValueError
            If there is no such class or rule.
        """
        number = self._known_class(self._current_class if class_number is None else class_number)
        inside = self.index.labels_inside(box, mask, rule)
        return self._paint(self._verb("Paint", number) + " inside", *self.index.pixels_of(inside), number)

    def replace_classes(self, values: npt.NDArray[np.uint8], name: str = "Import classes") -> Entry | None:
        """Set the class of every pixel of the plane at hand.

        Parameters
        ----------
        values : ndarray of uint8
            Classes, of the plane's shape; those that the table lacks are added to it.
        name : str
            Name of the entry.

        Raises
        ------
        ValueError
            If the shape is not the plane's.
        """
        plane = self.classes_plane
        if values.shape != plane.shape:
            raise ValueError(f"The classes have shape {values.shape}; expected {plane.shape}, the plane's.")
        self.end_stroke()
        delta = self._change("classes", (slice(0, plane.shape[0]), slice(0, plane.shape[1])), values.astype(np.uint8))
        return self._commit_classes(name, delta, classes_used(values))

    def _commit_classes(self, name: str, delta: ArrayDelta | None, numbers: Iterable[int]) -> Entry | None:
        """Record pixels of these classes, which are added to the table where it lacks them."""
        table = self._table.completed(numbers)
        if delta is None and table == self._table:
            return None
        before, after = {}, {}
        if table != self._table:
            before, after = {"table": self._table.to_json()}, {"table": table.to_json()}
        return self._commit(name, () if delta is None else (delta,), before, after)

    def _paint(self, name: str, box: PlaneBox, mask: npt.NDArray[np.bool_], number: int) -> Entry | None:
        delta = self._change("classes", box, np.where(mask, np.uint8(number), self.classes_plane[box]))
        if delta is None:
            return None
        if self._stroke is None:
            return self._commit(name, (delta,))
        self._stroke.append(delta)
        self._stroke_name = self._stroke_name or name
        return None

    def _verb(self, verb: str, number: int) -> str:
        return f"{verb} {self._table[number].name}" if number else "Erase"
