"""Annotations as GeoJSON, as QuPath opens and writes it: one feature for each object, its class as classification."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_superpixels.data.class_map import (
    ClassMap,
    Header,
    Instances,
    build,
    checked_size,
    empty_classes,
    read_header,
    read_json,
    table_of,
)
from napari_superpixels.data.class_table import ClassTable, one_line, read_color
from napari_superpixels.data.label_files import FILE_KEY
from napari_superpixels.data.polygons import Outline, fill, trace
from napari_superpixels.errors import ReadError, WriteError
from napari_superpixels.files import replacing

Feature = dict[str, Any]

_UNCLASSIFIED = "Unclassified"


def write_geojson(
    path: str | Path,
    class_map: ClassMap,
    *,
    instances: Instances = "class",
    units: Literal["pixel", "physical"] = "pixel",
) -> None:
    """Write an annotation as a GeoJSON feature collection, as a whole or not at all.

    Parameters
    ----------
    path : str or pathlib.Path
        GeoJSON file.
    class_map : ClassMap
        The annotation. Planes along Z and T are marked as QuPath marks them.
    instances : "class" or "superpixel"
        What is a feature: a connected part of a class, or of a superpixel in it.
    units : "pixel" or "physical"
        Unit of the coordinates, from the image's upper left corner. QuPath expects pixels.

    Raises
    ------
    WriteError
        If the file cannot be written, the size of a pixel is needed and unknown, or a stack has other axes.
    ValueError
        If superpixels are wanted and there are none.
    """
    size = checked_size(class_map) if units == "physical" else (1, 1)
    names = _plane_axes(class_map.axes)
    features: list[Feature] = []
    for plane in class_map.planes():
        where = {"c": -1, "z": 0, "t": 0, **dict(zip(names, plane, strict=True))} if plane else None
        features += _features(class_map, plane, instances, size, where)
    content = {
        "type": "FeatureCollection",
        FILE_KEY: {**class_map.header(), "coordinates": units},
        "features": features,
    }
    with replacing(path) as part:
        part.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")


def _plane_axes(axes: str) -> tuple[str, ...]:
    """Return what GeoJSON's planes call the axes of a stack."""
    stack = axes[:-2].lower()
    if len(stack) == 1 and stack not in "zt":
        return ("z",)
    if len(stack) > 2 or not set(stack) <= set("zt"):
        raise WriteError(
            f"GeoJSON knows planes along Z and T alone; this stack has the axes {axes}. Write TIFF instead."
        )
    return tuple(stack)


def _features(
    class_map: ClassMap,
    plane: tuple[int, ...],
    instances: Instances,
    size: tuple[float, float],
    where: dict[str, int] | None,
) -> Iterator[Feature]:
    regions, class_of = class_map.regions(plane, instances)
    for number, outline in trace(regions).items():
        entry = class_map.table[int(class_of[number])]
        geometry: dict[str, Any] = {"type": "Polygon", "coordinates": _coordinates(outline, size)}
        if where is not None:
            geometry["plane"] = where
        properties: dict[str, Any] = {
            "objectType": "annotation",
            "classification": {"name": entry.name, "color": list(entry.color)},
        }
        if instances == "superpixel" and class_map.superpixels is not None:
            column, row = outline.outer.min(axis=0)
            inside = np.argmax(regions[row, column:] == number)
            properties["superpixel"] = int(class_map.superpixels[plane][row, column + inside])
        yield {"type": "Feature", "geometry": geometry, "properties": properties}


def _coordinates(outline: Outline, size: tuple[float, float]) -> list[list[list[float]]]:
    """Return closed rings; the outer one is counter-clockwise where y points up, as RFC 7946 asks for."""
    rings = [np.concatenate([ring, ring[:1]]) for ring in (outline.outer, *outline.holes)]
    return [(ring * np.array(size)).tolist() for ring in rings]


def read_geojson(
    path: str | Path, *, shape: tuple[int, ...] | None = None, table: ClassTable | None = None
) -> ClassMap:
    """Read polygons as classes; where they overlap, the later lies on top.

    Parameters
    ----------
    path : str or pathlib.Path
        GeoJSON: a feature collection, a feature, or a list of them, with coordinates in pixels unless written here.
    shape : tuple of int, optional
        Shape of the image; needed for files that were not written here.
    table : ClassTable, optional
        Classes whose numbers are taken for equal names.

    Returns
    -------
    ClassMap
        Classes by classification. A pixel belongs to the polygons that hold its centre.

    Raises
    ------
    ReadError
        If the file is missing, damaged, of another format or image, or the shape is not known.
    """
    path = Path(path)
    content = read_json(path)
    data = content.get(FILE_KEY) if isinstance(content, dict) else None
    header = read_header(data, path)
    if header is not None and shape is not None and tuple(shape) != header.shape:
        raise ReadError(f"{path} belongs to an image of shape {header.shape}; this one has {tuple(shape)}.")
    full_shape = header.shape if header is not None else shape
    if full_shape is None:
        raise ReadError(f"{path} does not tell the size of its image; give it, or open the image first.")
    size = (1.0, 1.0)
    if header is not None and isinstance(data, dict) and data.get("coordinates") == "physical":
        size = _pixel_size(header, path)
    found = table_of(header, path) if header is not None else (table or ClassTable())
    axes = header.axes if header is not None else "TZYX"[-len(full_shape) :]
    classes = empty_classes(tuple(full_shape), path)
    n_skipped = 0
    for feature in _listed_features(content, path):
        polygons, where = _polygons(feature, path)
        if not polygons:
            n_skipped += 1
            continue
        found, number = _class_of(feature, found, path)
        plane = tuple(int(where.get(name, 0)) for name in _plane_axes(axes))
        if any(not 0 <= i < n for i, n in zip(plane, full_shape, strict=False)):
            raise ReadError(f"{path}: a polygon lies in plane {plane}; the image has the shape {full_shape}.")
        for rings in polygons:
            box, mask = fill([ring / size for ring in rings], (full_shape[-2], full_shape[-1]))
            classes[plane][box][mask] = number
    notes = (f"{n_skipped} features without area (points, lines) are left out.",) if n_skipped else ()
    return build(classes, found, header, path, *notes)


def _pixel_size(header: Header, path: Path) -> tuple[float, float]:
    sizes = (header.pixel_size.get("X", 0.0), header.pixel_size.get("Y", 0.0))
    if min(sizes) <= 0:
        raise ReadError(f"{path} has coordinates in {header.pixel_unit or 'physical units'}, but no size of a pixel.")
    return sizes


def _listed_features(content: Any, path: Path) -> list[Feature]:
    features = content
    if isinstance(content, dict):
        features = content.get("features") if content.get("type") == "FeatureCollection" else [content]
    if not isinstance(features, list) or not all(
        isinstance(feature, dict) and feature.get("type") == "Feature" for feature in features
    ):
        raise ReadError(f"{path} is no GeoJSON: expected a feature collection, or a list of features.")
    return features


def _polygons(feature: Feature, path: Path) -> tuple[list[list[npt.NDArray[np.float64]]], dict[str, Any]]:
    """Return the rings of each of a feature's polygons, and the plane that they lie in."""
    geometry = feature.get("geometry")
    if not isinstance(geometry, dict):
        return [], {}
    coordinates: Any = geometry.get("coordinates")
    where = geometry.get("plane")
    where = where if isinstance(where, dict) else {}
    if any(type(where.get(name, 0)) is not int for name in "zt"):
        raise ReadError(f"{path}: a feature lies in the plane {where}; expected whole numbers.")
    kind = geometry.get("type")
    if kind not in ("Polygon", "MultiPolygon"):
        return [], where
    try:
        nested = [coordinates] if kind == "Polygon" else list(coordinates)
        polygons = [[np.asarray(ring, np.float64)[:, :2] for ring in rings] for rings in nested]
    except (TypeError, ValueError, IndexError) as error:
        raise ReadError(f"{path}: the coordinates of a {kind} are no lists of numbers ({error}).") from error
    if not all(
        ring.ndim == 2 and ring.shape[1] == 2 and np.isfinite(ring).all() for rings in polygons for ring in rings
    ):
        raise ReadError(f"{path}: the coordinates of a {kind} should be finite pairs x, y.")
    return polygons, where


def _class_of(feature: Feature, table: ClassTable, path: Path) -> tuple[ClassTable, int]:
    """Return the number of a feature's class, and the table, with that class added where it is new."""
    properties = feature.get("properties")
    given = properties.get("classification") if isinstance(properties, dict) else None
    given = given if isinstance(given, dict) else {}
    # QuPath 0.4 and later write a class that is derived from others as a list of names.
    names = given.get("names")
    name = ": ".join(map(str, names)) if isinstance(names, list) else str(given.get("name") or "")
    name = one_line(name) or _UNCLASSIFIED
    for entry in table:
        if entry.name == name:
            return table, entry.number
    color, packed = given.get("color"), given.get("colorRGB")
    if color is None and isinstance(packed, int):
        color = [packed >> 16 & 255, packed >> 8 & 255, packed & 255]
    try:
        table = table.added(name, None if color is None else read_color(color))
    except ValueError as error:
        raise ReadError(f"{path}: {error}") from error
    return table, table.classes[-1].number
