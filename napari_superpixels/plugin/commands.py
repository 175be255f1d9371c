"""What the widgets do, as commands: each acts on the current viewer, opening the widget where needed."""

from napari import current_viewer

from napari_superpixels.params import ViewMode
from napari_superpixels.plugin.correct_dock import CorrectDock
from napari_superpixels.plugin.dock import SegmentDock
from napari_superpixels.plugin.fine_tune_dock import FineTuneDock
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
    """Hide the superpixels of the chosen image, or show them again."""
    if (dock := _dock()) is not None and dock.source.image is not None:
        dock.results.toggle(dock.source.image)


def view_boundaries() -> None:
    """Show superpixels as outlines."""
    _set_view_mode("boundaries")


def view_filled() -> None:
    """Show superpixels as filled areas."""
    _set_view_mode("filled")


def view_mean_color() -> None:
    """Show each superpixel in its mean colour."""
    _set_view_mode("mean-color")


def paint() -> None:
    """Paint superpixels: switch the tool on."""
    _choose("paint")


def erase() -> None:
    """Take the class of superpixels away: switch the tool on."""
    _choose("erase")


def fill() -> None:
    """Fill connected superpixels of one class: switch the tool on."""
    _choose("fill")


def rectangle() -> None:
    """Paint all superpixels in a rectangle: switch the tool on."""
    _choose("rectangle")


def lasso() -> None:
    """Paint all superpixels in a shape: switch the tool on."""
    _choose("lasso")


def merge() -> None:
    """Merge superpixels: switch the tool on."""
    _choose("merge")


def split() -> None:
    """Split a superpixel: switch the tool on."""
    _choose("split")


def cut() -> None:
    """Cut superpixels along a line: switch the tool on."""
    _choose("cut")


def move() -> None:
    """Move the border of a superpixel: switch the tool on."""
    _choose("move")


def add_seed() -> None:
    """Add a superpixel: switch the tool on."""
    _choose("add_seed")


def remove_seed() -> None:
    """Remove a superpixel: switch the tool on."""
    _choose("remove_seed")


def look_around() -> None:
    """Switch the tool off."""
    _choose("")


def undo() -> None:
    """Take the last act of the annotation back."""
    if (dock := _correct_dock()) is not None:
        dock.undo()


def redo() -> None:
    """Do the act of the annotation that was taken back again."""
    if (dock := _correct_dock()) is not None:
        dock.redo()


def next_doubtful() -> None:
    """Go to the next superpixel that is worth a look."""
    if (dock := _correct_dock()) is not None:
        dock.doubts.next()


def previous_doubtful() -> None:
    """Go back to the doubtful superpixel before."""
    if (dock := _correct_dock()) is not None:
        dock.doubts.previous()


def add_annotation() -> None:
    """Put the annotation at hand among the images to learn from."""
    if (dock := _fine_tune_dock()) is not None:
        dock.add_annotation()


def train() -> None:
    """Train a model on the images listed; say why where that cannot be."""
    if (dock := _fine_tune_dock()) is not None:
        dock.train()


def pause_training() -> None:
    """Halt the training, or let it go on."""
    if (dock := _fine_tune_dock()) is not None:
        dock.pause()


def stop_training() -> None:
    """End the training, and keep the best model so far."""
    if (dock := _fine_tune_dock()) is not None:
        dock.session.stop()


def _set_view_mode(mode: ViewMode) -> None:
    if (dock := _dock()) is not None:
        dock.session.update_view(view_mode=mode)


def _dock() -> SegmentDock | None:
    """Return the current viewer's Segment widget, opened if it was not; None without a viewer."""
    viewer = current_viewer()
    return None if viewer is None else open_widget(viewer, "Segment")


def _choose(name: str) -> None:
    if (dock := _correct_dock()) is not None:
        dock.choose_tool(name)


def _correct_dock() -> CorrectDock | None:
    """Return the current viewer's Correct widget, opened if it was not; None without a viewer."""
    viewer = current_viewer()
    return None if viewer is None else open_widget(viewer, "Correct")


def _fine_tune_dock() -> FineTuneDock | None:
    """Return the current viewer's Fine-tune widget, opened if it was not; None without a viewer."""
    viewer = current_viewer()
    return None if viewer is None else open_widget(viewer, "Fine-tune")
