"""Work that comes back: after a crash, after closing without saving, from projects."""

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_superpixels.data.mask_files import read_label_tiff
from napari_superpixels.engine.journal_reading import find_unfinished, restore
from napari_superpixels.engine.preferences import journal_folder
from napari_superpixels.engine.project import open_project
from napari_superpixels.plugin.correct_dock import CorrectDock
from napari_superpixels.plugin.regions import shown_region

from .correct_mouse import A, B, C, paint
from .painting_program import STROKES, UNDER_WAY, block_image


class Answers:
    """Stands for the user in file dialogs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name: str | None = None
        self.proposed = ""

    def ask_save(self, title: str, name: str, kinds: str) -> Path | None:
        self.proposed = name
        return None if self.name is None else self.folder / self.name

    def ask_open(self, title: str, kinds: str) -> Path | None:
        return self.ask_save(title, "", kinds)

    def ask_folder(self, title: str, present: Path) -> Path | None:
        return self.ask_save(title, "", "")


@pytest.fixture
def correct(correct, tmp_path):
    correct.files.dialogs = Answers(tmp_path)
    return correct


@pytest.fixture
def second(viewer, qtbot):
    """Return a function that opens a Correct widget after the others were closed, in the same or another viewer."""
    opened = []

    def open_second(where=viewer):
        widget = CorrectDock(where)
        qtbot.addWidget(widget)
        opened.append(widget)
        return widget

    yield open_second
    for widget in opened:
        widget.close_session()


def is_offered(correct) -> bool:
    return not correct.panel.offer.isHidden() and "was not saved" in correct.panel.offer.text.text()


def end_session(viewer, correct, dock) -> None:
    """Leave the image alone, as it is when napari is started again."""
    correct.close_session()
    dock.close_session()
    for name in ("blocks superpixels", "blocks classes"):
        viewer.layers.remove(name)


def save_project(correct, name, qtbot) -> Path:
    correct.files.dialogs.name = name
    correct.panel.files.save_project_requested.emit()
    path = correct.files.dialogs.folder / name
    qtbot.waitUntil(lambda: "Written" in correct.panel.status.text(), timeout=10_000)
    return path


def test_a_killed_program_loses_at_most_the_stroke_under_way(viewer, second, qtbot, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("NAPARI_SUPERPIXELS_JOURNALS", str(tmp_path / "journals"))
    command = [sys.executable, str(Path(__file__).with_name("painting_program.py"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as program:
        try:
            told = [program.stdout.readline().strip() for _ in range(len(STROKES) + 1)]
        finally:
            program.send_signal(signal.SIGKILL)
    assert told == ["stroke"] * len(STROKES) + ["under way"]
    viewer.add_image(block_image(), rgb=True, name="blocks")
    correct = second()
    assert correct.layers is None
    qtbot.waitUntil(lambda: is_offered(correct), timeout=20_000)
    assert f"({len(STROKES)} acts)" in correct.panel.offer.text.text()
    correct.panel.restore_requested.emit()
    qtbot.waitUntil(lambda: "is back" in correct.panel.status.text(), timeout=20_000)
    annotation = correct.layers.annotation
    for place in (place for stroke in STROKES for place in stroke):
        assert annotation.classes[place] == 1
    assert not any(annotation.classes[place] for place in UNDER_WAY)
    assert len(annotation.history.entries) == len(STROKES)
    assert np.array_equal(viewer.layers["blocks classes"].data, annotation.classes)
    assert len(np.unique(viewer.layers["blocks superpixels"].data)) == 12
    assert correct.session.params.n_segments == 12
    qtbot.waitUntil(lambda: annotation.result is not None, timeout=20_000)
    paint(correct, UNDER_WAY[0])
    assert annotation.classes[UNDER_WAY[0]] == 1
    for _ in range(len(STROKES) + 1):
        correct.undo()
    assert not annotation.classes.any()
    qtbot.waitUntil(lambda: find_unfinished(journal_folder()) == [], timeout=10_000)
    assert len(list(journal_folder().iterdir())) == 1


def test_unsaved_work_is_kept_offered_and_restored(viewer, correct, dock, second, qtbot) -> None:
    paint(correct, A, B)
    paint(correct, A, C, tool="merge")
    kept = correct.layers.annotation.snapshot()
    end_session(viewer, correct, dock)
    again = second()
    qtbot.waitUntil(lambda: is_offered(again), timeout=10_000)
    again.panel.restore_requested.emit()
    qtbot.waitUntil(lambda: again.reason == "" and again.layers is not None, timeout=10_000)
    annotation = again.layers.annotation
    assert annotation.labels.tobytes() == kept.labels.tobytes()
    assert annotation.classes.tobytes() == kept.classes.tobytes()
    assert annotation.corrections == kept.planes[None, None].corrections != ()
    assert annotation.table == kept.table
    assert [layer.name for layer in viewer.layers] == ["blocks", "blocks superpixels", "blocks classes"]
    qtbot.waitUntil(lambda: again.hierarchy.is_ready, timeout=20_000)
    assert again.hierarchy.n_regions(0) == len(annotation.index)
    again.undo()
    again.undo()
    assert not annotation.classes.any()


def test_work_on_an_image_that_was_not_read_to_its_end_is_offered_by_name(
    viewer, correct, dock, second, qtbot, monkeypatch
) -> None:
    monkeypatch.setattr("napari_superpixels.engine.journal.hash_in_parts", lambda pixels: itertools.repeat(""))
    paint(correct, A, B)
    end_session(viewer, correct, dock)
    [left] = find_unfinished(journal_folder())
    assert (left.image.name, left.image.sha256) == ("blocks", "")
    again = second()
    qtbot.waitUntil(lambda: is_offered(again), timeout=10_000)
    again.close_session()
    viewer.layers["blocks"].name = "another"
    other = second()
    qtbot.wait(500)
    assert not is_offered(other)


def test_work_begun_before_restoring_is_kept_too(viewer, correct, dock, second, qtbot) -> None:
    paint(correct, A, B)
    labels = correct.layers.superpixels.data.copy()
    end_session(viewer, correct, dock)
    again = second()
    qtbot.waitUntil(lambda: is_offered(again), timeout=10_000)
    region = shown_region(viewer.layers["blocks"], viewer.dims)
    layers = again._workspace.attach(region, labels)
    layers.annotation.paint([int(layers.annotation.labels[C])], 1)
    again.panel.restore_requested.emit()
    qtbot.waitUntil(lambda: len(layers.annotation.history.entries) == 1 and is_offered(again), timeout=10_000)
    assert layers.annotation.classes[B] == 1
    [left] = find_unfinished(journal_folder())
    assert restore(left.path).state.classes[C] == 1


def test_copied_superpixels_are_unsaved_work(viewer, correct, dock) -> None:
    annotation = correct.layers.annotation
    annotation.take_superpixels(np.where(annotation.labels_plane > 6, 2, 1))
    assert correct.layers.journal.has_unsaved_work
    correct.close_session()
    dock.close_session()
    [left] = find_unfinished(journal_folder())
    assert left.n_acts == 1


def test_an_image_that_goes_takes_leave(viewer, correct, qtbot) -> None:
    paint(correct, A, B)
    viewer.layers.remove("blocks")
    assert "is in no project file" in correct.panel.status.text()
    viewer.layers.remove("blocks classes")
    viewer.layers.remove("blocks superpixels")
    viewer.add_image(255 - block_image(), rgb=True, name="blocks")
    qtbot.wait(500)
    assert not is_offered(correct)  # of the same shape and name, but another


def test_offers_are_discarded_when_asked_twice(viewer, correct, dock, second, qtbot) -> None:
    paint(correct, A, B)
    end_session(viewer, correct, dock)
    again = second()
    qtbot.waitUntil(lambda: is_offered(again), timeout=10_000)
    again.panel.discard_requested.emit()
    assert "once more" in again.panel.offer.text.text()
    assert len(find_unfinished(journal_folder())) == 1
    again.panel.discard_requested.emit()
    qtbot.waitUntil(lambda: again.panel.offer.isHidden(), timeout=10_000)
    qtbot.waitUntil(lambda: list(journal_folder().iterdir()) == [], timeout=10_000)


def test_saved_work_leaves_no_journal(correct, dock, qtbot) -> None:
    paint(correct, A, B)
    path = save_project(correct, "work.nsp", qtbot)
    project = open_project(path)
    assert project.settings["layer"]["axis_labels"] == list(correct.layers.image.axis_labels)
    assert project.settings["segmentation"]["parameters"]["n_segments"] == 12
    correct.close_session()
    dock.close_session()
    assert list(journal_folder().iterdir()) == []


def test_acts_after_saving_are_kept(correct, dock, qtbot) -> None:
    paint(correct, A)
    save_project(correct, "work.nsp", qtbot)
    paint(correct, B)
    correct.close_session()
    dock.close_session()
    [left] = find_unfinished(journal_folder())
    assert restore(left.path).state.classes[B] == 1


def test_an_opened_project_goes_on(correct, viewer, make_napari_viewer, color_blocks, second, qtbot, tmp_path) -> None:
    paint(correct, A, B)
    paint(correct, A, C, tool="merge")
    kept = correct.layers.annotation.snapshot()
    path = save_project(correct, "work.nsp", qtbot)
    for name in ("blocks", "blocks superpixels", "blocks classes"):
        viewer.layers.remove(name)
    viewer.add_image(color_blocks, rgb=True, name="blocks")
    layers = viewer.open(str(path), plugin="napari-superpixels")
    assert [layer.name for layer in layers] == ["blocks superpixels", "blocks classes"]
    qtbot.waitUntil(lambda: correct.layers is not None and correct.reason == "", timeout=10_000)
    annotation = correct.layers.annotation
    assert correct.layers.layers == tuple(layers)
    assert annotation.corrections == kept.planes[None, None].corrections
    assert annotation.classes.tobytes() == kept.classes.tobytes()
    assert len(annotation.history.entries) == len(kept.entries)
    correct.undo()
    correct.undo()
    assert not layers[1].data.any()
    correct.redo()
    correct.redo()
    assert layers[0].data.tobytes() == kept.labels.tobytes()
    assert not correct.layers.journal.has_unsaved_work


def test_seeds_of_an_opened_project_are_seeds_again(correct, dock, viewer, color_blocks, qtbot, wait_result) -> None:
    points = viewer.add_points([[10, 10], [50, 10], [30, 70]], name="mine")
    assert dock.source.seed_menu.choose(points)
    wait_result(lambda: dock.source.seed_menu.activated.emit(0))
    paint(correct, A)
    kept = correct.layers.annotation.snapshot()
    path = save_project(correct, "work.nsp", qtbot)
    viewer.layers.clear()
    viewer.add_image(color_blocks, rgb=True, name="blocks")
    *_, seeds = viewer.open(str(path), plugin="napari-superpixels")
    assert dock.source.seeds is seeds
    qtbot.waitUntil(lambda: correct.layers is not None and correct.reason == "", timeout=10_000)
    assert correct.layers.annotation.labels.tobytes() == kept.labels.tobytes()
    result = wait_result(lambda: dock.session.update(color_weight=0.5))
    assert result.superpixels.seeds.tolist() == [[10, 10], [50, 10], [30, 70]]


def test_repairs_of_an_opened_project_know_the_seeds(correct, dock, viewer, color_blocks, qtbot, wait_result) -> None:
    points = viewer.add_points([[10, 10], [50, 10], [30, 70]], name="mine")
    assert dock.source.seed_menu.choose(points)
    wait_result(lambda: dock.source.seed_menu.activated.emit(0))
    paint(correct, A)
    path = save_project(correct, "work.nsp", qtbot)
    dock.close_session()
    viewer.layers.clear()
    viewer.add_image(color_blocks, rgb=True, name="blocks")
    viewer.open(str(path), plugin="napari-superpixels")
    qtbot.waitUntil(lambda: correct.layers is not None and correct.reason == "", timeout=10_000)
    correct.layers.recall_result()
    qtbot.waitUntil(lambda: correct.layers.annotation.result is not None, timeout=10_000)
    assert correct.layers.annotation.result.superpixels.seeds.tolist() == [[10, 10], [50, 10], [30, 70]]


def test_files_that_are_there_are_not_replaced_unasked(correct, tmp_path) -> None:
    (tmp_path / "mine.v2.nsp").write_text("precious")
    correct.files.dialogs.name = "mine.v2"
    correct.panel.files.save_project_requested.emit()
    assert "is there already" in correct.panel.status.text()
    assert (tmp_path / "mine.v2.nsp").read_text() == "precious"


def test_the_folder_is_moved_with_its_journal(correct, tmp_path, qtbot) -> None:
    paint(correct, A)
    old = journal_folder()
    correct.files.dialogs.name = "elsewhere"
    correct.panel.files.journal_folder_requested.emit()
    assert journal_folder() == tmp_path / "elsewhere" == correct.layers.journal.folder
    assert list(old.iterdir()) == []
    [path] = (tmp_path / "elsewhere").iterdir()
    assert restore(path).state.classes[A] == 1
    assert str(tmp_path / "elsewhere") in correct.panel.files.journal.text.toolTip()


def test_a_folder_that_cannot_be_written_is_told_once(correct, tmp_path, qtbot) -> None:
    (tmp_path / "file").write_text("")
    paint(correct, A)
    correct.files.dialogs.name = "file"
    old = journal_folder()
    correct.panel.files.journal_folder_requested.emit()
    assert "cannot be written" in correct.panel.status.text()
    assert len(list(old.iterdir())) == 1
    told = []
    correct.layers.journal.failed.connect(told.append)
    for place in (B, C):
        paint(correct, place)
    qtbot.wait(300)
    assert correct.layers.annotation.classes[C] == 1
    assert len(told) <= 1


@pytest.mark.parametrize("channel_axis", [None, 0], ids=["stack", "channels"])
def test_stacks_and_channels_come_back(viewer, dock, solve, qtbot, tmp_path, noisy_disks, channel_axis) -> None:
    viewer.add_image(np.stack([noisy_disks, noisy_disks[::-1], noisy_disks]), name="stack", scale=(3, 0.5, 0.5))
    correct = CorrectDock(viewer)
    viewer.window.add_dock_widget(correct, name="Correct")
    correct.files.dialogs = Answers(tmp_path)
    if channel_axis is not None:
        menu = dock.source.channel_menu
        menu.setCurrentIndex(menu.findData(channel_axis))
        dock.source.changed.emit()
    viewer.dims.set_point(0, 0)
    solve()
    annotation = correct.layers.annotation
    annotation.paint([int(annotation.labels[0, 50, 50])])
    correct.files.dialogs.name = "classes.tif"
    correct.panel.files.export_requested.emit("tiff")
    qtbot.waitUntil(lambda: "Written" in correct.panel.status.text(), timeout=10_000)
    assert read_label_tiff(tmp_path / "classes.tif").classes.ndim == (3 if channel_axis is None else 2)
    kept = annotation.snapshot()
    correct.undo()
    correct.panel.files.import_requested.emit("tiff")
    qtbot.waitUntil(lambda: annotation.classes.tobytes() == kept.classes.tobytes(), timeout=10_000)
    correct.undo()
    correct.redo()
    path = save_project(correct, "work.nsp", qtbot)
    viewer.layers.clear()
    viewer.add_image(np.stack([noisy_disks, noisy_disks[::-1], noisy_disks]), name="stack", scale=(3, 0.5, 0.5))
    viewer.dims.set_point(0, 0)
    correct.files.dialogs.name = path.name
    correct.panel.files.open_project_requested.emit()
    qtbot.waitUntil(lambda: correct.layers is not None, timeout=10_000)
    again = correct.layers.annotation
    assert again.labels.tobytes() == kept.labels.tobytes()
    assert again.classes.tobytes() == kept.classes.tobytes()
    assert dock.source.channel_axis == channel_axis
    viewer.dims.set_point(1, 20)
    qtbot.wait(200)  # until Segment has followed the viewer
    assert correct.layers.region.channel_axis == channel_axis
    again.paint([int(again.labels[0, 5, 5])])
    assert (again.classes[:, 5, 5] > 0).tolist() == [True, channel_axis is not None, channel_axis is not None]
    correct.close_session()


@pytest.mark.parametrize("kind", ["tiff", "coco"])
def test_exports_do_not_replace_the_image(viewer, dock, solve, tmp_path, qtbot, color_blocks, kind) -> None:
    path = tmp_path / "cells.tif"
    tifffile.imwrite(path, color_blocks)
    viewer.open(path, plugin="napari")
    solve()
    correct = CorrectDock(viewer)
    viewer.window.add_dock_widget(correct, name="Correct")
    correct.files.dialogs = answers = Answers(tmp_path)
    paint(correct, A)
    before = path.read_bytes()
    answers.name = "cells.tif"
    correct.panel.files.export_requested.emit("tiff")
    assert "is the image itself and was not replaced" in correct.panel.status.text()
    assert path.read_bytes() == before
    answers.name = "out.tif" if kind == "tiff" else "out.json"
    correct.panel.files.export_requested.emit(kind)
    assert answers.proposed == f"cells_classes{'.tif' if kind == 'tiff' else '.json'}"
    qtbot.waitUntil(lambda: "Written" in correct.panel.status.text(), timeout=10_000)
    if kind == "coco":
        content = json.loads((tmp_path / "out.json").read_text())
        assert [image["file_name"] for image in content["images"]] == ["cells.tif"]
    correct.close_session()
