"""Strokes of napari's own brush, as napari tells of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Labels
from qtpy.QtCore import QTimer

from napari_superpixels.engine.annotation import Annotation
from napari_superpixels.engine.deltas import ArrayName


@dataclass(frozen=True, slots=True, eq=False)
class BrushStroke:
    """What a stroke changed."""

    indices: tuple[npt.NDArray[np.int64], ...]
    """Positions of the pixels, one array for each axis; each pixel once."""
    old: npt.NDArray[Any]
    """Values before."""
    new: npt.NDArray[Any]
    """Values after."""


def note_stroke(annotation: Annotation, name: ArrayName, layer: Labels, item: list[Any]) -> None:
    """Make a stroke an act of an annotation; the layer shows what is recorded, which may be other numbers.

    Parameters
    ----------
    annotation : Annotation
        The annotation.
    name : {"labels", "classes"}
        Which of its arrays.
    layer : Labels
        The layer that shows the array.
    item : list
        See :func:`read_stroke`.
    """
    stroke = read_stroke(item, layer.data)
    annotation.note_brush(name, stroke.indices, stroke.old, stroke.new)
    recorded = layer.data[stroke.indices]
    others = np.flatnonzero(recorded != stroke.new)
    pixels = tuple(axis[others] for axis in stroke.indices)

    def show_recorded() -> None:
        # Not where something else was done meanwhile.
        layer.data[pixels] = np.where(layer.data[pixels] == stroke.new[others], recorded[others], layer.data[pixels])
        layer.refresh(extent=False)

    if others.size:
        # napari writes a single dab after it told of it.
        QTimer.singleShot(0, show_recorded)


def read_stroke(item: list[Any], data: npt.NDArray[Any]) -> BrushStroke:
    """Return what a stroke changed.

    Parameters
    ----------
    item : list
        Value of a Labels layer's `paint` event: dabs in their order, each a tuple of positions, old and new values;
        from napari 0.8 also a box, the pixels in it (None for all), their old values and the new one.
    data : ndarray
        The layer's data; for single dabs napari tells of them before it writes them.
    """
    flat, old, new = [], [], []
    for dab in item:
        indices, before, after = _pixels(dab)
        flat.append(np.ravel_multi_index(indices, data.shape))
        old.append(np.broadcast_to(np.asarray(before).ravel(), flat[-1].shape))
        new.append(np.broadcast_to(np.asarray(after).ravel(), flat[-1].shape))
    # A pixel that was painted over and over has its first old value and its last new one.
    places = np.concatenate(flat)
    pixels, first = np.unique(places, return_index=True)
    _, last = np.unique(places[::-1], return_index=True)
    before = np.concatenate(old)[first].astype(data.dtype)
    after = np.concatenate(new)[::-1][last].astype(data.dtype)
    changed = before != after
    kept = tuple(np.asarray(part[changed], np.int64) for part in np.unravel_index(pixels, data.shape))
    return BrushStroke(kept, before[changed], after[changed])


def _pixels(dab: Any) -> tuple[tuple[npt.NDArray[Any], ...], Any, Any]:
    """Return positions, old and new values."""
    if not hasattr(dab, "slice_key"):
        return tuple(np.asarray(part).ravel() for part in dab[0]), dab[1], dab[2]
    box = dab.slice_key
    shape = [side.stop - side.start for side in box]
    inside = np.nonzero(np.ones(shape, bool) if dab.mask is None else dab.mask)
    return tuple(part + side.start for part, side in zip(inside, box, strict=True)), dab.old_values, dab.new_value
