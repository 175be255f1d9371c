"""Multi-label eikonal solver: |grad U_k| = P(x, k), U_k(seed_k) = 0, every pixel to the label that arrives first.

References to the labels are fixed during a march, so P is a given function and the solution does not depend on the
order in which pixels are visited.

Scheme
------
First-order upwind differences between frozen pixels of one label (Sethian 1996, doi:10.1073/pnas.93.4.1591), an
untidy bucket queue, and blocks. A large image is cut into blocks that fit the processor's cache, the two colours of a
chessboard. Those of one colour are marched alone, with a halo one superpixel wide that is dropped; the others when the
blocks around them are done, with fronts that enter from there. What a front from farther away than the halo would have
changed shows at the seams, as a pixel that a front could take earlier or that arrived earlier than its neighbours
allow. Its label is reopened from that time on and the march goes on there, until no contradiction is left. The blocks
depend on the image and the number of labels alone, and the repair is sequential, so the result does not depend on the
number of threads.
"""

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_superpixels.core import _block_kernels, _kernels
from napari_superpixels.core.parallel import n_processors, scratch, share
from napari_superpixels.core.slowness import SlownessField, strides, three_axes
from napari_superpixels.errors import CancelledError

_BLOCK_EDGE = 256
_BLOCK_LABELS = 6
_HALO_LABELS = 1.0
_PARALLEL_PIXELS = 100_000
_MAX_REPAIRS = 100


def new_cancel_flag() -> npt.NDArray[np.uint8]:
    """Return a flag that compiled code can poll; set its element 0 to 1 to cancel."""
    return np.zeros(1, np.uint8)


def is_loaded() -> bool:
    """Return whether the compiled code was used in this process; the first use takes seconds to load or compile it."""
    return bool(_kernels.march.signatures)


def check_cancelled(cancel: npt.NDArray[np.uint8]) -> None:
    """Raise :class:`CancelledError` if the flag is set."""
    if cancel[0]:
        raise CancelledError("The segmentation was cancelled.")


@dataclass
class Fronts:
    """State of a march over one slowness field."""

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
        """Return a view of the labels in the shape of the image: 1 to K, and 0 where no front came; ends the march."""
        if self.slowness.closed is not None:
            self.owner[self.slowness.closed] = 0
        return self._inner(self.owner)

    def arrival_image(self) -> npt.NDArray[np.float32]:
        """Return a view of the arrival times in the shape of the image; infinite where no front came."""
        return self._inner(self.arrival)

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
    progress: Callable[[float], None] | None = None,
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
    progress : callable, optional
        Called with the share done, 0 to 1, after each block.

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
    check_cancelled(cancel)
    blocks = _blocks(slowness.shape, seeds.size)
    fronts = Fronts(slowness, np.empty((int(np.prod(slowness.padded_shape)), 2), np.int32), seeds, references)
    if len(blocks) == 1:
        inner = fronts.state.reshape(*slowness.padded_shape, 2)
        _start(inner, slowness.closed, seeds, np.arange(1, seeds.size + 1, dtype=np.int32))
        _march(fronts, seeds, int(fronts.state.shape[0]), None, cancel)
        return fronts
    _close_frame(fronts.state.reshape(*slowness.padded_shape, 2))
    _march_blocks(fronts, blocks, n_threads or n_processors(), cancel, progress)
    invaded = _no_invasions(fronts)
    cut_off = []
    medium = _medium(fronts)
    for seam, axis in _seams(slowness.padded_shape, list(blocks.values())):
        unsupported = np.empty(2 * seam.size, np.int64)
        n = _kernels.check_seam(
            fronts.state.ravel(), medium, slowness.zones, seam, axis, _key_scale(slowness), invaded, unsupported
        )
        cut_off.append(unsupported[:n])
    _repair(fronts, invaded, np.concatenate(cut_off), _unreached(fronts, list(blocks.values())), cancel)
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


def _medium(
    fronts: Fronts, window: tuple[slice, ...] | None = None, cut: Callable[[str, Any], Any] = lambda _, flat: flat
) -> tuple[Any, ...]:
    """Return what the fronts travel through, as the kernels take it, for a window of the padded image or all of it."""
    slowness = fronts.slowness
    window = window or tuple(slice(0, n) for n in slowness.padded_shape)
    return (
        cut("features", slowness.features).ravel(),
        fronts.references.ravel(),
        cut("field", slowness.field) if slowness.law == _kernels.FIELD else slowness.field,
        _centers(fronts, tuple(part.start for part in window)),
        strides(tuple(part.stop - part.start for part in window)),
        slowness.inverse_h2,
        slowness.law,
        slowness.weights,
        (0,) * slowness.n_channels,
    )


def _march(
    fronts: Fronts,
    sources: npt.NDArray[np.int64],
    n_open: int,
    invaded: npt.NDArray[np.float32] | None,
    cancel: npt.NDArray[np.uint8],
) -> None:
    """March over the whole image from `sources`; lower `invaded` to the time at which each label was invaded."""
    pool = np.empty(2 * (sources.size + 2 * len(fronts.slowness.shape) * n_open), np.int32)
    state = fronts.state.ravel()
    if _kernels.march(
        state, _medium(fronts), fronts.slowness.zones, sources, _key_scale(fronts.slowness), pool, invaded, cancel
    ):
        check_cancelled(cancel)


def _start(
    state: npt.NDArray[np.int32],
    closed: npt.NDArray[np.bool_] | None,
    seeds: npt.NDArray[np.int64],
    labels: npt.NDArray[np.int32],
) -> None:
    """Set a padded state, (..., 2), to open pixels and seeds that wait."""
    flat = state.reshape(-1, 2)
    arrival, owner = flat.view(np.float32)[:, 0], flat[:, 1]
    arrival[:] = np.inf
    owner[:] = 0
    _close_frame(state)
    if closed is not None:
        owner[closed] = _kernels.OUTSIDE
    arrival[seeds] = 0
    owner[seeds] = -labels


def _close_frame(state: npt.NDArray[np.int32]) -> None:
    for axis in range(state.ndim - 1):
        face = np.moveaxis(state, axis, 0)
        face[[0, -1], ..., 0] = np.float32(np.inf).view(np.int32)
        face[[0, -1], ..., 1] = _kernels.OUTSIDE


def _march_blocks(
    fronts: Fronts,
    blocks: dict[tuple[int, ...], tuple[slice, ...]],
    n_threads: int,
    cancel: npt.NDArray[np.uint8],
    progress: Callable[[float], None] | None,
) -> None:
    """March all blocks: those of one colour with a halo, the others when the blocks around them are done."""
    halo = round(_HALO_LABELS * _label_edge(fronts.slowness.shape, fronts.seeds.size))
    by_row = np.argsort(fronts.seeds, kind="stable")
    seeds, labels = fronts.seeds[by_row], by_row + 1
    places = list(blocks)
    finished = {place: threading.Event() for place in places}

    def march(item: int) -> None:
        place = places[item]
        is_second = sum(place) % 2 == 1
        try:
            for neighbour in _beside(place) if is_second else ():
                if neighbour in finished:
                    finished[neighbour].wait()
            _march_block(fronts, blocks[place], 0 if is_second else halo, seeds, labels, cancel)
        finally:
            finished[place].set()

    share(march, len(places), n_threads, progress=progress)


def _beside(place: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    for axis in range(len(place)):
        for step in (-1, 1):
            yield (*place[:axis], place[axis] + step, *place[axis + 1 :])


def _march_block(
    fronts: Fronts,
    block: tuple[slice, ...],
    halo: int,
    seeds: npt.NDArray[np.int64],
    labels: npt.NDArray[np.int64],
    cancel: npt.NDArray[np.uint8],
) -> None:
    """March one block alone, in arrays of its own that fit the cache.

    With a halo of 0 pixels, fronts enter from the blocks around it, which must be done; otherwise seeds in the halo
    stand for them. Blocks that do not touch can run at the same time. `seeds` are in raster order.
    """
    slowness = fronts.slowness
    ndim = len(slowness.shape)
    reach = max(halo, 1)
    first = [max(part.start - reach, 0) for part in block]
    last = [min(part.stop + reach, n) for part, n in zip(block, slowness.shape, strict=True)]
    window = tuple(slice(a, b + 2) for a, b in zip(first, last, strict=True))
    lead = (0,) * (3 - ndim)
    origin = lead + tuple(first)
    whole_shape = three_axes(slowness.padded_shape)
    shape = three_axes(tuple(b - a + 2 for a, b in zip(first, last, strict=True)))
    low = lead + tuple(part.start + 1 - a for part, a in zip(block, first, strict=True))
    size = three_axes(tuple(part.stop - part.start for part in block))
    high = tuple(a + n for a, n in zip(low, size, strict=True))
    n_pixels = int(np.prod(shape))

    def cut(name: str, flat: npt.NDArray[Any]) -> npt.NDArray[Any]:
        local = scratch(name, (n_pixels, *flat.shape[1:]), flat.dtype.type)
        whole, part = flat.reshape(len(flat), -1), local.reshape(n_pixels, -1)
        _block_kernels.copy_box(whole, whole_shape, origin, part, shape, (0, 0, 0), shape)
        return local

    state = scratch("state", (n_pixels, 2), np.int32)
    arrival, owner = state.view(np.float32)[:, 0], state[:, 1]
    _block_kernels.open_block(
        arrival, owner, shape, None if slowness.closed is None else cut("closed", slowness.closed)
    )
    sources = scratch("sources", (n_pixels,), np.int64)
    row = slowness.strides[0]
    nearby = slice(*np.searchsorted(seeds, (window[0].start * row, window[0].stop * row)))
    reached = (low, high) if halo == 0 else (lead + (1,) * ndim, tuple(max(n - 1, 1) for n in shape))
    n_sources = _block_kernels.set_seeds(
        arrival, owner, shape, seeds[nearby], labels[nearby], whole_shape, origin, *reached, sources
    )
    if halo == 0:
        n_sources += _block_kernels.enter_block(
            state, shape, fronts.state, whole_shape, origin, low, high, sources[n_sources:]
        )
    cancelled = _kernels.march(
        state.ravel(),
        _medium(fronts, window, cut),
        None if slowness.zones is None else cut("zones", slowness.zones),
        sources[:n_sources],
        _key_scale(slowness),
        scratch("pool", (2 * (n_sources + 2 * ndim * n_pixels),), np.int32),
        None,
        cancel,
    )
    if cancelled:
        check_cancelled(cancel)
    _block_kernels.copy_box(state, shape, low, fronts.state, whole_shape, tuple(np.add(origin, low).tolist()), size)


def _repair(
    fronts: Fronts,
    invaded: npt.NDArray[np.float32],
    cut_off: npt.NDArray[np.int64],
    unreached: npt.NDArray[np.int32],
    cancel: npt.NDArray[np.uint8],
) -> None:
    """Reopen what was invaded and march on, until no front can take a pixel earlier than it was taken."""
    steps = fronts.slowness.strides
    memory = np.empty(fronts.state.shape[0], np.int32)
    for _ in range(_MAX_REPAIRS):
        starts = np.concatenate([fronts.seeds[np.flatnonzero(np.isfinite(invaded[1:]))], cut_off])
        n_open = _kernels.reopen(fronts.arrival, fronts.owner, starts, invaded, steps, memory)
        opened = np.concatenate([memory[:n_open], unreached])
        sources = np.empty(2 * len(steps) * opened.size, np.int64)
        n_sources = _kernels.find_sources(fronts.owner, opened, steps, sources)
        if n_sources == 0:
            return
        invaded = _no_invasions(fronts)
        _march(fronts, sources[:n_sources], opened.size, invaded, cancel)
        cut_off, unreached = cut_off[:0], unreached[:0]


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


def _blocks(shape: tuple[int, ...], n_labels: int) -> dict[tuple[int, ...], tuple[slice, ...]]:
    """Cut the image into near-equal blocks, each many labels wide.

    Returns them by their place among the blocks, one colour of a chessboard before the other.
    """
    cache_edge = _BLOCK_EDGE if len(shape) == 2 else round(_BLOCK_EDGE ** (2 / 3))
    edge_of_few = _BLOCK_LABELS * _label_edge(shape, n_labels)
    edge = max(cache_edge, edge_of_few)
    # Even numbers keep two processors equally busy.
    n_parts = [max(1, 2 * round(n / (2 * edge))) for n in shape]
    if all(parts == 1 for parts in n_parts) and np.prod(shape) >= _PARALLEL_PIXELS:
        n_parts = [2 if n >= 2 * edge_of_few else 1 for n in shape]
    bounds = [[n * i // parts for i in range(parts + 1)] for n, parts in zip(shape, n_parts, strict=True)]
    places = sorted(itertools.product(*map(range, n_parts)), key=lambda place: sum(place) % 2)
    return {
        place: tuple(slice(cuts[i], cuts[i + 1]) for cuts, i in zip(bounds, place, strict=True)) for place in places
    }


def _label_edge(shape: tuple[int, ...], n_labels: int) -> float:
    """Return the edge, in pixels, of a square or cube that holds a label's share of the image."""
    return float((np.prod(shape) / n_labels) ** (1 / len(shape)))


def _seams(padded: tuple[int, ...], blocks: list[tuple[slice, ...]]) -> Iterator[tuple[npt.NDArray[np.int64], int]]:
    """Yield, for every face between blocks, the padded pixels before it and the axis across it."""
    for axis in range(len(padded)):
        for stop in sorted({block[axis].stop for block in blocks})[:-1]:
            index = [np.arange(1, n - 1) for n in padded]
            index[axis] = np.array([stop])
            yield np.ravel_multi_index(np.ix_(*index), padded).ravel().astype(np.int64), axis
