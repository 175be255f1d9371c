"""A program that ends with its viewer open: one widget closed, one with a tool on, one to fine-tune with."""

import napari
from painting_program import block_image  # beside this program
from qtpy.QtWidgets import QApplication

from napari_superpixels.plugin.correct_dock import CorrectDock
from napari_superpixels.plugin.dock import SegmentDock
from napari_superpixels.plugin.fine_tune_dock import FineTuneDock


def _main() -> None:
    viewer = napari.Viewer(show=False)
    viewer.add_image(block_image(), rgb=True, name="blocks")
    closed = SegmentDock(viewer)
    viewer.window.add_dock_widget(closed, name="closed")
    viewer.window.remove_dock_widget(closed)
    segment, correct = SegmentDock(viewer), CorrectDock(viewer)
    for widget, name in ((segment, "Segment"), (correct, "Correct"), (FineTuneDock(viewer), "Fine-tune")):
        viewer.window.add_dock_widget(widget, name=name)
    segment.session.update(model=None, n_segments=12)
    segment.segment()
    while correct.layers is None or correct.reason or segment.session.is_busy:
        QApplication.processEvents()
    correct.choose_tool("paint")
    segment.session.update(n_segments=11)


if __name__ == "__main__":
    _main()
