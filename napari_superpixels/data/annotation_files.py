"""Annotations as files of any format: which function writes or reads which."""

from enum import StrEnum
from pathlib import Path

from napari_superpixels.data.class_map import ClassMap, Instances, read_json
from napari_superpixels.data.class_table import ClassTable
from napari_superpixels.data.coco_files import read_coco, write_coco
from napari_superpixels.data.geojson import read_geojson, write_geojson
from napari_superpixels.data.mask_files import (
    class_table_path,
    read_label_tiff,
    read_npy,
    read_palette_png,
    write_label_tiff,
    write_npy,
    write_palette_png,
)
from napari_superpixels.errors import ReadError, WriteError


class AnnotationFormat(StrEnum):
    """Formats of an annotation; see docs/annotations.md."""

    tiff = "tiff"
    png = "png"
    coco = "coco"
    coco_rle = "coco-rle"
    geojson = "geojson"
    geojson_physical = "geojson-physical"
    npy = "npy"


#: Suffixes of each format, the usual one first.
SUFFIXES: dict[AnnotationFormat, tuple[str, ...]] = {
    AnnotationFormat.tiff: (".tif", ".tiff"),
    AnnotationFormat.png: (".png",),
    AnnotationFormat.coco: (".json",),
    AnnotationFormat.coco_rle: (".json",),
    AnnotationFormat.geojson: (".geojson", ".json"),
    AnnotationFormat.geojson_physical: (".geojson", ".json"),
    AnnotationFormat.npy: (".npy",),
}
_TITLES = {
    AnnotationFormat.tiff: "Label image (TIFF)",
    AnnotationFormat.png: "Palette PNG",
    AnnotationFormat.coco: "COCO, polygons",
    AnnotationFormat.coco_rle: "COCO, run lengths",
    AnnotationFormat.geojson: "GeoJSON for QuPath, pixels",
    AnnotationFormat.geojson_physical: "GeoJSON, physical units",
    AnnotationFormat.npy: "NumPy array",
}


def format_titles() -> dict[AnnotationFormat, str]:
    """Return the formats in the order of a menu, with what to call them."""
    return dict(_TITLES)


def format_of(path: str | Path) -> AnnotationFormat:
    """Return the format that a file's name asks for.

    Raises
    ------
    WriteError
        If it asks for none.
    """
    suffix = Path(path).suffix.lower()
    for kind, suffixes in SUFFIXES.items():
        if suffix in suffixes:
            return kind
    known = ", ".join(dict.fromkeys(suffixes[0] for suffixes in SUFFIXES.values()))
    raise WriteError(f"An annotation cannot be written as {Path(path).name}; use a name that ends with {known}.")


def table_beside(path: str | Path, kind: AnnotationFormat | None = None) -> Path | None:
    """Return the file of the class table that :func:`write_annotation` writes beside the annotation; None for none.

    Raises
    ------
    WriteError
        If the name asks for no format.
    """
    kind = format_of(path) if kind is None else kind
    is_mask = kind in (AnnotationFormat.tiff, AnnotationFormat.png, AnnotationFormat.npy)
    return class_table_path(path) if is_mask else None


def write_annotation(
    path: str | Path, class_map: ClassMap, kind: AnnotationFormat | None = None, *, instances: Instances = "class"
) -> None:
    """Write an annotation, as a whole or not at all.

    Parameters
    ----------
    path : str or pathlib.Path
        The file; masks get the class table beside them, as ``<name>.classes.csv``.
    class_map : ClassMap
        The annotation.
    kind : AnnotationFormat, optional
        The format; by default the one that the name asks for.
    instances : "class" or "superpixel"
        What is an object in COCO and GeoJSON.

    Raises
    ------
    WriteError
        If the format does not fit the name or the annotation, or the file cannot be written.
    ValueError
        If superpixels are wanted and there are none.
    """
    kind = format_of(path) if kind is None else kind
    if Path(path).suffix.lower() not in SUFFIXES[kind]:
        raise WriteError(f"{Path(path).name} does not end with {SUFFIXES[kind][0]}, as {_TITLES[kind]} should.")
    match kind:
        case AnnotationFormat.tiff:
            write_label_tiff(path, class_map)
        case AnnotationFormat.png:
            write_palette_png(path, class_map)
        case AnnotationFormat.npy:
            write_npy(path, class_map)
        case AnnotationFormat.coco:
            write_coco(path, class_map, instances=instances)
        case AnnotationFormat.coco_rle:
            write_coco(path, class_map, instances=instances, shapes="run-lengths")
        case AnnotationFormat.geojson:
            write_geojson(path, class_map, instances=instances)
        case AnnotationFormat.geojson_physical:
            write_geojson(path, class_map, instances=instances, units="physical")


def read_annotation(
    path: str | Path,
    *,
    shape: tuple[int, ...] | None = None,
    table: ClassTable | None = None,
    image: str | None = None,
) -> ClassMap:
    """Read an annotation of any format that can be written here, also from other programs.

    Parameters
    ----------
    path : str or pathlib.Path
        The file; its name and, for JSON, its content decide the format.
    shape : tuple of int, optional
        Shape of the image that it is for; GeoJSON of other programs does not tell it.
    table : ClassTable, optional
        Classes whose numbers GeoJSON takes for equal names.
    image : str, optional
        Name of the image, where a COCO file describes several.

    Raises
    ------
    ReadError
        If the file is missing, damaged, of an unknown format or of an image of another shape.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in (".json", ".geojson"):
        content = read_json(path)
        if isinstance(content, dict) and "annotations" in content:
            return read_coco(path, image=image, shape=shape)
        return read_geojson(path, shape=shape, table=table)
    readers = {".tif": read_label_tiff, ".tiff": read_label_tiff, ".png": read_palette_png, ".npy": read_npy}
    if suffix not in readers:
        raise ReadError(f"{path} is of no format of annotations; expected .tif, .png, .json, .geojson or .npy.")
    class_map = readers[suffix](path)
    if shape is not None and tuple(shape) != class_map.classes.shape:
        raise ReadError(f"{path} has the shape {class_map.classes.shape}; this image has {tuple(shape)}.")
    return class_map
