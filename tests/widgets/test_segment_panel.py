from dataclasses import replace
from unittest.mock import Mock

import pytest
from qtpy.QtWidgets import QCheckBox, QProgressBar, QPushButton, QScrollArea, QWidget

from napari_superpixels.engine.resolve import ImageInput
from napari_superpixels.errors import ImageError
from napari_superpixels.widgets.segment_panel import EXTRA_VIEWS, SegmentPanel
from napari_superpixels.widgets.wording import describe_result, wrapped


@pytest.fixture
def panel(qtbot, session, quality_panel):
    panel = SegmentPanel(session, QWidget(), quality_panel)
    qtbot.addWidget(panel)
    panel.show()
    return panel


def solve(session, image, qtbot) -> None:
    session.update(model=None, n_segments=12)
    session.set_input(ImageInput(image, source=1, key=1, name="blocks"))
    session.segment()
    qtbot.waitUntil(lambda: session.result is not None, timeout=60_000)


def test_buttons_are_named_and_explained(panel) -> None:
    for name in ("segment", "cancel", "reset"):
        button = panel.findChild(QPushButton, name)
        assert button.toolTip()
        assert button.text()
    for name in ("live", "view_mode", *(f"show_{view}" for view, _, _ in EXTRA_VIEWS)):
        assert panel.findChild(QWidget, name).toolTip()


def test_segment_asks(panel, qtbot) -> None:
    with qtbot.waitSignal(panel.segment_requested):
        panel.segment.click()


def test_reason_disables_the_button_and_is_told(panel) -> None:
    panel.set_unavailable("Open an image.")
    assert not panel.segment.isEnabled()
    assert panel.status.text() == "Open an image."
    assert panel.segment.toolTip() == wrapped("Open an image.")
    panel.set_unavailable("")
    assert panel.segment.isEnabled()
    assert panel.status.text() == "Ready: press Segment."


def test_status_tells_count_and_times(panel, session, color_blocks, qtbot) -> None:
    solve(session, color_blocks, qtbot)
    assert panel.status.text().startswith("12 superpixels · raw image · eikonal ")
    assert panel.status.text().endswith(" · cpu")
    assert "cached" not in panel.status.text()
    session.segment()
    qtbot.waitUntil(lambda: "(cached)" in panel.status.text())


def test_what_was_told_of_another_image_goes(panel, session, color_blocks, qtbot) -> None:
    solve(session, color_blocks, qtbot)
    session.set_input(ImageInput(color_blocks[::-1], source=2, key=2, name="others"))
    assert panel.status.text() == "Ready: press Segment."


def test_error_is_told_in_its_own_words(panel, session) -> None:
    session.failed.emit(ImageError("The image is empty."))
    assert panel.status.text() == "The image is empty."
    assert panel.warning.isVisible()
    session.failed.emit(KeyError("x"))
    assert "KeyError" in panel.status.text()
    assert "Traceback" not in panel.status.text()


def test_busy_shows_progress_and_enables_cancel(panel, session) -> None:
    assert not panel.cancel.isEnabled()
    assert not panel.findChild(QProgressBar, "progress").isVisible()
    session.started.emit()
    session.progressed.emit(0.5, "Running the network")
    assert panel.cancel.isEnabled()
    assert panel.progress.isVisible()
    assert panel.progress.value() == 500
    assert panel.progress.format() == "Running the network"
    session.cancelled.emit()
    session.idle.emit()
    assert not panel.cancel.isEnabled()
    assert panel.status.text() == "Cancelled."
    session.started.emit()
    assert panel.status.text() == ""


def test_cancelling_leaves_the_superpixels_of_before(panel, session, color_blocks, qtbot) -> None:
    solve(session, color_blocks, qtbot)
    session.cancelled.emit()
    assert panel.status.text() == "Cancelled. The superpixels shown are the last complete ones."


def test_another_device_than_asked_for_is_told(panel, session, color_blocks, qtbot) -> None:
    solve(session, color_blocks, qtbot)
    network = replace(session.result.network, device="cpu")
    params = session.params.updated(model="natural", device="cuda")
    result = replace(session.result, network=network, params=params)
    assert describe_result(result).endswith(" · cpu, not cuda")
    assert describe_result(replace(result, params=params.updated(device="auto"))).endswith(" · cpu")


def test_view_and_live_are_bound_both_ways(panel, session) -> None:
    panel.findChild(QCheckBox, "live").click()
    assert not session.view.live
    session.update_view(live=True, view_mode="filled")
    assert panel.live.isChecked()
    assert panel.view_mode.value() == "filled"


def test_reset_keeps_the_model(panel, session) -> None:
    session.update(model=None, n_segments=7, regularity=0.1)
    panel.reset.click()
    assert (session.params.model, session.params.n_segments, session.params.regularity) == (None, 400, 0.5)
    assert panel.form.rows["n_segments"].value() == 400


def test_extra_views_ask_only_when_clicked(panel) -> None:
    asked = Mock()
    panel.extra_view_toggled.connect(asked)
    panel.set_extra_view("seeds", True)
    asked.assert_not_called()
    panel.extra_views["arrival"].click()
    asked.assert_called_once_with("arrival", True)


def test_panel_fits_a_narrow_dock_and_scrolls_in_a_low_one(panel, session, qtbot) -> None:
    panel.form.advanced.set_open(True)
    session.update_view(quality_open=True)
    panel.resize(250, 320)
    qtbot.wait(20)
    area = panel.findChild(QScrollArea)
    assert area.verticalScrollBar().maximum() > 0
    assert area.widget().minimumSizeHint().width() <= area.viewport().width()
    assert panel.segment.isVisible()
    assert panel.status.isVisible()


def test_tab_order_follows_the_layout(panel) -> None:
    tops = []
    widget = panel.form.rows["model"].combo
    for _ in range(400):
        if widget.isVisible() and isinstance(widget, QWidget) and panel.isAncestorOf(widget):
            tops.append(widget.objectName())
        widget = widget.nextInFocusChain()
        if widget is panel.form.rows["model"].combo:
            break
    order = [name for name in tops if name in {"model", "n_segments", "regularity", "view_mode", "live", "segment"}]
    assert order == ["model", "n_segments", "regularity", "view_mode", "live", "segment"]
