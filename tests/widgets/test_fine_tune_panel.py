from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from qtpy.QtWidgets import QAbstractButton, QComboBox, QLabel, QLineEdit, QPushButton, QTableView, QWidget

from napari_superpixels.widgets.fine_tune_panel import FineTunePanel

from .fine_tune_cases import MODELS, FakeSession, make_curves, make_report, make_rows


@pytest.fixture
def state():
    return FakeSession()


@pytest.fixture
def panel(qtbot, state):
    layers = QComboBox()
    layers.setToolTip("The layers.")
    panel = FineTunePanel(state, lambda: MODELS, layers)
    qtbot.addWidget(panel)
    panel.resize(340, 800)
    panel.show()
    yield panel
    panel.close_session()


def button(panel, name: str) -> QPushButton:
    return panel.findChild(QPushButton, name)


def run_through(panel, state) -> None:
    """Let every part of the panel come into being."""
    state.set_rows(make_rows())
    state.set_phase("running", message="Step 1 of 300")
    make_curves(state)
    state.set_phase("finished", report=make_report())


def test_everything_is_named_and_explained(panel, state) -> None:
    run_through(panel, state)
    controls = [
        part
        for kind in (QAbstractButton, QComboBox, QLineEdit, QTableView)
        for part in panel.findChildren(kind)
        if not part.objectName().startswith("qt_") and part.objectName() not in ("role_sample",)
    ]
    own = [part for part in controls if part.parent() is not None and not isinstance(part.parent(), QTableView)]
    assert len(own) > 20
    for part in own:
        if part.toolTip() != "The layers.":
            assert part.objectName(), part
            assert part.toolTip() or part.objectName() in ("training_data", "results"), part.objectName()
    for name in ("train", "pause", "stop", "use", "discard", "resume", "discard_run", "estimate", "choose_runs_folder"):
        assert button(panel, name).toolTip()
    for name in ("add_folder", "add_layers", "add_annotation", "remove_data"):
        assert button(panel, name).toolTip()


@pytest.mark.parametrize("width", [300, 340, 400])
@pytest.mark.parametrize("phase", ["setup", "running", "paused", "failed", "finished"])
def test_fits_the_width_of_a_dock(panel, state, qtbot, width: int, phase: str) -> None:
    run_through(panel, state)
    rows = make_rows()
    state.set_rows([replace(rows[0], problem="Nothing is annotated: paint some superpixels in Correct."), *rows[1:]])
    state.set_phase(phase, message="What goes on, in as many words as that takes, which may be a great many.")
    panel.resize(width, 800)
    qtbot.waitUntil(lambda: panel.area.widget().width() <= panel.area.viewport().width())
    content = panel.area.widget()
    for part in content.findChildren(QWidget):
        if part.isVisible() and content.isAncestorOf(part) and not part.window() is not panel:
            right = part.mapTo(panel, part.rect().topRight()).x()
            inside_table = any(table.viewport().isAncestorOf(part) for table in content.findChildren(QTableView))
            assert right <= width or inside_table, (part.objectName(), type(part).__name__, right)


def test_parts_follow_the_phase(panel, state) -> None:
    assert (panel.setup.isVisible(), panel.progress.isVisible(), panel.result.isVisible()) == (True, False, False)
    for phase in ("starting", "running", "paused", "stopping"):
        state.set_phase(phase)
        assert (panel.setup.isVisible(), panel.progress.isVisible(), panel.result.isVisible()) == (False, True, False)
        assert not panel.controls.isVisible()
    state.set_phase("finished", report=make_report())
    assert (panel.setup.isVisible(), panel.progress.isVisible(), panel.result.isVisible()) == (False, False, True)
    make_curves(state)
    state.set_phase("failed", message="Out of memory.")
    assert (panel.setup.isVisible(), panel.progress.isVisible(), panel.result.isVisible()) == (True, True, False)
    assert not button(panel, "pause").isVisible()


def test_what_needs_the_viewer_is_asked_for(panel) -> None:
    asked = []
    panel.add_annotation_requested.connect(lambda: asked.append("annotation"))
    panel.add_layers_requested.connect(asked.append)
    panel.add_folder_requested.connect(lambda: asked.append("folder"))
    panel.runs_folder_requested.connect(lambda: asked.append("runs"))
    for name in ("add_annotation", "add_folder", "choose_runs_folder", "add_layers"):
        button(panel, name).click()
    zero = panel.findChild(QComboBox, "zero")
    zero.setCurrentIndex(1)
    button(panel, "add_layers").click()
    assert asked == ["annotation", "folder", "runs", "segment", "unannotated"]


def test_offers_the_newest_unfinished_run(panel, state) -> None:
    state.unfinished = [
        SimpleNamespace(folder=Path("new"), title="natural, step 120 of 300, today 18:02"),
        SimpleNamespace(folder=Path("old"), title="nuclei, step 7 of 300"),
    ]
    state.set_phase("setup")
    assert panel.offer.isVisible()
    assert "natural, step 120 of 300" in panel.offer.text.text()
    assert "(1 older)" in panel.offer.text.text()
    button(panel, "resume").click()
    assert state.asked == [("resume", Path("new"))]
    button(panel, "discard_run").click()
    assert "once more" in panel.offer.text.text()
    assert state.asked[1:] == []
    button(panel, "discard_run").click()
    assert state.asked[-1] == ("discard", Path("new"))
    assert "nuclei" in panel.offer.text.text()
    button(panel, "discard_run").click()
    assert "once more" in panel.offer.text.text()
    button(panel, "discard_run").click()
    assert not panel.offer.isVisible()


def test_acts_on_the_run_that_is_named_whatever_came_since(panel, state) -> None:
    """Another window may have ended a newer one."""
    old = SimpleNamespace(folder=Path("old"), title="old")
    state.unfinished = [old]
    state.set_phase("setup")
    state.unfinished = [SimpleNamespace(folder=Path("new"), title="new"), old]
    button(panel, "resume").click()
    button(panel, "discard_run").click()
    button(panel, "discard_run").click()
    assert state.asked == [("resume", Path("old")), ("discard", Path("old"))]
    assert panel.offer.text.text() == "new."


def test_failure_is_told_and_can_be_resumed(panel, state) -> None:
    message = "The loss is no longer a number after step 7: lower the learning rate."
    state.set_phase("failed", message=message, can_resume=True, run_folder=Path("run"))
    assert message in panel.offer.text.text()
    assert "is kept" in panel.offer.text.text()
    button(panel, "resume").click()
    assert state.asked == [("resume", Path("run"))]
    state.set_phase("failed", can_resume=False)
    assert not button(panel, "resume").isVisible()
    button(panel, "discard_run").click()
    assert state.asked[-1] == ("discard", None)
    assert not panel.offer.isVisible()


def test_folder_of_the_runs_is_shown(panel) -> None:
    label = panel.findChild(QLabel, "runs_folder")
    assert label.text() == "Trainings are kept nowhere yet"
    panel.set_runs_folder(Path("/somewhere/where/nobody/would/ever/look/for/it/again"))
    assert label.text().startswith("Kept in /")
    assert "again" in label.toolTip()


def test_tells_until_the_phase_changes(panel, state) -> None:
    state.told.emit("Saved as natural-tuned.")
    assert panel.status.isVisible()
    assert panel.status.text() == "Saved as natural-tuned."
    state.set_phase("starting")
    assert not panel.status.isVisible()
    panel.show_error("No.")
    assert panel.status.text() == "⚠ No."


def test_closed_panel_no_longer_listens(panel, state) -> None:
    state.set_phase("running")
    panel.close_session()
    state.set_phase("finished", report=make_report())
    state.set_rows(make_rows())
    state.told.emit("late")
    assert panel.progress.isVisible()
    assert not panel.result.isVisible()
    assert panel.data.model.rowCount() == 0
    assert panel.status.text() == ""
    assert state.asked == []


def test_preview_and_comparison_are_handed_on(panel, state) -> None:
    toggled, compared = Mock(), Mock()
    panel.preview_toggled.connect(toggled)
    panel.compare_requested.connect(compared)
    panel.set_preview(True)
    panel.set_compare("blink")
    toggled.assert_not_called()
    state.set_phase("running")
    panel.progress.preview.click()
    toggled.assert_called_once_with(False)
    state.set_phase("finished", report=make_report())
    panel.result.table.selectRow(1)
    compared.assert_called_once_with("held_out_1", "blink")
