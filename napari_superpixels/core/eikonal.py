"""Multi-label eikonal solver: |grad U_k| = P(x, k), U_k(seed_k) = 0, every pixel to the label that arrives first.

References to the labels are fixed during a march, so P is a given function and the solution does not depend on the
order in which pixels are visited.

Scheme
------
First-order upwind differences between frozen pixels of one label (Sethian 1996, doi:10.1073/pnas.93.4.1591), an
untidy bucket queue, and blocks. A large image is cut into blocks that fit the processor's cache; each is marched alone,
the blocks in parallel. Then fronts are compared across the seams: where one would have taken a pixel earlier, the label
that lost it is reopened from that time on and the march goes on there, until no front can take anything. The blocks
depend on the image and the number of labels alone, and the repair is sequential, so the result does not depend on the
number of threads.
"""

import itertools
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_superpixels.core import _kernels
from napari_superpixels.core.slowness import SlownessField, strides
from napari_superpixels.errors import CancelledError

_BLOCK_EDGE = 512
_BLOCK_LABELS = 8
_PARALLEL_PIXELS = 100_000
_MAX_REPAIRS = 100


def new_cancel_flag() -> npt.NDArray[np.uint8]:
    """Return a flag that compiled code can poll; set its element 0 to 1 to cancel."""
    return np.zeros(1, np.uint8)


def check_cancelled(cancel: npt.NDArray[np.uint8]) -> None:
    """Raise :class:`CancelledError` if the flag is set."""
    if cancel[0]:
        raise CancelledError("The segmentation was cancelled.")


@dataclass
class Fronts:
    """State of a march over one slowness field; grows labels from seeds, and lets seeds be added afterwards."""

    slowness: SlownessField
    state: npt.NDArray[np.int32]
    """(padded pixels, 2): arrival (as float32) and owner of each pixel, side by side in memory."""
    seeds: npt.NDArray[np.int64]
    """(K,) seed pixel of each label, padded index."""
    references: npt.NDArray[np.float32]
    """(K + 1, C) reference of each label in units of the field's quantum; row 0 is unused."""

    @property
    def arrival(self) -> npt.NDArray[np.float32]:
        """Arrival time of each padded pixel, a view."""
        return self.state.view(np.float32)[:, 0]

    @property
    def owner(self) -> npt.NDArray[np.int32]:
        """Label of each padded pixel, a view; see :func:`_kernels.march`."""
        return self.state[:, 1]

    def labels_image(self) -> npt.NDArray[np.int32]:
        """Return the labels in the shape of the image: 1 to K, and 0 where no front came."""
        labels = self._inner(self.owner).copy()
        labels[(labels == _kernels.OUTSIDE) | (labels < 0)] = 0
        return labels

    def arrival_image(self) -> npt.NDArray[np.float32]:
        """Return the arrival times in the shape of the image; infinite where no front came."""
        return self._inner(self.arrival).copy()

    def _inner(self, flat: npt.NDArray[Any]) -> npt.NDArray[Any]:
        shape = self.slowness.padded_shape
        return flat.reshape(shape)[(slice(1, -1),) * len(shape)]


def solve(
    slowness: SlownessField,
    seeds: npt.NDArray[np.int64],
    references: npt.NDArray[np.float32],
    *,
    n_threads: int | None = None,
    cancel: npt.NDArray[np.uint8] | None = None,
) -> Fronts:
    """March all fronts from their seeds over the whole image.

    Parameters
    ----------
    slowness : SlownessField
        The slowness.
    seeds : ndarray of shape (K,), int64
        Padded index of each label's seed, all different and open.
    references : ndarray of shape (K + 1, C), float32
        Reference features in units of `slowness.quantum`; row 0 is unused.
    n_threads : int, optional
        Threads for the blocks; the number of processors by default. The result does not depend on it.
    cancel : ndarray of shape (1,), uint8, optional
        Polled; see :func:`new_cancel_flag`.

    Returns
    -------
    Fronts
        Labels and arrival times.

    Raises
    ------
    CancelledError
        If the flag was set.
    """
    cancel = new_cancel_flag() if cancel is None else cancel
    state = np.empty((int(np.prod(slowness.padded_shape)), 2), np.int32)
    fronts = Fronts(slowness, state, seeds, references)
    fronts.arrival[:] = np.inf
    fronts.owner[:] = _kernels.OUTSIDE
    fronts._inner(fronts.owner)[...] = 0
    if slowness.closed is not None:
        fronts.owner[slowness.closed] = _kernels.OUTSIDE
    fronts.arrival[seeds] = 0
    fronts.owner[seeds] = -np.arange(1, seeds.size + 1, dtype=np.int32)
    blocks = list(_blocks(slowness.shape, seeds.size))
    if len(blocks) == 1:
        _march(fronts, seeds, int(state.shape[0]), cancel, repair=False)
        return fronts
    with ThreadPoolExecutor(n_threads or os.cpu_count() or 1) as pool:
        list(pool.map(lambda block: _march_block(fronts, block, cancel), blocks))
    invaded = _no_invasions(fronts)
    for seam, step in _seams(slowness.padded_shape, blocks):
        _kernels.find_invasions(*_problem(fronts), seam, step, _key_scale(slowness), invaded)
    _repair(fronts, invaded, _unreached(fronts, blocks), np.empty(0, np.int64), cancel)
    return fronts


def add_seeds(
    fronts: Fronts,
    seeds: npt.NDArray[np.int64],
    references: npt.NDArray[np.float32],
    *,
    cancel: npt.NDArray[np.uint8] | None = None,
) -> Fronts:
    """Add labels and march again only where they can arrive earlier; changes `fronts` and returns it.

    Parameters
    ----------
    fronts : Fronts
        A complete march.
    seeds : ndarray of shape (k,), int64
        Padded index of each new seed; none of them is a seed already.
    references : ndarray of shape (k, C), float32
        Their references.
    cancel : ndarray of shape (1,), uint8, optional
        Polled.
    """
    cancel = new_cancel_flag() if cancel is None else cancel
    first = fronts.seeds.size + 1
    invaded = np.full(first + seeds.size, np.inf, np.float32)
    invaded[fronts.owner[seeds]] = np.finfo(np.float32).tiny
    fronts.seeds = np.concatenate([fronts.seeds, seeds])
    fronts.references = np.concatenate([fronts.references, references]).astype(np.float32, copy=False)
    _repair(fronts, invaded, np.empty(0, np.int32), seeds, cancel)
    return fronts


def _no_invasions(fronts: Fronts) -> npt.NDArray[np.float32]:
    return np.full(fronts.seeds.size + 1, np.inf, np.float32)


def _key_scale(slowness: SlownessField) -> Any:
    return np.float32(1.0 / slowness.floor)


def _centers(fronts: Fronts, origin: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Return the seeds' positions relative to `origin`, for the law that needs them."""
    ndim = len(fronts.slowness.shape)
    if fronts.slowness.law != _kernels.ERGC:
        return np.empty((1, ndim), np.float32)
    centers = np.zeros((fronts.seeds.size + 1, ndim), np.float32)
    centers[1:] = np.stack(np.unravel_index(fronts.seeds, fronts.slowness.padded_shape), axis=1)
    centers -= np.asarray(origin, np.float32)
    return centers


def _problem(fronts: Fronts) -> tuple[Any, ...]:
    """Return the kernels' leading arguments for the whole image."""
    slowness = fronts.slowness
    return (
        fronts.arrival,
        fronts.owner,
        slowness.features,
        fronts.references,
        slowness.field,
        _centers(fronts, (0,) * len(slowness.shape)),
        slowness.zones,
        slowness.strides,
        slowness.inverse_h2,
        slowness.law,
        slowness.weights,
        (0,) * slowness.n_channels,
    )


def _march(
    fronts: Fronts, sources: npt.NDArray[np.int64], n_open: int, cancel: npt.NDArray[np.uint8], *, repair: bool
) -> npt.NDArray[np.float32]:
    """March over the whole image from `sources`; return the time at which each label was invaded."""
    invaded = _no_invasions(fronts)
    pool = np.empty((sources.size + 2 * len(fronts.slowness.shape) * n_open, 2), np.int32)
    key_scale = _key_scale(fronts.slowness)
    if _kernels.march(*_problem(fronts), sources, repair, key_scale, pool, invaded, cancel):
        check_cancelled(cancel)
    return invaded


def _march_block(fronts: Fronts, block: tuple[slice, ...], cancel: npt.NDArray[np.uint8]) -> None:
    """March one block alone, in arrays of its own that fit the cache."""
    slowness = fronts.slowness
    padded = slowness.padded_shape
    ndim = len(padded)
    window = tuple(slice(part.start, part.stop + 2) for part in block)
    inside = tuple(slice(part.start + 1, part.stop + 1) for part in block)
    core = (slice(1, -1),) * ndim

    def cut(flat: npt.NDArray[Any]) -> npt.NDArray[Any]:
        local = np.ascontiguousarray(flat.reshape(*padded, *flat.shape[1:])[window])
        return local.reshape(-1, *flat.shape[1:])

    shape = tuple(part.stop - part.start + 2 for part in block)
    state = np.empty((int(np.prod(shape)), 2), np.int32)
    arrival, owner = state.view(np.float32)[:, 0], state[:, 1]
    arrival[:] = np.inf
    owner[:] = _kernels.OUTSIDE
    state.reshape(*shape, 2)[core] = fronts.state.reshape(*padded, 2)[inside]
    sources = np.flatnonzero(owner < 0)
    invaded = np.empty(0, np.float32)
    cancelled = _kernels.march(
        arrival,
        owner,
        cut(slowness.features),
        fronts.references,
        cut(slowness.field) if slowness.law == _kernels.FIELD else slowness.field,
        _centers(fronts, tuple(part.start for part in window)),
        None if slowness.zones is None else cut(slowness.zones),
        strides(shape),
        slowness.inverse_h2,
        slowness.law,
        slowness.weights,
        (0,) * slowness.n_channels,
        sources,
        False,
        _key_scale(slowness),
        np.empty((sources.size + 2 * ndim * state.shape[0], 2), np.int32),
        invaded,
        cancel,
    )
    if cancelled:
        check_cancelled(cancel)
    fronts.state.reshape(*padded, 2)[inside] = state.reshape(*shape, 2)[core]


def _repair(
    fronts: Fronts,
    invaded: npt.NDArray[np.float32],
    unreached: npt.NDArray[np.int32],
    new_seeds: npt.NDArray[np.int64],
    cancel: npt.NDArray[np.uint8],
) -> None:
    """Reopen what was invaded and march on, until no front can take a pixel earlier than it was taken."""
    steps = fronts.slowness.strides
    memory = np.empty(fronts.state.shape[0], np.int32)
    for _ in range(_MAX_REPAIRS):
        n_open = _kernels.reopen(fronts.arrival, fronts.owner, fronts.seeds, invaded, steps, memory)
        opened = np.concatenate([memory[:n_open], unreached])
        if new_seeds.size:
            fronts.arrival[new_seeds] = 0
            fronts.owner[new_seeds] = -np.arange(
                fronts.seeds.size - new_seeds.size + 1, fronts.seeds.size + 1, dtype=np.int32
            )
        sources = np.empty(2 * len(steps) * opened.size, np.int64)
        n_sources = _kernels.find_sources(fronts.owner, opened, steps, sources)
        sources = np.concatenate([new_seeds, sources[:n_sources]])
        if sources.size == 0:
            return
        invaded = _march(fronts, sources, opened.size, cancel, repair=True)
        unreached, new_seeds = unreached[:0], new_seeds[:0]


def _unreached(fronts: Fronts, blocks: list[tuple[slice, ...]]) -> npt.NDArray[np.int32]:
    """Return the open pixels of blocks that no front of their own could fill."""
    padded = fronts.slowness.padded_shape
    owner = fronts.owner.reshape(padded)
    is_open = fronts.slowness.zones is None and fronts.slowness.closed is None
    found = []
    for block in blocks:
        inside = tuple(slice(part.start + 1, part.stop + 1) for part in block)
        # Without mask and barriers a single front fills its block.
        if is_open and owner[tuple(part.start for part in inside)] > 0:
            continue
        where = np.nonzero(owner[inside] == 0)
        if where[0].size:
            index = tuple(w + part.start for w, part in zip(where, inside, strict=True))
            found.append(np.ravel_multi_index(index, padded).astype(np.int32))
    return np.concatenate(found) if found else np.empty(0, np.int32)


def _blocks(shape: tuple[int, ...], n_labels: int) -> Iterator[tuple[slice, ...]]:
    """Cut the image into near-equal blocks, each many labels wide."""
    label_edge = (float(np.prod(shape)) / n_labels) ** (1 / len(shape))
    cache_edge = _BLOCK_EDGE if len(shape) == 2 else round(_BLOCK_EDGE ** (2 / 3))
    edge_of_few = _BLOCK_LABELS * label_edge
    edge = max(cache_edge, edge_of_few)
    n_parts = [max(1, round(n / edge)) for n in shape]
    if all(parts == 1 for parts in n_parts) and np.prod(shape) >= _PARALLEL_PIXELS and max(shape) >= 2 * edge_of_few:
        n_parts[int(np.argmax(shape))] = 2
    cuts = []
    for n, parts in zip(shape, n_parts, strict=True):
        bounds = [n * i // parts for i in range(parts + 1)]
        cuts.append([slice(a, b) for a, b in itertools.pairwise(bounds)])
    return itertools.product(*cuts)


def _seams(padded: tuple[int, ...], blocks: list[tuple[slice, ...]]) -> Iterator[tuple[npt.NDArray[np.int64], int]]:
    """Yield, for every face between blocks, the padded pixels before it and the step across it."""
    steps = strides(padded)
    for axis, step in enumerate(steps):
        for stop in sorted({block[axis].stop for block in blocks})[:-1]:
            index = [np.arange(1, n - 1) for n in padded]
            index[axis] = np.array([stop])
            yield np.ravel_multi_index(np.ix_(*index), padded).ravel().astype(np.int64), step
