"""All of an annotation in one zip archive: the form of project files, and of a journal's snapshots.

It holds ``project.json``, ``labels.npy``, ``classes.npy`` and ``history.bin``, the entries one after the other. Nothing
in it is unpickled, nothing is unpacked to the disk, and no size is believed before it is checked.
"""

import json
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from tokenize import TokenError  # numpy raises it for a damaged header
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from napari_superpixels.data.class_table import ClassTable
from napari_superpixels.engine.annotated_arrays import MAX_PIXELS
from napari_superpixels.engine.annotation_core import AnnotationState, PlaneState
from napari_superpixels.engine.corrections import from_json, to_json
from napari_superpixels.engine.deltas import DTYPES, ArrayName, Position
from napari_superpixels.engine.history import Entry
from napari_superpixels.engine.provenance import library_versions
from napari_superpixels.errors import ReadError

#: Version of the form of the archive.
SCHEMA = 1
FORMAT = "napari-superpixels annotation"
_HEAD = "project.json"
_HISTORY = "history.bin"
_MAX_HEAD_BYTES = 2**26
_LENGTH = struct.Struct("<Q")


class _Plane(BaseModel):
    model_config = ConfigDict(extra="forbid")

    position: tuple[int | None, ...]
    corrections: list[dict[str, Any]] = Field(default_factory=list)
    checked: list[tuple[int, int]] = Field(default_factory=list)
    params: dict[str, Any] | None = None
    result: str | None = None


class _Head(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    format: str
    schema_version: int = Field(alias="schema", ge=1)
    shape: tuple[int, ...] = Field(min_length=2, max_length=8)
    classes: list[dict[str, Any]]
    planes: list[_Plane]
    n_entries: int = Field(ge=0)
    position: int = Field(ge=0)
    libraries: dict[str, str] = Field(default_factory=dict)
    extra: dict[str, JsonValue] = Field(default_factory=dict)


def write_state(file: IO[bytes], state: AnnotationState, extra: Mapping[str, JsonValue]) -> None:
    """Write an annotation.

    Parameters
    ----------
    file : binary file
        Where.
    state : AnnotationState
        The annotation.
    extra : mapping
        What else to keep, as JSON can hold it.
    """
    head = _Head(
        format=FORMAT,
        schema_version=SCHEMA,
        shape=state.labels.shape,
        classes=state.table.to_json(),
        planes=[_plane_to_json(position, plane) for position, plane in state.planes.items()],
        n_entries=len(state.entries),
        position=state.position,
        libraries=library_versions(),
        extra=dict(extra),
    )
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        # Names of files may hold bytes that are no UTF-8: json escapes them, pydantic refuses.
        archive.writestr(_HEAD, json.dumps(head.model_dump(mode="json", by_alias=True), indent=1))
        for name, array in (("labels", state.labels), ("classes", state.classes)):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.ascontiguousarray(array), (1, 0), allow_pickle=False)
        # Entries are compressed already.
        info = zipfile.ZipInfo(_HISTORY)
        with archive.open(info, "w", force_zip64=True) as member:
            for entry in state.entries:
                data = entry.to_bytes()
                member.write(_LENGTH.pack(len(data)) + data)


def read_state(file: IO[bytes], name: str | Path) -> tuple[AnnotationState, dict[str, JsonValue], tuple[str, ...]]:
    """Read an annotation.

    Parameters
    ----------
    file : binary file
        What :func:`write_state` wrote.
    name : str or pathlib.Path
        What the messages are about.

    Returns
    -------
    state : AnnotationState
        The annotation.
    extra : dict
        What else was kept.
    notes : tuple of str
        What could not be read, though the annotation could.

    Raises
    ------
    ReadError
        If the archive is foreign, damaged, or of a newer version.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            head = _read_head(archive, name)
            table = ClassTable.from_json(head.classes)
            labels = _read_array(archive, "labels", head.shape)
            classes = _read_array(archive, "classes", head.shape)
            notes = (*_without_bad_corrections(head), *_without_negative(labels))
            planes = dict(_plane_from_json(plane, head.shape) for plane in head.planes)
            entries, history_notes = _read_history(archive, head)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ReadError(f"{name} is no project, or is damaged or incomplete ({error}).") from error
    except (ValueError, KeyError, TypeError, MemoryError, SyntaxError, TokenError) as error:
        raise ReadError(f"{name} cannot be understood: {error}") from error
    position = min(head.position, len(entries))
    state = AnnotationState(labels, classes, table, planes, entries, position)
    return state, dict(head.extra), (*notes, *history_notes)


def read_position(file: IO[bytes], name: str | Path) -> int:
    """Return how many acts of an annotation's history are done; the errors are those of :func:`read_state`."""
    try:
        with zipfile.ZipFile(file) as archive:
            head = _read_head(archive, name)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ReadError(f"{name} is no project, or is damaged or incomplete ({error}).") from error
    return min(head.position, head.n_entries)


def _plane_to_json(position: Position, plane: PlaneState) -> _Plane:
    return _Plane(
        position=position,
        corrections=[to_json(correction) for correction in plane.corrections],
        checked=sorted(plane.checked),
        params=plane.params,
        result=plane.result,
    )


def _plane_from_json(plane: _Plane, shape: tuple[int, ...]) -> tuple[Position, PlaneState]:
    _check_points(plane.checked, plane.position, shape)
    corrections = tuple(map(from_json, plane.corrections))
    return plane.position, PlaneState(corrections, frozenset(plane.checked), plane.params, plane.result)


def _without_bad_corrections(head: _Head) -> tuple[str, ...]:
    """Leave out corrections that cannot be understood or lie outside their plane; return a note if there are.

    The history is left out with them: its entries count the corrections before theirs.
    """
    n_bad, first = 0, ""
    for plane in head.planes:
        _check_position(plane.position, head.shape)
        good = []
        for stored in plane.corrections:
            try:
                from_json(stored)
                _check_points(stored, plane.position, head.shape)
                good.append(stored)
            except (ValueError, KeyError, TypeError) as error:
                n_bad, first = n_bad + 1, first or str(error)
        plane.corrections = good
    if not n_bad:
        return ()
    head.n_entries = 0
    return (
        f"{n_bad} of the corrections cannot be used ({first}). They are left out, and with them the history, so that "
        "earlier acts cannot be undone.",
    )


def _check_position(position: Position, shape: tuple[int, ...]) -> None:
    fits = len(position) == len(shape) and position.count(None) == 2
    if not fits or any(i is not None and not 0 <= i < n for i, n in zip(position, shape, strict=True)):
        raise ValueError(f"its plane {position} does not lie in the shape {shape}")


def _check_points(data: Any, position: Position, shape: tuple[int, ...]) -> None:
    """Check that every pair of numbers, however deep in lists and dictionaries, is a pixel of the plane."""
    n_rows, n_columns = (n for i, n in zip(position, shape, strict=True) if i is None)
    waiting = [data]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, list | tuple) and len(part) == 2 and all(type(number) is int for number in part):
            if not (0 <= part[0] < n_rows and 0 <= part[1] < n_columns):
                raise ValueError(f"its point {part} lies outside a plane of {n_rows} x {n_columns} pixels")
        elif isinstance(part, list | tuple):
            waiting.extend(part)


def _read_head(archive: zipfile.ZipFile, name: str | Path) -> _Head:
    found = {info.filename: info.file_size for info in archive.infolist()}
    if _HEAD not in found or found[_HEAD] > _MAX_HEAD_BYTES:
        raise ReadError(f"{name} is no project of napari-superpixels: it holds no {_HEAD}, but {sorted(found)[:3]}.")
    try:
        data = json.loads(archive.read(_HEAD))
    except (ValueError, RecursionError) as error:
        raise ReadError(f"{name}: its {_HEAD} is not valid JSON ({error}).") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ReadError(f"{name} is no project of napari-superpixels.")
    if isinstance(data.get("schema"), int) and data["schema"] > SCHEMA:
        raise ReadError(
            f"{name} was written by a newer napari-superpixels (form {data['schema']}; this one reads up to {SCHEMA}). "
            "Update napari-superpixels."
        )
    try:
        head = _Head.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise ReadError(f"{name}: its {_HEAD} cannot be understood: {first['msg']} at {first['loc']}.") from error
    if min(head.shape) < 1 or math.prod(head.shape) > MAX_PIXELS:
        raise ReadError(f"{name} is made for an image of shape {head.shape}; expected 1 to {MAX_PIXELS} pixels.")
    return head


def _read_array(archive: zipfile.ZipFile, name: ArrayName, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return an array, of whose size nothing but the expected is believed."""
    dtype = DTYPES[name]
    n_bytes = math.prod(shape) * dtype.itemsize
    with archive.open(f"{name}.npy") as member:
        if np.lib.format.read_magic(member) != (1, 0):
            raise ValueError(f"its {name} are of an unknown form")
        found, is_fortran, found_dtype = np.lib.format.read_array_header_1_0(member)
        if found != shape or is_fortran or found_dtype != dtype:
            raise ValueError(f"its {name} are {found_dtype} of shape {found}; expected {dtype} of shape {shape}")
        data = member.read(n_bytes)
    if len(data) != n_bytes:
        raise ValueError(f"its {name} end after {len(data)} of {n_bytes} bytes")
    return np.frombuffer(data, dtype).reshape(shape).copy()


def _without_negative(labels: npt.NDArray[np.int32]) -> tuple[str, ...]:
    """Set negative labels, which earlier versions took from another tool's brush, to 0; return a note if there are."""
    negative = labels < 0
    n_negative = int(np.count_nonzero(negative))
    if not n_negative:
        return ()
    labels[negative] = 0
    return (f"{n_negative} pixels had a negative number; they belong to no superpixel now.",)


def _read_history(archive: zipfile.ZipFile, head: _Head) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """Return the entries; none, and a note, where they are damaged: the annotation itself is worth more."""
    if not head.n_entries:
        return (), ()
    try:
        with archive.open(_HISTORY) as member:
            entries = tuple(_entries(member, archive.getinfo(_HISTORY).file_size, head))
        if len(entries) != head.n_entries:
            raise ValueError(f"{len(entries)} of {head.n_entries} entries are there")
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, TypeError, ValueError) as error:
        return (), (f"The history is damaged and left out, so that earlier acts cannot be undone ({error}).",)
    return entries, ()


def _entries(member: IO[bytes], n_bytes: int, head: _Head) -> Iterator[Entry]:
    at = 0
    while at < n_bytes:
        (length,) = _LENGTH.unpack(member.read(_LENGTH.size).ljust(_LENGTH.size, b"\xff"))
        at += _LENGTH.size + length
        if at > n_bytes:
            raise ValueError("it ends in the middle of an entry")
        yield checked_entry(member.read(length), head.shape)


def checked_entry(data: bytes, shape: tuple[int, ...]) -> Entry:
    """Return an entry whose changes lie inside arrays of this shape.

    Raises
    ------
    ValueError
        If the bytes are none.
    """
    entry = Entry.from_bytes(data)
    _check_position(entry.plane, shape)
    for side in (entry.before, entry.after):
        if side.keys() != entry.before.keys():
            raise ValueError(f"the entry {entry.name!r} has two sides of different things")
        ClassTable.from_json(side.get("table", []))
        corrections = side.get("corrections", {"at": 0, "items": []})
        tuple(map(from_json, corrections["items"]))
        _check_points([corrections["items"], side.get("checked", [])], entry.plane, shape)
    for delta in entry.deltas:
        if len(delta.box) != len(shape) or any(side.stop > n for side, n in zip(delta.box, shape, strict=True)):
            raise ValueError(f"the entry {entry.name!r} changes {delta.box}, outside an image of shape {shape}")
    return entry
