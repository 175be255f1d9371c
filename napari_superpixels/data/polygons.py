"""Regions as polygons along pixel edges, and polygons as pixels: the two are exact inverses.

Coordinates are (x, y) with the image's upper left corner at (0, 0): pixel (row, column) covers x from column to
column + 1 and y from row to row + 1, as GeoJSON, QuPath and COCO have it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

#: A closed line: (n, 2) x and y, without the first point again at the end.
Ring = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """The border of a 4-connected region; its rings do not cross, and touch themselves nowhere."""

    outer: npt.NDArray[np.int64]
    """(n, 2) corners x and y, clockwise on the screen, not closed."""
    holes: tuple[npt.NDArray[np.int64], ...]
    """Rings of the holes, each (n, 2), counter-clockwise."""


def trace(regions: npt.NDArray[np.integer[Any]]) -> dict[int, Outline]:
    """Return the outline of every region, along pixel edges, corners only.

    Each ring alternates horizontal and vertical edges. So the corners of a region in one row pair up to its horizontal
    edges, those in one column to its vertical edges, and following both in turn walks the rings; the region lies to
    the right. Where two of its pixels touch at a corner alone, the ring passes between the two other pixels, which
    keeps rings simple as the OGC's simple features demand.

    Parameters
    ----------
    regions : ndarray of shape (M, N), integer
        Number of each pixel's region, each 4-connected; 0 for none.

    Returns
    -------
    dict of int to Outline
        Outline by number, in rising order.

    Raises
    ------
    ValueError
        If the array is not 2-D, or a region has parts that do not touch.
    """
    if regions.ndim != 2:
        raise ValueError(f"Outlines are traced in a plane; received an array of shape {regions.shape}.")
    points, owners, following = _linked_corners(np.pad(regions, 1))
    outers: dict[int, npt.NDArray[np.int64]] = {}
    holes: dict[int, list[npt.NDArray[np.int64]]] = {}
    for cycle in _cycles(following):
        ring, owner = points[cycle], int(owners[cycle[0]])
        if _twice_area(ring) < 0:
            holes.setdefault(owner, []).append(ring)
        elif owner in outers:
            raise ValueError(f"Region {owner} has several parts; every part needs a number of its own.")
        else:
            outers[owner] = ring
    return {owner: Outline(outers[owner], tuple(holes.get(owner, ()))) for owner in sorted(outers)}


def _linked_corners(
    padded: npt.NDArray[np.integer[Any]],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], list[int]]:
    """Return the corners (n, 2) of all regions, the region of each, and the index of the corner that follows it."""
    above, below = padded[:-1], padded[1:]
    quarters = {(0, 0): above[:, :-1], (0, 1): above[:, 1:], (1, 0): below[:, :-1], (1, 1): below[:, 1:]}
    rows, columns, owners, downs, rights, leaves_level = [], [], [], [], [], []
    for (down, right), own in quarters.items():
        beside, over, across = quarters[down, 1 - right], quarters[1 - down, right], quarters[1 - down, 1 - right]
        convex = (own != beside) & (own != over) & (own != across) & (own > 0)
        reflex = (own != beside) & (beside == over) & (beside > 0)
        for found, owner, is_convex in ((convex, own, True), (reflex, beside, False)):
            row, column = np.nonzero(found)
            rows.append(row)
            columns.append(column)
            owners.append(owner[row, column])
            downs.append(np.full(row.size, down))
            rights.append(np.full(row.size, right))
            leaves_level.append(np.full(row.size, (down == right) == is_convex))
    row, column, owner = np.concatenate(rows), np.concatenate(columns), np.concatenate(owners)
    along_row = _partners((np.concatenate(rights), column, row, owner))
    along_column = _partners((np.concatenate(downs), row, column, owner))
    following = np.where(np.concatenate(leaves_level), along_row, along_column)
    return np.stack([column, row], axis=1), owner.astype(np.int64), [int(i) for i in following]


def _partners(keys: tuple[npt.NDArray[Any], ...]) -> npt.NDArray[np.int64]:
    """Return for each corner the other end of its edge: in the order of the keys, the last first, ends alternate."""
    order = np.lexsort(keys)
    partners = np.empty_like(order)
    partners[order[::2]], partners[order[1::2]] = order[1::2], order[::2]
    return partners


def _cycles(following: list[int]) -> list[list[int]]:
    cycles, seen = [], bytearray(len(following))
    for start in range(len(following)):
        if seen[start]:
            continue
        cycle, at = [], start
        while not seen[at]:
            seen[at] = 1
            cycle.append(at)
            at = following[at]
        cycles.append(cycle)
    return cycles


def _twice_area(ring: npt.NDArray[np.int64]) -> int:
    x, y = ring.T
    return int(x @ np.roll(y, -1) - y @ np.roll(x, -1))


def fill(rings: Sequence[npt.ArrayLike], shape: tuple[int, int]) -> tuple[tuple[slice, slice], npt.NDArray[np.bool_]]:
    """Return the pixels whose centres lie inside rings, by the even-odd rule, so that inner rings are holes.

    Parameters
    ----------
    rings : sequence of array_like of shape (n, 2)
        x and y of each ring's points, finite; closed or not.
    shape : tuple of int
        Height and width of the image; what lies outside is cut off.

    Returns
    -------
    box : tuple of slice
        Rows and columns that hold all pixels.
    mask : ndarray of the box's shape, bool
        The pixels.
    """
    starts = [np.asarray(ring, np.float64).reshape(-1, 2) for ring in rings]
    edges = [np.concatenate([ring, np.roll(ring, -1, axis=0)], axis=1) for ring in starts if len(ring) > 2]
    if not edges:
        return (slice(0, 0), slice(0, 0)), np.zeros((0, 0), bool)
    # Products of larger numbers overflow.
    x1, y1, x2, y2 = np.clip(np.concatenate(edges), -1e9, 1e9).T
    # Row r is crossed where its centre r + 0.5 lies in [lower, upper).
    first = np.clip(np.ceil(np.minimum(y1, y2) - 0.5), 0, shape[0]).astype(np.int64)
    last = np.clip(np.ceil(np.maximum(y1, y2) - 0.5), 0, shape[0]).astype(np.int64)
    counts = last - first
    edge = np.repeat(np.arange(counts.size), counts)
    row = np.arange(edge.size) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    slope = (x2 - x1)[edge] / (y2 - y1)[edge]
    cut = x1[edge] + (row + 0.5 - y1[edge]) * slope
    column = np.clip(np.ceil(cut - 0.5), 0, shape[1]).astype(np.int64)
    if not row.size:
        return (slice(0, 0), slice(0, 0)), np.zeros((0, 0), bool)
    top, left = int(row.min()), int(column.min())
    height, width = int(row.max()) + 1 - top, int(column.max()) - left
    flips = np.zeros((height, width + 1), np.int32)
    np.add.at(flips, (row - top, column - left), 1)
    mask = np.cumsum(flips, axis=1)[:, :width] % 2 == 1
    return (slice(top, top + height), slice(left, left + width)), mask
