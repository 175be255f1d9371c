"""Local repairs: superpixels opened again and grown from other sources, the rest of the image left as it is.

A source is a pixel that holds a label from the start: its arrival is 0, so that no front can take it. Everything that
a correction demands is said by sources, and therefore holds in what grows from them. Fronts do not leave the superpixel
in which they start: a repair changes nothing beyond the superpixels that it opens.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.graph import MCP
from skimage.measure import label as connected_components

from napari_superpixels.core import _kernels
from napari_superpixels.core.slowness import SlownessField, label_slowness

Box = tuple[slice, slice]
Labels = npt.NDArray[np.int32]
Pixels = npt.NDArray[np.int64]

_FIRST_REACH = 24
_NEVER = np.zeros(1, np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class LabelPatch:
    """New labels of a box of the image."""

    box: Box
    """Where."""
    labels: Labels
    """Labels of all pixels of the box, changed or not."""


def region(labels: Labels, pixel: npt.ArrayLike) -> tuple[Box, npt.NDArray[np.bool_]]:
    """Return the bounding box of the superpixel at a pixel, and its mask there.

    Parameters
    ----------
    labels : ndarray of shape (M, N), int32
        Labels, each 4-connected; read only near the superpixel.
    pixel : array_like of shape (2,), int
        Row and column, inside the image.
    """
    n_rows, n_columns = labels.shape
    row, column = np.asarray(pixel).tolist()
    label = labels[row, column]
    reach = _FIRST_REACH
    while True:
        top, bottom = max(row - reach, 0), min(row + reach + 1, n_rows)
        left, right = max(column - reach, 0), min(column + reach + 1, n_columns)
        mask = labels[top:bottom, left:right] == label
        rows, columns = mask.any(axis=1), mask.any(axis=0)
        goes_on = (rows[0] and top > 0) or (rows[-1] and bottom < n_rows)
        if not goes_on and not (columns[0] and left > 0) and not (columns[-1] and right < n_columns):
            in_rows, in_columns = np.flatnonzero(rows), np.flatnonzero(columns)
            inner = (slice(in_rows[0], in_rows[-1] + 1), slice(in_columns[0], in_columns[-1] + 1))
            return _moved(inner, (top, left)), mask[inner]
        reach *= 2


def regrow(
    slowness: SlownessField | None,
    labels: Labels,
    sources: Pixels,
    source_labels: Labels,
    *,
    first_new: int,
    together: Sequence[Pixels] = (),
    n_passes: int = 2,
) -> LabelPatch:
    """Open the superpixels in which sources lie, and grow each again from the sources in it.

    Parameters
    ----------
    slowness : SlownessField or None
        Slowness of the whole image, two-dimensional; the same everywhere if None.
    labels : ndarray of shape (M, N), int32
        Labels, each 4-connected; 0 outside a mask.
    sources : ndarray of shape (s, 2), int64
        Row and column of pixels inside the mask. The first of several at one pixel counts.
    source_labels : ndarray of shape (s,), int32
        The label that each source holds: an opened superpixel's, one beside it, or a new one.
    first_new : int
        Larger than any number in use; new labels are numbered from here. Parts that would leave a label disconnected
        get the next new ones, and the largest of the parts that have an opened superpixel's number or a new one gets
        the superpixel's.
    together : sequence of ndarray of shape (n, 2), int64
        Sets of pixels, each 4-connected and now inside one superpixel, that stay inside one where sources let them.
    n_passes : int
        Marches; the references are means at the sources in the first, means of the last march's parts afterwards.

    Returns
    -------
    LabelPatch
        Labels around the opened superpixels; each is 4-connected in the image that results.
    """
    first = np.sort(np.unique(np.ravel_multi_index(tuple(sources.T), labels.shape), return_index=True)[1])
    sources, source_labels = sources[first], source_labels[first]
    here = labels[tuple(sources.T)]
    box: Box | None = None
    grown = []
    for opened in np.unique(here):
        mine = here == opened
        part, mask = region(labels, sources[mine][0])
        corner = (part[0].start, part[1].start)
        sets = [pixels - corner for pixels in together if labels[tuple(pixels[0])] == opened]
        inside = _grow(slowness, part, mask, sources[mine] - corner, source_labels[mine], sets, n_passes)
        own = [number for number in np.unique(source_labels[mine]) if number == opened or number >= first_new]
        _number_largest(inside, mask, int(opened), [n for n in own if np.all(mine[source_labels == n])])
        grown.append((part, mask, inside))
        box = part if box is None else _union(box, part)
    if box is None:
        raise ValueError("regrow needs at least one source")
    # One pixel more, to see which parts touch the rest of their label.
    wide = tuple(slice(max(s.start - 1, 0), min(s.stop + 1, n)) for s, n in zip(box, labels.shape, strict=True))
    corner = (wide[0].start, wide[1].start)
    after = np.array(labels[wide], np.int32)
    is_open = np.zeros(after.shape, bool)
    for part, mask, inside in grown:
        target = _moved(part, (-corner[0], -corner[1]))
        after[target][mask] = inside[mask]
        is_open[target] |= mask
    beside = np.setdiff1d(source_labels[source_labels < first_new], here)
    _separate(after, is_open, beside, max(first_new, int(source_labels.max()) + 1))
    return LabelPatch(box, after[_moved(box, (-corner[0], -corner[1]))])


def own_seeds(labels: Labels, pixel: npt.ArrayLike, taken: Pixels) -> Pixels:
    """Return where a superpixel would grow from if some of its pixels were taken: its deepest pixels.

    Parameters
    ----------
    labels : ndarray of shape (M, N), int32
        Labels, each 4-connected.
    pixel : array_like of shape (2,), int
        A pixel of the superpixel.
    taken : ndarray of shape (n, 2), int64
        Pixels that it loses; others than its own do not matter.

    Returns
    -------
    ndarray of shape (k, 2), int64
        One pixel for each part into which the superpixel falls that is at least half as deep as the deepest; k is 0
        only if all pixels are taken.
    """
    box, mask = region(labels, pixel)
    corner = np.array([box[0].start, box[1].start])
    rest = np.pad(mask, 1)
    local = taken - corner + 1
    local = local[np.all((local >= 0) & (local < rest.shape), axis=1)]
    rest[tuple(local.T)] = False
    depth = ndimage.distance_transform_cdt(rest, metric="taxicab")
    parts, n_parts = connected_components(rest, connectivity=1, background=0, return_num=True)
    deepest = ndimage.maximum_position(depth, parts, np.arange(1, n_parts + 1)) if n_parts else []
    seeds = np.array(deepest, np.int64).reshape(-1, 2)
    depths = depth[tuple(seeds.T)]
    return seeds[2 * depths >= depths.max(initial=0)] - 1 + corner


def shortest_way(inside: npt.NDArray[np.bool_], start: Sequence[Any], ends: npt.NDArray[np.bool_]) -> Pixels:
    """Return the shortest 4-connected path from a pixel to the nearest of some, through pixels that are inside.

    Parameters
    ----------
    inside, ends : ndarray of shape (M, N), bool
        Where the path may run, and where it may end; the start is inside, and connected with an end.
    start : sequence of int
        Row and column.
    """
    way = MCP(np.where(inside, 1.0, -1.0), fully_connected=False)
    costs, _ = way.find_costs([tuple(start)])
    costs[~ends] = np.inf
    return np.array(way.traceback(np.unravel_index(int(np.argmin(costs)), costs.shape)), np.int64)


def _moved(box: Box, offset: tuple[int, int]) -> Box:
    rows, columns = (slice(int(s.start) + d, int(s.stop) + d) for s, d in zip(box, offset, strict=True))
    return rows, columns


def _union(one: Box, other: Box) -> Box:
    rows, columns = (slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(one, other, strict=True))
    return rows, columns


def _number_largest(labels: Labels, mask: npt.NDArray[np.bool_], number: int, own: Sequence[int]) -> None:
    """Exchange a number with that of the largest part of some that lie in one superpixel alone; changes `labels`."""
    if number not in own:
        return
    counts = [np.count_nonzero(labels[mask] == n) for n in own]
    largest = own[int(np.argmax(counts))]
    if max(counts) > counts[own.index(number)]:
        was_largest, was_number = labels == largest, labels == number
        labels[was_largest], labels[was_number] = number, largest


def _separate(labels: Labels, is_open: npt.NDArray[np.bool_], beside: Labels, first_new: int) -> None:
    """Give new numbers to what grew apart from the rest of its label; changes `labels`.

    Pixels outside the opened superpixels hang together, if not in this window then beyond it; the labels `beside` have
    such pixels, be they here or not.
    """
    has_grown = np.zeros(int(labels.max()) + 1, bool)
    has_grown[labels[is_open]] = True
    parts, n_parts = connected_components(
        np.where(has_grown[labels], labels, 0), connectivity=1, background=0, return_num=True
    )
    if n_parts == np.count_nonzero(has_grown) and not beside.size:
        return
    number = np.zeros(n_parts + 1, np.int32)
    number[parts] = labels
    number[0] = 0
    sizes = np.bincount(parts.ravel(), minlength=n_parts + 1)
    is_closed = np.zeros(n_parts + 1, bool)
    is_closed[parts[~is_open]] = True
    # Of the parts of each label those stay that are closed, or else the largest.
    order = np.lexsort((np.arange(n_parts + 1), -sizes, ~is_closed, number))
    goes = np.zeros(n_parts + 1, bool)
    goes[order[1:]] = number[order[1:]] == number[order[:-1]]
    goes = (goes | np.isin(number, beside)) & ~is_closed & (number > 0)
    number[goes] = first_new + np.arange(np.count_nonzero(goes))
    labels[is_open] = number[parts[is_open]]


def _grow(
    slowness: SlownessField | None,
    box: Box,
    mask: npt.NDArray[np.bool_],
    sources: Pixels,
    source_labels: Labels,
    together: Sequence[Pixels],
    n_passes: int,
) -> Labels:
    """Return the labels that grow in one superpixel; sources and `together` are positions in its box."""
    numbers, parts = np.unique(source_labels, return_inverse=True)
    if numbers.size == 1:
        return np.full(mask.shape, numbers[0], np.int32)
    shape = tuple(n + 2 for n in mask.shape)
    march = _March(_window(slowness, box, mask.shape), np.pad(mask, 1).ravel(), numbers.size)
    held = np.zeros(march.inside.size, np.int32)
    held[np.ravel_multi_index(tuple((sources + 1).T), shape)] = parts + 1
    sets = [np.ravel_multi_index(tuple((pixels + 1).T), shape) for pixels in together]
    references = march.means_near(held)
    sets = _hold_touched(held, sets)
    arrival, owner = march.run(held, references)
    for n_pass in range(n_passes):
        if n_pass:
            references = march.interior_means(owner)
            arrival, owner = march.run(held, references)
        while march.hold_first(held, arrival, owner, sets):
            sets = _hold_touched(held, sets)
            arrival, owner = march.run(held, references)
    return np.concatenate([[0], numbers]).astype(np.int32)[owner].reshape(shape)[1:-1, 1:-1]


def _hold_touched(held: Labels, sets: list[Pixels]) -> list[Pixels]:
    """Let each set that one part's sources touch be held by that part; return the sets that none touches.

    A set that sources of two parts touch is theirs to divide.
    """
    n_before = -1
    while n_before != len(sets):
        n_before = len(sets)
        free = []
        for pixels in sets:
            touching = np.unique(held[pixels])
            touching = touching[touching > 0]
            if touching.size == 0:
                free.append(pixels)
            elif touching.size == 1:
                held[pixels] = touching[0]
        sets = free
    return sets


def _window(slowness: SlownessField | None, box: Box, shape: tuple[int, ...]) -> SlownessField:
    """Return the slowness of a box, free of masks and zones."""
    if slowness is None:
        # As many features as a colour image has: then the compiled kernel is that of its segmentation.
        return label_slowness(np.zeros((*shape, 3), np.float32), color_weight=0.0)
    framed = tuple(slice(s.start, s.stop + 2) for s in box)

    def cut(flat: npt.NDArray[Any]) -> npt.NDArray[Any]:
        local = flat.reshape(*slowness.padded_shape, *flat.shape[1:])[framed]
        return np.ascontiguousarray(local).reshape(-1, *flat.shape[1:])

    field = cut(slowness.field) if slowness.law == _kernels.FIELD else slowness.field
    return replace(slowness, shape=shape, features=cut(slowness.features), field=field, zones=None, closed=None)


class _March:
    """Marches in one superpixel; all arrays are padded and flat, parts count from 1."""

    def __init__(self, slowness: SlownessField, inside: npt.NDArray[np.bool_], n_parts: int) -> None:
        self._slowness = slowness
        self.inside = inside
        self._pixels = np.flatnonzero(inside)
        self._n_parts = n_parts

    def run(self, held: Labels, references: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], Labels]:
        """Return arrival and part of each pixel; `held` is the part of each source, 0 elsewhere."""
        slowness = self._slowness
        sources = np.flatnonzero(held)
        state = np.empty((held.size, 2), np.int32)
        arrival, owner = state.view(np.float32)[:, 0], state[:, 1]
        arrival[:] = np.inf
        owner[:] = np.where(self.inside, 0, _kernels.OUTSIDE)
        arrival[sources] = 0
        owner[sources] = -held[sources]
        key_scale: Any = np.float32(1.0 / slowness.floor)
        pool = np.empty(2 * (sources.size + 4 * self._pixels.size), np.int32)
        _kernels.march(state.ravel(), self._medium(held, references), None, sources, key_scale, pool, None, _NEVER)
        return arrival, np.where(self.inside, owner, 0)

    def _medium(self, held: Labels, references: npt.NDArray[np.float32]) -> tuple[Any, ...]:
        slowness = self._slowness
        centers = np.zeros((self._n_parts + 1 if slowness.law == _kernels.ERGC else 1, 2), np.float32)
        if slowness.law == _kernels.ERGC:
            sources = np.flatnonzero(held)
            positions = np.stack(np.unravel_index(sources, slowness.padded_shape), axis=1)
            centers[:] = self._means(positions, held[sources])
        return (
            slowness.features.ravel(),
            references.ravel(),
            slowness.field,
            centers,
            slowness.strides,
            slowness.inverse_h2,
            slowness.law,
            slowness.weights,
            (0,) * slowness.n_channels,
        )

    def means_near(self, held: Labels) -> npt.NDArray[np.float32]:
        """Return the mean features of each part's sources and the free pixels around them, (parts + 1, C)."""
        sources = np.flatnonzero(held)
        down, _ = self._slowness.strides
        offsets = (np.array([[-down], [0], [down]]) + np.array([-1, 0, 1])).ravel()
        near = (sources[:, None] + offsets).ravel()
        part = np.repeat(held[sources], offsets.size)
        chosen = self.inside[near] & ((held[near] == 0) | (held[near] == part))
        return self._means(self._slowness.features[near[chosen], :-1], part[chosen])

    def interior_means(self, owner: Labels) -> npt.NDArray[np.float32]:
        """Return the mean features of each part's pixels away from its border, or of all if it has no others."""
        part = owner[self._pixels]
        interior = np.ones(part.size, bool)
        for step in self._slowness.strides:
            interior &= (owner[self._pixels - step] == part) & (owner[self._pixels + step] == part)
        has_interior = np.bincount(part[interior], minlength=self._n_parts + 1) > 0
        chosen = interior | ~has_interior[part]
        return self._means(self._slowness.features[self._pixels[chosen], :-1], part[chosen])

    def _means(self, values: npt.NDArray[Any], part: Labels) -> npt.NDArray[np.float32]:
        n_rows = self._n_parts + 1
        counts = np.maximum(np.bincount(part, minlength=n_rows), 1)
        means = np.empty((n_rows, values.shape[1]), np.float32)
        for c in range(values.shape[1]):
            means[:, c] = np.bincount(part, weights=values[:, c], minlength=n_rows) / counts
        return means

    def hold_first(self, held: Labels, arrival: npt.NDArray[np.float32], owner: Labels, sets: Sequence[Pixels]) -> bool:
        """Give one set that the march divided to the part that reached it first; return whether there was one.

        A way from there to the part's sources is held too, so that the part stays connected.
        """
        for pixels in sets:
            if np.all(owner[pixels] == owner[pixels[0]]):
                continue
            pixel = int(pixels[np.argmin(arrival[pixels])])
            part = owner[pixel]
            sources = held.copy()
            held[pixels] = part
            shape = self._slowness.padded_shape
            reached, ends = (owner == part).reshape(shape), (sources == part).reshape(shape)
            way = shortest_way(reached, np.unravel_index(pixel, shape), ends)
            held[np.ravel_multi_index(tuple(way.T), shape)] = part
            return True
        return False
