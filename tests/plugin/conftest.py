import threading

import pytest

import napari_superpixels.plugin.dock as dock_module
from napari_superpixels.plugin.dock import SegmentDock


@pytest.fixture(autouse=True)
def _clean_start(tmp_path, monkeypatch):
    """Start with the default preferences, and without a warm-up in the background."""
    monkeypatch.setenv("NAPARI_SUPERPIXELS_CONFIG", str(tmp_path / "config"))
    monkeypatch.setattr(dock_module, "_warm_up_started", True)


def own_threads() -> list[threading.Thread]:
    """Return the threads of sessions and pictures that have not ended."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("napari-superpixels")]


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer()


@pytest.fixture
def dock(viewer, qtbot):
    """Return the widget, docked, set to the raw image and few superpixels."""
    dock = SegmentDock(viewer)
    viewer.window.add_dock_widget(dock, name="Segment")
    dock.session.update(model=None, n_segments=12)
    yield dock
    dock.close_session()
    qtbot.waitUntil(lambda: own_threads() == [], timeout=10_000)


@pytest.fixture
def wait_result(qtbot, dock):
    """Return a function that does something and waits for the result that it brings."""

    def wait(action):
        results = []

        def note(result):
            results.append(result)

        dock.session.solved.connect(note)
        action()
        qtbot.waitUntil(lambda: bool(results) and not dock.session.is_busy, timeout=60_000)
        dock.session.solved.disconnect(note)
        return results[-1]

    return wait


@pytest.fixture
def solve(dock, wait_result):
    """Return a function that presses Segment and waits for the result."""
    return lambda: wait_result(dock.panel.segment.click)
