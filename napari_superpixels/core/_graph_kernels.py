"""Compiled loops that find which regions touch, along how many pixel pairs, and how strong their border is there."""

from typing import Any

import numba as nb
import numpy as np

_jit: Any = nb.njit(nogil=True, cache=True)


@_jit
def count_pairs(labels: Any, first: int, last: int) -> int:
    """Count neighbouring pixels of two regions, those of rows first to last - 1 with the pixels right of and below."""
    n_rows, n_cols = labels.shape
    n_pairs = 0
    for i in range(first, last):
        for j in range(n_cols):
            k = labels[i, j]
            if k == 0:
                continue
            if j + 1 < n_cols:
                n_pairs += labels[i, j + 1] != k and labels[i, j + 1] != 0
            if i + 1 < n_rows:
                n_pairs += labels[i + 1, j] != k and labels[i + 1, j] != 0
    return n_pairs


@_jit
def list_pairs(
    labels: Any, boundary: Any, scale: Any, first: int, last: int, at: int, lows: Any, highs: Any, evidence: Any
) -> None:
    """List the pairs that :func:`count_pairs` counts, from position `at` on.

    `evidence` is filled with the larger of both pixels' boundary probabilities times `scale`, rounded; with 0 where
    `boundary` is empty.
    """
    n_rows, n_cols = labels.shape
    for i in range(first, last):
        for j in range(n_cols):
            k = labels[i, j]
            if k == 0:
                continue
            for axis in range(2):
                ii, jj = i + axis, j + 1 - axis
                if ii == n_rows or jj == n_cols:
                    continue
                other = labels[ii, jj]
                if other == k or other == 0:
                    continue
                lows[at] = min(k, other)
                highs[at] = max(k, other)
                evidence[at] = 0
                if boundary.size:
                    evidence[at] = int(max(boundary[i, j], boundary[ii, jj]) * scale + np.float32(0.5))
                at += 1


@_jit
def combine(lows: Any, highs: Any, lengths: Any, evidence: Any, n_labels: int) -> Any:
    """Add up all entries of one pair of regions.

    Returns ``(edges, lengths, evidence)``, each pair once, sorted. An empty `lengths` stands for ones.
    """
    n = lows.size
    start = np.zeros(n_labels + 2, np.int64)
    for p in range(n):
        start[lows[p] + 1] += 1
    for k in range(n_labels + 1):
        start[k + 1] += start[k]
    cursor = start.copy()
    order = np.empty(n, np.int64)
    for p in range(n):
        order[cursor[lows[p]]] = p
        cursor[lows[p]] += 1
    slot = np.full(n_labels + 1, -1, np.int64)
    edges = np.empty((n, 2), np.int32)
    total_lengths = np.empty(n, lengths.dtype)
    total_evidence = np.empty(n, evidence.dtype)
    n_edges = 0
    for k in range(n_labels + 1):
        base = n_edges
        for q in range(start[k], start[k + 1]):
            p = order[q]
            other = highs[p]
            at = slot[other]
            if at < base:
                at = n_edges
                slot[other] = at
                edges[at, 0] = k
                edges[at, 1] = other
                total_lengths[at] = 0
                total_evidence[at] = 0
                n_edges += 1
            total_lengths[at] += lengths[p] if lengths.size else 1
            total_evidence[at] += evidence[p]
        if n_edges - base > 1:
            _sort_by_second(edges, total_lengths, total_evidence, base, n_edges)
    return edges[:n_edges].copy(), total_lengths[:n_edges].copy(), total_evidence[:n_edges].copy()


@_jit
def _sort_by_second(edges: Any, lengths: Any, evidence: Any, first: int, last: int) -> None:
    rank = np.argsort(edges[first:last, 1])
    seconds = edges[first:last, 1][rank]
    sorted_lengths = lengths[first:last][rank]
    sorted_evidence = evidence[first:last][rank]
    for q in range(last - first):
        edges[first + q, 1] = seconds[q]
        lengths[first + q] = sorted_lengths[q]
        evidence[first + q] = sorted_evidence[q]


@_jit
def sum_colors(labels: Any, features: Any, scale: Any, first: int, last: int, sign: int, sizes: Any, sums: Any) -> None:
    """Add (sign 1) or take away (sign -1) the pixels of rows first to last - 1, and their features in whole numbers."""
    n_channels = features.shape[2]
    for i in range(first, last):
        for j in range(labels.shape[1]):
            k = labels[i, j]
            sizes[k] += sign
            for c in range(n_channels):
                sums[k, c] += sign * int(np.rint(features[i, j, c] * scale))
