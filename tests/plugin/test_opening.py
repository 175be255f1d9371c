"""Widgets in the window: each opened once, those of ours as tabs of one dock."""

import pytest
from qtpy.QtWidgets import QDockWidget, QMainWindow

from napari_superpixels.plugin.opening import open_widget, segment_image


def dock_of(widget) -> QDockWidget:
    while not isinstance(widget, QDockWidget):
        widget = widget.parentWidget()
    return widget


def tabs_of(widget) -> list[str]:
    """Return the titles of the docks that a widget shares its place with."""
    dock = dock_of(widget)
    window = dock.parentWidget()
    assert isinstance(window, QMainWindow)
    return [other.windowTitle() for other in window.tabifiedDockWidgets(dock)]


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True)


@pytest.fixture
def open_(viewer, qtbot):
    """Return a function that opens a widget and waits until it has its place."""
    opened = []

    def open_one(name):
        widget = open_widget(viewer, name)
        opened.append(widget)
        qtbot.wait(20)
        return widget

    yield open_one
    for widget in opened:
        widget.close_session()


def test_a_widget_is_opened_once_under_the_name_of_the_menu(viewer, open_) -> None:
    segment = open_("Segment")
    assert open_("Segment") is segment
    assert viewer.window.dock_widgets["Segment (Superpixels)"] is segment


def test_widgets_become_tabs_and_the_last_one_is_in_front(open_) -> None:
    segment = open_("Segment")
    correct = open_("Correct")
    assert tabs_of(correct) == ["Segment (Superpixels)"]
    fine_tune = open_("Fine-tune")
    assert sorted(tabs_of(fine_tune)) == ["Correct (Superpixels)", "Segment (Superpixels)"]
    assert not fine_tune.visibleRegion().isEmpty()
    assert segment.visibleRegion().isEmpty()
    open_("Segment")
    assert not segment.visibleRegion().isEmpty()


def test_a_floating_widget_stays_apart(open_, qtbot) -> None:
    segment = open_("Segment")
    dock_of(segment).setFloating(True)
    assert tabs_of(open_("Correct")) == []


def test_segment_opened_by_another_widget_stays_behind_it(viewer, open_, color_blocks, qtbot) -> None:
    image = viewer.add_image(color_blocks, rgb=True, name="blocks")
    correct = open_("Correct")
    segment_image(viewer, image)
    segment = open_widget(viewer, "Segment", in_front=False)
    qtbot.waitUntil(lambda: segment.session.result is not None, timeout=60_000)
    assert tabs_of(segment) == ["Correct (Superpixels)"]
    assert not correct.visibleRegion().isEmpty()
    segment.close_session()
