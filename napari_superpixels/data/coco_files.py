"""Annotations in the COCO format: objects as polygons or run lengths, classes as categories.

Polygons run along pixel edges. COCO's polygons know no holes, so that an object with holes is written as run lengths in
either case; pycocotools gives back exactly the pixels of both.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask
from scipy.ndimage import find_objects

from napari_superpixels.data.class_map import (
    ClassMap,
    Header,
    Instances,
    build,
    empty_classes,
    read_header,
    read_json,
)
from napari_superpixels.data.class_table import MAX_CLASS, ClassTable, one_line, read_color
from napari_superpixels.data.coco_masks import Record, run_lengths
from napari_superpixels.data.label_files import FILE_KEY
from napari_superpixels.data.polygons import Outline, trace
from napari_superpixels.data.sources import listed
from napari_superpixels.errors import ReadError
from napari_superpixels.files import replacing


def write_coco(
    path: str | Path,
    class_map: ClassMap,
    *,
    instances: Instances = "class",
    shapes: Literal["polygons", "run-lengths"] = "polygons",
) -> None:
    """Write an annotation in the COCO format, as a whole or not at all.

    Parameters
    ----------
    path : str or pathlib.Path
        JSON file.
    class_map : ClassMap
        The annotation; each plane of a stack becomes an image of its own.
    instances : "class" or "superpixel"
        What is an object: a connected part of a class, or of a superpixel in it.
    shapes : "polygons" or "run-lengths"
        How objects are written.

    Raises
    ------
    WriteError
        If the file cannot be written.
    ValueError
        If superpixels are wanted and there are none.
    """
    images: list[Record] = []
    annotations: list[Record] = []
    height, width = class_map.classes.shape[-2:]
    for plane in class_map.planes():
        key = len(images) + 1
        images.append({"id": key, "file_name": class_map.image, "height": height, "width": width})
        if plane:
            images[-1]["plane"] = list(plane)
        for record in _objects(class_map, plane, instances, shapes):
            annotations.append({"id": len(annotations) + 1, "image_id": key, **record})
    categories = [
        {"id": entry.number, "name": entry.name, "supercategory": "", "color": list(entry.color)}
        for entry in class_map.table
    ]
    info = {"description": "napari-superpixels annotation", FILE_KEY: class_map.header()}
    content = {"info": info, "images": images, "annotations": annotations, "categories": categories}
    with replacing(path) as part:
        part.write_text(json.dumps(content), encoding="utf-8")


def _objects(class_map: ClassMap, plane: tuple[int, ...], instances: Instances, shapes: str) -> Iterator[Record]:
    regions, class_of = class_map.regions(plane, instances)
    outlines = trace(regions) if shapes == "polygons" else {}
    for number, box in enumerate(find_objects(regions), start=1):
        mask = regions[box] == number
        rows, columns = box
        record = {
            "category_id": int(class_of[number]),
            "segmentation": _segmentation(outlines.get(number), mask, box, regions.shape),
            "area": int(np.count_nonzero(mask)),
            "bbox": [columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start],
            "iscrowd": 0,
        }
        if instances == "superpixel" and class_map.superpixels is not None:
            record["superpixel"] = int(class_map.superpixels[plane][box][mask][0])
        yield record


def _segmentation(
    outline: Outline | None, mask: npt.NDArray[np.bool_], box: tuple[slice, slice], shape: tuple[int, ...]
) -> list[list[int]] | Record:
    if outline is not None and not outline.holes:
        return [outline.outer.ravel().tolist()]
    counts = _box_run_lengths(mask, box, shape)
    packed = coco_mask.frPyObjects({"size": list(shape), "counts": counts}, *shape)
    return {"size": list(shape), "counts": packed["counts"].decode()}


def _box_run_lengths(mask: npt.NDArray[np.bool_], box: tuple[slice, slice], shape: tuple[int, ...]) -> list[int]:
    """Return run lengths down the columns of the whole image, for pixels that lie in a box."""
    steps = np.diff(np.pad(mask, ((1, 1), (0, 0))).astype(np.int8), axis=0).T
    column, row = np.nonzero(steps)
    # Starts and ends alternate down each column; two runs that meet at a column's end have nothing between them.
    places = (column + box[1].start) * shape[0] + row + box[0].start
    return np.diff(places, prepend=0, append=math.prod(shape)).tolist()


def read_coco(path: str | Path, *, image: str | None = None, shape: tuple[int, ...] | None = None) -> ClassMap:
    """Read the objects of an image as classes; where they overlap, the later lies on top.

    Parameters
    ----------
    path : str or pathlib.Path
        JSON file with object annotations.
    image : str, optional
        Name of the image, where the file describes several.
    shape : tuple of int, optional
        Expected shape of the image.

    Returns
    -------
    ClassMap
        Classes by category. Category numbers are kept where they fit into 1 to 255.

    Raises
    ------
    ReadError
        If the file is missing, damaged, of another format, of an image with another shape, or the image is unclear.
    """
    path = Path(path)
    content = read_json(path)
    keys = ("images", "annotations", "categories")
    parts = [content.get(key) if isinstance(content, dict) else None for key in keys]
    if not all(isinstance(part, list) and all(isinstance(record, dict) for record in part) for part in parts):
        raise ReadError(f"{path} is no annotation file in the COCO format: it lacks a list of {', '.join(keys)}.")
    info = content.get("info")
    header = read_header(info.get(FILE_KEY) if isinstance(info, dict) else None, path)
    if header is not None and not _is_named(header.image, image):
        header = None
    pictures, full_shape = _chosen_images(content["images"], header, image, path)
    if shape is not None and tuple(shape) != full_shape:
        raise ReadError(f"{path} belongs to an image of shape {full_shape}; this one has {tuple(shape)}.")
    classes = empty_classes(full_shape, path)
    numbers, table, notes = _categories(content["categories"], path)
    for picture, plane in zip(pictures, np.ndindex(full_shape[:-2]), strict=True):
        records = [record for record in content["annotations"] if record.get("image_id") == picture.get("id")]
        _paint(classes[plane], records, numbers, f"{path}, image {picture.get('id')}")
    return build(classes, table, header, path, *notes)


def _is_named(name: str, image: str | None) -> bool:
    """Say whether a file's name is that of an image, with or without its ending."""
    return image is None or bool({name, Path(name).stem} & {image, Path(image).stem})


def _chosen_images(
    pictures: list[Record], header: Header | None, image: str | None, path: Path
) -> tuple[list[Record], tuple[int, ...]]:
    """Return the entries of the image, one for each plane, and the shape of the whole."""
    found = [picture for picture in pictures if _is_named(str(picture.get("file_name")), image)]
    names = sorted({str(picture.get("file_name")) for picture in (found or pictures)})
    if not found or len(names) > 1:
        raise ReadError(
            f"{path} describes {len(pictures)} images ({listed(names)}); name one of them"
            f"{'' if image is None else f', not {image!r}'}."
        )
    height, width = found[0].get("height"), found[0].get("width")
    if type(height) is not int or type(width) is not int:
        raise ReadError(f"{path}: image {names[0]!r} lacks height and width.")
    shape = (height, width) if header is None else header.shape
    planes = [list(plane) for plane in np.ndindex(shape[:-2])]
    if [picture.get("plane", []) for picture in found] != planes or shape[-2:] != (height, width):
        raise ReadError(
            f"{path} has {len(found)} entries of {height} x {width} pixels for {names[0]!r}; expected {len(planes)} "
            f"for an image of shape {shape}. It was changed since it was written."
        )
    return found, shape


def _categories(categories: list[Record], path: Path) -> tuple[dict[int, int], ClassTable, tuple[str, ...]]:
    """Return the class number of each category, and the table."""
    ids: list[int] = [category["id"] for category in categories if type(category.get("id")) is int]
    if len(set(ids)) < len(categories):
        raise ReadError(f"{path}: its categories should have whole numbers 'id', each once.")
    if len(ids) > MAX_CLASS:
        raise ReadError(f"{path} has {len(ids)} categories; an annotation here has at most {MAX_CLASS} classes.")
    fits = all(1 <= key <= MAX_CLASS for key in ids)
    numbers = {key: key if fits else i for i, key in enumerate(ids, start=1)}
    table = ClassTable()
    try:
        for category in categories:
            color = category.get("color")
            name = one_line(str(category.get("name") or f"category {category['id']}"))
            table = table.added(name, None if color is None else read_color(color), numbers[category["id"]])
    except ValueError as error:
        raise ReadError(f"{path}: {error}") from error
    if fits:
        return numbers, table, ()
    return numbers, table, (f"Categories are renumbered from 1; not all of the file's lie in 1 to {MAX_CLASS}.",)


def _paint(classes: npt.NDArray[np.uint8], records: list[Record], numbers: dict[int, int], where: str) -> None:
    height, width = classes.shape
    down_columns = np.zeros(height * width, np.uint8)
    for record in records:
        name = f"annotation {record.get('id')} of {where}"
        category = record.get("category_id", 0)
        if not isinstance(category, int | float) or category not in numbers:
            raise ReadError(f"{name}: its category {record.get('category_id')!r} is not listed.")
        number = numbers[int(category)]
        ends = np.cumsum(run_lengths(record.get("segmentation"), (height, width), name))
        for start, stop in zip(ends[::2].tolist(), ends[1::2].tolist(), strict=False):
            down_columns[start:stop] = number
    classes[...] = down_columns.reshape(width, height).T
