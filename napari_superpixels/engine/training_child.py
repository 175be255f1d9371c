"""A fine-tuning in a process of its own: ``python -m napari_superpixels.engine.training_child FOLDER``.

It reads commands from its standard input and writes events to its standard output, one JSON object a line; all else
that is printed goes to its standard error. When the input ends, the window that started it is gone, and it stops in
good order.
"""

import argparse
import contextlib
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import psutil

from napari_superpixels.engine.run_lock import held_lock
from napari_superpixels.errors import CancelledError, SuperpixelsError

if TYPE_CHECKING:
    from napari_superpixels.engine.epochs import EpochEvent
    from napari_superpixels.engine.fine_tune_data import LearningData
    from napari_superpixels.nets.checkpoint import Model
    from napari_superpixels.nets.train import TrainEvent

_EVENT_SECONDS, _LIFE_SECONDS = 0.1, 1.0
_PAUSE_SECONDS = 0.05
#: Steps whose mean time tells how long the others will take.
_TIMED_STEPS = 50
_NICENESS = 15


class Talk:
    """The two ends of a conversation with the window: what it wants, and what it is told."""

    def __init__(self, commands: TextIO, events: TextIO) -> None:
        self._commands, self._events = commands, events
        self._lock = threading.Lock()
        self._is_paused = False
        self.is_stopped = False
        self._is_heeded = False
        self._n_previews = 0
        self._paused_seconds = 0.0
        self.preview_turn = 0
        """Number of the request for a preview that holds; 0 for none."""
        threading.Thread(target=self._listen, name="superpixels-commands", daemon=True).start()

    def tell(self, event: str, **values: Any) -> None:
        """Send an event; where nobody listens any more, the run stops."""
        try:
            with self._lock:
                self._events.write(json.dumps({"event": event, **values}) + "\n")
                self._events.flush()
        except (OSError, ValueError):
            self.is_stopped = True

    def should_stop(self) -> bool:
        """Return whether to stop; blocks while the run is paused."""
        if self._is_paused and not self.is_stopped:
            self.tell("paused")
            began = time.perf_counter()
            while self._is_paused and not self.is_stopped:
                time.sleep(_PAUSE_SECONDS)
            self._paused_seconds += time.perf_counter() - began
            self.tell("resumed")
        if self.is_stopped and not self._is_heeded:
            self._is_heeded = True
            self.tell("stopping")
        return self.is_stopped

    def working_time(self) -> float:
        """Return a time in seconds that stands still while the run is paused."""
        return time.perf_counter() - self._paused_seconds

    def _listen(self) -> None:
        for line in self._commands:
            try:
                command = json.loads(line)["do"]
            except (ValueError, KeyError, TypeError):
                continue
            if command in ("pause", "go"):
                self._is_paused = command == "pause"
            elif command == "preview":
                self._n_previews += 1
                self.preview_turn = self._n_previews
            elif command == "hide":
                self.preview_turn = 0
            elif command == "stop":
                self.is_stopped = True
        self.is_stopped = True


class Teller:
    """Tells the window how a fine-tuning goes on."""

    def __init__(self, talk: Talk, check_steps: Callable[[int], int]) -> None:
        self._talk = talk
        self._told = 0.0
        self._last_step = 0.0
        self._durations: list[float] = []
        self._check_seconds = 0.0
        self._checks_left = check_steps

    def on_target(self, done: int, total: int) -> None:
        """Tell how many images are ready."""
        self._talk.tell("targets", done=done, total=total)

    def on_baseline(self, measures: dict[str, float], data: "LearningData") -> None:
        """Tell how good the start model is."""
        names = [[item.name for item in part] for part in (data.train, data.validation)]
        self._talk.tell("baseline", measures=measures, train=names[0], validation=names[1], notes=list(data.notes))

    def on_step(self, event: "TrainEvent", n_steps: int) -> None:
        """Tell what a step came to, ten times a second at most."""
        now = self._talk.working_time()
        if self._last_step:
            self._durations = [*self._durations[1 - _TIMED_STEPS :], now - self._last_step]
        self._last_step = now
        if now - self._told < _EVENT_SECONDS and event.step < n_steps:
            return
        self._told = now
        left = None
        if self._durations:
            mean = sum(self._durations) / len(self._durations)
            left = (n_steps - event.step) * mean + self._checks_left(event.step) * self._check_seconds
        rate = event.learning_rate
        self._talk.tell("step", step=event.step, of=n_steps, loss=event.loss, learning_rate=rate, seconds_left=left)

    def on_epoch(self, event: "EpochEvent") -> None:
        """Tell what a check came to."""
        # The time since the last step is that of the check; it must not count as a step's.
        now = self._talk.working_time()
        self._check_seconds = now - self._last_step if self._last_step else 0.0
        self._last_step = 0.0
        self._talk.tell("epoch", epoch=event.epoch, is_best=event.is_best, row=event.row)

    def on_ending(self) -> None:
        """Give a sign of life while the best network is measured, where the window waits for the end."""
        now = self._talk.working_time()
        if self._talk.is_stopped and now - self._told >= _LIFE_SECONDS:
            self._told = now
            self._talk.tell("stopping")


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m napari_superpixels.engine.training_child")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--estimate", nargs=2, type=int, metavar=("N_TRAIN", "N_VALIDATION"))
    options = parser.parse_args(arguments)
    with _own_output() as events:
        talk = Talk(sys.stdin, events)
        _step_back()
        try:
            with held_lock(options.folder):
                if options.estimate:
                    event, values = "estimate", _estimate(options.folder, options.estimate)
                else:
                    event, values = "done", _fine_tune(options.folder, talk)
        except CancelledError:
            talk.tell("stopped")
        except Exception as error:  # noqa: BLE001 - the window is to say what happened, whatever it was
            # A full disk takes no message either.
            with contextlib.suppress(OSError):
                traceback.print_exc()
            is_worded = isinstance(error, SuperpixelsError | ValueError)
            talk.tell("failed", message=str(error) if is_worded else f"{type(error).__name__}: {error}")
            return 1
        else:
            # Not before the folder is free: the window may remove it at once.
            talk.tell(event, **values)
    return 0


def _fine_tune(folder: Path, talk: Talk) -> dict[str, Any]:
    talk.tell("loading")
    from napari_superpixels.engine.fine_tune import FineTuneEvents, fine_tune
    from napari_superpixels.engine.fine_tune_files import read_job
    from napari_superpixels.engine.fine_tune_recipe import recipe
    from napari_superpixels.engine.training_preview import Preview

    train = recipe(read_job(folder).params).train
    teller = Teller(talk, lambda step: -(-(train.steps - step) // train.epoch_steps))
    preview = Preview(folder, read_job(folder).params.start)

    def on_model(step: int, make: "Callable[[], Model]") -> None:
        if preview.show(make, talk.preview_turn, should_stop=lambda: talk.is_stopped):
            talk.tell("preview", step=step, turn=talk.preview_turn)

    events = FineTuneEvents(
        teller.on_target, teller.on_baseline, teller.on_step, teller.on_epoch, on_model, teller.on_ending
    )
    report = fine_tune(folder, resume=True, events=events, should_stop=talk.should_stop)
    return {"report": report.model_dump(), "peak_bytes": _peak_bytes()}


def _estimate(folder: Path, counts: list[int]) -> dict[str, Any]:
    from napari_superpixels.engine.fine_tune_estimate import estimate

    found = estimate(folder, *counts)
    return {name: getattr(found, name) for name in ("seconds", "step_seconds", "check_seconds")}


@contextlib.contextmanager
def _own_output() -> Iterator[TextIO]:
    """Give the standard output for events alone; what else is printed goes to the standard error."""
    sys.stdout.flush()
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        yield events
    finally:
        with contextlib.suppress(OSError):
            events.close()


def _step_back() -> None:
    """Let the window go first, in everything that this thread and those that it starts do."""
    with contextlib.suppress(psutil.Error, OSError):
        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if sys.platform == "win32" else _NICENESS)
    if sys.platform == "linux":
        # A nice process still finishes its slice of time when the window wakes up; one of this class does not.
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _peak_bytes() -> int:
    """Return the most memory that this process had at once."""
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


if __name__ == "__main__":
    sys.exit(main())
