"""What napari's brush painted: recorded as it is, or as a repair of superpixels."""

import numpy as np
import pytest
from psygnal.testing import assert_emitted_once, assert_not_emitted
from skimage.measure import label as connected_components

from napari_superpixels.engine.annotation import Annotation
from napari_superpixels.engine.corrections import Assign, Split, holds

from .annotation_cases import TABLE, annotation, assert_index_is_exact, grid

LABELS = grid()


def brush(subject, array, mask, value):
    """Paint as a foreign tool does, and tell the annotation."""
    whole = subject.labels if array == "labels" else subject.classes
    indices = np.nonzero(mask & (whole != value))
    old = whole[indices].copy()
    whole[indices] = value
    return subject.note_brush(array, indices, old, np.full(old.shape, value, whole.dtype))


def region(rows, columns, shape=LABELS.shape):
    mask = np.zeros(shape, bool)
    mask[rows, columns] = True
    return mask


@pytest.fixture
def subject():
    subject = annotation()
    yield subject
    assert_index_is_exact(subject)
    assert all(holds(correction, subject.labels_plane) for correction in subject.corrections)
    after, classes = subject.labels.copy(), subject.classes.copy()
    present = np.unique(after[after > 0])
    assert connected_components(after, connectivity=1, background=0).max() == present.size
    n_entries = len(subject.history.entries)
    subject.go_to(0)
    assert np.array_equal(subject.labels, LABELS)
    assert not subject.classes.any()
    subject.go_to(n_entries)
    assert np.array_equal(subject.labels, after)
    assert np.array_equal(subject.classes, classes)


def test_classes_are_recorded_as_they_are(subject):
    mask = region(slice(3, 13), slice(5, 9))
    with assert_emitted_once(subject.classes_changed), assert_emitted_once(subject.committed):
        entry = brush(subject, "classes", mask, 2)
    assert entry.name == "Brush border"
    assert np.array_equal(subject.classes == 2, mask)


def test_a_class_that_the_table_lacks_is_added(subject):
    brush(subject, "classes", region(0, 0), 9)
    assert 9 in subject.table
    subject.undo()
    assert 9 not in subject.table
    subject.redo()


def test_painting_with_a_superpixel_moves_its_boundary(subject):
    mask = region(slice(2, 5), slice(8, 11))
    assert brush(subject, "labels", mask, 1).name == "Brush superpixel"
    assert (subject.labels[mask] == 1).all()
    assert [type(one) for one in subject.corrections] == [Assign]


def test_painted_pixels_take_the_class_of_their_superpixel(subject):
    subject.paint([1], 1)
    brush(subject, "labels", region(slice(2, 5), slice(8, 11)), 1)
    assert np.array_equal(subject.classes == 1, subject.labels == 1)


def test_a_superpixel_that_is_cut_in_two_is_divided(subject):
    brush(subject, "labels", region(slice(3, 5), slice(8, 16)), 1)
    assert subject.index.label_at((0, 12)) != subject.index.label_at((7, 12))


def test_a_new_number_is_a_new_superpixel(subject):
    mask = region(slice(4, 12), slice(4, 12))
    brush(subject, "labels", mask, 50)
    assert np.array_equal(subject.labels == 50, mask)
    assert np.array_equal(subject.labels[~mask], LABELS[~mask])
    assert [type(one) for one in subject.corrections] == [Split]


def test_a_new_superpixel_over_all_of_others(subject):
    mask = np.isin(LABELS, [1, 2])
    brush(subject, "labels", mask, 50)
    assert np.array_equal(subject.labels == 50, mask)
    assert [type(one) for one in subject.corrections] == [Assign]


def test_a_new_superpixel_through_the_middle_divides(subject):
    brush(subject, "labels", region(slice(3, 5), slice(0, 40)), 50)
    assert len(subject.index) == 20 + 1 + 5


@pytest.mark.parametrize("number", [-1, -(2**31)])
def test_negative_numbers_are_outside(subject, number):
    mask = region(slice(0, 8), slice(3, 5))
    brush(subject, "labels", mask, number)
    assert np.array_equal(subject.labels == 0, mask)
    assert subject.labels.min() == 0
    assert brush(subject, "labels", mask, number) is None
    assert subject.labels.min() == 0


def test_a_number_far_beyond_the_others_is_the_next_one(subject):
    mask = region(slice(4, 12), slice(4, 12))
    brush(subject, "labels", mask, 2_000_000_000)
    assert np.array_equal(subject.labels == 21, mask)
    assert [type(one) for one in subject.corrections] == [Split]


def test_erased_superpixels_are_outside(subject):
    mask = region(slice(0, 8), slice(3, 5))
    brush(subject, "labels", mask, 0)
    assert np.array_equal(subject.labels == 0, mask)
    assert len(subject.index) == 21
    assert subject.corrections == ()


def test_painting_outside_the_mask_grows_a_superpixel(subject):
    brush(subject, "labels", np.isin(LABELS, [2]), 0)
    mask = region(slice(2, 5), slice(8, 11))
    brush(subject, "labels", mask, 1)
    assert (subject.labels[mask] == 1).all()


def test_a_superpixel_painted_far_away_is_joined_to_it(subject):
    mask = region(slice(18, 20), slice(18, 20))
    brush(subject, "labels", mask, 1)
    assert (subject.labels[mask] == 1).all()


def test_a_stroke_that_changed_nothing(subject):
    with assert_not_emitted(subject.history_changed):
        assert brush(subject, "classes", region(0, 0), 0) is None


def test_strokes_through_several_planes():
    subject = annotation(np.stack([grid(), grid()]))
    mask = np.zeros((2, *LABELS.shape), bool)
    mask[:, 2:5, 8:11] = True
    assert subject.index.area_of(1) == 64
    brush(subject, "labels", mask, 1)
    brush(subject, "classes", mask, 2)
    assert (subject.labels[mask] == 1).all()
    assert (subject.classes[mask] == 2).all()
    brush(subject, "labels", mask, 2_000_000_000)
    assert (subject.labels[mask] == 21).all()
    assert_index_is_exact(subject)
    subject.go_to(0)
    assert np.array_equal(subject.labels, np.stack([LABELS, LABELS]))
    assert not subject.classes.any()
    assert_index_is_exact(subject)


def test_strokes_at_any_channel_are_repairs():
    shape = (3, *LABELS.shape)
    labels, classes = (
        np.lib.stride_tricks.as_strided(plane, shape, (0, *plane.strides))
        for plane in (grid(), np.zeros(LABELS.shape, np.uint8))
    )
    subject = Annotation(labels, classes, table=TABLE)
    subject.set_plane((0, slice(None), slice(None)))
    assert subject.index.area_of(1) == 64
    mask = np.zeros(shape, bool)
    mask[2, 2:5, 8:11] = True
    brush(subject, "labels", mask, 1)
    assert subject.index.area_of(1) >= 64 + 9
    assert [type(one) for one in subject.corrections] == [Assign]
    brush(subject, "classes", mask, 2)
    assert_index_is_exact(subject)
    assert (subject.classes_plane == 2).sum() == 9
    subject.go_to(0)
    assert np.array_equal(subject.labels_plane, LABELS)
    assert not subject.classes.any()
    assert_index_is_exact(subject)
