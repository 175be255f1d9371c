"""Opening this plugin's widgets."""

from typing import Any, Literal

from napari.components import ViewerModel
from napari.layers import Image


def open_widget(viewer: ViewerModel, name: Literal["Segment", "Correct", "Fine-tune"]) -> Any:
    """Return a widget of a viewer's window, opened if it was not."""
    _, widget = viewer.window.add_plugin_dock_widget("napari-superpixels", name)
    return widget


def segment_image(viewer: ViewerModel, image: Image) -> None:
    """Cut an image into superpixels with the Segment widget."""
    widget = open_widget(viewer, "Segment")
    widget.source.choose_image(image)
    widget.segment()
