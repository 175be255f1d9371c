"""The file of a journal: records with length and checksum that are appended, so that a torn end is noticed."""

import errno
import json
import os
import struct
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import IO, Any

from napari_superpixels.errors import ReadError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

#: Suffix of journals.
SUFFIX = ".nspj"
_MAGIC = b"napari-superpixels journal\n"
_VERSION = 3
_START = struct.Struct("<27sI")
_HEAD = struct.Struct("<cQI")
#: Byte that is locked: beyond any content, because Windows lets nobody else read what is locked.
_LOCKED_BYTE = 2**40
#: What the systems say of a file that another program has locked; anything else means that nothing is locked there.
_IN_USE = (errno.EAGAIN, errno.EACCES)


class Kind(Enum):
    """What a record holds."""

    header = b"H"
    snapshot = b"S"
    began = b"B"
    done = b"D"
    amended = b"A"
    undone = b"U"
    redone = b"R"
    image = b"I"


@dataclass(frozen=True, slots=True)
class Record:
    """A record that is whole."""

    kind: Kind
    payload: bytes
    """Empty if it was not asked for."""
    end: int
    """Where the next one begins, in bytes from the file's start."""


def write_start(file: IO[bytes]) -> None:
    """Write what every journal begins with."""
    file.write(_START.pack(_MAGIC, _VERSION))


def append(file: IO[bytes], kind: Kind, payload: bytes = b"") -> int:
    """Append a record and return its length in bytes."""
    file.write(_HEAD.pack(kind.value, len(payload), _checksum(kind, payload)))
    file.write(payload)
    return _HEAD.size + len(payload)


def sync(file: IO[bytes]) -> None:
    """Wait until everything that was appended is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def read_records(file: IO[bytes], name: str | Path) -> Iterator[Record]:
    """Yield the records up to the first that is torn.

    Raises
    ------
    ReadError
        If the file is no journal, or of a newer version.
    """
    start = file.read(_START.size)
    if len(start) < _START.size or not start.startswith(_MAGIC):
        raise ReadError(f"{name} is no journal of napari-superpixels.")
    version = _START.unpack(start)[1]
    if version > _VERSION:
        raise ReadError(f"{name} was written by a newer napari-superpixels; update it.")
    size = os.fstat(file.fileno()).st_size
    at = _START.size
    while at + _HEAD.size <= size:
        letter, length, checksum = _HEAD.unpack(file.read(_HEAD.size))
        at += _HEAD.size + length
        if at > size or letter not in {kind.value for kind in Kind}:
            return
        kind, payload = Kind(letter), file.read(length)
        if len(payload) < length or _checksum(kind, payload) != checksum:
            return
        yield Record(kind, payload, at)


def read_header(payload: bytes, name: str | Path) -> dict[str, Any]:
    """Return the content of a header; ReadError where it has no meaning."""
    try:
        header = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise ReadError(f"{name}: its header is damaged ({error}).") from error
    if not isinstance(header, dict):
        raise ReadError(f"{name}: its header is damaged.")
    return header


def open_to_lock(path: str | Path) -> IO[bytes]:
    """Open a journal to be locked and read: for writing where it can be, as network file systems lock nothing else."""
    try:
        return Path(path).open("r+b")
    except OSError:
        return Path(path).open("rb")


def lock(file: IO[bytes]) -> bool:
    """Mark an open journal as in use until it is closed or its program ends, however; False if it is in use already.

    Where files cannot be locked, as on some network file systems, none is in use.
    """
    try:
        if sys.platform == "win32":
            file.seek(_LOCKED_BYTE)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _IN_USE
    return True


def _checksum(kind: Kind, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(kind.value + len(payload).to_bytes(8, "little")))
