"""The Correct panel's controls in a viewer: levels, doubts, suggestions, files, journal."""

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

from napari_superpixels.data.class_table import read_class_table

from .correct_mouse import A, B, C, D, FakeMouse, paint


@pytest.fixture
def correct(correct, qtbot):
    qtbot.waitUntil(lambda: correct.hierarchy.is_ready, timeout=10_000)
    return correct


@pytest.fixture
def answer(monkeypatch, tmp_path):
    """Return a function that lets the next file dialog be answered with a file of this name."""

    def choose(name: str):
        path = tmp_path / name
        for dialog in ("getSaveFileName", "getOpenFileName"):
            monkeypatch.setattr(QFileDialog, dialog, lambda *_: (str(path), ""))
        return path

    return choose


def test_buttons_and_tools_agree(correct) -> None:
    correct.panel.tools.buttons["split"].click()
    assert correct.tools.active == "split"
    correct.choose_tool("cut")
    assert correct.panel.tools.tool == "cut"
    correct.panel.tools.look.click()
    assert correct.tools.active == ""


def test_levels_are_shown_as_lines(viewer, correct, qtbot) -> None:
    correct.panel.level.level_chosen.emit(0.8)
    qtbot.waitUntil(lambda: "blocks coarser superpixels" in viewer.layers, timeout=10_000)
    lines = viewer.layers["blocks coarser superpixels"]
    assert 0 < np.count_nonzero(lines.data) < np.count_nonzero(correct.layers.annotation.labels)
    paint(correct, A)
    assert len(np.unique(correct.layers.annotation.labels[correct.layers.annotation.classes > 0])) > 1
    correct.panel.level.level_chosen.emit(0.0)
    assert "blocks coarser superpixels" not in viewer.layers


def test_doubtful_are_visited_and_checked(viewer, correct, qtbot) -> None:
    annotation = correct.layers.annotation
    annotation.classes_plane[5:15, 5:15] = 0
    paint(correct, A)
    annotation.replace_classes(np.where(np.arange(80) < 5, 0, annotation.classes).astype(np.uint8))
    correct.doubts.next()
    found = correct.doubts._present
    assert found.reason == "mixed classes"
    camera = getattr(viewer, "scene", viewer).camera
    assert np.allclose(camera.center[-2:], found.position, atol=1e-6)
    correct.doubts.check()
    assert found.label in annotation.checked_labels()
    correct.doubts.check()
    assert found.label not in annotation.checked_labels()
    correct.doubts.previous()


def test_suggestions_are_shown_accepted_and_rejected(viewer, correct, qtbot) -> None:
    annotation = correct.layers.annotation
    paint(correct, A, B)
    annotation.add_class("other")
    paint(correct, (50, 10), (50, 30))
    correct.panel.suggestions.suggest_toggled.emit(True)
    qtbot.waitUntil(lambda: correct.suggestions.suggester.current is not None, timeout=20_000)
    qtbot.waitUntil(lambda: "blocks suggestions" in viewer.layers, timeout=10_000)
    shown = viewer.layers["blocks suggestions"].data
    assert not shown[annotation.classes > 0].any()
    correct.panel.suggestions.accept_in_lasso_toggled.emit(True)
    assert correct.tools.active == "accept_lasso"
    FakeMouse(correct.layers.classes).drag((1, 41), (1, 59), (19, 59), (19, 41))
    assert annotation.classes[C] > 0
    assert annotation.classes[D] == 0
    assert annotation.history.last.name == "Accept suggestions"
    qtbot.waitUntil(lambda: correct.suggestions.suggester.current is not None, timeout=20_000)
    correct.panel.suggestions.accept_requested.emit(0.0)
    assert annotation.classes.all()
    correct.undo()
    qtbot.waitUntil(lambda: "blocks suggestions" in viewer.layers, timeout=10_000)
    viewer.layers.remove("blocks suggestions")
    assert not correct.suggestions.is_wanted


def test_outlines_are_hidden_and_shown(viewer, correct) -> None:
    correct.panel.superpixels_toggled.emit(False)
    assert not viewer.layers["blocks superpixels"].visible
    correct.panel.superpixels_toggled.emit(True)
    assert viewer.layers["blocks superpixels"].visible


def test_files_go_out_and_come_in(correct, answer, qtbot) -> None:
    paint(correct, A, B)
    annotation = correct.layers.annotation
    kept = annotation.classes.copy()
    path = answer("classes.tif")
    correct.panel.files.export_requested.emit("tiff")
    qtbot.waitUntil(path.exists, timeout=10_000)
    project = answer("work.nsp")
    correct.panel.files.save_project_requested.emit()
    qtbot.waitUntil(project.exists, timeout=10_000)
    table = answer("table.csv")
    correct.panel.classes.export_requested.emit()
    qtbot.waitUntil(table.exists, timeout=10_000)
    assert read_class_table(table) == annotation.table
    correct.undo()
    answer("classes.tif")
    correct.panel.files.import_requested.emit("tiff")
    qtbot.waitUntil(lambda: np.array_equal(annotation.classes, kept), timeout=10_000)
    assert annotation.history.last.name == "Import classes.tif"
    annotation.remove_class(1)
    answer("work.nsp")
    correct.panel.files.open_project_requested.emit()
    qtbot.waitUntil(lambda: np.array_equal(annotation.classes, kept), timeout=10_000)
    answer("nowhere.nsp")
    correct.panel.files.open_project_requested.emit()
    qtbot.waitUntil(lambda: "nowhere.nsp" in correct.panel.status.text(), timeout=10_000)


def test_brush_of_napari_is_an_act(correct) -> None:
    annotation, classes = correct.layers.annotation, correct.layers.classes
    classes.selected_label = 1
    classes.paint((10, 10), 1)
    assert annotation.history.last.name.startswith("Brush")
    correct.undo()
    assert not classes.data.any()
    superpixels = correct.layers.superpixels
    before = superpixels.data.copy()
    taken, taker = int(before[A]), int(before[B])
    superpixels.brush_size = 5
    superpixels.paint((10, 19), taker)
    assert superpixels.data[10, 19] == taker != taken
    assert annotation.index.label_at((10, 19)) == taker
    correct.undo()
    assert np.array_equal(superpixels.data, before)


@pytest.mark.parametrize("number", [-1, 2_000_000_000])
def test_numbers_that_no_superpixel_can_have(correct, qtbot, number) -> None:
    annotation, superpixels = correct.layers.annotation, correct.layers.superpixels
    before = superpixels.data.copy()
    usable = 0 if number < 0 else annotation.index.next_label

    def assert_usable(row: int, column: int) -> None:
        qtbot.waitUntil(lambda: superpixels.data[row, column] == usable, timeout=10_000)
        assert annotation.index.label_at((row, column)) == usable
        assert superpixels.data.min() >= 0
        assert superpixels.data.max() <= annotation.index.next_label
        correct.undo()
        assert np.array_equal(superpixels.data, before)

    with superpixels.block_history():
        superpixels.paint((10, 19), number)
        superpixels.paint((10, 20), number)
    superpixels._commit_staged_history()
    assert_usable(10, 20)
    superpixels.paint_polygon([(5, 5), (5, 15), (15, 15), (15, 5)], number)
    assert_usable(10, 10)


def test_the_box_says_whether_outlines_are_shown(viewer, correct, dock, color_blocks, solve) -> None:
    box, superpixels = correct.panel.show_superpixels, correct.layers.superpixels
    assert box.isChecked()
    superpixels.visible = False
    assert not box.isChecked()
    box.click()
    assert (box.isChecked(), superpixels.visible) == (True, True)
    dock.results.toggle(correct.layers.image)
    assert not box.isChecked()
    other = viewer.add_image(color_blocks[::-1], rgb=True, name="other")
    solve()
    assert correct.layers.image is other
    assert box.isChecked()
    box.click()
    assert not correct.layers.superpixels.visible
    assert not superpixels.visible
    box.click()
    assert not superpixels.visible


def test_doubtful_superpixels_are_marked_without_a_tool(viewer, correct) -> None:
    assert correct.tools.active == ""
    mixed = np.tile(np.where(np.arange(80) < 5, 0, 1), (60, 1)).astype(np.uint8)
    correct.layers.annotation.replace_classes(mixed)
    correct.doubts.next()
    assert viewer.layers["blocks cursor"].data.any()
