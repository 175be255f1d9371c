"""The widget's life: opening, choosing, cancelling, closing in the middle of things."""

import gc
import json
import subprocess
import sys
import time
import weakref

import numpy as np
import pytest
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtWidgets import QComboBox, QPushButton

from napari_superpixels.engine.preferences import config_folder
from napari_superpixels.plugin.dock import NO_IMAGE, SegmentDock
from napari_superpixels.widgets.wording import wrapped

from .conftest import own_threads


@pytest.fixture
def slow_image(viewer, dock):
    """Return an image that takes seconds: many superpixels of noise."""
    noise = np.random.default_rng(0).integers(0, 255, (1500, 1500, 3), np.uint8)
    dock.session.update(n_segments=200_000)
    return viewer.add_image(noise, rgb=True, name="noise")


def test_without_an_image_it_says_what_to_do(dock) -> None:
    assert not dock.panel.segment.isEnabled()
    assert dock.panel.status.text() == NO_IMAGE
    assert dock.panel.segment.toolTip() == wrapped(NO_IMAGE)


def test_image_is_chosen_as_it_comes_and_forgotten_as_it_goes(viewer, dock, color_blocks) -> None:
    first = viewer.add_image(color_blocks, rgb=True)
    assert dock.panel.segment.isEnabled()
    assert dock.source.image is first
    second = viewer.add_image(color_blocks[..., 0], name="second")
    assert dock.source.image is second
    viewer.layers.selection.active = first
    assert dock.source.image is first
    viewer.layers.remove(first)
    assert dock.source.image is second
    viewer.layers.clear()
    assert dock.panel.status.text() == NO_IMAGE


def test_images_of_one_name_are_told_apart(viewer, dock, color_blocks) -> None:
    first = viewer.add_image(color_blocks, rgb=True, name="same")
    second = viewer.add_image(color_blocks, rgb=True, name="other")
    second.name = "same"
    menu = dock.findChild(QComboBox, "image")
    menu.setCurrentIndex(1)
    menu.activated.emit(1)
    assert dock.source.image is first


def test_proxy_of_the_viewer_is_accepted(viewer, color_blocks, qtbot) -> None:
    dock = SegmentDock(PublicOnlyProxy(viewer))
    qtbot.addWidget(dock)
    image = viewer.add_image(color_blocks, rgb=True)
    assert dock.source.image is image
    dock.close_session()


def test_cancel(viewer, dock, slow_image, qtbot) -> None:
    dock.panel.segment.click()
    qtbot.waitUntil(lambda: dock.panel.cancel.isEnabled())
    qtbot.wait(300)
    start = time.perf_counter()
    dock.findChild(QPushButton, "cancel").click()
    qtbot.waitUntil(lambda: not dock.session.is_busy, timeout=5000)
    assert time.perf_counter() - start < 0.5 * 3  # three times the budget: tests share the machine
    qtbot.waitUntil(lambda: "Cancelled" in dock.panel.status.text())
    assert len(viewer.layers) == 1
    assert not dock.panel.cancel.isEnabled()


def test_image_deleted_while_computing(viewer, dock, slow_image, qtbot) -> None:
    dock.panel.segment.click()
    qtbot.wait(100)
    viewer.layers.remove(slow_image)
    qtbot.waitUntil(lambda: not dock.session.is_busy, timeout=20_000)
    qtbot.wait(50)
    assert len(viewer.layers) == 0
    assert dock.panel.status.text() == NO_IMAGE


def test_layers_renamed_while_computing(viewer, dock, color_blocks, wait_result) -> None:
    image = viewer.add_image(color_blocks, rgb=True, name="before")

    def segment_and_rename() -> None:
        dock.panel.segment.click()
        image.name = "after"

    wait_result(segment_and_rename)
    assert viewer.layers[-1].name == "after superpixels"


def test_superpixels_deleted_while_computing(viewer, dock, color_blocks, solve, wait_result) -> None:
    viewer.add_image(color_blocks, rgb=True, name="blocks")
    solve()

    def change_and_delete() -> None:
        dock.session.update(n_segments=20)
        viewer.layers.remove("blocks superpixels")

    wait_result(change_and_delete)
    assert viewer.layers["blocks superpixels"].data.max() == 20


def test_dock_closed_while_computing(viewer, dock, slow_image, qtbot) -> None:
    dock.panel.segment.click()
    qtbot.wait(100)
    viewer.window.remove_dock_widget(dock)
    qtbot.waitUntil(lambda: own_threads() == [], timeout=5000)
    viewer.layers.clear()
    qtbot.wait(50)


def test_viewer_closed_while_computing(make_napari_viewer, qtbot) -> None:
    viewer = make_napari_viewer()
    dock = SegmentDock(viewer)
    viewer.window.add_dock_widget(dock, name="Segment")
    dock.session.update(model=None, n_segments=200_000)
    viewer.add_image(np.random.default_rng(0).integers(0, 255, (1000, 1000, 3), np.uint8), rgb=True)
    dock.panel.segment.click()
    qtbot.wait(100)
    viewer.close()
    qtbot.wait(50)
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    qtbot.waitUntil(lambda: own_threads() == [], timeout=5000)


def test_closed_widgets_leave_nothing_behind(viewer, color_blocks, qtbot) -> None:
    image = viewer.add_image(color_blocks, rgb=True)
    gone = []
    for _ in range(3):
        dock = SegmentDock(viewer)
        viewer.window.add_dock_widget(dock, name="Segment")
        gone.append(weakref.ref(dock))
        viewer.window.remove_dock_widget(dock)
        del dock
    qtbot.wait(50)
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    qtbot.waitUntil(lambda: own_threads() == [], timeout=5000)
    gc.collect()
    assert [ref() for ref in gone] == [None, None, None]
    image.name = "still alive"
    viewer.dims.ndisplay = 3


def test_preferences_are_remembered(viewer, dock, qtbot) -> None:
    dock.session.update(n_segments=321)
    dock.session.update_view(live=False)
    qtbot.waitUntil(lambda: (config_folder() / "preferences.json").exists(), timeout=3000)
    assert json.loads((config_folder() / "preferences.json").read_text())["segment"]["n_segments"] == 321
    dock.close_session()
    again = SegmentDock(viewer)
    qtbot.addWidget(again)
    assert again.session.params.n_segments == 321
    assert again.panel.form.rows["n_segments"].value() == 321
    assert not again.panel.live.isChecked()
    again.close_session()


def test_missing_model_is_told_in_the_panel(viewer, dock, color_blocks, qtbot) -> None:
    viewer.add_image(color_blocks, rgb=True)
    dock.session.update(model="no-such-model")
    dock.panel.segment.click()
    qtbot.waitUntil(lambda: "no-such-model" in dock.panel.status.text(), timeout=30_000)
    assert "Traceback" not in dock.panel.status.text()
    assert dock.panel.segment.isEnabled()


def test_failure_of_a_hidden_widget_is_a_notification(viewer, dock, color_blocks, qtbot) -> None:
    from napari.utils.notifications import notification_manager

    viewer.add_image(np.zeros((4, 4)))
    dock.hide()
    dock.session.update(n_segments=500)
    with notification_manager:
        dock.segment()
        qtbot.waitUntil(lambda: not dock.session.is_busy)
        qtbot.wait(50)
    assert any("500" in notice.message for notice in notification_manager.records)


def test_opening_imports_no_torch_on_the_main_thread() -> None:
    code = """
import builtins, threading, sys, time
import napari
on_main = []
original = builtins.__import__
def watched(name, *args, **kwargs):
    if name.split(".")[0] == "torch" and threading.current_thread() is threading.main_thread():
        on_main.append(name)
    return original(name, *args, **kwargs)
builtins.__import__ = watched
viewer = napari.Viewer(show=False)
from napari_superpixels.plugin.dock import SegmentDock
dock = SegmentDock(viewer)
deadline = time.time() + 90
while time.time() < deadline and any(t.name == "napari-superpixels-warm-up" for t in threading.enumerate()):
    time.sleep(0.05)
assert "torch" in sys.modules, "the warm-up did not load torch"
dock.close_session()
viewer.close()
print("on the main thread:", on_main)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=180)
    assert done.stdout.strip().endswith("on the main thread: []"), done.stdout + done.stderr
