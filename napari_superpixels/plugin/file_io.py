"""*File > Save* of Labels layers as annotations, and *File > Open* of projects.

A layer of classes is written with its class table. Every other Labels layer is taken for objects, one number each, of
one class that has the layer's name.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Layer
from napari.utils.notifications import show_warning
from pydantic import JsonValue

from napari_superpixels.data.class_map import ClassMap, Instances
from napari_superpixels.data.class_table import MAX_CLASS, PALETTE, ClassTable, LabelClass
from napari_superpixels.data.images import read_image
from napari_superpixels.engine.exports import AnnotationFormat, pixel_size, write_annotation, write_superpixels
from napari_superpixels.engine.project import SUFFIX, Project, open_project
from napari_superpixels.errors import ReadError
from napari_superpixels.plugin.boxes import METADATA_KEY
from napari_superpixels.plugin.seed_points import GIVEN_SEEDS, given_points
from napari_superpixels.plugin.style import seed_options

LayerData = tuple[npt.NDArray[Any], dict[str, Any], str]

#: What of a layer's placement a project keeps.
PLACEMENT = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
_CLASS_OPACITY = 0.5


def write_coco(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a Labels layer in the COCO format, with polygons."""
    return _write(path, data, meta, AnnotationFormat.coco)


def write_geojson(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a Labels layer as GeoJSON in pixels, for QuPath."""
    return _write(path, data, meta, AnnotationFormat.geojson)


def write_png(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a Labels layer as PNG: classes with a palette, objects with 16 bits."""
    return _write(path, data, meta, AnnotationFormat.png)


def write_tiff(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a Labels layer as TIFF with axes and the size of a pixel."""
    return _write(path, data, meta, AnnotationFormat.tiff)


def write_npy(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write the classes of a Labels layer as a NumPy array."""
    return _write(path, data, meta, AnnotationFormat.npy)


def get_project_reader(path: str | Sequence[str]) -> Callable[[str], list[LayerData]] | None:
    """Return what opens a project; None for other files."""
    if isinstance(path, str) and path.lower().endswith(SUFFIX):
        return read_project
    return None


def read_project(path: str) -> list[LayerData]:
    """Open a project as layers: its image, if that is found, superpixels, classes, and seeds that the user gave.

    Raises
    ------
    ReadError
        If the project is missing, foreign, damaged, or of a newer version.
    """
    project = open_project(path)
    name = project.image.name
    placement = _placement(project)
    layers: list[LayerData] = []
    image = _read_image(project)
    if image is not None:
        pixels, rgb = image
        layers.append((pixels, {"name": name, "rgb": rgb, **placement}, "image"))
    segmentation = project.settings.get("segmentation")
    made = {**(segmentation if isinstance(segmentation, dict) else {}), "image": name, "project": str(project.path)}
    state = project.state
    classes = {"image": name, "view": "classes", "classes": state.table.to_json(), "project": str(project.path)}
    colors: dict[int | None, Any] = {None: np.zeros(4), 0: np.zeros(4)}
    colors |= {entry.number: np.array([*entry.color, 255]) / 255 for entry in state.table}
    layers += [
        (state.labels, {"name": f"{name} superpixels", "metadata": {METADATA_KEY: made}, **placement}, "labels"),
        (
            state.classes,
            {
                "name": f"{name} classes",
                "metadata": {METADATA_KEY: classes},
                "colormap": colors,
                "opacity": _CLASS_OPACITY,
                **placement,
            },
            "labels",
        ),
    ]
    seeds = given_points(made, state.labels.ndim)
    if seeds is not None:
        metadata = {METADATA_KEY: {"image": name, "view": GIVEN_SEEDS}}
        options = seed_options(state.labels.shape[-2:], len(seeds)) | placement
        layers.append((seeds, {"name": f"{name} seeds", "metadata": metadata, **options}, "points"))
    for note in project.notes:
        show_warning(f"{Path(path).name}: {note}")
    return layers


def _write(path: str, data: Any, meta: dict[str, Any], kind: AnnotationFormat) -> list[str]:
    found, instances = _class_map(data, meta)
    if instances == "superpixel" and kind in (AnnotationFormat.tiff, AnnotationFormat.png):
        write_superpixels(path, found)
    else:
        write_annotation(path, found, kind, instances=instances)
    return [path]


def _class_map(data: Any, meta: dict[str, Any]) -> tuple[ClassMap, Instances]:
    """Return what a layer holds, and what its objects are."""
    if meta.get("multiscale"):
        data = data[0]
    # Along the channels of an image, labels repeat themselves without taking memory.
    strides = getattr(data, "strides", ())
    kept = [axis for axis, n in enumerate(data.shape) if n == 1 or not strides or strides[axis] != 0]
    array = np.asarray(data)[tuple(slice(None) if axis in kept else 0 for axis in range(data.ndim))]
    sizes, unit = pixel_size(
        {
            "scale": [float(meta["scale"][axis]) for axis in kept] if "scale" in meta else None,
            "units": [str(meta["units"][axis]) for axis in kept] if meta.get("units") else None,
        }
    )
    made = meta.get("metadata", {}).get(METADATA_KEY, {})
    image = str(made.get("image", meta.get("name", "")))
    is_classes = array.dtype == np.uint8 or made.get("view") == "classes"
    if is_classes and array.max(initial=0) <= MAX_CLASS:
        classes = array.astype(np.uint8)
        table = _table(made, meta, np.unique(classes).tolist())
        return ClassMap(classes, table, image=image, pixel_size=sizes, pixel_unit=unit), "class"
    name = " ".join(str(meta.get("name", "")).split())[:100] or "object"
    table = ClassTable((LabelClass(1, name, PALETTE[0]),))
    objects = (array > 0).astype(np.uint8)
    return ClassMap(objects, table, array, image, pixel_size=sizes, pixel_unit=unit), "superpixel"


def _table(made: dict[str, Any], meta: dict[str, Any], present: list[int]) -> ClassTable:
    """Return the class table of a layer: its own, or names by number in the colours that are shown."""
    table = ClassTable.from_json(made.get("classes", []))
    colors = getattr(meta.get("colormap"), "color_dict", {})
    for number in present:
        color = colors.get(number)
        if number and number not in table and color is not None:
            red, green, blue = (round(255 * float(part)) for part in color[:3])
            table = table.added(color=(red, green, blue), number=number)
    return table.completed(present)


def _read_image(project: Project) -> tuple[npt.NDArray[Any], bool] | None:
    """Return the image of a project, and whether it is RGB; None, with a message, if it is not there or another."""
    name, path = project.image.name, project.find_image()
    if path is None:
        show_warning(
            f"The image {name!r} of {project.path.name} is not found at {project.image.path or 'any file'}; open it "
            "yourself, or put it beside the project."
        )
        return None
    try:
        image = read_image(path)
    except ReadError as error:
        show_warning(f"The image {path} of {project.path.name} cannot be read: {error}")
        return None
    difference = project.image.difference(image.array)
    if difference:
        show_warning(f"{path} is not the image that {project.path.name} was made on: {difference}. It is not opened.")
        return None
    return image.array, bool(image.rgb)


def stored_placement(layer: Layer) -> dict[str, JsonValue]:
    """Return where a layer lies, as a project keeps it."""
    return {
        **{key: np.asarray(getattr(layer, key)).tolist() for key in ("scale", "translate", "rotate", "shear")},
        "affine": layer.affine.affine_matrix.tolist(),
        "units": [str(unit) for unit in layer.units],
        "axis_labels": list(layer.axis_labels),
    }


def _placement(project: Project) -> dict[str, Any]:
    """Return the options that put a project's layers in their place."""
    layer = project.settings.get("layer")
    return {key: layer[key] for key in PLACEMENT if layer.get(key) is not None} if isinstance(layer, dict) else {}
