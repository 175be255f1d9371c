"""Compiled loops that join regions into a tree, cut the tree, and list what hangs under a node."""

import heapq
import math
from typing import Any

import numba as nb
import numpy as np

_jit: Any = nb.njit(nogil=True, cache=True)


@_jit
def join_regions(edges: Any, lengths: Any, strengths: Any, sizes: Any) -> Any:
    """Join touching regions, the weakest border first, until nothing touches.

    A border's weight is its mean strength times sqrt(n1 n2 / (n1 + n2)) with both sizes n. Where both partners touch a
    third region, the border with it has the mean strength of both borders, weighted by length.

    Parameters
    ----------
    edges : ndarray of shape (E, 2), integer
        Pairs of regions 0 to K - 1; each pair once.
    lengths, strengths : ndarray of shape (E,), float64
        Length and mean strength of each border.
    sizes : ndarray of shape (K,), integer
        Pixels of each region.

    Returns
    -------
    pairs : ndarray of shape (n, 2), int32
        The m-th join makes region K + m of these two.
    weights : ndarray of shape (n,), float64
        Weight of the border that it removes.
    """
    n_regions, n_edges = sizes.size, len(edges)
    n_nodes = max(2 * n_regions - 1, 0)
    size = np.zeros(n_nodes)
    size[:n_regions] = sizes
    ends = edges.astype(np.int32)
    length = lengths.astype(np.float64)
    total = lengths * strengths
    version = np.zeros(n_edges, np.int64)
    is_open = np.ones(n_edges, np.bool_)
    # Half-edges 2 e and 2 e + 1 stand in the chains of both ends of edge e.
    head = np.full(n_nodes, -1, np.int32)
    following = np.full(2 * n_edges, -1, np.int32)
    queue = [(0.0, 0, 0) for _ in range(0)]
    for e in range(n_edges):
        for side in range(2):
            end = ends[e, side]
            following[2 * e + side] = head[end]
            head[end] = 2 * e + side
        a, b = size[ends[e, 0]], size[ends[e, 1]]
        queue.append((strengths[e] * math.sqrt(a * b / (a + b)), e, 0))
    heapq.heapify(queue)
    pairs = np.empty((max(n_regions - 1, 0), 2), np.int32)
    weights = np.empty(max(n_regions - 1, 0))
    shared = np.full(n_nodes, -1, np.int32)
    shared_with = np.full(n_nodes, -1, np.int32)
    n_joins = 0
    while queue:
        weight, e, asked = heapq.heappop(queue)
        if not is_open[e] or version[e] != asked:
            continue
        node = n_regions + n_joins
        pairs[n_joins, 0], pairs[n_joins, 1] = ends[e, 0], ends[e, 1]
        weights[n_joins] = weight
        n_joins += 1
        is_open[e] = False
        size[node] = size[ends[e, 0]] + size[ends[e, 1]]
        chain = -1
        for partner in pairs[n_joins - 1]:
            half = head[partner]
            while half >= 0:
                f, side, after = half >> 1, half & 1, following[half]
                if is_open[f]:
                    other = ends[f, 1 - side]
                    ends[f, side] = node
                    if shared_with[other] == node:
                        kept = shared[other]
                        length[kept] += length[f]
                        total[kept] += total[f]
                        is_open[f] = False
                    else:
                        shared_with[other] = node
                        shared[other] = f
                        following[half] = chain
                        chain = half
                half = after
        head[node] = chain
        while chain >= 0:
            f = chain >> 1
            a, b = size[node], size[ends[f, 1 - (chain & 1)]]
            version[f] += 1
            heapq.heappush(queue, (total[f] / length[f] * math.sqrt(a * b / (a + b)), f, version[f]))
            chain = following[chain]
    return pairs[:n_joins], weights[:n_joins]


@_jit
def spans(parents: Any, n_leaves: int) -> Any:
    """Order the leaves so that those under any node stand together.

    Children come before their parents in `parents`, (n,), -1 for a root. Returns the leaves' order, (n_leaves,), and
    where each node's leaves start and end in it, both (n,).
    """
    n_nodes = parents.size
    counts = np.zeros(n_nodes, np.int32)
    counts[:n_leaves] = 1
    for node in range(n_nodes):
        if parents[node] >= 0:
            counts[parents[node]] += counts[node]
    starts = np.empty(n_nodes, np.int32)
    free = np.empty(n_nodes, np.int32)
    n_placed = 0
    for node in range(n_nodes - 1, -1, -1):
        parent = parents[node]
        if parent < 0:
            starts[node] = n_placed
            n_placed += counts[node]
        else:
            starts[node] = free[parent]
            free[parent] += counts[node]
        free[node] = starts[node]
    order = np.empty(n_leaves, np.int32)
    for leaf in range(n_leaves):
        order[starts[leaf]] = leaf
    return order, starts, starts + counts


@_jit
def tops(parents: Any, first_cut: int) -> Any:
    """Return for each node its highest ancestor, or itself, below node number `first_cut`, (n,); -1 for those above."""
    top = np.empty(parents.size, np.int32)
    for node in range(parents.size - 1, -1, -1):
        parent = parents[node]
        if node >= first_cut:
            top[node] = -1
        elif parent < 0 or parent >= first_cut:
            top[node] = node
        else:
            top[node] = top[parent]
    return top


@_jit
def climb(parents: Any, node: int, first_cut: int) -> int:
    """Return the highest ancestor of a node, or itself, below node number `first_cut`."""
    while parents[node] >= 0 and parents[node] < first_cut:
        node = parents[node]
    return node


@_jit
def without(parents: Any, dissolved: Any) -> Any:
    """Mark, in `dissolved`, (n,), every ancestor of a marked node; return the parents with links to those cut."""
    left = parents.copy()
    for node in range(parents.size):
        parent = parents[node]
        if parent >= 0 and dissolved[node]:
            dissolved[parent] = True
    for node in range(parents.size):
        if left[node] >= 0 and dissolved[left[node]]:
            left[node] = -1
    return left


@_jit
def raise_parents(parents: Any, heights: Any) -> None:
    """Raise each node at least to the height of its children, which come before it."""
    for node in range(parents.size):
        parent = parents[node]
        if parent >= 0:
            heights[parent] = max(heights[parent], heights[node])
