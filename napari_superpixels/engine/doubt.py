"""Which superpixels are worth a look, the most doubtful first.

Reasons and their scores, each in [0, 1]; a superpixel counts with its highest:

- ``mixed classes``: pixels of several classes lie in it. 1/2 + the share of those that are not of its main class.
- ``weak border``: it touches a superpixel of another class, and the image shows next to no border there (strength s
  below 1/5). 1 - 5 s / 2. Only 2 to 5 % of the borders between objects of BSDS500 are as weak, and half of all others;
  between superpixels of the same class or of none, a weak border means nothing.
- ``straddles an edge``: the probability that more than a tenth of it belongs to another object, from what a logistic
  regression on objects of BSDS500 and of the nuclei made of the boundary probability inside it and of its spread of
  colour; from 0.3 on.
- ``small``: it has less than a quarter of the median size. At most 0.3.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_superpixels.core.region_graph import RegionGraph
from napari_superpixels.engine.region_follower import RegionFollower
from napari_superpixels.engine.region_model import RegionModel

Reason = Literal["mixed classes", "weak border", "straddles an edge", "small"]
REASONS: tuple[Reason, ...] = ("mixed classes", "weak border", "straddles an edge", "small")

_STRADDLING = 0.3
_WEAK = 0.2
_SMALL = 0.25
# Spread of colour at which it counts half of what it counts at most, and the regression's weights: with a boundary
# probability for its mean inside, the spread, and the constant; without one for the latter two.
_HALF_SPREAD = 20.0
_WITH_BOUNDARY = (5.0, 3.0, -3.7)
_WITHOUT_BOUNDARY = (0.0, 5.2, -3.2)


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A superpixel that is worth a look."""

    label: int
    """Its label."""
    score: float
    """How doubtful it is, in (0, 1]."""
    reason: Reason
    """Why."""
    position: tuple[float, float]
    """Mean row and column of its pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class _Ranking:
    labels: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]
    reasons: npt.NDArray[np.int64]
    places: dict[int, int]


class Doubt:
    """Ranks the superpixels of the plane at hand by how doubtful they are.

    Parameters
    ----------
    follower : RegionFollower
        Knows the superpixels.
    """

    changed = Signal()
    """The ranking is another than before."""

    def __init__(self, follower: RegionFollower) -> None:
        self._follower = follower
        self._classes = np.zeros(1, np.uint8)
        self._mixed = np.zeros(1, np.float32)
        self._own: tuple[RegionModel, npt.NDArray[np.float64]] | None = None
        self._ranking: _Ranking | None = None
        self._last: tuple[int, float] | None = None
        follower.rebuilt.connect(self._on_changed)
        follower.updated.connect(self._on_updated)
        follower.cleared.connect(self._on_changed)

    def set_classes(
        self, class_of: npt.NDArray[np.uint8], mixed_share: npt.NDArray[np.floating[Any]] | None = None
    ) -> None:
        """Say which classes the superpixels have.

        Parameters
        ----------
        class_of : ndarray of shape (n,), uint8
            Class of each label, 0 for none; labels beyond the end have none.
        mixed_share : ndarray of shape (n,), float, optional
            Share of each label's pixels that are of another class than it, in [0, 1]; 0 by default.
        """
        self._classes = np.array(class_of, np.uint8)
        self._mixed = np.zeros(1, np.float32) if mixed_share is None else np.array(mixed_share, np.float32)
        self._on_changed()

    def n_doubtful(self, checked: Collection[int] = ()) -> int:
        """Return how many superpixels are doubtful and not among those `checked`."""
        places = self._ranked().places
        return len(places) - sum(label in places for label in set(checked))

    def ranking(self, checked: Collection[int] = ()) -> Iterator[Doubtful]:
        """Yield the doubtful superpixels that are not among those `checked`, the most doubtful first."""
        ranking, skipped = self._ranked(), set(checked)
        for at, label in enumerate(ranking.labels):
            if int(label) not in skipped:
                yield self._doubtful(ranking, at)

    def next_doubtful(self, after: int | None = None, checked: Collection[int] = ()) -> Doubtful | None:
        """Return the next doubtful superpixel.

        Parameters
        ----------
        after : int, optional
            Label of the one at hand; the most doubtful is next by default. One that is not doubtful any more since it
            was returned last keeps its place; after any other comes the most doubtful.
        checked : collection of int, optional
            Labels that are to be skipped.

        Returns
        -------
        Doubtful or None
            None at the end, and when not ready.
        """
        return self._step(after, checked, 1)

    def previous_doubtful(self, before: int | None = None, checked: Collection[int] = ()) -> Doubtful | None:
        """Return the doubtful superpixel before another, see :meth:`next_doubtful`; none before the most doubtful."""
        return self._step(before, checked, -1)

    def _step(self, label: int | None, checked: Collection[int], step: int) -> Doubtful | None:
        ranking = self._ranked()
        at = self._place(ranking, label, step)
        skipped = checked if isinstance(checked, set | frozenset) else set(checked)
        while 0 <= at < len(ranking.labels):
            if int(ranking.labels[at]) not in skipped:
                found = self._doubtful(ranking, at)
                self._last = (found.label, found.score)
                return found
            at += step
        return None

    def _place(self, ranking: _Ranking, label: int | None, step: int) -> int:
        """Return where in the ranking to look first."""
        if label is not None and label in ranking.places:
            return ranking.places[label] + step
        if label is not None and self._last is not None and self._last[0] == label:
            # Scores fall; its place is before all that are not higher.
            place = int(np.searchsorted(-ranking.scores, -self._last[1]))
            return place if step > 0 else place - 1
        return 0 if step > 0 else -1

    def _doubtful(self, ranking: _Ranking, at: int) -> Doubtful:
        model = self._follower.model
        assert model is not None
        label = int(ranking.labels[at])
        row, column = model.sums.centre(label)
        return Doubtful(label, float(ranking.scores[at]), REASONS[ranking.reasons[at]], (row, column))

    def _ranked(self) -> _Ranking:
        if self._ranking is None:
            self._ranking = self._rank()
        return self._ranking

    def _rank(self) -> _Ranking:
        model = self._follower.model
        if model is None:
            nothing = np.empty(0, np.int64)
            return _Ranking(nothing, np.empty(0), nothing, {})
        if self._own is None or self._own[0] is not model:
            self._own = (model, _own_scores(model))
        graph = model.graph
        n = graph.n_labels + 1
        share = _padded(self._mixed, n).astype(np.float64)
        mixed = np.where(share > 0, np.minimum(0.5 + share, 1.0), 0.0)
        scores = np.stack([mixed, _weak_border(graph, _padded(self._classes, n)), *self._own[1]])
        scores[:, graph.sizes == 0] = 0
        best = scores.max(axis=0)
        order = np.argsort(-best, kind="stable")[: np.count_nonzero(best)]
        places = {label: at for at, label in enumerate(order.tolist())}
        return _Ranking(order, best[order], scores.argmax(axis=0)[order], places)

    def _on_changed(self) -> None:
        self._ranking = None
        self.changed.emit()

    def _on_updated(self, labels: npt.NDArray[np.int32]) -> None:
        self._on_changed()


def leak_probability(model: RegionModel) -> npt.NDArray[np.float64]:
    """Return, (n + 1,), how likely more than a tenth of each superpixel belongs to another object than the rest."""
    inside, spread, constant = _WITH_BOUNDARY if model.graph.has_boundary else _WITHOUT_BOUNDARY
    color = model.sums.color_spread
    evidence = inside * model.sums.boundary_inside + spread * color / (color + _HALF_SPREAD) + constant
    probability: npt.NDArray[np.float64] = 1 / (1 + np.exp(-evidence))
    return probability


def _own_scores(model: RegionModel) -> npt.NDArray[np.float64]:
    """Return, (2, n + 1), the scores that do not depend on classes: of straddling an edge, and of being small."""
    straddling = leak_probability(model)
    straddling[straddling < _STRADDLING] = 0
    sizes = model.graph.sizes
    least = _SMALL * np.median(sizes[sizes > 0]) if sizes.any() else 1.0
    small = _STRADDLING * np.maximum(1 - sizes / least, 0)
    return np.stack([straddling, small])


def _weak_border(graph: RegionGraph, classes: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return, (n + 1,), the scores of borders to another class."""
    first, second = classes[graph.edges].T
    weak = (first != second) & (first > 0) & (second > 0) & (graph.strengths < _WEAK)
    scores = np.zeros(graph.n_labels + 1)
    for end in (0, 1):
        np.maximum.at(scores, graph.edges[weak, end], 1 - graph.strengths[weak] / (2 * _WEAK))
    return scores


def _padded(values: npt.NDArray[Any], n: int) -> npt.NDArray[Any]:
    """Return n values, 0 beyond the end."""
    return values[:n] if len(values) >= n else np.concatenate([values, np.zeros(n - len(values), values.dtype)])
