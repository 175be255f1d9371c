"""The Correct widget's life: what it works on, what it survives, what it leaves."""

import gc
import weakref

import numpy as np
import pytest
from qtpy.QtCore import QCoreApplication, QEvent, QPoint, Qt
from qtpy.QtTest import QTest

from napari_superpixels.plugin.correct_dock import NO_IMAGE, SEGMENT_FIRST, CorrectDock
from napari_superpixels.plugin.dock import SegmentDock
from napari_superpixels.plugin.regions import shown_region

from .conftest import own_threads
from .correct_mouse import FakeMouse

A, B, C, D = (10, 10), (10, 30), (10, 50), (10, 70)


@pytest.fixture
def correct(corrected):
    return corrected


def paint(correct, *places, tool="paint") -> None:
    correct.tools.choose(tool)
    FakeMouse(correct.layers.classes).drag(*places)


def state(correct) -> tuple[bytes, bytes]:
    annotation = correct.layers.annotation
    return annotation.labels.tobytes(), annotation.classes.tobytes()


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


# napari looks at the layers before it tells plugins of three dimensions.
@pytest.mark.filterwarnings("ignore:Contours are not displayed")
def test_three_dimensions_are_refused_and_forgiven(viewer, correct, dock, solve, noisy_disks) -> None:
    viewer.add_image(np.stack([noisy_disks] * 3), name="stack")
    solve()
    assert correct.reason == ""
    correct.choose_tool("paint")
    viewer.dims.ndisplay = 3
    assert "two dimensions" in correct.reason
    assert correct.tools.active == ""
    viewer.dims.ndisplay = 2
    assert correct.reason == ""


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


def test_thumbnail_follows_a_stroke(viewer, correct, qtbot) -> None:
    classes = correct.layers.classes
    before = classes.thumbnail.copy()
    paint(correct, A, D)
    qtbot.waitUntil(lambda: not np.array_equal(classes.thumbnail, before), timeout=5000)


def test_removed_layers_come_back_with_their_work(viewer, correct, dock, wait_result) -> None:
    paint(correct, A, C)
    kept = state(correct)
    superpixels, classes = correct.layers.layers
    viewer.layers.remove(classes)
    assert correct.tools.active == ""
    correct.choose_tool("paint")
    assert classes in viewer.layers
    viewer.layers.remove(superpixels)
    assert superpixels not in viewer.layers
    correct.choose_tool("")
    correct.choose_tool("merge")
    assert superpixels in viewer.layers
    assert state(correct) == kept
    viewer.layers.remove(superpixels)
    wait_result(lambda: dock.session.update(n_segments=30))
    assert superpixels in viewer.layers
    assert correct.layers.annotation.labels is superpixels.data
    viewer.layers.remove(correct.guides._layer)
    paint(correct, A, D)
    viewer.layers.remove("blocks")
    assert correct.reason == NO_IMAGE
    assert correct.layers is None
    viewer.layers.clear()


def test_layer_removed_in_the_middle_of_a_stroke(viewer, correct) -> None:
    correct.tools.choose("paint")
    mouse = FakeMouse(correct.layers.classes)
    mouse.press(A)
    viewer.layers.remove("blocks")
    mouse.move(C)
    mouse.release(C)
    assert correct.layers is None


def test_work_survives_a_closed_widget(viewer, correct, dock, wait_result, qtbot) -> None:
    paint(correct, A, C)
    paint(correct, A, B, tool="merge")
    before, annotation = state(correct), correct.layers.annotation
    viewer.window.remove_dock_widget(correct)
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    wait_result(lambda: dock.session.update(n_segments=30))
    again = CorrectDock(viewer)
    viewer.window.add_dock_widget(again, name="Correct")
    assert again.layers.annotation is annotation
    again.undo()
    assert state(again) == before
    again.close_session()


def test_classes_are_found_again_when_all_was_closed(viewer, correct, dock, qtbot) -> None:
    paint(correct, A, C)
    classes = correct.layers.classes
    correct.close_session()
    dock.close_session()
    again_dock, again = SegmentDock(viewer), CorrectDock(viewer)
    for widget in (again_dock, again):
        qtbot.addWidget(widget)
    again_dock.session.update(model=None, n_segments=12)
    again_dock.segment()
    qtbot.waitUntil(lambda: again.layers is not None, timeout=20_000)
    assert again.layers.classes is classes
    assert again.layers.annotation.progress == pytest.approx(0.25)
    assert not classes._undo_history
    again.close_session()
    again_dock.close_session()


def test_planes_of_a_stack_have_work_of_their_own(viewer, correct, dock, solve, wait_result, color_blocks) -> None:
    viewer.add_image(np.stack([color_blocks[..., 0]] * 3), name="stack", scale=(5, 2, 2))
    viewer.dims.set_current_step(0, 0)
    solve()
    paint(correct, A, C)
    paint(correct, A, B, tool="merge")
    wait_result(lambda: viewer.dims.set_current_step(0, 2))
    annotation = correct.layers.annotation
    assert annotation.plane == (2, None, None)
    assert annotation.corrections == ()
    paint(correct, (50, 10))
    counts = [int(np.count_nonzero(plane)) for plane in annotation.classes]
    assert counts[0] > 0
    assert counts[1] == 0
    assert counts[2] > 0
    wait_result(lambda: viewer.dims.set_current_step(0, 0))
    assert annotation.labels[0][A] == annotation.labels[0][B]
    assert len(annotation.corrections) == 1


def test_an_undone_segmentation_leaves_a_plane_without_superpixels(
    viewer, correct, dock, solve, wait_result, color_blocks, qtbot
) -> None:
    viewer.add_image(np.stack([color_blocks[..., 0]] * 3), name="stack")
    viewer.dims.set_current_step(0, 0)
    solve()
    paint(correct, A)
    wait_result(lambda: viewer.dims.set_current_step(0, 2))
    assert correct.tools.active == "paint"
    correct.undo()
    assert not correct.layers.annotation.labels_plane.any()
    assert (correct.reason, correct.tools.active) == (SEGMENT_FIRST, "")
    assert (dock.session.result, dock.panel.status.text()) == (None, "Ready: press Segment.")
    correct.redo()
    assert (correct.reason, correct.tools.active) == ("", "paint")
    qtbot.waitUntil(lambda: dock.session.result is not None, timeout=10_000)
    correct.undo()
    assert solve().n_segments == 12
    assert correct.reason == ""


def test_what_was_said_of_another_image_goes(viewer, correct, color_blocks) -> None:
    correct.say("This was about the first image.")
    viewer.layers.selection.active = viewer.layers["blocks superpixels"]
    assert "first image" in correct.panel.status.text()
    viewer.add_image(color_blocks[::-1], rgb=True, name="second")
    assert correct.panel.status.text() == ""


def test_tools_stay_on_from_plane_to_plane(viewer, correct, dock, solve, wait_result, color_blocks) -> None:
    viewer.add_image(np.stack([color_blocks[..., 0]] * 3), name="stack")
    viewer.dims.set_current_step(0, 0)
    solve()
    correct.choose_tool("lasso")
    wait_result(lambda: viewer.dims.set_current_step(0, 1))
    assert correct.reason == ""
    assert correct.tools.active == "lasso"
    assert correct.layers.classes.mode == "pick"


def test_acts_undone_in_another_plane_are_told(viewer, correct, dock, solve, wait_result, color_blocks) -> None:
    viewer.add_image(np.stack([color_blocks[..., 0]] * 2), name="stack")
    viewer.dims.set_current_step(0, 0)
    solve()
    paint(correct, A)
    wait_result(lambda: viewer.dims.set_current_step(0, 1))
    paint(correct, B)
    correct.undo()
    assert correct.panel.status.text() == ""
    correct.undo()
    correct.undo()
    assert "in plane 0: Paint" in correct.panel.status.text()
    correct.redo()
    assert "in plane 0: Paint" in correct.panel.status.text()


def test_image_with_channels(viewer, correct, dock, solve, color_blocks) -> None:
    viewer.add_image(np.moveaxis(color_blocks, 2, 0).copy(), name="stains")
    dock.source.channel_menu.setCurrentIndex(1)
    dock.source.channel_menu.activated.emit(1)
    solve()
    correct.tools.choose("paint")
    FakeMouse(correct.layers.classes).click(A)
    classes = correct.layers.classes
    assert classes.data.shape == (3, 60, 80)
    assert all(np.array_equal(plane, classes.data[0]) for plane in classes.data)
    assert classes.data[0].any()


def test_large_planes_keep_their_lines_up_to_date(viewer, correct, dock, solve, qtbot, monkeypatch) -> None:
    from napari_superpixels.core.metrics import boundary_pixels

    for module in ("layers", "style"):
        monkeypatch.setattr(f"napari_superpixels.plugin.{module}.MAX_CONTOUR_PIXELS", 1000)
    solve()
    qtbot.waitUntil(lambda: "blocks superpixel lines" in viewer.layers, timeout=10_000)
    lines, labels = viewer.layers["blocks superpixel lines"], correct.layers.superpixels
    viewer.layers.remove(labels)
    correct.layers.ensure_shown()

    def are_right() -> bool:
        return np.array_equal(lines.data, boundary_pixels(labels.data))

    qtbot.waitUntil(are_right, timeout=10_000)
    paint(correct, A, B, tool="merge")
    assert are_right()
    paint(correct, (30, 10), (30, 30), tool="merge")
    correct.undo()
    assert are_right()
    dock.session.update(n_segments=30)
    qtbot.waitUntil(lambda: len(correct.layers.annotation.index) > 20, timeout=10_000)
    qtbot.waitUntil(are_right, timeout=10_000)
    correct.undo()
    qtbot.waitUntil(are_right, timeout=10_000)


def test_two_viewers_share_nothing(make_napari_viewer, color_blocks, qtbot) -> None:
    viewers = [make_napari_viewer(), make_napari_viewer()]
    widgets = [(SegmentDock(viewer), CorrectDock(viewer)) for viewer in viewers]
    for viewer, (dock, correct) in zip(viewers, widgets, strict=True):
        viewer.window.add_dock_widget(dock, name="Segment")
        viewer.window.add_dock_widget(correct, name="Correct")
        viewer.add_image(color_blocks, rgb=True, name="blocks")
        dock.session.update(model=None, n_segments=12)
        dock.segment()
        qtbot.waitUntil(lambda correct=correct: correct.layers is not None, timeout=20_000)
    first, second = (correct for _, correct in widgets)
    paint(first, A, C)
    first.layers.annotation.add_class("other")
    first.hand.level = 0.5
    assert not second.layers.annotation.classes.any()
    assert len(second.layers.annotation.table) == 1
    assert (second.tools.active, second.hand.level) == ("", 0)
    assert second.layers.annotation.history.entries == ()
    for dock, correct in widgets:
        correct.close_session()
        dock.close_session()
    qtbot.waitUntil(lambda: own_threads() == [], timeout=10_000)


def test_viewer_closed_during_a_solve_and_a_stroke(make_napari_viewer, color_blocks, qtbot) -> None:
    viewer = make_napari_viewer()
    dock, correct = SegmentDock(viewer), CorrectDock(viewer)
    viewer.window.add_dock_widget(dock, name="Segment")
    viewer.window.add_dock_widget(correct, name="Correct")
    dock.session.update(model=None, n_segments=12)
    viewer.add_image(color_blocks, rgb=True, name="blocks")
    dock.segment()
    qtbot.waitUntil(lambda: correct.layers is not None, timeout=20_000)
    correct.tools.choose("paint")
    FakeMouse(correct.layers.classes).press(A)
    dock.session.update(n_segments=2000)
    viewer.close()
    qtbot.wait(50)
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    qtbot.waitUntil(lambda: own_threads() == [], timeout=5000)


def test_closed_widgets_leave_nothing_behind(viewer, dock, color_blocks, solve, qtbot) -> None:
    viewer.add_image(color_blocks, rgb=True, name="blocks")
    solve()
    n_layers = None
    gone = []
    for _ in range(3):
        correct = CorrectDock(viewer)
        viewer.window.add_dock_widget(correct, name="Correct")
        correct.choose_tool("paint")
        FakeMouse(correct.layers.classes).click(A)
        gone.append(weakref.ref(correct))
        viewer.window.remove_dock_widget(correct)
        n_layers = n_layers or len(viewer.layers)
        assert len(viewer.layers) == n_layers
        del correct
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    qtbot.wait(50)
    gc.collect()
    assert [ref() for ref in gone] == [None, None, None]
    viewer.dims.ndisplay = 3
    viewer.dims.ndisplay = 2


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
