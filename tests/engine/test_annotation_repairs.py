"""Repairs as acts of an annotation: recorded as corrections, undone exactly, dropped when another breaks them."""

import numpy as np
import pytest
from psygnal.testing import assert_emitted_once, assert_not_emitted
from skimage.measure import label as connected_components

from napari_superpixels.core.strokes import pixel_path
from napari_superpixels.engine.corrections import Assign, Cut, Merge, RemoveSeed, Split, holds
from napari_superpixels.engine.history import Entry

from .annotation_cases import annotation, assert_index_is_exact, grid

# Squares of 8 pixels, 1 to 5 in the first row, 6 to 10 in the second.
LABELS = grid()


def path(*points):
    return pixel_path(points, LABELS.shape)


@pytest.fixture
def subject():
    subject = annotation()
    yield subject
    assert all(holds(correction, subject.labels_plane) for correction in subject.corrections)
    assert_index_is_exact(subject)
    numbers = np.unique(subject.labels_plane)
    assert connected_components(subject.labels_plane, connectivity=1, background=0).max() == np.sum(numbers > 0)


def assert_undone_and_redone(subject):
    after, corrections = subject.labels.copy(), subject.corrections
    subject.go_to(0)
    assert np.array_equal(subject.labels, LABELS)
    assert subject.corrections == ()
    subject.go_to(len(subject.history.entries))
    assert np.array_equal(subject.labels, after)
    assert subject.corrections == corrections


def test_merge(subject):
    entry = subject.merge(path((4, 4), (4, 20)))
    assert entry.name == "Merge"
    assert np.array_equal(subject.labels == 1, np.isin(LABELS, [1, 2, 3]))
    assert isinstance(subject.corrections[0], Merge)
    assert len(subject.index) == 18
    assert_undone_and_redone(subject)


def test_split(subject):
    assert subject.split([path((1, 1), (1, 6)), path((6, 1), (6, 6))]).name == "Split"
    assert subject.index.label_at((1, 3)) != subject.index.label_at((6, 3))
    assert isinstance(subject.corrections[0], Split)
    assert_undone_and_redone(subject)


def test_cut(subject):
    assert subject.cut(path((3, 0), (3, 12))).name == "Cut"
    assert np.array_equal(subject.labels[3, :8] == subject.labels[4, :8], np.zeros(8, bool))
    assert isinstance(subject.corrections[0], Cut)
    assert_undone_and_redone(subject)


def test_assign(subject):
    assert subject.assign(path((4, 8), (4, 10)), (4, 4)).name == "Move border"
    assert (subject.labels[4, 8:11] == 1).all()
    assert isinstance(subject.corrections[0], Assign)
    assert_undone_and_redone(subject)


@pytest.mark.parametrize("outside", [(32, 0), (0, 40), (31, 40)])
def test_points_outside_the_plane_are_refused(subject, outside):
    acts = {
        "merge has the pixel": lambda: subject.merge([(0, 0), outside]),
        "split has .* in its groups": lambda: subject.split([[(0, 0)], [(0, 1), outside]]),
        "cut has the pixel": lambda: subject.cut([outside, (0, 0)]),
        "assign has .* in its path": lambda: subject.assign([(0, 8), outside], (0, 0)),
        "assign has .* in its anchor": lambda: subject.assign([(0, 8)], outside),
    }
    for message, act in acts.items():
        with pytest.raises(ValueError, match=rf"{message}.*expected pixels of a plane of 32 x 40"):
            act()
    assert subject.add_seed(outside) is None
    assert subject.remove_seed(outside) is None
    assert np.array_equal(subject.labels, LABELS)
    assert subject.history.entries == ()


def test_a_cut_along_the_edge_is_no_point_outside(subject):
    subject.cut(path((31, 0), (31, 12)))
    subject.cut(path((0, 12), (0, 0)))
    subject.cut(path((0, 39), (12, 39)))


def test_add_seed(subject):
    assert subject.add_seed((1, 1)).name == "Add seed"
    assert len(subject.index) == 21
    assert_undone_and_redone(subject)


@pytest.mark.parametrize(("point", "gone"), [((12, 12), 7), ((0, 0), 1), ((31, 39), 20)])
def test_remove_seed(subject, point, gone):
    assert subject.remove_seed(point).name == "Remove seed"
    assert gone not in subject.index
    assert len(subject.index) == 19
    assert isinstance(subject.corrections[0], RemoveSeed)
    assert_undone_and_redone(subject)


def test_the_only_superpixel_stays():
    subject = annotation(np.ones((5, 5), np.int32))
    assert subject.remove_seed((2, 2)) is None


def test_nothing_outside_the_mask():
    labels = grid()
    labels[:8, :8] = 0
    subject = annotation(labels)
    assert subject.remove_seed((2, 2)) is None
    assert subject.add_seed((2, 2)) is None


def test_cut_along_a_border_keeps_it(subject):
    upwards = path((7, 7), (0, 7))
    entry = subject.cut(upwards)
    assert entry.deltas == ()
    assert np.array_equal(subject.labels, LABELS)
    assert isinstance(subject.corrections[0], Cut)
    assert subject.cut(upwards) is None
    assert_undone_and_redone(subject)


def test_what_is_so_already_is_no_entry(subject):
    with assert_not_emitted(subject.history_changed):
        assert subject.merge(path((1, 1), (5, 5))) is None
        assert subject.split([[(1, 1)], [(1, 20)]]) is None


def test_signals(subject):
    with (
        assert_emitted_once(subject.labels_changed),
        assert_emitted_once(subject.corrections_changed),
        assert_emitted_once(subject.committed),
        assert_not_emitted(subject.classes_changed),
    ):
        subject.merge(path((4, 4), (4, 10)))


def test_classes_stay_with_their_pixels(subject):
    subject.paint([1], 1)
    before = subject.classes.copy()
    subject.merge(path((4, 4), (4, 10)))
    assert np.array_equal(subject.classes, before)
    assert subject.index.is_mixed(1)


def test_moved_pixels_take_the_class_of_their_new_superpixel(subject):
    subject.paint([1], 1)
    subject.paint([2], 2)
    entry = subject.assign(path((4, 8), (4, 10)), (4, 4))
    assert np.array_equal(subject.classes == 1, subject.labels == 1)
    assert not subject.index.is_mixed(1)
    assert [delta.array for delta in entry.deltas] == ["labels", "classes"]
    subject.undo()
    assert np.array_equal(subject.classes == 1, LABELS == 1)


def test_moved_pixels_keep_their_class_where_the_new_one_is_not_clear(subject):
    subject.paint([6], 1)
    subject.merge(path((4, 4), (10, 4)))
    before = subject.classes.copy()
    subject.assign(path((4, 8), (4, 10)), (4, 4))
    assert np.array_equal(subject.classes, before)


def test_a_merge_over_a_cut_drops_it_and_undo_brings_it_back(subject):
    subject.cut(path((3, 0), (3, 7)))
    cut = subject.corrections
    subject.merge(path((1, 4), (6, 4)))
    assert [type(one) for one in subject.corrections] == [Merge]
    subject.undo()
    assert subject.corrections == cut
    subject.redo()
    assert [type(one) for one in subject.corrections] == [Merge]


def test_repairs_elsewhere_keep_their_corrections(subject):
    subject.merge(path((4, 4), (4, 10)))
    subject.cut(path((19, 16), (19, 24)))
    subject.remove_seed((30, 30))
    assert len(subject.corrections) == 3


def test_a_repair_ends_a_stroke(subject):
    subject.begin_stroke()
    subject.paint([1])
    subject.merge(path((4, 4), (4, 10)))
    assert [entry.name for entry in subject.history.entries] == ["Paint nucleus", "Merge"]


def test_entries_work_after_bytes(subject):
    subject.merge(path((4, 4), (4, 10)))
    subject.split([[(12, 1)], [(12, 6)]])
    subject.cut(path((19, 16), (19, 24)))
    entries = [Entry.from_bytes(entry.to_bytes()) for entry in subject.history.entries]
    subject.history.load(entries, 3)
    assert_undone_and_redone(subject)


def test_stored_corrections_come_back(subject):
    subject.merge(path((4, 4), (4, 10)))
    other = annotation()
    other.restore(subject.snapshot())
    assert other.corrections == subject.corrections
    assert_undone_and_redone(other)


class TestMixed:
    @pytest.fixture
    def mixed(self, subject):
        subject.paint([1, 2], 1)
        subject.paint([8], 2)
        subject.merge(path((4, 4), (4, 20), (12, 20)))
        return subject

    def test_a_mixed_superpixel_is_split_along_the_border_of_its_classes(self, mixed):
        assert mixed.index.mixed().tolist() == [1]
        assert mixed.split_mixed(1).name == "Split mixed"
        assert mixed.index.mixed().size == 0
        expected = connected_components(np.where(LABELS <= 5, 1 + mixed.classes, 0), connectivity=1)
        for number in np.unique(expected[np.isin(LABELS, [1, 2, 3, 8])]):
            assert len(np.unique(mixed.labels[(expected == number) & np.isin(LABELS, [1, 2, 3, 8])])) == 1

    def test_the_merge_that_mixed_them_is_dropped(self, mixed):
        mixed.split_mixed(1)
        assert [type(one) for one in mixed.corrections] == [Split]
        mixed.undo()
        assert [type(one) for one in mixed.corrections] == [Merge]

    def test_a_pure_superpixel_stays(self, mixed):
        assert mixed.split_mixed(5) is None
        with pytest.raises(KeyError):
            mixed.split_mixed(99)

    def test_all_mixed_superpixels_at_once(self, mixed):
        mixed.paint([11], 3)
        mixed.merge(path((20, 4), (20, 12)))
        n_before = len(mixed.index)
        assert mixed.split_all_mixed().name == "Split all mixed"
        assert mixed.index.mixed().size == 0
        assert len(mixed.index) == n_before + 3
        assert mixed.split_all_mixed() is None

    def test_the_split_is_undone(self, mixed):
        before = mixed.labels.copy()
        mixed.split_all_mixed()
        mixed.undo()
        assert np.array_equal(mixed.labels, before)


def test_a_plane_across_another_axis_is_repaired():
    labels = np.moveaxis(np.stack([grid(), grid()]), 0, 1).copy()
    subject = annotation(labels.copy())
    subject.set_plane((slice(None), 1, slice(None)))
    subject.paint([1], 1)
    subject.merge(path((4, 4), (4, 10)))
    subject.assign(path((9, 0), (9, 5)), (4, 20))
    assert np.array_equal(subject.labels[:, 0], LABELS)
    assert_index_is_exact(subject)
    corrections = subject.corrections
    subject.set_plane((slice(None), 0, slice(None)))
    assert subject.corrections == ()
    subject.go_to(0)
    assert np.array_equal(subject.labels, labels)
    subject.go_to(3)
    subject.set_plane((slice(None), 1, slice(None)))
    assert subject.corrections == corrections
