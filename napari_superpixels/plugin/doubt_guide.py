"""From one doubtful superpixel to the next: the camera goes there."""

import numpy as np
from napari.components import ViewerModel
from psygnal import Signal

from napari_superpixels.engine.doubt import Doubt, Doubtful
from napari_superpixels.engine.region_follower import RegionFollower
from napari_superpixels.plugin.annotation_layers import AnnotationLayers
from napari_superpixels.plugin.hand import Hand

#: How many times its own size the surroundings are that the camera shows of a superpixel, at most.
_SURROUNDINGS = 12


class DoubtGuide:
    """Keeps the place in the ranking of doubtful superpixels.

    Parameters
    ----------
    viewer : ViewerModel
        Whose camera moves.
    follower : RegionFollower
        Knows the superpixels.
    """

    arrived = Signal(object, bool)
    """(Doubtful or None, whether it is marked as checked) after each step."""

    def __init__(self, viewer: ViewerModel, follower: RegionFollower) -> None:
        self.doubt = Doubt(follower)
        self._viewer = viewer
        self._layers: AnnotationLayers | None = None
        self._hand: Hand | None = None
        self._present: Doubtful | None = None

    def set_hand(self, layers: AnnotationLayers | None, hand: Hand | None) -> None:
        """Rank the superpixels of another annotation, or of none."""
        self._layers, self._hand, self._present = layers, hand, None
        self.note_classes()

    def note_classes(self) -> None:
        """Take the present classes into account."""
        if self._layers is None:
            return
        index = self._layers.annotation.index
        classes = index.majority.copy()
        mixed = np.zeros(len(classes), np.float32)
        mixed[index.mixed()] = 0.5
        self.doubt.set_classes(classes, mixed)

    def next(self) -> None:
        """Go to the next doubtful superpixel that is not marked as checked."""
        self._step(is_back=False)

    def previous(self) -> None:
        """Go back to the one before."""
        self._step(is_back=True)

    def check(self, is_checked: bool | None = None) -> None:
        """Mark the superpixel at hand as checked, or no longer; the other way round if None."""
        if self._layers is None or self._present is None:
            return
        annotation, label = self._layers.annotation, self._present.label
        if label not in annotation.index:
            return
        was_checked = label in annotation.checked_labels()
        annotation.mark_checked(label, not was_checked if is_checked is None else is_checked)
        self.arrived.emit(self._present, label in annotation.checked_labels())

    def _step(self, *, is_back: bool) -> None:
        layers = self._layers
        if layers is None or self._hand is None:
            return
        self.note_classes()
        here = None if self._present is None else self._present.label
        checked = layers.annotation.checked_labels()
        step = self.doubt.previous_doubtful if is_back else self.doubt.next_doubtful
        self._present = found = step(here, checked)
        if found is not None:
            self._look_at(layers, found)
            # Without a tool nobody has put the layer there that is drawn on.
            self._hand.guides.prepare()
            self._hand.draw_outline([found.label])
        self.arrived.emit(found, found is not None and found.label in checked)

    def _look_at(self, layers: AnnotationLayers, found: Doubtful) -> None:
        camera = getattr(self._viewer, "scene", self._viewer).camera  # napari 0.9 moved it
        world = layers.to_world(*found.position)
        shown = list(self._viewer.dims.displayed)[-2:]
        # A layer with fewer axes than the viewer lies on the last ones.
        offset = self._viewer.dims.ndim - layers.classes.ndim
        camera.center = (0.0, *(float(world[axis - offset]) for axis in shown))
        rows, columns = layers.annotation.index.box_of(found.label)
        side = max(rows.stop - rows.start, columns.stop - columns.start) * float(np.abs(layers.classes.scale[-1]))
        camera.zoom = max(camera.zoom, 600.0 / (_SURROUNDINGS * side))
