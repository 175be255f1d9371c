"""Suggests classes for the superpixels that have none, learned from those that have one.

The classifier is a forest of extremely randomised trees [1]_ on colour, texture, shape without position, boundary
probability, and on the difference to what touches a superpixel; docs/correct-hierarchy.md compares it with others.

References
----------
.. [1] Geurts, Ernst & Wehenkel, "Extremely randomized trees", Machine Learning 63, 2006,
   doi:10.1007/s10994-006-6226-1.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_superpixels.core.eikonal import check_cancelled
from napari_superpixels.engine.region_follower import RegionFollower
from napari_superpixels.engine.region_model import RegionModel
from napari_superpixels.engine.scheduler import Dispatch, Job, Scheduler

_N_TREES = 100
NOT_READY = "The superpixels are still being examined."
TOO_FEW = "Paint superpixels of at least two classes first."
NONE_LEFT = "Every superpixel has a class."


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A class for a superpixel."""

    label: int
    """The superpixel."""
    number: int
    """The class, 1 to 255."""
    confidence: float
    """Probability that the classifier gives the class, in [0, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class Suggestions:
    """Classes for superpixels, by rising label."""

    labels: npt.NDArray[np.int32]
    """(n,) superpixels."""
    numbers: npt.NDArray[np.uint8]
    """(n,) class of each, 1 to 255."""
    confidences: npt.NDArray[np.float32]
    """(n,) probability that the classifier gives it, in [0, 1]."""

    def __len__(self) -> int:
        return len(self.labels)

    def of(self, label: int) -> Suggestion | None:
        """Return what is suggested for a superpixel, if anything is."""
        at = int(np.searchsorted(self.labels, label))
        if at == len(self.labels) or self.labels[at] != label:
            return None
        return Suggestion(label, int(self.numbers[at]), float(self.confidences[at]))

    def above(self, threshold: float) -> "Suggestions":
        """Return those with at least this confidence."""
        return self._where(self.confidences >= threshold)

    def among(self, labels: npt.ArrayLike) -> "Suggestions":
        """Return those for some superpixels."""
        return self._where(np.isin(self.labels, labels))

    def without(self, labels: npt.ArrayLike) -> "Suggestions":
        """Return those for all superpixels but some."""
        return self._where(~np.isin(self.labels, labels))

    def by_class(self) -> dict[int, npt.NDArray[np.int32]]:
        """Return the superpixels for which each class is suggested."""
        return {int(number): self.labels[self.numbers == number] for number in np.unique(self.numbers)}

    def maps(self, n_labels: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        """Return look-up tables for pictures, to be indexed by labels.

        Parameters
        ----------
        n_labels : int
            Largest label.

        Returns
        -------
        numbers : ndarray of shape (n_labels + 1,), uint8
            Class suggested for each label, 0 for none.
        confidences : ndarray of shape (n_labels + 1,), float32
            Its confidence.
        """
        numbers, confidences = np.zeros(n_labels + 1, np.uint8), np.zeros(n_labels + 1, np.float32)
        known = self.labels <= n_labels
        numbers[self.labels[known]] = self.numbers[known]
        confidences[self.labels[known]] = self.confidences[known]
        return numbers, confidences

    def _where(self, mask: npt.NDArray[np.bool_]) -> "Suggestions":
        return Suggestions(self.labels[mask], self.numbers[mask], self.confidences[mask])


@dataclass(frozen=True, slots=True, eq=False)
class _Request:
    model: RegionModel
    class_of: npt.NDArray[np.uint8]
    rejected: npt.NDArray[np.int64]


class Suggester:
    """Suggests classes for the superpixels of the plane at hand; learns and predicts in a worker.

    Parameters
    ----------
    follower : RegionFollower
        Knows the superpixels.
    dispatch : callable
        Runs a function in the main thread.
    """

    suggested = Signal(Suggestions)
    """There are other suggestions."""
    cleared = Signal()
    """There are none any more."""
    failed = Signal(Exception)
    """Learning went wrong."""

    def __init__(self, follower: RegionFollower, dispatch: Dispatch) -> None:
        self._follower = follower
        self._current: Suggestions | None = None
        self._missing = ""
        self._request: _Request | None = None
        self._edited: list[npt.NDArray[np.int32]] = []
        self._rejected: set[tuple[int, int]] = set()
        self._scheduler: Scheduler[_Request, Suggestions] = Scheduler(
            self._learn,
            supersedes=lambda new, old: True,
            dispatch=dispatch,
            on_result=self._on_learned,
            on_error=self._on_failed,
            on_cancelled=lambda request: None,
            on_idle=lambda: None,
        )
        follower.rebuilt.connect(self._on_other_superpixels)
        follower.cleared.connect(self._on_other_superpixels)
        follower.updated.connect(self._on_updated)

    @property
    def current(self) -> Suggestions | None:
        """The present suggestions."""
        return self._current

    @property
    def missing(self) -> str:
        """Why the latest request led to no suggestions, for the user; empty if it did, or is being worked on."""
        return self._missing

    def suggest(self, class_of: npt.NDArray[np.uint8]) -> None:
        """Learn from the superpixels that have a class, and suggest classes for the others.

        The latest request wins. Emits `suggested` when done, or `cleared` where nothing can be learned; then `missing`
        says why.

        Parameters
        ----------
        class_of : ndarray of shape (n,), uint8
            Class of each label, 0 for none; labels beyond the end have none.
        """
        model = self._follower.model
        if model is None:
            self._give_up(NOT_READY)
            return
        classes = np.zeros(model.graph.n_labels + 1, np.uint8)
        n = min(len(classes), len(class_of))
        classes[:n] = class_of[:n]
        classes[model.graph.sizes == 0] = 0
        if len(np.unique(classes[classes > 0])) < 2:
            self._give_up(TOO_FEW)
            return
        if not np.any((classes == 0) & (model.graph.sizes > 0)):
            self._give_up(NONE_LEFT)
            return
        self._missing = ""
        self._edited.clear()
        rejected = np.array(sorted(self._rejected), np.int64).reshape(-1, 2)
        self._request = _Request(model, classes, rejected)
        self._scheduler.submit(self._request)

    def reject(self, labels: npt.ArrayLike) -> None:
        """Take back what is suggested for some superpixels; the same is not suggested for them again."""
        if self._current is None:
            return
        refused = self._current.among(labels)
        self._rejected |= set(zip(refused.labels.tolist(), refused.numbers.tolist(), strict=True))
        self._drop(refused.labels)

    def clear_rejected(self) -> None:
        """Forget what was rejected."""
        self._rejected.clear()

    def stop(self) -> None:
        """Suggest nothing until asked again."""
        self._give_up("")

    def close(self) -> None:
        """Stop the worker; no signal follows."""
        self._scheduler.close()

    def _give_up(self, reason: str) -> None:
        self._scheduler.cancel(silently=True)
        self._request, self._missing, self._current = None, reason, None
        self.cleared.emit()

    def _drop(self, labels: npt.NDArray[np.int32]) -> None:
        if self._current is not None:
            left = self._current.without(labels)
            if len(left) < len(self._current):
                self._current = left
                self.suggested.emit(left)

    def _on_other_superpixels(self) -> None:
        self._rejected.clear()
        if self._current is not None or self._request is not None:
            self._give_up(NOT_READY if not self._follower.is_ready else "")

    def _on_updated(self, labels: npt.NDArray[np.int32]) -> None:
        self._edited.append(labels)
        gone = set(labels.tolist())
        self._rejected = {pair for pair in self._rejected if pair[0] not in gone}
        self._drop(labels)

    def _on_learned(self, request: _Request, suggestions: Suggestions) -> None:
        if request is not self._request:
            return
        # Superpixels that were edited meanwhile are not those that were examined.
        for labels in self._edited:
            suggestions = suggestions.without(labels)
        self._request, self._current = None, suggestions
        self.suggested.emit(suggestions)

    def _on_failed(self, request: _Request, error: Exception) -> None:
        if request is self._request:
            self._give_up("")
            self.failed.emit(error)

    def _learn(self, job: Job[_Request]) -> Suggestions:
        request = job.request
        features = request.model.sums.features(request.model.graph)
        open_labels = np.flatnonzero((request.class_of == 0) & (request.model.graph.sizes > 0))
        check_cancelled(job.cancel)
        numbers, shares = class_probabilities(features, request.class_of, open_labels)
        check_cancelled(job.cancel)
        if len(request.rejected):
            rows = np.searchsorted(open_labels, request.rejected[:, 0])
            columns = np.searchsorted(numbers, request.rejected[:, 1])
            there = (rows < len(open_labels)) & (columns < len(numbers))
            there[there] &= open_labels[rows[there]] == request.rejected[there, 0]
            there[there] &= numbers[columns[there]] == request.rejected[there, 1]
            shares[rows[there], columns[there]] = 0
        best = shares.argmax(axis=1)
        confidences = shares[np.arange(len(best)), best].astype(np.float32)
        is_open = confidences > 0
        return Suggestions(open_labels[is_open].astype(np.int32), numbers[best[is_open]], confidences[is_open])


def class_probabilities(
    features: npt.NDArray[np.float32], class_of: npt.NDArray[np.uint8], wanted: npt.NDArray[np.integer[Any]]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    """Learn classes from some rows and return their probabilities in others.

    Parameters
    ----------
    features : ndarray of shape (n, F), float32
        Features of all rows.
    class_of : ndarray of shape (n,), uint8
        Class of each row to learn from, 0 for the others; at least one class.
    wanted : ndarray of shape (m,), integer
        Rows whose probabilities are wanted.

    Returns
    -------
    numbers : ndarray of shape (n_classes,), uint8
        The classes, rising.
    probabilities : ndarray of shape (m, n_classes), float64
        Their probabilities, each row's sum is 1. Equal input gives equal output.
    """
    # Imported here: it takes about a second, and must not be imported on the main thread of a window.
    from sklearn.ensemble import ExtraTreesClassifier

    known = np.flatnonzero(class_of)
    forest = ExtraTreesClassifier(_N_TREES, class_weight="balanced", random_state=0)
    forest.fit(features[known], class_of[known])
    return forest.classes_.astype(np.uint8), forest.predict_proba(features[wanted])
