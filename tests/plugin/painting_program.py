"""A program that segments an image, paints strokes in a window, says so, and stops in the middle of the last one."""

import sys

import napari
import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_superpixels.plugin.correct_dock import CorrectDock
from napari_superpixels.plugin.dock import SegmentDock

#: One stroke after the other; rows and columns of blocks of `block_image`.
STROKES = (((10, 10), (10, 30)), ((30, 10),), ((50, 50), (50, 70)))
UNDER_WAY = ((30, 50), (30, 70))


def block_image() -> np.ndarray:
    """Return 3 rows of 4 blocks of 20 x 20 pixels, each of a colour of its own."""
    colors = np.random.default_rng(4).integers(0, 255, (3, 4, 3)).astype(np.uint8)
    return np.kron(colors, np.ones((20, 20, 1), np.uint8))


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _main() -> None:
    from correct_mouse import FakeMouse  # beside this program

    viewer = napari.Viewer(show=False)
    viewer.add_image(block_image(), rgb=True, name="blocks")
    segment, correct = SegmentDock(viewer), CorrectDock(viewer)
    viewer.window.add_dock_widget(segment, name="Segment")
    viewer.window.add_dock_widget(correct, name="Correct")
    segment.session.update(model=None, n_segments=12)
    segment.segment()
    while correct.layers is None or correct.reason or segment.session.is_busy:
        QApplication.processEvents()
    correct.choose_tool("paint")
    mouse = FakeMouse(correct.layers.classes)
    for stroke in STROKES:
        mouse.drag(*stroke)
        correct.layers.journal.flush(30)
        _tell("stroke")
    mouse.press(UNDER_WAY[0])
    mouse.move(UNDER_WAY[1])
    QTimer.singleShot(0, lambda: _tell("under way"))
    napari.run(force=True)


if __name__ == "__main__":
    _main()
