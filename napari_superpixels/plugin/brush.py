"""Strokes of napari's own brush, as napari tells of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class BrushStroke:
    """What a stroke changed."""

    indices: tuple[npt.NDArray[np.int64], ...]
    """Positions of the pixels, one array for each axis; each pixel once."""
    old: npt.NDArray[Any]
    """Values before."""
    new: npt.NDArray[Any]
    """Values after."""


def read_stroke(item: list[Any], data: npt.NDArray[Any]) -> BrushStroke:
    """Return what a stroke changed.

    Parameters
    ----------
    item : list
        Value of a Labels layer's `paint` event: dabs in their order, each a tuple of positions, old and new values;
        from napari 0.8 also a box, the pixels in it (None for all), their old values and the new one.
    data : ndarray
        The layer's data after the stroke.
    """
    flat, old = [], []
    for dab in item:
        indices, values = _pixels(dab)
        flat.append(np.ravel_multi_index(indices, data.shape))
        old.append(np.broadcast_to(np.asarray(values).ravel(), flat[-1].shape))
    # A pixel that was painted over and over has its first old value.
    pixels, first = np.unique(np.concatenate(flat), return_index=True)
    before = np.concatenate(old)[first].astype(data.dtype)
    indices = np.unravel_index(pixels, data.shape)
    after = data[indices]
    changed = before != after
    kept = tuple(np.asarray(part[changed], np.int64) for part in indices)
    return BrushStroke(kept, before[changed], after[changed])


def _pixels(dab: Any) -> tuple[tuple[npt.NDArray[Any], ...], Any]:
    if not hasattr(dab, "slice_key"):
        return tuple(np.asarray(part).ravel() for part in dab[0]), dab[1]
    box = dab.slice_key
    shape = [side.stop - side.start for side in box]
    inside = np.nonzero(np.ones(shape, bool) if dab.mask is None else dab.mask)
    return tuple(part + side.start for part, side in zip(inside, box, strict=True)), dab.old_values
