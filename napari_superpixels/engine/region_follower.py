"""Follows the superpixels of the plane at hand through results and edits; knows at any time what they are like."""

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_superpixels.core.eikonal import check_cancelled
from napari_superpixels.core.region_features import MARGIN
from napari_superpixels.engine.pipeline import SolveResult
from napari_superpixels.engine.region_model import Box, PlaneMaps, RegionModel, plane_maps, region_model
from napari_superpixels.engine.scheduler import Dispatch, Job, Scheduler

#: Changes in a larger window are taken over in the worker.
_MAX_WINDOW = 512 * 512
#: How long a plane must have been at hand: a slider under way makes the next within this time.
_REST_S = 0.1
_POLL_S = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class _Request:
    result: SolveResult
    labels: npt.NDArray[np.int32]
    rest_s: float


class RegionFollower:
    """Keeps the :class:`RegionModel` of the plane at hand.

    All methods are for the main thread. A new plane's model is made in a worker; small edits are taken over at once.

    Parameters
    ----------
    dispatch : callable
        Runs a function in the main thread.
    """

    rebuilt = Signal()
    """There is a new model, of all superpixels."""
    updated = Signal(object)
    """Some superpixels changed; carries their labels, (n,) int32, those that came and went too."""
    cleared = Signal()
    """There is no model, because there is no plane or its model is being made."""
    failed = Signal(Exception)
    """Making the model went wrong."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._result: SolveResult | None = None
        self._labels: npt.NDArray[np.int32] | None = None
        self._seen = np.empty((0, 0), np.int32)
        self._boxes: list[Box] = []
        self._plane: PlaneMaps | None = None
        self._model: RegionModel | None = None
        self._request: _Request | None = None
        self._scheduler: Scheduler[_Request, RegionModel] = Scheduler(
            self._build,
            supersedes=lambda new, old: True,
            dispatch=dispatch,
            on_result=self._on_built,
            on_error=self._on_failed,
            on_cancelled=lambda request: None,
            on_idle=lambda: None,
        )

    @property
    def model(self) -> RegionModel | None:
        """What is known of the present superpixels; None while it is being made."""
        return self._model

    @property
    def is_ready(self) -> bool:
        """Whether there is a model."""
        return self._model is not None

    def set_plane(self, result: SolveResult | None, labels: npt.NDArray[np.int32] | None = None) -> None:
        """Follow another plane, or none.

        Parameters
        ----------
        result : SolveResult or None
            Where the plane's superpixels come from; None for no plane.
        labels : ndarray of shape (M, N), int32, optional
            The superpixels as they are now, to be written in place; those of the result by default.

        Raises
        ------
        ValueError
            If the labels are not those of a plane of the result's shape.
        """
        if result is None:
            self._forget()
            return
        labels = result.superpixels.labels if labels is None else labels
        shape = result.network.unit.pixels.shape[:-1]
        if labels.shape != shape or labels.ndim != 2 or labels.dtype != np.int32:
            raise ValueError(
                f"labels are {labels.dtype} of shape {labels.shape}; expected int32 of a plane, {shape} as the result"
            )
        self._result, self._labels = result, labels
        self._start(_REST_S)

    def note_labels(self, box: Box) -> None:
        """Take over labels that were written in place.

        Parameters
        ----------
        box : tuple of slice
            Part of the plane that holds every changed pixel.
        """
        if self._request is None:
            return
        if self._model is None:
            self._boxes.append(box)
            return
        changed = self._take_over(box)
        if len(changed):
            self.updated.emit(changed)

    def close(self) -> None:
        """Stop the worker; no signal follows."""
        self._scheduler.close()

    def _take_over(self, box: Box) -> npt.NDArray[np.int32]:
        """Bring the model up to date, here or in the worker; return the labels that changed here."""
        assert self._labels is not None
        assert self._model is not None
        tight = self._changed_box(box)
        if tight is None:
            return np.empty(0, np.int32)
        window = _grown(tight, MARGIN, self._labels.shape)
        after = np.ascontiguousarray(self._labels[window])
        if after.size > _MAX_WINDOW:
            self._start(0.0)
            return np.empty(0, np.int32)
        before = self._seen[window].copy()
        differs = before != after
        changed = np.unique(np.concatenate([before[differs], after[differs]]))
        changed = changed[changed > 0]
        self._model = self._model.updated(window, before, after, changed)
        self._seen[window] = after
        return changed

    def _forget(self) -> None:
        self._scheduler.cancel(silently=True)
        had_plane = self._labels is not None
        self._result, self._labels, self._request, self._model = None, None, None, None
        self._seen = np.empty((0, 0), np.int32)
        self._boxes.clear()
        if had_plane:
            self.cleared.emit()

    def _start(self, rest_s: float) -> None:
        assert self._result is not None
        had_model = self._model is not None
        # The worker reads this copy, the main thread goes on writing the labels.
        self._seen = np.array(self._labels, order="C")
        self._boxes.clear()
        self._model = None
        self._request = _Request(self._result, self._seen, rest_s)
        if had_model:
            self.cleared.emit()
        self._scheduler.submit(self._request)

    def _changed_box(self, box: Box) -> Box | None:
        """Return the smallest box around what changed in a box."""
        assert self._labels is not None
        part = tuple(slice(*s.indices(n)) for s, n in zip(box, self._labels.shape, strict=True))
        differs = self._labels[part] != self._seen[part]
        rows = np.flatnonzero(differs.any(axis=1))
        if not len(rows):
            return None
        columns = np.flatnonzero(differs[rows[0] : rows[-1] + 1].any(axis=0))
        return (
            slice(part[0].start + int(rows[0]), part[0].start + int(rows[-1]) + 1),
            slice(part[1].start + int(columns[0]), part[1].start + int(columns[-1]) + 1),
        )

    def _on_built(self, request: _Request, model: RegionModel) -> None:
        if request is not self._request:
            return
        self._plane = model.plane
        self._model = model
        boxes, self._boxes = self._boxes, []
        for box in boxes:
            if self._model is not None:
                self._take_over(box)
        if self._model is not None:
            self.rebuilt.emit()

    def _on_failed(self, request: _Request, error: Exception) -> None:
        if request is self._request:
            self._request = None
            self._boxes.clear()
            self.failed.emit(error)

    def _build(self, job: Job[_Request]) -> RegionModel:
        for _ in range(round(job.request.rest_s / _POLL_S)):
            check_cancelled(job.cancel)
            time.sleep(_POLL_S)
        plane = plane_maps(job.request.result, self._plane)
        return region_model(plane, job.request.labels, job.cancel)


def _grown(box: Box, margin: int, shape: tuple[int, ...]) -> Box:
    rows, columns = (slice(max(s.start - margin, 0), min(s.stop + margin, n)) for s, n in zip(box, shape, strict=True))
    return rows, columns
