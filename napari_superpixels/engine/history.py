"""One history of all that is done to an annotation: named entries of small changes, undone and redone exactly."""

import json
import struct
import time as clock
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from psygnal import Signal

from napari_superpixels.engine.deltas import ArrayDelta, Position

_LENGTH = struct.Struct("<Q")
_ENTRY_BYTES = 1000
DEFAULT_MAX_BYTES = 1024**3


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One act.

    `before` and `after` hold, by name, what changed of the small state, as values that JSON can hold: ``"table"``, a
    class table; ``"params"``, all parameters of the superpixels, with ``"result"``, a name of the result that they come
    from; ``"corrections"`` of the plane, ``{"at": i, "items": [...]}``, where the items stood or stand from place i on;
    ``"checked"`` of the plane, the anchors (row, column) that only that side has.
    """

    name: str
    """What was done, for the list of the history."""
    deltas: tuple[ArrayDelta, ...]
    """Changes of the arrays, in their order."""
    before: dict[str, Any] = field(default_factory=dict)
    """Small state before."""
    after: dict[str, Any] = field(default_factory=dict)
    """Small state after; the same names."""
    plane: Position = ()
    """The plane that it happened in."""
    time: float = field(default_factory=clock.time)
    """When, in seconds since 1970."""

    @property
    def place(self) -> str:
        """Position in a stack of the plane that it happened in, such as "3" or "0, 3"; "" for an image of one plane."""
        return ", ".join(str(i) for i in self.plane if i is not None)

    @property
    def n_bytes(self) -> int:
        """Memory that this holds, about."""
        small = len(json.dumps([self.before, self.after])) if self.before or self.after else 0
        return _ENTRY_BYTES + small + sum(delta.n_bytes for delta in self.deltas)

    def to_bytes(self) -> bytes:
        """Return the entry as bytes that :meth:`from_bytes` reads."""
        head = {
            "name": self.name,
            "before": self.before,
            "after": self.after,
            "plane": list(self.plane),
            "time": self.time,
        }
        parts = [json.dumps(head).encode(), *(delta.to_bytes() for delta in self.deltas)]
        return b"".join(_LENGTH.pack(len(part)) + part for part in parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the entry that :meth:`to_bytes` wrote.

        Raises
        ------
        ValueError
            If the bytes are no entry, or are damaged.
        """
        parts, at = [], 0
        try:
            while at < len(data):
                (length,) = _LENGTH.unpack_from(data, at)
                at += _LENGTH.size
                if at + length > len(data):
                    raise ValueError("they end too early")
                parts.append(data[at : at + length])
                at += length
            head = json.loads(parts[0])
            deltas = tuple(ArrayDelta.from_bytes(part) for part in parts[1:])
            plane = tuple(None if i is None else int(i) for i in head["plane"])
            before, after = dict(head["before"]), dict(head["after"])
            return cls(str(head["name"]), deltas, before, after, plane, float(head["time"]))
        except (IndexError, KeyError, TypeError, ValueError, struct.error) as error:
            raise ValueError(
                f"These {len(data)} bytes are no act of an annotation, or are damaged: {error}."
            ) from error


class History:
    """Entries done and undone; the oldest go when memory runs out.

    It moves entries only: who undoes one takes its changes back.

    Parameters
    ----------
    max_bytes : int
        Memory that the entries may hold, above 0. The newest entry stays, however large.
    """

    changed = Signal()
    """Entries or the position changed."""

    def __init__(self, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        if max_bytes <= 0:
            raise ValueError(f"max_bytes is {max_bytes}; expected a number of bytes above 0.")
        self._entries: list[Entry] = []
        self._sizes: list[int] = []
        self._position = 0
        self._max_bytes = max_bytes
        self._n_forgotten = 0

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Entries, oldest first, those undone at the end."""
        return tuple(self._entries)

    @property
    def position(self) -> int:
        """How many of the entries are done: the next to be undone is the one before this place."""
        return self._position

    @property
    def n_forgotten(self) -> int:
        """How many of the oldest entries were dropped to save memory."""
        return self._n_forgotten

    @property
    def n_bytes(self) -> int:
        """Memory that the entries hold, about."""
        return sum(self._sizes)

    @property
    def max_bytes(self) -> int:
        """Memory that the entries may hold."""
        return self._max_bytes

    @property
    def can_undo(self) -> bool:
        """Whether there is an entry to undo."""
        return self._position > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is an entry to redo."""
        return self._position < len(self._entries)

    @property
    def last(self) -> Entry | None:
        """The entry that :meth:`undo` would give."""
        return self._entries[self._position - 1] if self.can_undo else None

    @property
    def next(self) -> Entry | None:
        """The entry that :meth:`redo` would give."""
        return self._entries[self._position] if self.can_redo else None

    def push(self, entry: Entry) -> None:
        """Add an entry; what was undone is forgotten."""
        self._truncate()
        self._append(entry)

    def amend(self, entry: Entry) -> None:
        """Put an entry in the place of the last; what was undone is forgotten.

        Raises
        ------
        IndexError
            If there is no last entry.
        """
        if not self.can_undo:
            raise IndexError("There is no entry to amend.")
        self._position -= 1
        self._truncate()
        self._append(entry)

    def undo(self) -> Entry | None:
        """Step back over an entry and return it, its changes taken back by the caller; None at the beginning."""
        if not self.can_undo:
            return None
        self._position -= 1
        self.changed.emit()
        return self._entries[self._position]

    def redo(self) -> Entry | None:
        """Step forward over an entry and return it, its changes put in again by the caller; None at the end."""
        if not self.can_redo:
            return None
        self._position += 1
        self.changed.emit()
        return self._entries[self._position - 1]

    def load(self, entries: Iterable[Entry], position: int) -> None:
        """Set all entries, such as those of a file, and how many of them are done.

        Raises
        ------
        ValueError
            If there are fewer entries than should be done.
        """
        entries = list(entries)
        if not 0 <= position <= len(entries):
            raise ValueError(f"The position is {position}; expected 0 to {len(entries)}, the number of entries.")
        self._entries = entries
        self._sizes = [entry.n_bytes for entry in entries]
        self._position = position
        self._n_forgotten = 0
        self._forget()
        self.changed.emit()

    def _truncate(self) -> None:
        del self._entries[self._position :], self._sizes[self._position :]

    def _append(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._sizes.append(entry.n_bytes)
        self._position += 1
        self._forget()
        self.changed.emit()

    def _forget(self) -> None:
        """Drop the oldest entries that are too many, as far as they are done."""
        total, count = self.n_bytes, 0
        while total > self._max_bytes and count < min(self._position, len(self._entries) - 1):
            total -= self._sizes[count]
            count += 1
        del self._entries[:count], self._sizes[:count]
        self._position -= count
        self._n_forgotten += count
