"""Menus that choose an image and a Labels layer that say what its objects are."""

from typing import Any

from napari.components import ViewerModel
from napari.layers import Image, Labels
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

from napari_superpixels.engine.links import Links
from napari_superpixels.plugin.boxes import is_made_here
from napari_superpixels.plugin.image_choice import fill_channel_menu
from napari_superpixels.plugin.layer_menu import LayerMenu, plain_menu


class PairChoice(QWidget):
    """An image, the axis of its channels, and a Labels layer; the menus follow the viewer's layers.

    Parameters
    ----------
    viewer : ViewerModel
        Whose layers are offered.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self.image_menu = LayerMenu("train_image", "An image to learn from; of a stack, the plane that is shown.")
        self.channel_menu = plain_menu("train_channel_axis", "Whether an axis of the image holds channels.")
        self.labels_menu = LayerMenu("train_labels", "A Labels layer in which every object has a number of its own.")
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setHorizontalSpacing(6)
        form.setVerticalSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        titles = ("Image", "Channels", "Labels")
        for title, menu in zip(titles, (self.image_menu, self.channel_menu, self.labels_menu), strict=True):
            name = QLabel(title)
            name.setBuddy(menu)
            name.setToolTip(menu.toolTip())
            form.addRow(name, menu)
        self.image_menu.activated.connect(lambda index: self._fill_channels())
        self._links, self._name_links = Links(), Links()
        for emitter in (viewer.layers.events.inserted, viewer.layers.events.removed, viewer.layers.events.reordered):
            self._links.connect(emitter, self._fill)
        for emitter in (viewer.dims.events.order, viewer.dims.events.ndisplay):
            self._links.connect(emitter, self._fill_channels)
        self._fill()

    @property
    def image(self) -> Image | None:
        """The image chosen."""
        return self.image_menu.layer

    @property
    def channel_axis(self) -> int | None:
        """Axis of the image that holds channels."""
        return self.channel_menu.currentData()

    @property
    def labels(self) -> Labels | None:
        """The Labels layer chosen."""
        return self.labels_menu.layer

    def disconnect_viewer(self) -> None:
        """Stop watching the viewer."""
        self._links.close()
        self._name_links.close()

    def _fill(self, event: Any = None) -> None:
        layers = [layer for layer in reversed(self._viewer.layers) if not is_made_here(layer)]
        self.image_menu.fill([layer for layer in layers if isinstance(layer, Image)])
        self.labels_menu.fill([layer for layer in layers if isinstance(layer, Labels)])
        self._fill_channels()
        self._name_links.close()
        for layer in layers:
            self._name_links.connect(layer.events.name, self._rename)

    def _rename(self, event: Any = None) -> None:
        self.image_menu.rename()
        self.labels_menu.rename()

    def _fill_channels(self, event: Any = None) -> None:
        fill_channel_menu(self.channel_menu, self.image, self._viewer.dims)
