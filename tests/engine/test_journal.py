"""The journal: what is lost when a program is killed, when a file is torn, when the disk is full."""

import errno
import os
import random
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from napari_superpixels.core.strokes import pixel_path
from napari_superpixels.engine import journal as journals
from napari_superpixels.engine import project as projects
from napari_superpixels.engine.annotation import Annotation
from napari_superpixels.engine.journal import Journal, JournaledImage, default_journal_folder
from napari_superpixels.engine.journal_file import Kind, append, write_start
from napari_superpixels.engine.journal_reading import find_unfinished, restore
from napari_superpixels.engine.project import image_reference
from napari_superpixels.errors import ReadError

from .journal_acts import IMAGE, JOURNALED, act, annotation_after, facts, new_annotation, record_ends
from .solved_cases import SHAPE, Solver

SETTINGS = {"parameters": {"n_segments": 80}}


@pytest.fixture
def annotation() -> Annotation:
    return new_annotation()


@pytest.fixture
def journal(annotation: Annotation, tmp_path: Path):
    journal = Journal(annotation, tmp_path / "journals", JOURNALED, settings=SETTINGS)
    yield journal
    journal.close(keep=True)


def kill_after_acts(folder: Path, n_acts: int, pause: float, min_log_bytes: int) -> tuple[Path, int]:
    """Let a child do acts, kill it without warning, and return its journal and how many acts it had reported."""
    command = [sys.executable, str(Path(__file__).with_name("journal_acts.py")), str(folder), str(pause)]
    with subprocess.Popen([*command, str(min_log_bytes)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        path = Path(child.stdout.readline().strip())
        for line in child.stdout:
            if int(line) >= n_acts:
                break
        time.sleep(random.Random(n_acts).uniform(0, 1.5 * pause))
        child.kill()
        told = [int(line) for line in child.stdout.read().split()]
    return path, max([n_acts, *told])


def test_nothing_is_written_before_the_first_act(journal: Journal, annotation: Annotation, tmp_path: Path) -> None:
    assert journal.flush()
    assert not journal.path.exists()
    annotation.paint([3])
    assert journal.flush()
    assert [path.name for path in journal.path.parent.iterdir()] == [journal.path.name]
    assert journal.path.name.startswith("cells_1_.tif-")


def test_every_act_can_be_restored(journal: Journal, annotation: Annotation) -> None:
    for number in range(60):
        act(annotation, number)
        if number % 7 == 0:
            assert journal.flush()
            found = restore(journal.path)
            assert facts(found.state) == facts(annotation.snapshot())
            assert not found.is_torn
            assert found.notes == ()
            assert found.settings == SETTINGS
            assert found.image == image_reference(IMAGE, "cells (1).tif", "/photos/cells (1).tif")


def test_undo_goes_on_after_restoring(journal: Journal, annotation: Annotation) -> None:
    for number in range(20):
        act(annotation, number)
    journal.flush()
    again = new_annotation()
    again.restore(restore(journal.path).state)
    again.go_to(0)
    assert facts(again.snapshot())[:4] == facts(new_annotation().snapshot())[:4]


def test_corrections_and_segmentations_can_be_restored(journal: Journal) -> None:
    solver = Solver()
    annotation = Annotation(np.zeros(SHAPE, np.int32), np.zeros(SHAPE, np.uint8))
    image = JournaledImage(np.zeros(SHAPE, np.uint8), "blocks")
    own = Journal(annotation, journal.path.parent, image)
    annotation.accept(solver.result())
    annotation.merge(pixel_path([(5, 5), (25, 25)], SHAPE))
    annotation.cut(pixel_path([(5, 40), (30, 40)], SHAPE))
    for n_segments in (60, 50, 40):  # joined to one entry
        annotation.accept(solver.result(n_segments=n_segments, corrections=annotation.corrections))
    annotation.paint([3, 4])
    annotation.undo()
    assert own.flush()
    found = restore(own.path).state
    assert [entry.name for entry in found.entries] == ["Merge", "Cut", "Re-segment", "Paint class 1"]
    assert facts(found) == facts(annotation.snapshot())
    assert len(found.planes[None, None].corrections) == 2
    again = Annotation(np.zeros(SHAPE, np.int32), np.zeros(SHAPE, np.uint8))
    again.restore(found)
    for position in (0, 4, 2):
        again.go_to(position)
        annotation.go_to(position)
        assert facts(again.snapshot()) == facts(annotation.snapshot())
    own.close()


def test_an_annotation_that_was_restored_begins_with_its_history(tmp_path: Path, annotation: Annotation) -> None:
    journal = Journal(annotation, tmp_path, JOURNALED)
    annotation.restore(annotation_after(30).snapshot())
    assert journal.flush()
    assert facts(restore(journal.path).state) == facts(annotation.snapshot())
    annotation.undo()
    assert journal.flush()
    assert facts(restore(journal.path).state) == facts(annotation.snapshot())
    journal.close()


@pytest.mark.parametrize("n_acts", [1, 4, 7])
def test_a_killed_program_loses_at_most_the_last_act(tmp_path: Path, n_acts: int) -> None:
    path, told = kill_after_acts(tmp_path, n_acts, pause=0.4, min_log_bytes=1_000_000)
    [left] = find_unfinished(tmp_path)
    assert left.path == path
    found = facts(restore(path).state)
    assert found in [facts(annotation_after(n).snapshot()) for n in (told - 1, told, told + 1)]


@pytest.mark.parametrize("min_log_bytes", [10_000_000, 0], ids=["appending", "compacting"])
@pytest.mark.parametrize("n_acts", [30, 173, 391])
def test_a_program_killed_in_a_rush_leaves_a_state_that_was(tmp_path: Path, n_acts: int, min_log_bytes: int) -> None:
    path, told = kill_after_acts(tmp_path, n_acts, pause=0, min_log_bytes=min_log_bytes)
    found = facts(restore(path).state)
    annotation, states = new_annotation(), []
    for number in range(told + 50):
        act(annotation, number)
        states.append((annotation.history.position, len(annotation.history.entries)))
    rebuilt = new_annotation()
    for number in range(told + 50):
        act(rebuilt, number)
        if states[number] == (found[-1], len(found[-2])) and facts(rebuilt.snapshot()) == found:
            return
    pytest.fail("the restored annotation is none that ever was")


def test_a_file_torn_anywhere_gives_the_acts_before(journal: Journal, annotation: Annotation, tmp_path: Path) -> None:
    annotation.paint([1])
    assert journal.flush()
    first = record_ends(journal.path)[-1]
    after = [facts(annotation.snapshot())]
    for number in range(12):
        act(annotation, number)
        after.append(facts(annotation.snapshot()))
    journal.flush()
    content = journal.path.read_bytes()
    ends = [end for end in record_ends(journal.path) if end >= first]
    assert ends[-1] == len(content)
    torn = tmp_path / "torn.nspj"
    for n_acts, (start, stop) in enumerate(pairwise(ends)):
        for length in {start + 1, start + 12, (start + stop) // 2, stop - 1}:
            torn.write_bytes(content[:length])
            found = restore(torn)
            assert found.is_torn
            assert facts(found.state) == after[n_acts]
    torn.write_bytes(content + b"\0" * 4096)  # as some file systems leave it after a loss of power
    assert facts(restore(torn).state) == after[-1]
    torn.write_bytes(content[: ends[4]] + bytes([content[ends[4]] ^ 1]) + content[ends[4] + 1 :])
    assert facts(restore(torn).state) == after[4]


def test_a_journal_torn_before_its_first_act_is_explained(journal: Journal, annotation: Annotation) -> None:
    annotation.paint([1])
    journal.flush()
    end_of_header = record_ends(journal.path)[0]
    os.truncate(journal.path, end_of_header + 100)
    with pytest.raises(ReadError, match="ends before its first act"):
        restore(journal.path)


def test_ten_thousand_acts_stay_small_and_exact(tmp_path: Path) -> None:
    annotation = new_annotation(max_bytes=500_000)
    journal = Journal(annotation, tmp_path, JOURNALED, min_log_bytes=100_000)
    largest = 0
    for number in range(10_000):
        act(annotation, number)
        if number % 500 == 0:
            assert journal.flush()
            largest = max(largest, journal.path.stat().st_size)
    assert journal.flush()
    found = restore(journal.path)
    assert facts(found.state) == facts(annotation.snapshot())
    assert largest < 1_500_000
    journal.close()
    assert not list(tmp_path.iterdir())


def test_a_slow_disk_does_not_hold_up_the_annotator(
    journal: Journal, annotation: Annotation, monkeypatch: pytest.MonkeyPatch
) -> None:
    annotation.paint([1])
    journal.flush()
    goes_on, sync = threading.Event(), journals.sync
    monkeypatch.setattr(journals, "sync", lambda file: (goes_on.wait(60), sync(file)))
    for number in range(50):
        act(annotation, number)
    assert not journal.flush(timeout=0.01)
    goes_on.set()
    assert journal.flush(timeout=60)
    assert facts(restore(journal.path).state) == facts(annotation.snapshot())


class SlowImage:
    """A stack whose planes take a while to read."""

    def __init__(self, n_planes: int, seconds: float) -> None:
        self.pixels = np.zeros((n_planes, 64, 80), np.uint8)
        self.shape, self.dtype = self.pixels.shape, self.pixels.dtype
        self.seconds = seconds
        self.n_reads = 0

    def __getitem__(self, index: object) -> np.ndarray:
        self.n_reads += 1
        time.sleep(self.seconds)
        return self.pixels[index]


@pytest.fixture
def read_by_planes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projects, "_PART_BYTES", 1)


@pytest.mark.usefixtures("read_by_planes")
def test_acts_wait_for_no_image(tmp_path: Path, annotation: Annotation) -> None:
    image = SlowImage(10, seconds=20)
    journal = Journal(annotation, tmp_path, JournaledImage(image, "slow"))
    for number in range(5):
        act(annotation, number)
    assert not journal.flush(timeout=1)
    assert facts(restore(journal.path).state) == facts(annotation.snapshot())
    act(annotation, 5)
    start = time.perf_counter()
    journal.close(keep=True)
    assert time.perf_counter() - start < 5
    [left] = find_unfinished(tmp_path)
    assert (left.image.name, left.image.shape, left.image.sha256) == ("slow", image.shape, "")
    assert facts(restore(journal.path).state) == facts(annotation.snapshot())


@pytest.mark.usefixtures("read_by_planes")
@pytest.mark.parametrize("min_log_bytes", [10_000_000, 0], ids=["appending", "compacting"])
def test_the_image_follows_when_it_is_read(tmp_path: Path, annotation: Annotation, min_log_bytes: int) -> None:
    image = SlowImage(20, seconds=0.01)
    journal = Journal(annotation, tmp_path, JournaledImage(image, "slow"), min_log_bytes=min_log_bytes)
    for number in range(20):
        act(annotation, number)
    assert journal.flush()
    assert image.n_reads == 20
    act(annotation, 20)
    assert journal.flush()
    found = restore(journal.path)
    assert found.image == image_reference(image.pixels, "slow")
    assert not found.is_torn
    assert facts(found.state) == facts(annotation.snapshot())
    journal.close(keep=True)
    [left] = find_unfinished(tmp_path)
    assert (left.image, left.n_acts) == (found.image, annotation.history.position)


def test_an_image_that_cannot_be_read_costs_no_acts(tmp_path: Path, annotation: Annotation) -> None:
    class Broken(SlowImage):
        def __getitem__(self, index: object) -> np.ndarray:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    journal = Journal(annotation, tmp_path, JournaledImage(Broken(2, 0), "broken"))
    annotation.paint([1])
    assert journal.flush()
    assert facts(restore(journal.path).state) == facts(annotation.snapshot())
    journal.close()


@pytest.mark.parametrize("version", [1, 2])
def test_journals_of_earlier_versions_are_read(
    journal: Journal, annotation: Annotation, tmp_path: Path, version: int
) -> None:
    for number in range(8):
        act(annotation, number)
    journal.flush()
    earlier = bytearray(journal.path.read_bytes())
    # Those that know no beginnings say that they are older than this journal.
    assert earlier[27] == 3
    earlier[27] = version
    (tmp_path / "a.nspj").write_bytes(earlier)
    assert facts(restore(tmp_path / "a.nspj").state) == facts(annotation.snapshot())


def test_a_full_disk_is_told_once_and_made_up_for(
    journal: Journal, annotation: Annotation, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors, resumptions = [], []
    journal.failed.connect(errors.append)
    journal.resumed.connect(lambda: resumptions.append(1))
    annotation.paint([1])
    assert journal.flush()

    def fail(*args: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(journals, "append", fail)
        for label in (2, 3, 4):
            annotation.paint([label])
            assert not journal.flush()
    assert len(errors) == 1
    assert "No space left" in str(errors[0])
    assert len(restore(journal.path).state.entries) == 1, "what was written before is gone"
    annotation.paint([5])
    assert journal.flush()
    assert resumptions == [1]
    assert facts(restore(journal.path).state) == facts(annotation.snapshot())


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, annotation: Annotation) -> None:
    (tmp_path / "file").write_text("no folder")
    journal = Journal(annotation, tmp_path / "file", JOURNALED)
    errors = []
    journal.failed.connect(errors.append)
    annotation.paint([1])
    assert not journal.flush()
    annotation.paint([2])
    assert not journal.flush()
    assert [type(error).__name__ for error in errors] == ["WriteError"]
    journal.close()


def test_what_is_told_goes_through_the_dispatcher(tmp_path: Path, annotation: Annotation) -> None:
    (tmp_path / "file").write_text("no folder")
    waiting, errors = [], []
    journal = Journal(annotation, tmp_path / "file", JOURNALED, dispatch=waiting.append)
    journal.failed.connect(errors.append)
    annotation.paint([1])
    journal.flush()
    assert errors == []
    [tell] = waiting
    tell()
    assert len(errors) == 1
    journal.close()


def test_only_what_no_program_writes_is_unfinished(tmp_path: Path) -> None:
    one, two = new_annotation(), new_annotation()
    first, second = Journal(one, tmp_path, JOURNALED), Journal(two, tmp_path, JOURNALED)
    assert first.path != second.path
    one.paint([1])
    two.paint([1])
    two.paint([2])
    assert first.flush()
    assert second.flush()
    assert find_unfinished(tmp_path) == []
    first.close()
    second.close(keep=True)
    [left] = find_unfinished(tmp_path)
    assert (left.path, left.n_acts, left.image.name) == (second.path, 2, "cells (1).tif")
    assert left.changed == pytest.approx(time.time(), abs=60)
    assert not first.path.exists()


def test_after_closing_nothing_is_followed(journal: Journal, annotation: Annotation) -> None:
    annotation.paint([1])
    journal.close(keep=True)
    content = journal.path.read_bytes()
    annotation.paint([2])
    journal.close()
    assert journal.path.read_bytes() == content


def test_foreign_and_newer_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.nspj").write_bytes(b"GIF89a" * 20)
    (tmp_path / "b.nspj").write_bytes(b"")
    with (tmp_path / "c.nspj").open("wb") as file:
        write_start(file)
        append(file, Kind.header, b"[1]")
        append(file, Kind.snapshot, b"no archive")
    newer = bytearray((tmp_path / "c.nspj").read_bytes())
    newer[27] = 200
    (tmp_path / "d.nspj").write_bytes(newer)
    assert find_unfinished(tmp_path) == []
    for name, message in {"a": "no journal", "b": "no journal", "c": "header", "d": "newer", "e": "No such"}.items():
        with pytest.raises(ReadError, match=message):
            restore(tmp_path / f"{name}.nspj")


def test_an_act_outside_the_image_is_left_out(journal: Journal, annotation: Annotation) -> None:
    annotation.paint([1])
    journal.flush()
    large = Annotation(np.ones((200, 200), np.int32), np.zeros((200, 200), np.uint8))
    entry = large.paint([1])
    assert entry is not None
    with journal.path.open("ab") as file:
        append(file, Kind.done, entry.to_bytes())
    found = restore(journal.path)
    assert facts(found.state) == facts(annotation.snapshot())
    assert "outside an image" in found.notes[0]


def test_a_journal_damaged_meanwhile_is_written_anew(tmp_path: Path, annotation: Annotation) -> None:
    journal = Journal(annotation, tmp_path, JOURNALED, min_log_bytes=10_000)
    errors = []
    journal.failed.connect(errors.append)
    annotation.paint([1])
    assert journal.flush()
    end = record_ends(journal.path)[-1]
    annotation.paint([2])
    assert journal.flush()
    with journal.path.open("r+b") as file:
        file.seek(end + 20)
        file.write(b"\xff\xff")
    for number in range(300):
        act(annotation, number)
        journal.flush()
    assert len(errors) == 1
    assert "does not hold every act" in str(errors[0])
    assert facts(restore(journal.path).state) == facts(annotation.snapshot())
    journal.close()


def test_the_default_folder_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_journal_folder().parts[-2:] == ("napari-superpixels", "journals")
    assert default_journal_folder().is_relative_to(os.environ["HOME"]) or sys.platform != "linux"
