"""The Fine-tune widget in a window: from annotations to a model that Segment uses, with a real child process."""

import numpy as np
import pytest
from qtpy.QtWidgets import QAbstractButton

from napari_superpixels.data.training_folder import TrainingItem, write_training_folder
from napari_superpixels.plugin.correct_dock import CorrectDock
from napari_superpixels.plugin.dock import SegmentDock
from napari_superpixels.plugin.fine_tune_dock import CHOOSE_LAYERS, PAINT_FIRST, PAINT_THIS_PLANE, FineTuneDock
from napari_superpixels.plugin.workspace import _workspaces
from tests.engine.fine_tuning import TINY, discs

from .conftest import own_threads

LONG = {"steps": 20_000, "epoch_steps": 10_000}


@pytest.fixture(autouse=True)
def _folders(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SUPERPIXELS_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("NAPARI_SUPERPIXELS_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def tune(viewer, qtbot):
    """Return the widget, docked, set to a training of a few steps."""
    tune = FineTuneDock(viewer)
    viewer.window.add_dock_widget(tune, name="Fine-tune")
    tune.session.update(**TINY.model_dump())
    yield tune
    tune.close_session()
    if (workspace := _workspaces.get(id(viewer))) is not None:
        workspace.fine_tuning().close()
        workspace.release()
    qtbot.waitUntil(lambda: own_threads() == [], timeout=30_000)


def add_discs(viewer, tune, qtbot, n_images: int = 2) -> None:
    """Put images with Labels layers into the list."""
    for i in range(n_images):
        image, labels = discs(i)
        viewer.add_image(image, name=f"disc {i}")
        viewer.add_labels(labels, name=f"truth {i}")
        tune.source.image_menu.choose(viewer.layers[f"disc {i}"])
        tune.source.labels_menu.choose(viewer.layers[f"truth {i}"])
        press(tune, "add_layers")
        qtbot.waitUntil(lambda: all(row.digest for row in tune.session.rows), timeout=60_000)


def press(tune, name: str) -> None:
    """Press a button of the panel."""
    button = tune.panel.findChild(QAbstractButton, name)
    assert button.isEnabled(), name
    button.click()


def test_from_layers_to_a_model_that_segment_uses(viewer, tune, qtbot) -> None:
    segment = SegmentDock(viewer)
    viewer.window.add_dock_widget(segment, name="Segment")
    press(tune, "add_layers")
    assert tune.panel.status.text() == CHOOSE_LAYERS
    add_discs(viewer, tune, qtbot)
    assert [(row.name, row.role, row.problem) for row in tune.session.rows] == [
        ("disc 0", "train", ""),
        ("disc 1", "validation", ""),
    ]
    names = [layer.name for layer in viewer.layers]
    press(tune, "train")
    qtbot.waitUntil(lambda: tune.session.phase in ("finished", "failed"), timeout=120_000)
    assert tune.session.phase == "finished", tune.session.message
    tune.panel.compare_requested.emit("disc 1", "swipe")
    qtbot.waitUntil(lambda: "disc 1 after" in viewer.layers, timeout=60_000)
    assert tune.tuning.comparison.layers.mode == "swipe"
    assert viewer.layers["disc 1 before"].data.any()
    tune.panel.compare_requested.emit("disc 1", "off")
    assert [layer.name for layer in viewer.layers] == names
    tune.panel.result.name.setText("mine")
    press(tune, "use")
    qtbot.waitUntil(lambda: segment.session.params.model == "mine", timeout=60_000)
    combo = segment.panel.form.rows["model"].combo
    assert combo.currentData() == "mine"
    assert tune.panel.form.rows["start"].value() == "mine"
    segment.close_session()


def test_training_goes_on_while_the_widget_is_closed(viewer, tune, qtbot) -> None:
    add_discs(viewer, tune, qtbot)
    tune.session.update(**LONG)
    press(tune, "train")
    qtbot.waitUntil(lambda: tune.session.phase == "running", timeout=120_000)
    session = tune.session
    tune.close_session()
    assert id(viewer) in _workspaces
    again = FineTuneDock(viewer)
    viewer.window.add_dock_widget(again, name="Fine-tune again")
    assert again.session is session
    step = session.curve[-1]["step"] if session.curve else 0
    qtbot.waitUntil(lambda: bool(session.curve) and session.curve[-1]["step"] > step, timeout=60_000)
    press(again, "pause")
    qtbot.waitUntil(lambda: session.phase == "paused", timeout=60_000)
    press(again, "pause")
    press(again, "stop")
    qtbot.waitUntil(lambda: session.phase == "setup", timeout=60_000)
    again.close_session()
    assert id(viewer) not in _workspaces


def test_preview_of_the_view_while_it_runs(viewer, tune, qtbot) -> None:
    add_discs(viewer, tune, qtbot)
    viewer.layers.selection.active = viewer.layers["disc 0"]
    tune.session.update(**LONG)
    press(tune, "train")
    tune.panel.preview_toggled.emit(True)
    qtbot.waitUntil(lambda: "disc 0 after" in viewer.layers, timeout=120_000)
    assert viewer.layers["disc 0 before"].data.any()
    tune.panel.preview_toggled.emit(False)
    assert "disc 0 after" not in viewer.layers
    # When it ends the box is as empty as the viewer.
    tune.panel.progress.preview.click()
    assert tune.tuning.preview.is_wanted
    tune.session.stop()
    qtbot.waitUntil(lambda: tune.session.phase == "setup", timeout=60_000)
    assert not tune.panel.progress.preview.isChecked()


def test_preview_has_the_channels_of_the_superpixels(viewer, tune, qtbot, monkeypatch, color_blocks) -> None:
    segment = SegmentDock(viewer)
    viewer.window.add_dock_widget(segment, name="Segment")
    viewer.add_image(np.moveaxis(color_blocks, 2, 0).copy(), name="stains")
    segment.source.channel_menu.setCurrentIndex(1)
    segment.source.channel_menu.activated.emit(1)
    views = []
    monkeypatch.setattr(tune.session, "set_view", lambda *view, **layout: views.append((view, layout)))
    tune.panel.preview_toggled.emit(True)
    qtbot.waitUntil(lambda: bool(views), timeout=10_000)
    (pixels, _), layout = views[0]
    assert pixels.shape == (3, 60, 80)
    assert layout == {"channel_axis": 0, "rgb": False}
    tune.panel.preview_toggled.emit(False)
    segment.close_session()


def test_two_viewers_share_nothing(make_napari_viewer, qtbot) -> None:
    viewers = [make_napari_viewer(), make_napari_viewer()]
    first, second = docks = [FineTuneDock(viewer) for viewer in viewers]
    for viewer, dock in zip(viewers, docks, strict=True):
        viewer.window.add_dock_widget(dock, name="Fine-tune")
    assert first.session is not second.session
    add_discs(viewers[0], first, qtbot, 1)
    first.session.update(steps=7)
    assert second.session.rows == ()
    assert second.session.params.steps is None
    for dock in docks:
        dock.close_session()
    qtbot.waitUntil(lambda: own_threads() == [], timeout=30_000)


def test_image_of_a_folder_is_compared_on_a_layer_that_goes_again(viewer, tune, tmp_path, qtbot) -> None:
    pairs = [TrainingItem(f"pair {i}", *discs(i)) for i in range(2)]
    write_training_folder(tmp_path / "pairs", pairs)
    tune.add_folder(tmp_path / "pairs")
    qtbot.waitUntil(lambda: len(tune.session.rows) == 2 and not tune.session.problem, timeout=60_000)
    press(tune, "train")
    qtbot.waitUntil(lambda: tune.session.phase in ("finished", "failed"), timeout=120_000)
    [image] = tune.session.report.images
    tune.panel.compare_requested.emit(image.name, "blink")
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=60_000)
    assert viewer.layers[0].name == f"{image.name} (compared)"
    assert np.array_equal(viewer.layers[0].data, {pair.name: pair.pixels for pair in pairs}[image.name])
    # After a restart the list is empty, and the image comes from the run.
    tune.panel.compare_requested.emit(image.name, "off")
    tune.tuning.comparison.forget()
    tune.session.set_rows([])
    assert len(viewer.layers) == 0
    tune.panel.compare_requested.emit(image.name, "blink")
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=60_000)
    assert np.array_equal(viewer.layers[0].data, {pair.name: pair.pixels for pair in pairs}[image.name])
    tune.session.discard()
    assert len(viewer.layers) == 0


def test_run_that_is_opened_again_is_compared_on_its_own_images(viewer, tune, tmp_path, qtbot) -> None:
    def list_pairs(folder, seed):
        write_training_folder(folder, [TrainingItem(f"pair {i}", *discs(seed + i)) for i in range(2)])
        tune.session.set_rows([])
        tune.add_folder(folder)
        qtbot.waitUntil(lambda: len(tune.session.rows) == 2 and not tune.session.problem, timeout=60_000)

    list_pairs(tmp_path / "first", 0)
    press(tune, "train")
    qtbot.waitUntil(lambda: tune.session.phase in ("finished", "failed"), timeout=120_000)
    [image] = tune.session.report.images
    list_pairs(tmp_path / "second", 10)
    tune.session.resume(tune.session.run_folder)
    qtbot.waitUntil(lambda: tune.session.phase == "finished", timeout=60_000)
    tune.panel.compare_requested.emit(image.name, "both")
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=60_000)
    assert np.array_equal(viewer.layers[0].data, discs(int(image.name[-1]))[0])


def test_closing_the_widget_ends_a_comparison(viewer, tune, tmp_path, qtbot) -> None:
    write_training_folder(tmp_path / "pairs", [TrainingItem(f"pair {i}", *discs(i)) for i in range(2)])
    tune.add_folder(tmp_path / "pairs")
    qtbot.waitUntil(lambda: len(tune.session.rows) == 2 and not tune.session.problem, timeout=60_000)
    press(tune, "train")
    qtbot.waitUntil(lambda: tune.session.phase in ("finished", "failed"), timeout=120_000)
    [image] = tune.session.report.images
    tune.panel.compare_requested.emit(image.name, "blink")
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=60_000)
    tune.close_session()
    assert len(viewer.layers) == 0


def test_folder_and_annotation_become_rows(viewer, tune, tmp_path, qtbot) -> None:
    press(tune, "add_annotation")
    assert tune.panel.status.text() == PAINT_FIRST
    write_training_folder(tmp_path / "pairs", [TrainingItem(f"pair {i}", *discs(i)) for i in range(2)])
    tune.add_folder(tmp_path / "pairs")
    qtbot.waitUntil(lambda: len(tune.session.rows) == 2 and not tune.session.problem, timeout=60_000)
    assert all(row.kind == "folder" and row.problem == "" for row in tune.session.rows)
    tune.add_folder(tmp_path)
    qtbot.waitUntil(lambda: "holds no images with labels" in tune.panel.status.text(), timeout=60_000)


def test_annotation_of_correct_is_followed(viewer, tune, dock, color_blocks, solve, qtbot) -> None:
    viewer.add_image(color_blocks, rgb=True, name="blocks")
    correct = CorrectDock(viewer)
    viewer.window.add_dock_widget(correct, name="Correct")
    solve()
    annotation = correct.layers.annotation
    annotation.add_class("one")
    annotation.paint([int(annotation.labels_plane[0, 0])])
    press(tune, "add_annotation")
    qtbot.waitUntil(lambda: tune.session.rows != () and tune.session.rows[0].digest != "", timeout=60_000)
    [row] = tune.session.rows
    assert (row.name, row.kind) == ("blocks", "annotation")
    annotation.paint([int(annotation.labels_plane[-1, -1])])
    qtbot.waitUntil(lambda: tune.session.rows[0].share_annotated > row.share_annotated, timeout=60_000)
    assert [row.name for row in tune.session.rows] == ["blocks"]
    correct.close_session()
    tune.close_session()


def test_annotation_that_closed_widgets_left_is_found(viewer, dock, color_blocks, solve, qtbot) -> None:
    viewer.add_image(color_blocks, rgb=True, name="blocks")
    correct = CorrectDock(viewer)
    viewer.window.add_dock_widget(correct, name="Correct")
    solve()
    annotation = correct.layers.annotation
    annotation.paint([int(annotation.labels_plane[0, 0])])
    correct.close_session()
    dock.close_session()
    viewer.add_image(color_blocks, rgb=True, name="another")
    n_layers = len(viewer.layers)
    tune = FineTuneDock(viewer)
    viewer.window.add_dock_widget(tune, name="Fine-tune")
    press(tune, "add_annotation")
    qtbot.waitUntil(lambda: tune.session.rows != () and tune.session.rows[0].digest != "", timeout=60_000)
    assert [(row.name, row.kind) for row in tune.session.rows] == [("blocks", "annotation")]
    assert len(viewer.layers) == n_layers
    tune.tuning.close()
    tune.close_session()


def test_a_plane_without_annotation_beside_one_that_has_some(
    viewer, tune, dock, color_blocks, solve, wait_result
) -> None:
    viewer.add_image(np.stack([color_blocks[..., 0]] * 2), name="stack")
    viewer.dims.set_current_step(0, 0)
    correct = CorrectDock(viewer)
    viewer.window.add_dock_widget(correct, name="Correct")
    solve()
    annotation = correct.layers.annotation
    annotation.paint([int(annotation.labels_plane[0, 0])])
    wait_result(lambda: viewer.dims.set_current_step(0, 1))
    press(tune, "add_annotation")
    assert tune.panel.status.text() == PAINT_THIS_PLANE
    assert tune.session.rows == ()
    correct.close_session()
    tune.close_session()


def test_closing_the_window_asks_and_stops_in_good_order(make_napari_viewer, qtbot) -> None:
    viewer = make_napari_viewer(show=True)
    tune = FineTuneDock(viewer)
    viewer.window.add_dock_widget(tune, name="Fine-tune")
    tune.session.update(**(TINY.model_dump() | LONG))
    add_discs(viewer, tune, qtbot)
    press(tune, "train")
    qtbot.waitUntil(lambda: tune.session.phase == "running", timeout=120_000)
    window, asked = tune.window(), []
    tune.tuning.guard._ask = lambda parent: asked.append(parent)
    assert not window.close()
    assert asked == [window]
    assert tune.session.is_running
    process = tune.session._process
    # What is left of the viewer is for the fixture: the window's own way of closing would end the application's.
    viewer.close()
    assert tune.tuning._is_closed
    qtbot.waitUntil(lambda: not process.is_running, timeout=60_000)
    assert np.any([True for path in tune.session.runs_folder.rglob("state.safetensors")])
    qtbot.waitUntil(lambda: own_threads() == [], timeout=30_000)
