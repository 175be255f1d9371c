"""Where each superpixel of a plane is, how large, and of which classes: found once, then kept up to date by boxes."""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_superpixels.core.region_scans import (
    connected_labels,
    mark_labels,
    middle_pixels,
    reclass,
    relabel,
    scan_plane,
)

#: Rows and columns of a plane.
PlaneBox = tuple[slice, slice]
Rule = Literal["center", "any", "all"]


class RegionIndex:
    """Boxes, areas and class counts of the superpixels of one plane.

    Label 0, outside a mask, is no superpixel. Numbers of labels may have gaps.

    Parameters
    ----------
    labels : ndarray of shape (M, N), int32
        Superpixels, not negative. Not copied: written in place by others, who then call :meth:`labels_changed`.
    classes : ndarray of shape (M, N), uint8
        Class of each pixel, 0 for none; likewise.
    """

    def __init__(self, labels: npt.NDArray[np.int32], classes: npt.NDArray[np.uint8]) -> None:
        self._labels = labels
        self._classes = classes
        self._build()

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Numbers of the superpixels, rising."""
        present = np.flatnonzero(self._areas)
        return present[present > 0]

    @property
    def next_label(self) -> int:
        """The number after the largest one in use."""
        present = np.flatnonzero(self._areas)
        return int(present[-1]) + 1 if present.size else 1

    def __len__(self) -> int:
        return int(np.count_nonzero(self._areas[1:]))

    def __contains__(self, label: object) -> bool:
        if not isinstance(label, int | np.integer):
            return False
        return 0 < int(label) < self._areas.size and bool(self._areas[label])

    def label_at(self, point: tuple[int, int]) -> int:
        """Return the superpixel at (row, column); 0 where there is none, or outside the plane."""
        row, column = point
        if 0 <= row < self._labels.shape[0] and 0 <= column < self._labels.shape[1]:
            return int(self._labels[row, column])
        return 0

    def box_of(self, label: int) -> PlaneBox:
        """Return the rows and columns that a superpixel lies in; KeyError where there is none of this number."""
        top, left, bottom, right = self._boxes[self._checked(label)].tolist()
        return slice(top, bottom), slice(left, right)

    def area_of(self, label: int) -> int:
        """Return a superpixel's number of pixels; KeyError where there is none of this number."""
        return int(self._areas[self._checked(label)])

    def mask_of(self, label: int) -> tuple[PlaneBox, npt.NDArray[np.bool_]]:
        """Return a superpixel's box and its pixels in it; KeyError where there is none of this number."""
        box = self.box_of(label)
        return box, self._labels[box] == label

    def pixels_of(self, labels: Iterable[int]) -> tuple[PlaneBox, npt.NDArray[np.bool_]]:
        """Return the box around several superpixels and their pixels in it; an empty box where none is there."""
        wanted = self._present(labels)
        if not wanted.size:
            return (slice(0, 0), slice(0, 0)), np.zeros((0, 0), bool)
        top, left = self._boxes[wanted, :2].min(axis=0).tolist()
        bottom, right = self._boxes[wanted, 2:].max(axis=0).tolist()
        inside = np.zeros((bottom - top, right - left), bool)
        mark_labels(self._labels, self._boxes, wanted, top, left, inside)
        return (slice(top, bottom), slice(left, right)), inside

    def anchor_of(self, label: int) -> tuple[int, int]:
        """Return (row, column) of the superpixel's pixel nearest to the middle of its box."""
        found = self.anchors_of([self._checked(label)])[0]
        return int(found[0]), int(found[1])

    def anchors_of(self, labels: Iterable[int]) -> npt.NDArray[np.int64]:
        """Return :meth:`anchor_of` of those of the labels that are there, (n, 2)."""
        wanted = self._present(labels)
        found = np.empty((wanted.size, 2), np.int64)
        middle_pixels(self._labels, self._boxes, wanted, found)
        return found

    def class_of(self, label: int) -> int:
        """Return the class of most of a superpixel's pixels, 0 for none; the lowest number where several are equal."""
        return int(self._majority[self._checked(label)])

    def is_mixed(self, label: int) -> bool:
        """Return whether a superpixel has pixels of several classes, no class counting as one."""
        return bool(self._mixed[self._checked(label)])

    def mixed(self) -> npt.NDArray[np.int64]:
        """Return the mixed superpixels, rising."""
        found = np.flatnonzero(self._mixed & (self._areas > 0))
        return found[found > 0]

    @property
    def majority(self) -> npt.NDArray[np.uint8]:
        """Majority class by label, 0 where there is no superpixel; read-only."""
        view = self._majority.view()
        view.flags.writeable = False
        return view

    def superpixels_per_class(self) -> dict[int, int]:
        """Return how many superpixels have each class as their majority; without the classes that have none."""
        return _nonzero(np.bincount(self._majority[1:][self._areas[1:] > 0]))

    def pixels_per_class(self) -> dict[int, int]:
        """Return how many pixels have each class, outside superpixels too; without the classes that have none."""
        return _nonzero(self._counts.sum(axis=0))

    def annotated_share(self) -> float:
        """Return the share of the superpixels' area that has a class; of the plane's, where there are none."""
        start = 1 if len(self) else 0
        total = int(self._areas[start:].sum())
        return 1.0 - int(self._counts[start:, 0].sum()) / total if total else 0.0

    def connected(self, label: int) -> npt.NDArray[np.int64]:
        """Return the superpixels reached from one through 4-connected neighbours of the same class, it included."""
        return connected_labels(self._labels, self._boxes, self._majority, self._checked(label))

    def labels_inside(self, box: PlaneBox, mask: npt.NDArray[np.bool_], rule: Rule) -> npt.NDArray[np.int64]:
        """Return the superpixels inside a shape, rising.

        Parameters
        ----------
        box : tuple of slice
            Rows and columns of the mask, within the plane.
        mask : ndarray of bool
            The shape, in the box.
        rule : {"center", "any", "all"}
            Whether a superpixel is inside when its anchor is, when any of its pixels is, or when all are.

        Raises
        ------
        ValueError
            If there is no such rule.
        """
        found = np.bincount(self._labels[box][mask], minlength=1)
        found[0] = 0
        inside = np.flatnonzero(found)
        if rule == "any" or not inside.size:
            return inside
        if rule == "all":
            return inside[found[inside] == self._areas[inside]]
        if rule == "center":
            anchors = self.anchors_of(inside) - (box[0].start, box[1].start)
            within = np.flatnonzero(((anchors >= 0) & (anchors < mask.shape)).all(axis=1))
            return inside[within[mask[tuple(anchors[within].T)]]]
        raise ValueError(f"The rule is {rule!r}; expected 'center', 'any' or 'all'.")

    def labels_changed(self, box: PlaneBox, old: npt.NDArray[np.int32]) -> None:
        """Catch up after the labels in a box were written; `old` is what they were, of the box's shape."""
        if 4 * old.size > self._labels.size:
            self._build()
            return
        highest = int(self._labels[box].max(initial=0))
        if highest >= self._areas.size:
            self._grow(highest + 1 + self._areas.size // 4, self._counts.shape[1])
        relabel(
            self._labels,
            self._classes,
            box[0].start,
            box[1].start,
            old,
            self._boxes,
            self._areas,
            self._counts,
            self._majority,
            self._mixed,
        )

    def classes_changed(self, box: PlaneBox, old: npt.NDArray[np.uint8]) -> None:
        """Catch up after the classes in a box were written; `old` is what they were, of the box's shape."""
        highest = int(self._classes[box].max(initial=0))
        if highest >= self._counts.shape[1]:
            self._grow(self._areas.size, highest + 1)
        reclass(
            self._labels,
            self._classes,
            box[0].start,
            box[1].start,
            old,
            self._counts,
            self._majority,
            self._mixed,
        )

    def _build(self) -> None:
        labels, classes = self._labels, self._classes
        self._allocate(int(labels.max(initial=0)) + 1, int(classes.max(initial=0)) + 1)
        scan_plane(labels, classes, self._boxes, self._areas, self._counts, self._majority, self._mixed)

    def _allocate(self, n_labels: int, n_classes: int) -> None:
        self._boxes = np.zeros((n_labels, 4), np.int32)
        self._areas = np.zeros(n_labels, np.int64)
        self._counts = np.zeros((n_labels, n_classes), np.int32)
        self._majority = np.zeros(n_labels, np.uint8)
        self._mixed = np.zeros(n_labels, np.bool_)

    def _grow(self, n_labels: int, n_classes: int) -> None:
        boxes, areas, counts, majority, mixed = self._boxes, self._areas, self._counts, self._majority, self._mixed
        self._allocate(n_labels, n_classes)
        n = areas.size
        self._boxes[:n], self._areas[:n], self._majority[:n], self._mixed[:n] = boxes, areas, majority, mixed
        self._counts[:n, : counts.shape[1]] = counts

    def _checked(self, label: int) -> int:
        if label not in self:
            raise KeyError(f"There is no superpixel {label} in this plane.")
        return label

    def _present(self, labels: Iterable[int]) -> npt.NDArray[np.int64]:
        wanted = np.asarray(labels if isinstance(labels, np.ndarray) else list(labels), np.int64)
        wanted = wanted[(wanted > 0) & (wanted < self._areas.size)]
        return wanted[self._areas[wanted] > 0]


def _nonzero(counts: npt.NDArray[Any]) -> dict[int, int]:
    return {int(i): int(counts[i]) for i in np.flatnonzero(counts)}
