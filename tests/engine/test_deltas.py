"""Changes of arrays: put in and taken back exactly, through bytes too."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_superpixels.engine.deltas import ArrayDelta, Runs, box_around, classes_used

few = st.integers(0, 3)


@given(arrays(np.int32, array_shapes(max_dims=3, max_side=8), elements=few))
def test_runs_hold_an_array(array):
    runs = Runs.of(array)
    assert np.array_equal(runs.array(), array.ravel())
    assert runs.array().dtype == array.dtype
    assert len(runs) == array.size


def test_runs_of_labels_are_small():
    labels = np.kron(np.arange(100, dtype=np.int32).reshape(10, 10), np.ones((20, 20), np.int32))
    assert Runs.of(labels).n_bytes < labels.nbytes / 9


def test_no_elements_are_no_runs():
    assert Runs.of(np.zeros((0, 3), np.uint8)).array().tolist() == []


pairs = array_shapes(min_dims=2, max_dims=3, max_side=8).flatmap(
    lambda shape: st.tuples(arrays(np.uint8, shape, elements=few), arrays(np.uint8, shape, elements=few))
)


@given(pairs)
def test_a_change_goes_in_and_comes_back(pair):
    old, new = pair
    delta = ArrayDelta.between("classes", tuple(slice(0, n) for n in old.shape), old, new)
    if delta is None:
        assert np.array_equal(old, new)
        return
    for change in (delta, ArrayDelta.from_bytes(delta.to_bytes())):
        array = old.copy()
        change.put_into(array)
        assert np.array_equal(array, new)
        change.reversed().put_into(array)
        assert np.array_equal(array, old)


def test_a_change_is_cut_to_what_differs():
    old = np.zeros((20, 30), np.int32)
    new = old.copy()
    new[4:6, 7:9] = 5
    delta = ArrayDelta.between("labels", (slice(100, 120), slice(0, 30)), old, new)
    assert delta.box == (slice(104, 106), slice(7, 9))
    assert delta.mask is None
    assert delta.pixels() is None
    assert delta.new_values().tolist() == [[5, 5], [5, 5]]


def test_a_change_of_part_of_a_box_has_a_mask():
    delta = ArrayDelta.between("labels", (slice(0, 2), slice(0, 2)), np.zeros((2, 2)), np.eye(2))
    assert delta.pixels().tolist() == [[True, False], [False, True]]
    assert delta.new_values().tolist() == [1, 1]


def test_a_change_goes_into_a_part():
    delta = ArrayDelta.between("labels", (slice(10, 12), slice(20, 22)), np.zeros((2, 2)), np.eye(2))
    part = np.zeros((3, 3))
    delta.put_into(part, origin=(9, 20))
    assert part.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]


@pytest.fixture
def stored():
    new = np.zeros((6, 6), np.int32)
    new[1, 2], new[4, 4] = 7, 8
    return ArrayDelta.between("labels", (slice(0, 6), slice(0, 6)), np.zeros((6, 6), np.int32), new).to_bytes()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:10],
        lambda data: data[:-3],
        lambda data: b"\xff" * len(data),
        lambda data: data.replace(b'"labels"', b'"pixels"'),
        lambda data: data.replace(b"[1, 5]", b"[1, 6]"),
        lambda data: data.replace(b"[1, 5]", b"[5, 1]"),
        lambda data: data.replace(b'"sizes": [', b'"sizes": [9'),
    ],
)
def test_damaged_bytes_are_refused(stored, damage):
    with pytest.raises(ValueError, match=r"damaged"):
        ArrayDelta.from_bytes(damage(stored))


def test_box_around():
    assert box_around([(slice(3, 4), slice(0, 1)), (slice(0, 2), slice(5, 9))]) == (slice(0, 4), slice(0, 9))
    with pytest.raises(ValueError, match="no boxes"):
        box_around([])


def test_classes_used():
    assert classes_used(np.array([[0, 3], [255, 3]], np.uint8)) == [3, 255]


def test_negative_labels_of_earlier_versions_are_read_as_0():
    old, new = np.array([[1, -2, 3]], np.int32), np.array([[-1, 5, 3]], np.int32)
    delta = ArrayDelta.between("labels", (slice(0, 1), slice(0, 3)), old, new)
    stored = ArrayDelta.from_bytes(delta.to_bytes())
    array = np.array([[1, 0, 3]], np.int32)
    stored.put_into(array)
    assert array.tolist() == [[0, 5, 3]]
    stored.reversed().put_into(array)
    assert array.tolist() == [[1, 0, 3]]
