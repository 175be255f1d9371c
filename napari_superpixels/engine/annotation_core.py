"""What every act on an annotation rests on: its state, its history, and its signals."""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_superpixels.data.class_table import ClassTable
from napari_superpixels.engine.annotated_arrays import AnnotatedArrays, Write
from napari_superpixels.engine.corrections import Correction, from_json, to_json
from napari_superpixels.engine.deltas import ArrayDelta, ArrayName, Box, Position, classes_used
from napari_superpixels.engine.history import DEFAULT_MAX_BYTES, Entry, History
from napari_superpixels.engine.region_index import PlaneBox, RegionIndex

#: (row, column) of a pixel that stands for the superpixel that it lies in.
Anchor = tuple[int, int]


@dataclass(frozen=True, slots=True)
class PlaneState:
    """The small state of one plane."""

    corrections: tuple[Correction, ...] = ()
    """What was corrected by hand and holds, in that order."""
    checked: frozenset[Anchor] = frozenset()
    """Anchors of the superpixels that the user marked as checked."""
    params: dict[str, Any] | None = None
    """Parameters that the superpixels were made with, as JSON holds them; None if not known."""
    result: str | None = None
    """Name of the result that the superpixels come from; None if not known."""


@dataclass(frozen=True, slots=True, eq=False)
class AnnotationState:
    """All of an annotation, to be stored and restored."""

    labels: npt.NDArray[np.int32]
    """Superpixels of all planes."""
    classes: npt.NDArray[np.uint8]
    """Class of each pixel."""
    table: ClassTable
    """The classes."""
    planes: dict[Position, PlaneState] = field(default_factory=dict)
    """Small state of each plane that has some."""
    entries: tuple[Entry, ...] = ()
    """The history, oldest first."""
    position: int = 0
    """How many of the entries are done."""


class AnnotationCore:
    """State, history and signals of an annotation.

    All methods are called, and all signals emitted, in the main thread. Boxes in signals are those of the whole arrays;
    :meth:`plane_box` gives their part in the plane at hand.

    Parameters
    ----------
    labels : ndarray of int32
        Superpixels of the image, or of all planes of the stack; written in place, never replaced.
    classes : ndarray of uint8
        Class of each pixel, 0 for none; likewise.
    write : callable, optional
        ``write(array, box, mask, values)`` puts values in place; writes to the arrays if None. See
        :data:`napari_superpixels.engine.annotated_arrays.Write`.
    table : ClassTable, optional
        The classes; by default one class, and those that the pixels have.
    max_bytes : int
        Memory that the history may hold.

    Raises
    ------
    TypeError
        If an array has another type of elements.
    ValueError
        If the shapes differ or have fewer than two axes.
    """

    labels_changed = Signal(tuple)
    """Labels were written in this box."""
    classes_changed = Signal(tuple)
    """Classes were written in this box."""
    table_changed = Signal(object)
    """The new class table."""
    current_class_changed = Signal(int)
    """The new class for painting."""
    corrections_changed = Signal()
    """The corrections of the plane at hand, or of another, are others."""
    checked_changed = Signal()
    """Superpixels were marked as checked, or no longer."""
    params_changed = Signal(dict)
    """Parameters, as JSON holds them, that the superpixels of the plane at hand have after an undo or redo.

    They are shown already: :meth:`.session.Session.restore` is what to do; then, where :attr:`result` is None,
    :meth:`.session.Session.recall`, and :meth:`set_result` with what comes of it.
    """
    plane_changed = Signal(tuple)
    """Another plane is at hand: its index, None for the plane's two axes."""
    history_changed = Signal()
    """Entries or the position changed; all else is up to date by then."""
    committed = Signal(Entry)
    """An act was done."""
    amended = Signal(Entry)
    """This entry took the place of the last one, as of two re-segmentations one after the other."""
    undone = Signal(Entry)
    """An act was undone."""
    redone = Signal(Entry)
    """An act was done again."""
    restored = Signal()
    """All of the state was replaced by a stored one."""

    def __init__(
        self,
        labels: npt.NDArray[np.int32],
        classes: npt.NDArray[np.uint8],
        *,
        write: Write | None = None,
        table: ClassTable | None = None,
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> None:
        self._arrays = AnnotatedArrays(labels, classes, write)
        self._history = History(max_bytes)
        self._history.changed.connect(self.history_changed.emit)
        table = table if table is not None else ClassTable().added()
        self._table = table.completed(classes_used(classes))
        self._current_class = self._table.numbers[0] if len(self._table) else 0
        self._planes: dict[Position, PlaneState] = {}
        self.is_machine_made = False
        """Whether the solver made the superpixels that were there at first, also where their parameters are unknown."""
        self._stroke: list[ArrayDelta] | None = None
        self._stroke_name: str | None = None

    @property
    def labels(self) -> npt.NDArray[np.int32]:
        """Superpixels of all planes; not to be written."""
        return self._arrays.arrays["labels"]

    @property
    def classes(self) -> npt.NDArray[np.uint8]:
        """Class of each pixel of all planes; not to be written."""
        return self._arrays.arrays["classes"]

    @property
    def plane(self) -> Position:
        """Index of the plane at hand, None for its two axes."""
        return self._arrays.plane

    @property
    def labels_plane(self) -> npt.NDArray[np.int32]:
        """Superpixels of the plane at hand, a view."""
        return self._arrays.plane_of("labels")

    @property
    def classes_plane(self) -> npt.NDArray[np.uint8]:
        """Classes of the plane at hand, a view."""
        return self._arrays.plane_of("classes")

    @property
    def index(self) -> RegionIndex:
        """Boxes, areas and classes of the superpixels of the plane at hand."""
        return self._arrays.index

    @property
    def history(self) -> History:
        """Everything that was done; move in it with :meth:`undo`, :meth:`redo` and :meth:`go_to`."""
        return self._history

    @property
    def table(self) -> ClassTable:
        """The classes."""
        return self._table

    @property
    def current_class(self) -> int:
        """The class that painting gives by default; 0 if there is none."""
        return self._current_class

    @current_class.setter
    def current_class(self, number: int) -> None:
        self._known_class(number)
        if number != self._current_class:
            self._current_class = number
            self.current_class_changed.emit(number)

    @property
    def corrections(self) -> tuple[Correction, ...]:
        """What was corrected by hand in the plane at hand, and holds; for the input of the session."""
        return self._plane_state(self.plane).corrections

    @property
    def params(self) -> dict[str, Any] | None:
        """Parameters that the superpixels of the plane at hand were made with, as JSON holds them, if known."""
        return self._plane_state(self.plane).params

    @property
    def is_worked_on(self) -> bool:
        """Whether the plane at hand was corrected, painted or checked by hand."""
        state = self._plane_state(self.plane)
        return bool(state.corrections or state.checked) or bool(self.classes_plane.any())

    @property
    def progress(self) -> float:
        """Share of the plane at hand that has a class, 0 to 1."""
        return self.index.annotated_share()

    def plane_box(self, box: Box) -> PlaneBox | None:
        """Return which rows and columns of the plane at hand a box of the whole arrays covers, None if none."""
        return self._arrays.plane_box(box)

    def undo(self) -> Entry | None:
        """Take the last act back and return it; None if there is none."""
        self.end_stroke()
        entry = self._history.last
        if entry is None:
            return None
        self._move(entry, is_undo=True)
        return entry

    def redo(self) -> Entry | None:
        """Do the last act that was undone again and return it; None if there is none."""
        self.end_stroke()
        entry = self._history.next
        if entry is None:
            return None
        self._move(entry, is_undo=False)
        return entry

    def go_to(self, position: int) -> None:
        """Undo or redo until so many entries are done.

        Raises
        ------
        ValueError
            If there are fewer entries.
        """
        self.end_stroke()
        if not 0 <= position <= len(self._history.entries):
            raise ValueError(f"The position is {position}; expected 0 to {len(self._history.entries)}.")
        while self._history.position > position:
            self.undo()
        while self._history.position < position:
            self.redo()

    def end_stroke(self) -> Entry | None:
        """End the stroke under way, if there is one, and return its entry; None if it changed nothing."""
        if self._stroke is None:
            return None
        deltas, name, self._stroke, self._stroke_name = self._stroke, self._stroke_name, None, None
        joined = self._arrays.joined(deltas)
        return None if joined is None else self._commit(name or "Paint", (joined,))

    def snapshot(self) -> AnnotationState:
        """Return a copy of all of the state; a stroke under way ends."""
        state = self.as_state()
        return replace(state, labels=self._arrays.copied("labels"), classes=self._arrays.copied("classes"))

    def as_state(self) -> AnnotationState:
        """Return all of the state, with the arrays themselves; a stroke under way ends."""
        self.end_stroke()
        history = self._history
        return AnnotationState(
            self.labels, self.classes, self._table, dict(self._planes), history.entries, history.position
        )

    def restore(self, state: AnnotationState) -> None:
        """Replace all of the state, the history included, by a stored one.

        Raises
        ------
        ValueError
            If its arrays have another shape; nothing is changed then.
        """
        if not state.labels.shape == state.classes.shape == self.labels.shape:
            raise ValueError(
                f"The stored annotation has shape {state.labels.shape}, the image {self.labels.shape}; open the image "
                "that it was made for."
            )
        self.cancel_stroke()
        self._arrays.fill("labels", state.labels)
        self._arrays.fill("classes", state.classes)
        self._table = state.table.completed(classes_used(state.classes))
        self._planes = dict(state.planes)
        self.is_machine_made = False
        everywhere = tuple(slice(0, n) for n in self.labels.shape)
        self.labels_changed.emit(everywhere)
        self.classes_changed.emit(everywhere)
        self._on_table()
        self.checked_changed.emit()
        self.corrections_changed.emit()
        self._history.load(state.entries, state.position)
        self.restored.emit()

    def cancel_stroke(self) -> None:
        """Take back what the stroke under way did, if there is one."""
        deltas, self._stroke, self._stroke_name = self._stroke or [], None, None
        joined = self._arrays.joined(deltas)
        if joined is not None:
            self._put(joined.reversed())

    def _move(self, entry: Entry, *, is_undo: bool) -> None:
        """Undo or redo an entry: write all, then tell it, so that a listener that fails leaves nothing halfway."""
        old, new, deltas = entry.before, entry.after, list(entry.deltas)
        if is_undo:
            old, new, deltas = new, old, [delta.reversed() for delta in reversed(deltas)]
        for delta in deltas:
            self._arrays.put(delta)
        self._put_small(entry.plane, old, new)
        with ExitStack() as told:
            # In the reverse order, each whatever the one before raised: history and journal follow the arrays.
            told.callback((self.undone if is_undo else self.redone).emit, entry)
            told.callback(self._history.undo if is_undo else self._history.redo)
            for delta in deltas:
                self._tell(delta)
            self._tell_small(new)
            self._tell_params(entry.plane, new)

    def _commit(
        self,
        name: str,
        deltas: Iterable[ArrayDelta] = (),
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
    ) -> Entry:
        """Record an act whose arrays are written already; the small state is set here."""
        entry = Entry(name, tuple(deltas), before or {}, after or {}, self.plane)
        self._put_small(entry.plane, entry.before, entry.after)
        with ExitStack() as told:
            # As in _move.
            told.callback(self.committed.emit, entry)
            told.callback(self._history.push, entry)
            self._tell_small(entry.after)
        return entry

    def _change(self, name: ArrayName, box: PlaneBox, values: npt.NDArray[Any]) -> ArrayDelta | None:
        delta = self._arrays.change(name, box, values)
        if delta is not None:
            self._tell(delta)
        return delta

    def _put(self, delta: ArrayDelta) -> None:
        self._arrays.put(delta)
        self._tell(delta)

    def _tell(self, delta: ArrayDelta) -> None:
        signal = self.labels_changed if delta.array == "labels" else self.classes_changed
        signal.emit(delta.box)

    def _plane_state(self, plane: Position) -> PlaneState:
        return self._planes.get(plane, PlaneState())

    def _set_small(self, plane: Position, old: dict[str, Any], new: dict[str, Any]) -> None:
        """Bring the small state from one side of an entry to the other, and tell it."""
        self._put_small(plane, old, new)
        self._tell_small(new)

    def _put_small(self, plane: Position, old: dict[str, Any], new: dict[str, Any]) -> None:
        state = before = self._plane_state(plane)
        if "checked" in new:
            gone, come = ({(int(r), int(c)) for r, c in side["checked"]} for side in (old, new))
            state = replace(state, checked=(state.checked - gone) | come)
        if "corrections" in new:
            corrections = spliced(state.corrections, old["corrections"], new["corrections"])
            state = replace(state, corrections=corrections)
        if "params" in new:
            state = replace(state, params=new["params"], result=new["result"])
        if state != before:
            self._planes[plane] = state
        if "table" in new:
            self._table = ClassTable.from_json(new["table"])

    def _tell_small(self, new: dict[str, Any]) -> None:
        if "checked" in new:
            self.checked_changed.emit()
        if "corrections" in new:
            self.corrections_changed.emit()
        if "table" in new:
            self._on_table()

    def _tell_params(self, plane: Position, new: dict[str, Any]) -> None:
        if plane == self.plane and new.get("params") is not None:
            self.params_changed.emit(new["params"])

    def _on_table(self) -> None:
        self.table_changed.emit(self._table)
        if self._current_class not in self._table:
            self._current_class = self._table.numbers[0] if len(self._table) else 0
            self.current_class_changed.emit(self._current_class)

    def _known_class(self, number: int) -> int:
        """Return the number if it is a class or 0, none."""
        if number != 0 and number not in self._table:
            raise ValueError(f"There is no class {number}; expected 0 for none, or one of {self._table.numbers}.")
        return number


def splices(old: tuple[Correction, ...], new: tuple[Correction, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return both sides of a change of the corrections as an entry holds them; empty if there is none."""
    if old == new:
        return {}, {}
    n_same = min(len(old), len(new))
    at = next((i for i in range(n_same) if old[i] != new[i]), n_same)
    before, after = ({"corrections": {"at": at, "items": list(map(to_json, side[at:]))}} for side in (old, new))
    return before, after


def spliced(corrections: tuple[Correction, ...], old: dict[str, Any], new: dict[str, Any]) -> tuple[Correction, ...]:
    """Return corrections with one side of a change in the place of the other."""
    at = new["at"]
    return (*corrections[:at], *map(from_json, new["items"]), *corrections[at + len(old["items"]) :])
