"""Compiled kernels over whole padded fields: packing, coarsening, sums and extremes of regions.

The arrays are those of :mod:`napari_superpixels.core._kernels`.
"""

import math
from typing import Any

import numba as nb
import numpy as np

from napari_superpixels.core._kernels import OUTSIDE

_jit: Any = nb.njit(nogil=True, cache=True, error_model="numpy")
# Numba tests signed indices for being negative.
_index = np.uintp


@_jit
def find_latest(arrival: Any, owner: Any, strides: Any, margin: int, latest: Any) -> None:
    """Set, for each label, the pixel of latest arrival whose `margin` nearest pixels along each axis share its label.

    `latest`, shape (K + 1,), int64, gets -1 where a label has no such pixel but its seed.
    """
    latest[:] = -1
    best = np.zeros(latest.size, np.float32)
    for pixel in range(owner.size):
        label = owner[pixel]
        if label <= 0 or label == OUTSIDE or arrival[pixel] <= best[label]:
            continue
        interior = True
        for a in range(len(strides)):
            for side in range(2):
                step = strides[a] if side else -strides[a]
                q = pixel
                for _ in range(margin):
                    q += step
                    if owner[q] != label:
                        interior = False
                        break
        if interior:
            best[label] = arrival[pixel]
            latest[label] = pixel


@_jit
def sum_features(features: Any, owner: Any, strides: Any, interior: bool, sums: Any, counts: Any) -> None:
    """Add each pixel's features to its label's row of `sums`, (K + 1, C) float64, and 1 to `counts`, (K + 1,) int64.

    With `interior`, only pixels all of whose neighbours share their label.
    """
    for pixel in range(owner.size):
        label = owner[_index(pixel)]
        if label <= 0 or label == OUTSIDE:
            continue
        is_counted = True
        if interior:
            for a in range(len(strides)):
                if owner[_index(pixel - strides[a])] != label or owner[_index(pixel + strides[a])] != label:
                    is_counted = False
        if is_counted:
            counts[_index(label)] += 1
            for c in range(sums.shape[1]):
                sums[_index(label), _index(c)] += features[_index(pixel), _index(c)]


@_jit
def coarsen(
    features: Any,
    shape: Any,
    coarse: Any,
    coarse_shape: Any,
    factor: int,
    channels: Any,
    first_row: int,
    last_row: int,
) -> None:
    """Average blocks of `factor` pixels along each axis of a padded field into another one, (n, C + 1) int16 each.

    Shapes are padded and have three axes; a first axis of 1 pixel is kept as it is. `channels` has length C + 1. Rows
    `first_row` to `last_row` - 1 of the coarse field's second axis are made, counted without the frame.
    """
    is_plane = shape[0] == 1
    sums = np.zeros((coarse_shape[2], len(channels)), np.int64)
    for i in range(0 if is_plane else 1, 1 if is_plane else coarse_shape[0] - 1):
        planes = range(0, 1) if is_plane else range((i - 1) * factor + 1, min(i * factor, shape[0] - 2) + 1)
        for j in range(first_row + 1, last_row + 1):
            rows = range((j - 1) * factor + 1, min(j * factor, shape[1] - 2) + 1)
            sums[:] = 0
            for plane in planes:
                for row in rows:
                    pixel = (plane * shape[1] + row) * shape[2] + 1
                    for k in range(1, coarse_shape[2] - 1):
                        for _ in range(min(factor, shape[2] - 2 - (k - 1) * factor)):
                            for c in range(len(channels)):
                                sums[_index(k), _index(c)] += features[_index(pixel), _index(c)]
                            pixel += 1
            for k in range(1, coarse_shape[2] - 1):
                n_pixels = len(planes) * len(rows) * min(factor, shape[2] - 2 - (k - 1) * factor)
                target = (i * coarse_shape[1] + j) * coarse_shape[2] + k
                for c in range(len(channels)):
                    coarse[_index(target), _index(c)] = np.int16((sums[k, c] + n_pixels // 2) // n_pixels)


@_jit
def largest_magnitude(values: Any) -> float:
    """Return the largest absolute value of a flat array."""
    low = high = values[0]
    for i in range(values.size):
        low = min(low, values[_index(i)])
        high = max(high, values[_index(i)])
    return max(-low, high)


@_jit
def pack(features: Any, boundary: Any, scale: Any, boundary_scale: Any, packed: Any, channels: Any) -> None:
    """Round features times `scale`, (P, M, N, C) float32, and boundary probability into (P, M, N, C + 1) int16.

    `boundary` is (P, M, N) float32, or None for 0.
    """
    half = np.float32(0.5)
    for i in range(features.shape[0]):
        for j in range(features.shape[1]):
            for k in range(features.shape[2]):
                for c in range(len(channels)):
                    packed[i, j, k, c] = np.int16(math.floor(features[i, j, k, c] * scale + half))
                if boundary is not None:
                    packed[i, j, k, len(channels)] = np.int16(math.floor(boundary[i, j, k] * boundary_scale + half))


@_jit
def add_squared_differences(features: Any, shape: Any, strides: Any, total: Any, channels: Any) -> None:
    """Add to `total`, (n,) float32, the squared central differences of a padded field along each axis.

    Beside the frame a difference is one-sided, at half its weight, as if the border pixel were repeated.
    """
    for pixel in range(total.size):
        rest = pixel
        is_frame = False
        for a in range(len(strides)):
            position = rest // strides[a]
            rest = rest % strides[a]
            is_frame = is_frame or position == 0 or position == shape[a] - 1
        if is_frame:
            continue
        rest = pixel
        for a in range(len(strides)):
            position = rest // strides[a]
            rest = rest % strides[a]
            before = pixel - (strides[a] if position > 1 else 0)
            after = pixel + (strides[a] if position < shape[a] - 2 else 0)
            for c in range(len(channels)):
                difference = np.float32(0.5) * (
                    np.float32(features[_index(after), _index(c)]) - np.float32(features[_index(before), _index(c)])
                )
                total[_index(pixel)] += difference * difference


@_jit
def find_most_alike(
    features: Any, shape: Any, coarse_shape: Any, factor: int, seeds: Any, references: Any, found: Any
) -> None:
    """Set `found`, (K,) int64, to the pixel most like each label's reference in its seed's block of `factor` pixels.

    Shapes are padded and have three axes; a first axis of 1 pixel is kept as it is. Among equals the pixel nearest to
    the middle of the block is taken.
    """
    is_plane = shape[0] == 1
    for n in range(seeds.size):
        column = seeds[n] % coarse_shape[2]
        row = seeds[n] // coarse_shape[2] % coarse_shape[1]
        plane = seeds[n] // coarse_shape[2] // coarse_shape[1]
        first_plane = 0 if is_plane else (plane - 1) * factor + 1
        last_plane = 1 if is_plane else min(plane * factor, shape[0] - 2) + 1
        best = np.inf
        best_apart = np.inf
        for i in range(first_plane, last_plane):
            for j in range((row - 1) * factor + 1, min(row * factor, shape[1] - 2) + 1):
                for k in range((column - 1) * factor + 1, min(column * factor, shape[2] - 2) + 1):
                    pixel = (i * shape[1] + j) * shape[2] + k
                    distance = 0.0
                    for c in range(references.shape[1]):
                        difference = float(features[pixel, c]) - references[n + 1, c]
                        distance += difference * difference
                    middle = 0.5 * (factor - 1) + 1
                    apart = (j - (row - 1) * factor - middle) ** 2 + (k - (column - 1) * factor - middle) ** 2
                    if not is_plane:
                        apart += (i - (plane - 1) * factor - middle) ** 2
                    if distance < best or (distance == best and apart < best_apart):
                        best = distance
                        best_apart = apart
                        found[n] = pixel
