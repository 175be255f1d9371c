"""The one evented state of a window: parameters, input, result. No Qt here; views subscribe to its signals."""

import time
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

from psygnal import Signal

from napari_superpixels.engine.constraints import Correction
from napari_superpixels.engine.models import model_identity
from napari_superpixels.engine.pipeline import Pipeline, SolveResult
from napari_superpixels.engine.resolve import ImageInput, dirty_stages, stage_keys
from napari_superpixels.engine.scheduler import Dispatch, Job, Scheduler
from napari_superpixels.params import SegmentParams, Stage, ViewParams

_PROGRESS_S = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class SolveRequest:
    """What to segment, and how."""

    inputs: ImageInput
    params: SegmentParams
    turn: int = 0
    """How often the session had been set back when this was asked for."""
    is_recall: bool = False
    """Whether the result is wanted for what local repairs need of it only, and not to be shown."""

    def keys(self) -> dict[Stage, Hashable]:
        """Return what each stage is to be made from."""
        return stage_keys(self.inputs, self.params, model_identity(self.params.model))


class Session:
    """Parameters, input and result of the superpixels of one viewer.

    All methods are called, and all signals emitted, in the main thread; work is done in one other thread.

    Parameters
    ----------
    params : SegmentParams, optional
        First parameters; the defaults if None.
    view : ViewParams, optional
        First way of showing results.
    dispatch : callable, optional
        Runs a function in the main thread; calls it at once, in the worker's thread, if None (for scripts and tests).
    """

    params_changed = Signal(SegmentParams, SegmentParams)
    """(new, old) after any change of parameters, once for each call that changes some."""
    view_changed = Signal(ViewParams, ViewParams)
    """(new, old) after a change of how results are shown."""
    input_changed = Signal(object)
    """The new ImageInput or None."""
    started = Signal()
    """A computation begins after an idle time."""
    progressed = Signal(float, str)
    """Share done, 0 to 1, and what is being done; at most ten times a second, and at the end."""
    solved = Signal(SolveResult)
    """A new result."""
    recalled = Signal(SolveResult)
    """The result that :meth:`recall` asked for."""
    forgotten = Signal()
    """The result was dropped, because its superpixels are there no more."""
    failed = Signal(Exception)
    """A computation failed."""
    cancelled = Signal()
    """A computation was cancelled by the user."""
    idle = Signal()
    """Nothing runs or waits any more."""

    def __init__(
        self,
        params: SegmentParams | None = None,
        view: ViewParams | None = None,
        *,
        dispatch: Dispatch | None = None,
    ) -> None:
        self._params = params or SegmentParams()
        self._view = view or ViewParams()
        self._inputs: ImageInput | None = None
        self._result: SolveResult | None = None
        self._asked: SolveRequest | None = None
        self._shown: dict[Stage, Hashable] | None = None
        self._turn = 0
        self._has_failed = False
        self._pipeline = Pipeline()
        self._dispatch: Dispatch = dispatch or (lambda function: function())
        self._scheduler: Scheduler[SolveRequest, SolveResult] = Scheduler(
            self._solve,
            supersedes=_supersedes,
            dispatch=self._dispatch,
            on_result=self._on_result,
            on_error=lambda request, error: self._on_error(error),
            on_cancelled=lambda request: self.cancelled.emit(),
            on_idle=self.idle.emit,
        )

    @property
    def params(self) -> SegmentParams:
        """The parameters; replace them with :meth:`update`."""
        return self._params

    @property
    def view(self) -> ViewParams:
        """How results are shown; replace it with :meth:`update_view`."""
        return self._view

    @property
    def inputs(self) -> ImageInput | None:
        """What is to be segmented."""
        return self._inputs

    @property
    def result(self) -> SolveResult | None:
        """The latest result for the present image, if there is one."""
        return self._result

    @property
    def is_busy(self) -> bool:
        """Whether a computation runs or waits."""
        return self._scheduler.is_busy

    def update(self, **changes: Any) -> None:
        """Change parameters; recompute if live and there is a result to keep up to date.

        Raises
        ------
        pydantic.ValidationError
            If a name is unknown or a value is out of bounds; nothing is changed then.
        """
        self.replace(self._params.updated(**changes))

    def replace(self, params: SegmentParams) -> None:
        """Set all parameters at once, as :meth:`update` does."""
        old = self._params
        if params == old:
            return
        self._params = params
        self.params_changed.emit(params, old)
        self._follow()

    def reset(self) -> None:
        """Go back to the default parameters; model and device stay."""
        self.replace(SegmentParams(model=self._params.model, device=self._params.device))

    def update_view(self, **changes: Any) -> None:
        """Change how results are shown; switching to live catches up with changed parameters."""
        old = self._view
        new = ViewParams(**{**old.model_dump(), **changes})
        if new == old:
            return
        self._view = new
        self.view_changed.emit(new, old)
        if new.live and not old.live:
            self._follow()

    def set_input(self, inputs: ImageInput | None) -> None:
        """Set what is segmented; another plane or region of the same image is recomputed if live."""
        old = self._inputs
        if old is inputs:
            return
        self._inputs = inputs
        is_same_image = inputs is not None and old is not None and inputs.source == old.source
        if not is_same_image:
            self._result = self._shown = self._asked = None
            self._scheduler.cancel(silently=True)
        self.input_changed.emit(inputs)
        if is_same_image:
            self._follow()

    def visit(self, inputs: ImageInput, kept: SegmentParams | None) -> None:
        """Set another plane of the same image, whose superpixels stay as they are though the parameters changed.

        Parameters
        ----------
        inputs : ImageInput
            The plane.
        kept : SegmentParams, optional
            What its superpixels were made with: the parameters are these from here on, and the result follows, to be
            recalled. None where it has no superpixels; the next :meth:`segment` makes some.
        """
        self._inputs = inputs
        self.input_changed.emit(inputs)
        if kept is None:
            self.forget()
        else:
            self.restore(kept)
            self.recall()

    def restore(self, params: SegmentParams) -> None:
        """Set parameters whose superpixels are shown already, as after an undo: nothing is recomputed.

        What runs or waits is dropped, and the parameters are followed from here.
        """
        self._scheduler.cancel(silently=True)
        self._asked = None
        self._turn += 1
        self._has_failed = False
        old, self._params = self._params, params
        self._shown = None if self._inputs is None else SolveRequest(self._inputs, params).keys()
        if params != old:
            self.params_changed.emit(params, old)

    def forget(self) -> None:
        """Drop the result, whose superpixels were taken back, and what runs or waits; nothing follows the parameters.

        The next :meth:`segment` makes a new one.
        """
        self._scheduler.cancel(silently=True)
        self._result = self._shown = self._asked = None
        self._turn += 1
        self._has_failed = False
        self.forgotten.emit()

    def set_corrections(self, corrections: tuple[Correction, ...]) -> None:
        """Set the corrections of what is segmented, which the superpixels that are shown have already.

        Nothing is recomputed, but what runs or waits is asked for again with them. Without an input, nothing happens.
        """
        inputs = self._inputs
        if inputs is None or inputs.corrections == corrections:
            return
        before = SolveRequest(inputs, self._params).keys()
        self._inputs = replace(inputs, corrections=corrections)
        if self._shown == before:
            self._shown = SolveRequest(self._inputs, self._params).keys()
        asked = self._asked
        is_of_plane = asked is not None and not asked.is_recall and asked.inputs.key == inputs.key
        if self._scheduler.is_busy and is_of_plane:
            self.segment()

    def recall(self) -> None:
        """Compute the result of the present input and parameters without showing it; `recalled` follows.

        For what local repairs need of a result that is no longer there. Where a computation runs already, its result
        comes instead, unless it was dropped.

        Raises
        ------
        RuntimeError
            If there is no input.
        """
        # What was dropped may take a moment to end, and tells nothing then.
        if self._asked is None or not self._scheduler.is_busy:
            self._submit(is_recall=True)

    def segment(self) -> None:
        """Compute superpixels of the present input with the present parameters, unless that is under way already.

        Raises
        ------
        RuntimeError
            If there is no input.
        """
        asked = self._asked
        if self._scheduler.is_busy and asked is not None and not asked.is_recall and self._inputs is not None:
            if asked.keys() == SolveRequest(self._inputs, self._params).keys():
                return
        self._submit()

    def cancel(self) -> None:
        """Stop what runs or waits; `cancelled` follows."""
        self._asked = None
        self._scheduler.cancel()

    def close(self) -> None:
        """Stop the worker, and drop the result and what was kept for the next one; no signal follows."""
        self._scheduler.close()
        self._inputs = self._result = self._shown = self._asked = None
        # Another one: the worker may still be running the old one.
        self._pipeline = Pipeline()

    def _submit(self, *, is_recall: bool = False) -> None:
        if self._inputs is None:
            raise RuntimeError("There is no image to segment; set_input first.")
        was_idle = not self._scheduler.is_busy
        self._has_failed = False
        self._asked = SolveRequest(self._inputs, self._params, self._turn, is_recall)
        self._scheduler.submit(self._asked)
        if was_idle:
            self.started.emit()

    def _follow(self) -> None:
        """Recompute when live and what is shown of the present image is out of date."""
        if not self._view.live or self._inputs is None:
            return
        is_asked = self._asked is not None and self._scheduler.is_busy
        if self._result is None and self._shown is None and not is_asked:
            return
        wanted = SolveRequest(self._inputs, self._params).keys()
        if self._scheduler.is_busy:
            is_stale = self._asked is None or bool(dirty_stages(self._asked.keys(), wanted))
        else:
            is_stale = self._shown is None or bool(dirty_stages(self._shown, wanted))
        if is_stale:
            self.segment()
        elif self._has_failed and self._result is not None:
            # The parameters are again those of what is shown: the failure is over.
            if self._result.keys != wanted:
                self.segment()
                return
            self._has_failed = False
            self.solved.emit(self._result)

    def _solve(self, job: Job[SolveRequest]) -> SolveResult:
        told = time.monotonic()

        def progress(share: float, text: str) -> None:
            nonlocal told
            # Each message makes a window draw itself, which slows the work; a slider step needs none.
            if share < 1 and time.monotonic() - told < _PROGRESS_S:
                return
            told = time.monotonic()
            self._dispatch(lambda: self._on_progress(job, share, text))

        request = job.request
        return self._pipeline.run(request.inputs, request.params, cancel=job.cancel, progress=progress)

    def _on_progress(self, job: Job[SolveRequest], share: float, text: str) -> None:
        if not job.cancel[0]:
            self.progressed.emit(share, text)

    def _on_error(self, error: Exception) -> None:
        self._has_failed = True
        self.failed.emit(error)

    def _on_result(self, request: SolveRequest, result: SolveResult) -> None:
        if self._inputs is None or request.inputs.source != self._inputs.source or request.turn != self._turn:
            return
        if request.is_recall:
            self._result = result
            self.recalled.emit(result)
        elif request.inputs.key != self._inputs.key or request.inputs.corrections == self._inputs.corrections:
            # Another plane, which the user left meanwhile, has corrections of its own.
            self._result, self._shown = result, result.keys
            self.solved.emit(result)
        elif not self._scheduler.is_busy:
            # The user corrected something while this was on its way here.
            self.segment()


def _supersedes(new: SolveRequest, old: SolveRequest) -> bool:
    """Say whether the network, which takes longest, would have to run for nothing."""
    return new.keys()["network"] != old.keys()["network"]
