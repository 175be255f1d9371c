"""Menus that choose the image whose superpixels are corrected, and where these come from."""

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Image, Labels
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget
from skimage.measure import label as connected_parts

from napari_superpixels.engine.links import Links
from napari_superpixels.plugin.boxes import is_made_here
from napari_superpixels.plugin.layer_menu import LayerMenu
from napari_superpixels.plugin.regions import Region

_FROM_SEGMENT = "From Segment"


class TargetChoice(QWidget):
    """The image, and Labels layers of its shape that can be its superpixels.

    Parameters
    ----------
    viewer : ViewerModel
        Whose layers are offered.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self.image_menu = LayerMenu("image", "The image whose superpixels are corrected and painted.")
        self.labels_menu = LayerMenu(
            "superpixels_layer",
            "Where the superpixels come from: Segment, or a copy of a Labels layer of the image's shape.",
            _FROM_SEGMENT,
        )
        self._name_links = Links()
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setHorizontalSpacing(6)
        form.setVerticalSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for title, menu in (("Image", self.image_menu), ("Superpixels", self.labels_menu)):
            name = QLabel(title)
            name.setBuddy(menu)
            name.setToolTip(menu.toolTip())
            form.addRow(name, menu)

    @property
    def image(self) -> Any:
        """The image chosen, or None."""
        return self.image_menu.layer

    def fill(self) -> None:
        """Offer the layers that are there now."""
        layers = [layer for layer in reversed(self._viewer.layers) if not is_made_here(layer)]
        self.image_menu.fill([layer for layer in layers if isinstance(layer, Image)])
        image = self.image
        shape = None if image is None or image.multiscale else tuple(image.level_shapes[0])
        self.labels_menu.fill(
            [x for x in layers if isinstance(x, Labels) and not x.multiscale and tuple(x.data.shape) == shape]
        )
        self._name_links.close()
        for layer in layers:
            self._name_links.connect(layer.events.name, self._rename)

    def disconnect_viewer(self) -> None:
        """Stop watching the viewer's layers."""
        self._name_links.close()

    def _rename(self, event: Any = None) -> None:
        self.image_menu.rename()
        self.labels_menu.rename()


def copied_superpixels(layer: Labels, region: Region) -> npt.NDArray[np.int32]:
    """Return a plane of a Labels layer as superpixels: each connected part of a label has a number of its own."""
    plane = np.asarray(layer.data[region.plane_index()])
    parts: npt.NDArray[np.int32] = connected_parts(plane, connectivity=1, background=0).astype(np.int32)
    return parts
