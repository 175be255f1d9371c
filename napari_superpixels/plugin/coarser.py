"""Coarser superpixels as lines over the image."""

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel

from napari_superpixels.core.metrics import boundary_pixels
from napari_superpixels.engine.links import Links
from napari_superpixels.engine.scheduler import Dispatch
from napari_superpixels.plugin.annotation_layers import AnnotationLayers
from napari_superpixels.plugin.hand import Hand
from napari_superpixels.plugin.plane_pictures import PlanePicture
from napari_superpixels.plugin.style import coarse_colormap


class CoarserLines:
    """Shows the borders of the level of coarser superpixels that is painted at, while there is one."""

    def __init__(self, viewer: ViewerModel, dispatch: Dispatch) -> None:
        self._picture = PlanePicture(viewer, "coarser superpixels", dispatch)
        self._layers: AnnotationLayers | None = None
        self._hand: Hand | None = None
        self._links = Links()

    def set_hand(self, layers: AnnotationLayers | None, hand: Hand | None) -> None:
        """Follow the level of another annotation, or of none."""
        self._links.close()
        self._picture.clear()
        self._layers, self._hand = layers, hand
        if hand is not None:
            for signal in (hand.level_changed, hand.hierarchy.changed, hand.annotation.plane_changed):
                self._links.connect(signal, self._show)

    def close(self) -> None:
        """Stop following, and remove the lines."""
        self.set_hand(None, None)
        self._picture.close()

    def _show(self, *_: Any) -> None:
        layers, hand = self._layers, self._hand
        if layers is None or hand is None or not hand.level or not hand.hierarchy.is_ready:
            self._picture.clear()
            return
        labels, table = layers.annotation.labels_plane.copy(), hand.hierarchy.lut(hand.level)

        def make() -> npt.NDArray[np.uint8]:
            coarse = table[np.minimum(labels, len(table) - 1)]
            return boundary_pixels(coarse).view(np.uint8)

        self._picture.show(layers.region, make, coarse_colormap())
