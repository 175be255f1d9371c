from importlib import import_module
from pathlib import Path

import pytest
from napari.layers import Labels
from npe2 import PluginManager, PluginManifest

from napari_superpixels.plugin import commands
from napari_superpixels.plugin.correct_dock import CorrectDock
from napari_superpixels.plugin.dock import SegmentDock
from napari_superpixels.plugin.fine_tune_dock import FineTuneDock

MANIFEST = Path(__file__).parents[2] / "napari.yaml"


@pytest.fixture
def widget(viewer, color_blocks):
    """Return a function that gives the widget that the commands opened."""
    manager = PluginManager.instance()
    is_known = "napari-superpixels" in manager._manifests
    if not is_known:
        manager.register(PluginManifest.from_file(MANIFEST))
    viewer.add_image(color_blocks, rgb=True, name="blocks")
    yield lambda: viewer.window._qt_window.findChild(SegmentDock)
    if (dock := viewer.window._qt_window.findChild(SegmentDock)) is not None:
        dock.close_session()
    if not is_known:
        manager.unregister("napari-superpixels")


def test_segment_opens_the_widget_and_segments(viewer, widget, qtbot) -> None:
    assert widget() is None
    commands.reset()
    widget().session.update(model=None, n_segments=12)
    commands.segment()
    qtbot.waitUntil(lambda: "blocks superpixels" in viewer.layers, timeout=60_000)
    assert isinstance(viewer.layers["blocks superpixels"], Labels)
    commands.toggle_superpixels()
    assert not viewer.layers["blocks superpixels"].visible


def test_views_and_live(widget) -> None:
    commands.view_filled()
    assert widget().session.view.view_mode == "filled"
    commands.view_mean_color()
    assert widget().session.view.view_mode == "mean-color"
    commands.view_boundaries()
    assert widget().session.view.view_mode == "boundaries"
    commands.toggle_live()
    assert not widget().session.view.live
    commands.toggle_live()
    assert widget().session.view.live


def test_cancel_and_reset(widget) -> None:
    commands.cancel()
    widget().session.update(n_segments=7)
    commands.reset()
    assert widget().session.params.n_segments == 400


def test_tools_open_the_correct_widget(viewer, widget, qtbot) -> None:
    commands.paint()
    correct = viewer.window._qt_window.findChild(CorrectDock)
    assert correct.tools.active == ""
    assert "Press Segment first" in correct.panel.status.text()
    commands.reset()
    widget().session.update(model=None, n_segments=12)
    correct.panel.segment.click()
    qtbot.waitUntil(lambda: correct.layers is not None, timeout=60_000)
    for name in ("paint", "merge", "cut"):
        getattr(commands, name)()
        assert correct.tools.active == name
    correct.layers.annotation.paint([1])
    commands.undo()
    assert not correct.layers.annotation.classes.any()
    commands.redo()
    assert correct.layers.annotation.classes.any()
    commands.look_around()
    assert correct.tools.active == ""
    correct.close_session()


def test_training_opens_its_widget_and_says_what_is_missing(viewer, widget) -> None:
    commands.add_annotation()
    tune = viewer.window._qt_window.findChild(FineTuneDock)
    assert "paint some superpixels" in tune.panel.status.text()
    commands.train()
    assert tune.panel.status.text() == tune.session.problem != ""
    commands.pause_training()
    commands.stop_training()
    assert tune.session.phase == "setup"
    tune.close_session()


def test_without_a_viewer_nothing_happens(monkeypatch) -> None:
    monkeypatch.setattr(commands, "current_viewer", lambda: None)
    for name in ("segment", "cancel", "reset", "toggle_live", "toggle_superpixels", "view_filled", "train"):
        getattr(commands, name)()


def test_every_public_command_is_in_the_manifest() -> None:
    listed = {command.python_name for command in PluginManifest.from_file(MANIFEST).contributions.commands}
    module = import_module("napari_superpixels.plugin.commands")
    public = [n for n, f in vars(module).items() if callable(f) and getattr(f, "__module__", "") == module.__name__]
    for name in public:
        assert name.startswith("_") or f"{module.__name__}:{name}" in listed
