"""Corrections of superpixels put into effect: one at a time under the hand, all again after a new segmentation.

Both ways call the same functions in the same order, and so end with the same labels.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from napari_superpixels.core.eikonal import check_cancelled, new_cancel_flag
from napari_superpixels.core.regrow import LabelPatch, Labels, own_seeds, shortest_way
from napari_superpixels.core.slowness import SlownessField
from napari_superpixels.engine.constraints import (
    AddSeed,
    Assign,
    Correction,
    Cut,
    Merge,
    Point,
    RemoveSeed,
    Split,
    from_json,
    is_met,
    reader,
    to_json,
)
from napari_superpixels.engine.repairs import Repair

__all__ = [
    "AddSeed",
    "Assign",
    "Correction",
    "Cut",
    "Merge",
    "RemoveSeed",
    "Split",
    "apply_correction",
    "from_json",
    "holds",
    "replay",
    "seed_added_at",
    "seed_removed_at",
    "to_json",
    "write_patch",
]

_ROUNDS = 3


def holds(correction: Correction, labels: Labels) -> bool:
    """Return whether labels, (M, N) int32, do what a correction demands."""
    return is_met(correction, reader(labels))


def write_patch(labels: Labels, patch: LabelPatch, next_label: int) -> int:
    """Write a patch into labels, in place, and return the next free number."""
    labels[patch.box] = patch.labels
    return max(next_label, int(patch.labels.max()) + 1)


def apply_correction(
    correction: Correction,
    labels: Labels,
    slowness: SlownessField | None,
    next_label: int,
    *,
    keep: Iterable[Correction] = (),
) -> LabelPatch | None:
    """Make labels do what a correction demands.

    Parameters
    ----------
    correction : Correction
        What is demanded.
    labels : ndarray of shape (M, N), int32
        Labels, each 4-connected; 0 outside a mask. Not changed.
    slowness : SlownessField or None
        Where borders are likely; the same everywhere if None.
    next_label : int
        Larger than any number in use.
    keep : iterable of Correction
        Earlier corrections: those that hold go on holding, except where this one demands the contrary. A merge takes
        whole superpixels, whatever it breaks.

    Returns
    -------
    LabelPatch or None
        What changes: only the superpixels that the correction touches, each 4-connected afterwards. None if the
        correction holds already, or can't be met (as when both clicks of a split are one pixel).
    """
    return Repair(labels, slowness, next_label, keep).patch(correction)


def replay(
    corrections: Sequence[Correction],
    labels: Labels,
    slowness: SlownessField | None,
    *,
    cancel: npt.NDArray[np.uint8] | None = None,
) -> tuple[Labels, tuple[Correction, ...]]:
    """Apply corrections, in their order, to labels that know nothing of them.

    Parameters
    ----------
    corrections : sequence of Correction
        Corrections that once held together.
    labels : ndarray of shape (M, N), int32
        Labels, each 4-connected; 0 outside a mask. Not changed.
    slowness : SlownessField or None
        Where borders are likely.
    cancel : ndarray of shape (1,), uint8, optional
        Polled; see :func:`napari_superpixels.core.eikonal.new_cancel_flag`.

    Returns
    -------
    labels : ndarray of shape (M, N), int32
        A new array.
    lost : tuple of Correction
        Those that do not hold in it.

    Raises
    ------
    CancelledError
        If cancelled.
    """
    cancel = new_cancel_flag() if cancel is None else cancel
    labels = np.array(labels, np.int32, order="C")
    next_label = int(labels.max(initial=0)) + 1
    broken = list(corrections)
    for attempt in range(1 + _ROUNDS):
        for i, correction in enumerate(broken):
            check_cancelled(cancel)
            keep = broken[:i] if attempt == 0 else corrections
            patch = Repair(labels, slowness, next_label, keep, yields=True).patch(correction)
            if patch is not None:
                next_label = write_patch(labels, patch, next_label)
        broken = [correction for correction in corrections if not holds(correction, labels)]
        if not broken:
            break
    return labels, tuple(broken)


def seed_added_at(labels: Labels, point: Point) -> AddSeed | None:
    """Return the correction that lets a superpixel of its own grow at a point.

    It keeps the point apart from the deepest pixel of the superpixel that is there now.

    Parameters
    ----------
    labels : ndarray of shape (M, N), int32
        Labels, each 4-connected.
    point : tuple of int
        Row and column.

    Returns
    -------
    AddSeed or None
        None outside the image and the mask, and where there is but one pixel.
    """
    pixel = np.array([point], np.int64)
    if not reader(labels)(pixel)[0]:
        return None
    own = own_seeds(labels, pixel[0], pixel)
    return AddSeed(point, (int(own[0, 0]), int(own[0, 1]))) if len(own) else None


def seed_removed_at(
    labels: Labels, point: Point, slowness: SlownessField | None, *, keep: Iterable[Correction] = ()
) -> RemoveSeed | None:
    """Return the correction that gives up the superpixel at a point.

    It ties the point to the neighbour that reaches it first.

    Parameters
    ----------
    labels : ndarray of shape (M, N), int32
        Labels, each 4-connected.
    point : tuple of int
        Row and column.
    slowness : SlownessField or None
        Where borders are likely.
    keep : iterable of Correction
        Earlier corrections; neighbours that these keep apart from the superpixel do not take it, unless no others are.

    Returns
    -------
    RemoveSeed or None
        None outside the image and the mask, and where there is no neighbour.
    """
    pixel = np.array([point], np.int64)
    if not reader(labels)(pixel)[0]:
        return None
    patch = Repair(labels, slowness, int(labels.max()) + 1, keep).dissolved(pixel[0])
    if patch is None:
        return None
    wide = tuple(slice(max(s.start - 1, 0), min(s.stop + 1, n)) for s, n in zip(patch.box, labels.shape, strict=True))
    corner = np.array([part.start for part in wide])
    after = labels[wide].copy()
    after[tuple(slice(s.start - c, s.stop - c) for s, c in zip(patch.box, corner, strict=True))] = patch.labels
    taker = after[tuple(pixel[0] - corner)]
    way = shortest_way(after == taker, pixel[0] - corner, labels[wide] == taker)
    return RemoveSeed((way + corner).tolist())
