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
        label = owner[_index(pixel)]
        if label <= 0 or label == OUTSIDE or arrival[_index(pixel)] <= best[_index(label)]:
            continue
        interior = True
        for a in range(len(strides)):
            before = after = pixel
            for _ in range(margin):
                before -= strides[a]
                after += strides[a]
                # The frame stops both: it has no label.
                if owner[_index(before)] != label or owner[_index(after)] != label:
                    interior = False
                    break
        if interior:
            best[_index(label)] = arrival[_index(pixel)]
            latest[_index(label)] = pixel


@_jit
def sum_features(features: Any, owner: Any, strides: Any, sums: Any, counts: Any) -> None:
    """Sum the features of each label's pixels.

    `sums`, (2, K + 1, C) float64, and `counts`, (2, K + 1) int64, get in row 0 the pixels at the label's border, in row
    1 those all of whose neighbours share their label.
    """
    for pixel in range(owner.size):
        label = owner[_index(pixel)]
        if label <= 0 or label == OUTSIDE:
            continue
        inner = True
        for a in range(len(strides)):
            inner &= owner[_index(pixel - strides[a])] == label
            inner &= owner[_index(pixel + strides[a])] == label
        counts[_index(inner), _index(label)] += 1
        for c in range(sums.shape[2]):
            sums[_index(inner), _index(label), _index(c)] += features[_index(pixel), _index(c)]


@_jit
def coarsen(
    features: Any, shape: Any, coarse: Any, coarse_shape: Any, factor: int, channels: Any, first_row: int, last_row: int
) -> None:
    """Average blocks of `factor` pixels along each axis of a padded field into another one, (n, C + 1) int16 each.

    Shapes are padded and have three axes; a first axis of 1 pixel is kept as it is. `channels` has length C + 1. Rows
    `first_row` to `last_row` - 1 of the coarse field's second axis are made, counted without the frame.
    """
    is_plane = shape[0] == 1
    width = shape[2] - 2
    values = features.reshape(-1)
    columns = np.empty(width * len(channels), np.int32)
    for i in range(0 if is_plane else 1, 1 if is_plane else coarse_shape[0] - 1):
        planes = range(0, 1) if is_plane else range((i - 1) * factor + 1, min(i * factor, shape[0] - 2) + 1)
        for j in range(first_row + 1, last_row + 1):
            rows = range((j - 1) * factor + 1, min(j * factor, shape[1] - 2) + 1)
            columns[:] = 0
            for plane in planes:
                for row in rows:
                    start = ((plane * shape[1] + row) * shape[2] + 1) * len(channels)
                    for k in range(columns.size):
                        columns[_index(k)] += values[_index(start + k)]
            for k in range(1, coarse_shape[2] - 1):
                first = (k - 1) * factor
                last = min(k * factor, width)
                n_pixels = len(planes) * len(rows) * (last - first)
                target = (i * coarse_shape[1] + j) * coarse_shape[2] + k
                for c in range(len(channels)):
                    total = n_pixels // 2
                    for column in range(first, last):
                        total += columns[_index(column * len(channels) + c)]
                    coarse[_index(target), _index(c)] = np.int16(total // n_pixels)


@_jit
def largest_magnitude(values: Any) -> Any:
    """Return the largest absolute value of a flat array of finite float32."""
    # Magnitudes are ordered as their bits are, and processors compare many integers at once.
    bits = values.view(np.int32)
    largest = np.empty(1, np.int32)
    highest = np.int32(0)
    for i in range(bits.size):
        highest = max(highest, bits[_index(i)] & np.int32(0x7FFFFFFF))
    largest[0] = highest
    return largest.view(np.float32)[0]


@_jit
def pack(
    features: Any,
    boundary: Any,
    rows: int,
    lead: int,
    scale: Any,
    boundary_scale: Any,
    packed: Any,
    channels: Any,
    first_row: int,
    last_row: int,
) -> None:
    """Round features times `scale`, and boundary probability times `boundary_scale`, into a padded field.

    Parameters
    ----------
    features : ndarray of shape (n_rows, N, C), float32
        Features of an image's rows, those of all planes after each other.
    boundary : ndarray of shape (n_rows, N), float32, or None
        Boundary probability; None for 0.
    rows, lead : int
        Rows of a plane, and planes of the frame before the first plane: 1 for a volume, 0 for an image.
    scale, boundary_scale : float32
        Counts per unit.
    packed : ndarray of shape (padded pixels, C + 1), int16
        Changed, but for its frame.
    channels : tuple of length C
        Its length is a compile-time constant.
    first_row, last_row : int
        Rows to pack, `last_row` not included.
    """
    half = np.float32(0.5)
    width = features.shape[1]
    for row in range(first_row, last_row):
        start = ((row // rows + lead) * (rows + 2) + row % rows + 1) * (width + 2) + 1
        for k in range(width):
            for c in range(len(channels)):
                value = math.floor(features[_index(row), _index(k), c] * scale + half)
                packed[_index(start + k), c] = np.int16(np.int32(value))
            edge = np.int16(0)
            if boundary is not None:
                edge = np.int16(np.int32(math.floor(boundary[_index(row), _index(k)] * boundary_scale + half)))
            packed[_index(start + k), len(channels)] = edge


@_jit
def squared_differences(features: Any, shape: Any, total: Any, channels: Any) -> None:
    """Set `total`, (n,) float32, to the sum of squared central differences of a padded field along each axis.

    `shape` is padded and has three axes; a first axis of 1 pixel has no frame. Beside the frame a difference is
    one-sided, at half its weight, as if the border pixel were repeated.
    """
    is_plane = shape[0] == 1
    steps = (shape[1] * shape[2], shape[2], 1)
    for i in range(0 if is_plane else 1, 1 if is_plane else shape[0] - 1):
        for j in range(1, shape[1] - 1):
            for k in range(1, shape[2] - 1):
                pixel = (i * shape[1] + j) * shape[2] + k
                height = np.float32(0.0)
                for a in range(1 if is_plane else 0, 3):
                    position = k if a == 2 else j if a == 1 else i
                    before = pixel - (steps[a] if position > 1 else 0)
                    after = pixel + (steps[a] if position < shape[a] - 2 else 0)
                    for c in range(len(channels)):
                        difference = np.float32(0.5) * (
                            np.float32(features[_index(after), c]) - np.float32(features[_index(before), c])
                        )
                        height += difference * difference
                total[_index(pixel)] = height


@_jit
def mean_around(features: Any, shape: Any, closed: Any, zones: Any, seeds: Any, means: Any) -> None:
    """Set `means`, (k, C) float32, to the mean features of the 3 x 3 [x 3] pixels around each of k seeds.

    `shape` is padded and has three axes; a first axis of 1 pixel has no frame. The frame, `closed` pixels and those of
    another of the `zones` than the seed's are left out; both may be None.
    """
    is_plane = shape[0] == 1
    total = np.empty(means.shape[1], np.int64)
    for n in range(seeds.size):
        column = seeds[n] % shape[2]
        row = seeds[n] // shape[2] % shape[1]
        plane = seeds[n] // shape[2] // shape[1]
        count = 0
        total[:] = 0
        for i in range(0 if is_plane else max(plane - 1, 1), 1 if is_plane else min(plane + 2, shape[0] - 1)):
            for j in range(max(row - 1, 1), min(row + 2, shape[1] - 1)):
                for k in range(max(column - 1, 1), min(column + 2, shape[2] - 1)):
                    pixel = (i * shape[1] + j) * shape[2] + k
                    if closed is not None and closed[pixel]:
                        continue
                    if zones is not None and zones[pixel] != zones[seeds[n]]:
                        continue
                    count += 1
                    for c in range(total.size):
                        total[c] += features[_index(pixel), _index(c)]
        for c in range(total.size):
            means[n, c] = np.float32(total[c] / count)


@_jit
def find_most_alike(
    features: Any, shape: Any, coarse_shape: Any, factor: int, seeds: Any, references: Any, found: Any
) -> None:
    """Set `found`, (k,) int64, to the pixel most like each reference, (k, C), in its seed's block of `factor` pixels.

    Shapes are padded and have three axes; a first axis of 1 pixel is kept as it is. Among equals the pixel nearest to
    the middle of the block is taken.
    """
    is_plane = shape[0] == 1
    middle = np.float32(0.5 * (factor - 1))
    for n in range(seeds.size):
        left = (seeds[n] % coarse_shape[2] - 1) * factor + 1
        top = (seeds[n] // coarse_shape[2] % coarse_shape[1] - 1) * factor + 1
        front = 0 if is_plane else (seeds[n] // coarse_shape[2] // coarse_shape[1] - 1) * factor + 1
        best = np.float32(np.inf)
        best_apart = np.float32(np.inf)
        for i in range(front, 1 if is_plane else min(front + factor, shape[0] - 1)):
            for j in range(top, min(top + factor, shape[1] - 1)):
                for k in range(left, min(left + factor, shape[2] - 1)):
                    pixel = (i * shape[1] + j) * shape[2] + k
                    distance = np.float32(0.0)
                    for c in range(references.shape[1]):
                        difference = np.float32(features[_index(pixel), _index(c)]) - references[_index(n), _index(c)]
                        distance += difference * difference
                    if distance > best:
                        continue
                    apart = (j - top - middle) ** 2 + (k - left - middle) ** 2
                    if not is_plane:
                        apart += (i - front - middle) ** 2
                    if distance < best or apart < best_apart:
                        best = distance
                        best_apart = apart
                        found[n] = pixel
