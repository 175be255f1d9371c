"""Measures on cases counted by hand, their identities and invariances, and against their definitions in plain numpy."""

import math
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from napari_superpixels.core import parallel
from napari_superpixels.core.metrics import Metrics, boundary_pixels, evaluate

from . import metrics_reference as reference
from .conftest import smooth_noise

HALVES = np.repeat([[0, 0, 0, 1, 1, 1]], 4, axis=0)
SHIFTED = np.repeat([[5, 5, 5, 5, 9, 9]], 4, axis=0)


def blobs(shape: tuple[int, ...], n_labels: int, seed: int) -> np.ndarray:
    """Return labels of irregular, partly broken regions."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random(shape), 2.0)
    return np.digitize(noise, np.quantile(noise, np.linspace(0, 1, n_labels + 1)[1:-1]))


def test_perfect_superpixels():
    metrics = evaluate(HALVES, HALVES, HALVES.astype(float))
    assert metrics.boundary_recall == metrics.boundary_precision == 1
    assert metrics.worst_boundary_recall == metrics.worst_boundary_precision == 1
    assert metrics.achievable_segmentation_accuracy == metrics.worst_achievable_segmentation_accuracy == 1
    assert metrics.undersegmentation_error == metrics.undersegmentation_error_np == 0
    assert metrics.explained_variation == pytest.approx(1)
    assert (metrics.n_superpixels, metrics.n_components, metrics.n_split, metrics.size_spread) == (2, 2, 0, 0)


def test_counted_by_hand():
    metrics = evaluate(SHIFTED, HALVES, HALVES.astype(float), tolerance=0)
    # Boundaries are two pixels thick: columns 3, 4 against 2, 3.
    assert metrics.boundary_recall == 0.5
    assert metrics.boundary_precision == 0.5
    # The first superpixel holds 12 pixels of one half and 4 of the other.
    assert metrics.undersegmentation_error == 4 / 24
    assert metrics.undersegmentation_error_np == (4 + 4) / 24
    assert metrics.contour_density == 8 / 24
    # Means 1/4 and 1 of a half-half image of mean 1/2: between (16 / 16 + 8 / 4) / 24 of the variance 1/4.
    assert metrics.explained_variation == pytest.approx((16 / 16 + 8 / 4) / 24 * 4)
    # 4 x 4 pixels with 16 edges, all but the inner 4 on its border; 4 x 2 pixels with 12 edges, 8 on the border.
    assert metrics.compactness == pytest.approx(4 * math.pi * (16 * 16 / 16**2 + 8 * 8 / 12**2) / 24)
    assert metrics.compactness_px == pytest.approx(4 * math.pi * (16 * 16 / 12**2 + 8 * 8 / 8**2) / 24)
    # Areas 16 and 8: mean 12, standard deviation 4.
    assert metrics.size_spread == pytest.approx(1 / 3)


def test_regularity_counted_by_hand():
    metrics = evaluate(SHIFTED, HALVES)
    # Rectangles have no dents. 4 x 4 is balanced; 4 x 2 has the variances 15/12 and 3/12 along its sides.
    assert metrics.shape_regularity == pytest.approx((16 + 8 * (3 / 15) ** 0.25) / 24)
    # Centres 1.5 and 0.5 are rounded up, so the 4 x 2 lies over the columns 2 and 3 of the 4 x 4. The average of area 1
    # is 1/24 in the columns 0 and 1, and 2/24 in 2 and 3; the 4 x 4 is 1/16 everywhere, the 4 x 2 1/8.
    common = [8 * (1 / 24) + 8 * (1 / 16), 8 * (2 / 24)]
    assert metrics.smooth_matching == pytest.approx((16 * common[0] + 8 * common[1]) / 24)
    assert metrics.global_regularity == pytest.approx(metrics.shape_regularity * metrics.smooth_matching)


def test_dent_lowers_the_convexity():
    labels = np.zeros((3, 3), int)
    labels[0, 1] = 1
    # Around the 3 x 3: rows, columns and diagonals are crossed 6, 6, 10 and 10 times. The dent adds two crossings of
    # its row, none of its column, and none on either diagonal, which it shortens.
    notched = (8 / 9) * (12 + 20 / math.sqrt(2)) / (14 + 20 / math.sqrt(2))
    spread_i = np.nonzero(labels == 0)[0].std()
    spread_j = np.nonzero(labels == 0)[1].std()
    balance = math.sqrt(min(spread_i, spread_j) / max(spread_i, spread_j))
    assert evaluate(labels, labels).shape_regularity == pytest.approx((8 * notched * balance + 1) / 9)


@pytest.mark.parametrize(("tolerance", "recall"), [(0, 0.5), (1, 1.0), (2, 1.0)])
def test_tolerance_widens_the_match(tolerance, recall):
    assert evaluate(SHIFTED, HALVES, tolerance=tolerance).boundary_recall == recall


@pytest.mark.parametrize("tolerance", [0, 1, 2, 3, 4, 7, 40])
def test_boundaries_match_in_a_square_window(tolerance):
    labels, truth = np.zeros((30, 40), int), np.zeros((30, 40), int)
    labels[10, 12] = truth[15, 20] = 1
    near = ndimage.maximum_filter(boundary_pixels(labels), 2 * tolerance + 1, mode="constant")
    wanted = boundary_pixels(truth)
    assert evaluate(labels, truth, tolerance=tolerance).boundary_recall == near[wanted].mean()


def test_annotators_are_averaged_and_the_worst_is_kept():
    metrics = evaluate(SHIFTED, [HALVES, SHIFTED, SHIFTED], tolerance=0)
    assert (metrics.boundary_recall, metrics.worst_boundary_recall) == (pytest.approx(2.5 / 3), 0.5)
    assert (metrics.boundary_precision, metrics.worst_boundary_precision) == (pytest.approx(2.5 / 3), 0.5)
    assert (metrics.undersegmentation_error, metrics.worst_undersegmentation_error) == (pytest.approx(4 / 72), 4 / 24)
    assert metrics.undersegmentation_error_np == pytest.approx(8 / 72)
    assert metrics.worst_undersegmentation_error_np == 8 / 24
    assert metrics.worst_achievable_segmentation_accuracy == pytest.approx(20 / 24)


def test_one_superpixel():
    one = evaluate(np.full_like(HALVES, 7), HALVES, HALVES.astype(float))
    assert (one.boundary_recall, one.boundary_precision, one.explained_variation, one.contour_density) == (0, 1, 0, 0)
    assert (one.undersegmentation_error, one.undersegmentation_error_np) == (0.5, 1)
    assert (one.n_superpixels, one.size_spread, one.smooth_matching) == (1, 0, 1)


def test_every_pixel_its_own():
    own = evaluate(np.arange(24).reshape(4, 6), HALVES, HALVES.astype(float))
    assert (own.boundary_recall, own.explained_variation, own.achievable_segmentation_accuracy) == (1, 1, 1)
    assert own.compactness == pytest.approx(math.pi / 4)
    assert (own.shape_regularity, own.smooth_matching) == (pytest.approx(1), pytest.approx(1))


@pytest.mark.parametrize("turn", [np.flipud, np.fliplr, np.rot90, np.transpose, lambda a: a[::-1].T])
def test_turning_and_renaming_change_nothing(turn):
    rng = np.random.default_rng(0)
    labels, truth = blobs((21, 32), 7, 1), blobs((21, 32), 4, 2)
    image = rng.random((21, 32, 3))
    first = evaluate(labels, truth, image)
    renamed = rng.permutation(100)[labels]
    second = evaluate(turn(renamed), turn(truth), np.stack([turn(c) for c in np.moveaxis(image, -1, 0)], -1))
    assert asdict(second) == pytest.approx(asdict(first), rel=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int64, np.uint64])
def test_type_and_layout_of_labels_change_nothing(dtype):
    labels, truth = blobs((20, 30), 7, 1), blobs((20, 30), 4, 2)
    first = evaluate(labels, truth)
    assert evaluate(labels.astype(dtype), np.asfortranarray(truth.astype(dtype))) == first
    assert evaluate(np.repeat(labels, 2, 0).astype(dtype)[::2], truth) == first


def test_huge_labels_are_renumbered():
    labels, truth = blobs((20, 30), 7, 1), blobs((20, 30), 4, 2)
    assert evaluate(labels.astype(np.int64) * 10**15, truth.astype(np.uint64) * 10**18) == evaluate(labels, truth)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.uint16, np.float32, np.float64])
def test_explained_variation_of_any_type(dtype):
    labels = blobs((20, 30), 7, 1)
    image = (255 * smooth_noise((20, 30), 3)).round().astype(dtype)
    expected = reference.explained_variation(labels, image)
    assert evaluate(labels, labels, image).explained_variation == pytest.approx(expected)


def test_explained_variation_far_from_zero():
    labels = blobs((20, 30), 7, 1)
    image = 1e6 + smooth_noise((20, 30), 3).astype(np.float64)
    assert evaluate(labels, labels, image).explained_variation == pytest.approx(
        reference.explained_variation(labels, image - 1e6), rel=1e-6
    )
    assert evaluate(labels, labels, np.full((20, 30), 3)).explained_variation == 1
    assert evaluate(labels, labels).explained_variation is None


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (17, 23), (40, 31)])
@pytest.mark.parametrize("seed", [0, 1])
def test_as_defined(shape, seed):
    rng = np.random.default_rng(seed)
    labels, truths = blobs(shape, 6, seed), [blobs(shape, 4, seed + 5), rng.integers(0, 3, shape)]
    image = rng.random((*shape, 3))
    metrics = asdict(evaluate(labels, truths, image))
    compared = [reference.against(labels, truth, 2) for truth in truths]
    for name in compared[0]:
        values = [values[name] for values in compared]
        assert metrics[name] == pytest.approx(np.mean(values)), name
        worst = max(values) if "error" in name else min(values)
        assert metrics[f"worst_{name}"] == pytest.approx(worst), name
    if labels.size > 1:
        assert metrics["explained_variation"] == pytest.approx(reference.explained_variation(labels, image))
    pieces = reference.pieces(labels)
    assert (metrics["n_superpixels"], metrics["n_components"]) == (len(pieces), sum(pieces))
    assert metrics["n_split"] == sum(n > 1 for n in pieces)
    assert metrics["contour_density"] == pytest.approx(reference.boundary(labels).mean())
    for name, value in reference.shapes(labels).items():
        assert metrics[name] == pytest.approx(value), name


LABELS = hnp.arrays(np.int64, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 4))


@settings(max_examples=60, deadline=None)
@given(labels=LABELS, data=st.data())
def test_as_defined_on_anything(labels, data):
    truth = data.draw(hnp.arrays(np.int64, labels.shape, elements=st.integers(0, 3)))
    metrics = asdict(evaluate(labels, truth, tolerance=1))
    for name, value in (reference.against(labels, truth, 1) | reference.shapes(labels)).items():
        assert metrics[name] == pytest.approx(value), name
    assert metrics["n_components"] == sum(reference.pieces(labels))
    assert metrics["undersegmentation_error_np"] <= 2 * metrics["undersegmentation_error"] + 1e-12
    assert 0 <= metrics["undersegmentation_error"] <= metrics["undersegmentation_error_np"] + 1e-12
    assert metrics["compactness"] <= math.pi / 4 + 1e-12
    for name in ("shape_regularity", "smooth_matching", "global_regularity"):
        assert 0 <= metrics[name] <= 1 + 1e-12


def test_pieces_of_a_label_are_counted():
    labels = np.array([[1, 2, 1], [1, 2, 1]])
    metrics = evaluate(labels, labels)
    assert (metrics.n_superpixels, metrics.n_components, metrics.n_split) == (2, 3, 1)


def test_a_spiral_is_one_piece():
    labels = np.zeros((9, 9), int)
    labels[1:8, 1:8] = 1
    labels[2:7, 2:8] = 0
    labels[3:6, 3:7] = 1
    labels[4, 3:6] = 0
    labels[2, 6] = labels[6, 1] = 1
    metrics = evaluate(labels, labels)
    assert metrics.n_components == sum(reference.pieces(labels))


def test_squares_have_the_known_measures():
    squares = np.kron(np.arange(12).reshape(3, 4), np.ones((20, 20), int))
    metrics = evaluate(squares, squares)
    assert metrics.compactness == pytest.approx(math.pi / 4)
    assert metrics.compactness_px == pytest.approx(4 * math.pi * 400 / 76**2)
    assert metrics.global_regularity == pytest.approx(1)


def test_volumes():
    labels = np.kron(np.arange(8).reshape(2, 2, 2), np.ones((3, 3, 3), int))
    metrics = evaluate(labels, labels // 2, labels.astype(float))
    assert metrics.boundary_recall == metrics.achievable_segmentation_accuracy == 1
    for name in ("compactness", "compactness_px", "shape_regularity", "smooth_matching", "global_regularity"):
        assert math.isnan(getattr(metrics, name))


@pytest.mark.parametrize("channels", [(), (2,)])
def test_volumes_as_defined(channels):
    labels, truth = blobs((6, 9, 11), 5, 0), blobs((6, 9, 11), 3, 1)
    image = np.random.default_rng(0).random((6, 9, 11, *channels))
    metrics = asdict(evaluate(labels, truth, image))
    for name, value in reference.against(labels, truth, 2).items():
        assert metrics[name] == pytest.approx(value), name
    assert metrics["explained_variation"] == pytest.approx(reference.explained_variation(labels, image))
    pieces = reference.pieces(labels)
    assert (metrics["n_components"], metrics["n_split"]) == (sum(pieces), sum(n > 1 for n in pieces))


def test_threads_change_nothing(monkeypatch):
    labels, truths = blobs((60, 70), 40, 1), [blobs((60, 70), 4, 2), blobs((60, 70), 9, 3)]
    image = np.random.default_rng(0).random((60, 70, 3), dtype=np.float32)
    monkeypatch.setattr(parallel, "_MIN_PIXELS", 100)
    seen = set()
    for n_processors in (1, 2, 3, 7):
        monkeypatch.setattr(parallel, "n_processors", lambda n=n_processors: n)
        seen.add(evaluate(labels, truths, image))
    assert len(seen) == 1


def test_inputs_are_left_alone():
    labels, truth, image = HALVES.copy(), SHIFTED.copy(), HALVES.astype(np.float32)
    for array in (labels, truth, image):
        array.flags.writeable = False
    assert isinstance(evaluate(labels, truth, image), Metrics)


def test_boundaries_are_two_pixels_thick():
    np.testing.assert_array_equal(np.flatnonzero(boundary_pixels(HALVES)[0]), [2, 3])


@pytest.mark.parametrize(
    ("labels", "truths", "image", "tolerance", "error", "message"),
    [
        (HALVES, HALVES[:2], None, 2, ValueError, r"\(2, 6\)"),
        (HALVES, [HALVES, HALVES[None]], None, 2, ValueError, r"\(1, 4, 6\)"),
        (HALVES, [], None, 2, ValueError, "at least one"),
        (HALVES, HALVES, np.zeros((3, 3)), 2, ValueError, r"image has shape \(3, 3\)"),
        (HALVES, HALVES, np.zeros((4, 6, 3, 3)), 2, ValueError, "one axis of channels"),
        (HALVES, HALVES, np.full((4, 6), np.nan), 2, ValueError, "NaN"),
        (HALVES, HALVES, None, -1, ValueError, "-1"),
        (HALVES, HALVES, None, 1.5, TypeError, r"1\.5"),
        (HALVES, HALVES, None, True, TypeError, "True"),
        (HALVES.astype(float), HALVES, None, 2, TypeError, "float64"),
        (HALVES, HALVES.astype(float), None, 2, TypeError, "ground truth of float64"),
        (HALVES, HALVES > 0, None, 2, TypeError, "bool"),
        (HALVES, [[1, 2]], None, 2, TypeError, "list"),
        (HALVES - 1, HALVES, None, 2, ValueError, "labels must not be negative; received -1"),
        (HALVES, HALVES - 5, None, 2, ValueError, "ground truth must not be negative; received -5"),
        (HALVES[:0], HALVES[:0], None, 2, ValueError, "hold pixels"),
        (HALVES[0], HALVES[0], None, 2, ValueError, "2 or 3 dimensions"),
    ],
)
def test_bad_arguments_are_refused(labels, truths, image, tolerance, error, message):
    with pytest.raises(error, match=message):
        evaluate(labels, truths, image, tolerance)


def test_only_annotated_pixels_are_compared() -> None:
    """By hand: columns 0 to 3 of 6 are annotated; the superpixel border lies one column right of the true one."""
    truth = np.array([[1, 1, 2, 2, 9, 8]] * 4)
    labels = np.array([[1, 1, 1, 2, 2, 2]] * 4)
    annotated = np.zeros((4, 6), bool)
    annotated[:, :4] = True
    found = evaluate(labels, truth, tolerance=0, annotated=annotated)
    # Superpixel 1 has 8 pixels of segment 1 and 4 of 2; superpixel 2 has 4 annotated ones, all of 2.
    assert found.undersegmentation_error == pytest.approx(4 / 16)
    assert found.undersegmentation_error_np == pytest.approx((4 + 4 + 0 + 4) / 16 - 4 / 16)
    # The true border is columns 1 and 2; the superpixels' is 2 and 3, of which 3 touches what is not annotated.
    assert found.boundary_recall == pytest.approx(0.5)
    assert found.boundary_precision == pytest.approx(1.0)
    changed = np.where(annotated, truth, 5)
    assert evaluate(labels, changed, tolerance=0, annotated=annotated) == found
    everywhere = evaluate(labels, truth, annotated=np.ones_like(annotated))
    assert everywhere == evaluate(labels, truth)


@pytest.mark.parametrize("annotated", [np.zeros((2, 2), bool), np.ones((2, 3), bool), np.ones((2, 2), int), [[True]]])
def test_annotated_must_fit(annotated: object) -> None:
    labels = np.array([[1, 2], [1, 2]])
    with pytest.raises(ValueError, match="annotated"):
        evaluate(labels, labels, annotated=annotated)  # type: ignore[arg-type]


def test_boundaries_count_where_their_surroundings_are_annotated() -> None:
    """Rows 0 to 5 of 8 are annotated: a border is known in rows 0 to 4, and in rows 0 to 2 as far as 2 pixels."""
    truth, labels = np.ones((8, 9), int), np.ones((8, 9), int)
    truth[:, 4:] = 2
    labels[:4, 4:], labels[4:, 8:] = 2, 2
    annotated = np.indices(truth.shape)[0] < 6
    found = evaluate(labels, truth, tolerance=0, annotated=annotated)
    # True border: columns 3 and 4 of rows 0 to 4. Of those, the superpixels' border has both columns in rows 0 to 3
    # and row 3 as a whole beyond column 3 borders row 4 where the labels differ: column 4 of row 4 too.
    assert found.boundary_recall == pytest.approx((4 * 2 + 1) / 10)
    near = evaluate(labels, truth, tolerance=2, annotated=annotated)
    assert near.boundary_precision == 1.0
    assert near.boundary_recall == 1.0


@pytest.mark.parametrize("other", [-4, 0, 10**12])
def test_values_that_are_not_annotated_change_nothing(other: int) -> None:
    rng = np.random.default_rng(0)
    labels, truth = blobs((40, 50), 20, 0), blobs((40, 50), 6, 1)
    annotated = blobs((40, 50), 2, 3) == 1
    found = evaluate(labels, truth, rng.random((40, 50)), annotated=annotated)
    rng = np.random.default_rng(0)
    changed = np.where(annotated, truth.astype(np.int64), other)
    assert evaluate(labels, changed, rng.random((40, 50)), annotated=annotated) == found
    everywhere = evaluate(labels, truth, annotated=np.ones((40, 50), bool))
    for name in ("compactness", "compactness_px", "contour_density", "shape_regularity", "size_spread", "n_components"):
        assert getattr(found, name) == getattr(everywhere, name)
    # The definitions, on the annotated pixels alone.
    expected = reference.against(labels[annotated], truth[annotated], 0)
    assert found.undersegmentation_error == pytest.approx(expected["undersegmentation_error"])
    assert found.undersegmentation_error_np == pytest.approx(expected["undersegmentation_error_np"])
