"""Compiled loop that sums up, in whole numbers, what the pixels of each region are like."""

import math
from typing import Any

import numba as nb
import numpy as np

_jit: Any = nb.njit(nogil=True, cache=True)

#: Columns of the sums after those of the features.
GRADIENT, GRADIENT_SQUARED, CURVATURE, BOUNDARY, BORDER_BOUNDARY, BORDER, EDGES = range(7)
ROW, COLUMN, ROW_SQUARED, COLUMN_SQUARED, ROW_COLUMN = range(7, 12)
N_COLUMNS = 12


@_jit
def sum_pixels(
    labels: Any,
    top: int,
    left: int,
    box: Any,
    raw: Any,
    flattened: Any,
    boundary: Any,
    scale: Any,
    sign: int,
    sizes: Any,
    sums: Any,
) -> None:
    """Add (sign 1) or take away (sign -1) the pixels of a box.

    Parameters
    ----------
    labels : ndarray of shape (m, n), int32
        Labels of a window that reaches a pixel beyond the box, or to the plane's border.
    top, left : int
        Where the window starts in the plane.
    box : tuple of int
        First row, end row, first column, end column, in the plane.
    raw, flattened : ndarray of shape (M, N, C), float32
        Features of the plane.
    boundary : ndarray of shape (M, N) or (0, 0), float32
        Boundary probability of the plane, if there is one.
    sign : int
        1 or -1.
    scale : float32
        Values are rounded after multiplication with it.
    sizes : ndarray of shape (K + 1,), int64
        Changed: numbers of pixels.
    sums : ndarray of shape (K + 1, 3 C + N_COLUMNS), int64
        Changed: sums of the raw features, of their squares, of the flattened features, then of the columns above.
    """
    n_rows, n_cols, n_channels = raw.shape
    base = 3 * n_channels
    for i in range(box[0], box[1]):
        for j in range(box[2], box[3]):
            p, q = i - top, j - left
            k = labels[p, q]
            if k == 0:
                continue
            row = sums[k]
            sizes[k] += sign
            for c in range(n_channels):
                value = int(np.rint(raw[i, j, c] * scale))
                row[c] += sign * value
                row[n_channels + c] += sign * value * value
                row[2 * n_channels + c] += sign * int(np.rint(flattened[i, j, c] * scale))
            up, down = raw[max(i - 1, 0), j, 0], raw[min(i + 1, n_rows - 1), j, 0]
            before, after = raw[i, max(j - 1, 0), 0], raw[i, min(j + 1, n_cols - 1), 0]
            gradient = int(math.sqrt((down - up) ** 2 + (after - before) ** 2) * scale)
            row[base + GRADIENT] += sign * gradient
            row[base + GRADIENT_SQUARED] += sign * gradient * gradient
            row[base + CURVATURE] += sign * int(abs(up + down + before + after - 4 * raw[i, j, 0]) * scale)
            n_edges = 0
            n_edges += i == 0 or labels[p - 1, q] != k
            n_edges += i == n_rows - 1 or labels[p + 1, q] != k
            n_edges += j == 0 or labels[p, q - 1] != k
            n_edges += j == n_cols - 1 or labels[p, q + 1] != k
            row[base + EDGES] += sign * n_edges
            row[base + BORDER] += sign * (n_edges > 0)
            if boundary.size:
                value = int(np.rint(boundary[i, j] * 100 * scale))
                row[base + BOUNDARY] += sign * value
                if n_edges > 0:
                    row[base + BORDER_BOUNDARY] += sign * value
            row[base + ROW] += sign * i
            row[base + COLUMN] += sign * j
            row[base + ROW_SQUARED] += sign * i * i
            row[base + COLUMN_SQUARED] += sign * j * j
            row[base + ROW_COLUMN] += sign * i * j
