"""Writing into a Labels layer so that only the part that changed is drawn anew."""

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Labels

Box = tuple[slice, ...]

#: Most pixels that are written one by one: napari keeps the positions of the last hundred writes for its own undo.
_MAX_PIXELS = 1 << 16


def write_box(layer: Labels, box: Box, mask: npt.NDArray[np.bool_] | None, values: npt.NDArray[Any]) -> None:
    """Write values into a box of a layer's data, and show them.

    Parameters
    ----------
    layer : Labels
        A layer of an array in memory; its own undo is not to be used any more, since large writes are not in it.
    box : tuple of slice
        Where, one slice with start and stop for each axis of the data.
    mask : ndarray of bool, optional
        Which pixels of the box; all if None.
    values : ndarray
        One value for each pixel that is True in the mask, in C order; of the box's shape where there is no mask.
    """
    size = int(np.prod([side.stop - side.start for side in box])) if mask is None else int(np.count_nonzero(mask))
    if not layer.visible or size > _MAX_PIXELS:
        if mask is None:
            layer.data[box] = values
        else:
            layer.data[box][mask] = values
        # Does nothing where the layer is hidden; napari draws it anew when it is shown.
        layer.refresh(extent=False)
        return
    if mask is None:
        indices = tuple(part.ravel() for part in np.indices([side.stop - side.start for side in box]))
    else:
        indices = np.nonzero(mask)
    positions = tuple(part + side.start for part, side in zip(indices, box, strict=True))
    _set_items(layer, positions, np.ascontiguousarray(values, layer.data.dtype).ravel())


def write_pixels(layer: Labels, indices: tuple[npt.NDArray[np.int64], ...], value: int) -> None:
    """Write a value to pixels of a layer, given by one array of positions for each axis, and show it."""
    if layer.visible:
        _set_items(layer, indices, value)
    else:
        layer.data[indices] = value


def _set_items(layer: Labels, indices: tuple[npt.NDArray[np.int64], ...], values: Any) -> None:
    """Write to pixels of a layer that is shown.

    Whoever listens to the layer's `paint` and `labels_update` hears of it. The layer list, which listens to every event
    of every layer, does not: napari would lay it out and paint it anew at each of them, for a fifth of a frame.
    """
    with layer.events.blocker():
        layer.data_setitem(indices, values)
