"""Menus that choose the image, its channels and the seeds from a viewer's layers."""

from typing import Any

from napari.components import Dims, ViewerModel
from napari.layers import Image, Layer, Points
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QWidget

from napari_superpixels.plugin.boxes import is_made_here
from napari_superpixels.plugin.layer_menu import LayerMenu, plain_menu
from napari_superpixels.plugin.regions import possible_channel_axes
from napari_superpixels.plugin.seed_points import is_given_seeds


class ImageChoice(QWidget):
    """Image layer, channel axis and seeds; the menus follow the viewer's layers, the image follows the selection."""

    changed = Signal()
    """Another image, channel axis or source of seeds."""

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._watched: list[Layer] = []
        self.image_menu = LayerMenu(
            "image", "The image layer to segment. Selecting an image in the layer list chooses it."
        )
        self.channel_menu = plain_menu(
            "channel_axis", "Whether an axis of the image holds channels that belong together, such as stains."
        )
        self.seed_menu = LayerMenu(
            "seeds_layer", "Where growth starts: found automatically, or at the points of a Points layer.", "Automatic"
        )
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setHorizontalSpacing(6)
        form.setVerticalSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for title, menu in (("Image", self.image_menu), ("Channels", self.channel_menu), ("Seeds", self.seed_menu)):
            label = QLabel(title)
            label.setBuddy(menu)
            label.setToolTip(menu.toolTip())
            form.addRow(label, menu)
        self.image_menu.activated.connect(self._on_image)
        self.channel_menu.activated.connect(lambda _: self.changed.emit())
        self.seed_menu.activated.connect(lambda _: self.changed.emit())
        layers = viewer.layers.events
        layers.inserted.connect(self._on_layers)
        layers.removed.connect(self._on_layers)
        layers.reordered.connect(self._on_layers)
        viewer.layers.selection.events.active.connect(self._on_active)
        viewer.dims.events.order.connect(self._fill_channels)
        viewer.dims.events.ndisplay.connect(self._fill_channels)
        self._on_layers()
        self._on_active()
        self._fill_channels()

    def disconnect_viewer(self) -> None:
        """Stop watching the viewer."""
        layers = self._viewer.layers.events
        for emitter in (layers.inserted, layers.removed, layers.reordered):
            emitter.disconnect(self._on_layers)
        self._viewer.layers.selection.events.active.disconnect(self._on_active)
        self._viewer.dims.events.order.disconnect(self._fill_channels)
        self._viewer.dims.events.ndisplay.disconnect(self._fill_channels)
        for layer in self._watched:
            layer.events.name.disconnect(self._on_name)
        self._watched = []

    @property
    def image(self) -> Image | None:
        """The image chosen."""
        return self.image_menu.layer

    @property
    def channel_axis(self) -> int | None:
        """Axis of the image that holds channels."""
        return self.channel_menu.currentData()

    @property
    def seeds(self) -> Points | None:
        """The layer whose points are the seeds; None to find them."""
        return self.seed_menu.layer

    def choose_image(self, layer: Image) -> None:
        """Choose an image of the viewer."""
        if layer is not self.image and self.image_menu.choose(layer):
            self._on_image()

    def show_channels(self, axis: int | None) -> None:
        """Show which axis holds channels, without `changed`."""
        with QSignalBlocker(self.channel_menu):
            self.channel_menu.setCurrentIndex(max(0, self.channel_menu.findData(axis)))

    def _on_layers(self, event: Any = None) -> None:
        image, seeds, known = self.image, self.seeds, self._watched
        for layer in known:
            layer.events.name.disconnect(self._on_name)
        self._watched = list(self._viewer.layers)
        for layer in self._watched:
            layer.events.name.connect(self._on_name)
        images = [x for x in reversed(self._watched) if isinstance(x, Image) and not is_made_here(x)]
        self.image_menu.fill(images)
        points = [x for x in reversed(self._watched) if isinstance(x, Points)]
        self.seed_menu.fill(points)
        for layer in points:
            if layer not in known and is_given_seeds(layer, self.image):
                self.seed_menu.choose(layer)
        if self.image is not image:
            self._on_image()
        elif self.seeds is not seeds:
            self.changed.emit()

    def _on_name(self, event: Any = None) -> None:
        self.image_menu.rename()
        self.seed_menu.rename()

    def _on_active(self, event: Any = None) -> None:
        active = self._viewer.layers.selection.active
        if isinstance(active, Image) and not is_made_here(active):
            self.choose_image(active)

    def _on_image(self, index: int = 0) -> None:
        self._fill_channels()
        self.changed.emit()

    def _fill_channels(self, event: Any = None) -> None:
        fill_channel_menu(self.channel_menu, self.image, self._viewer.dims)


def fill_channel_menu(menu: QComboBox, image: Image | None, dims: Dims) -> None:
    """Offer the axes of an image that are not shown; keep the axis chosen, as far as it is the same image's."""
    kept = menu.currentData() if menu.property("layer") == id(image) else None
    with QSignalBlocker(menu):
        menu.clear()
        menu.addItem("RGB colours" if image is not None and image.rgb else "No channels (grey)", None)
        if image is not None:
            for axis in possible_channel_axes(image, dims):
                menu.addItem(f"{_axis_name(image, axis)} ({image.level_shapes[0][axis]})", axis)
        menu.setCurrentIndex(max(0, menu.findData(kept)) if kept is not None else 0)
    menu.setProperty("layer", id(image))
    menu.setEnabled(menu.count() > 1)


def _axis_name(image: Image, axis: int) -> str:
    label = image.axis_labels[axis]
    # Names that napari gives by itself, and gave before 0.7.
    return f"Axis {axis}" if label.startswith(("-", "axis -")) else f"Axis {label}"
