"""The compiled loop of walks."""

from typing import Any

import numba as nb
import numpy as np

_jit: Any = nb.njit(nogil=True, cache=True)


@_jit
def walk(mask: Any, wanted: Any, width: int, n_wanted: int) -> Any:
    """Walk the tree of ways with fewest pixels that are not wanted, from the first wanted pixel; padded and flat."""
    steps = np.array([-width, -1, 1, width])
    root = 0
    while not wanted[root]:
        root += 1
    parent = np.full(mask.size, -1, np.int64)
    parent[root] = root
    here = np.empty(mask.size, np.int64)
    later = np.empty(mask.size, np.int64)
    here[0] = root
    n_here = 1
    n_left = n_wanted - 1
    while n_left > 0 and n_here > 0:
        # Wanted pixels are taken at once, the others one ring at a time.
        n_later = 0
        at = 0
        while at < n_here:
            p = here[at]
            at += 1
            for step in steps:
                q = p + step
                if mask[q] and wanted[q] and parent[q] < 0:
                    parent[q] = p
                    here[n_here] = q
                    n_here += 1
                    n_left -= 1
        for at in range(n_here):
            p = here[at]
            for step in steps:
                q = p + step
                if mask[q] and parent[q] < 0:
                    parent[q] = p
                    later[n_later] = q
                    n_later += 1
        here, later = later, here
        n_here = n_later
    on_way = np.zeros(mask.size, np.bool_)
    n_on_way = 0
    for p in range(mask.size):
        if wanted[p] and parent[p] >= 0:
            q = p
            while not on_way[q]:
                on_way[q] = True
                n_on_way += 1
                q = parent[q]
    path = np.empty(2 * n_on_way, np.int64)
    path[0] = root
    length = 1
    n_visited = 1
    on_way[root] = False
    p = root
    while n_visited < n_on_way:
        child = -1
        for step in steps:
            if on_way[p + step] and parent[p + step] == p:
                child = p + step
                break
        if child >= 0:
            p = child
            on_way[p] = False
            n_visited += 1
        else:
            p = parent[p]
        path[length] = p
        length += 1
    return path[:length]
