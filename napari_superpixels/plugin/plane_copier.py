"""The classes of one plane of a stack, handed to the superpixels of the next."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_superpixels.engine.plane_copy import classes_for_plane
from napari_superpixels.plugin.annotation_layers import AnnotationLayers

if TYPE_CHECKING:
    from napari_superpixels.plugin.correct_dock import CorrectDock

_NAME = "Copy from the plane before"


class PlaneCopier:
    """Goes to the next plane, and gives its superpixels the classes of this one.

    Parameters
    ----------
    dock : CorrectDock
        Whose annotation.
    """

    def __init__(self, dock: "CorrectDock") -> None:
        self._dock = dock
        self._waiting: tuple[AnnotationLayers, Any, npt.NDArray[np.uint8]] | None = None

    def copy(self) -> None:
        """Copy along the first axis of the stack; a plane without superpixels is segmented first."""
        layers = self._dock.layers
        if layers is None:
            return
        annotation, region = layers.annotation, layers.region
        axis = next((i for i, place in enumerate(region.position) if place is not None), None)
        if axis is None:
            return
        place = int(region.position[axis] or 0) + 1
        if place >= region.full_shape[axis]:
            self._dock.say("This is the last plane.")
            return
        classes = annotation.classes_plane.copy()
        here = list(region.plane_index())
        annotation.set_plane((*here[:axis], place, *here[axis + 1 :]))
        has_superpixels = bool(annotation.labels_plane.any())
        if has_superpixels:
            _give(layers, classes)
        world = layers.classes.data_to_world([place if i == axis else (p or 0) for i, p in enumerate(region.position)])
        dims = self._dock.viewer.dims
        dims.set_point(axis + dims.ndim - len(world), float(world[axis]))
        if not has_superpixels:
            self._segment_first(layers, classes)

    def forget(self, *_: Any) -> None:
        """Wait no longer for superpixels, which do not come: the computation was cancelled, or failed."""
        self._waiting = None

    def finish(self) -> None:
        """Give the classes to the superpixels that were waited for, if these are there."""
        if self._waiting is None:
            return
        layers, plane, classes = self._waiting
        if self._dock.layers is not layers or layers.annotation.plane != plane:
            self._waiting = None
        elif layers.annotation.labels_plane.any():
            self._waiting = None
            _give(layers, classes)
            self._dock.say("This plane has got superpixels, and the classes of the plane before.")

    def _segment_first(self, layers: AnnotationLayers, classes: npt.NDArray[np.uint8]) -> None:
        self._waiting = (layers, layers.annotation.plane, classes)
        self._dock.say("This plane is being segmented; then it gets the classes of the plane before.")
        session = self._dock.session
        session.set_input(layers.region.as_input(corrections=layers.annotation.corrections))
        session.segment()


def _give(layers: AnnotationLayers, classes: npt.NDArray[np.uint8]) -> None:
    annotation = layers.annotation
    given = classes_for_plane(classes, annotation.labels_plane, annotation.classes_plane)
    annotation.replace_classes(given, _NAME)
