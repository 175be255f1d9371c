"""Measures of a session's results, taken off the main thread while nothing else is to be done."""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_superpixels.core.eikonal import check_cancelled
from napari_superpixels.core.features import pixel_features
from napari_superpixels.core.metrics import Metrics, evaluate
from napari_superpixels.core.region_quality import RegionQuality, measure_regions, missed_boundary, strong_edges
from napari_superpixels.engine.links import Links
from napari_superpixels.engine.pipeline import SolveResult
from napari_superpixels.engine.resolve import ImageInput
from napari_superpixels.engine.scheduler import Dispatch, Job, Scheduler
from napari_superpixels.engine.session import Session
from napari_superpixels.errors import ImageError
from napari_superpixels.params import ViewParams

#: How long the session must have been idle: a slider under way makes the next result within this time.
_REST_S = 0.1
_POLL_S = 0.01
_MAX_BINS = 24


@dataclass(frozen=True, slots=True, eq=False)
class GroundTruth:
    """Objects as somebody drew them, on the pixels of a result."""

    name: str
    """Name for messages."""
    labels: npt.NDArray[Any] | Callable[[], npt.NDArray[Any]]
    """(M, N) or (P, M, N), integer, every value a segment, 0 too; or a function that reads them in the worker."""

    def read(self, shape: tuple[int, ...]) -> npt.NDArray[np.integer[Any]]:
        """Return the labels as an array in memory.

        Raises
        ------
        ImageError
            If they have another shape than the superpixels, or are no labels.
        """
        labels = np.asarray(self.labels() if callable(self.labels) else self.labels)
        if labels.shape != shape:
            raise ImageError(
                f"The ground truth {self.name!r} has shape {labels.shape} here, the superpixels have {shape}. Choose a "
                "Labels layer of the image's shape."
            )
        if labels.dtype == bool:
            return labels.view(np.uint8)
        if labels.dtype.kind not in "iu":
            raise ImageError(f"The ground truth {self.name!r} holds {labels.dtype}; expected integer labels.")
        return labels


#: Finds the ground truth of an input, None where none is chosen; raises ImageError where it does not fit.
FindTruth = Callable[[ImageInput], GroundTruth | None]


@dataclass(frozen=True, slots=True, eq=False)
class Quality:
    """What was measured of one result."""

    result: SolveResult
    """The superpixels."""
    regions: RegionQuality
    """Measures that need no ground truth."""
    metrics: Metrics | None
    """Measures against the ground truth; None without one, or where it does not fit."""
    missed: npt.NDArray[np.bool_] | None
    """Ground-truth boundary pixels that were missed; None where not wanted."""
    problem: str
    """Why there are no measures against the ground truth chosen; empty if there are, or none is chosen."""

    @property
    def median_size(self) -> float:
        """Median number of pixels of a superpixel."""
        return float(np.median(self.regions.sizes))

    def size_histogram(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Return how many superpixels have how many pixels: (B,) numbers and the (B + 1,) limits of the sizes."""
        sizes = self.regions.sizes
        span = int(sizes.max() - sizes.min()) + 1
        # Whole numbers between the limits, or some bins would hold more sizes than others.
        width = -(-span // min(_MAX_BINS, span))
        limits = sizes.min() - 0.5 + width * np.arange(-(-span // width) + 1)
        return np.histogram(sizes, limits)[0], limits


@dataclass(frozen=True, slots=True, eq=False)
class _Request:
    result: SolveResult
    truth: GroundTruth | None
    problem: str
    tolerance: int
    wants_missed: bool


class QualityMeter:
    """Measures a session's results while the user wants to see how good they are.

    A new computation of superpixels stops the measuring; the latest result is measured when the session rests.

    Parameters
    ----------
    session : Session
        Whose results; its view says whether they are measured, and with which tolerance.
    find_truth : callable
        Finds the ground truth of an input, in the main thread.
    dispatch : callable
        Runs a function in the main thread.
    """

    measured = Signal(Quality)
    """The measures of the session's latest result."""
    outdated = Signal()
    """What was measured last is not the session's latest result any more."""
    cleared = Signal()
    """There is no result to measure."""
    failed = Signal(Exception)
    """The measuring went wrong."""

    def __init__(self, session: Session, find_truth: FindTruth, dispatch: Dispatch) -> None:
        self._session = session
        self._find_truth = find_truth
        self._wants_missed = False
        self._quality: Quality | None = None
        self._edges: tuple[Hashable, npt.NDArray[np.bool_]] | None = None
        self._scheduler: Scheduler[_Request, Quality] = Scheduler(
            self._measure,
            supersedes=lambda new, old: True,
            dispatch=dispatch,
            on_result=lambda request, quality: self._on_measured(quality),
            on_error=lambda request, error: self.failed.emit(error),
            on_cancelled=lambda request: None,
            on_idle=lambda: None,
        )
        self._links = Links()
        self._links.connect(session.started, self._on_started)
        self._links.connect(session.idle, self._on_idle)
        self._links.connect(session.solved, self._on_solved)
        self._links.connect(session.input_changed, self._on_input_changed)
        self._links.connect(session.forgotten, self._on_forgotten)
        self._links.connect(session.view_changed, self._on_view_changed)

    @property
    def quality(self) -> Quality | None:
        """The measures of the session's latest result, if they are there."""
        return self._quality

    def set_wants_missed(self, is_wanted: bool) -> None:
        """Say whether the missed pixels are wanted too."""
        self._wants_missed = is_wanted
        if is_wanted:
            self.refresh()

    def refresh(self) -> None:
        """Measure anew, when the session rests, because the ground truth or what is wanted changed."""
        self._quality = None
        result = self._session.result
        if result is None or not (self._session.view.quality_open or self._wants_missed):
            return
        self.outdated.emit()
        if self._session.is_busy:
            return
        truth, problem = None, ""
        try:
            truth = self._find_truth(result.inputs)
        except ImageError as error:
            problem = str(error)
        tolerance = self._session.view.tolerance
        self._scheduler.submit(_Request(result, truth, problem, tolerance, self._wants_missed))

    def close(self) -> None:
        """Stop the worker and stop watching the session; no signal follows."""
        self._links.close()
        self._scheduler.close()

    def _on_started(self) -> None:
        self._scheduler.cancel(silently=True)

    def _on_idle(self) -> None:
        if self._quality is None or self._quality.result is not self._session.result:
            self.refresh()

    def _on_solved(self, result: SolveResult) -> None:
        if self._quality is not None and self._quality.result is not result:
            self._quality = None
            self.outdated.emit()

    def _on_input_changed(self, inputs: ImageInput | None) -> None:
        if self._session.result is None:
            self._on_forgotten()

    def _on_forgotten(self) -> None:
        self._scheduler.cancel(silently=True)
        self._quality = None
        self.cleared.emit()

    def _on_view_changed(self, new: ViewParams, old: ViewParams) -> None:
        if (new.quality_open, new.tolerance) != (old.quality_open, old.tolerance):
            self._scheduler.cancel(silently=True)
            self.refresh()

    def _on_measured(self, quality: Quality) -> None:
        if quality.result is self._session.result:
            self._quality = quality
            self.measured.emit(quality)

    def _measure(self, job: Job[_Request]) -> Quality:
        for _ in range(round(_REST_S / _POLL_S)):
            check_cancelled(job.cancel)
            time.sleep(_POLL_S)
        request = job.request
        labels, unit = request.result.superpixels.labels, request.result.network.unit
        features = pixel_features(unit.pixels, None, 0.0, unit.kind)
        check_cancelled(job.cancel)
        edges = self._strong_edges(request.result, features)
        regions = measure_regions(labels, features, edges, tolerance=request.tolerance, cancel=job.cancel)
        metrics, missed, problem = None, None, request.problem
        if request.truth is not None:
            try:
                truth = request.truth.read(labels.shape)
                check_cancelled(job.cancel)
                image = unit.pixels[..., 0] if unit.kind == "grey" else unit.pixels
                metrics = evaluate(labels, truth, image, request.tolerance)
                check_cancelled(job.cancel)
                missed = missed_boundary(labels, truth, request.tolerance) if request.wants_missed else None
            except ValueError as error:
                problem = str(error)
        return Quality(request.result, regions, metrics, missed, problem)

    def _strong_edges(self, result: SolveResult, features: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
        """Return the strong edges of the image, which stay while its superpixels change."""
        key = result.keys["network"]
        if self._edges is None or self._edges[0] != key:
            self._edges = (key, strong_edges(features, result.network.boundary))
        return self._edges[1]
