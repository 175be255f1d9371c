"""The one evented state of fine-tuning in a window. No Qt here; views subscribe to its signals."""

import threading
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy.typing as npt
from psygnal import Signal

from napari_superpixels.engine import fine_tune_errands as errands_of
from napari_superpixels.engine.fine_tune_files import FineTuneReport
from napari_superpixels.engine.fine_tune_progress import FineTuneProgress
from napari_superpixels.engine.fine_tune_setup import FineTuneSetup
from napari_superpixels.engine.models import check_new_name, model_events
from napari_superpixels.engine.preferences import save_runs_folder
from napari_superpixels.engine.preview_files import PreviewLabels
from napari_superpixels.engine.runs import WaitingRun, remove_run, waiting_runs
from napari_superpixels.engine.scheduler import Dispatch
from napari_superpixels.engine.training_process import CHILD, TrainingProcess
from napari_superpixels.errors import CancelledError, SuperpixelsError
from napari_superpixels.params import FineTuneParams

Phase = Literal["setup", "starting", "running", "paused", "stopping", "finished", "failed"]

_RUNNING: tuple[Phase, ...] = ("starting", "running", "paused", "stopping")
#: Seconds that a process which was told to stop has to heed it; before its first step there is nothing to lose.
_PATIENCE_SECONDS, _STARTING_PATIENCE_SECONDS = 30.0, 1.5
#: Seconds that it then has until it gives the next sign of life, while it saves and measures the best network.
_ENDING_SECONDS = 120.0


class FineTuneSession(FineTuneSetup):
    """Images, parameters and run of the fine-tuning of one viewer.

    All methods are called, and all signals emitted, in the main thread. Files are read and written in another thread,
    and the network learns in another process.

    Parameters
    ----------
    dispatch : callable
        Runs a function in the main thread.
    params : FineTuneParams, optional
        First parameters; the defaults if None.
    module : str
        Module that the child process runs.
    """

    phase_changed = Signal()
    """The phase is another."""
    progressed = Signal()
    """Share done, time left or message are others."""
    curve_changed = Signal()
    """Curve, checks or baseline are others."""
    preview_ready = Signal(PreviewLabels)
    """Superpixels of the view that was asked for."""
    used = Signal(str)
    """The model of a run was installed under this name."""
    failed = Signal(str)
    """A run failed; the reason in words."""

    def __init__(self, dispatch: Dispatch, params: FineTuneParams | None = None, *, module: str = CHILD) -> None:
        super().__init__(dispatch, params, module=module)
        self.phase: Phase = "setup"
        """What is going on."""
        self.message = ""
        """What is being done, or what went wrong."""
        self.run_folder: Path | None = None
        """Folder of the run at hand."""
        self.report: FineTuneReport | None = None
        """How the run at hand ended."""
        self._progress = FineTuneProgress()
        self._process: TrainingProcess | None = None
        self._killer: threading.Timer | None = None
        self._view: dict[str, Any] | None = None
        self._turn = 0
        self._discarded: set[Path] = set()
        self._is_of_rows = False
        self._is_closed = False

    @property
    def is_running(self) -> bool:
        """Whether a run is going on or paused."""
        return self.phase in _RUNNING

    @property
    def is_of_rows(self) -> bool:
        """Whether the run at hand was begun with the rows, and not opened later."""
        return self._is_of_rows

    @property
    def can_resume(self) -> bool:
        """Whether the run at hand has learnt something that it can go on from."""
        return self.run_folder is not None and (self.run_folder / "state.safetensors").exists()

    @property
    def curve(self) -> list[dict[str, float]]:
        """``step`` and ``loss`` of some steps."""
        return self._progress.curve

    @property
    def epochs(self) -> list[dict[str, float]]:
        """``step`` and the measures of each check."""
        return self._progress.epochs

    @property
    def baseline(self) -> dict[str, float]:
        """The measures of the start model."""
        return self._progress.baseline

    @property
    def progress(self) -> float:
        """Share of the run that is done."""
        return self._progress.share

    @property
    def n_steps(self) -> int:
        """Steps of the whole run; 0 while it is not known."""
        return self._progress.n_steps

    @property
    def seconds_left(self) -> float | None:
        """Seconds that the run will take yet; None while that is not known."""
        return self._progress.seconds_left

    def set_runs_folder(self, folder: str | Path) -> None:
        """Keep runs in another folder."""
        save_runs_folder(folder)
        self.phase_changed.emit()

    def unfinished_runs(self) -> list[WaitingRun]:
        """Return the runs that did not end, or whose model was neither used nor discarded, the newest first."""
        return [run for run in waiting_runs(self.runs_folder) if run.folder not in self._discarded]

    def request_estimate(self) -> None:
        """Find out how long a run would take, unless one is going on, which would make it seem longer."""
        if not self.is_running:
            super().request_estimate()

    def train(self) -> None:
        """Start a run.

        Raises
        ------
        RuntimeError
            If there is a problem, or a run is going on.
        """
        if self.problem or self.is_running:
            raise RuntimeError(self.problem or "A training is going on already.")
        self._drop_estimate()
        self._begin("Writing the images…", is_of_rows=True)
        rows, params, folder = self.rows, self.params, self.runs_folder
        digests = [row.digest for row in self._earlier]
        self._errands.run(
            lambda: errands_of.write_run(folder, rows, params, self._is_stopping, digests),
            self._start,
            self._on_no_run,
        )

    def resume(self, folder: str | Path) -> None:
        """Go on with a run; of one that ended, show how."""
        if self.is_running:
            raise RuntimeError("A training is going on already.")
        self._drop_estimate()
        self._begin("Opening the training…", is_of_rows=False)
        self.run_folder = Path(folder)
        self._errands.run(lambda: errands_of.open_run(Path(folder)), self._take_run, self._on_no_run)

    def pause(self) -> None:
        """Halt after the present step."""
        self._send("pause")

    def go(self) -> None:
        """Go on where it was paused."""
        self._send("go")

    def stop(self) -> None:
        """End the run and keep the best network so far."""
        if not self.is_running or self.phase == "stopping":
            return
        patience = _STARTING_PATIENCE_SECONDS if self.phase == "starting" else _PATIENCE_SECONDS
        self._set_phase("stopping", "Stopping…")
        process = self._process
        if process is None:
            return
        process.send("go")
        process.send("stop")
        self._kill_after(process, patience)

    def discard(self, folder: str | Path | None = None) -> None:
        """Remove a run with all that it holds: the one at hand, or another."""
        path = self.run_folder if folder is None else Path(folder)
        if path is not None and path not in self._discarded:
            self._discarded.add(path)
            self._errands.run(
                lambda: remove_run(path), lambda _: self._discarded.discard(path), partial(self._on_not_removed, path)
            )
        if folder is None:
            self._end("setup")

    def use_as(self, name: str) -> None:
        """Install the best network of the run at hand, and choose it as the next run's start.

        Raises
        ------
        ValueError
            If the name cannot be one of a model, or is taken.
        RuntimeError
            If there is no run that ended with a model.
        """
        folder, report = self.run_folder, self.report
        if folder is None or report is None or report.best is None:
            raise RuntimeError("There is no training that ended with a model.")
        check_new_name(name)
        self._errands.run(lambda: errands_of.install(folder, report, name), lambda _: self._on_installed(name, folder))

    def set_view(
        self,
        pixels: npt.NDArray[Any] | None,
        n_segments: int = 1,
        *,
        channel_axis: int | None = None,
        rgb: bool | None = None,
    ) -> None:
        """Ask for a preview of these pixels every few seconds while a run goes on; None for no more of them."""
        self._view = None
        if pixels is not None:
            self._turn += 1
            layout = {"channel_axis": channel_axis, "rgb": rgb}
            self._view = {"pixels": pixels, "n_segments": n_segments, **layout, "turn": self._turn}
        self._send_view()

    def close(self) -> None:
        """End what runs so that it can be resumed, and hear no more of it."""
        self._is_closed = True
        if self._process is not None:
            self._process.leave()
        super().close()

    def _begin(self, message: str, *, is_of_rows: bool) -> None:
        self._is_of_rows = is_of_rows
        self._progress = FineTuneProgress()
        self.report, self.run_folder = None, None
        self._set_phase("starting", message)
        self.curve_changed.emit()
        self.progressed.emit()

    def _end(self, phase: Phase, message: str = "") -> None:
        self._process = None
        self._set_phase(phase, message)

    def _set_phase(self, phase: Phase, message: str = "") -> None:
        self.phase, self.message = phase, message
        self.phase_changed.emit()

    def _is_stopping(self) -> bool:
        return self.phase == "stopping" or self._is_closed

    def _take_run(self, found: "tuple[FineTuneProgress, FineTuneReport | None]") -> None:
        self._progress, report = found
        self.curve_changed.emit()
        assert self.run_folder is not None
        if report is not None:
            self._finish(report)
        else:
            self._start(self.run_folder)

    def _start(self, folder: Path) -> None:
        self.run_folder = folder
        if self.phase == "stopping":
            self._on_stopped()
            return
        process = self._process = TrainingProcess(folder, self._dispatch, self._module)
        process.received.connect(self._on_event)
        process.ended.connect(lambda code: self._on_ended(process, code))
        try:
            process.start()
        except SuperpixelsError as error:
            self._fail(str(error))
            return
        self._send_view()

    def _on_event(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "done":
            self._finish(FineTuneReport.model_validate(event["report"]))
        elif kind == "failed":
            self._fail(event["message"])
        elif kind == "stopped":
            self._on_stopped()
        elif kind == "stopping":
            self.message = "Measuring the best network so far…"
            self.progressed.emit()
            assert self._process is not None
            self._kill_after(self._process, _ENDING_SECONDS)
        elif kind == "preview":
            folder = self.run_folder
            assert folder is not None
            self._errands.run(lambda: errands_of.preview(folder), self._show_preview)
        elif self.phase != "stopping":
            if kind in ("paused", "resumed", "step"):
                self._take_phase(kind)
            self.message = self._progress.take(event)
            self.progressed.emit()
            if kind in ("step", "epoch", "baseline"):
                self.curve_changed.emit()

    def _take_phase(self, kind: str) -> None:
        phase: Phase = "paused" if kind == "paused" else "running"
        if phase != self.phase and (kind != "step" or self.phase == "starting"):
            self._set_phase(phase)

    def _finish(self, report: FineTuneReport) -> None:
        self.report = report
        if report.best is None:
            self._end("setup")
            self.told.emit("Stopped before the first check, so there is no model yet; Resume goes on from here.")
            return
        self._end("finished")

    def _fail(self, message: str) -> None:
        self._end("failed", message)
        self.failed.emit(message)

    def _on_ended(self, process: TrainingProcess, code: int) -> None:
        """Say so where the process ended without a word."""
        if process is not self._process:
            return
        if self.phase == "stopping":
            self._on_stopped()
            return
        how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        why = " Systems do that where memory runs out." if code == -9 else ""
        folder = self.run_folder
        self._fail(f"The training process {how} without saying why.{why} What it printed is in {folder}/log.txt.")

    def _on_stopped(self) -> None:
        self._end("setup")
        resumed = "Stopped; Resume goes on from what was saved last."
        self.told.emit(resumed if self.can_resume else "Stopped before anything was learnt that could be kept.")

    def _on_no_run(self, error: Exception) -> None:
        if isinstance(error, CancelledError):
            self._on_stopped()
        else:
            self._fail(str(error))

    def _kill_after(self, process: TrainingProcess, seconds: float) -> None:
        """End a process unless it ends by itself; this takes the place of what was said of it before."""
        if self._killer is not None:
            self._killer.cancel()
        timer = self._killer = threading.Timer(seconds, process.kill)
        timer.daemon = True
        process.ended.connect(lambda code: timer.cancel())
        timer.start()

    def _on_not_removed(self, path: Path, error: Exception) -> None:
        self._discarded.discard(path)
        self.phase_changed.emit()
        self.told.emit(str(error))

    def _on_installed(self, name: str, folder: Path) -> None:
        if self.phase == "finished" and self.run_folder == folder:
            self._end("setup")
        model_events.changed.emit(name)
        self.used.emit(name)
        self.update(start=name)
        self.told.emit(f"{name!r} is in every list of models now, and the next training starts from it.")

    def _show_preview(self, labels: PreviewLabels) -> None:
        # An answer to an earlier request is of no use.
        if self._view is not None and labels.turn == self._view["turn"]:
            self.preview_ready.emit(labels)

    def _send(self, command: str) -> None:
        if self._process is not None:
            self._process.send(command)

    def _send_view(self) -> None:
        process, view, folder = self._process, self._view, self.run_folder
        if process is None or folder is None:
            return
        if view is None:
            process.send("hide")
        else:
            self._errands.run(lambda: errands_of.ask(folder, view), lambda _: self._request_preview(process, view))

    def _request_preview(self, process: TrainingProcess, view: dict[str, Any]) -> None:
        if process is self._process and view is self._view:
            process.send("preview")
