"""What closed widgets and removed layers let go of: sessions, results, images."""

import gc
import weakref

import pytest
from napari.layers import Labels
from qtpy.QtCore import QCoreApplication, QEvent

from napari_superpixels.plugin.correct_dock import CorrectDock
from napari_superpixels.plugin.dock import SegmentDock

from .correct_mouse import A, paint


@pytest.fixture
def collect(qtbot):
    """Return a function that lets Qt and Python forget what nobody holds."""

    def forget() -> None:
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        # The list of layers gives way to changes a moment later.
        qtbot.wait(200)
        gc.collect()

    return forget


def keys(layer) -> list[str]:
    return [str(key) for key in layer.keymap]


def work_and_close(viewer, qtbot) -> dict[str, weakref.ref]:
    """Paint superpixels, close both widgets, and return what should go."""
    dock, correct = SegmentDock(viewer), CorrectDock(viewer)
    for widget in (dock, correct):
        viewer.window.add_dock_widget(widget, name=type(widget).__name__)
    dock.session.update(model=None, n_segments=12)
    dock.segment()
    qtbot.waitUntil(lambda: correct.layers is not None and not dock.session.is_busy, timeout=20_000)
    paint(correct, A)
    session = dock.session
    parts = {"session": session, "results": dock.results, "labels": session.result.superpixels.labels}
    gone = {name: weakref.ref(part) for name, part in {**parts, "layers": correct.layers}.items()}
    for widget in (correct, dock):
        viewer.window.remove_dock_widget(widget)
    assert (session.result, session.inputs) == (None, None)
    return gone


def test_closed_widgets_let_go_of_session_and_results(viewer, color_blocks, qtbot, collect) -> None:
    viewer.add_image(color_blocks, rgb=True, name="blocks")
    gone = work_and_close(viewer, qtbot)
    collect()
    assert [name for name, ref in gone.items() if ref() is not None] == []
    assert keys(viewer.layers["blocks superpixels"]) == []
    # Nobody hears of it any more.
    viewer.layers["blocks superpixels"].paint((5, 5), 7)


def test_removed_layers_let_go_of_their_image(viewer, correct, dock, collect) -> None:
    paint(correct, A)
    image = weakref.ref(correct.layers.image)
    viewer.layers.remove(correct.layers.superpixels)
    viewer.layers.remove("blocks")
    collect()
    assert dock.results._canvases == {}
    assert image() is None


def test_superpixels_of_a_removed_image_are_the_users(viewer, dock, solve, color_blocks, collect) -> None:
    viewer.add_image(color_blocks, rgb=True, name="blocks")
    solve()
    superpixels, image = viewer.layers["blocks superpixels"], weakref.ref(viewer.layers["blocks"])
    assert keys(superpixels) == ["H"]
    viewer.layers.remove("blocks")
    collect()
    assert image() is None
    assert keys(superpixels) == []


def test_replaced_superpixels_are_let_go_of(viewer, dock, solve, wait_result, color_blocks) -> None:
    viewer.add_image(color_blocks, rgb=True, name="blocks")
    solve()
    first = viewer.layers["blocks superpixels"]
    first.paint((5, 5), 7)
    wait_result(lambda: dock.session.update(n_segments=15))
    assert isinstance(viewer.layers["blocks superpixels [1]"], Labels)
    assert keys(first) == []
    assert keys(viewer.layers["blocks superpixels [1]"]) == ["H"]
