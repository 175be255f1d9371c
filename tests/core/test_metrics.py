"""Measures on cases counted by hand, and their identities."""

import math

import numpy as np
import pytest

from napari_superpixels.core.metrics import boundary_pixels, evaluate

HALVES = np.repeat([[0, 0, 0, 1, 1, 1]], 4, axis=0)
SHIFTED = np.repeat([[5, 5, 5, 5, 9, 9]], 4, axis=0)


def test_perfect_superpixels():
    metrics = evaluate(HALVES, HALVES, HALVES.astype(float))
    assert metrics.boundary_recall == metrics.boundary_precision == 1
    assert metrics.achievable_segmentation_accuracy == 1
    assert metrics.undersegmentation_error == metrics.undersegmentation_error_np == 0
    assert metrics.explained_variation == pytest.approx(1)
    assert (metrics.n_superpixels, metrics.n_components) == (2, 2)


def test_counted_by_hand():
    metrics = evaluate(SHIFTED, HALVES, HALVES.astype(float), tolerance=0)
    # Boundaries are two pixels thick: columns 3, 4 against 2, 3.
    assert metrics.boundary_recall == 0.5
    assert metrics.boundary_precision == 0.5
    # The first superpixel holds 12 pixels of one half and 4 of the other.
    assert metrics.undersegmentation_error == pytest.approx(4 / 24)
    assert metrics.undersegmentation_error_np == pytest.approx((4 + 4) / 24)
    assert metrics.contour_density == pytest.approx(8 / 24)
    # Means 1/4 and 1 of a half-half image of mean 1/2: between (16 / 16 + 8 / 4) / 24 of the variance 1/4.
    assert metrics.explained_variation == pytest.approx((16 / 16 + 8 / 4) / 24 * 4)
    # 4 x 4 pixels with 16 edges, all but the inner 4 on its border; 4 x 2 pixels with 12 edges, 8 on the border.
    assert metrics.compactness == pytest.approx(4 * math.pi * (16 * 16 / 16**2 + 8 * 8 / 12**2) / 24)
    assert metrics.compactness_px == pytest.approx(4 * math.pi * (16 * 16 / 12**2 + 8 * 8 / 8**2) / 24)


@pytest.mark.parametrize(("tolerance", "recall"), [(0, 0.5), (1, 1.0), (2, 1.0)])
def test_tolerance_widens_the_match(tolerance, recall):
    assert evaluate(SHIFTED, HALVES, tolerance=tolerance).boundary_recall == recall


def test_annotators_are_averaged_and_the_worst_is_kept():
    metrics = evaluate(SHIFTED, [HALVES, SHIFTED], tolerance=0)
    assert metrics.boundary_recall == 0.75
    assert metrics.worst_boundary_recall == 0.5
    assert metrics.undersegmentation_error == pytest.approx(2 / 24)
    assert metrics.worst_undersegmentation_error == pytest.approx(4 / 24)


def test_one_superpixel_and_every_pixel_its_own():
    one = evaluate(np.zeros_like(HALVES), HALVES, HALVES.astype(float))
    assert (one.boundary_recall, one.explained_variation) == (0, 0)
    assert one.achievable_segmentation_accuracy == 0.5
    own = evaluate(np.arange(24).reshape(4, 6), HALVES, HALVES.astype(float))
    assert (own.boundary_recall, own.explained_variation, own.achievable_segmentation_accuracy) == (1, 1, 1)
    assert own.compactness == pytest.approx(math.pi / 4)


@pytest.mark.parametrize("turn", [np.flipud, np.fliplr, np.rot90, lambda a: a[::-1].T])
def test_turning_and_renaming_change_nothing(turn):
    rng = np.random.default_rng(0)
    labels = rng.integers(1, 9, (20, 30))
    truth = rng.integers(1, 4, (20, 30))
    image = rng.random((20, 30, 3))
    first = evaluate(labels, truth, image)
    renamed = rng.permutation(100)[labels]
    second = evaluate(turn(renamed), turn(truth), np.stack([turn(c) for c in np.moveaxis(image, -1, 0)], -1))
    for name in first.__dataclass_fields__:
        assert getattr(first, name) == pytest.approx(getattr(second, name)), name


def test_ue_np_is_at_most_twice_one_minus_asa():
    rng = np.random.default_rng(3)
    for _ in range(20):
        metrics = evaluate(rng.integers(0, 12, (15, 15)), rng.integers(0, 5, (15, 15)))
        assert metrics.undersegmentation_error_np <= 2 * metrics.undersegmentation_error + 1e-12


def test_pieces_of_a_label_are_counted():
    labels = np.array([[1, 2, 1], [1, 2, 1]])
    metrics = evaluate(labels, labels)
    assert (metrics.n_superpixels, metrics.n_components) == (2, 3)


def test_squares_have_the_known_compactness():
    squares = np.kron(np.arange(12).reshape(3, 4), np.ones((20, 20), int))
    metrics = evaluate(squares, squares)
    assert metrics.compactness == pytest.approx(math.pi / 4)
    assert metrics.compactness_px == pytest.approx(4 * math.pi * 400 / 76**2)


def test_volumes():
    labels = np.kron(np.arange(8).reshape(2, 2, 2), np.ones((3, 3, 3), int))
    metrics = evaluate(labels, labels // 2, labels.astype(float))
    assert metrics.boundary_recall == metrics.achievable_segmentation_accuracy == 1
    assert math.isnan(metrics.compactness)


def test_boundaries_are_two_pixels_thick():
    np.testing.assert_array_equal(np.flatnonzero(boundary_pixels(HALVES)[0]), [2, 3])


@pytest.mark.parametrize(
    ("labels", "truths", "image", "tolerance", "error", "message"),
    [
        (HALVES, HALVES[:2], None, 2, ValueError, r"\(2, 6\)"),
        (HALVES, [], None, 2, ValueError, "at least one"),
        (HALVES, HALVES, np.zeros((3, 3)), 2, ValueError, "first axes"),
        (HALVES, HALVES, None, -1, ValueError, "-1"),
        (HALVES.astype(float), HALVES, None, 2, TypeError, "float64"),
        (HALVES[:0], HALVES[:0], None, 2, ValueError, "hold pixels"),
    ],
)
def test_bad_arguments_are_refused(labels, truths, image, tolerance, error, message):
    with pytest.raises(error, match=message):
        evaluate(labels, truths, image, tolerance)
