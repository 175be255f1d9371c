"""Graph of the regions of a label image: which of them touch, along how long a border, and how strong it is.

All sums are of whole numbers, so a graph that was updated after an edit is the one that would be made anew.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_superpixels.core import _graph_kernels as kernels
from napari_superpixels.core.parallel import in_bands

#: Colour difference at which colour counts half of what it counts at most, in units of CIELAB.
HALF_STEP = 20.0
#: What colour can add to the strength of a border, where the boundary probability adds at most 1.
COLOR_SHARE = 0.5
_BOUNDARY_SCALE = np.float32(32767)
_COLOR_SCALE = np.float32(128)
_NO_BOUNDARY = np.empty((0, 0), np.float32)


@dataclass(frozen=True, eq=False)
class RegionGraph:
    """Regions and the borders between them; label 0 is no region."""

    sizes: npt.NDArray[np.int64]
    """(n + 1,) number of pixels of each label up to the largest; 0 where a label does not occur."""
    color_sums: npt.NDArray[np.int64]
    """(n + 1, C) sums of the features, in units of 1/128."""
    edges: npt.NDArray[np.int32]
    """(E, 2) labels of touching regions, the smaller first, sorted."""
    lengths: npt.NDArray[np.int64]
    """(E,) number of pairs of neighbouring pixels along the border."""
    evidence: npt.NDArray[np.int64]
    """(E,) sums over these pairs of the larger boundary probability, in units of 1/32767."""
    has_boundary: bool
    """Whether there is a boundary probability."""

    @property
    def n_labels(self) -> int:
        """Largest label that the arrays have room for."""
        return len(self.sizes) - 1

    @cached_property
    def colors(self) -> npt.NDArray[np.float32]:
        """(n + 1, C) mean features; 0 where a label does not occur."""
        means: npt.NDArray[np.float64] = self.color_sums / (np.maximum(self.sizes, 1)[:, None] * float(_COLOR_SCALE))
        return means.astype(np.float32)

    @cached_property
    def strengths(self) -> npt.NDArray[np.float32]:
        """(E,) strength of each border, in [0, 1].

        With b the mean boundary probability along the border and d the distance of the mean colours on both sides:
        (b + d / (d + 20) / 2) / 1.5; without boundary probabilities d / (d + 20).
        """
        colors = self.colors
        distance = np.sqrt(((colors[self.edges[:, 0]] - colors[self.edges[:, 1]]) ** 2).sum(axis=1))
        color = distance / (distance + np.float32(HALF_STEP))
        if not self.has_boundary:
            return color.astype(np.float32)
        boundary = self.evidence / (self.lengths * float(_BOUNDARY_SCALE))
        strengths: npt.NDArray[np.float64] = (boundary + COLOR_SHARE * color) / (1 + COLOR_SHARE)
        return strengths.astype(np.float32)

    @cached_property
    def _neighbors(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        both = np.concatenate([self.edges, self.edges[:, ::-1]])
        both = both[np.lexsort((both[:, 1], both[:, 0]))]
        return np.searchsorted(both[:, 0], np.arange(self.n_labels + 2)), both[:, 1]

    def neighbors(self, label: int) -> npt.NDArray[np.int32]:
        """Return the labels that touch a label, sorted; none for a label that does not occur."""
        if not 0 < label <= self.n_labels:
            return np.empty(0, np.int32)
        starts, others = self._neighbors
        return others[starts[label] : starts[label + 1]]

    def updated(
        self,
        before: npt.NDArray[np.int32],
        after: npt.NDArray[np.int32],
        features: npt.NDArray[np.float32],
        boundary: npt.NDArray[np.float32] | None = None,
    ) -> "RegionGraph":
        """Return the graph after labels changed within a window.

        Parameters
        ----------
        before, after : ndarray of shape (m, n), int32
            Labels in the window, before and after. The window must hold every changed pixel and, where the image goes
            on, one pixel more on each side.
        features : ndarray of shape (m, n, C), float32
            Features in the window.
        boundary : ndarray of shape (m, n), float32, optional
            Boundary probability in the window; needed where the graph was made with one.

        Raises
        ------
        ValueError
            If the shapes do not fit, or the boundary is missing or superfluous.
        """
        _check(after, features, boundary)
        if before.shape != after.shape or features.shape[2] != self.color_sums.shape[1]:
            raise ValueError(
                f"labels before have shape {before.shape}, after {after.shape}, features {features.shape}; expected "
                f"the same window, and {self.color_sums.shape[1]} features as the graph has"
            )
        if (boundary is not None) != self.has_boundary:
            raise ValueError("the graph and the window must both have a boundary probability, or neither")
        n = max(self.n_labels, int(after.max(initial=0)))
        sizes, sums = (np.concatenate([a, np.zeros((n - self.n_labels, *a.shape[1:]), a.dtype)]) for a in self._regions)
        for labels, sign in ((before, -1), (after, 1)):
            kernels.sum_colors(labels, features, _COLOR_SCALE, 0, len(labels), sign, sizes, sums)
        sizes[0], sums[0] = 0, 0
        lost, gained = _borders(before, boundary, n), _borders(after, boundary, n)
        edges, lengths, evidence = _merged((self.edges, self.lengths, self.evidence), lost, gained)
        return RegionGraph(sizes, sums, edges, lengths, evidence, self.has_boundary)

    @property
    def _regions(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        return self.sizes, self.color_sums


_Borders = tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.int64]]


def region_graph(
    labels: npt.NDArray[np.int32],
    features: npt.NDArray[np.float32],
    boundary: npt.NDArray[np.float32] | None = None,
) -> RegionGraph:
    """Make the graph of a label image's regions.

    Parameters
    ----------
    labels : ndarray of shape (M, N), int32
        Regions, not negative; pixels of label 0 belong to none. A region need not be connected.
    features : ndarray of shape (M, N, C), float32
        Colours, as :func:`napari_superpixels.core.features.pixel_features` gives them; within +-1000.
    boundary : ndarray of shape (M, N), float32, optional
        Boundary probability in [0, 1].

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    _check(labels, features, boundary)
    n_rows, n_cols = labels.shape
    n = int(labels.max(initial=0))
    parts: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []

    def add_band(first: int, last: int) -> None:
        sizes, sums = np.zeros(n + 1, np.int64), np.zeros((n + 1, features.shape[2]), np.int64)
        kernels.sum_colors(labels, features, _COLOR_SCALE, first, last, 1, sizes, sums)
        parts.append((sizes, sums))

    in_bands(add_band, n_rows, n_cols)
    sizes, sums = sum(part[0] for part in parts), sum(part[1] for part in parts)
    assert isinstance(sizes, np.ndarray)
    assert isinstance(sums, np.ndarray)
    sizes[0], sums[0] = 0, 0
    return RegionGraph(sizes, sums, *_borders(labels, boundary, n), boundary is not None)


def _borders(labels: npt.NDArray[np.int32], boundary: npt.NDArray[np.float32] | None, n_labels: int) -> _Borders:
    """Return edges, their lengths and their evidence."""
    evidence = _NO_BOUNDARY if boundary is None else boundary
    n_rows, n_cols = labels.shape
    counts = np.zeros(n_rows + 1, np.int64)

    def count(first: int, last: int) -> None:
        counts[first + 1] = kernels.count_pairs(labels, first, last)

    in_bands(count, n_rows, n_cols)
    starts = np.cumsum(counts)
    n_pairs = int(starts[-1])
    lows, highs, values = np.empty(n_pairs, np.int32), np.empty(n_pairs, np.int32), np.empty(n_pairs, np.int64)

    def fill(first: int, last: int) -> None:
        kernels.list_pairs(labels, evidence, _BOUNDARY_SCALE, first, last, starts[first], lows, highs, values)

    in_bands(fill, n_rows, n_cols)
    edges, lengths, sums = kernels.combine(lows, highs, np.empty(0, np.int64), values, n_labels)
    return edges, lengths, sums


def _merged(old: _Borders, lost: _Borders, gained: _Borders) -> _Borders:
    """Return borders without those lost and with those gained."""
    keys = np.concatenate([_keys(part[0]) for part in (old, lost, gained)])
    lengths = np.concatenate([old[1], -lost[1], gained[1]])
    evidence = np.concatenate([old[2], -lost[2], gained[2]])
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    firsts = np.flatnonzero(np.diff(keys, prepend=-1))
    if not len(firsts):
        return old
    lengths, evidence = np.add.reduceat(lengths[order], firsts), np.add.reduceat(evidence[order], firsts)
    left = lengths > 0
    keys = keys[firsts][left]
    edges = np.stack([keys >> 32, keys & 0xFFFFFFFF], axis=1).astype(np.int32)
    return edges, lengths[left], evidence[left]


def _keys(edges: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    return (edges[:, 0].astype(np.int64) << 32) | edges[:, 1]


def _check(
    labels: npt.NDArray[Any], features: npt.NDArray[np.float32], boundary: npt.NDArray[np.float32] | None
) -> None:
    if labels.ndim != 2 or features.ndim != 3 or features.shape[:2] != labels.shape:
        raise ValueError(f"labels have shape {labels.shape}, features {features.shape}; expected (M, N) and (M, N, C)")
    if boundary is not None and boundary.shape != labels.shape:
        raise ValueError(f"the boundary probability has shape {boundary.shape}; expected that of labels {labels.shape}")
