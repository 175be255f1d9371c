"""Painting, undo and redo of an annotation, and its signals."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from psygnal.testing import assert_emitted_once, assert_emitted_once_with, assert_not_emitted

from napari_superpixels.data.class_table import ClassTable
from napari_superpixels.engine.annotation import Annotation
from napari_superpixels.engine.history import Entry
from napari_superpixels.errors import ImageError

from .annotation_cases import TABLE, annotation, assert_index_is_exact, grid

LABELS = grid()


def painted(*labels):
    return np.isin(LABELS, labels)


def names(subject):
    return [entry.name for entry in subject.history.entries]


@pytest.fixture
def subject():
    return annotation()


def test_paint_gives_whole_superpixels_the_current_class(subject):
    subject.current_class = 2
    assert subject.paint([3, 7]).name == "Paint border"
    assert np.array_equal(subject.classes, 2 * painted(3, 7))
    assert subject.index.class_of(3) == 2
    assert_index_is_exact(subject)


def test_paint_with_a_class(subject):
    subject.paint([3], 3)
    assert np.array_equal(subject.classes, 3 * painted(3))
    assert names(subject) == ["Paint glass"]


def test_painting_again_is_no_entry(subject):
    subject.paint([3])
    with assert_not_emitted(subject.committed), assert_not_emitted(subject.classes_changed):
        assert subject.paint([3]) is None


@pytest.mark.parametrize("labels", [[], [0], [99], [-4]])
def test_nothing_to_paint(subject, labels):
    assert subject.paint(labels) is None
    assert not subject.classes.any()


def test_erase(subject):
    subject.paint([3, 4])
    assert subject.erase([4]).name == "Erase"
    assert np.array_equal(subject.classes > 0, painted(3))


def test_an_unknown_class_is_refused(subject):
    with pytest.raises(ValueError, match="no class 9"):
        subject.paint([1], 9)
    with pytest.raises(ValueError, match="no class 9"):
        subject.current_class = 9


def test_fill_follows_the_class(subject):
    subject.paint([2, 7, 12, 17], 1)
    subject.fill(1, 2)
    assert np.array_equal(subject.classes == 2, painted(1, 6, 11, 16))
    subject.fill(7, 3)
    assert np.array_equal(subject.classes == 3, painted(2, 7, 12, 17))
    assert names(subject)[1:] == ["Fill border", "Fill glass"]


def test_paint_inside(subject):
    subject.paint_inside((slice(2, 14), slice(2, 14)), np.ones((12, 12), bool), 1)
    assert np.array_equal(subject.classes == 1, painted(1, 2, 6, 7))
    assert names(subject) == ["Paint nucleus inside"]


def test_a_stroke_is_one_entry(subject):
    subject.begin_stroke()
    for label in (1, 2, 1, 8):
        assert subject.paint([label]) is None
    assert subject.is_in_stroke
    assert np.array_equal(subject.classes > 0, painted(1, 2, 8))
    entry = subject.end_stroke()
    assert entry.name == "Paint nucleus"
    assert len(entry.deltas) == 1
    subject.undo()
    assert not subject.classes.any()
    subject.redo()
    assert np.array_equal(subject.classes > 0, painted(1, 2, 8))
    assert_index_is_exact(subject)


def test_a_stroke_that_comes_back_to_where_it_began_is_no_entry(subject):
    subject.begin_stroke("Scribble")
    subject.paint([1])
    subject.erase([1])
    with assert_not_emitted(subject.committed):
        assert subject.end_stroke() is None


def test_a_stroke_can_be_named(subject):
    subject.begin_stroke("Lasso")
    subject.paint([1])
    assert subject.end_stroke().name == "Lasso"


def test_a_cancelled_stroke_leaves_nothing(subject):
    subject.paint([1], 2)
    subject.begin_stroke()
    subject.paint([1, 2], 1)
    subject.paint([2, 3], 3)
    subject.cancel_stroke()
    assert np.array_equal(subject.classes, 2 * painted(1))
    assert names(subject) == ["Paint border"]
    assert_index_is_exact(subject)


def test_undo_ends_a_stroke_first(subject):
    subject.begin_stroke()
    subject.paint([1])
    assert subject.undo().name == "Paint nucleus"
    assert not subject.classes.any()
    assert not subject.is_in_stroke


def test_no_stroke_to_end(subject):
    assert subject.end_stroke() is None
    subject.cancel_stroke()


def test_signals_of_painting(subject):
    with (
        assert_emitted_once_with(subject.classes_changed, (slice(0, 8), slice(8, 16))),
        assert_not_emitted(subject.labels_changed),
        assert_emitted_once(subject.history_changed),
        assert_emitted_once(subject.committed),
    ):
        subject.paint([2])


def test_signals_of_undo_and_redo(subject):
    entry = subject.paint([2])
    for act, signal in ((subject.undo, subject.undone), (subject.redo, subject.redone)):
        with (
            assert_emitted_once_with(signal, entry),
            assert_emitted_once(subject.classes_changed),
            assert_emitted_once(subject.history_changed),
            assert_not_emitted(subject.committed),
        ):
            act()


def test_all_is_up_to_date_when_the_history_changes(subject):
    seen = []
    subject.history_changed.connect(lambda: seen.append((subject.history.position, subject.classes.any())))
    subject.paint([2])
    subject.undo()
    assert seen == [(1, True), (0, False)]


def test_go_to(subject):
    for label in (1, 2, 3):
        subject.paint([label])
    subject.go_to(1)
    assert np.array_equal(subject.classes > 0, painted(1))
    subject.go_to(3)
    assert np.array_equal(subject.classes > 0, painted(1, 2, 3))
    with pytest.raises(ValueError, match="expected 0 to 3"):
        subject.go_to(4)


def test_nothing_to_undo(subject):
    assert subject.undo() is None
    assert subject.redo() is None


def test_writes_go_through_the_given_function():
    labels, classes, calls = grid(), np.zeros((32, 40), np.uint8), []

    def write(name, box, mask, values):
        calls.append((name, box))
        if mask is None:
            classes[box] = values
        else:
            classes[box][mask] = values

    subject = Annotation(labels, classes, table=TABLE, write=write)
    subject.paint([1])
    subject.undo()
    assert calls == [("classes", (slice(0, 8), slice(0, 8)))] * 2
    assert not classes.any()


def test_progress(subject):
    subject.paint([1, 2, 3, 4, 5])
    assert subject.progress == pytest.approx(0.25)


def test_classes_that_pixels_have_get_into_the_table():
    classes = np.zeros((32, 40), np.uint8)
    classes[0, 0], classes[1, 1] = 3, 7
    assert Annotation(grid(), classes).table.numbers == (1, 3, 7)


def test_replace_classes(subject):
    values = np.zeros(LABELS.shape, np.uint8)
    values[:4] = 9
    subject.replace_classes(values)
    assert np.array_equal(subject.classes, values)
    assert 9 in subject.table
    assert_index_is_exact(subject)
    subject.undo()
    assert 9 not in subject.table
    assert not subject.classes.any()
    with pytest.raises(ValueError, match=r"\(3, 3\)"):
        subject.replace_classes(np.zeros((3, 3), np.uint8))


@pytest.mark.parametrize(
    ("labels", "classes", "error"),
    [
        (np.zeros((3, 3), np.int64), np.zeros((3, 3), np.uint8), TypeError),
        (np.zeros((3, 3), np.int32), np.zeros((3, 3), bool), TypeError),
        (np.zeros((3, 3), np.int32), np.zeros((3, 4), np.uint8), ValueError),
        (np.zeros(3, np.int32), np.zeros(3, np.uint8), ValueError),
        (np.broadcast_to(np.int32(0), (2, 2**15, 2**16)), np.broadcast_to(np.uint8(0), (2, 2**15, 2**16)), ImageError),
    ],
)
def test_arrays_that_do_not_fit_are_refused(labels, classes, error):
    with pytest.raises(error, match="expected"):
        Annotation(labels, classes)


class TestStacks:
    @pytest.fixture
    def stack(self):
        return annotation(np.stack([grid(), grid(), grid(2, 2, 16)[:, :32].repeat(2, axis=1)[:, :40]]))

    def test_each_plane_is_its_own(self, stack):
        stack.paint([1])
        stack.set_plane((1, slice(None), slice(None)))
        assert stack.plane == (1, None, None)
        stack.paint([2])
        assert np.array_equal(stack.classes[0] > 0, painted(1))
        assert np.array_equal(stack.classes[1] > 0, painted(2))
        assert [entry.plane for entry in stack.history.entries] == [(0, None, None), (1, None, None)]

    def test_undo_reaches_other_planes(self, stack):
        stack.paint([1])
        stack.set_plane((1, slice(None), slice(None)))
        with assert_emitted_once_with(stack.classes_changed, (slice(0, 1), slice(0, 8), slice(0, 8))):
            stack.undo()
        assert not stack.classes.any()
        assert stack.plane_box((slice(0, 1), slice(0, 8), slice(0, 8))) is None
        assert stack.plane_box((slice(0, 2), slice(0, 8), slice(1, 8))) == (slice(0, 8), slice(1, 8))

    def test_another_axis_can_be_cut(self):
        labels = np.moveaxis(np.stack([grid(), grid()]), 0, 1).copy()
        subject = annotation(labels)
        subject.set_plane((slice(None), 1, slice(None)))
        subject.paint([7])
        assert np.array_equal(subject.classes[:, 1] > 0, painted(7))
        assert not subject.classes[:, 0].any()
        subject.undo()
        assert not subject.classes.any()
        assert_index_is_exact(subject)

    def test_another_plane_is_one_signal(self, stack):
        with assert_emitted_once_with(stack.plane_changed, (2, None, None)):
            stack.set_plane((2, slice(None), slice(None)))
        with assert_not_emitted(stack.plane_changed):
            stack.set_plane((2, slice(None), slice(None)))

    def test_another_plane_ends_a_stroke(self, stack):
        stack.begin_stroke()
        stack.paint([1])
        stack.set_plane((1, slice(None), slice(None)))
        assert stack.history.entries[0].plane == (0, None, None)

    @pytest.mark.parametrize(
        "index", [(0, 0, slice(None)), (slice(None),) * 3, (0, slice(None)), (0, slice(1), slice(None))]
    )
    def test_an_index_that_is_no_plane_is_refused(self, stack, index):
        with pytest.raises(ValueError, match="two slice"):
            stack.set_plane(index)

    def test_a_plane_that_is_not_there_is_refused(self, stack):
        with pytest.raises(IndexError, match="no plane"):
            stack.set_plane((3, slice(None), slice(None)))


class TestClasses:
    def test_edits_are_undone_and_redone(self, subject):
        subject.add_class("cell", (1, 2, 3))
        subject.rename_class(1, "core")
        subject.recolor_class(2, (9, 9, 9))
        subject.move_class(4, 0)
        after = subject.table
        assert [(one.number, one.name) for one in after] == [(4, "cell"), (1, "core"), (2, "border"), (3, "glass")]
        assert names(subject) == ["Add cell", "Rename nucleus", "Recolour border", "Move cell"]
        subject.go_to(0)
        assert subject.table == TABLE
        subject.go_to(4)
        assert subject.table == after

    def test_a_new_class_is_the_current_one(self, subject):
        with assert_emitted_once(subject.table_changed), assert_emitted_once_with(subject.current_class_changed, 4):
            assert subject.add_class() == 4
        assert subject.current_class == 4

    def test_undoing_a_new_class_leaves_a_current_one(self, subject):
        subject.add_class()
        subject.undo()
        assert subject.current_class == 1

    def test_no_change_is_no_entry(self, subject):
        with assert_not_emitted(subject.history_changed):
            assert subject.rename_class(1, "nucleus") is None

    def test_removing_a_class_takes_it_from_the_pixels(self, subject):
        subject.paint([1], 1)
        subject.paint([2], 2)
        subject.remove_class(1)
        assert subject.table.numbers == (2, 3)
        assert np.array_equal(subject.classes, 2 * painted(2))
        assert_index_is_exact(subject)
        subject.undo()
        assert np.array_equal(subject.classes == 1, painted(1))
        assert subject.table == TABLE
        assert_index_is_exact(subject)

    def test_removing_a_class_reaches_all_planes(self):
        subject = annotation(np.stack([grid(), grid()]))
        subject.paint([1], 2)
        subject.set_plane((1, slice(None), slice(None)))
        subject.paint([5], 2)
        before = subject.classes.copy()
        subject.remove_class(2)
        assert not subject.classes.any()
        subject.undo()
        assert np.array_equal(subject.classes, before)
        assert_index_is_exact(subject)

    def test_the_last_class_can_go(self):
        subject = annotation()
        for number in (1, 2, 3):
            subject.remove_class(number)
        assert subject.current_class == 0
        assert subject.add_class("new") == 1

    def test_import_keeps_the_classes_of_pixels(self, subject):
        subject.paint([1], 3)
        subject.import_table(ClassTable().added("cell"))
        assert [(one.number, one.name) for one in subject.table] == [(1, "cell"), (3, "class 3")]
        subject.undo()
        assert subject.table == TABLE

    def test_a_bad_edit_changes_nothing(self, subject):
        with assert_not_emitted(subject.history_changed), pytest.raises(ValueError, match="glass"):
            subject.rename_class(1, "glass")


class TestChecked:
    def test_marks_are_undone(self, subject):
        with assert_emitted_once(subject.checked_changed):
            subject.mark_checked(7)
        assert subject.checked_labels() == {7}
        subject.mark_checked(7, False)
        assert subject.checked == frozenset()
        subject.undo()
        assert subject.checked_labels() == {7}
        subject.undo()
        assert subject.checked_labels() == frozenset()

    def test_what_is_so_already_is_no_entry(self, subject):
        assert subject.mark_checked(7, False) is None
        subject.mark_checked(7)
        assert subject.mark_checked(7) is None

    def test_a_superpixel_that_is_not_there(self, subject):
        with pytest.raises(KeyError, match="no superpixel 99"):
            subject.mark_checked(99)


class TestStored:
    def test_a_snapshot_restores_everything(self, subject):
        subject.paint([1, 2])
        subject.mark_checked(3)
        subject.add_class("cell")
        subject.paint([4])
        subject.undo()
        state = subject.snapshot()
        other = annotation()
        other.paint([9])
        with assert_emitted_once(other.restored), assert_emitted_once(other.history_changed):
            other.restore(state)
        assert np.array_equal(other.classes, subject.classes)
        assert other.table == subject.table
        assert other.checked_labels() == {3}
        assert other.redo().name == "Paint cell"
        other.go_to(0)
        assert not other.classes.any()
        assert_index_is_exact(other)

    def test_a_snapshot_is_a_copy(self, subject):
        state = subject.snapshot()
        subject.paint([1])
        assert not state.classes.any()

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what memory is in use")
    def test_a_snapshot_of_a_stack_takes_memory_for_planes_that_hold_something(self):
        def megabytes() -> float:
            return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

        stack = annotation(np.zeros((128, 512, 512), np.int32))
        stack.labels[5] = 7
        stack.classes[[5, 9]] = 1
        before = megabytes()
        state = stack.snapshot()
        assert megabytes() - before < 60
        assert np.array_equal(state.labels, stack.labels)
        assert np.array_equal(state.classes, stack.classes)

    def test_entries_work_after_bytes(self, subject):
        subject.paint([1, 3])
        subject.mark_checked(1)
        before = subject.classes.copy()
        entries = [Entry.from_bytes(entry.to_bytes()) for entry in subject.history.entries]
        subject.history.load(entries, 2)
        subject.go_to(0)
        assert not subject.classes.any()
        assert not subject.checked
        subject.go_to(2)
        assert np.array_equal(subject.classes, before)
        assert subject.checked_labels() == {1}

    def test_another_shape_is_refused(self, subject):
        with pytest.raises(ValueError, match="open the image"):
            subject.restore(annotation(grid(1, 1)).snapshot())
