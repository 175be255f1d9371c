"""Binary tree of regions that join, weakest border first: any coarser partition is a cut through it.

Average linkage: the border between joined regions has the mean strength of its parts, weighted by their length. A
border's weight is its strength times the square root of n1 n2 / (n1 + n2), as in Ward's criterion, or large regions
would swallow all others one by one; measurements are in docs/correct-hierarchy.md.

References
----------
.. [1] Arbelaez, Maire, Fowlkes & Malik, "Contour detection and hierarchical image segmentation", TPAMI 33(5), 2011,
   doi:10.1109/TPAMI.2010.161.
.. [2] Ward, "Hierarchical grouping to optimize an objective function", Journal of the American Statistical Association
   58(301), 1963, doi:10.1080/01621459.1963.10500845.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_superpixels.core import _graph_kernels, _tree_kernels
from napari_superpixels.core.region_graph import RegionGraph


@dataclass(frozen=True, slots=True, eq=False)
class MergeTree:
    """Tree of K regions; nodes 0 to K - 1 are the regions, node K + m is made by the m-th join, children come first.

    Regions that nothing connects have roots of their own.
    """

    labels: npt.NDArray[np.int32]
    """(K,) labels of the regions, rising."""
    parents: npt.NDArray[np.int32]
    """(n,) parent of each node, -1 for a root; n is 2 K - 1 where all regions hang together."""
    heights: npt.NDArray[np.float32]
    """(n,) weight of the border that a node's join removes, never below its children's; 0 for the regions."""
    order: npt.NDArray[np.int32]
    """(K,) the regions, so ordered that those under any node stand together."""
    starts: npt.NDArray[np.int32]
    """(n,) where the regions under each node start in `order`."""
    ends: npt.NDArray[np.int32]
    """(n,) where they end."""

    @property
    def n_leaves(self) -> int:
        """K."""
        return len(self.labels)

    @property
    def n_roots(self) -> int:
        """Smallest number of regions that joins lead to."""
        return 2 * self.n_leaves - len(self.parents)

    def n_regions(self, level: float) -> int:
        """Return how many regions a level has.

        Parameters
        ----------
        level : float
            0 (all K regions) to 1 (as few as possible). Equal steps divide the number by equal factors.
        """
        if not self.n_leaves:
            return 0
        return round(self.n_leaves ** (1 - level) * self.n_roots**level)

    def leaf(self, label: int) -> int:
        """Return the node of a label; -1 for a label that is not in the tree."""
        at = int(np.searchsorted(self.labels, label))
        return at if at < self.n_leaves and self.labels[at] == label else -1

    def labels_under(self, node: int) -> npt.NDArray[np.int32]:
        """Return the labels under a node, rising."""
        return np.sort(self.labels[self.order[self.starts[node] : self.ends[node]]])

    def top(self, node: int, n_regions: int) -> int:
        """Return the ancestor of a node, or itself, that is a region when there are `n_regions`."""
        return int(_tree_kernels.climb(self.parents, node, self._first_cut(n_regions)))

    def ancestors(self, node: int) -> list[int]:
        """Return a node's ancestors, its parent first."""
        found = []
        while (node := int(self.parents[node])) >= 0:
            found.append(node)
        return found

    def labels_at(self, n_regions: int) -> npt.NDArray[np.int32]:
        """Return the coarser partition as a look-up table.

        Parameters
        ----------
        n_regions : int
            Number of regions; at least `n_roots` are left.

        Returns
        -------
        ndarray of shape (largest label + 1,), int32
            For each label the smallest label of its region; 0 for labels that do not occur.
        """
        table = np.zeros(int(self.labels[-1]) + 1 if self.n_leaves else 1, np.int32)
        top = _tree_kernels.tops(self.parents, self._first_cut(n_regions))[: self.n_leaves]
        least = np.full(len(self.parents), np.iinfo(np.int32).max, np.int32)
        np.minimum.at(least, top, self.labels)
        table[self.labels] = least[top]
        return table

    def updated(self, graph: RegionGraph, changed: npt.NDArray[np.int32]) -> "MergeTree":
        """Return the tree after an edit, without joining again what the edit is no part of.

        Nodes over regions that did not change stay; the rest is joined anew. That is the tree that would be made anew
        wherever the changed regions' borders do not alter joins of regions beside them.

        Parameters
        ----------
        graph : RegionGraph
            The graph after the edit.
        changed : ndarray, int32
            Labels whose pixels changed, those that came and went too.
        """
        dissolved = np.zeros(len(self.parents), bool)
        dissolved[: self.n_leaves] = np.isin(self.labels, changed) | (self._sizes(graph) == 0)
        links = _tree_kernels.without(self.parents, dissolved)
        labels = np.flatnonzero(graph.sizes).astype(np.int32)
        n_leaves = len(labels)
        kept = np.flatnonzero(~dissolved)
        # Kept nodes keep their order: regions by label, then joins.
        joins = kept[kept >= self.n_leaves]
        number = np.full(len(self.parents), -1, np.int32)
        number[: self.n_leaves] = np.searchsorted(labels, self.labels)
        number[joins] = n_leaves + np.arange(len(joins))
        parents = np.full(n_leaves + len(joins), -1, np.int32)
        linked = kept[links[kept] >= 0]
        parents[number[linked]] = number[links[linked]]
        heights = np.concatenate([np.zeros(n_leaves, np.float32), self.heights[joins]])
        return _joined(graph, labels, parents, heights)

    def _sizes(self, graph: RegionGraph) -> npt.NDArray[np.int64]:
        """Return the present sizes of the tree's regions."""
        known = self.labels <= graph.n_labels
        return np.where(known, graph.sizes[np.where(known, self.labels, 0)], 0)

    def _first_cut(self, n_regions: int) -> int:
        """Return the first node that is not there yet when there are `n_regions`."""
        return min(max(2 * self.n_leaves - n_regions, self.n_leaves), len(self.parents))


def merge_tree(graph: RegionGraph) -> MergeTree:
    """Join the regions of a graph to a tree."""
    labels = np.flatnonzero(graph.sizes).astype(np.int32)
    return _joined(graph, labels, np.full(len(labels), -1, np.int32), np.zeros(len(labels), np.float32))


def _joined(
    graph: RegionGraph,
    labels: npt.NDArray[np.int32],
    parents: npt.NDArray[np.int32],
    heights: npt.NDArray[np.float32],
) -> MergeTree:
    """Complete a forest over the regions `labels`, given as in :class:`MergeTree`, to a tree."""
    n_leaves = len(labels)
    leaf = np.zeros(graph.n_labels + 1, np.int32)
    leaf[labels] = np.arange(n_leaves)
    top = _tree_kernels.tops(parents, len(parents))
    roots = np.flatnonzero(parents < 0)
    number = np.full(len(parents), -1, np.int32)
    number[roots] = np.arange(len(roots))
    sizes = np.bincount(number[top[:n_leaves]], weights=graph.sizes[labels], minlength=len(roots))
    ends = number[top[leaf[graph.edges]]]
    between = ends[:, 0] != ends[:, 1]
    ends = np.sort(ends[between], axis=1)
    lengths = graph.lengths[between].astype(np.float64)
    edges, lengths, totals = _graph_kernels.combine(
        ends[:, 0], ends[:, 1], lengths, lengths * graph.strengths[between], len(roots)
    )
    pairs, weights = _tree_kernels.join_regions(edges, lengths, totals / lengths, sizes)
    # Numbers of the nodes in the forest: its roots first, then the joins, after all its other nodes.
    nodes = np.concatenate([roots, len(parents) + np.arange(len(pairs))]).astype(np.int32)
    parents = np.concatenate([parents, np.full(len(pairs), -1, np.int32)])
    parents[nodes[pairs]] = (len(parents) - len(pairs) + np.arange(len(pairs)))[:, None]
    heights = np.concatenate([heights, weights.astype(np.float32)])
    return _sorted_by_height(labels, parents, heights)


def _sorted_by_height(
    labels: npt.NDArray[np.int32], parents: npt.NDArray[np.int32], heights: npt.NDArray[np.float32]
) -> MergeTree:
    """Give the joins numbers by height, so that cuts through the tree are cuts through the numbers."""
    n_leaves = len(labels)
    _tree_kernels.raise_parents(parents, heights)
    rank = n_leaves + np.argsort(heights[n_leaves:], kind="stable")
    number = np.arange(len(parents) + 1, dtype=np.int32)
    number[rank] = np.arange(n_leaves, len(parents))
    number[-1] = -1
    old = np.concatenate([np.arange(n_leaves), rank])
    parents, heights = number[parents[old]], heights[old]
    order, starts, ends = _tree_kernels.spans(parents, n_leaves)
    return MergeTree(labels, parents, heights, order, starts, ends)
