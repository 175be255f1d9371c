"""What planes begin with is in the journal between the acts, and no act in what is restored of it."""

import errno
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from napari_superpixels.engine import journal as journals
from napari_superpixels.engine.annotation import Annotation
from napari_superpixels.engine.journal import Journal, JournaledImage
from napari_superpixels.engine.journal_file import Kind, append
from napari_superpixels.engine.journal_reading import find_unfinished, restore

from .journal_acts import facts, record_ends
from .solved_cases import SHAPE, Solver


def begin_planes(annotation: Annotation, solver: Solver, *planes: int, **changes: int) -> None:
    """Look at planes, each of which is segmented then."""
    for plane in planes:
        annotation.set_plane((plane, slice(None), slice(None)))
        annotation.accept(solver.result(**changes))


@pytest.fixture
def stack() -> Annotation:
    return Annotation(np.zeros((3, *SHAPE), np.int32), np.zeros((3, *SHAPE), np.uint8))


@pytest.fixture
def journal(stack: Annotation, tmp_path: Path):
    journal = Journal(stack, tmp_path / "stack", JournaledImage(np.zeros((3, *SHAPE), np.uint8), "stack"))
    yield journal
    journal.close(keep=True)


def test_what_planes_begin_with_is_written_from_the_first_act_on(journal: Journal, stack: Annotation) -> None:
    solver = Solver()
    begin_planes(stack, solver, 0, 1, 0)
    assert journal.flush()
    assert not journal.path.exists()
    stack.paint([1])
    begin_planes(stack, solver, 1, 2, n_segments=50)
    stack.undo()
    begin_planes(stack, solver, 2, n_segments=40)
    assert journal.flush()
    found = restore(journal.path)
    assert (found.is_torn, found.notes) == (False, ())
    assert facts(found.state) == facts(stack.snapshot())
    assert (found.state.position, len(found.state.entries)) == (0, 1)
    journal.close(keep=True)
    assert [left.n_acts for left in find_unfinished(journal.path.parent)] == [0]


def test_beginnings_torn_anywhere_leave_the_planes_before(journal: Journal, stack: Annotation, tmp_path: Path) -> None:
    solver = Solver()
    begin_planes(stack, solver, 0)
    stack.paint([1])
    assert journal.flush()
    first, after = record_ends(journal.path)[-1], [facts(stack.snapshot())]
    for plane, n_segments in ((1, 30), (2, 40), (1, 50), (2, 20)):
        begin_planes(stack, solver, plane, n_segments=n_segments)
        after.append(facts(stack.snapshot()))
    stack.paint([1])
    after.append(facts(stack.snapshot()))
    assert journal.flush()
    content, torn = journal.path.read_bytes(), tmp_path / "torn.nspj"
    ends = [end for end in record_ends(journal.path) if end >= first]
    assert (len(ends), ends[-1]) == (len(after), len(content))
    for n_records, (start, stop) in enumerate(pairwise(ends)):
        torn.write_bytes(content[:start])
        assert facts(restore(torn).state) == after[n_records]
        for length in {start + 1, start + 12, (start + stop) // 2, stop - 1}:
            torn.write_bytes(content[:length])
            found = restore(torn)
            assert found.is_torn
            assert facts(found.state) == after[n_records]


def test_a_beginning_after_a_failure_waits_for_the_next_act(
    journal: Journal, stack: Annotation, monkeypatch: pytest.MonkeyPatch
) -> None:
    solver = Solver()
    begin_planes(stack, solver, 0)
    stack.paint([1])
    assert journal.flush()

    def fail(*args: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(journals, "append", fail)
        begin_planes(stack, solver, 1)
        assert not journal.flush()
    begin_planes(stack, solver, 2)
    stack.paint([1])
    assert journal.flush()
    assert facts(restore(journal.path).state) == facts(stack.snapshot())


def test_a_beginning_outside_the_image_is_left_out(journal: Journal, stack: Annotation) -> None:
    solver = Solver()
    begin_planes(stack, solver, 0)
    stack.paint([1])
    assert journal.flush()
    told = []
    large = Annotation(np.zeros((9, *SHAPE), np.int32), np.zeros((9, *SHAPE), np.uint8))
    large.began.connect(told.append)
    begin_planes(large, solver, 8)
    with journal.path.open("ab") as file:
        append(file, Kind.began, told[0].to_bytes())
    found = restore(journal.path)
    assert facts(found.state) == facts(stack.snapshot())
    assert "cannot be understood" in found.notes[0]


def test_segmentations_that_earlier_versions_recorded_stay_acts(
    journal: Journal, stack: Annotation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    solver = Solver()
    with monkeypatch.context() as earlier:
        earlier.setattr(Annotation, "is_untouched", False)
        begin_planes(stack, solver, 0, 1)
        stack.undo()
    assert journal.flush()
    content = bytearray(journal.path.read_bytes())
    content[27] = 2
    (tmp_path / "a.nspj").write_bytes(content)
    again = Annotation(np.zeros((3, *SHAPE), np.int32), np.zeros((3, *SHAPE), np.uint8))
    again.restore(restore(tmp_path / "a.nspj").state)
    begin_planes(again, solver, 2)
    again.redo()
    assert facts(again.snapshot())[-1] == 2
    begin_planes(again, solver, 0, n_segments=50)
    assert [entry.name for entry in again.history.entries] == ["Segment", "Segment", "Re-segment"]
    again.go_to(0)
    assert [bool(plane.any()) for plane in again.labels] == [False, False, True]
