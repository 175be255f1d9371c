"""Files of an annotation, chosen in dialogs: exports, imports, class tables, projects."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Layer
from psygnal import Signal
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_superpixels.data.annotation_files import AnnotationFormat
from napari_superpixels.data.class_table import read_class_table, write_class_table
from napari_superpixels.engine.exports import export_annotation, file_filter, import_annotation
from napari_superpixels.engine.project import SUFFIX, image_reference, open_project, save_project
from napari_superpixels.engine.scheduler import Dispatch, Scheduler
from napari_superpixels.errors import SuperpixelsError
from napari_superpixels.plugin.annotation_layers import AnnotationLayers
from napari_superpixels.plugin.file_io import PLACEMENT

_TABLES = "Class table (*.csv *.json)"
_PROJECTS = f"Project (*{SUFFIX})"


class AnnotationFiles:
    """Writes and reads what the user asks for; writing is done in a worker.

    Parameters
    ----------
    parent : QWidget
        Over which dialogs open.
    dispatch : callable
        Runs a function in the main thread.
    """

    told = Signal(str)
    """What was done."""
    failed = Signal(str)
    """Why something could not be done."""

    def __init__(self, parent: QWidget, dispatch: Dispatch) -> None:
        self._parent = parent
        self.layers: AnnotationLayers | None = None
        self.on_saved: Callable[[], None] = lambda: None
        """Called when all of the work has been saved."""
        self._writer: Scheduler[tuple[Callable[[], None], Path, bool], Path] = Scheduler(
            lambda job: self._write(job.request),
            supersedes=lambda new, old: False,
            dispatch=dispatch,
            on_result=lambda request, path: self._on_written(path, is_all=request[2]),
            on_error=lambda request, error: self.failed.emit(str(error)),
            on_cancelled=lambda request: None,
            on_idle=lambda: None,
        )

    def close(self) -> None:
        """Stop; what is being written is finished."""
        self.layers = None
        self._writer.close()

    def export(self, kind: str) -> None:
        """Ask where to, and write the annotation in a format."""
        layers, wanted = self.layers, AnnotationFormat(kind)
        path = self._ask_save("Export the annotation", file_filter(wanted))
        if layers is not None and path is not None:
            state, name, placed = layers.annotation.snapshot(), layers.image.name, _placement(layers.image)
            export = partial(export_annotation, path, state, wanted, image=name, layer=placed)
            self._writer.submit((export, path, False))

    def import_(self, kind: str) -> None:
        """Ask for a file, and take the classes in it."""
        path = self._ask_open("Import an annotation", file_filter(AnnotationFormat(kind)))
        if self.layers is not None and path is not None:
            layers = self.layers
            self._try(path, lambda: import_annotation(path, layers.annotation, image=layers.image.name))

    def export_table(self) -> None:
        """Ask where to, and write the class table."""
        path = self._ask_save("Export the class table", _TABLES)
        if self.layers is not None and path is not None:
            table = self.layers.annotation.table
            self._writer.submit((partial(write_class_table, path, table), path, False))

    def import_table(self) -> None:
        """Ask for a class table, and take it."""
        path = self._ask_open("Import a class table", _TABLES)
        if self.layers is not None and path is not None:
            annotation = self.layers.annotation
            self._try(path, lambda: annotation.import_table(read_class_table(path)))

    def save_project(self) -> None:
        """Ask where to, and save all of the work."""
        layers, path = self.layers, self._ask_save("Save the project", _PROJECTS)
        if layers is None or path is None:
            return
        state, image = layers.annotation.snapshot(), layers.image
        name, source = image.name, getattr(image.source, "path", None)
        settings = {"layer": _placement(image)}

        def save() -> None:
            save_project(path, state, image_reference(image.data, name, source), settings)

        self._writer.submit((save, path, True))

    def open_project(self) -> None:
        """Ask for a project of this image, and go on with it."""
        path = self._ask_open("Open a project", _PROJECTS)
        if self.layers is not None and path is not None:
            layers = self.layers
            self._try(path, lambda: _take_project(path, layers))

    def _write(self, request: tuple[Callable[[], None], Path, bool]) -> Path:
        request[0]()
        return request[1]

    def _on_written(self, path: Path, *, is_all: bool) -> None:
        if is_all:
            self.on_saved()
        self.told.emit(f"Written: {path}")

    def _try(self, path: Path, act: Callable[[], Any]) -> None:
        try:
            act()
        except (SuperpixelsError, ValueError) as error:
            self.failed.emit(str(error))
        else:
            self.told.emit(f"Read: {path}")

    def _ask_save(self, title: str, kinds: str) -> Path | None:
        if self.layers is None:
            return None
        suffix = kinds[kinds.index("*") + 1 :].split()[0].rstrip(")")
        stem = Path(self.layers.image.name).stem or "annotation"
        chosen, _ = QFileDialog.getSaveFileName(self._parent, title, f"{stem}{suffix}", kinds)
        if not chosen:
            return None
        path = Path(chosen)
        return path if path.suffix else path.with_name(path.name + suffix)

    def _ask_open(self, title: str, kinds: str) -> Path | None:
        if self.layers is None:
            return None
        chosen, _ = QFileDialog.getOpenFileName(self._parent, title, "", kinds)
        return Path(chosen) if chosen else None


def _take_project(path: Path, layers: AnnotationLayers) -> None:
    project = open_project(path)
    difference = project.image.difference(layers.image.data)
    if difference:
        raise ValueError(f"{path.name} was made on another image: {difference}.")
    layers.annotation.restore(project.state)


def _placement(layer: Layer) -> dict[str, Any]:
    """Return where a layer lies, as JSON can hold it."""
    placement: dict[str, Any] = {}
    for key in PLACEMENT:
        value = getattr(layer, key)
        if key == "affine":
            value = value.affine_matrix
        elif key == "units":
            value = [str(unit) for unit in value]
        placement[key] = value.tolist() if isinstance(value, np.ndarray) else list(value)
    return placement
