"""An annotator at work in a real window: every state comes back to the byte, corrections outlive the superpixels."""

import hashlib

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from skimage.data import astronaut

from napari_superpixels.engine.corrections import Cut, Merge, Split, holds
from napari_superpixels.plugin.correct_dock import CorrectDock
from napari_superpixels.plugin.dock import SegmentDock

LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
SHIFT, CTRL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


class Annotator:
    """Mouse and keys on the canvas of a viewer, and what every moment of the work looked like."""

    def __init__(self, viewer, correct, qtbot) -> None:
        self.correct, self.qtbot = correct, qtbot
        self.annotation = correct.layers.annotation
        self.view = viewer.window._qt_viewer.canvas
        self.states = {self.annotation.history.position: self.state()}

    def state(self) -> tuple[str, str, tuple, int]:
        """Return what must come back: labels and classes to the byte, corrections, number of superpixels asked for."""
        labels, classes = (
            hashlib.sha256(array.tobytes()).hexdigest() for array in (self.annotation.labels, self.annotation.classes)
        )
        return labels, classes, self.annotation.corrections, self.correct.session.params.n_segments

    def note(self) -> None:
        self.states[self.annotation.history.position] = self.state()

    def stroke(self, *places, modifier=PLAIN) -> None:
        """Press, drag and release at rows and columns of the image."""
        QTest.mousePress(self.view.native, LEFT, modifier, self.at(*places[0]))
        for place in places[1:]:
            QTest.mouseMove(self.view.native, self.at(*place))
            self.qtbot.wait(30)
        QTest.mouseRelease(self.view.native, LEFT, modifier, self.at(*places[-1]))
        self.qtbot.wait(30)

    def use(self, tool: str, *strokes, modifier=PLAIN) -> None:
        """Choose a tool and make strokes with it, which must be one act."""
        n_before = self.annotation.history.position
        self.correct.choose_tool(tool)
        for places in strokes:
            self.stroke(*places, modifier=modifier)
        assert self.annotation.history.position == n_before + 1, tool
        self.note()

    def ends(self, row: int, column: int) -> list[list[tuple[int, int]]]:
        """Return a click near each end of a row of a superpixel."""
        labels = self.annotation.labels_plane
        columns = np.flatnonzero(labels[row] == labels[row, column])
        return [[(row, int(columns[len(columns) // 4]))], [(row, int(columns[-len(columns) // 4]))]]

    def press_key(self, key, modifier=PLAIN) -> None:
        QTest.keyClick(self.view.native, key, modifier)
        self.qtbot.wait(10)

    def at(self, row: float, column: float) -> QPoint:
        transform = self.view.view.scene.transform
        x, y = transform.map(list(reversed(self.correct.layers.classes.data_to_world((row, column)))))[:2]
        return QPoint(round(float(x)), round(float(y)))


@pytest.mark.parametrize(("repeats", "n_segments"), [(1, 400), (4, 2000)])
def test_a_day_of_an_annotator(make_napari_viewer, qtbot, repeats, n_segments) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1200, 900)
    dock, correct = SegmentDock(viewer), CorrectDock(viewer)
    for widget, name in ((dock, "Segment"), (correct, "Correct")):
        viewer.window.add_dock_widget(widget, name=name, tabify=True)
    dock.session.update(model=None, n_segments=n_segments)
    viewer.add_image(np.tile(astronaut(), (repeats, repeats, 1)), rgb=True, name="astronaut")
    dock.segment()
    qtbot.waitUntil(lambda: correct.layers is not None and not dock.session.is_busy, timeout=60_000)
    viewer.reset_view()
    qtbot.wait(300)
    hand = Annotator(viewer, correct, qtbot)
    annotation, side = hand.annotation, 512 * repeats
    middle, cell = side / 2, (side**2 / n_segments) ** 0.5

    def repair(row: float) -> None:
        hand.use("paint", [(row, 0.2 * side), (row, 0.8 * side)])
        hand.use("paint", [(row, middle)], modifier=SHIFT)
        hand.use("merge", [(row + 2 * cell, middle), (row + 2 * cell, middle + 3 * cell)])
        hand.use("split", *hand.ends(round(row + 4 * cell), round(middle - 2 * cell)))
        corner = (row + 5 * cell, middle + 4 * cell)
        hand.use("cut", [(row + 5 * cell, middle), corner, (row + 7 * cell, middle + 4 * cell)])

    repair(0.15 * side)
    made = annotation.corrections
    assert {type(correction) for correction in made} == {Merge, Split, Cut}
    dock.session.update(n_segments=n_segments * 3 // 2)
    qtbot.waitUntil(lambda: not dock.session.is_busy and len(annotation.index) > 1.3 * n_segments, timeout=60_000)
    hand.note()
    assert annotation.corrections == made
    assert all(holds(correction, annotation.labels_plane) for correction in made)
    repair(0.55 * side)
    assert all(holds(correction, annotation.labels_plane) for correction in annotation.corrections)
    n_acts = annotation.history.position
    assert n_acts == len(hand.states) - 1 == 11
    for position in reversed(range(n_acts)):
        hand.press_key(Qt.Key.Key_Z, CTRL)
        assert (annotation.history.position, hand.state()) == (position, hand.states[position])
    for position in range(1, n_acts + 1):
        hand.press_key(Qt.Key.Key_Z, CTRL | SHIFT)
        assert (annotation.history.position, hand.state()) == (position, hand.states[position])
    assert not dock.session.is_busy
    correct.close_session()
    dock.close_session()
