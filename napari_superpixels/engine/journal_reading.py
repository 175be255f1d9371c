"""Journals read back: what one holds, and which ones programs left behind."""

import io
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import JsonValue

from napari_superpixels.engine.annotation import Annotation
from napari_superpixels.engine.annotation_core import AnnotationState
from napari_superpixels.engine.journal_file import (
    SUFFIX,
    Kind,
    Record,
    lock,
    open_to_lock,
    read_header,
    read_records,
)
from napari_superpixels.engine.project import ImageReference, read_reference
from napari_superpixels.engine.state_archive import checked_entry, read_position, read_state
from napari_superpixels.errors import ReadError

#: By how many acts a record brings the history forward.
_STEPS = {Kind.done: 1, Kind.undone: -1, Kind.redone: 1}


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A journal that a program left behind."""

    path: Path
    """The journal."""
    image: ImageReference
    """The image that it belongs to; its hash is "" where it was not known yet."""
    n_acts: int
    """How many acts are done in it, as far as its history goes back."""
    changed: float
    """When it was written last, in seconds since 1970."""


@dataclass(frozen=True, slots=True, eq=False)
class Restored:
    """What a journal holds."""

    state: AnnotationState
    """The annotation after its last whole act."""
    image: ImageReference
    """The image that it belongs to."""
    settings: dict[str, JsonValue]
    """What else was kept."""
    is_torn: bool
    """Whether the end of the journal is damaged: an act, most often the last, is missing."""
    notes: tuple[str, ...] = ()
    """What the user should know."""


def restore(path: str | Path) -> Restored:
    """Read a journal: its snapshot, with every act after it done again.

    Parameters
    ----------
    path : str or pathlib.Path
        The journal.

    Raises
    ------
    ReadError
        If it is missing, no journal, of a newer version, or damaged before its first act.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _restored(file, path)
    except OSError as error:
        raise ReadError(f"{path} cannot be read: {error.strerror or error}.") from error


def _restored(file: IO[bytes], path: Path) -> Restored:
    records = read_records(file, path)
    first, second = next(records, None), next(records, None)
    if first is None or second is None or (first.kind, second.kind) != (Kind.header, Kind.snapshot):
        raise ReadError(f"{path} ends before its first act; there is nothing to restore.")
    header = read_header(first.payload, path)
    reference = _reference(first, path)
    state, _, notes = read_state(io.BytesIO(second.payload), path)
    max_bytes = header.get("max_bytes")
    annotation = Annotation(state.labels, state.classes, max_bytes=max_bytes if isinstance(max_bytes, int) else 2**30)
    annotation.restore(state)
    end = second.end
    try:
        for record in records:
            if record.kind is Kind.image:
                reference = _reference(record, path)
            _do_again(annotation, record.kind, record.payload)
            end = record.end
    except (ValueError, KeyError, TypeError, IndexError) as error:
        notes = (*notes, f"An act of the journal cannot be understood; it and those after it are left out ({error}).")
    is_torn = end < file.seek(0, io.SEEK_END)
    settings = header.get("settings")
    return Restored(
        annotation.snapshot(), reference, settings if isinstance(settings, dict) else {}, is_torn, tuple(notes)
    )


def _do_again(annotation: Annotation, kind: Kind, payload: bytes) -> None:
    if kind is Kind.undone:
        annotation.undo()
    elif kind is Kind.redone:
        annotation.redo()
    elif kind is Kind.began:
        annotation.put_beginning(checked_entry(payload, annotation.labels.shape))
    elif kind in (Kind.done, Kind.amended):
        entry = checked_entry(payload, annotation.labels.shape)
        if kind is Kind.amended:
            annotation.undo()
        # Put in as if it had been undone before, so that its changes are made where all others are.
        annotation.history.push(entry)
        annotation.history.undo()
        annotation.redo()


def _reference(record: Record, path: Path) -> ImageReference:
    """Return the image that a header or a record of its hash names."""
    return read_reference(read_header(record.payload, path).get("image"), path)


def find_unfinished(folder: str | Path) -> list[Unfinished]:
    """Return the journals in a folder that no running program writes, those written last first; not what is damaged."""
    found = []
    for path in Path(folder).glob(f"[!.]*{SUFFIX}"):
        with suppress(OSError, ReadError), open_to_lock(path) as file:
            if not lock(file):
                continue
            file.seek(0)
            records = read_records(file, path)
            first, second = next(records, None), next(records, None)
            if first is None or second is None or (first.kind, second.kind) != (Kind.header, Kind.snapshot):
                continue
            reference = _reference(first, path)
            n_acts = read_position(io.BytesIO(second.payload), path)
            for record in records:
                n_acts += _STEPS.get(record.kind, 0)
                if record.kind is Kind.image:
                    reference = _reference(record, path)
            found.append(Unfinished(path, reference, n_acts, path.stat().st_mtime))
    return sorted(found, key=lambda journal: journal.changed, reverse=True)
