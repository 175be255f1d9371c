"""Locking of journals, where file systems differ."""

import errno
import os
import sys
from pathlib import Path

import pytest

from napari_superpixels.engine import journal as journals
from napari_superpixels.engine.journal import Journal
from napari_superpixels.engine.journal_reading import find_unfinished, restore

from .journal_acts import JOURNALED, act, facts, new_annotation

if sys.platform == "win32":
    pytest.skip("Windows locks in another way.", allow_module_level=True)

import fcntl


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """Return a journal that a program left behind."""
    annotation = new_annotation()
    journal = Journal(annotation, tmp_path, JOURNALED)
    annotation.paint([1])
    journal.close(keep=True)
    return journal.path


def test_network_file_systems_lock_what_is_open_for_writing(left: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flock, modes = fcntl.flock, []

    def flock_of_nfs(file, operation: int) -> None:
        modes.append(fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE)
        if modes[-1] == os.O_RDONLY:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", flock_of_nfs)
    assert [one.path for one in find_unfinished(left.parent)] == [left]
    assert modes == [os.O_RDWR]
    left.chmod(0o400)
    assert [one.path for one in find_unfinished(left.parent)] == [left]


@pytest.mark.parametrize(
    ("number", "is_offered"),
    [
        (errno.ENOSYS, True),
        (errno.ENOLCK, True),
        (errno.EBADF, True),
        (errno.EAGAIN, False),
        (errno.EACCES, False),
    ],
)
def test_where_nothing_is_locked_journals_are_offered(
    left: Path, monkeypatch: pytest.MonkeyPatch, number: int, is_offered: bool
) -> None:
    def fail(*args: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", fail)
    assert bool(find_unfinished(left.parent)) == is_offered


def test_who_looks_at_a_journal_holds_its_program_up_for_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [False, False, True]
    monkeypatch.setattr(journals, "lock", lambda file: answers.pop(0))
    annotation = new_annotation()
    journal = Journal(annotation, tmp_path, JOURNALED)
    act(annotation, 0)
    assert journal.flush()
    assert not answers
    journal.close()


def test_a_journal_that_another_program_keeps_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    annotation, errors = new_annotation(), []
    journal = Journal(annotation, tmp_path, JOURNALED)
    journal.failed.connect(errors.append)
    with monkeypatch.context() as held:
        held.setattr(journals, "lock", lambda file: False)
        held.setattr(journals, "_LOCK_SECONDS", 0.05)
        act(annotation, 0)
        assert not journal.flush()
    assert "held by another program" in str(errors[0])
    act(annotation, 1)
    assert journal.flush()
    assert facts(restore(journal.path).state) == facts(annotation.snapshot())
    journal.close()
