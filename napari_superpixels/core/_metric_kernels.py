"""Compiled loops of the measures. Pixels are flat, in C order; superpixels are numbered 0 to K - 1.

Most loops go over the pixels of one superpixel after the other, from `order` and `start`: a thread then owns whole
superpixels, and sums come out the same whatever the number of threads.
"""

from typing import Any

import numba as nb
import numpy as np

_jit: Any = nb.njit(nogil=True, cache=True)


@_jit
def mark(labels: Any, present: Any) -> None:
    """Set `present` where a label occurs."""
    for p in range(labels.size):
        present[labels[p]] = True


@_jit
def number(labels: Any, numbers: Any, compact: Any, size: Any) -> None:
    """Replace each label by its number, and count its pixels; `size` comes as zeros."""
    for p in range(labels.size):
        k = numbers[labels[p]]
        compact[p] = k
        size[k] += 1


@_jit
def group(compact: Any, start: Any, order: Any) -> None:
    """List the pixels by superpixel, rising: those of k become order[start[k]:start[k + 1]]."""
    free = start[:-1].copy()
    for p in range(compact.size):
        k = compact[p]
        order[free[k]] = p
        free[k] += 1


@_jit
def overlaps(order: Any, start: Any, first: int, last: int, truth: Any, n_values: int) -> Any:
    """Return the pixels that the superpixels first to last - 1 lose to other segments, and UE_NP's sum over pairs.

    `truth` holds values from 0 to n_values - 1.
    """
    count = np.zeros(n_values, np.int64)
    met = np.empty(n_values, np.int64)
    lost = 0
    contested = 0
    for k in range(first, last):
        n_met = 0
        for at in range(start[k], start[k + 1]):
            g = truth[order[at]]
            if count[g] == 0:
                met[n_met] = g
                n_met += 1
            count[g] += 1
        size = start[k + 1] - start[k]
        largest = 0
        for i in range(n_met):
            overlap = count[met[i]]
            count[met[i]] = 0
            largest = max(largest, overlap)
            contested += min(overlap, size - overlap)
        lost += size - largest
    return lost, contested


@_jit
def add_values(order: Any, start: Any, first: int, last: int, values: Any, sums: Any) -> None:
    """Add up the values, (N, C), of each superpixel into `sums`, (K, C), which comes as zeros."""
    for k in range(first, last):
        for at in range(start[k], start[k + 1]):
            for c in range(values.shape[1]):
                sums[k, c] += values[order[at], c]


@_jit
def add_deviations(order: Any, start: Any, first: int, last: int, values: Any, mean: Any, squares: Any) -> None:
    """Add up the squared distances from `mean`, (C,), over each superpixel into `squares`, (K,)."""
    for k in range(first, last):
        total = 0.0
        for at in range(start[k], start[k + 1]):
            for c in range(values.shape[1]):
                total += (values[order[at], c] - mean[c]) ** 2
        squares[k] = total


@_jit
def count_pieces(labels: Any, parent: Any, pieces: Any) -> None:
    """Count the pieces of each label of a (P, M, N) image, connected through faces.

    `parent`, (P M N,), is room to work in; `pieces`, (K,), comes as zeros.
    Pixels are joined to their predecessors with the same label; the pixels that remain roots are the pieces.
    """
    n_planes, n_rows, n_cols = labels.shape
    flat = labels.ravel()
    row, plane = n_cols, n_rows * n_cols
    p = 0
    for z in range(n_planes):
        for i in range(n_rows):
            for j in range(n_cols):
                k = flat[p]
                left = j > 0 and flat[p - 1] == k
                above = i > 0 and flat[p - row] == k
                parent[p] = parent[p - 1] if left else p
                # Where the pixel between the two is the same, they were joined before.
                if above and not (left and flat[p - row - 1] == k):
                    _join(parent, p, p - row)
                if z > 0 and flat[p - plane] == k:
                    is_joined = (left and flat[p - plane - 1] == k) or (above and flat[p - plane - row] == k)
                    if not is_joined:
                        _join(parent, p, p - plane)
                p += 1
    for p in range(flat.size):
        if parent[p] == p:
            pieces[flat[p]] += 1


@_jit
def _join(parent: Any, a: int, b: int) -> None:
    a, b = _root(parent, a), _root(parent, b)
    if a < b:
        parent[b] = a
    else:
        parent[a] = b


@_jit
def _root(parent: Any, p: int) -> Any:
    while parent[p] != p:
        parent[p] = parent[parent[p]]
        p = parent[p]
    return p
