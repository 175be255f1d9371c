"""Entries in order, forgotten from the oldest, stored as bytes."""

import numpy as np
import pytest
from psygnal.testing import assert_emitted_once

from napari_superpixels.engine.deltas import ArrayDelta
from napari_superpixels.engine.history import Entry, History


def entry(name="Paint", size=3):
    new = np.random.default_rng(0).integers(1, 200, (size, size)).astype(np.uint8)
    delta = ArrayDelta.between("classes", (slice(0, size), slice(0, size)), np.zeros_like(new), new)
    return Entry(name, (delta,), {"checked": []}, {"checked": [[1, 2]]}, (3, None, None))


def names(history):
    return [one.name for one in history.entries]


@pytest.fixture
def history():
    history = History()
    for name in "abc":
        history.push(entry(name))
    return history


def test_undo_and_redo_go_back_and_forth(history):
    assert [history.undo().name for _ in range(3)] == ["c", "b", "a"]
    assert history.undo() is None
    assert not history.can_undo
    assert [history.redo().name for _ in range(3)] == ["a", "b", "c"]
    assert history.redo() is None
    assert not history.can_redo


def test_last_and_next(history):
    history.undo()
    assert (history.last.name, history.next.name) == ("b", "c")


def test_a_new_entry_forgets_what_was_undone(history):
    history.undo()
    history.undo()
    history.push(entry("d"))
    assert names(history) == ["a", "d"]
    assert history.position == 2


def test_amend_replaces_the_last(history):
    history.undo()
    history.amend(entry("d"))
    assert names(history) == ["a", "d"]
    assert history.position == 2


def test_nothing_to_amend():
    with pytest.raises(IndexError, match="no entry"):
        History().amend(entry())


def test_each_change_is_one_signal(history):
    for act in (lambda: history.push(entry()), lambda: history.amend(entry()), history.undo, history.redo):
        with assert_emitted_once(history.changed):
            act()


def test_the_oldest_go_first():
    history = History(max_bytes=3 * entry().n_bytes)
    for name in "abcde":
        history.push(entry(name))
    assert names(history) == ["c", "d", "e"]
    assert history.position == 3
    assert history.n_forgotten == 2
    assert history.n_bytes <= history.max_bytes


def test_the_newest_stays_however_large():
    history = History(max_bytes=10)
    history.push(entry("a"))
    history.push(entry("b"))
    assert names(history) == ["b"]


def test_no_memory_is_refused():
    with pytest.raises(ValueError, match="above 0"):
        History(max_bytes=0)


def test_load(history):
    other = History()
    other.load(history.entries, 1)
    assert (other.last.name, other.next.name) == ("a", "b")
    with pytest.raises(ValueError, match="expected 0 to 3"):
        other.load(history.entries, 4)


def test_an_entry_goes_through_bytes():
    first = entry("Färben")
    second = Entry.from_bytes(first.to_bytes())
    assert (second.name, second.before, second.after, second.plane, second.time) == (
        first.name,
        first.before,
        first.after,
        first.plane,
        first.time,
    )
    assert second.deltas[0].box == first.deltas[0].box
    assert np.array_equal(second.deltas[0].new_values(), first.deltas[0].new_values())


@pytest.mark.parametrize(
    "damage", [lambda d: b"", lambda d: d[:-1], lambda d: d[:20], lambda d: d[8:], lambda d: b"x" * 9]
)
def test_damaged_bytes_are_refused(damage):
    with pytest.raises(ValueError, match="damaged"):
        Entry.from_bytes(damage(entry().to_bytes()))
