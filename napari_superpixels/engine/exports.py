"""An annotation to and from files of other programs: what the window and the command line share."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from napari_superpixels.data.annotation_files import (
    SUFFIXES,
    AnnotationFormat,
    format_titles,
    read_annotation,
    table_beside,
    write_annotation,
)
from napari_superpixels.data.class_map import ClassMap, Instances
from napari_superpixels.data.class_table import ClassTable, read_class_table, write_class_table
from napari_superpixels.data.images import read_image
from napari_superpixels.data.label_files import read_labels, write_labels
from napari_superpixels.engine.annotation import Annotation
from napari_superpixels.engine.annotation_core import AnnotationState
from napari_superpixels.engine.project import SUFFIX, open_project
from napari_superpixels.errors import ReadError, WriteError

__all__ = [
    "AnnotationFormat",
    "ClassMap",
    "class_map",
    "export_annotation",
    "file_filter",
    "format_titles",
    "import_annotation",
    "pixel_size",
    "read_annotation",
    "read_class_map",
    "read_class_table",
    "read_import",
    "replaced_table",
    "write_annotation",
    "write_class_table",
    "write_superpixels",
]

#: What napari's units call a micrometre, and no unit at all.
_UNITS = {"micrometer": "µm", "micrometre": "µm", "micron": "µm", "um": "µm", "µm": "µm", "μm": "µm"}
_PIXELS = ("", "pixel", "pixels", "dimensionless")


def file_filter(kind: AnnotationFormat) -> str:
    """Return a format as a file dialog shows it: "Palette PNG (*.png)"."""
    return f"{format_titles()[kind]} ({' '.join(f'*{suffix}' for suffix in SUFFIXES[kind])})"


def pixel_size(layer: Mapping[str, JsonValue]) -> tuple[dict[str, float], str]:
    """Return the size of a pixel along Z, Y and X and its unit, from a layer's scale and units.

    Parameters
    ----------
    layer : mapping
        ``scale``, a number for each axis, and ``units``, a name for each axis, as far as known.

    Returns
    -------
    sizes : dict
        By axis; empty where the scale says nothing but pixels.
    unit : str
        "µm" or another name; "" where unknown.
    """
    scale, units = layer.get("scale"), layer.get("units")
    if not isinstance(scale, list) or len(scale) < 2:
        return {}, ""
    names = [str(name) for name in units] if isinstance(units, list) else []
    unit = names[-1] if names and len(set(names[-2:])) == 1 else ""
    unit = "" if unit in _PIXELS else _UNITS.get(unit, unit)
    numbers = [float(number) if isinstance(number, int | float) else math.nan for number in scale[-3:]]
    sizes = dict(zip("ZYX"[-len(numbers) :], map(abs, numbers), strict=True))
    if not all(0 < size < math.inf for size in sizes.values()) or (not unit and set(sizes.values()) == {1.0}):
        return {}, ""
    return sizes, unit


def class_map(state: AnnotationState, image: str = "", layer: Mapping[str, JsonValue] | None = None) -> ClassMap:
    """Return an annotation as exporters take it.

    Parameters
    ----------
    state : AnnotationState
        The annotation, see :meth:`Annotation.snapshot`.
    image : str
        Name of the image, for the reader.
    layer : mapping, optional
        Its layer's ``scale``, ``units`` and ``axis_labels``, as far as known.

    Returns
    -------
    ClassMap
        Classes, class table and superpixels.
    """
    layer = layer or {}
    sizes, unit = pixel_size(layer)
    return ClassMap(
        state.classes,
        state.table.completed(np.unique(state.classes).tolist()),
        superpixels=state.labels,
        image=image,
        axes=_axes(layer.get("axis_labels"), state.classes.ndim),
        pixel_size=sizes,
        pixel_unit=unit,
    )


def replaced_table(path: str | Path, found: ClassMap, kind: AnnotationFormat | None = None) -> Path | None:
    """Return the file of a class table that :func:`write_annotation` would replace by another one; None for none."""
    beside = table_beside(path, kind)
    if beside is None or not beside.exists():
        return None
    try:
        return None if read_class_table(beside) == found.table else beside
    except ReadError:
        return beside


def export_annotation(
    path: str | Path,
    state: AnnotationState,
    kind: AnnotationFormat | None = None,
    *,
    instances: Instances = "class",
    image: str = "",
    layer: Mapping[str, JsonValue] | None = None,
) -> None:
    """Write an annotation for other programs, as a whole or not at all; best called in a worker thread.

    Parameters
    ----------
    path : str or pathlib.Path
        The file; masks get the class table beside them, as ``<name>.classes.csv``.
    state : AnnotationState
        The annotation, see :meth:`Annotation.snapshot`.
    kind : AnnotationFormat, optional
        The format; by default the one that the name asks for.
    instances : "class" or "superpixel"
        What is an object in COCO and GeoJSON: a connected part of a class, or of a superpixel in it.
    image, layer
        As in :func:`class_map`.

    Raises
    ------
    WriteError
        If the format does not fit the name or the annotation, or the file cannot be written.
    """
    write_annotation(path, class_map(state, image, layer), kind, instances=instances)


def import_annotation(path: str | Path, annotation: Annotation, *, image: str | None = None) -> tuple[str, ...]:
    """Take classes and class table from a file, as one act that can be undone.

    Parameters
    ----------
    path : str or pathlib.Path
        File of any format of :class:`AnnotationFormat`, of this image's shape.
    annotation : Annotation
        The annotation; superpixels stay.
    image : str, optional
        Name of the image, where a COCO file describes several.

    Returns
    -------
    tuple of str
        What the user should know.

    Raises
    ------
    ReadError
        If the file is missing, damaged, or of an image of another shape; nothing is changed then.
    """
    found = read_import(path, annotation.classes.shape, annotation.table, image=image)
    annotation.import_classes(found.classes, found.table, f"Import {Path(path).name}")
    return found.notes


def read_import(path: str | Path, shape: tuple[int, ...], table: ClassTable, *, image: str | None = None) -> ClassMap:
    """Read what :func:`import_annotation` takes; in a worker thread, where the file may be large.

    Parameters
    ----------
    path, image
        As there.
    shape : tuple of int
        Shape of the annotation.
    table : ClassTable
        Its classes; those whose numbers the file does not use stay.
    """
    found = read_annotation(path, shape=shape, table=table, image=image)
    return replace(found, table=_joined(table, found.table, Path(path)))


def read_class_map(
    path: str | Path,
    *,
    table: str | Path | None = None,
    superpixels: str | Path | None = None,
    image: str | None = None,
    size_of: str | Path | None = None,
) -> ClassMap:
    """Read a project, or an annotation in any format that can be written.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.
    table : str or pathlib.Path, optional
        Class table that takes the place of the file's own.
    superpixels : str or pathlib.Path, optional
        Label image of the superpixels, where the file is no project.
    image : str, optional
        Name of the image, where a COCO file describes several.
    size_of : str or pathlib.Path, optional
        Image that tells the shape, for GeoJSON of other programs.

    Raises
    ------
    ReadError
        If a file is missing, damaged, or does not fit the others.
    """
    path = Path(path)
    shape = None if size_of is None else _image_shape(Path(size_of))
    if path.suffix.lower() == SUFFIX:
        project = open_project(path)
        layer = project.settings.get("layer")
        found = class_map(project.state, project.image.name, layer if isinstance(layer, dict) else None)
        found = found.noted(*project.notes)
    else:
        found = read_annotation(path, shape=shape, image=image)
    try:
        if table is not None:
            found = replace(found, table=read_class_table(table))
        if superpixels is not None:
            found = replace(found, superpixels=read_labels(superpixels))
    except ValueError as error:
        raise ReadError(f"{path}: {error}") from error
    return found


def write_superpixels(path: str | Path, superpixels: ClassMap) -> None:
    """Write the superpixels themselves, with axes and the size of a pixel: ``.tif`` (32 bits) or ``.png`` (16 bits).

    Raises
    ------
    WriteError
        If there are none, the format cannot hold them, or the file cannot be written.
    """
    if superpixels.superpixels is None:
        raise WriteError("There are no superpixels to write, only classes.")
    write_labels(
        path,
        superpixels.superpixels,
        {"image": superpixels.image},
        axes=superpixels.axes,
        pixel_size=superpixels.pixel_size,
        pixel_unit=superpixels.pixel_unit,
    )


def _axes(labels: JsonValue, n_axes: int) -> str:
    """Return the axes of a stack from its labels, where these are single letters; "" for the usual ones."""
    names = [str(label).upper() for label in labels] if isinstance(labels, list) else []
    if len(names) != n_axes or names[-2:] != ["Y", "X"] or not all(len(n) == 1 and n.isalpha() for n in names):
        return ""
    return "".join(names)


def _image_shape(path: Path) -> tuple[int, ...]:
    try:
        image = read_image(path)
    except ReadError as error:
        raise ReadError(f"{path}: {error}") from error
    return tuple(n for axis, n in enumerate(image.array.shape) if axis != image.channel_axis)


def _joined(own: ClassTable, found: ClassTable, path: Path) -> ClassTable:
    """Return the found table, and after it the own classes whose numbers it does not use."""
    names = {entry.name for entry in found}
    for entry in own:
        if entry.number in found:
            continue
        name = entry.name if entry.name not in names else f"{entry.name} (before {path.name})"
        try:
            found = found.added(name, entry.color, entry.number)
        except ValueError as error:
            raise ReadError(f"{path}: its classes and those here do not go together ({error}).") from error
    return found
