"""Opening this plugin's widgets."""

from typing import Any, Literal

from napari.components import ViewerModel
from napari.layers import Image

Name = Literal["Segment", "Correct", "Fine-tune"]


def open_widget(viewer: ViewerModel, name: Name, *, in_front: bool = True) -> Any:
    """Return a widget of a viewer's window, opened if it was not; in front of the others unless told otherwise."""
    # As napari's own menu names it, which then knows that it is open.
    title = f"{name} (Superpixels)"
    widget = viewer.window.dock_widgets.get(title)
    if widget is None:
        widget = _dock_class(name)(viewer)
        widget.opens_in_front = in_front
        viewer.window.add_dock_widget(widget, name=title)
    elif in_front:
        widget.bring_to_front()
    return widget


def segment_image(viewer: ViewerModel, image: Image) -> None:
    """Cut an image into superpixels with the Segment widget."""
    widget = open_widget(viewer, "Segment", in_front=False)
    widget.source.choose_image(image)
    widget.segment()


def _dock_class(name: Name) -> Any:
    # Imported here: widgets open each other, and most windows need one of them.
    if name == "Segment":
        from napari_superpixels.plugin.dock import SegmentDock

        return SegmentDock
    if name == "Correct":
        from napari_superpixels.plugin.correct_dock import CorrectDock

        return CorrectDock
    from napari_superpixels.plugin.fine_tune_dock import FineTuneDock

    return FineTuneDock
