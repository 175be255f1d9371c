"""The journal of an annotation while it is open."""

import threading
from collections.abc import Mapping
from pathlib import Path

from napari.layers import Image
from psygnal import Signal
from pydantic import JsonValue

from napari_superpixels.engine.annotation import Annotation
from napari_superpixels.engine.annotation_core import AnnotationState
from napari_superpixels.engine.history import Entry
from napari_superpixels.engine.journal import Journal, JournaledImage
from napari_superpixels.engine.links import Links
from napari_superpixels.engine.scheduler import Dispatch

_MOVE_S = 10.0


class JournalKeeper:
    """Writes every act of an annotation down, and decides what stays when it is closed.

    Work that is in no project file stays in its journal, which is offered when the image is opened again.

    Parameters
    ----------
    annotation : Annotation
        What to follow.
    image : napari.layers.Image
        Its image, in memory or lazy, without resolution levels.
    folder : pathlib.Path
        Where.
    settings : mapping
        What else to keep, as JSON can hold it.
    dispatch : callable
        Runs a function in the main thread.
    """

    failed = Signal(str)
    """Why acts cannot be written down; once until they can be again."""
    resumed = Signal(str)
    """They can be again."""

    def __init__(
        self,
        annotation: Annotation,
        image: Image,
        folder: Path,
        settings: Mapping[str, JsonValue],
        dispatch: Dispatch,
    ) -> None:
        self.folder = folder
        self._annotation = annotation
        self._image = image
        self._settings = settings
        self._dispatch = dispatch
        self._saved: Entry | None = annotation.history.last
        self.replaced: Path | None = None
        """The journal of before that this one replaces."""
        self._links = Links()
        self._journal = self._new_journal()

    @property
    def path(self) -> Path:
        """The journal's file, which is there from the first act on."""
        return self._journal.path

    @property
    def saved(self) -> Entry | None:
        """The last act that a project file holds."""
        return self._saved

    @property
    def has_unsaved_work(self) -> bool:
        """Whether anything was done by hand that no project file holds."""
        history = self._annotation.history
        done = history.entries[: history.position]
        return history.last is not self._saved and any(entry.after.get("params") is None for entry in done)

    def take(self, state: AnnotationState, *, is_saved: bool) -> None:
        """Replace the annotation by a stored one; unsaved work stays in a journal of its own.

        Parameters
        ----------
        state : AnnotationState
            Of the annotation's shape.
        is_saved : bool
            Whether a project file holds it, so that nothing needs to be written before the next act.

        Raises
        ------
        ValueError
            If its arrays have another shape; nothing is changed then.
        """
        if state.labels.shape != self._annotation.labels.shape:
            raise ValueError(
                f"The stored annotation has shape {state.labels.shape}, the image {self._annotation.labels.shape}."
            )
        self._annotation.end_stroke()
        self._links.close()
        self._journal.close(keep=self.has_unsaved_work)
        self._annotation.restore(state)
        self._saved = self._annotation.history.last if is_saved else None
        self._journal = self._new_journal()
        if not is_saved:
            self._journal.begin()

    def move(self, folder: Path) -> bool:
        """Write to another folder from now on; return whether that works, else the old journal stays too."""
        self.folder, old = folder, self._journal
        self._links.close()
        self._journal = self._new_journal()
        is_moved = True
        if self.has_unsaved_work:
            self._journal.begin()
            is_moved = self._journal.flush(_MOVE_S)
        old.close(keep=not is_moved)
        return is_moved

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything is written, in any thread; return whether it is, within so many seconds."""
        return self._journal.flush(timeout)

    def note_saved(self, entry: Entry | None) -> None:
        """Take note that all up to an act, the last one then, is in a project file."""
        self._saved = entry

    def go_on(self, saved: Entry | None, journal: Path | None) -> None:
        """Go on with an annotation that was closed before.

        Parameters
        ----------
        saved : Entry, optional
            The last act that a project file holds.
        journal : pathlib.Path, optional
            The journal that was kept for it, which goes once this one holds the same.
        """
        self._saved, self.replaced = saved, journal
        if journal is None:
            return
        self._journal.begin()
        flush = self._journal.flush

        def replace() -> None:
            if flush():
                journal.unlink(missing_ok=True)

        threading.Thread(target=replace, name=f"journal {journal.name}", daemon=True).start()

    def close(self) -> Path | None:
        """Stop; return the journal that stays because it holds what is not saved."""
        keep = self.has_unsaved_work
        self._links.close()
        self._journal.close(keep=keep)
        return self.path if keep else None

    def _new_journal(self) -> Journal:
        path = self._image.source.path
        journaled = JournaledImage(self._image.data, self._image.name, str(path or ""))
        journal = Journal(self._annotation, self.folder, journaled, settings=self._settings, dispatch=self._dispatch)
        self._links.connect(journal.failed, self._on_failed)
        self._links.connect(journal.resumed, self._on_resumed)
        return journal

    def _on_failed(self, error: Exception) -> None:
        self.failed.emit(f"Your work is not written down at present: {error} Save it as a project.")

    def _on_resumed(self) -> None:
        self.resumed.emit("Your work is written down again.")
