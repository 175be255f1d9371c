"""What a fine-tuning is to learn from, and how: the evented list of images and the parameters. No Qt here."""

import itertools
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from psygnal import Signal

from napari_superpixels.data.training_folder import Role
from napari_superpixels.engine import fine_tune_errands as errands_of
from napari_superpixels.engine.errands import Errands
from napari_superpixels.engine.fine_tune_files import Estimate
from napari_superpixels.engine.fine_tune_rows import DataRow, default_role, examine, find_problem
from napari_superpixels.engine.preferences import runs_folder
from napari_superpixels.engine.scheduler import Dispatch
from napari_superpixels.engine.training_process import CHILD, TrainingProcess
from napari_superpixels.errors import SuperpixelsError
from napari_superpixels.params import FineTuneParams


class FineTuneSetup:
    """Images and parameters of fine-tunings, and an estimate of the time that one would take.

    All methods are called, and all signals emitted, in the main thread.

    Parameters
    ----------
    dispatch : callable
        Runs a function in the main thread.
    params : FineTuneParams, optional
        First parameters; the defaults if None.
    module : str
        Module that the child process runs.
    """

    rows_changed = Signal()
    """The list of images, or why they cannot be trained on, is another."""
    params_changed = Signal()
    """Parameters are others."""
    estimated = Signal()
    """There is another estimate of the time, or it is being made."""
    told = Signal(str)
    """Something that the user should know."""

    def __init__(self, dispatch: Dispatch, params: FineTuneParams | None = None, *, module: str = CHILD) -> None:
        self.rows: tuple[DataRow, ...] = ()
        """The images."""
        self.params = params or FineTuneParams()
        """The parameters; change them with :meth:`update`."""
        self.estimate: Estimate | None = None
        """How long a run would take; None where that was not asked for since the last change."""
        self.is_estimating = False
        """Whether an estimate is being made."""
        self._dispatch, self._module = dispatch, module
        self._errands = Errands(dispatch, self._on_error)
        # Of their own: many images, or slow ones, must not keep a training from starting or stopping.
        self._readings = Errands(dispatch, self._on_error)
        self._earlier: tuple[DataRow, ...] = ()
        self._estimator: tuple[TrainingProcess, errands_of.Trial] | None = None
        self._n_asked = 0
        self._keys = itertools.count()

    @property
    def problem(self) -> str:
        """Why training is not possible, in words; empty if it is."""
        return find_problem(self.rows)

    @property
    def runs_folder(self) -> Path:
        """Folder where runs are kept."""
        return runs_folder()

    def new_key(self) -> str:
        """Return a key that no row has."""
        return f"row-{next(self._keys)}"

    def add_rows(self, rows: Iterable[DataRow]) -> None:
        """Add images to the list, or replace rows of the same key once another thread has read them."""
        new, present = tuple(rows), {row.key for row in self.rows}
        listed = self.rows
        for row in new:
            if row.key not in present:
                listed = (*listed, replace(row, role=default_role(listed)))
        if listed != self.rows:
            self._set_rows(listed)
        for row in new:
            self._readings.run(partial(examine, row), self._take_row)

    def set_rows(self, rows: Iterable[DataRow]) -> None:
        """Replace the list by rows of it; an earlier run's image that measures comes back in place of a newer one."""
        kept = tuple(rows)
        present = {row.digest for row in kept}
        back = (row for row in self._earlier if row.role == "validation" and row.digest not in present)
        self._set_rows((*back, *kept))

    def set_included(self, key: str, included: bool) -> None:
        """Let an image take part, or not."""
        self._change(key, included=included)

    def set_role(self, key: str, role: Role) -> None:
        """Let an image train or validate; that of a frozen row stays."""
        if not any(row.key == key and row.is_frozen for row in self.rows):
            self._change(key, role=role)

    def update(self, **changes: Any) -> None:
        """Change parameters.

        Raises
        ------
        pydantic.ValidationError
            If a name is unknown or a value is out of bounds; nothing is changed then.
        """
        params = self.params.updated(**changes)
        if params == self.params:
            return
        is_other_start = params.start != self.params.start
        self.params = params
        self._drop_estimate()
        self.params_changed.emit()
        if is_other_start:
            self._take_earlier(params.start, [])
            self.look_for_earlier()

    def look_for_earlier(self) -> None:
        """List the images of the run that made the start model, which take part again."""
        start, folder = self.params.start, self.runs_folder
        self._errands.run(lambda: errands_of.earlier_rows(folder, start), lambda rows: self._take_earlier(start, rows))

    def request_estimate(self) -> None:
        """Find out how long a run would take, by timing some steps."""
        if self.problem or self.is_estimating:
            return
        self.estimate, self.is_estimating = None, True
        self._n_asked += 1
        self.estimated.emit()
        rows, params, number = self.rows, self.params, self._n_asked

        def write() -> errands_of.Trial:
            trial = errands_of.write_trial(rows, params)
            if not self._errands.is_open:
                trial.remove()
            return trial

        self._errands.run(
            write,
            lambda trial: self._start_estimate(trial, number),
            lambda error: self._on_no_estimate(str(error), number),
        )

    def close(self) -> None:
        """End what runs, and hear no more of it."""
        self._end_estimate()
        self._errands.close()
        self._readings.close(finish=False)

    def _take_row(self, row: DataRow) -> None:
        old = next((one for one in self.rows if one.key == row.key), None)
        if old is None:
            return
        roles = {one.digest: one.role for one in self._earlier}
        is_frozen = row.digest in roles
        row = replace(row, role=roles.get(row.digest, old.role), included=old.included, is_frozen=is_frozen)
        others = (one for one in self.rows if one.kind != "earlier" or one.digest != row.digest)
        self._set_rows(tuple(row if one is old else one for one in others))

    def _take_earlier(self, start: str, earlier: list[DataRow]) -> None:
        if start != self.params.start:
            return
        self._earlier = tuple(earlier)
        roles = {row.digest: row.role for row in earlier}
        rows = [
            replace(row, is_frozen=row.digest in roles, role=roles.get(row.digest, row.role))
            for row in self.rows
            if row.kind != "earlier"
        ]
        self._set_rows((*(row for row in earlier if row.digest not in {one.digest for one in rows}), *rows))

    def _set_rows(self, rows: tuple[DataRow, ...]) -> None:
        self.rows = rows
        self._drop_estimate()
        self.rows_changed.emit()

    def _change(self, key: str, **values: Any) -> None:
        self._set_rows(tuple(replace(row, **values) if row.key == key else row for row in self.rows))

    def _drop_estimate(self) -> None:
        """Forget an estimate, and one under way: it is for other images or parameters."""
        if self.estimate is not None or self.is_estimating:
            self._end_estimate()
            self.estimate = None
            self.estimated.emit()

    def _end_estimate(self) -> None:
        self.is_estimating = False
        self._n_asked += 1
        if self._estimator is not None:
            process, trial = self._estimator
            self._estimator = None
            process.leave()
            process.kill()
            self._errands.run(partial(_clear, process, trial), lambda _: None)

    def _start_estimate(self, trial: "errands_of.Trial", number: int) -> None:
        if number != self._n_asked:
            self._errands.run(trial.remove, lambda _: None)
            return
        process = TrainingProcess(trial.folder, self._dispatch, self._module)
        self._estimator = process, trial
        process.received.connect(self._on_estimate)
        process.ended.connect(lambda code: self._on_no_estimate(f"its process ended with code {code}.", number))
        try:
            process.start(["--estimate", str(trial.n_train), str(trial.n_validation)])
        except SuperpixelsError as error:
            self._on_no_estimate(str(error), number)

    def _on_estimate(self, event: dict[str, Any]) -> None:
        if event["event"] == "estimate":
            self._end_estimate()
            self.estimate = Estimate(*(event[name] for name in ("seconds", "step_seconds", "check_seconds")))
            self.estimated.emit()
        elif event["event"] == "failed":
            self._on_no_estimate(event["message"], self._n_asked)

    def _on_no_estimate(self, reason: str, number: int) -> None:
        if number == self._n_asked:
            self._drop_estimate()
            self.told.emit(f"The time cannot be estimated: {reason}")

    def _on_error(self, error: Exception) -> None:
        self.told.emit(str(error))


def _clear(process: TrainingProcess, trial: "errands_of.Trial") -> None:
    process.end()
    trial.remove()
