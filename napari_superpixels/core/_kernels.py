"""Compiled kernels of the eikonal solver.

All kernels work on flat, padded arrays: an image of shape (M, N) is stored as (M + 2) * (N + 2) pixels whose one-pixel
frame is owned by :data:`OUTSIDE`, so that no bounds are checked; volumes likewise. They validate nothing and allocate
nothing in loops; the callers in :mod:`napari_superpixels.core.eikonal` state and guarantee the preconditions.

The queue is an untidy bucket queue (Yatziv, Bartesaghi & Sapiro 2006, doi:10.1016/j.jcp.2005.08.005): a bucket holds
the pixels whose arrival lies in one interval, last in, first out. Intervals are equal at first and grow in proportion
to the arrival later, so that their number stays small however large arrivals get.
"""

import math
from typing import Any

import numba as nb
import numpy as np

OUTSIDE = np.int32(2147483647)
"""Owner of the frame and of masked pixels: closed to every front, equal to no label."""

N_BUCKETS = 16384

# A law is a tuple because the compiler knows its length, and so makes a kernel of its own for each law.
QUADRATIC: tuple[int, ...] = ()
EXPONENTIAL: tuple[int, ...] = (0,)
ERGC: tuple[int, ...] = (0, 0)
FIELD: tuple[int, ...] = (0, 0, 0)

_INF = np.float32(np.inf)
# Numba tests signed indices for being negative, in a march for a fifth of its time.
_index = np.uintp
_FIRST_KEY = np.float32(32.0)
_KEY_SHIFT = 15
_POLL_MASK = 511
_GROUP = 32
_FAR = np.float32(1e30)
_MAX_EXPONENT = np.float32(16.0)
_ERGC_FLOOR = np.float32(0.01)

_jit: Any = nb.njit(nogil=True, cache=True, error_model="numpy")


@_jit
def slowness_at(
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
    """Return P(pixel, label), at least the law's floor.

    Parameters
    ----------
    pixel, label : int
        Where, and for which label.
    features : ndarray of shape (n * (C + 1),), int16
        C features and the boundary probability of each pixel.
    references : ndarray of shape ((K + 1) * C,), float32
        Reference feature of each label; those of label 0 are unused.
    field : ndarray of shape (n,) or (0,), float32
        Slowness of each pixel, for the law `FIELD`.
    centers : ndarray of shape (K + 1, ndim), float32
        Seed positions in this array's padded coordinates, for the law `ERGC`.
    strides, inverse_h2 : tuple
        Step to the next pixel along each axis, and 1 / spacing^2; one number where that is the same along all axes.
    law, weights, channels : tuple, tuple of float32, tuple of length C
        The slowness law; the lengths of `law` and `channels` are compile-time constants.
    """
    if len(law) == len(FIELD):
        return field[_index(pixel)]
    n_values = len(channels) + 1
    distance2 = np.float32(0.0)
    for c in range(len(channels)):
        difference = np.float32(features[_index(pixel * n_values + c)]) - references[_index(label * len(channels) + c)]
        distance2 += difference * difference
    edge = weights[1] * np.float32(features[_index(pixel * n_values + len(channels))])
    if len(law) == len(QUADRATIC):
        return np.float32(1.0) + weights[0] * distance2 + edge
    if len(law) == len(EXPONENTIAL):
        return np.float32(math.exp(min(_MAX_EXPONENT, np.float32(math.sqrt(weights[0] * distance2)) + edge)))
    rest = pixel
    apart = np.float32(0.0)
    for a in range(len(strides)):
        offset = np.float32(rest // strides[a]) - centers[label, a]
        apart += offset * offset / inverse_h2[min(a, len(inverse_h2) - 1)]
        rest = rest % strides[a]
    pull = weights[2] * apart
    color = weights[0] * distance2
    return _ERGC_FLOOR + np.float32(math.sqrt(color * color + pull * pull)) + edge


@_jit
def _nearer(pixel: int, step: int, label: int, state: Any, times: Any, zones: Any) -> Any:
    """Return the earlier arrival of the two pixels a step away; huge where neither has the label."""
    before = pixel - step
    after = pixel + step
    no_before = state[_index(2 * before + 1)] != label
    no_after = state[_index(2 * after + 1)] != label
    if zones is not None:
        here = zones[_index(pixel)]
        no_before |= (zones[_index(before)] != here) & (here != 0)
        no_after |= (zones[_index(after)] != here) & (here != 0)
    # Sums, not branches: processors can't predict which neighbours have the label.
    return min(
        times[_index(2 * before)] + _FAR * np.float32(no_before), times[_index(2 * after)] + _FAR * np.float32(no_after)
    )


@_jit
def _arrival_along(
    axis: int,
    u: Any,
    pixel: int,
    label: int,
    p: Any,
    state: Any,
    times: Any,
    zones: Any,
    strides: Any,
    inverse_h2: Any,
) -> Any:
    """Solve sum_a ((t - u_a) / h_a)^2 = p^2 for the time t at which a label arrives at a pixel.

    u_a is the time of the earlier neighbour along axis a with this label; `u` is that along `axis`. An axis takes part
    only while its neighbour arrives before the solution, which is the causality condition. A later neighbour is taken
    for one that arrives with the solution: that is the same, without a branch.
    """
    ndim = len(strides)
    u0, w0 = u, np.float32(1.0)
    u1, w1 = _nearer(pixel, strides[(axis + 1) % ndim], label, state, times, zones), w0
    u2, w2 = u1, w0
    if ndim == 3:
        u2 = _nearer(pixel, strides[(axis + 2) % ndim], label, state, times, zones)
    if len(inverse_h2) == 1:
        p *= np.float32(1.0) / np.float32(math.sqrt(inverse_h2[0]))
    else:
        w0, w1, w2 = inverse_h2[axis], inverse_h2[(axis + 1) % ndim], inverse_h2[(axis + 2) % ndim]
    if u1 < u0:
        u0, w0, u1, w1 = u1, w1, u0, w0
    if ndim == 3:
        if u2 < u0:
            u0, w0, u1, w1, u2, w2 = u2, w2, u0, w0, u1, w1
        elif u2 < u1:
            u1, w1, u2, w2 = u2, w2, u1, w1
    # Differences to the earliest neighbour keep single precision exact enough at late arrivals.
    d = min(u1 - u0, p / np.float32(math.sqrt(w0)))
    s0 = w0 + w1
    s1 = w1 * d
    s2 = s1 * d
    t = (s1 + np.float32(math.sqrt(max(np.float32(0.0), s1 * s1 - s0 * (s2 - p * p))))) / s0
    if ndim == 3:
        d = min(u2 - u0, t)
        s0 += w2
        s1 += w2 * d
        s2 += w2 * d * d
        t = (s1 + np.float32(math.sqrt(max(np.float32(0.0), s1 * s1 - s0 * (s2 - p * p))))) / s0
    return u0 + t


@_jit
def march(
    state: Any,
    medium: Any,
    zones: Any,
    sources: Any,
    key_scale: Any,
    pool: Any,
    invaded: Any,
    cancel: Any,
) -> int:
    """Grow all labels from the sources until every open pixel that can be reached is frozen.

    Pixels leave the queue in groups, which are frozen together before their neighbours are computed: then processors
    predict nearly all branches and wait for memory once for a group, which halves the time.

    Parameters
    ----------
    state : ndarray of shape (2 n,), int32
        For each pixel its arrival time (as float32; infinite where open or closed), then its owner, k > 0: frozen with
        label k; -k: trial of label k; 0: open; `OUTSIDE`: closed. Updated in place.
    medium : tuple
        What the fronts travel through, as :func:`slowness_at` takes it.
    zones : ndarray of shape (n,), int32, or None
        No front passes from one zone to another, except into zone 0, which it can't leave.
    sources : ndarray of shape (s,), int64
        Pixels from which fronts start: p with trial state, or ~p for a frozen pixel whose neighbours were reopened.
    key_scale : float32
        1 / smallest slowness, which makes the buckets follow a change of units.
    pool : ndarray of shape (at least 2 * (s + 2 * ndim * open pixels),), int32
        Memory of the queue: pixel and next entry, side by side.
    invaded : ndarray of shape (K + 1,), float32, or None
        Lowered, for each label, to the earliest time at which a front could take one of its frozen pixels. Needed where
        pixels are frozen when the march begins.
    cancel : ndarray of shape (1,), uint8
        Polled; not 0 stops the march.

    Returns
    -------
    int
        1 if cancelled, else 0.
    """
    features, references, field, centers, strides, inverse_h2, law, weights, channels = medium
    times = state.view(np.float32)
    heads = np.full(N_BUCKETS, -1, np.int32)
    group = np.empty(_GROUP + 1, np.int64)
    pairs = np.empty((2 * _GROUP + 1, 2), np.int64)
    key_float = np.empty(1, np.float32)
    key_bits = key_float.view(np.int32)
    key_float[0] = _FIRST_KEY
    key_base = key_bits[0]
    tolerance = np.float32(0.05) / key_scale
    used = 0
    free = -1
    for i in range(sources.size):
        source = sources[i]
        pixel = source if source >= 0 else ~source
        key_float[0] = times[_index(2 * pixel)] * key_scale + _FIRST_KEY
        bucket = min((key_bits[0] - key_base) >> _KEY_SHIFT, N_BUCKETS - 1)
        pool[_index(2 * used)] = source
        pool[_index(2 * used + 1)] = heads[_index(bucket)]
        heads[_index(bucket)] = used
        used += 1

    current = 0
    n_groups = 0
    while current < N_BUCKETS:
        entry = heads[_index(current)]
        if entry < 0:
            current += 1
            continue
        n_groups += 1
        if n_groups & _POLL_MASK == 0 and cancel[0] != 0:
            return 1
        n_group = 0
        while entry >= 0 and n_group < _GROUP:
            source = pool[_index(2 * entry)]
            after = pool[_index(2 * entry + 1)]
            pool[_index(2 * entry + 1)] = free
            free = entry
            entry = after
            pixel = int(source if source >= 0 else ~source)
            taken = state[_index(2 * pixel + 1)]
            state[_index(2 * pixel + 1)] = abs(taken)
            # Entries of pixels frozen since are overwritten by the next.
            group[_index(n_group)] = pixel
            n_group += int((taken < 0) | (source < 0))
        heads[_index(current)] = entry
        for axis in range(len(strides)):
            n_pairs = 0
            for i in range(n_group):
                pixel = group[_index(i)]
                for side in range(2):
                    q = pixel + strides[axis] if side else pixel - strides[axis]
                    is_open = state[_index(2 * q + 1)] <= 0
                    if invaded is not None:
                        is_open |= (state[_index(2 * q + 1)] != OUTSIDE) & (
                            times[_index(2 * q)] > times[_index(2 * pixel)]
                        )
                    if zones is not None:
                        is_open &= (zones[_index(q)] == zones[_index(pixel)]) | (zones[_index(q)] == 0)
                    pairs[_index(n_pairs), 0] = pixel
                    pairs[_index(n_pairs), 1] = q
                    n_pairs += int(is_open)
            for i in range(n_pairs):
                pixel = pairs[_index(i), 0]
                q = pairs[_index(i), 1]
                label = state[_index(2 * pixel + 1)]
                p = slowness_at(
                    q, label, features, references, field, centers, strides, inverse_h2, law, weights, channels
                )
                u = _arrival_along(
                    axis, times[_index(2 * pixel)], q, label, p, state, times, zones, strides, inverse_h2
                )
                if invaded is not None:
                    taken = state[_index(2 * q + 1)]
                    if taken > 0:
                        if u < times[_index(2 * q)] - tolerance:
                            invaded[taken] = min(invaded[taken], u)
                        continue
                if u < times[_index(2 * q)]:
                    times[_index(2 * q)] = u
                    state[_index(2 * q + 1)] = -label
                    key_float[0] = u * key_scale + _FIRST_KEY
                    bucket = max((key_bits[0] - key_base) >> _KEY_SHIFT, current)
                    bucket = min(bucket, N_BUCKETS - 1)
                    if free >= 0:
                        new = free
                        free = pool[_index(2 * new + 1)]
                    else:
                        new = used
                        used += 1
                    pool[_index(2 * new)] = q
                    pool[_index(2 * new + 1)] = heads[_index(bucket)]
                    heads[_index(bucket)] = new
    return 0


@_jit
def check_seam(
    state: Any,
    medium: Any,
    zones: Any,
    seam: Any,
    axis: int,
    key_scale: Any,
    invaded: Any,
    unsupported: Any,
) -> int:
    """Find where two blocks, each marched alone, contradict each other.

    `seam` holds the pixels on one side, shape (s,), int64; their partners lie one further along `axis`. Lowers
    `invaded` for each label of which a front across the seam could take a pixel earlier, or which arrived at a pixel
    earlier than its neighbours allow. Such pixels are written to `unsupported`, shape (2 s,), int64; returns their
    number. The other parameters are those of :func:`march`.
    """
    features, references, field, centers, strides, inverse_h2, law, weights, channels = medium
    times = state.view(np.float32)
    step = strides[axis]
    tolerance = np.float32(0.05) / key_scale
    n_unsupported = 0
    for i in range(seam.size):
        for side in range(2):
            pixel = seam[i] if side == 0 else seam[i] + step
            q = seam[i] + step if side == 0 else seam[i]
            taken = state[2 * q + 1]
            if taken <= 0 or taken == OUTSIDE or times[2 * q] == 0:
                continue
            p = slowness_at(q, taken, features, references, field, centers, strides, inverse_h2, law, weights, channels)
            u = _nearer(q, step, taken, state, times, zones)
            u = _arrival_along(axis, u, q, taken, p, state, times, zones, strides, inverse_h2)
            if u > times[2 * q] + tolerance:
                invaded[taken] = min(invaded[taken], times[2 * q])
                unsupported[n_unsupported] = q
                n_unsupported += 1
            label = state[2 * pixel + 1]
            if label <= 0 or label == OUTSIDE or times[2 * q] <= times[2 * pixel]:
                continue
            if zones is not None and zones[q] != zones[pixel] and zones[q] != 0:
                continue
            p = slowness_at(q, label, features, references, field, centers, strides, inverse_h2, law, weights, channels)
            u = _arrival_along(axis, times[2 * pixel], q, label, p, state, times, zones, strides, inverse_h2)
            if u < times[2 * q] - tolerance:
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
