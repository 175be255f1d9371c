"""Compiled kernels that set up one block of an image for a march, and put its pixels back.

Arrays are those of :mod:`napari_superpixels.core._kernels`. Shapes and positions are padded and have three axes; a
first axis of 1 pixel has no frame.
"""

from typing import Any

import numba as nb
import numpy as np

from napari_superpixels.core._kernels import OUTSIDE

_jit: Any = nb.njit(nogil=True, cache=True, error_model="numpy")
# Numba tests signed indices for being negative.
_index = np.uintp
_INF = np.float32(np.inf)


@_jit
def copy_box(
    source: Any, source_shape: Any, source_start: Any, target: Any, target_shape: Any, target_start: Any, box: Any
) -> None:
    """Copy a box of pixels from one field to another, (n, values of a pixel) each."""
    n_values = source.shape[1]
    values = source.reshape(-1)
    target_values = target.reshape(-1)
    for i in range(box[0]):
        for j in range(box[1]):
            first = ((i + source_start[0]) * source_shape[1] + j + source_start[1]) * source_shape[2] + source_start[2]
            to = ((i + target_start[0]) * target_shape[1] + j + target_start[1]) * target_shape[2] + target_start[2]
            for k in range(box[2] * n_values):
                target_values[_index(to * n_values + k)] = values[_index(first * n_values + k)]


@_jit
def open_block(arrival: Any, owner: Any, shape: Any, closed: Any) -> None:
    """Set all pixels of a block to open, but for its frame and `closed` ones, (n,) bool or None."""
    is_plane = shape[0] == 1
    for i in range(shape[0]):
        for j in range(shape[1]):
            is_frame = j == 0 or j == shape[1] - 1 or (not is_plane and (i == 0 or i == shape[0] - 1))
            start = (i * shape[1] + j) * shape[2]
            state = OUTSIDE if is_frame else np.int32(0)
            for k in range(shape[2]):
                arrival[_index(start + k)] = _INF
                owner[_index(start + k)] = state
            owner[_index(start)] = OUTSIDE
            owner[_index(start + shape[2] - 1)] = OUTSIDE
    if closed is not None:
        for pixel in range(owner.size):
            if closed[_index(pixel)]:
                owner[_index(pixel)] = OUTSIDE


@_jit
def set_seeds(
    arrival: Any,
    owner: Any,
    shape: Any,
    seeds: Any,
    labels: Any,
    whole_shape: Any,
    origin: Any,
    low: Any,
    high: Any,
    sources: Any,
) -> int:
    """Make sources of the seeds inside a block; return their number.

    Parameters
    ----------
    arrival, owner : ndarray of shape (n,), float32 and int32
        State of the block.
    shape, whole_shape : tuple
        Shapes of the block and of the whole image.
    seeds, labels : ndarray of shape (k,), int64
        Candidates: their indices in the whole image, and their labels.
    origin : tuple
        Position of the block's first pixel in the whole image.
    low, high : tuple
        Seeds at positions `low` to `high` - 1 in the block are taken.
    sources : ndarray of shape (at least k,), int64
        Gets their indices in the block.
    """
    n_sources = 0
    for n in range(seeds.size):
        k = seeds[n] % whole_shape[2] - origin[2]
        j = seeds[n] // whole_shape[2] % whole_shape[1] - origin[1]
        i = seeds[n] // (whole_shape[2] * whole_shape[1]) - origin[0]
        if low[0] <= i < high[0] and low[1] <= j < high[1] and low[2] <= k < high[2]:
            pixel = (i * shape[1] + j) * shape[2] + k
            arrival[pixel] = 0
            owner[pixel] = -labels[n]
            sources[n_sources] = pixel
            n_sources += 1
    return n_sources


@_jit
def enter_block(
    state: Any, shape: Any, whole_state: Any, whole_shape: Any, origin: Any, low: Any, high: Any, sources: Any
) -> int:
    """Copy the finished pixels beside a block into its state and make sources of them; return their number.

    The block is at positions `low` to `high` - 1 of `state`, (n, 2) as in
    :class:`napari_superpixels.core.eikonal.Fronts`. `sources`, int64, gets ~p for each finished pixel p.
    """
    n_sources = 0
    for axis in range(1 if shape[0] == 1 else 0, 3):
        for side in range(2):
            beside = high[axis] if side else low[axis] - 1
            if beside < 1 or beside >= shape[axis] - 1:
                continue
            for i in range(beside if axis == 0 else low[0], beside + 1 if axis == 0 else high[0]):
                for j in range(beside if axis == 1 else low[1], beside + 1 if axis == 1 else high[1]):
                    for k in range(beside if axis == 2 else low[2], beside + 1 if axis == 2 else high[2]):
                        pixel = (i * shape[1] + j) * shape[2] + k
                        there = ((i + origin[0]) * whole_shape[1] + j + origin[1]) * whole_shape[2] + k + origin[2]
                        state[pixel, 0] = whole_state[there, 0]
                        state[pixel, 1] = whole_state[there, 1]
                        if whole_state[there, 1] > 0 and whole_state[there, 1] != OUTSIDE:
                            sources[n_sources] = ~pixel
                            n_sources += 1
    return n_sources
