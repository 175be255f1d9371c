import numpy as np
import pytest

from napari_superpixels.core.merge_tree import MergeTree, merge_tree
from napari_superpixels.core.region_graph import RegionGraph, region_graph
from napari_superpixels.core.superpixels import grow_superpixels

from .conftest import noise_slowness, smooth_noise


def cells(seed, n_segments, edge):
    """Return superpixels of a random image, its features and boundary probabilities."""
    labels = np.ascontiguousarray(grow_superpixels(noise_slowness((edge, edge), seed), n_segments).labels)
    features = np.stack([100 * smooth_noise(labels.shape, seed + c) for c in range(3)], axis=-1)
    return labels, features, smooth_noise(labels.shape, seed + 9)


def joined_slowly(graph: RegionGraph, n_regions: int) -> list[set[int]]:
    """Join regions by the rule, with sets and dictionaries."""
    groups = {int(k): ({int(k)}, int(graph.sizes[k])) for k in np.flatnonzero(graph.sizes)}
    borders = {
        frozenset(map(int, e)): (float(n), float(n) * float(s))
        for e, n, s in zip(graph.edges, graph.lengths, graph.strengths, strict=True)
    }

    def weight(pair):
        a, b = (groups[k][1] for k in pair)
        return borders[pair][1] / borders[pair][0] * (a * b / (a + b)) ** 0.5

    while len(groups) > n_regions:
        a, b = min(borders, key=weight)
        del borders[frozenset((a, b))]
        groups[a] = (groups[a][0] | groups[b][0], groups[a][1] + groups.pop(b)[1])
        for pair in [pair for pair in borders if b in pair]:
            (other,) = pair - {b}
            length, total = borders.pop(pair)
            known = borders.get(frozenset((a, other)), (0.0, 0.0))
            borders[frozenset((a, other))] = (known[0] + length, known[1] + total)
    return sorted((group for group, _ in groups.values()), key=min)


def groups_of(table: np.ndarray) -> list[set[int]]:
    return [set(np.flatnonzero(table == k).tolist()) for k in np.unique(table[table > 0])]


def assert_tree(tree: MergeTree, labels: np.ndarray) -> None:
    """Check everything that makes a tree one."""
    present = np.unique(labels[labels > 0])
    np.testing.assert_array_equal(tree.labels, present)
    n = len(tree.parents)
    children = np.bincount(tree.parents[tree.parents >= 0], minlength=n)
    assert not children[: tree.n_leaves].any()
    assert (children[tree.n_leaves :] == 2).all()
    inner = np.flatnonzero(tree.parents >= 0)
    assert (tree.parents[inner] > inner).all()
    assert (tree.heights[tree.parents[inner]] >= tree.heights[inner]).all()
    assert (np.diff(tree.heights[tree.n_leaves :]) >= 0).all()
    for node in range(n):
        under = set(tree.labels_under(node).tolist())
        if node < tree.n_leaves:
            assert under == {tree.labels[node]}
        else:
            kids = np.flatnonzero(tree.parents == node)
            assert under == set().union(*(tree.labels_under(kid).tolist() for kid in kids))


@pytest.mark.parametrize("seed", range(3))
def test_tree_is_that_of_the_plain_rule(seed, edge):
    labels, features, boundary = cells(seed, 24, edge)
    graph = region_graph(labels, features, boundary)
    tree = merge_tree(graph)
    assert_tree(tree, labels)
    for n_regions in (1, 2, 5, 11, 23, 24):
        assert groups_of(tree.labels_at(n_regions)) == joined_slowly(graph, n_regions), n_regions


def test_cuts_nest(edge):
    labels, features, boundary = cells(4, 30, edge)
    tree = merge_tree(region_graph(labels, features, boundary))
    finer = tree.labels_at(30)
    np.testing.assert_array_equal(finer, np.arange(31))
    for n_regions in range(29, 0, -1):
        table = tree.labels_at(n_regions)
        assert len(np.unique(table[1:])) == n_regions
        # Every region's number is its smallest label, and what was one stays one.
        np.testing.assert_array_equal(table[finer], table)
        finer = table


def test_levels_divide_by_equal_factors(edge):
    tree = merge_tree(region_graph(*cells(1, 25, edge)))
    assert [tree.n_regions(level) for level in (0, 0.5, 1)] == [25, 5, 1]


def test_top_ancestors_and_look_up_agree(edge):
    tree = merge_tree(region_graph(*cells(2, 20, edge)))
    for n_regions in (1, 4, 13, 20):
        table = tree.labels_at(n_regions)
        for label in (1, 7, 20):
            top = tree.top(tree.leaf(label), n_regions)
            np.testing.assert_array_equal(tree.labels_under(top), np.flatnonzero(table == table[label]))
            assert top in [tree.leaf(label), *tree.ancestors(tree.leaf(label))]


def test_parts_that_do_not_touch_stay_apart():
    labels = np.array([[1, 2, 0, 4, 4], [1, 2, 0, 9, 9]], np.int32)
    tree = merge_tree(region_graph(labels, np.zeros((2, 5, 1), np.float32)))
    assert_tree(tree, labels)
    assert (tree.n_roots, tree.n_regions(1), tree.n_regions(0)) == (2, 2, 4)
    assert groups_of(tree.labels_at(1)) == [{1, 2}, {4, 9}]
    assert tree.leaf(3) == tree.leaf(10) == tree.leaf(0) == -1


@pytest.mark.parametrize("labels", [np.zeros((3, 3), np.int32), np.ones((3, 3), np.int32)])
def test_none_and_one(labels):
    tree = merge_tree(region_graph(labels, np.zeros((3, 3, 1), np.float32)))
    assert_tree(tree, labels)
    assert tree.n_regions(0.5) == tree.n_leaves == labels.max()
    np.testing.assert_array_equal(tree.labels_at(1), np.arange(labels.max() + 1))


def test_update_keeps_what_the_edit_is_no_part_of(edge):
    labels, features, boundary = cells(6, 40, edge)
    rng = np.random.default_rng(0)
    graph = region_graph(labels, features, boundary)
    tree = merge_tree(graph)
    for round_ in range(12):
        before = labels.copy()
        kept = int(rng.choice(tree.labels))
        if round_ % 2:
            half = labels == kept
            half[:, : int(np.nonzero(half)[1].mean())] = False
            labels[half] = changed_to = 41 + round_
        else:
            changed_to = int(graph.neighbors(kept)[0])
            labels[labels == kept] = changed_to
        changed = np.array([kept, changed_to], np.int32)
        graph = graph.updated(before, labels, features, boundary)
        old, tree = tree, tree.updated(graph, changed)
        assert_tree(tree, labels)
        known = {frozenset(tree.labels_under(node).tolist()) for node in range(len(tree.parents))}
        for node in range(len(old.parents)):
            group = frozenset(old.labels_under(node).tolist())
            assert group & set(changed.tolist()) or group in known


def test_update_of_everything_is_the_tree_made_anew(edge):
    labels, features, boundary = cells(8, 30, edge)
    graph = region_graph(labels, features, boundary)
    tree = merge_tree(graph)
    again = tree.updated(graph, tree.labels)
    for name in ("labels", "parents", "heights", "order"):
        np.testing.assert_array_equal(getattr(tree, name), getattr(again, name))
