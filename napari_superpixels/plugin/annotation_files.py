"""Files of an annotation that the user asks for: exports, imports, class tables, saved projects."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image
from psygnal import Signal

from napari_superpixels.data.annotation_files import SUFFIXES, AnnotationFormat
from napari_superpixels.data.class_map import ClassMap
from napari_superpixels.data.class_table import ClassTable, read_class_table, write_class_table
from napari_superpixels.engine.annotation_core import AnnotationState
from napari_superpixels.engine.errands import Errands
from napari_superpixels.engine.exports import export_annotation, file_filter, read_import
from napari_superpixels.engine.project import SUFFIX, image_reference, save_project
from napari_superpixels.engine.scheduler import Dispatch
from napari_superpixels.errors import WriteError
from napari_superpixels.plugin.annotation_layers import AnnotationLayers
from napari_superpixels.plugin.file_dialogs import FileDialogs, with_suffix
from napari_superpixels.widgets.wording import describe_error

_TABLES = "Class table (*.csv *.json)"
_PROJECTS = f"Project (*{SUFFIX})"


class AnnotationFiles:
    """Asks for files, and writes and reads them off the main thread.

    Parameters
    ----------
    dialogs : FileDialogs
        Asks the user.
    dispatch : callable
        Runs a function in the main thread.
    """

    told = Signal(str)
    """What was done."""
    failed = Signal(str)
    """Why something could not be done."""

    def __init__(self, dialogs: FileDialogs, dispatch: Dispatch) -> None:
        self.dialogs = dialogs
        self.layers: AnnotationLayers | None = None
        self._errands = Errands(dispatch, lambda error: self.failed.emit(describe_error(error)))

    def close(self) -> None:
        """Stop; what is being written is finished."""
        self.layers = None
        self._errands.close()

    def export(self, kind: str) -> None:
        """Ask where to, and write the annotation in a format."""
        wanted = AnnotationFormat(kind)
        path = self._ask_save("Export the annotation", file_filter(wanted), SUFFIXES[wanted], ending="_classes")
        layers = self.layers
        if layers is None or path is None:
            return
        state, placed = _without_channels(layers)
        name = _file_name(layers.image)
        self._write(path, lambda: export_annotation(path, state, wanted, image=name, layer=placed))

    def import_(self, kind: str) -> None:
        """Ask for a file, and take the classes in it as one act."""
        layers = self.layers
        path = (
            None
            if layers is None
            else self.dialogs.ask_open("Import an annotation", file_filter(AnnotationFormat(kind)))
        )
        if layers is None or path is None:
            return
        region, table, name = layers.region, layers.annotation.table, _file_name(layers.image)
        axis = region.channel_axis
        shape = tuple(n for i, n in enumerate(region.full_shape) if i != axis)
        self._errands.run(
            lambda: read_import(path, shape, table, image=name), lambda found: self._take(layers, path, found)
        )

    def export_table(self) -> None:
        """Ask where to, and write the class table."""
        path = self._ask_save("Export the class table", _TABLES, (".csv", ".json"), name="classes")
        if self.layers is not None and path is not None:
            table = self.layers.annotation.table
            self._write(path, lambda: write_class_table(path, table))

    def import_table(self) -> None:
        """Ask for a class table, and take it."""
        layers = self.layers
        path = None if layers is None else self.dialogs.ask_open("Import a class table", _TABLES)
        if layers is None or path is None:
            return

        def take(table: ClassTable) -> None:
            layers.annotation.import_table(table)
            self.told.emit(f"{len(table)} classes from {path}.")

        self._errands.run(lambda: read_class_table(path), take)

    def ask_project(self) -> Path | None:
        """Ask for a project to open."""
        return self.dialogs.ask_open("Open a project", _PROJECTS)

    def save_project(self) -> None:
        """Ask where to, and save all of the work."""
        path = self._ask_save("Save the project", _PROJECTS, (SUFFIX,))
        layers = self.layers
        if layers is None or path is None:
            return
        state, settings = layers.annotation.snapshot(), layers.settings()
        last = layers.annotation.history.last
        image, pixels = layers.image, layers.image.data
        name, source = image.name, image.source.path

        def saved() -> None:
            if layers.journal is not None:
                layers.journal.note_saved(last)

        self._write(path, lambda: save_project(path, state, image_reference(pixels, name, source), settings), saved)

    def _write(self, path: Path, write: Callable[[], None], then: Callable[[], None] = lambda: None) -> None:
        def written(_: None) -> None:
            then()
            self.told.emit(f"Written: {path}")

        self._errands.run(write, written)

    def _take(self, layers: AnnotationLayers, path: Path, found: ClassMap) -> None:
        axis = layers.region.channel_axis
        values = found.classes if axis is None else np.expand_dims(found.classes, axis)
        values = np.broadcast_to(values, layers.annotation.classes.shape)
        entry = layers.annotation.import_classes(values, found.table, f"Import {path.name}")
        said = f"Classes from {path}." if entry else f"{path} holds the same classes as are here."
        self.told.emit(" ".join([said, *found.notes]))

    def _ask_save(
        self, title: str, kinds: str, suffixes: tuple[str, ...], *, name: str = "", ending: str = ""
    ) -> Path | None:
        """Return the file to write; None where there is none, which was told then."""
        if self.layers is None:
            return None
        image = self.layers.image
        stem = name or f"{Path(image.name).stem or 'annotation'}{ending}"
        chosen = self.dialogs.ask_save(title, f"{stem}{suffixes[0]}", kinds)
        if chosen is None:
            return None
        try:
            path = with_suffix(chosen, suffixes)
            if image.source.path and path.exists() and path.samefile(image.source.path):
                raise WriteError(f"{path} is the image itself and was not replaced. Give another name.")
        except (WriteError, OSError) as error:
            self.failed.emit(str(error))
            return None
        return path


def _file_name(image: Image) -> str:
    """Return the name of an image's file, by which other programs find it; its layer's name where it has none."""
    return Path(image.source.path).name if image.source.path else image.name


def _without_channels(layers: AnnotationLayers) -> tuple[AnnotationState, dict[str, Any]]:
    """Return an annotation and its placement for other programs, for which the channels of an image are one plane."""
    state, axis = layers.annotation.snapshot(), layers.region.channel_axis
    placed: dict[str, Any] = {"scale": layers.image.scale.tolist()}
    placed |= {"units": [str(unit) for unit in layers.image.units], "axis_labels": list(layers.image.axis_labels)}
    if axis is None:
        return state, placed

    def first(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.take(array, 0, axis)

    kept = {key: [part for i, part in enumerate(parts) if i != axis] for key, parts in placed.items()}
    return replace(state, labels=first(state.labels), classes=first(state.classes)), kept
