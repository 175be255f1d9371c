"""The process that trains, from both ends: what is said, what is printed in between, and how it ends."""

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
import pytest

from napari_superpixels.engine import fine_tune_session, training_preview
from napari_superpixels.engine.epochs import EpochEvent
from napari_superpixels.engine.fine_tune_session import FineTuneSession
from napari_superpixels.engine.preview_files import ask_preview, read_preview
from napari_superpixels.engine.run_lock import is_locked
from napari_superpixels.engine.training_child import Talk, Teller
from napari_superpixels.engine.training_preview import Preview
from napari_superpixels.engine.training_process import TrainingProcess, log_tail
from napari_superpixels.errors import TrainingError, WriteError
from napari_superpixels.nets.checkpoint import load_model
from napari_superpixels.nets.train import TrainEvent
from tests.engine.fine_tuning import TINY, Window, add_discs, discs, make_run, search_path

CHILD = "tests.engine.talking_child"


@pytest.fixture
def window() -> Window:
    return Window()


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("NAPARI_SUPERPIXELS_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", search_path())


@pytest.fixture
def session(window: Window) -> Iterator[FineTuneSession]:
    session = FineTuneSession(window.dispatch, TINY, module=CHILD)
    yield session
    process = session._process
    session.close()
    if process is not None:
        process.end()


def _heard(process: TrainingProcess) -> tuple[list[str], list[int]]:
    events, codes = [], []
    process.received.connect(lambda event: events.append(event["event"]))
    process.ended.connect(codes.append)
    return events, codes


def test_what_is_no_event_is_passed_over(window: Window, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANNER", "garbage")
    process = TrainingProcess(tmp_path, window.dispatch, CHILD)
    events, codes = _heard(process)
    process.start()
    window.wait_for(lambda: codes)
    assert events == ["loading"]
    assert codes == [0]


def test_files_beside_the_user_do_not_replace_modules(
    window: Window, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "argparse.py").write_text("raise SystemExit(7)")
    (tmp_path / "psutil.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    process = TrainingProcess(tmp_path, window.dispatch, CHILD)
    events, codes = _heard(process)
    process.start()
    window.wait_for(lambda: events or codes)
    process.send("stop")
    window.wait_for(lambda: codes)
    assert codes == [0]
    assert events[-2:] == ["stopping", "done"]


def test_killed_process_leaves_no_zombie(window: Window, tmp_path: Path) -> None:
    process = TrainingProcess(tmp_path, window.dispatch, CHILD)
    events, codes = _heard(process)
    process.start()
    window.wait_for(lambda: events)
    assert process.pid is not None
    assert process.is_running
    process.kill()
    window.wait_for(lambda: codes)
    assert codes[0] != 0
    assert not process.is_running
    assert not psutil.pid_exists(process.pid)
    process.send("stop")


def test_a_process_that_is_left_ends_by_itself(window: Window, tmp_path: Path) -> None:
    process = TrainingProcess(tmp_path, window.dispatch, CHILD)
    events, codes = _heard(process)
    process.start()
    window.wait_for(lambda: events)
    process.leave()
    window.wait_for(lambda: not process.is_running, 20)
    assert not codes


def test_python_that_cannot_be_started(
    session: FineTuneSession, window: Window, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))
    with pytest.raises(TrainingError, match="does not exist"):
        TrainingProcess(tmp_path, window.dispatch).start()
    with pytest.raises(WriteError, match="cannot be written"):
        TrainingProcess(tmp_path / "nowhere", window.dispatch).start()
    add_discs(session, window)
    told = []
    session.told.connect(told.append)
    session.request_estimate()
    window.wait_for(lambda: not session.is_estimating)
    assert "cannot be estimated: Python cannot be started" in told[0]
    session.train()
    window.wait_for(lambda: not session.is_running)
    assert session.phase == "failed"
    assert "Python cannot be started" in session.message
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(TrainingError, match="interpreter of its own"):
        TrainingProcess(tmp_path, window.dispatch).start()


def test_what_was_printed_is_at_hand_after_a_failure(
    session: FineTuneSession, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANNER", "unknown module")
    session._module = "tests.engine.no_such_child"
    add_discs(session, window)
    session.train()
    window.wait_for(lambda: not session.is_running)
    assert session.phase == "failed"
    assert "ended with code 1" in session.message
    assert "no_such_child" in log_tail(session.run_folder)
    assert session.run_folder is not None
    assert len(log_tail(session.run_folder)) <= 2000


def test_errands_that_fail_leave_the_run_alone(session: FineTuneSession, window: Window, tmp_path: Path) -> None:
    add_discs(session, window)
    session.train()
    window.wait_for(lambda: session.phase == "running")
    told = []
    session.told.connect(told.append)
    session.discard(tmp_path / "no run")
    window.wait_for(lambda: told)
    assert "no training run" in told[0]
    assert session.phase == "running"
    done = session.curve[-1]["step"]
    window.wait_for(lambda: session.curve[-1]["step"] > done)
    session.stop()
    window.wait_for(lambda: not session.is_running)
    assert session.phase == "setup"


def test_stop_of_a_process_that_still_loads_or_does_not_heed_it(
    session: FineTuneSession, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANNER", "deaf")
    add_discs(session, window)
    session.train()
    window.wait_for(lambda: session.message == "Starting…")
    told = []
    session.told.connect(told.append)
    began = time.perf_counter()
    session.stop()
    window.wait_for(lambda: not session.is_running)
    assert time.perf_counter() - began < 1.5 + fine_tune_session._STARTING_PATIENCE_SECONDS
    assert session.phase == "setup"
    assert "before anything was learnt" in told[0]
    assert [run.folder for run in session.unfinished_runs()] == [session.run_folder]


def test_an_estimate_ends_with_what_it_was_for(
    session: FineTuneSession, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANNER", "deaf")
    temporary = Path(tempfile.gettempdir())
    add_discs(session, window)
    session.request_estimate()
    window.wait_for(lambda: session._estimator is not None)
    assert session._estimator is not None
    process = session._estimator[0]
    session.update(steps=8)
    assert not session.is_estimating
    assert session.estimate is None
    window.wait_for(lambda: not process.is_running and not list(temporary.iterdir()), 20)
    # It is not timed any more when its images are written after the change either.
    session.request_estimate()
    session.update(steps=12)
    window.wait_for(lambda: not list(temporary.iterdir()), 20)
    session.request_estimate()
    window.wait_for(lambda: session._estimator is not None)
    session.close()
    window.wait_for(lambda: not list(temporary.iterdir()), 20)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="There is no SIGKILL here.")
def test_a_run_outlives_a_killed_window(tmp_path: Path) -> None:
    """The child saves what it has learnt and ends, so that the run can be resumed."""
    folder = make_run(tmp_path / "run", TINY.updated(steps=4000, epoch_steps=2000))
    code = f"""
import time
from napari_superpixels.engine.training_process import TrainingProcess
process = TrainingProcess({str(folder)!r}, lambda function: function())
process.received.connect(lambda event: print(event["event"], process.pid, flush=True))
process.start()
time.sleep(600)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    for line in parent.stdout:
        event, pid = line.split()
        if event == "step":
            break
    child = psutil.Process(int(pid))
    assert is_locked(folder)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    child.wait(60)
    assert not is_locked(folder)
    assert (folder / "state.safetensors").exists()
    assert not (folder / "report.json").exists()


def _wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


class _Pipe:
    """Commands for a child in this process."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        self.reader, self._writer = os.fdopen(reading, encoding="utf-8"), os.fdopen(writing, "w", encoding="utf-8")

    def send(self, text: str) -> None:
        self._writer.write(text + "\n")
        self._writer.flush()

    def close(self, talk: Talk) -> None:
        """End the input, which stops the child, and then what it read from."""
        self._writer.close()
        _wait_for(lambda: talk.is_stopped)
        self.reader.close()


def test_commands_that_mean_nothing_are_passed_over() -> None:
    pipe, events = _Pipe(), io.StringIO()
    talk = Talk(pipe.reader, events)
    for text in ("", "no json", "3", "[]", '{"do": 4}', '{"do": ["stop"]}', '{"order": "stop"}'):
        pipe.send(text)
    pipe.send('{"do": "preview"}')
    _wait_for(lambda: talk.preview_turn == 1)
    assert not talk.should_stop()
    pipe.send('{"do": "hide"}')
    _wait_for(lambda: talk.preview_turn == 0)
    pipe.close(talk)
    assert talk.should_stop()
    assert talk.should_stop()
    assert [json.loads(line)["event"] for line in events.getvalue().splitlines()] == ["stopping"]


def test_a_window_that_reads_no_more_ends_the_run() -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    pipe = _Pipe()
    talk = Talk(pipe.reader, Broken())
    assert not talk.should_stop()
    talk.tell("step", step=1)
    assert talk.should_stop()
    pipe.close(talk)


def test_steps_are_told_ten_times_a_second_at_most() -> None:
    pipe, events = _Pipe(), io.StringIO()
    talk = Talk(pipe.reader, events)
    teller = Teller(talk, lambda step: 0)
    began = time.perf_counter()
    for step in range(1, 2001):
        teller.on_step(TrainEvent(step, step / 2000, 1.0, {}, 1e-3, 1.0), 2000)
    seconds = time.perf_counter() - began
    told = [json.loads(line) for line in events.getvalue().splitlines()]
    assert told[0]["step"] == 1
    assert told[-1]["step"] == 2000
    assert len(told) <= 3 + seconds / 0.1
    pipe.close(talk)


def test_a_pause_does_not_count_as_time_that_steps_take() -> None:
    pipe, events = _Pipe(), io.StringIO()
    talk = Talk(pipe.reader, events)
    teller = Teller(talk, lambda step: 1)

    def step(number: int) -> None:
        teller.on_step(TrainEvent(number, number / 10, 1.0, {}, 1e-3, 1.0), 10)

    def pause() -> None:
        pipe.send('{"do": "pause"}')
        _wait_for(lambda: talk._is_paused)
        threading.Timer(1.0, pipe.send, ('{"do": "go"}',)).start()
        assert not talk.should_stop()

    step(1)
    pause()
    step(2)
    pause()
    teller.on_epoch(EpochEvent(1, {}, is_best=True))
    teller._told = 0.0
    step(3)
    told = [json.loads(line) for line in events.getvalue().splitlines()]
    assert [event["event"] for event in told].count("paused") == 2
    assert [event for event in told if event["event"] == "step"][-1]["seconds_left"] < 1.0
    pipe.close(talk)


def test_a_stop_hears_that_the_best_network_is_being_measured() -> None:
    pipe, events = _Pipe(), io.StringIO()
    talk = Talk(pipe.reader, events)
    teller = Teller(talk, lambda step: 0)
    teller.on_ending()
    assert events.getvalue() == ""
    talk.is_stopped = True
    for _ in range(5):
        teller.on_ending()
    assert json.loads(events.getvalue()) == {"event": "stopping"}
    pipe.close(talk)


@pytest.mark.parametrize(
    "pixels", [np.full((20, 20), np.nan, np.float32), np.zeros((20, 20), np.complex64), np.zeros((3, 4), np.uint8)]
)
def test_a_view_that_cannot_be_segmented_has_no_preview(tmp_path: Path, pixels: npt.NDArray[Any]) -> None:
    ask_preview(tmp_path, pixels, 20, turn=1)
    assert not Preview(tmp_path, "natural").show(lambda: load_model("natural"), 1, should_stop=lambda: False)


def test_a_request_that_comes_amid_a_preview_is_answered_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after are of the same pixels, even where the child was not yet told that there are others."""
    monkeypatch.setattr(training_preview, "INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(training_preview, "MOST_SHARE", 1.0)
    preview = Preview(tmp_path, "natural")
    model = load_model("natural")

    def show(asked: int) -> bool:
        return preview.show(lambda: model, asked, should_stop=lambda: False)

    assert not show(0)
    assert not show(1)  # nothing is written yet
    for turn, shape in ((1, (48, 56)), (2, (40, 44))):
        ask_preview(tmp_path, discs(turn, shape)[0], 20, turn=turn)
        assert show(1)
        labels = read_preview(tmp_path)
        assert labels.turn == turn
        assert labels.before.shape == labels.after.shape == shape
        assert np.array_equal(labels.before, labels.after)
