import gc
import threading

import pytest

import napari_superpixels.plugin.warm_up as warm_up_module
from napari_superpixels.plugin.correct_dock import CorrectDock
from napari_superpixels.plugin.dock import SegmentDock


@pytest.fixture(autouse=True, scope="module")
def _few_objects_to_search():
    """Take what is there out of the garbage collector's sight: napari's fixtures let it search all for each window."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _clean_start(tmp_path, monkeypatch):
    """Start with the default preferences, and without a warm-up in the background."""
    monkeypatch.setenv("NAPARI_SUPERPIXELS_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(warm_up_module, "_is_started", True)


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
        outcomes = []

        def note(result):
            outcomes.append(result)

        def note_idle():
            outcomes.append(None)

        dock.session.solved.connect(note)
        dock.session.recalled.connect(note)
        dock.session.idle.connect(note_idle)
        action()
        # A worker rests before its last result has come to the main thread; that it is idle is told after that.
        qtbot.waitUntil(lambda: any(outcomes) and outcomes[-1] is None and not dock.session.is_busy, timeout=60_000)
        # Of two quick runs the first may have been told alone so far.
        qtbot.wait(10)
        qtbot.waitUntil(lambda: outcomes[-1] is None and not dock.session.is_busy, timeout=60_000)
        dock.session.solved.disconnect(note)
        dock.session.recalled.disconnect(note)
        dock.session.idle.disconnect(note_idle)
        return [result for result in outcomes if result is not None][-1]

    return wait


@pytest.fixture
def solve(dock, wait_result):
    """Return a function that presses Segment and waits for the result."""
    return lambda: wait_result(dock.panel.segment.click)


@pytest.fixture
def correct(viewer, dock, solve, color_blocks, qtbot):
    """Return the Correct widget, docked, on an image of 3 rows of 4 blocks, each of which is a superpixel."""
    viewer.add_image(color_blocks, rgb=True, name="blocks")
    correct = CorrectDock(viewer)
    viewer.window.add_dock_widget(correct, name="Correct")
    solve()
    yield correct
    correct.close_session()
