import numpy as np
import pytest

from napari_superpixels.core.eikonal import new_cancel_flag
from napari_superpixels.core.metrics import evaluate
from napari_superpixels.core.region_quality import measure_regions, missed_boundary, strong_edges
from napari_superpixels.errors import CancelledError


def halves(shape: tuple[int, ...], column: int) -> np.ndarray:
    """Return labels 1 on the left of a column of the last axis, and 2 from there on."""
    labels = np.ones(shape, np.int32)
    labels[..., column:] = 2
    return labels


def step(shape: tuple[int, ...], column: int, height: float) -> np.ndarray:
    """Return features of one channel: 0 on the left of a column, a height from there on."""
    return np.where(halves(shape, column) == 2, height, 0).astype(np.float32)[..., None]


def quality(labels, features, **options):
    return measure_regions(labels, features, strong_edges(features), **options)


@pytest.mark.parametrize("shape", [(20, 30), (6, 20, 30)])
def test_two_superpixels_on_a_step(shape: tuple[int, ...]) -> None:
    features = step(shape, 12, 40.0)
    measured = quality(halves(shape, 12), features)
    n = np.prod(shape[:-1])
    assert measured.sizes.tolist() == [12 * n, 18 * n]
    assert measured.boundary_contrast == pytest.approx(40)
    assert measured.straddling_share == 0


@pytest.mark.parametrize("shape", [(20, 30), (6, 20, 30)])
def test_superpixel_across_a_step_straddles_it(shape: tuple[int, ...]) -> None:
    features = step(shape, 12, 40.0)
    measured = quality(halves(shape, 22), features)
    assert measured.straddling.tolist() == [True, False]
    assert measured.straddling_share == 0.5
    # The left superpixel's mean is 40 * 10 / 22.
    assert measured.boundary_contrast == pytest.approx(40 - 400 / 22)


def test_border_near_a_step_is_no_straddling() -> None:
    features = step((20, 30), 12, 40.0)
    for column, straddles in ((14, False), (11, False), (17, True), (7, True)):
        assert quality(halves((20, 30), column), features, tolerance=2).straddling.any() == straddles, column
    assert not quality(halves((20, 30), 17), features, tolerance=8).straddling.any()


def test_short_edge_is_no_straddling() -> None:
    edges = np.zeros((20, 20), bool)
    edges[5:14, 10] = True
    labels, features = np.ones((20, 20), np.int32), np.zeros((20, 20, 1), np.float32)
    assert not measure_regions(labels, features, edges).straddling[0]
    edges[14, 10] = True
    assert measure_regions(labels, features, edges).straddling[0]


def test_contrast_counts_by_length_and_over_channels() -> None:
    labels = np.array([[1, 1, 2], [3, 3, 3]], np.int32)
    features = np.zeros((2, 3, 2), np.float32)
    features[0, 2] = (3, 4)
    features[1] = (0, 5)
    # One pair 1|2 of distance 5, two pairs 1|3 of distance 5, one pair 2|3 of distance sqrt(10).
    expected = (3 * 5 + 10**0.5) / 4
    assert quality(labels, features).boundary_contrast == pytest.approx(expected)


def test_one_superpixel_has_no_contrast() -> None:
    measured = quality(np.ones((9, 9), np.int32), np.zeros((9, 9, 3), np.float32))
    assert np.isnan(measured.boundary_contrast)
    assert measured.sizes.tolist() == [81]
    assert measured.straddling_share == 0


def test_pixels_outside_a_mask_do_not_count() -> None:
    labels = halves((20, 30), 10)
    labels[:, 20:] = 0
    measured = quality(labels, step((20, 30), 20, 90.0))
    assert measured.sizes.tolist() == [200, 200]
    assert measured.boundary_contrast == 0
    assert not measured.straddling.any()


@pytest.mark.parametrize(("height", "is_strong"), [(20.0, False), (27.0, True)])
def test_strong_edge_is_a_high_step(height: float, is_strong: bool) -> None:
    edges = strong_edges(step((20, 30), 12, height))
    assert edges.any() == is_strong
    if is_strong:
        assert set(np.nonzero(edges)[1]) <= {11, 12}
        assert edges.any(axis=1).all()


def test_strong_edge_is_the_crest_of_the_boundary_probability() -> None:
    boundary = np.zeros((20, 30), np.float32)
    boundary[:, 9:14] = (0.3, 0.6, 0.9, 0.6, 0.3)
    boundary[:, 20] = 0.4
    edges = strong_edges(np.zeros((20, 30, 3), np.float32), boundary)
    assert np.array_equal(np.unique(np.nonzero(edges)[1]), [11])


def test_edges_and_measures_turn_with_the_image() -> None:
    rng = np.random.default_rng(0)
    features = np.kron(rng.uniform(0, 100, (5, 6, 3)), np.ones((8, 8, 1))).astype(np.float32)
    labels = np.kron(np.arange(1, 21).reshape(4, 5), np.ones((10, 10), int)).astype(np.int32)[:, :48]
    first = quality(labels, features)
    turned = quality(labels.T.copy(), features.transpose(1, 0, 2).copy())
    assert np.array_equal(first.sizes, turned.sizes)
    assert first.boundary_contrast == pytest.approx(turned.boundary_contrast)
    assert np.array_equal(first.straddling, turned.straddling)
    assert first.straddling.any()


@pytest.mark.parametrize("shape", [(40, 50), (9, 20, 30)])
@pytest.mark.parametrize("tolerance", [0, 1, 3])
def test_missed_boundary_is_what_boundary_recall_misses(shape: tuple[int, ...], tolerance: int) -> None:
    rng = np.random.default_rng(1)
    blocks = tuple(-(-n // 5) for n in shape)
    labels, truth = (
        np.kron(rng.integers(1, 9, blocks), np.ones((5,) * len(shape), int))[tuple(slice(n) for n in shape)]
        for _ in range(2)
    )
    missed = missed_boundary(labels, truth, tolerance)
    recall = evaluate(labels, truth, tolerance=tolerance).boundary_recall
    n_boundary = np.count_nonzero(missed_boundary(np.ones_like(truth), truth, tolerance))
    assert 1 - np.count_nonzero(missed) / n_boundary == pytest.approx(recall)
    assert 0 < recall < 1


def test_wrong_shapes_and_tolerances_are_refused() -> None:
    labels, features = np.ones((4, 5), np.int32), np.zeros((4, 5, 3), np.float32)
    edges = np.zeros((4, 5), bool)
    with pytest.raises(ValueError, match="features have shape"):
        measure_regions(labels, features[:3], edges)
    with pytest.raises(ValueError, match="edges"):
        measure_regions(labels, features, edges[:3])
    with pytest.raises(ValueError, match="tolerance must not be negative; received -1"):
        measure_regions(labels, features, edges, tolerance=-1)
    with pytest.raises(ValueError, match="they must be equal"):
        missed_boundary(labels, labels[:3])


def test_cancel() -> None:
    cancel = new_cancel_flag()
    cancel[0] = 1
    with pytest.raises(CancelledError):
        quality(np.ones((4, 5), np.int32), np.zeros((4, 5, 1), np.float32), cancel=cancel)
