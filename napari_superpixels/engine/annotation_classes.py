"""Changes of the class table, and marks of what was checked."""

import numpy as np
import numpy.typing as npt

from napari_superpixels.data.class_table import ClassTable, Color
from napari_superpixels.engine.annotation_core import Anchor, AnnotationCore
from napari_superpixels.engine.deltas import ArrayDelta, classes_used
from napari_superpixels.engine.history import Entry


class ClassActs(AnnotationCore):
    """Edits of the classes and the checked marks of an annotation; each is an entry of the history."""

    @property
    def checked(self) -> frozenset[Anchor]:
        """Anchors, (row, column), of the superpixels of the plane at hand that were marked as checked."""
        return self._plane_state(self.plane).checked

    def checked_labels(self) -> frozenset[int]:
        """Return the superpixels of the plane at hand that were marked as checked."""
        return frozenset(self.index.label_at(anchor) for anchor in self.checked) - {0}

    def mark_checked(self, label: int, is_checked: bool = True) -> Entry | None:
        """Mark a superpixel as checked, or no longer; None if it is so already, KeyError if it is not there."""
        inside = {anchor for anchor in self.checked if self.index.label_at(anchor) == label}
        if bool(inside) == is_checked:
            return None
        self.end_stroke()
        anchors = [list(anchor) for anchor in sorted(inside)]
        if is_checked:
            return self._commit(
                "Mark as checked", before={"checked": []}, after={"checked": [list(self.index.anchor_of(label))]}
            )
        return self._commit("Mark as unchecked", before={"checked": anchors}, after={"checked": []})

    def add_class(self, name: str | None = None, color: Color | None = None) -> int:
        """Add a class, which becomes the current one, and return its number.

        Raises
        ------
        ValueError
            If the name is taken or not valid, or all numbers are in use.
        """
        table = self._table.added(name, color)
        number = table.numbers[-1]
        self._set_table(f"Add {table[number].name}", table)
        self.current_class = number
        return number

    def rename_class(self, number: int, name: str) -> Entry | None:
        """Rename a class; KeyError where there is none, ValueError if the name is taken or not valid."""
        return self._set_table(f"Rename {self._table[number].name}", self._table.renamed(number, name))

    def recolor_class(self, number: int, color: Color) -> Entry | None:
        """Change a class's colour; KeyError where there is none, ValueError if the colour is none."""
        return self._set_table(f"Recolour {self._table[number].name}", self._table.recolored(number, color))

    def move_class(self, number: int, position: int) -> Entry | None:
        """Change a class's place in the table; KeyError where there is none, ValueError if there is no such place."""
        return self._set_table(f"Move {self._table[number].name}", self._table.moved(number, position))

    def remove_class(self, number: int) -> Entry | None:
        """Remove a class; its pixels, in all planes, have none then. KeyError where there is none of this number."""
        name, table = self._table[number].name, self._table.removed(number)
        self.end_stroke()
        everywhere = tuple(slice(0, n) for n in self.classes.shape)
        emptied = np.where(self.classes == number, np.uint8(0), self.classes)
        delta = ArrayDelta.between("classes", everywhere, self.classes, emptied)
        if delta is not None:
            self._put(delta)
        return self._set_table(f"Remove {name}", table, () if delta is None else (delta,))

    def import_table(self, table: ClassTable) -> Entry | None:
        """Replace the class table; numbers that pixels have, and it lacks, are added to it."""
        return self._set_table("Import class table", table.completed(classes_used(self.classes)))

    def import_classes(
        self, values: npt.NDArray[np.uint8], table: ClassTable, name: str = "Import classes"
    ) -> Entry | None:
        """Replace the class of every pixel of all planes, and the class table, in one act.

        Parameters
        ----------
        values : ndarray of uint8
            Classes, of the shape of the arrays.
        table : ClassTable
            The new table; numbers that pixels have, and it lacks, are added to it.
        name : str
            Name of the entry.

        Returns
        -------
        Entry or None
            The act; None if it changes nothing.

        Raises
        ------
        ValueError
            If the shape is another.
        """
        if values.shape != self.classes.shape:
            raise ValueError(f"The classes have shape {values.shape}; expected {self.classes.shape}, the annotation's.")
        self.end_stroke()
        everywhere = tuple(slice(0, n) for n in values.shape)
        delta = ArrayDelta.between("classes", everywhere, self.classes, values.astype(np.uint8))
        table = table.completed(classes_used(values))
        if delta is None:
            return self._set_table(name, table)
        self._put(delta)
        before, after = {"table": self._table.to_json()}, {"table": table.to_json()}
        return self._commit(name, (delta,), before, after)

    def _set_table(self, name: str, table: ClassTable, deltas: tuple[ArrayDelta, ...] = ()) -> Entry | None:
        self.end_stroke()
        if table == self._table:
            return None
        return self._commit(name, deltas, {"table": self._table.to_json()}, {"table": table.to_json()})
