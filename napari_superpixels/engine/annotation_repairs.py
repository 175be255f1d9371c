"""Repairs of superpixels by hand: each is a correction that holds from then on."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.measure import label as connected_components

from napari_superpixels.core.walks import border_walks
from napari_superpixels.engine.annotation_core import splices
from napari_superpixels.engine.annotation_results import ResultActs
from napari_superpixels.engine.constraints import check_inside
from napari_superpixels.engine.corrections import (
    Assign,
    Correction,
    Cut,
    Merge,
    Split,
    apply_correction,
    holds,
    seed_added_at,
    seed_removed_at,
)
from napari_superpixels.engine.deltas import ArrayDelta
from napari_superpixels.engine.history import Entry
from napari_superpixels.engine.region_index import PlaneBox

Point = tuple[int, int]
#: Pixels, (row, column) each: a sequence of pairs, or an array of shape (n, 2).
Points = Sequence[Point] | npt.NDArray[np.integer[Any]]


class RepairActs(ResultActs):
    """Repairs of the plane at hand.

    All points are (row, column) in pixels of the plane. Each act returns its entry, or None if there was nothing to do:
    the superpixels are so already, or what is asked is impossible. Where a cut follows a border that is there
    already, the act is that the border stays whatever happens to the superpixels. Earlier corrections that an act
    breaks are dropped with it, and come back when it is undone. Points outside the plane are a ValueError; there is no
    superpixel there for a seed.
    """

    def merge(self, path: Points) -> Entry | None:
        """Make one superpixel of all that a 4-connected path runs through; that at its beginning takes the others."""
        return self._correct("Merge", Merge(pixel_tuple(path)))

    def split(self, groups: Iterable[Points]) -> Entry | None:
        """Give each of two or more groups of pixels, clicks or scribbles, a superpixel of its own."""
        return self._correct("Split", Split(tuple(map(pixel_tuple, groups))))

    def cut(self, path: Points) -> Entry | None:
        """Make a border of a 4-connected path: its pixels and those on its right-hand side are apart."""
        return self._correct("Cut", Cut(pixel_tuple(path)))

    def assign(self, path: Points, anchor: Point) -> Entry | None:
        """Give pixels to the superpixel at another pixel: a boundary that is moved.

        If all of that superpixel has one class, the pixels that it gets have it too.
        """
        return self._assign("Move border", Assign(pixel_tuple(path), pixel_tuple([anchor])[0]))

    def add_seed(self, point: Point) -> Entry | None:
        """Let a superpixel of its own grow from a point."""
        correction = seed_added_at(self.labels_plane, pixel_tuple([point])[0])
        return None if correction is None else self._correct("Add seed", correction)

    def remove_seed(self, point: Point) -> Entry | None:
        """Give up the superpixel at a point: its neighbours grow over it."""
        at = pixel_tuple([point])[0]
        correction = seed_removed_at(self.labels_plane, at, self.slowness, keep=self.corrections)
        return None if correction is None else self._correct("Remove seed", correction)

    def split_mixed(self, label: int) -> Entry | None:
        """Divide a superpixel where its classes meet; None if it has one class only, KeyError if it is not there."""
        return self._divide("Split mixed", [label] if self.index.is_mixed(label) else [])

    def split_all_mixed(self) -> Entry | None:
        """Divide all superpixels that have several classes, as one act."""
        return self._divide("Split all mixed", self.index.mixed().tolist())

    def _correct(self, name: str, correction: Correction) -> Entry | None:
        check_inside(correction, self.labels_plane.shape)
        self.end_stroke()
        delta = self._apply(correction)
        if delta is not None:
            return self._record(name, [delta], self._held(correction))
        # A border that is there already is to stay in other segmentations too.
        is_wish = isinstance(correction, Cut) and correction not in self.corrections
        return self._record(name, [], [correction]) if is_wish and self._held(correction) else None

    def _assign(self, name: str, correction: Assign) -> Entry | None:
        check_inside(correction, self.labels_plane.shape)
        self.end_stroke()
        taker = self.index.label_at(correction.anchor)
        number = None if not taker or self.index.is_mixed(taker) else self.index.class_of(taker)
        delta = self._apply(correction)
        if delta is None:
            return None
        deltas = [delta]
        box = self.plane_box(delta.box)
        if number is not None and box is not None:
            pixels = delta.pixels()
            got = self.labels_plane[box] == taker
            got &= True if pixels is None else pixels.reshape(got.shape)
            painted = self._change("classes", box, np.where(got, np.uint8(number), self.classes_plane[box]))
            deltas += [] if painted is None else [painted]
        return self._record(name, deltas, self._held(correction))

    def _apply(self, correction: Correction) -> ArrayDelta | None:
        """Write what a correction demands; None if nothing changes, or it would not hold."""
        patch = apply_correction(
            correction, self.labels_plane, self.slowness, self.index.next_label, keep=self.corrections
        )
        return None if patch is None else self._change("labels", patch.box, patch.labels)

    def _record(self, name: str, deltas: list[ArrayDelta], additions: Iterable[Correction]) -> Entry:
        """Commit changes of labels that are written already, and drop the corrections that they broke.

        What is added must hold.
        """
        boxes = [box for delta in deltas if delta.array == "labels" for box in [self.plane_box(delta.box)] if box]
        kept = [
            correction
            for correction in self.corrections
            if not any(_meets(correction, box) for box in boxes) or holds(correction, self.labels_plane)
        ]
        return self._commit(name, deltas, *splices(self.corrections, (*kept, *additions)))

    def _held(self, correction: Correction) -> list[Correction]:
        return [correction] if holds(correction, self.labels_plane) else []

    def _divide(self, name: str, labels: list[int]) -> Entry | None:
        """Make a superpixel of each connected part of one class in some superpixels."""
        self.end_stroke()
        if not labels:
            return None
        box, _ = self.index.pixels_of(labels)
        corner = (box[0].start, box[1].start)
        new = self.labels_plane[box].copy()
        next_label = self.index.next_label
        corrections: list[Correction] = []
        for label in labels:
            part_box, mask = self.index.mask_of(label)
            parts = connected_components(
                np.where(mask, self.classes_plane[part_box].astype(np.int32) + 1, 0), connectivity=1, background=0
            )
            sizes = np.bincount(parts.ravel())
            sizes[0] = 0
            inner = tuple(slice(s.start - c, s.stop - c) for s, c in zip(part_box, corner, strict=True))
            for part in np.flatnonzero(sizes):
                if part != sizes.argmax():
                    new[inner][parts == part] = next_label
                    next_label += 1
            offset = (part_box[0].start, part_box[1].start)
            corrections.append(Split(tuple(pixel_tuple(path + offset) for path in border_walks(parts))))
        delta = self._change("labels", box, new)
        return None if delta is None else self._record(name, [delta], corrections)


def pixel_tuple(points: Points) -> tuple[Point, ...]:
    """Return points as plain numbers."""
    rows, columns = np.asarray(points, np.int64).reshape(-1, 2).T.tolist()
    return tuple(zip(rows, columns, strict=True))


def _meets(correction: Correction, box: PlaneBox) -> bool:
    """Return whether a correction speaks of pixels near a box."""
    top, bottom, left, right = correction.bounds
    rows, columns = box
    return top < rows.stop and bottom >= rows.start and left < columns.stop and right >= columns.start
