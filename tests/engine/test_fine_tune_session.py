"""Fine-tunings as a window runs them: in a process of their own, which can be paused, stopped, killed and resumed."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from safetensors.numpy import load_file

from napari_superpixels.data.training_folder import TrainingItem
from napari_superpixels.engine.fine_tune import fine_tune
from napari_superpixels.engine.fine_tune_errands import earlier_rows, install, write_run
from napari_superpixels.engine.fine_tune_rows import NO_IMAGES, DataRow, examine
from napari_superpixels.engine.fine_tune_session import FineTuneSession
from napari_superpixels.engine.models import installed_models, model_events
from napari_superpixels.engine.runs import is_locked
from tests.engine.fine_tuning import TINY, Window, add_discs, discs, make_run, search_path

#: A file that takes nothing, as on a full disk.
FULL = Path("/dev/full")
LONG = TINY.updated(steps=4000, epoch_steps=2000)


@pytest.fixture
def window() -> Window:
    return Window()


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_SUPERPIXELS_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("NAPARI_SUPERPIXELS_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", search_path())


@pytest.fixture
def session(window: Window) -> Iterator[FineTuneSession]:
    session = FineTuneSession(window.dispatch, TINY)
    yield session
    process = session._process
    session.close()
    if process is not None and process.pid is not None and psutil.pid_exists(process.pid):
        process.kill()


def _weights(folder: Path, name: str = "best") -> dict[str, np.ndarray]:
    return load_file(folder / f"{name}.safetensors")


def _same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> bool:
    return first.keys() == second.keys() and all(np.array_equal(value, second[name]) for name, value in first.items())


def test_a_run_from_the_list_to_a_model(session: FineTuneSession, window: Window, tmp_path: Path) -> None:
    assert session.problem == NO_IMAGES
    add_discs(session, window)
    assert [row.role for row in session.rows] == ["train", "validation", "train"]
    assert [row.share_annotated for row in session.rows] == [1.0] * 3
    assert all(row.thumbnail is not None and row.thumbnail.shape == (48, 56, 3) for row in session.rows)
    assert session.problem == ""
    phases = []
    session.phase_changed.connect(lambda: phases.append(session.phase))
    session.train()
    window.wait_for(lambda: not session.is_running)
    assert phases == ["starting", "running", "finished"], session.message
    report = session.report
    assert report is not None
    assert report.steps == 4
    assert len(report.images) == 1
    assert set(report.after) == set(report.before) == set(session.baseline)
    assert [point["step"] for point in session.epochs] == [2, 4]
    assert session.curve[-1]["step"] == 4
    assert session.progress == 1.0
    with pytest.raises(ValueError, match="already"):
        session.use_as("natural")
    with pytest.raises(ValueError, match="cannot name a model"):
        session.use_as("a/b")
    installed = []
    model_events.changed.connect(installed.append)
    session.use_as("discs")
    window.wait_for(lambda: session.phase == "setup")
    assert installed == ["discs"]
    assert "discs" in [model.name for model in installed_models()]
    assert session.params.start == "discs"
    assert session.unfinished_runs() == []
    # The images of that run take part in the next one, and keep their roles.
    window.wait_for(lambda: all(row.is_frozen for row in session.rows))
    assert [row.role for row in session.rows] == ["train", "validation", "train"]


@pytest.mark.parametrize("way", ["unticked", "removed"])
def test_what_the_list_says_of_a_continued_run_is_what_is_learnt_from(tmp_path: Path, way: str) -> None:
    """A single new image keeps its role, and an earlier one that the user does not want stays away."""
    runs = tmp_path / "runs"
    first = make_run(runs / "first")
    install(first, fine_tune(first), "mine")
    earlier = earlier_rows(runs, "mine")
    assert [(row.name, row.role) for row in earlier] == [
        ("disc 0", "train"),
        ("disc 1", "train"),
        ("disc 2", "validation"),
    ]
    digests = [row.digest for row in earlier]
    earlier[:1] = [replace(earlier[0], included=False)] if way == "unticked" else []
    item = TrainingItem("new", *discs(9))
    new = examine(DataRow("new", "new", "layers", lambda: item, role="validation"))
    folder = write_run(runs, [*earlier, new], TINY.updated(start="mine"), lambda: False, digests)
    report = fine_tune(folder)
    assert report.train == ("disc 1",)
    assert sorted(image.name for image in report.images) == ["disc 2", "new"]


def test_an_image_of_an_earlier_run_keeps_its_role_however_the_list_changes(
    session: FineTuneSession, window: Window, tmp_path: Path
) -> None:
    first = make_run(tmp_path / "runs" / "first")
    install(first, fine_tune(first), "mine")
    session.update(start="mine")
    window.wait_for(lambda: len(session.rows) == 3)
    session.update(start="natural")
    assert not any(row.is_frozen or row.kind == "earlier" for row in session.rows)
    session.update(start="mine")
    window.wait_for(lambda: len(session.rows) == 3)
    items = {f"disc {i}": TrainingItem(f"disc {i}", *discs(i)) for i in range(3)}

    def add(name: str, item: TrainingItem) -> DataRow:
        session.add_rows([DataRow(name, name, "annotation", lambda: item)])
        window.wait_for(lambda: all(row.digest or row.problem for row in session.rows))
        return next(row for row in session.rows if row.key == name)

    # The same image, annotated anew, twice: as while the user paints.
    for _ in range(2):
        row = add("disc 2", items["disc 2"])
        assert (row.role, row.is_frozen) == ("validation", True)
        assert sorted(row.kind for row in session.rows) == ["annotation", "earlier", "earlier"]
    session.set_role("disc 2", "train")
    assert row in session.rows
    session.set_included("disc 2", False)
    assert not add("disc 2", items["disc 2"]).included
    # Taken out, the image comes back with its former annotation: without it, figures could not be compared.
    session.set_rows([row for row in session.rows if row.kind == "earlier"])
    assert [(row.name, row.role) for row in session.rows if row.role == "validation"] == [("disc 2", "validation")]
    # One that taught stays away, and the run is told so.
    session.set_rows([row for row in session.rows if row.name != "disc 0"])
    add("new", TrainingItem("new", *discs(9)))
    session.train()
    window.wait_for(lambda: not session.is_running)
    assert session.report is not None, session.message
    assert session.report.train == ("disc 1", "new")


def test_a_run_that_ended_is_shown_with_its_curves(session: FineTuneSession, window: Window, tmp_path: Path) -> None:
    report = fine_tune(make_run(tmp_path / "runs" / "first"))
    [run] = session.unfinished_runs()
    session.resume(run.folder)
    window.wait_for(lambda: not session.is_running)
    assert session.phase == "finished", session.message
    assert session.report == report
    assert session.baseline == pytest.approx(report.before)
    assert [point["step"] for point in session.epochs] == [2, 4]


def test_images_that_are_still_read_hold_nothing_up(session: FineTuneSession, window: Window) -> None:
    may_read = threading.Event()

    def read() -> TrainingItem:
        assert may_read.wait(60)
        return TrainingItem("slow", *discs(0))

    session.add_rows([DataRow("slow", "slow", "layers", read)])
    assert [row.name for row in session.rows] == ["slow"]
    assert session.problem == "1 image is being read…"
    with pytest.raises(RuntimeError, match="being read"):
        session.train()
    session.set_rows([])
    add_discs_in_turn = [DataRow("slow", "slow", "layers", read), DataRow("next", "next", "layers", read)]
    session.add_rows(add_discs_in_turn)
    assert session.problem == "2 images are being read…"
    may_read.set()
    window.wait_for(lambda: session.problem.startswith("next trains, but") or session.problem.startswith("slow trains"))
    assert [row.share_annotated for row in session.rows] == [1.0, 1.0]


def test_pause_and_stop(session: FineTuneSession, window: Window) -> None:
    add_discs(session, window)
    session.update(**LONG.model_dump())
    session.train()
    window.wait_for(lambda: session.phase == "running" and len(session.curve) > 2)
    session.pause()
    window.wait_for(lambda: session.phase == "paused")
    done = session.curve[-1]["step"]
    time.sleep(0.5)
    window.wait_for(lambda: True)
    assert session.curve[-1]["step"] == done
    session.go()
    window.wait_for(lambda: session.curve[-1]["step"] > done)
    told = []
    session.told.connect(told.append)
    session.stop()
    assert session.phase == "stopping"
    window.wait_for(lambda: session.phase == "setup")
    assert "no model yet; Resume" in told[0]
    assert session.can_resume
    assert [run.folder for run in session.unfinished_runs()] == [session.run_folder]
    folder = session.run_folder
    assert folder is not None
    session.discard(folder)
    assert session.unfinished_runs() == []
    session.discard(folder)  # a second click
    window.wait_for(lambda: list(folder.parent.iterdir()) == [])


def test_stop_keeps_the_best_so_far(session: FineTuneSession, window: Window) -> None:
    add_discs(session, window)
    session.update(**LONG.updated(epoch_steps=2).model_dump())
    session.train()
    window.wait_for(lambda: session.epochs)
    session.stop()
    window.wait_for(lambda: not session.is_running)
    assert session.phase == "finished"
    assert session.report is not None
    assert session.report.reason == "stopped"
    assert session.report.best == "best.safetensors"


def test_killed_process_is_told_and_goes_on_to_the_same_weights(
    session: FineTuneSession, window: Window, tmp_path: Path
) -> None:
    whole = make_run(tmp_path / "whole", TINY.updated(steps=12))
    add = [
        DataRow(session.new_key(), item.name, "layers", read=lambda item=item: item, role=item.role or "train")
        for item in (TrainingItem(f"disc {i}", *discs(i)) for i in range(3))
    ]
    session.add_rows(add)
    window.wait_for(lambda: not session.problem)
    for row, role in zip(session.rows, ("train", "train", "validation"), strict=True):
        session.set_role(row.key, role)
    session.update(steps=12)
    session.train()
    window.wait_for(lambda: session.epochs)
    assert session._process is not None
    assert session._process.pid is not None
    os.kill(session._process.pid, signal.SIGKILL)
    window.wait_for(lambda: not session.is_running)
    assert session.phase == "failed"
    assert "ended by signal 9" in session.message
    assert session.can_resume
    folder = session.run_folder
    assert folder is not None
    assert not is_locked(folder)
    session.resume(folder)
    window.wait_for(lambda: not session.is_running)
    assert session.phase == "finished", session.message
    code = f"from napari_superpixels.engine.fine_tune import fine_tune; fine_tune({str(whole)!r})"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert _same(_weights(folder), _weights(whole))
    assert _same(_weights(folder, "last"), _weights(whole, "last"))


def test_a_child_whose_window_is_gone_stops_in_good_order(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", LONG)
    command = [sys.executable, "-m", "napari_superpixels.engine.training_child", str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdin is not None
    for line in process.stdout:
        if '"event": "step"' in line:
            break
    process.stdin.close()
    process.stdout.close()
    assert process.wait(60) == 0
    assert (folder / "state.safetensors").exists()
    assert not is_locked(folder)


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ("nan", "no longer finite"),
        ("memory", "memory of the CPU is full"),
        ("crash", "without saying why"),
        ("garbage", ""),
        ("disk", "cannot be written"),
        pytest.param("full", "cannot be written", marks=pytest.mark.skipif(not FULL.exists(), reason="Linux only")),
    ],
)
def test_faults_of_the_child(
    patch: str, message: str, window: Window, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is told in words; the check before it is kept, and the run goes on to its end without the fault."""
    monkeypatch.setenv("FAULT", patch)
    monkeypatch.setenv("FAULT_STEP", "3")
    session = FineTuneSession(window.dispatch, TINY, module="tests.engine.faulty_child")
    add_discs(session, window)
    session.train()
    window.wait_for(lambda: not session.is_running)
    if message:
        assert session.phase == "failed"
        assert message in session.message
        assert session.can_resume
        folder = session.run_folder
        assert folder is not None
        assert (folder / "best.safetensors").exists()
        monkeypatch.setenv("FAULT", "")
        session.resume(folder)
        window.wait_for(lambda: not session.is_running)
    assert session.phase == "finished", session.message
    assert session.report is not None
    assert session.report.steps == 4
    session.close()


def test_problems_are_said_before_anything_starts(session: FineTuneSession, window: Window) -> None:
    image, labels = discs(0)
    session.add_rows(
        [
            DataRow("flat", "flat", "layers", lambda: TrainingItem("flat", np.full_like(image, 7), labels)),
            DataRow("size", "size", "layers", lambda: TrainingItem("size", image[:-1], labels)),
            DataRow("bare", "bare", "layers", lambda: TrainingItem("bare", image, np.zeros_like(labels))),
            DataRow("none", "none", "layers", lambda: TrainingItem("none", image, labels, labels < 0)),
        ]
    )
    window.wait_for(lambda: all(row.problem for row in session.rows))
    problems = {row.name: row.problem for row in session.rows}
    assert "one value everywhere" in problems["flat"]
    assert "ground truth has shape" in problems["size"]
    assert "one segment without a border" in problems["bare"]
    assert "nothing is annotated" in problems["none"]
    assert session.problem.startswith("flat: ")
    for row in session.rows:
        session.set_included(row.key, False)
    assert session.problem == "Tick at least one image."
    with pytest.raises(RuntimeError, match="Tick"):
        session.train()


def test_estimate(session: FineTuneSession, window: Window) -> None:
    add_discs(session, window)
    session.request_estimate()
    assert session.is_estimating
    window.wait_for(lambda: not session.is_estimating)
    assert session.estimate is not None
    assert 0 < session.estimate.step_seconds < session.estimate.seconds
    session.update(steps=8)
    assert session.estimate is None


def test_preview_of_the_view(session: FineTuneSession, window: Window) -> None:
    add_discs(session, window)
    session.update(**LONG.model_dump())
    previews = []
    session.preview_ready.connect(previews.append)
    session.set_view(discs(9)[0], 20)
    session.train()
    window.wait_for(lambda: previews)
    assert previews[0].before.shape == previews[0].after.shape == (48, 56)
    assert len(np.unique(previews[0].before)) == 20
    session.stop()
    window.wait_for(lambda: not session.is_running)
