"""The journal of an annotation: every act is on the disk a moment after it was done.

A journal is a snapshot of the annotation and the acts since, in one file that only grows, until a new snapshot takes
the place of snapshot and acts. Between the acts is what planes began with meanwhile. All is written, in its order, by a
thread of the journal's own. Another one reads the image, whose hash follows as a record of its own.
"""

import io
import json
import queue
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import platformdirs
from psygnal import Signal, SignalInstance
from pydantic import JsonValue

from napari_superpixels.engine.annotation import Annotation
from napari_superpixels.engine.annotation_core import AnnotationState
from napari_superpixels.engine.history import Entry
from napari_superpixels.engine.journal_file import (
    SUFFIX,
    Kind,
    append,
    lock,
    sync,
    write_start,
)
from napari_superpixels.engine.journal_reading import restore
from napari_superpixels.engine.project import Pixels, hash_in_parts, image_reference
from napari_superpixels.engine.scheduler import Dispatch
from napari_superpixels.engine.state_archive import write_state
from napari_superpixels.errors import WriteError
from napari_superpixels.files import replacing

#: A log may grow to the size of its snapshot, but at least to this, before a new snapshot is made.
MIN_LOG_BYTES = 16 * 2**20
#: Nor may it have more acts than this, which must all be done again to restore it.
MAX_LOG_ACTS = 20_000
_MAX_STEM = 60
#: How long to wait for a program that looks whether the journal is unfinished.
_LOCK_SECONDS = 5.0


def default_journal_folder() -> Path:
    """Return the folder of journals, in the user's data; it need not exist yet."""
    return platformdirs.user_data_path("napari-superpixels", appauthor=False) / "journals"


@dataclass(frozen=True, slots=True)
class JournaledImage:
    """The image whose annotation is journaled."""

    pixels: Pixels
    """All of it; read once, part by part in a thread, for its hash."""
    name: str
    """Its name, from which the journal's is made."""
    path: str = ""
    """Its file, if it has one."""


@dataclass(frozen=True, slots=True, eq=False)
class _Command:
    """What the journal's thread is to do: a snapshot, an act, the image's hash, word when all is written, or to end.

    The hash is "" where the image cannot be read.
    """

    state: AnnotationState | None = None
    kind: Kind | None = None
    entry: Entry | None = None
    sha256: str | None = None
    done: threading.Event | None = None
    is_end: bool = False


class Journal:
    """Writes down what is done to an annotation, from the first act on.

    Parameters
    ----------
    annotation : Annotation
        What to follow.
    folder : str or pathlib.Path
        Where the journal is made; see :func:`default_journal_folder`.
    image : JournaledImage
        The image that is annotated.
    settings : mapping, optional
        What else to keep, as JSON can hold it; see :func:`napari_superpixels.engine.project.save_project`.
    dispatch : callable, optional
        Runs a function in the main thread; calls it at once, in the journal's thread, if None.
    min_log_bytes : int
        Bytes of acts that are always kept before a new snapshot is made.
    """

    failed = Signal(Exception)
    """The journal cannot be written; emitted once until it can be again. The next act tries again."""
    resumed = Signal()
    """After a failure, everything is on the disk again."""

    def __init__(
        self,
        annotation: Annotation,
        folder: str | Path,
        image: JournaledImage,
        *,
        settings: Mapping[str, JsonValue] | None = None,
        dispatch: Dispatch | None = None,
        min_log_bytes: int = MIN_LOG_BYTES,
    ) -> None:
        self._annotation = annotation
        self._dispatch: Dispatch = dispatch or (lambda function: function())
        stem = re.sub(r"[^\w.-]+", "_", Path(image.name).name)[:_MAX_STEM].strip("._") or "image"
        path = Path(folder) / f"{stem}-{secrets.token_hex(4)}{SUFFIX}"
        self._log = _Log(path, image, dict(settings or {}), annotation.history.max_bytes, min_log_bytes)
        self._pixels = image.pixels
        self._reader: threading.Thread | None = None
        self._is_read = False
        self._is_closed = threading.Event()
        self._queue: queue.SimpleQueue[_Command] = queue.SimpleQueue()
        self._needs_snapshot = True
        self._has_failed = False
        self._handlers: list[tuple[SignalInstance, Callable[..., object]]] = [
            (annotation.began, self._note_beginning),
            (annotation.committed, lambda entry: self._note(Kind.done, entry)),
            (annotation.amended, lambda entry: self._note(Kind.amended, entry)),
            (annotation.undone, lambda entry: self._note(Kind.undone)),
            (annotation.redone, lambda entry: self._note(Kind.redone)),
            (annotation.restored, self.begin),
        ]
        for signal, handler in self._handlers:
            signal.connect(handler)
        self._thread = threading.Thread(target=self._write, name=f"journal of {image.name}", daemon=True)
        self._thread.start()

    @property
    def path(self) -> Path:
        """The journal's file, which is there from the first act on."""
        return self._log.path

    def begin(self) -> None:
        """Write everything down now, not with the first act."""
        self._needs_snapshot = False
        if self._reader is None:
            self._reader = threading.Thread(target=self._read, name=f"{self._thread.name}, its hash", daemon=True)
            self._reader.start()
        self._queue.put(_Command(state=self._annotation.snapshot()))

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything is written, the image's hash too; return whether it is, within so many seconds."""
        done = threading.Event()
        self._queue.put(_Command(done=done))
        return done.wait(timeout) and not self._has_failed

    def close(self, *, keep: bool = False) -> None:
        """Stop following the annotation, once every act is written; the image is not read to its end.

        Parameters
        ----------
        keep : bool
            Whether to leave the file, to be found by :func:`find_unfinished`: where acts are not saved elsewhere.
        """
        if not self._thread.is_alive():
            return
        for signal, handler in self._handlers:
            signal.disconnect(handler)
        self._is_closed.set()
        self._queue.put(_Command(is_end=True))
        self._thread.join()
        self._log.close(keep=keep)

    def _note(self, kind: Kind, entry: Entry | None = None) -> None:
        if self._needs_snapshot:
            self.begin()
        else:
            self._queue.put(_Command(kind=kind, entry=entry))

    def _note_beginning(self, entry: Entry) -> None:
        """Write down what a plane begins with, unless the snapshot before the next act will hold it anyway."""
        if not self._needs_snapshot:
            self._note(Kind.began, entry)

    def _write(self) -> None:
        """Write what is queued, in order; all that waits goes to the disk together."""
        waiting: list[threading.Event] = []
        while True:
            commands = [self._queue.get()]
            with suppress(queue.Empty):
                while True:
                    commands.append(self._queue.get_nowait())
            try:
                self._log.write(commands)
            except Exception as error:  # noqa: BLE001 - whatever happens, the thread lives on and the user is told
                self._on_failure(error)
            else:
                self._on_success(any(command.state is not None for command in commands))
            is_end = any(command.is_end for command in commands)
            waiting += [command.done for command in commands if command.done is not None]
            self._is_read |= any(command.sha256 is not None for command in commands)
            if is_end or self._is_read or self._reader is None:
                for done in waiting:
                    done.set()
                waiting.clear()
            if is_end:
                return

    def _read(self) -> None:
        """Read the image for its hash, however long it takes: neither acts nor closing wait."""
        sha256 = ""
        # An image that cannot be read costs no acts.
        with suppress(Exception):
            for so_far in hash_in_parts(self._pixels):
                if self._is_closed.is_set():
                    return
                sha256 = so_far
        self._queue.put(_Command(sha256=sha256))

    def _on_failure(self, error: Exception) -> None:
        self._needs_snapshot = True
        if not self._has_failed:
            self._has_failed = True
            self._dispatch(lambda: self.failed.emit(error))

    def _on_success(self, has_snapshot: bool) -> None:
        if self._has_failed and has_snapshot:
            self._has_failed = False
            self._dispatch(self.resumed.emit)


class _Log:
    """The file, in the hands of the journal's thread."""

    def __init__(
        self, path: Path, image: JournaledImage, settings: dict[str, JsonValue], max_bytes: int, min_log_bytes: int
    ) -> None:
        self.path = path
        self._reference = image_reference(image.pixels, image.name, image.path or None, sha256="")
        self._settings = settings
        self._max_bytes = max_bytes
        self._min_log_bytes = min_log_bytes
        self._file: IO[bytes] | None = None
        self._log_bytes = self._max_log_bytes = self._n_acts = 0

    def write(self, commands: list[_Command]) -> None:
        """Write snapshots and acts; acts before the first snapshot, or after a failure, have no meaning."""
        for command in commands:
            # Known from now on, also where it cannot be written yet.
            if command.sha256:
                self._reference = self._reference.model_copy(update={"sha256": command.sha256})
        try:
            for command in commands:
                if command.state is not None:
                    self._begin(command.state)
                elif command.sha256 and self._file is not None:
                    self._log_bytes += append(self._file, Kind.image, self._header())
                elif command.kind is not None and self._file is not None:
                    data = b"" if command.entry is None else command.entry.to_bytes()
                    self._log_bytes += append(self._file, command.kind, data)
                    self._n_acts += 1
            if self._file is not None:
                sync(self._file)
                if self._log_bytes > self._max_log_bytes or self._n_acts > MAX_LOG_ACTS:
                    self._begin(self._compacted())
        except BaseException:
            self.close(keep=True)
            raise

    def close(self, *, keep: bool) -> None:
        """Close the file, and remove it unless it is to be kept."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None
        if not keep:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)

    def _begin(self, state: AnnotationState) -> None:
        """Write a snapshot, which takes the place of everything before."""
        snapshot = io.BytesIO()
        write_state(snapshot, state, {})
        with replacing(self.path) as part:
            with part.open("wb") as file:
                write_start(file)
                append(file, Kind.header, self._header())
                append(file, Kind.snapshot, snapshot.getvalue())
                sync(file)
            self.close(keep=True)  # Windows replaces no open file
        self._file = self.path.open("ab")
        self._lock(self._file)
        self._log_bytes = self._n_acts = 0
        self._max_log_bytes = max(self._min_log_bytes, snapshot.tell())

    def _compacted(self) -> AnnotationState:
        """Return what the journal holds; raise where an act is missing, so that the next one writes all of it anew."""
        found = restore(self.path)
        if found.is_torn or found.notes:
            why = " ".join(found.notes) or "Its end is damaged."
            raise WriteError(f"{self.path} does not hold every act any more. {why} The next act writes it anew.")
        return found.state

    def _lock(self, file: IO[bytes]) -> None:
        """Mark the journal as in use; who looks for unfinished ones holds it too, for a moment."""
        until = time.monotonic() + _LOCK_SECONDS
        while not lock(file):
            if time.monotonic() > until:
                raise WriteError(f"{self.path} is held by another program; close other windows of napari-superpixels.")
            time.sleep(0.02)

    def _header(self) -> bytes:
        """Return what is kept beside the annotation."""
        header = {
            "image": self._reference.model_dump(mode="json"),
            "settings": self._settings,
            "max_bytes": self._max_bytes,
        }
        return json.dumps(header).encode()
