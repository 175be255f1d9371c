"""The Correct widget: what it works on, and with what it keeps in step."""

import numpy as np
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_superpixels.plugin.correct_dock import NO_IMAGE, SEGMENT_FIRST, CorrectDock
from napari_superpixels.plugin.dock import SegmentDock
from napari_superpixels.plugin.regions import shown_region

from .correct_mouse import A, B, C, D, paint, state


def test_it_says_what_is_missing(viewer, dock, color_blocks, solve) -> None:
    correct = CorrectDock(viewer)
    viewer.window.add_dock_widget(correct, name="Correct")
    assert correct.reason == NO_IMAGE
    assert not correct.panel.segment.isVisibleTo(correct)
    viewer.add_image(color_blocks, rgb=True, name="blocks")
    assert correct.reason == SEGMENT_FIRST
    assert correct.panel.segment.isVisibleTo(correct)
    assert not correct.panel.tools.isEnabled()
    correct.choose_tool("paint")
    assert correct.tools.active == ""
    solve()
    assert correct.reason == ""
    assert correct.panel.tools.isEnabled()
    viewer.dims.ndisplay = 3
    viewer.add_image([color_blocks, color_blocks[::2, ::2]], rgb=True, multiscale=True, name="pyramid")
    assert "several resolution levels" in correct.reason
    correct.close_session()


def test_resegmentation_keeps_classes_and_layer_and_is_undone(viewer, correct, dock, wait_result) -> None:
    paint(correct, A, C)
    paint(correct, A, B, tool="merge")
    superpixels, classes = correct.layers.layers
    states = [state(correct)]
    wait_result(lambda: dock.session.update(n_segments=30))
    assert viewer.layers["blocks superpixels"] is superpixels
    assert "blocks superpixels [1]" not in viewer.layers
    assert np.array_equal(correct.layers.annotation.labels, superpixels.data)
    assert superpixels.data[A] == superpixels.data[B]
    assert correct.layers.annotation.classes.tobytes() == states[0][1]
    states.append(state(correct))
    assert states[0][0] != states[1][0]
    correct.undo()
    assert state(correct) == states[0]
    assert dock.session.params.n_segments == 12
    assert dock.panel.form.rows["n_segments"].value() == 12
    correct.redo()
    assert state(correct) == states[1]
    assert dock.session.params.n_segments == 30
    while correct.layers.annotation.history.can_undo:
        correct.undo()
    assert not classes.data.any()
    while correct.layers.annotation.history.can_redo:
        correct.redo()
    assert state(correct) == states[1]


def test_undo_leaves_the_parameters_of_another_image_alone(viewer, correct, dock, wait_result, color_blocks) -> None:
    annotation = correct.layers.annotation
    paint(correct, A)
    wait_result(lambda: dock.session.update(n_segments=30))
    viewer.add_image(color_blocks, rgb=True, name="other")
    dock.source.choose_image(viewer.layers["other"])
    assert dock.session.inputs.name == "other"
    annotation.undo()
    assert len(annotation.index) == 12
    assert dock.session.params.n_segments == 30


def test_corrections_made_while_solving_are_not_lost(correct, dock, qtbot) -> None:
    dock.session.update(n_segments=40)
    paint(correct, A, B, tool="merge")
    qtbot.waitUntil(lambda: not dock.session.is_busy, timeout=20_000)
    qtbot.waitUntil(lambda: len(correct.layers.annotation.index) > 20, timeout=20_000)
    labels = correct.layers.annotation.labels
    assert labels[A] == labels[B]
    assert len(correct.layers.annotation.corrections) == 1


def test_layers_renamed_and_hidden(viewer, correct, dock, wait_result) -> None:
    correct.layers.classes.name, correct.layers.superpixels.name = "mine", "cells"
    correct.layers.classes.visible = False
    paint(correct, A, C)
    assert correct.layers.classes.visible
    correct.layers.superpixels.visible = False
    paint(correct, A, B, tool="merge")
    wait_result(lambda: dock.session.update(n_segments=30))
    labels = correct.layers.annotation.labels
    assert labels[A] == labels[B]
    correct.layers.superpixels.visible = True
    correct.layers.classes.visible = False
    correct.undo()
    correct.undo()
    correct.undo()
    correct.layers.classes.visible = True
    assert not correct.layers.classes.data.any()


def test_menus_follow_the_names_of_layers(viewer, correct, color_blocks) -> None:
    labels = viewer.add_labels(np.ones((60, 80), np.uint8), name="cells")
    correct.layers.image.name, labels.name = "photo", "nuclei"
    assert correct.source.image_menu.currentText() == "photo"
    assert correct.source.labels_menu.itemText(1) == "nuclei"


def test_thumbnail_follows_a_stroke(viewer, correct, qtbot) -> None:
    classes = correct.layers.classes
    before = classes.thumbnail.copy()
    paint(correct, A, D)
    qtbot.waitUntil(lambda: not np.array_equal(classes.thumbnail, before), timeout=5000)


def test_what_was_said_of_another_image_goes(viewer, correct, color_blocks) -> None:
    correct.say("This was about the first image.")
    viewer.layers.selection.active = viewer.layers["blocks superpixels"]
    assert "first image" in correct.panel.status.text()
    viewer.add_image(color_blocks[::-1], rgb=True, name="second")
    assert correct.panel.status.text() == ""


def test_failure_of_what_is_made_of_the_superpixels_is_told(correct) -> None:
    correct.follower.failed.emit(MemoryError())
    assert "not enough memory" in correct.panel.status.text()


def test_labels_of_the_user_become_superpixels(viewer, correct, color_blocks, dock, wait_result) -> None:
    cells = np.kron(np.arange(12).reshape(3, 4) % 2 + 1, np.ones((20, 20))).astype(np.uint16)
    own = viewer.add_labels(cells, name="cells")
    paint(correct, A)
    menu = correct.source.labels_menu
    menu.setCurrentIndex(1)
    menu.activated.emit(1)
    assert correct.reason == ""
    assert len(correct.layers.annotation.index) == len(np.unique(correct.layers.superpixels.data))
    assert correct.layers.annotation.classes[A] == 1
    paint(correct, A, B, tool="merge")
    assert correct.layers.annotation.labels[A] == correct.layers.annotation.labels[B]
    assert np.array_equal(own.data, cells)
    wait_result(lambda: dock.segment())
    assert correct.layers.annotation.labels[A] == correct.layers.annotation.labels[B]


def test_labels_of_the_user_are_examined_without_segment(viewer, color_blocks, qtbot) -> None:
    cells = np.kron(np.arange(12).reshape(3, 4) + 1, np.ones((20, 20))).astype(np.uint16)
    image = viewer.add_image(color_blocks, rgb=True, name="blocks")
    viewer.add_labels(cells, name="cells")
    correct = CorrectDock(viewer)
    viewer.window.add_dock_widget(correct, name="Correct")
    correct.session.update(model=None, n_segments=30)
    menu = correct.source.labels_menu
    menu.setCurrentIndex(1)
    menu.activated.emit(1)
    qtbot.waitUntil(lambda: correct.hierarchy.is_ready, timeout=20_000)
    annotation = correct.layers.annotation
    assert annotation.slowness is not None
    # Nothing but the user replaces them, also where every change is followed at once.
    assert correct.session.view.live
    correct.session.set_input(shown_region(image, viewer.dims).as_input())
    assert not correct.session.is_busy
    assert len(annotation.index) == 12
    correct.close_session()


def test_segment_works_on_the_image_that_correct_shows(viewer, correct, dock, solve, color_blocks, qtbot) -> None:
    viewer.add_image(color_blocks[::-1].copy(), rgb=True, name="other")
    solve()
    qtbot.waitUntil(lambda: correct.source.image.name == "other" == dock.source.image.name, timeout=5000)
    menu = correct.source.image_menu
    menu.setCurrentIndex(menu.findText("blocks"))
    menu.activated.emit(menu.currentIndex())
    assert correct.layers.image.name == "blocks" == dock.source.image.name
    assert correct.session.inputs.origin.layer is correct.layers.image
    assert correct.reason == ""


class Canvas:
    """The canvas of a real window, at rows and columns of a layer."""

    def __init__(self, viewer, layer) -> None:
        self.view = viewer.window._qt_viewer.canvas
        self.native = self.view.native
        self.layer = layer

    def at(self, row: float, column: float) -> QPoint:
        transform = self.view.view.scene.transform
        x, y = transform.map(list(reversed(self.layer.data_to_world((row, column)))))[:2]
        return QPoint(round(float(x)), round(float(y)))


def test_mouse_and_keys_of_a_real_window(make_napari_viewer, color_blocks, qtbot) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(900, 700)
    dock, correct = SegmentDock(viewer), CorrectDock(viewer)
    for widget, name in ((dock, "Segment"), (correct, "Correct")):
        viewer.window.add_dock_widget(widget, name=name, tabify=True)
    dock.session.update(model=None, n_segments=12)
    viewer.add_image(color_blocks, rgb=True, name="blocks")
    dock.segment()
    qtbot.waitUntil(lambda: correct.layers is not None, timeout=20_000)
    viewer.reset_view()
    correct.choose_tool("paint")
    qtbot.wait(300)
    annotation, canvas = correct.layers.annotation, Canvas(viewer, correct.layers.classes)
    left, plain, shift = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
    ctrl = Qt.KeyboardModifier.ControlModifier

    def drag(*places, modifier=plain) -> None:
        QTest.mousePress(canvas.native, left, modifier, canvas.at(*places[0]))
        for place in places[1:]:
            QTest.mouseMove(canvas.native, canvas.at(*place))
            qtbot.wait(40)
        QTest.mouseRelease(canvas.native, left, modifier, canvas.at(*places[-1]))
        qtbot.wait(40)

    def area(*places) -> np.ndarray:
        return np.isin(annotation.labels, [annotation.labels[place] for place in places])

    drag(A, D)
    assert np.array_equal(annotation.classes > 0, area(A, B, C, D))
    drag(B, modifier=shift)
    assert np.array_equal(annotation.classes > 0, area(A, C, D))
    QTest.keyClick(canvas.native, Qt.Key.Key_Z, ctrl)
    assert np.array_equal(annotation.classes > 0, area(A, B, C, D))
    QTest.keyClick(canvas.native, Qt.Key.Key_Z, ctrl | shift)
    assert np.array_equal(annotation.classes > 0, area(A, C, D))
    annotation.add_class("second")
    annotation.current_class = 1
    QTest.keyClick(canvas.native, Qt.Key.Key_2)
    assert annotation.current_class == 2
    assert correct.layers.classes.mode == "pick"
    QTest.keyClick(canvas.native, Qt.Key.Key_J)
    assert correct.tools.active == "merge"
    drag((30, 10), (30, 30))
    assert annotation.labels[30, 10] == annotation.labels[30, 30]
    QTest.keyClick(canvas.native, Qt.Key.Key_Escape)
    assert correct.tools.active == ""
    QTest.keyClick(canvas.native, Qt.Key.Key_D)
    assert correct.tools.active == "erase"
    correct.close_session()
    dock.close_session()
