from collections import defaultdict

import numpy as np
import pytest

from napari_superpixels.core.region_graph import RegionGraph, region_graph

from .conftest import noise_slowness, smooth_noise


def borders(labels, boundary):
    """Return, pair by pair, how long borders are and how much boundary probability lies on them."""
    found = defaultdict(lambda: [0, 0])
    for axis in (0, 1):
        n = labels.shape[axis]
        first, second = (np.take(labels, range(*s), axis).ravel() for s in ((0, n - 1), (1, n)))
        probability = np.maximum(*(np.take(boundary, range(*s), axis).ravel() for s in ((0, n - 1), (1, n))))
        for a, b, p in zip(first, second, probability, strict=True):
            if a != b and a and b:
                found[min(a, b), max(a, b)][0] += 1
                found[min(a, b), max(a, b)][1] += p
    return found


def picture(seed=0, n_labels=20, shape=(24, 31)):
    """Return labels (0 too), features and boundary probabilities that have nothing to do with each other."""
    rng = np.random.default_rng(seed)
    labels = np.kron(rng.integers(0, n_labels + 1, (12, 16)), np.ones((2, 2), int))[: shape[0], : shape[1]]
    features = (rng.normal(0, 60, (*shape, 3))).astype(np.float32)
    return labels.astype(np.int32), features, rng.random(shape, np.float32)


def strengths_of(graph: RegionGraph) -> dict[tuple[int, int], float]:
    return {(int(a), int(b)): float(s) for (a, b), s in zip(graph.edges, graph.strengths, strict=True)}


def assert_equal(graph: RegionGraph, other: RegionGraph) -> None:
    n = other.n_labels + 1
    assert not graph.sizes[n:].any()
    for name in ("sizes", "color_sums"):
        np.testing.assert_array_equal(getattr(graph, name)[:n], getattr(other, name))
    for name in ("edges", "lengths", "evidence", "strengths"):
        np.testing.assert_array_equal(getattr(graph, name), getattr(other, name))


def test_borders_are_those_counted_pixel_by_pixel():
    labels, features, boundary = picture()
    graph = region_graph(labels, features, boundary)
    expected = borders(labels, boundary)
    assert [tuple(edge) for edge in graph.edges] == sorted(expected)
    np.testing.assert_array_equal(graph.lengths, [expected[tuple(edge)][0] for edge in graph.edges])
    sums = [expected[tuple(edge)][1] for edge in graph.edges]
    np.testing.assert_allclose(graph.evidence / 32767, sums, atol=1e-4 * graph.lengths.max())
    np.testing.assert_array_equal(graph.sizes[1:], np.bincount(labels.ravel())[1:])
    assert graph.sizes[0] == 0
    for k in range(1, graph.n_labels + 1):
        np.testing.assert_allclose(graph.colors[k], features[labels == k].mean(axis=0), atol=1 / 128)


def test_strength_grows_with_boundary_and_colour():
    labels = np.repeat(np.repeat([[1, 2], [3, 4]], 4, axis=0), 4, axis=1).astype(np.int32)
    features = np.zeros((8, 8, 1), np.float32)
    features[4:] = 20
    boundary = np.zeros((8, 8), np.float32)
    boundary[:4, 3:5] = 0.9
    strengths = strengths_of(region_graph(labels, features, boundary))
    assert strengths[1, 2] == pytest.approx(0.6, abs=1e-4)
    # A quarter of the border below touches the boundary's end.
    assert strengths[1, 3] == pytest.approx((0.225 + 0.25) / 1.5, abs=1e-4)
    assert strengths[3, 4] == 0
    assert strengths_of(region_graph(labels, features))[1, 3] == pytest.approx(0.5)


def test_neighbors():
    labels = np.array([[1, 1, 2], [5, 0, 2], [5, 7, 7]], np.int32)
    graph = region_graph(labels, np.zeros((3, 3, 1), np.float32))
    assert {k: graph.neighbors(k).tolist() for k in range(10)} == {
        **{k: [] for k in range(10)},
        1: [2, 5],
        2: [1, 7],
        5: [1, 7],
        7: [2, 5],
    }


@pytest.mark.parametrize("has_boundary", [True, False])
def test_updated_graph_is_the_one_made_anew(has_boundary):
    labels, features, boundary = picture(seed=3)
    boundary = boundary if has_boundary else None
    graph = region_graph(labels, features, boundary)
    rng = np.random.default_rng(5)
    for round_ in range(30):
        top, left = rng.integers(0, 20), rng.integers(0, 27)
        box = np.s_[top : top + rng.integers(1, 8), left : left + rng.integers(1, 8)]
        after = labels.copy()
        # Labels merge, vanish, come anew and go out of the mask.
        after[box] = rng.choice([0, 1, 20 + round_, 5])
        window = np.s_[max(top - 1, 0) : top + 8, max(left - 1, 0) : left + 8]
        piece = None if boundary is None else boundary[window]
        graph = graph.updated(labels[window], after[window], features[window], piece)
        labels = after
        assert_equal(graph, region_graph(labels, features, boundary))


def test_threads_change_nothing(monkeypatch):
    monkeypatch.setattr("napari_superpixels.core.parallel._MIN_PIXELS", 1)
    monkeypatch.setattr("napari_superpixels.core.parallel.n_processors", lambda: 3)
    picture_ = picture(seed=7)
    in_bands = region_graph(*picture_)
    monkeypatch.setattr("napari_superpixels.core.parallel.n_processors", lambda: 1)
    assert_equal(in_bands, region_graph(*picture_))


def test_image_without_regions():
    graph = region_graph(np.zeros((3, 4), np.int32), np.zeros((3, 4, 2), np.float32))
    assert (graph.n_labels, len(graph.edges), len(graph.neighbors(1))) == (0, 0, 0)


def test_superpixels_of_the_solver_touch(edge):
    from napari_superpixels.core.superpixels import grow_superpixels

    slowness = noise_slowness((edge, edge))
    labels = np.ascontiguousarray(grow_superpixels(slowness, 12).labels)
    graph = region_graph(labels, smooth_noise((edge, edge), 0)[..., None])
    assert all(len(graph.neighbors(k)) for k in range(1, 13))


def test_wrong_shapes_are_refused():
    labels, features, boundary = picture()
    with pytest.raises(ValueError, match=r"features \(23, 31, 3\)"):
        region_graph(labels, features[1:], boundary)
    with pytest.raises(ValueError, match="boundary probability has shape"):
        region_graph(labels, features, boundary[1:])
    graph = region_graph(labels, features, boundary)
    with pytest.raises(ValueError, match="same window"):
        graph.updated(labels[1:], labels, features, boundary)
    with pytest.raises(ValueError, match="or neither"):
        graph.updated(labels, labels, features)
