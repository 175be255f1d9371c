"""What the Segment widget does, as commands: each acts on the current viewer, opening the widget where needed."""

from napari import current_viewer

from napari_superpixels.params import ViewMode
from napari_superpixels.plugin.dock import SegmentDock
from napari_superpixels.plugin.opening import open_widget


def segment() -> None:
    """Cut what the viewer shows into superpixels."""
    if (dock := _dock()) is not None:
        dock.segment()


def cancel() -> None:
    """Stop the computation."""
    if (dock := _dock()) is not None:
        dock.session.cancel()


def reset() -> None:
    """Go back to the default parameters."""
    if (dock := _dock()) is not None:
        dock.session.reset()


def toggle_live() -> None:
    """Recompute while a control moves, or only on Segment."""
    if (dock := _dock()) is not None:
        dock.session.update_view(live=not dock.session.view.live)


def toggle_superpixels() -> None:
    """Hide the superpixels, or show them again."""
    if (dock := _dock()) is not None:
        dock.results.toggle()


def view_boundaries() -> None:
    """Show superpixels as outlines."""
    _set_view_mode("boundaries")


def view_filled() -> None:
    """Show superpixels as filled areas."""
    _set_view_mode("filled")


def view_mean_color() -> None:
    """Show each superpixel in its mean colour."""
    _set_view_mode("mean-color")


def _set_view_mode(mode: ViewMode) -> None:
    if (dock := _dock()) is not None:
        dock.session.update_view(view_mode=mode)


def _dock() -> SegmentDock | None:
    """Return the current viewer's Segment widget, opened if it was not; None without a viewer."""
    viewer = current_viewer()
    return None if viewer is None else open_widget(viewer, "Segment")
