"""The index against counting by hand, built at once and kept up to date."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_superpixels.engine.region_index import RegionIndex

from .annotation_cases import facts, grid

LABELS = np.array([[1, 1, 2, 2], [1, 4, 4, 2], [0, 4, 9, 9]], np.int32)
CLASSES = np.array([[1, 1, 0, 0], [1, 2, 2, 0], [3, 0, 0, 0]], np.uint8)


@pytest.fixture
def index():
    return RegionIndex(LABELS.copy(), CLASSES.copy())


def by_hand(labels, classes):
    present = [k for k in np.unique(labels).tolist() if k]
    of = {}
    for k in present:
        rows, columns = np.nonzero(labels == k)
        counts = np.bincount(classes[labels == k])
        box = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
        of[k] = (box, rows.size, int(counts.argmax()), np.count_nonzero(counts) > 1)
    majorities = [entry[2] for entry in of.values()]
    inside = labels > 0 if present else np.ones(labels.shape, bool)
    return {
        "next": max(present, default=0) + 1,
        "mixed": [k for k in present if of[k][3]],
        "superpixels": {c: majorities.count(c) for c in sorted(set(majorities))},
        "pixels": {int(c): int(np.sum(classes == c)) for c in np.unique(classes)},
        "share": pytest.approx(np.mean(classes[inside] > 0)),
        "of": of,
    }


def test_an_index_counts_rightly(index):
    assert facts(index) == by_hand(LABELS, CLASSES)
    assert len(index) == 4
    assert index.labels.tolist() == [1, 2, 4, 9]
    assert index.next_label == 10


def test_masks(index):
    box, mask = index.mask_of(4)
    assert np.array_equal(mask, [[True, True], [True, False]])
    assert box == (slice(1, 3), slice(1, 3))
    box, mask = index.pixels_of([1, 9, 3, 77, -1])
    whole = np.zeros(LABELS.shape, bool)
    whole[box] = mask
    assert np.array_equal(whole, np.isin(LABELS, [1, 9]))


def test_no_labels_are_an_empty_box(index):
    box, mask = index.pixels_of([])
    assert LABELS[box].size == mask.size == 0


@pytest.mark.parametrize("label", [0, 3, 10, -1])
def test_a_superpixel_that_is_not_there_is_a_key_error(index, label):
    with pytest.raises(KeyError, match=f"no superpixel {label}"):
        index.box_of(label)


def test_anchors_are_inside():
    labels = np.full((9, 9), 1, np.int32)
    labels[2:7, 2:7] = 2
    index = RegionIndex(labels, np.zeros((9, 9), np.uint8))
    assert index.anchor_of(2) == (4, 4)
    assert labels[index.anchor_of(1)] == 1


def test_label_at(index):
    assert index.label_at((1, 1)) == 4
    assert [index.label_at(point) for point in [(2, 0), (-1, 0), (0, 4), (3, 0)]] == [0, 0, 0, 0]


def test_connected_superpixels_of_the_same_class():
    labels = grid(1, 5, 2)
    classes = np.zeros(labels.shape, np.uint8)
    classes[labels == 3] = 1
    index = RegionIndex(labels, classes)
    assert sorted(index.connected(1)) == [1, 2]
    assert sorted(index.connected(4)) == [4, 5]
    assert sorted(index.connected(3)) == [3]


def test_connections_do_not_pass_through_what_is_outside_the_mask():
    labels = np.array([[1, 0, 2]], np.int32)
    assert RegionIndex(labels, np.zeros((1, 3), np.uint8)).connected(1).tolist() == [1]


@pytest.mark.parametrize(("rule", "expected"), [("any", [1, 2, 3, 4]), ("center", [1]), ("all", [])])
def test_rules_of_inside(rule, expected):
    index = RegionIndex(grid(2, 2, 5), np.zeros((10, 10), np.uint8))
    mask = np.ones((5, 5), bool)
    assert index.labels_inside((slice(1, 6), slice(1, 6)), mask, rule).tolist() == expected


def test_all_of_a_superpixel_is_inside():
    index = RegionIndex(grid(2, 2, 5), np.zeros((10, 10), np.uint8))
    assert index.labels_inside((slice(0, 10), slice(0, 5)), np.ones((10, 5), bool), "all").tolist() == [1, 3]


def test_another_rule_is_refused(index):
    with pytest.raises(ValueError, match="'most'"):
        index.labels_inside((slice(0, 1), slice(0, 1)), np.ones((1, 1), bool), "most")


def test_a_plane_without_superpixels():
    classes = np.zeros((3, 3), np.uint8)
    classes[0] = 1
    index = RegionIndex(np.zeros((3, 3), np.int32), classes)
    assert len(index) == 0
    assert index.next_label == 1
    assert index.annotated_share() == pytest.approx(1 / 3)


boxes = st.tuples(st.integers(0, 11), st.integers(0, 11), st.integers(1, 9), st.integers(1, 9))
steps = st.lists(st.tuples(st.booleans(), boxes, st.integers(0, 40), st.integers(0, 2**32 - 1)), max_size=12)


@settings(deadline=None)
@given(steps)
def test_keeping_up_equals_building_anew(changes):
    labels, classes = grid(3, 3, 4), np.zeros((12, 12), np.uint8)
    index = RegionIndex(labels, classes)
    for is_labels, (top, left, height, width), value, seed in changes:
        box = (slice(top, min(top + height, 12)), slice(left, min(left + width, 12)))
        array = labels if is_labels else classes
        old = array[box].copy()
        array[box] = np.where(np.random.default_rng(seed).random(old.shape) < 0.7, value, old)
        (index.labels_changed if is_labels else index.classes_changed)(box, old)
        assert facts(index) == by_hand(labels, classes)
