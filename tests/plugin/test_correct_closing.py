"""The Correct widget when layers, widgets or viewers go: what survives, and what it leaves."""

import gc
import os
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
from napari.layers import Labels
from qtpy.QtCore import QCoreApplication, QEvent

from napari_superpixels.plugin.correct_dock import NO_IMAGE, SEGMENT_FIRST, CorrectDock
from napari_superpixels.plugin.dock import SegmentDock

from .conftest import own_threads
from .correct_mouse import A, B, C, D, FakeMouse, paint, state


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


def test_work_goes_on_where_closed_widgets_left_it(viewer, correct, dock, qtbot) -> None:
    """Nothing is segmented or restored anew: classes, repairs, history and journal are those of before."""
    paint(correct, A, C)
    paint(correct, A, B, tool="merge")
    kept, layers, folder = state(correct), correct.layers.layers, correct.safekeeping.folder
    entries, corrections = correct.layers.annotation.history.entries, correct.layers.annotation.corrections
    correct.close_session()
    dock.close_session()
    [left] = folder.iterdir()
    again = CorrectDock(viewer)
    qtbot.addWidget(again)
    annotation = again.layers.annotation
    assert again.reason == ""
    assert (again.layers.layers, state(again)) == (layers, kept)
    assert (annotation.history.entries, annotation.corrections) == (entries, corrections)
    qtbot.waitUntil(lambda: not left.exists(), timeout=20_000)
    assert len(list(folder.iterdir())) == 1
    assert again.panel.offer.isHidden()
    again_dock = SegmentDock(viewer)
    qtbot.addWidget(again_dock)
    again_dock.session.update(model=None, n_segments=30)
    again_dock.segment()
    qtbot.waitUntil(lambda: len(np.unique(layers[0].data)) > 12, timeout=20_000)
    assert layers[0].data[A] == layers[0].data[B]
    assert annotation.corrections == corrections
    again.undo()
    assert state(again) == kept
    again.undo()
    assert layers[0].data[A] != layers[0].data[B]
    again.close_session()
    again_dock.close_session()


def test_segment_alone_goes_on_with_the_work(viewer, correct, dock, qtbot) -> None:
    paint(correct, A, B, tool="merge")
    superpixels = correct.layers.superpixels
    correct.close_session()
    dock.close_session()
    n_layers = len(viewer.layers)
    again = SegmentDock(viewer)
    qtbot.addWidget(again)
    again.session.update(model=None, n_segments=30)
    again.segment()
    qtbot.waitUntil(lambda: len(np.unique(superpixels.data)) > 12, timeout=20_000)
    assert superpixels.data[A] == superpixels.data[B]
    assert len(viewer.layers) == n_layers
    again.close_session()


def test_superpixels_alone_are_gone_on_with(viewer, dock, solve, color_blocks, qtbot) -> None:
    viewer.add_image(color_blocks, rgb=True, name="blocks")
    solve()
    dock.close_session()
    superpixels = viewer.layers["blocks superpixels"]
    again = SegmentDock(viewer)
    qtbot.addWidget(again)
    again.session.update(model=None, n_segments=30)
    again.segment()
    qtbot.waitUntil(lambda: len(np.unique(superpixels.data)) == 30, timeout=20_000)
    assert len(viewer.layers) == 2
    again.close_session()
    correct = CorrectDock(viewer)
    qtbot.addWidget(correct)
    assert (correct.reason, correct.layers.superpixels) == ("", superpixels)
    correct.close_session()


@pytest.mark.parametrize("changed", [0, 1], ids=["superpixels", "classes"])
def test_layers_that_others_changed_meanwhile_are_not_gone_on_with(viewer, correct, dock, qtbot, changed) -> None:
    """What was recorded of them does not fit them any more; it is offered by the journal."""
    paint(correct, A, C)
    layers = correct.layers.layers
    correct.close_session()
    dock.close_session()
    layers[changed].data_setitem((np.array([0]), np.array([0])), 7)
    again = CorrectDock(viewer)
    qtbot.addWidget(again)
    assert again.reason == SEGMENT_FIRST
    qtbot.waitUntil(lambda: not again.panel.offer.isHidden(), timeout=20_000)
    again.close_session()


def test_copies_of_layers_are_not_taken_for_them(viewer, correct, dock, qtbot) -> None:
    paint(correct, A, C)
    layers = correct.layers.layers
    correct.close_session()
    dock.close_session()
    for layer in layers:
        viewer.add_layer(Labels(layer.data.copy(), name=f"{layer.name} copy", metadata=layer.metadata.copy()))
    again = CorrectDock(viewer)
    qtbot.addWidget(again)
    assert again.layers.layers == layers
    again.close_session()


# napari looks at the layers before it tells plugins of three dimensions.
@pytest.mark.filterwarnings("ignore:Contours are not displayed")
def test_a_result_in_3d_beside_the_work_is_not_taken_for_it(viewer, correct, dock, solve, wait_result, qtbot) -> None:
    viewer.add_image(np.stack([np.indices((40, 40)).sum(axis=0).astype(np.uint8)] * 4), name="stack")
    viewer.dims.set_current_step(0, 0)
    solve()
    paint(correct, A)
    layers = correct.layers.layers
    viewer.dims.ndisplay = 3
    solve()
    viewer.dims.ndisplay = 2
    correct.close_session()
    dock.close_session()
    again = CorrectDock(viewer)
    qtbot.addWidget(again)
    assert again.layers.layers == layers
    assert len(again.layers.annotation.history.entries) == 1
    again.close_session()


def test_large_planes_have_one_layer_of_lines(viewer, dock, solve, color_blocks, qtbot, monkeypatch) -> None:
    monkeypatch.setattr("napari_superpixels.plugin.canvas.MAX_CONTOUR_PIXELS", 100)
    viewer.add_image(color_blocks, rgb=True, name="blocks")
    solve()
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=20_000)
    names = [layer.name for layer in viewer.layers]
    dock.close_session()
    for _ in range(2):
        again = CorrectDock(viewer)
        qtbot.addWidget(again)
        assert again.reason == ""
        again.close_session()
    assert sorted(layer.name for layer in viewer.layers) == sorted([*names, "blocks classes"])


def test_painted_superpixels_of_another_image_are_not_taken(viewer, correct, dock, color_blocks, qtbot) -> None:
    correct.close_session()
    dock.close_session()
    viewer.add_image(color_blocks, rgb=True, name="another")
    again = CorrectDock(viewer)
    qtbot.addWidget(again)
    assert again.source.image.name == "another"
    assert again.layers is None
    assert "Press Segment" in again.reason
    again.close_session()


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


def test_a_program_that_ends_with_its_viewer_open_says_nothing() -> None:
    program = Path(__file__).with_name("ending_program.py")
    ended = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, timeout=120, env=dict(os.environ), check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Error" not in ended.stderr


def test_image_of_another_size_is_annotated_anew(viewer, correct, dock, solve, color_blocks) -> None:
    paint(correct, A, C)
    old, image, folder = correct.layers, correct.layers.image, correct.safekeeping.folder
    kept = state(correct)
    dock.session.update_view(live=False)
    image.data = color_blocks[:40].copy()
    correct.refresh()
    assert "press Segment" in correct.reason
    solve()
    assert correct.reason == ""
    assert correct.layers.superpixels.data.shape == (40, 80)
    assert not correct.layers.annotation.classes.any()
    assert f"kept in {folder}" in correct.panel.status.text()
    assert len(list(folder.iterdir())) == 1
    assert all(layer in viewer.layers and not layer.visible for layer in old.layers)
    assert (old.superpixels.data.tobytes(), old.classes.data.tobytes()) == kept
    paint(correct, A)
    assert correct.layers.annotation.progress > 0
    image.data = color_blocks
    solve()
    assert (correct.reason, correct.layers.annotation.classes.any()) == ("", False)


def test_stack_of_more_planes_is_annotated_anew(viewer, correct, dock, solve, wait_result, color_blocks) -> None:
    image = viewer.add_image(np.stack([color_blocks[..., 0]] * 2), name="stack")
    viewer.dims.set_current_step(0, 0)
    solve()
    paint(correct, A)
    old = correct.layers
    wait_result(lambda: setattr(image, "data", np.stack([color_blocks[..., 0]] * 5)))
    assert correct.reason == ""
    assert correct.layers.classes.data.shape == (5, 60, 80)
    assert not correct.layers.annotation.classes.any()
    assert old.classes.data.any()
    wait_result(lambda: viewer.dims.set_current_step(0, 4))
    paint(correct, A)
    assert correct.layers.annotation.classes[4].any()
    wait_result(lambda: setattr(image, "data", color_blocks[..., 0]))
    assert correct.reason == ""
    assert correct.layers.classes.data.shape == (60, 80)
