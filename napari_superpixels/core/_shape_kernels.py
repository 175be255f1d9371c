"""Compiled loops over the shapes of superpixels in the plane; see `_metric_kernels` for `order` and `start`."""

import math
from typing import Any

import numba as nb
import numpy as np

_jit: Any = nb.njit(nogil=True, cache=True)


@_jit
def perimeters(
    order: Any, start: Any, first: int, last: int, labels: Any, edges: Any, pixels: Any, slants: Any
) -> None:
    """Count each superpixel's outer pixel edges, boundary pixels and diagonal steps out of it.

    The image's border is a boundary. `labels` is the (M, N) image of numbers; the others are filled, (K,).
    """
    n_rows, n_cols = labels.shape
    for k in range(first, last):
        n_edges = 0
        n_pixels = 0
        n_slants = 0
        for at in range(start[k], start[k + 1]):
            p = order[at]
            i = p // n_cols
            j = p - i * n_cols
            has_up, has_down, has_left, has_right = i > 0, i < n_rows - 1, j > 0, j < n_cols - 1
            here = 0
            here += not has_up or labels[i - 1, j] != k
            here += not has_down or labels[i + 1, j] != k
            here += not has_left or labels[i, j - 1] != k
            here += not has_right or labels[i, j + 1] != k
            n_slants += not (has_up and has_left) or labels[i - 1, j - 1] != k
            n_slants += not (has_up and has_right) or labels[i - 1, j + 1] != k
            n_slants += not (has_down and has_left) or labels[i + 1, j - 1] != k
            n_slants += not (has_down and has_right) or labels[i + 1, j + 1] != k
            n_edges += here
            n_pixels += here > 0
        edges[k] = n_edges
        pixels[k] = n_pixels
        slants[k] = n_slants


@_jit
def regularities(
    order: Any,
    start: Any,
    first: int,
    last: int,
    n_rows: int,
    n_cols: int,
    crossings: Any,
    regularity: Any,
    centres: Any,
    reach: Any,
) -> None:
    """Find each superpixel's convexity times balance, its centre, and how far it reaches from there.

    `crossings`, (K,), is Crofton's sum over four directions; `regularity`, (K,), `centres`, (K, 2), and `reach`, (4,),
    are filled: the least and largest row, then column, relative to the centre. `reach` is that of these superpixels.
    """
    rows = np.empty(n_rows, np.int64)
    lefts = np.empty(n_rows, np.int64)
    rights = np.empty(n_rows, np.int64)
    chain = np.empty(n_rows, np.int64)
    for k in range(first, last):
        n = start[k + 1] - start[k]
        top = order[start[k]] // n_cols
        n_used = 0
        sum_i, sum_j, sum_ii, sum_jj = 0, 0, 0.0, 0.0
        j_base = order[start[k]] - top * n_cols
        for at in range(start[k], start[k + 1]):
            i = order[at] // n_cols
            j = order[at] - i * n_cols
            if n_used == 0 or rows[n_used - 1] != i:
                rows[n_used] = i
                lefts[n_used] = j
                n_used += 1
            rights[n_used - 1] = j
            sum_i += i - top
            sum_j += j - j_base
            sum_ii += float(i - top) ** 2
            sum_jj += float(j - j_base) ** 2
        hull_area = _hull_pixels(rows, lefts, rights, n_used, chain)
        hull_crossings = _hull_crossings(rows, lefts, rights, n_used)
        # The hull of pieces that touch at corners can have more lines through it than meet a pixel.
        convexity = min(1.0, (n / hull_area) * (hull_crossings / crossings[k]))
        variance_i = sum_ii / n - (sum_i / n) ** 2
        variance_j = sum_jj / n - (sum_j / n) ** 2
        widest = max(variance_i, variance_j)
        balance = 1.0 if widest <= 0 else (max(min(variance_i, variance_j), 0.0) / widest) ** 0.25
        regularity[k] = convexity * balance
        centres[k, 0] = top + (2 * sum_i + n) // (2 * n)
        centres[k, 1] = j_base + (2 * sum_j + n) // (2 * n)
        reach[0] = min(reach[0], top - centres[k, 0])
        reach[1] = max(reach[1], rows[n_used - 1] - centres[k, 0])
        reach[2] = min(reach[2], lefts[:n_used].min() - centres[k, 1])
        reach[3] = max(reach[3], rights[:n_used].max() - centres[k, 1])


@_jit
def _hull_crossings(rows: Any, lefts: Any, rights: Any, n_used: int) -> float:
    """Return Crofton's sum for the convex hull: twice its widths in four directions."""
    last = n_used - 1
    height = rows[last] - rows[0] + 1
    width = rights[:n_used].max() - lefts[:n_used].min() + 1
    falling = (rows[:n_used] + rights[:n_used]).max() - (rows[:n_used] + lefts[:n_used]).min() + 1
    rising = (rows[:n_used] - lefts[:n_used]).max() - (rows[:n_used] - rights[:n_used]).min() + 1
    return 2.0 * (height + width + (falling + rising) / math.sqrt(2.0))


@_jit
def _hull_pixels(rows: Any, lefts: Any, rights: Any, n_used: int, chain: Any) -> int:
    """Return the number of pixels in the convex hull of pixel centres, by Pick's theorem."""
    last = n_used - 1
    area_left, border_left = _side(rows, lefts, n_used, 1, chain)
    area_right, border_right = _side(rows, rights, n_used, -1, chain)
    border = border_left + border_right + (rights[0] - lefts[0]) + (rights[last] - lefts[last])
    return (area_right - area_left + border + 2) // 2


@_jit
def _side(rows: Any, cols: Any, n_used: int, sign: int, chain: Any) -> Any:
    """Follow a side of the convex hull from top to bottom: the left one where `sign` is 1, the right one for -1.

    Return twice the area between it and column 0, and the number of steps between pixel centres on it.
    """
    size = 0
    for a in range(n_used):
        while size >= 2:
            b, c = chain[size - 1], chain[size - 2]
            bend = (cols[b] - cols[c]) * (rows[a] - rows[c]) - (cols[a] - cols[c]) * (rows[b] - rows[c])
            if bend * sign < 0:
                break
            size -= 1
        chain[size] = a
        size += 1
    area = 0
    border = 0
    for at in range(1, size):
        a, b = chain[at - 1], chain[at]
        down, across = rows[b] - rows[a], cols[b] - cols[a]
        area += (cols[a] + cols[b]) * down
        border += _divisor(down, abs(across))
    return area, border


@_jit
def _divisor(a: int, b: int) -> int:
    """Return the greatest common divisor."""
    while b:
        a, b = b, a % b
    return a


@_jit
def add_shapes(labels: Any, centres: Any, top: int, left: int, average: Any) -> None:
    """Lay all superpixels over each other, centre on centre, and count; centres are at -(top, left) in `average`."""
    n_rows, n_cols = labels.shape
    for i in range(n_rows):
        for j in range(n_cols):
            k = labels[i, j]
            average[i - centres[k, 0] - top, j - centres[k, 1] - left] += 1


@_jit
def match_shapes(
    order: Any,
    start: Any,
    first: int,
    last: int,
    n_cols: int,
    centres: Any,
    top: int,
    left: int,
    average: Any,
    match: Any,
) -> None:
    """Find the share of each superpixel, (K,), that it has in common with the average shape, both of area 1."""
    n_pixels = order.size
    for k in range(first, last):
        n = start[k + 1] - start[k]
        common = 0.0
        for at in range(start[k], start[k + 1]):
            i = order[at] // n_cols
            j = order[at] - i * n_cols
            height = average[i - centres[k, 0] - top, j - centres[k, 1] - left]
            common += min(float(height) * n, float(n_pixels))
        match[k] = common / (float(n_pixels) * n)
