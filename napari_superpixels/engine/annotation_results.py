"""Results of the solver under an annotation: a plane's beginning or an act, kept for repairs, given back by an undo."""

import uuid
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_superpixels.core.slowness import SlownessField
from napari_superpixels.data.class_table import ClassTable
from napari_superpixels.engine.annotated_arrays import Write
from napari_superpixels.engine.annotation_core import AnnotationCore, PlaneState, spliced, splices
from napari_superpixels.engine.history import DEFAULT_MAX_BYTES, Entry
from napari_superpixels.engine.pipeline import SolveResult
from napari_superpixels.engine.result_memory import ResultMemory

_NAMES = ("Segment", "Re-segment")


class ResultActs(AnnotationCore):
    """Results of the plane at hand; see :class:`AnnotationCore` for the parameters."""

    result_changed = Signal()
    """The result that the superpixels of the plane at hand come from is another, or was told by :meth:`set_result`."""
    began = Signal(Entry)
    """Superpixels became the beginning of the plane at hand. This tells what changed; the history does not have it."""

    def __init__(
        self,
        labels: npt.NDArray[np.int32],
        classes: npt.NDArray[np.uint8],
        *,
        write: Write | None = None,
        table: ClassTable | None = None,
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> None:
        super().__init__(labels, classes, write=write, table=table, max_bytes=max_bytes)
        self._results = ResultMemory()

    @property
    def result(self) -> SolveResult | None:
        """The result that the superpixels of the plane at hand come from, if it is known and still in memory."""
        return self._results.get(self._plane_state(self.plane).result)

    @property
    def slowness(self) -> SlownessField | None:
        """What repairs of the plane at hand grow through; None makes them grow evenly."""
        result = self.result
        return None if result is None else result.slowness

    @property
    def is_untouched(self) -> bool:
        """Whether no hand has touched the plane at hand: the next result is its beginning, and no act.

        It was not worked on, nor does any act, done or undone, rest on its superpixels. Superpixels that come from
        elsewhere count as touched, as far as that is known.
        """
        labels, result = self.labels_plane, self.result
        is_known = self.params is not None and (result is None or np.array_equal(result.superpixels.labels, labels))
        is_made = self.is_machine_made or is_known or not labels.any()
        # Acts that were forgotten may have been of this plane.
        return (
            is_made
            and not self._history.n_forgotten
            and not self.is_worked_on
            and not any(map(self._is_of_hand, self._history.entries))
        )

    def put_beginning(self, entry: Entry) -> None:
        """Put superpixels in that :attr:`began` told of, as the beginning of their plane."""
        for delta in entry.deltas:
            self._put(delta)
        self._set_small(entry.plane, entry.before, entry.after)

    def set_plane(self, index: tuple[int | slice, ...], result: SolveResult | None = None) -> None:
        """Take a plane at hand; a stroke under way ends.

        Parameters
        ----------
        index : tuple of int and slice
            A whole number for every axis of the arrays but two, which get ``slice(None)``.
        result : SolveResult, optional
            The result that its superpixels come from; see :meth:`set_result`.

        Raises
        ------
        ValueError
            If the index does not choose one plane.
        IndexError
            If there is no such plane.
        """
        self.end_stroke()
        if self._arrays.set_plane(index):
            self.plane_changed.emit(self.plane)
        if result is not None:
            self.set_result(result)

    def set_result(self, result: SolveResult) -> None:
        """Say which result the superpixels of the plane at hand come from; no label changes.

        A result of other parameters than they were made with is passed over.
        """
        state = self._plane_state(self.plane)
        params = _stored(result)
        if state.params not in (None, params) or result.superpixels.labels.shape != self.labels_plane.shape:
            return
        name = state.result or self._results.name_of(result) or uuid.uuid4().hex
        is_new = self._results.get(name) is not result
        self._planes[self.plane] = replace(state, params=params, result=name)
        self._results.put(name, result)
        if is_new:
            self.result_changed.emit()

    def accept(self, result: SolveResult) -> Entry | None:
        """Take over the labels of a result; the class of every pixel stays.

        In a plane that no hand has touched they are its beginning: the history stays as it is. Elsewhere they are an
        act, and results that follow each other without another act between them are one entry. A stroke under way is
        divided in two.

        Parameters
        ----------
        result : SolveResult
            A result of the plane at hand, made with its corrections.

        Returns
        -------
        Entry or None
            The act; None if the plane begins with the result, if that is of another plane or lacks corrections made
            since it was asked for, which leaves everything as it is, or if it changes nothing.
        """
        if not self._is_of_plane(result):
            return None
        stroke = None if self._stroke is None else (self._stroke_name,)
        self.end_stroke()
        entry = self._take_over(result)
        if stroke is not None:
            self._stroke, self._stroke_name = [], stroke[0]
        return entry

    def _is_of_plane(self, result: SolveResult) -> bool:
        position = result.inputs.position
        is_elsewhere = len(position) == len(self.plane) and any(
            here is not None and there is not None and here != there
            for here, there in zip(self.plane, position, strict=True)
        )
        fits = result.superpixels.labels.shape == self.labels_plane.shape
        return fits and not is_elsewhere and result.inputs.corrections == self.corrections

    def _is_of_hand(self, entry: Entry) -> bool:
        """Return whether an act was done to the plane at hand, or holds superpixels of it.

        Classes that an act elsewhere gave it, such as an import, need no superpixels: those that it has now count.
        """
        is_here = entry.plane == self.plane
        if is_here and entry.before.keys() - {"table"}:
            return True
        deltas = [delta for delta in entry.deltas if is_here or delta.array == "labels"]
        return any(self.plane_box(delta.box) is not None for delta in deltas)

    def _take_over(self, result: SolveResult) -> Entry | None:
        state = self._plane_state(self.plane)
        labels = np.ascontiguousarray(result.superpixels.labels)
        if state.params == _stored(result) and np.array_equal(labels, self.labels_plane):
            self.set_result(result)
            return None
        name = "Re-segment" if self.labels_plane.any() else "Segment"
        is_beginning = self.is_untouched
        uid = self._results.name_of(result) or uuid.uuid4().hex
        self._results.put(uid, result)
        made = {"params": _stored(result), "result": uid}
        if is_beginning:
            self._begin(labels, made)
            return None
        kept = tuple(correction for correction in state.corrections if correction not in result.lost)
        last = self._history.last
        follows = last is not None and last.name in _NAMES and last.plane == self.plane and not self._history.can_redo
        first = last if follows else None
        delta = self._arrays.replace("labels", labels, None if first is None else first.deltas[0].old)
        self._tell(delta)
        old = state if first is None else self._state_before(first)
        before, after = splices(old.corrections, kept)
        before |= {"params": old.params, "result": old.result}
        after |= made
        if first is None:
            return self._commit(name, (delta,), before, after)
        entry = Entry(first.name, (delta,), before, after, self.plane)
        here, there = splices(state.corrections, kept)
        self._set_small(self.plane, here, there | made)
        self._history.amend(entry)
        self.amended.emit(entry)
        return entry

    def _begin(self, labels: npt.NDArray[np.int32], made: dict[str, Any]) -> None:
        """Let the plane at hand begin with labels; `made` tells of what, as an entry does."""
        state = self._plane_state(self.plane)
        delta = self._arrays.replace("labels", labels)
        self._tell(delta)
        entry = Entry("Segment", (delta,), {"params": state.params, "result": state.result}, made, self.plane)
        self._set_small(entry.plane, entry.before, entry.after)
        self.began.emit(entry)
        self.result_changed.emit()

    def _state_before(self, entry: Entry) -> PlaneState:
        """Return the state of the plane at hand before the last entry, which was a segmentation."""
        state = self._plane_state(self.plane)
        corrections = state.corrections
        if "corrections" in entry.before:
            corrections = spliced(corrections, entry.after["corrections"], entry.before["corrections"])
        return replace(state, corrections=corrections, params=entry.before["params"], result=entry.before["result"])


def _stored(result: SolveResult) -> dict[str, Any]:
    return result.params.model_dump(mode="json")
