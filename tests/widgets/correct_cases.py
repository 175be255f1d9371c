"""An annotation of 16 square superpixels, and tools, to look at in panels."""

from dataclasses import dataclass

import numpy as np

from napari_superpixels.engine.annotation import Annotation

FORMATS = {"tiff": "Label image (TIFF)", "coco": "COCO, polygons"}


@dataclass(frozen=True)
class Tool:
    name: str
    title: str
    key: str
    help: str


TOOLS = tuple(
    Tool(name, name.replace("_", " ").capitalize(), key, f"What {name} does.")
    for name, key in zip(
        "paint erase fill rectangle lasso merge split cut move add_seed remove_seed".split(), "ADGROJSCYWQ", strict=True
    )
)


def make_annotation(n_planes: int = 0, shape: tuple[int, ...] = ()) -> Annotation:
    """Return an annotation of 16 square superpixels, in each plane if there are several, or of none of a shape."""
    rows, columns = np.indices((40, 40)) // 10
    labels = (4 * rows + columns + 1).astype(np.int32)
    if shape:
        labels = np.zeros(shape, np.int32)
    if n_planes:
        labels = np.repeat(labels[None], n_planes, axis=0)
    annotation = Annotation(labels, np.zeros(labels.shape, np.uint8))
    if n_planes:
        annotation.set_plane((0, slice(None), slice(None)))
    return annotation
