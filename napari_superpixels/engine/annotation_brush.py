"""Strokes of another tool on the arrays, such as napari's brush, made acts of the annotation."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.measure import label as connected_components

from napari_superpixels.core.walks import walk_through
from napari_superpixels.engine.annotation_painting import PaintingActs
from napari_superpixels.engine.annotation_repairs import Point, RepairActs, pixel_tuple
from napari_superpixels.engine.corrections import Assign, Correction, Split
from napari_superpixels.engine.deltas import ArrayDelta, ArrayName, Box
from napari_superpixels.engine.history import Entry
from napari_superpixels.engine.region_index import PlaneBox

#: By how much a new number may exceed those in use; the index takes memory and time for each number up to the largest.
_MAX_GAP = 1_000_000


class BrushActs(PaintingActs, RepairActs):
    """What others painted on the arrays."""

    def note_brush(
        self, array: ArrayName, indices: tuple[npt.NDArray[Any], ...], old: npt.NDArray[Any], new: npt.NDArray[Any]
    ) -> Entry | None:
        """Record a stroke that is in an array already.

        On superpixels it is a repair: pixels painted with the number of a superpixel move to it, as with
        :meth:`assign`; those painted with a new number become a superpixel. What is left of the others is divided where
        it falls apart. Negative numbers count as 0; those far beyond the numbers in use become the next free ones.

        Parameters
        ----------
        array : {"labels", "classes"}
            Which array.
        indices : tuple of ndarray of int, (n,) each
            Positions of the pixels in the whole array, one for each axis; no pixel twice.
        old, new : ndarray of shape (n,)
            Values before and after.

        Returns
        -------
        Entry or None
            The act; None if nothing changed.
        """
        self.end_stroke()
        whole = self._arrays.arrays[array]
        changed = np.flatnonzero(np.asarray(old) != new)
        if not changed.size:
            return None
        pixels = self._arrays.shared_pixels(tuple(np.asarray(axis)[changed] for axis in indices))
        # Put back, so that what follows sees the arrays as they were, and writes them as every other act does.
        whole[pixels] = np.asarray(old)[changed]
        box: Box = tuple(slice(int(axis.min()), int(axis.max()) + 1) for axis in pixels)
        values = np.asarray(new)[changed]
        painted = whole[box].copy()
        painted[tuple(axis - side.start for axis, side in zip(pixels, box, strict=True))] = (
            self._usable(values, box) if array == "labels" else values
        )
        delta = ArrayDelta.between(array, box, whole[box], painted)
        if delta is None:
            return None
        if array == "classes":
            self._put(delta)
            numbers = np.unique(values).tolist()
            is_known = len(numbers) == 1 and numbers[0] in self._table
            return self._commit_classes(
                f"Brush {self._table[numbers[0]].name}" if is_known else "Brush", delta, numbers
            )
        return self._brush_labels(delta, painted)

    def _usable(self, numbers: npt.NDArray[Any], box: Box) -> npt.NDArray[Any]:
        """Return numbers that were painted in a box as numbers that superpixels can have."""
        planes = tuple(slice(None) if part is None else side for side, part in zip(box, self.plane, strict=True))
        next_label = int(self.labels[planes].max(initial=0)) + 1
        usable = np.maximum(numbers, 0)
        is_far = usable > next_label + _MAX_GAP
        usable[is_far] = next_label + np.unique(usable[is_far], return_inverse=True)[1]
        return usable

    def _brush_labels(self, delta: ArrayDelta, painted: npt.NDArray[np.int32]) -> Entry:
        name = "Brush superpixel"
        box = self.plane_box(delta.box)
        is_plane = box is not None and delta.box == self._arrays.whole_box(box)
        if box is None or not is_plane:
            self._put(delta)
            return self._record(name, [delta], [])
        before = self.labels_plane[box]
        painted = painted.reshape(before.shape)
        changed = painted != before
        numbers = np.unique(painted[changed])
        number = int(numbers[0])
        if numbers.size == 1 and number in self.index and before[changed].all():
            path = pixel_tuple(np.argwhere(changed) + np.array([box[0].start, box[1].start]))
            entry = self._assign(name, Assign(path, self._anchor_beside(number, box, changed)))
            if entry is not None:
                return entry
        return self._make_superpixel(name, box, painted, number if numbers.size == 1 else 0)

    def _anchor_beside(self, number: int, box: PlaneBox, changed: npt.NDArray[np.bool_]) -> Point:
        """Return a pixel of a superpixel that touches the painted pixels, or any of it."""
        labels = self.labels_plane
        wide = tuple(slice(max(s.start - 1, 0), min(s.stop + 1, n)) for s, n in zip(box, labels.shape, strict=True))
        shape = tuple(side.stop - side.start for side in wide)
        near = np.zeros(shape, bool)
        near[tuple(slice(s.start - w.start, s.stop - w.start) for s, w in zip(box, wide, strict=True))] = changed
        touching = np.argwhere(ndimage.binary_dilation(near) & (labels[wide] == number))
        if not len(touching):
            return self.index.anchor_of(number)
        row, column = touching[0].tolist()
        return row + wide[0].start, column + wide[1].start

    def _make_superpixel(self, name: str, box: PlaneBox, painted: npt.NDArray[np.int32], number: int) -> Entry:
        """Write painted labels, divide those that fall apart, and hold a new superpixel together."""
        before = self.labels_plane[box]
        losers = [int(label) for label in np.unique(before[before != painted]) if label]
        winners = [int(label) for label in np.unique(painted[before != painted]) if label]
        is_new = number > 0 and number not in self.index
        next_label = max(self.index.next_label, *winners, 0) + 1
        box, painted = self._widened(box, painted, [*losers, *winners])
        delta = self._change("labels", box, _divided(painted, sorted({*losers, *winners}), next_label))
        corrections = self._hold(number, losers) if is_new else []
        return self._record(name, [] if delta is None else [delta], corrections)

    def _widened(
        self, box: PlaneBox, painted: npt.NDArray[np.int32], labels: list[int]
    ) -> tuple[PlaneBox, npt.NDArray[np.int32]]:
        """Return a box that has all of some superpixels in it too, and its labels with the painted ones."""
        around, mask = self.index.pixels_of(labels)
        if not mask.size:
            return box, painted
        rows, columns = (slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(box, around, strict=True))
        wide = self.labels_plane[rows, columns].copy()
        top, left = box[0].start - rows.start, box[1].start - columns.start
        wide[top : top + painted.shape[0], left : left + painted.shape[1]] = painted
        return (rows, columns), wide

    def _hold(self, number: int, losers: list[int]) -> list[Correction]:
        """Return what keeps a new superpixel together, and apart from those that it was taken from."""
        box, mask = self.index.mask_of(number)
        path = pixel_tuple(walk_through(mask, mask) + np.array([box[0].start, box[1].start]))
        others = tuple((self.index.anchor_of(label),) for label in losers if label in self.index)
        return [Split((path, *others)) if others else Assign(path, path[0])]


def _divided(labels: npt.NDArray[np.int32], affected: list[int], next_label: int) -> npt.NDArray[np.int32]:
    """Return labels with new numbers, from `next_label`, for all but the largest part of those that fall apart."""
    divided = labels.copy()
    for label in affected:
        parts, n_parts = connected_components(labels == label, connectivity=1, return_num=True)
        stays = 1 + int(np.bincount(parts.ravel(), minlength=2)[1:].argmax())
        for part in range(1, n_parts + 1):
            if part != stays:
                divided[parts == part] = next_label
                next_label += 1
    return divided
