"""What the widgets of a viewer share, and what two viewers do not."""

import numpy as np
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtCore import QCoreApplication, QEvent

from napari_superpixels.plugin.dock import SegmentDock
from napari_superpixels.plugin.workspace import _workspaces, open_workspace

from .conftest import own_threads


def test_widgets_of_one_viewer_share_and_the_last_closes(viewer) -> None:
    first, second = open_workspace(viewer), open_workspace(PublicOnlyProxy(viewer))
    assert first is second
    assert first.viewer is viewer
    first.release()
    assert open_workspace(viewer) is first
    first.release()
    second.release()
    assert id(viewer) not in _workspaces
    third = open_workspace(viewer)
    assert third is not first
    third.release()


def test_two_viewers_share_nothing(make_napari_viewer, color_blocks, qtbot) -> None:
    viewers = [make_napari_viewer(), make_napari_viewer()]
    docks = [SegmentDock(viewer) for viewer in viewers]
    for viewer, dock in zip(viewers, docks, strict=True):
        viewer.window.add_dock_widget(dock, name="Segment")
        viewer.add_image(color_blocks, rgb=True, name="blocks")
        dock.session.update(model=None)
    docks[0].session.update(n_segments=12)
    docks[1].session.update(n_segments=20)
    docks[0].session.update_view(view_mode="filled")
    for dock in docks:
        dock.segment()
    for viewer in viewers:
        qtbot.waitUntil(lambda viewer=viewer: "blocks superpixels" in viewer.layers, timeout=60_000)
    layers = [viewer.layers["blocks superpixels"] for viewer in viewers]
    assert [int(layer.data.max()) for layer in layers] == [12, 20]
    assert [layer.contour for layer in layers] == [0, 1]
    assert not np.shares_memory(layers[0].data, layers[1].data)
    docks[0].close_session()
    docks[1].session.update(n_segments=25)
    qtbot.waitUntil(lambda: layers[1].data.max() == 25, timeout=60_000)
    assert layers[0].data.max() == 12
    docks[1].close_session()
    qtbot.waitUntil(lambda: own_threads() == [], timeout=10_000)


def test_closed_widget_hears_no_more_of_a_session_that_goes_on(viewer, dock, color_blocks, solve, wait_result) -> None:
    viewer.add_image(color_blocks, rgb=True, name="blocks")
    other = SegmentDock(viewer)
    viewer.window.add_dock_widget(other, name="Other")
    assert other.session is dock.session
    solve()
    assert other.panel.status.text() == dock.panel.status.text()
    viewer.window.remove_dock_widget(other)
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    dock.session.update_view(quality_open=True, view_mode="filled")
    wait_result(lambda: dock.session.update(n_segments=20))
    assert viewer.layers["blocks superpixels"].data.max() == 20
    viewer.dims.ndisplay = 3
