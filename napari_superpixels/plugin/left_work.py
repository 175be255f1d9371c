"""What closed widgets left in a viewer, so that widgets that are opened later go on with it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakKeyDictionary, ref

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_superpixels.engine.annotation_core import AnnotationState
from napari_superpixels.engine.history import Entry
from napari_superpixels.engine.links import Links
from napari_superpixels.plugin.found_layers import is_owned_by


@dataclass(frozen=True, slots=True, eq=False)
class LeftWork:
    """What was done to a layer of superpixels, which holds as long as nobody else changes the layer."""

    labels: npt.NDArray[np.int32]
    """The layer's array."""
    channel_axis: int | None
    """The image's axis of channels."""
    state: AnnotationState | None = None
    """The annotation, whose arrays are those of the layers; None if there was none."""
    is_machine_made: bool = True
    """Whether superpixels of which nothing else is known were made here."""
    saved: Entry | None = None
    """The last act that a project file holds."""
    journal: Path | None = None
    """The journal that keeps what no project file holds."""
    links: Links = field(default_factory=Links)
    """What watches the layers."""


def leave_work(superpixels: Labels, classes: Labels | None, work: LeftWork) -> None:
    """Keep in mind what was done to a layer of superpixels, until it or its classes are changed by others.

    Parameters
    ----------
    superpixels : Labels
        The layer; what is kept goes with it.
    classes : Labels, optional
        The layer of its classes, where there is an annotation.
    work : LeftWork
        What was done.
    """
    _left[superpixels] = work
    forget = _forgetter(superpixels)
    for layer in (superpixels, classes):
        if layer is not None:
            for emitter in (layer.events.data, layer.events.labels_update, layer.events.paint):
                work.links.connect(emitter, forget)


def find_work(viewer: ViewerModel, image: Image) -> tuple[Labels, LeftWork] | None:
    """Return the superpixels of an image that closed widgets left unchanged, and what was done to them."""
    shown = [layer for layer in reversed(viewer.layers) if isinstance(layer, Labels) and is_owned_by(layer, image)]
    found = [(layer, work) for layer in shown if (work := _left.get(layer)) is not None and layer.data is work.labels]
    for layer, work in found:
        if work.state is None or any(other.data is work.state.classes for other in shown):
            return layer, work
    return None


def forget_work(superpixels: Labels) -> None:
    """Drop what was kept of a layer, as somebody goes on with it now."""
    work = _left.pop(superpixels, None)
    if work is not None:
        work.links.close()


def _forgetter(superpixels: Labels) -> Callable[[object], None]:
    """Return what forgets the work on a layer, without keeping the layer."""
    kept = ref(superpixels)

    def forget(event: object) -> None:
        layer = kept()
        if layer is not None:
            forget_work(layer)

    return forget


_left: WeakKeyDictionary[Labels, LeftWork] = WeakKeyDictionary()
