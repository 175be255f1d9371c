"""The journal of an annotation, and what an earlier one, not closed properly, offers."""

import datetime
from contextlib import suppress
from pathlib import Path
from typing import Any

from psygnal import Signal

from napari_superpixels.engine.annotation import Annotation
from napari_superpixels.engine.journal import (
    Journal,
    JournaledImage,
    Unfinished,
    default_journal_folder,
    find_unfinished,
    restore,
)
from napari_superpixels.engine.links import Links
from napari_superpixels.engine.scheduler import Dispatch
from napari_superpixels.errors import ReadError


class JournalKeeper:
    """Writes every act of an annotation down, in a folder that the user can choose.

    Parameters
    ----------
    annotation : Annotation
        What to follow.
    image : napari.layers.Image
        Its image, in memory or lazy, without resolution levels.
    dispatch : callable
        Runs a function in the main thread.
    """

    failed = Signal(str)
    """Why acts cannot be written down."""

    def __init__(self, annotation: Annotation, image: Any, dispatch: Dispatch) -> None:
        self._annotation = annotation
        self._image = image
        self._dispatch = dispatch
        self.folder = default_journal_folder()
        self._saved_at: Any = annotation.history.last
        self._links = Links()
        self._unfinished = self._find()
        self._start()

    @property
    def offer(self) -> str:
        """What can be restored, in words; empty if nothing."""
        if self._unfinished is None:
            return ""
        when = datetime.datetime.fromtimestamp(self._unfinished.changed).strftime("%d %b %Y, %H:%M")
        return f"There is unfinished work on {self._unfinished.image.name!r}, last changed {when}. Go on with it?"

    def restore(self) -> tuple[str, ...]:
        """Go on with unfinished work; return what the user should know.

        Raises
        ------
        ReadError
            If it cannot be read, or belongs to another image.
        """
        if self._unfinished is None:
            return ()
        kept = restore(self._unfinished.path)
        difference = kept.image.difference(self._image.data)
        if difference:
            raise ReadError(f"The unfinished work was made on another image: {difference}.")
        if kept.state.labels.shape != self._annotation.labels.shape:
            raise ReadError(f"The unfinished work has shape {kept.state.labels.shape}, the image another.")
        self._annotation.restore(kept.state)
        # The old journal goes once the new one holds its work.
        if self._journal.flush(10.0):
            self.discard()
        return kept.notes

    def discard(self) -> None:
        """Delete unfinished work."""
        if self._unfinished is not None:
            with suppress(OSError):
                self._unfinished.path.unlink()
            self._unfinished = None

    def move(self, folder: str | Path) -> None:
        """Write down what is done in another folder from now on."""
        self._stop(keep=False)
        self.folder = Path(folder)
        self._start()

    def note_saved(self) -> None:
        """Take note that all that was done is saved elsewhere."""
        self._saved_at = self._annotation.history.last

    def close(self) -> None:
        """Stop; the journal stays if it holds what is not saved elsewhere."""
        self._stop(keep=self._annotation.history.last is not self._saved_at)

    def _start(self) -> None:
        source = getattr(self._image.source, "path", None)
        journaled = JournaledImage(self._image.data, self._image.name, str(source or ""))
        self._journal = Journal(self._annotation, self.folder, journaled, dispatch=self._dispatch)
        self._links.connect(self._journal.failed, self._on_failed)

    def _stop(self, *, keep: bool) -> None:
        self._links.close()
        self._journal.close(keep=keep)

    def _find(self) -> Unfinished | None:
        shape = tuple(self._image.data.shape)
        found = find_unfinished(self.folder) if self.folder.is_dir() else []
        return next((one for one in found if (one.image.name, one.image.shape) == (self._image.name, shape)), None)

    def _on_failed(self, error: Exception) -> None:
        self.failed.emit(f"Your work is not written down at present: {error}")
