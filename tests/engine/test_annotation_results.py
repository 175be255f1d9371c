"""Results taken over by an annotation: planes begin with them, others are entries, given back with their parameters."""

from dataclasses import replace

import numpy as np
import pytest
from psygnal.testing import assert_emitted_once, assert_emitted_once_with, assert_not_emitted

from napari_superpixels.core.strokes import pixel_path
from napari_superpixels.engine.annotation import Annotation
from napari_superpixels.engine.corrections import Merge, holds
from napari_superpixels.engine.history import Entry
from napari_superpixels.engine.result_memory import ResultMemory

from .annotation_cases import TABLE, assert_index_is_exact
from .solved_cases import SHAPE, Solver


@pytest.fixture(scope="module")
def solver():
    return Solver()


@pytest.fixture(scope="module")
def few(solver):
    return solver.result()


@pytest.fixture(scope="module")
def many(solver):
    return solver.result(n_segments=60)


@pytest.fixture
def subject(few):
    subject = Annotation(np.zeros(SHAPE, np.int32), np.zeros(SHAPE, np.uint8), table=TABLE)
    subject.accept(few)
    yield subject
    assert_index_is_exact(subject)


def names(subject):
    return [entry.name for entry in subject.history.entries]


def merge(subject):
    return subject.merge(pixel_path([(5, 5), (25, 25)], SHAPE))


def stack(n_planes=3):
    """An annotation of planes, at the first of them."""
    shape = (n_planes, *SHAPE)
    return Annotation(np.zeros(shape, np.int32), np.zeros(shape, np.uint8), table=TABLE)


def go(subject, plane):
    subject.set_plane((plane, slice(None), slice(None)))


def segments(subject, plane):
    return int(np.count_nonzero(np.unique(subject.labels[plane])))


def test_results_are_a_beginning_until_a_hand_comes(subject, few, many):
    assert np.array_equal(subject.labels, few.superpixels.labels)
    assert subject.result is few
    with assert_emitted_once(subject.result_changed), assert_not_emitted(subject.history_changed):
        assert subject.accept(many) is None
    assert names(subject) == []
    assert subject.result is many
    assert subject.params["n_segments"] == 60
    assert subject.undo() is None
    subject.paint([1])
    assert subject.accept(few).name == "Re-segment"


def test_a_segmentation_of_a_painted_plane_can_be_undone(few):
    subject = Annotation(np.zeros(SHAPE, np.int32), np.zeros(SHAPE, np.uint8), table=TABLE)
    subject.replace_classes(np.ones(SHAPE, np.uint8), "Import classes")
    assert subject.accept(few).name == "Segment"
    assert names(subject) == ["Import classes", "Segment"]
    assert subject.result is few
    subject.undo()
    assert not subject.labels.any()
    assert subject.params is None
    assert subject.result is None
    subject.redo()
    assert np.array_equal(subject.labels, few.superpixels.labels)
    assert subject.result is few


def test_beginnings_elsewhere_leave_the_history_alone(few, many):
    subject = stack()
    subject.accept(few)
    subject.paint([1])
    go(subject, 1)
    subject.accept(few)
    subject.paint([2])
    subject.undo()
    subject.undo()
    go(subject, 2)
    subject.accept(few)
    subject.accept(many)
    assert (subject.history.position, names(subject)) == (0, ["Paint nucleus", "Paint nucleus"])
    subject.go_to(2)
    assert [bool(plane.any()) for plane in subject.classes] == [True, True, False]
    assert segments(subject, 2) == len(np.unique(many.superpixels.labels))
    subject.go_to(0)
    assert [segments(subject, plane) for plane in range(3)] == [
        len(np.unique(one.superpixels.labels)) for one in (few, few, many)
    ]


def paint_and_erase(subject):
    subject.paint([3])
    subject.erase([3])


def check_and_uncheck(subject):
    subject.mark_checked(1)
    subject.mark_checked(1, False)


def merge_and_undo(subject):
    merge(subject)
    subject.undo()


def set_superpixels(subject):
    subject.take_array("labels", np.where(subject.labels == 1, 2, subject.labels))


def set_superpixels_from_elsewhere_and_undo(subject):
    go(subject, 2)
    set_superpixels(subject)
    subject.undo()


def stroke_that_goes_on(subject):
    subject.begin_stroke()
    subject.paint([1])


TOUCHES = (
    lambda subject: subject.paint([3]),
    lambda subject: subject.mark_checked(1),
    *(
        merge,
        paint_and_erase,
        check_and_uncheck,
        merge_and_undo,
        set_superpixels,
        set_superpixels_from_elsewhere_and_undo,
    ),
    stroke_that_goes_on,
)


@pytest.mark.parametrize("touch", TOUCHES)
def test_whatever_a_hand_does_in_a_plane_touches_it(solver, few, touch):
    subject = stack()
    subject.accept(few)
    assert subject.is_untouched
    touch(subject)
    go(subject, 1)
    subject.accept(few)
    assert subject.is_untouched
    go(subject, 0)
    assert not subject.is_untouched
    before = subject.labels.copy()
    assert subject.accept(solver.result(subject.corrections, n_segments=60)).name == "Re-segment"
    subject.undo()
    assert np.array_equal(subject.labels, before)


def test_classes_and_tables_of_elsewhere_touch_no_plane(few):
    subject = stack()
    subject.add_class("late")
    classes = np.zeros(subject.classes.shape, np.uint8)
    classes[[0, 2]] = 1
    subject.import_classes(classes, subject.table)
    go(subject, 1)
    assert subject.accept(few) is None
    assert subject.is_untouched
    go(subject, 2)
    assert subject.accept(few).name == "Segment"


def test_superpixels_of_others_are_no_beginning(few, many):
    labels = np.repeat(np.arange(1, 41, dtype=np.int32), 52).reshape(SHAPE)
    subject = Annotation(labels.copy(), np.zeros(SHAPE, np.uint8), table=TABLE)
    assert not subject.is_untouched
    # Repairs follow a result of them, which they do not come from.
    subject.set_result(few)
    assert not subject.is_untouched
    assert subject.accept(many).name == "Re-segment"
    subject.undo()
    assert np.array_equal(subject.labels, labels)


def test_superpixels_that_the_solver_made_before_are_a_beginning(few, many):
    subject = Annotation(few.superpixels.labels.copy(), np.zeros(SHAPE, np.uint8), table=TABLE)
    subject.is_machine_made = True
    assert subject.accept(many) is None
    assert names(subject) == []
    other = stack(1)
    other.is_machine_made = True
    other.restore(other.snapshot())
    assert not other.is_machine_made


def test_a_stored_beginning_is_one_still(few, many):
    subject = stack()
    subject.accept(few)
    go(subject, 1)
    subject.accept(few)
    subject.paint([1])
    again = stack()
    again.restore(subject.snapshot())
    assert again.is_untouched
    assert again.accept(many) is None
    assert names(again) == ["Paint nucleus"]
    go(again, 1)
    assert again.accept(many).name == "Re-segment"


def test_a_beginning_can_be_put_in_elsewhere(few, many):
    subject, again = stack(), stack()
    subject.began.connect(again.put_beginning)
    for plane, result in ((1, few), (2, few), (1, many)):
        go(subject, plane)
        subject.accept(result)
    assert np.array_equal(again.labels, subject.labels)
    assert again.snapshot().planes == subject.snapshot().planes
    assert names(again) == []


def test_the_class_of_each_pixel_stays(subject, many):
    subject.paint([1, 2, 3])
    before = subject.classes.copy()
    assert subject.accept(many).name == "Re-segment"
    assert np.array_equal(subject.classes, before)
    assert np.array_equal(subject.labels, many.superpixels.labels)


def test_undo_gives_parameters_and_result_back(subject, few, many):
    subject.paint([1])
    subject.accept(many)
    assert subject.slowness is many.slowness
    with assert_emitted_once_with(subject.params_changed, few.params.model_dump(mode="json")):
        subject.undo()
    assert subject.result is few
    assert np.array_equal(subject.labels, few.superpixels.labels)
    with assert_emitted_once_with(subject.params_changed, many.params.model_dump(mode="json")):
        subject.redo()
    assert subject.result is many


def test_results_in_a_row_are_one_entry(subject, solver, few, many):
    subject.paint([1])
    subject.accept(many)
    other = solver.result(n_segments=45)
    with assert_emitted_once(subject.amended), assert_not_emitted(subject.committed):
        subject.accept(other)
    assert names(subject) == ["Paint nucleus", "Re-segment"]
    subject.undo()
    assert np.array_equal(subject.labels, few.superpixels.labels)
    assert subject.result is few
    subject.redo()
    assert np.array_equal(subject.labels, other.superpixels.labels)
    assert subject.result is other


def test_a_result_after_an_undo_is_an_entry_of_its_own(subject, many, solver):
    subject.paint([1])
    subject.accept(many)
    subject.paint([2])
    subject.undo()
    subject.accept(solver.result(n_segments=45))
    assert names(subject) == ["Paint nucleus", "Re-segment", "Re-segment"]


def test_the_same_result_again_is_no_entry(subject, few):
    with assert_not_emitted(subject.history_changed), assert_not_emitted(subject.labels_changed):
        assert subject.accept(few) is None


def test_a_result_without_the_latest_corrections_is_refused(subject, many):
    merge(subject)
    before = subject.labels.copy()
    assert subject.accept(many) is None
    assert np.array_equal(subject.labels, before)


def test_corrections_hold_in_other_superpixels(subject, solver):
    merge(subject)
    subject.cut(pixel_path([(30, 5), (30, 30)], SHAPE))
    subject.accept(solver.result(subject.corrections, n_segments=60))
    assert len(subject.corrections) == 2
    assert all(holds(one, subject.labels_plane) for one in subject.corrections)


def test_corrections_that_a_result_lost_come_back(subject, solver):
    merge(subject)
    corrections = subject.corrections
    result = solver.result(corrections, n_segments=60)
    subject.accept(replace(result, lost=corrections))
    assert subject.corrections == ()
    assert names(subject) == ["Merge", "Re-segment"]
    subject.accept(solver.result((), n_segments=50))
    assert names(subject) == ["Merge", "Re-segment"]
    subject.undo()
    assert subject.corrections == corrections
    subject.redo()
    assert subject.corrections == ()


def test_corrections_lost_while_results_join_come_back(subject, solver, many):
    merge(subject)
    corrections = subject.corrections
    subject.accept(solver.result(corrections, n_segments=60))
    subject.accept(replace(solver.result(corrections, n_segments=50), lost=corrections))
    assert subject.corrections == ()
    subject.undo()
    assert subject.corrections == corrections
    subject.redo()
    assert subject.corrections == ()


def test_a_result_of_another_plane_or_shape_is_refused(few):
    subject = stack(2)
    subject.accept(replace(few, inputs=replace(few.inputs, position=(1, None, None))))
    assert not subject.labels.any()
    subject.accept(replace(few, inputs=replace(few.inputs, position=(0, None, None))))
    assert [bool(plane.any()) for plane in subject.labels] == [True, False]
    small = Annotation(np.zeros((4, 4), np.int32), np.zeros((4, 4), np.uint8))
    small.accept(few)
    assert not small.labels.any()


def test_a_result_divides_a_stroke(subject, many):
    subject.begin_stroke("Scribble")
    subject.paint([1])
    subject.accept(many)
    assert subject.is_in_stroke
    subject.paint([60])
    subject.end_stroke()
    assert names(subject) == ["Scribble", "Re-segment", "Scribble"]


def test_repairs_grow_through_the_result_at_hand(subject, few, many):
    subject.paint([1])
    subject.accept(many)
    merge(subject)
    subject.go_to(1)
    first = merge(subject)
    again = Annotation(few.superpixels.labels.copy(), np.zeros(SHAPE, np.uint8))
    again.set_plane((slice(None), slice(None)), few)
    merge(again)
    assert first is not None
    assert np.array_equal(subject.labels, again.labels)


def test_the_result_of_given_superpixels(few, many):
    subject = Annotation(few.superpixels.labels.copy(), np.zeros(SHAPE, np.uint8))
    assert subject.result is None
    assert subject.slowness is None
    subject.set_plane((slice(None), slice(None)), few)
    assert subject.result is few
    subject.set_result(many)
    assert subject.result is few


def test_a_recalled_result_takes_its_place(subject, solver, few):
    state = subject.snapshot()
    other = Annotation(np.zeros(SHAPE, np.int32), np.zeros(SHAPE, np.uint8))
    other.restore(state)
    assert other.result is None
    recalled = solver.result()
    other.set_result(recalled)
    assert other.result is recalled
    other.undo()
    other.redo()
    assert other.result is recalled


def test_entries_work_after_bytes(subject, many, few):
    subject.paint([1])
    subject.accept(many)
    entries = [Entry.from_bytes(entry.to_bytes()) for entry in subject.history.entries]
    subject.history.load(entries, 2)
    subject.go_to(0)
    assert np.array_equal(subject.labels, few.superpixels.labels)
    subject.go_to(2)
    assert np.array_equal(subject.labels, many.superpixels.labels)
    assert subject.params["n_segments"] == 60


def test_corrections_of_a_plane_are_merges_still(subject):
    merge(subject)
    assert [type(one) for one in subject.corrections] == [Merge]


def test_memory_forgets_the_results_longest_unused(few, many, solver):
    third = solver.result(n_segments=45)
    memory = ResultMemory()
    memory.put("a", few)
    size = memory.n_bytes
    memory.put("again", few)
    assert memory.n_bytes == size
    memory.put("b", many)
    memory = ResultMemory(max_bytes=memory.n_bytes)
    for name, result in (("a", few), ("b", many)):
        memory.put(name, result)
    memory.get("a")
    memory.put("c", third)
    assert (memory.get("a"), memory.get("b"), memory.get("c")) == (few, None, third)
    assert memory.name_of(third) == "c"
    assert memory.name_of(many) is None


def test_the_latest_result_stays_however_large(few):
    memory = ResultMemory(max_bytes=1)
    memory.put("a", few)
    assert memory.get("a") is few
