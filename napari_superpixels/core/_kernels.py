"""Compiled kernels of the eikonal solver.

All kernels work on flat, padded arrays: an image of shape (M, N) is stored as (M + 2) * (N + 2) pixels whose one-pixel
frame is owned by :data:`OUTSIDE`, so that no bounds are checked; volumes likewise. They validate nothing and allocate
nothing in loops; the callers in :mod:`napari_superpixels.core.eikonal` state and guarantee the preconditions.

The queue is an untidy bucket queue (Yatziv, Bartesaghi & Sapiro 2006, doi:10.1016/j.jcp.2005.08.005): a bucket holds
the pixels whose arrival lies in one interval, first in, first out. Intervals are equal at first and grow in proportion
to the arrival later, so that their number stays small however large arrivals get.
"""

import math
from typing import Any

import numba as nb
import numpy as np

OUTSIDE = np.int32(2147483647)
"""Owner of the frame and of masked pixels: closed to every front, equal to no label."""

N_BUCKETS = 2048

# A law is a tuple because the compiler knows its length, and so makes a kernel of its own for each law.
QUADRATIC: tuple[int, ...] = ()
EXPONENTIAL: tuple[int, ...] = (0,)
ERGC: tuple[int, ...] = (0, 0)
FIELD: tuple[int, ...] = (0, 0, 0)

_INF = np.float32(np.inf)
# Numba tests signed indices for being negative, in a march for a fifth of its time.
_index = np.uintp
_HALF_UNIT_BUCKETS = np.float32(32.0)
_KEY_SHIFT = 17
_POLL_MASK = 8191
_MAX_EXPONENT = np.float32(16.0)
_ERGC_FLOOR = np.float32(0.01)

_jit: Any = nb.njit(nogil=True, cache=True, error_model="numpy")


@_jit
def _slowness(
    pixel: int,
    label: int,
    features: Any,
    references: Any,
    field: Any,
    centers: Any,
    strides: Any,
    inverse_h2: Any,
    law: Any,
    weights: Any,
    channels: Any,
) -> Any:
    """Return P(pixel, label), at least the law's floor."""
    if len(law) == len(FIELD):
        return field[_index(pixel)]
    distance2 = np.float32(0.0)
    for c in range(len(channels)):
        difference = np.float32(features[_index(pixel), c]) - references[_index(label), _index(c)]
        distance2 += difference * difference
    edge = weights[1] * np.float32(features[_index(pixel), len(channels)])
    if len(law) == len(QUADRATIC):
        return np.float32(1.0) + weights[0] * distance2 + edge
    if len(law) == len(EXPONENTIAL):
        return np.float32(math.exp(min(_MAX_EXPONENT, np.float32(math.sqrt(weights[0] * distance2)) + edge)))
    rest = pixel
    apart = np.float32(0.0)
    for a in range(len(strides)):
        offset = np.float32(rest // strides[a]) - centers[label, a]
        apart += offset * offset / inverse_h2[a]
        rest = rest % strides[a]
    pull = weights[2] * apart
    color = weights[0] * distance2
    return _ERGC_FLOOR + np.float32(math.sqrt(color * color + pull * pull)) + edge


@_jit
def _upwind(pixel: int, label: int, p: Any, arrival: Any, owner: Any, zones: Any, strides: Any, inverse_h2: Any) -> Any:
    """Solve sum_a ((u - u_a) / h_a)^2 = p^2 with the frozen neighbours of one label.

    An axis takes part only while its neighbour arrives before the solution, which is the causality condition: with one
    axis left this is min(u_a) + p * h_a.
    """
    zoned = zones is not None
    here = np.int32(0)
    if zoned:
        here = zones[_index(pixel)]
    u0 = u1 = u2 = _INF
    w0 = w1 = w2 = np.float32(1.0)
    for a in range(len(strides)):
        before = pixel - strides[a]
        after = pixel + strides[a]
        u = _INF
        if owner[_index(before)] == label and not (zoned and zones[_index(before)] != here and here != 0):
            u = arrival[_index(before)]
        if owner[_index(after)] == label and not (zoned and zones[_index(after)] != here and here != 0):
            u = min(u, arrival[_index(after)])
        if a == 0:
            u0, w0 = u, inverse_h2[a]
        elif a == 1:
            u1, w1 = u, inverse_h2[a]
        else:
            u2, w2 = u, inverse_h2[a]
    if u1 < u0:
        u0, w0, u1, w1 = u1, w1, u0, w0
    if len(strides) > 2:
        if u2 < u0:
            u0, w0, u1, w1, u2, w2 = u2, w2, u0, w0, u1, w1
        elif u2 < u1:
            u1, w1, u2, w2 = u2, w2, u1, w1
    # Differences to the earliest neighbour keep single precision exact enough at late arrivals.
    t = p / np.float32(math.sqrt(w0))
    d = u1 - u0
    if d < t:
        s0 = w0 + w1
        s1 = w1 * d
        s2 = s1 * d
        t = (s1 + np.float32(math.sqrt(max(np.float32(0.0), s1 * s1 - s0 * (s2 - p * p))))) / s0
        if len(strides) > 2:
            d = u2 - u0
            if d < t:
                s0 += w2
                s1 += w2 * d
                s2 += w2 * d * d
                t = (s1 + np.float32(math.sqrt(max(np.float32(0.0), s1 * s1 - s0 * (s2 - p * p))))) / s0
    return u0 + t


@_jit
def march(
    arrival: Any,
    owner: Any,
    features: Any,
    references: Any,
    field: Any,
    centers: Any,
    zones: Any,
    strides: Any,
    inverse_h2: Any,
    law: Any,
    weights: Any,
    channels: Any,
    sources: Any,
    repair: bool,
    key_scale: Any,
    pool: Any,
    invaded: Any,
    cancel: Any,
) -> int:
    """Grow all labels from the sources until every open pixel that can be reached is frozen.

    Parameters
    ----------
    arrival : ndarray of shape (n,), float32
        Arrival times; infinite where open. Updated in place.
    owner : ndarray of shape (n,), int32
        k > 0: frozen with label k; -k: trial of label k; 0: open; `OUTSIDE`: closed. Updated in place.
    features : ndarray of shape (n, C + 1), int16
        C features and the boundary probability of each pixel.
    references : ndarray of shape (K + 1, C), float32
        Reference feature of each label; row 0 is unused.
    field : ndarray of shape (n,) or (0,), float32
        Slowness of each pixel, for the law `FIELD`.
    centers : ndarray of shape (K + 1, ndim), float32
        Seed positions in this array's padded coordinates, for the law `ERGC`.
    zones : ndarray of shape (n,), int32, or None
        No front passes from one zone to another, except into zone 0, which it can't leave.
    strides, inverse_h2 : tuple
        Step to the next pixel along each axis, and 1 / spacing^2.
    law, weights, channels : tuple, tuple of float32, tuple of length C
        The slowness law; the lengths of `law` and `channels` are compile-time constants.
    sources : ndarray of shape (s,), int64
        Pixels from which fronts start: p with trial state, or ~p for a frozen pixel whose neighbours were reopened.
    repair : bool
        Whether some pixels are frozen already, so that `invaded` must be kept.
    key_scale : float32
        1 / smallest slowness, which makes the buckets follow a change of units.
    pool : ndarray of shape (at least s + 2 * ndim * open pixels, 2), int32
        Memory of the queue: pixel and next entry.
    invaded : ndarray of shape (K + 1,), float32
        Lowered, for each label, to the earliest time at which a front could take one of its frozen pixels.
    cancel : ndarray of shape (1,), uint8
        Polled; not 0 stops the march.

    Returns
    -------
    int
        1 if cancelled, else 0.
    """
    heads = np.full(N_BUCKETS, -1, np.int32)
    tails = np.empty(N_BUCKETS, np.int32)
    key_float = np.empty(1, np.float32)
    key_bits = key_float.view(np.int32)
    key_float[0] = _HALF_UNIT_BUCKETS
    key_base = key_bits[0]
    tolerance = np.float32(0.05) / key_scale
    used = 0
    free = -1
    for i in range(sources.size):
        source = sources[i]
        pixel = source if source >= 0 else ~source
        key_float[0] = arrival[_index(pixel)] * key_scale + _HALF_UNIT_BUCKETS
        bucket = min((key_bits[0] - key_base) >> _KEY_SHIFT, N_BUCKETS - 1)
        pool[_index(used), 0] = source
        pool[_index(used), 1] = -1
        if heads[_index(bucket)] < 0:
            heads[_index(bucket)] = used
        else:
            pool[_index(tails[_index(bucket)]), 1] = used
        tails[_index(bucket)] = used
        used += 1

    current = 0
    popped = 0
    while current < N_BUCKETS:
        entry = heads[_index(current)]
        if entry < 0:
            current += 1
            continue
        heads[_index(current)] = pool[_index(entry), 1]
        pixel = np.int64(pool[_index(entry), 0])
        pool[_index(entry), 1] = free
        free = entry
        popped += 1
        if popped & _POLL_MASK == 0 and cancel[0] != 0:
            return 1
        if pixel < 0:
            pixel = ~pixel
            label = owner[_index(pixel)]
        else:
            label = -owner[_index(pixel)]
            if label < 0:
                continue
            owner[_index(pixel)] = label
        for a in range(len(strides)):
            for side in range(2):
                q = pixel + strides[a] if side else pixel - strides[a]
                taken = owner[_index(q)]
                if taken > 0 and not (repair and taken != OUTSIDE and arrival[_index(q)] > arrival[_index(pixel)]):
                    continue
                if zones is not None and zones[_index(q)] != zones[_index(pixel)] and zones[_index(q)] != 0:
                    continue
                p = _slowness(
                    q, label, features, references, field, centers, strides, inverse_h2, law, weights, channels
                )
                u = _upwind(q, label, p, arrival, owner, zones, strides, inverse_h2)
                if taken > 0:
                    if u < arrival[_index(q)] - tolerance:
                        invaded[taken] = min(invaded[taken], u)
                    continue
                if u < arrival[_index(q)]:
                    arrival[_index(q)] = u
                    owner[_index(q)] = -label
                    key_float[0] = u * key_scale + _HALF_UNIT_BUCKETS
                    bucket = max((key_bits[0] - key_base) >> _KEY_SHIFT, current)
                    bucket = min(bucket, N_BUCKETS - 1)
                    if free >= 0:
                        entry = free
                        free = pool[_index(entry), 1]
                    else:
                        entry = used
                        used += 1
                    pool[_index(entry), 0] = q
                    pool[_index(entry), 1] = -1
                    if heads[_index(bucket)] < 0:
                        heads[_index(bucket)] = entry
                    else:
                        pool[_index(tails[_index(bucket)]), 1] = entry
                    tails[_index(bucket)] = entry
    return 0


@_jit
def check_seam(
    arrival: Any,
    owner: Any,
    features: Any,
    references: Any,
    field: Any,
    centers: Any,
    zones: Any,
    strides: Any,
    inverse_h2: Any,
    law: Any,
    weights: Any,
    channels: Any,
    seam: Any,
    step: int,
    key_scale: Any,
    invaded: Any,
    unsupported: Any,
) -> int:
    """Find where two blocks, each marched alone, contradict each other.

    `seam` holds the pixels on one side, shape (s,), int64; their partners lie `step` further on. Lowers `invaded` for
    each label of which a front across the seam could take a pixel earlier, or which arrived at a pixel earlier than its
    neighbours allow. Such pixels are written to `unsupported`, shape (2 s,), int64; returns their number. The other
    parameters are those of :func:`march`.
    """
    tolerance = np.float32(0.05) / key_scale
    n_unsupported = 0
    for i in range(seam.size):
        for side in range(2):
            pixel = seam[i] if side == 0 else seam[i] + step
            q = seam[i] + step if side == 0 else seam[i]
            taken = owner[q]
            if taken <= 0 or taken == OUTSIDE or arrival[q] == 0:
                continue
            p = _slowness(q, taken, features, references, field, centers, strides, inverse_h2, law, weights, channels)
            u = _upwind(q, taken, p, arrival, owner, zones, strides, inverse_h2)
            if u > arrival[q] + tolerance:
                invaded[taken] = min(invaded[taken], arrival[q])
                unsupported[n_unsupported] = q
                n_unsupported += 1
            label = owner[pixel]
            if label <= 0 or label == OUTSIDE or arrival[q] <= arrival[pixel]:
                continue
            if zones is not None and zones[q] != zones[pixel] and zones[q] != 0:
                continue
            p = _slowness(q, label, features, references, field, centers, strides, inverse_h2, law, weights, channels)
            u = _upwind(q, label, p, arrival, owner, zones, strides, inverse_h2)
            if u < arrival[q] - tolerance:
                invaded[taken] = min(invaded[taken], u)
    return n_unsupported


@_jit
def reopen(arrival: Any, owner: Any, starts: Any, invaded: Any, strides: Any, visited: Any) -> int:
    """Open again the pixels of invaded labels that were frozen at or after the invasion.

    Parameters
    ----------
    arrival, owner, strides, invaded
        As for :func:`march`.
    starts : ndarray of shape (s,), int64
        Pixels from which the invaded labels' pixels can be reached: their seeds, and pixels cut off from them.
    visited : ndarray of shape (n,), int32
        Memory; afterwards its first entries are the opened pixels.

    Returns
    -------
    int
        Number of opened pixels.
    """
    n_open = 0
    for start in starts:
        label = owner[start]
        if label <= 0 or invaded[label] == _INF:
            continue
        first = n_open
        last = first + 1
        visited[first] = start
        owner[start] = -label
        i = first
        while i < last:
            pixel = np.int64(visited[i])
            i += 1
            for a in range(len(strides)):
                for side in range(2):
                    q = pixel + strides[a] if side else pixel - strides[a]
                    if owner[q] == label:
                        owner[q] = -label
                        visited[last] = q
                        last += 1
        for i in range(first, last):
            pixel = np.int64(visited[i])
            if arrival[pixel] >= invaded[label]:
                arrival[pixel] = _INF
                owner[pixel] = 0
                visited[n_open] = pixel
                n_open += 1
            else:
                owner[pixel] = label
    return n_open


@_jit
def find_sources(owner: Any, opened: Any, strides: Any, sources: Any) -> int:
    """List, as ~p, the frozen pixels beside the opened ones; return how many entries of `sources` were set."""
    n_sources = 0
    for i in range(opened.size):
        pixel = np.int64(opened[i])
        for a in range(len(strides)):
            for side in range(2):
                q = pixel + strides[a] if side else pixel - strides[a]
                if owner[q] > 0 and owner[q] != OUTSIDE:
                    sources[n_sources] = ~q
                    n_sources += 1
    return n_sources
