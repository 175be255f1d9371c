import itertools
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtTest import QTest

from napari_superpixels.params import PRESET_VALUES
from napari_superpixels.widgets.fine_tune_curves import FineTuneCurves, curve_colors, smoothed
from napari_superpixels.widgets.fine_tune_result import FineTuneResult
from napari_superpixels.widgets.fine_tune_run import FineTuneProgress
from napari_superpixels.widgets.fine_tune_setup import FineTuneForm, TrainControls
from napari_superpixels.widgets.fine_tune_wording import duration, rough_duration, verdict

from .fine_tune_cases import BR, MODELS, UE, FakeSession, make_curves, make_report, make_rows


@pytest.fixture
def state():
    return FakeSession()


def shown(qtbot, widget):
    qtbot.addWidget(widget)
    widget.resize(330, 600)
    widget.show()
    return widget


@pytest.fixture
def form(qtbot, state):
    form = shown(qtbot, FineTuneForm(state, lambda: MODELS))
    yield form
    form.close_session()


@pytest.fixture
def controls(qtbot, state):
    controls = shown(qtbot, TrainControls(state))
    yield controls
    controls.close_session()


@pytest.fixture
def progress(qtbot, state):
    progress = shown(qtbot, FineTuneProgress(state))
    yield progress
    progress.close_session()


@pytest.fixture
def curves(qtbot, state):
    return shown(qtbot, FineTuneCurves(state))


@pytest.fixture
def result(qtbot, state):
    result = shown(qtbot, FineTuneResult(state, lambda: MODELS))
    state.set_phase("finished", report=make_report())
    yield result
    result.close_session()


def test_starts_from_a_model_and_never_from_none(form, state) -> None:
    combo = form.rows["start"].combo
    assert [combo.itemText(i) for i in range(combo.count())] == ["natural", "nuclei", "Open model file…"]
    combo.setCurrentIndex(1)
    combo.activated.emit(1)
    assert state.params.start == "nuclei"
    state.update(start="/models/mine.safetensors")
    assert combo.currentText() == "mine"
    assert form.rows["start"].value() == "/models/mine.safetensors"


def test_preset_decides_until_the_user_does(form, state) -> None:
    form.advanced.button.click()
    row, quick, thorough = form.rows["steps"], PRESET_VALUES["quick"]["steps"], PRESET_VALUES["thorough"]["steps"]
    assert quick != thorough
    assert (row.value(), row.number.value(), row.number.isEnabled()) == (None, quick, False)
    state.update(preset="thorough")
    assert (row.value(), row.number.value()) == (None, thorough)
    row.own.click()
    assert state.params.steps == thorough
    assert row.number.isEnabled()
    state.update(preset="quick")
    assert row.value() == thorough
    row.own.click()
    assert state.params.steps is None
    assert row.number.value() == quick


def test_says_what_a_preset_does_not_use(form, state) -> None:
    form.advanced.button.click()
    row = form.rows["patience"]
    assert PRESET_VALUES["quick"]["patience"] is None
    assert row.unused.isVisible()
    assert not row.number.isVisible()
    row.own.click()
    assert row.number.isVisible()
    assert not row.unused.isVisible()
    assert state.params.patience == row.number.value()
    row.own.click()
    assert row.unused.isVisible()
    state.update(preset="thorough")
    assert row.number.value() == PRESET_VALUES["thorough"]["patience"]
    assert row.number.isVisible()


def test_small_numbers_keep_their_digits(form, state) -> None:
    state.update(learning_rate=0.0003)
    assert form.rows["learning_rate"].number.box.value() == 0.0003


def test_every_parameter_is_named_and_explained(form, state) -> None:
    for name, field in type(state.params).model_fields.items():
        control = form.findChild(object, name)
        assert control.toolTip()
        assert control.accessibleName() == field.title


def test_train_says_why_it_waits(controls, state) -> None:
    assert not controls.train.isEnabled()
    assert controls.reason.isVisible()
    assert controls.reason.text() == "Train waits: Add at least one image with annotations."
    assert "Add at least one image" in controls.train.toolTip()
    state.set_rows(make_rows())
    assert not controls.reason.isVisible()
    controls.train.click()
    assert state.asked == [("train",)]


def test_estimate_is_asked_for_and_shown(controls, state) -> None:
    state.set_rows(make_rows())
    controls.estimate.click()
    assert state.asked == [("request_estimate",)]
    state.is_estimating = True
    state.estimated.emit()
    assert not controls.estimate.isEnabled()
    assert "Timing" in controls.estimate_text.text()
    state.is_estimating, state.estimate = False, SimpleNamespace(seconds=131, step_seconds=0.3, check_seconds=1.2)
    state.estimated.emit()
    assert controls.estimate_text.text() == "Takes about 2 min on this computer."
    assert "300 ms for a step" in controls.estimate_text.toolTip()
    state.estimate = None
    state.update(n_segments=500)
    assert "How long" in controls.estimate_text.text()


def test_progress_says_what_goes_on(progress, state, qtbot) -> None:
    state.set_phase("running", progress=0.25, seconds_left=94.0, message="Step 75 of 300")
    assert (progress.title.text(), progress.bar.value(), progress.left.text()) == ("Training", 250, "1 min 34 s left")
    state.progress, state.seconds_left, state.message = 0.5, 59.0, "Step 150 of 300"
    state.progressed.emit()
    qtbot.waitUntil(lambda: progress.bar.value() == 500)
    assert (progress.left.text(), progress.message.text()) == ("59 s left", "Step 150 of 300")


def test_progress_counts_steps_while_there_is_no_message(progress, state, qtbot) -> None:
    state.set_phase("running", message="")
    assert progress.message.text() == ""
    make_curves(state)
    state.progressed.emit()
    qtbot.waitUntil(lambda: progress.message.text() == "Step 260 · 5 checks")
    state.epochs = []
    progress.refresh()
    assert progress.message.text() == "Step 260 · no check yet"


def test_pause_and_go_on_and_stop(progress, state) -> None:
    state.set_phase("starting")
    assert not progress.pause.isEnabled()
    assert progress.stop.isEnabled()
    state.set_phase("running")
    progress.pause.click()
    state.set_phase("paused")
    assert progress.pause.text() == "Go on"
    progress.pause.click()
    progress.stop.click()
    state.set_phase("stopping")
    assert not progress.stop.isEnabled()
    assert state.asked == [("pause",), ("go",), ("stop",)]


def test_curves_show_the_session(curves, state) -> None:
    assert curves.loss.isHidden()
    assert curves.error.isHidden()
    make_curves(state)
    curves.redraw()
    assert not curves.loss.isHidden()
    steps, losses = curves.loss.raw.getData()
    assert len(steps) == 260
    np.testing.assert_allclose(losses, [point["loss"] for point in state.curve])
    for plot, measure in ((curves.error, UE), (curves.recall, BR)):
        steps, values = plot.curve.getData()
        assert list(steps) == [0, 50, 100, 150, 200, 250]
        np.testing.assert_allclose(values, [state.baseline[measure], *(epoch[measure] for epoch in state.epochs)])
        np.testing.assert_allclose(plot.start.getData()[1], state.baseline[measure])


def test_curves_are_drawn_at_most_four_times_a_second(progress, state, qtbot, monkeypatch) -> None:
    state.set_phase("running")
    make_curves(state)
    drawn = []
    monkeypatch.setattr(progress.curves.loss, "show_values", lambda *values: drawn.append(len(values[0])) or True)
    progress.curves.redraw()
    drawn.clear()
    for _ in range(50):
        state.curve_changed.emit()
        qtbot.wait(10)
    assert 1 <= len(drawn) <= 3
    assert drawn[-1] == 260


def test_plots_take_turns(progress, state, qtbot, monkeypatch) -> None:
    state.set_phase("running")
    turns = []
    for name in ("loss", "error", "recall"):
        plot = getattr(progress.curves, name)
        show = plot.show_values

        def note(*values, name=name, show=show) -> bool:
            return show(*values) and (turns.append((name, time.monotonic())) or True)

        monkeypatch.setattr(plot, "show_values", note)
    make_curves(state)
    state.curve_changed.emit()
    qtbot.waitUntil(lambda: len(turns) == 3)
    assert [name for name, _ in turns] == ["error", "recall", "loss"]
    assert all(second[1] - first[1] > 0.1 for first, second in itertools.pairwise(turns))


def test_axes_stand_still_while_values_come(curves, state) -> None:
    """An axis takes tens of milliseconds to be drawn anew."""
    make_curves(state)
    state.n_steps = 1000
    curves.redraw()
    plots = (curves.loss, curves.error, curves.recall)
    ranges = [plot.box.viewRange() for plot in plots]
    assert all(-50 <= x[0] <= 0 and 1000 <= x[1] <= 1050 for x, _ in ranges)
    errors = curves.error.curve.getData()[0]
    state.curve += [{"step": 260.0 + i, "loss": state.curve[-1]["loss"]} for i in range(1, 40)]
    curves.redraw()
    assert [plot.box.viewRange() for plot in plots] == ranges
    assert len(curves.loss.raw.getData()[0]) == 299
    assert curves.error.curve.getData()[0] is errors


def test_curves_survive_values_that_are_no_numbers(curves, state) -> None:
    make_curves(state)
    state.curve[-1] = {"step": 260, "loss": float("nan")}
    curves.redraw()
    assert len(curves.loss.raw.getData()[0]) == 259
    assert curves.redraw(n_plots=1)  # nothing is left to draw


def test_curves_have_the_window_s_colors(curves, state, qapp) -> None:
    make_curves(state)
    curves.redraw()
    for color in ("#ffffff", "#000000"):
        curves.setStyleSheet(f"QWidget {{ color: {color} }}")
        qapp.processEvents()
        assert curves.loss.axes["left"].textPen().color().name() == color
        text = curves.palette().color(curves.foregroundRole())
        wanted = curve_colors(text)["curve"].name()
        assert curves.error.curve.opts["pen"].color().name() == wanted
        assert wanted in curves.legend.text()


def test_smoothing_keeps_lines_and_lessens_noise() -> None:
    np.testing.assert_allclose(smoothed(np.full(7, 3.0)), 3.0)
    line = np.arange(200.0)
    np.testing.assert_allclose(smoothed(line)[20:-20], line[20:-20])
    noise = np.random.default_rng(0).normal(size=500)
    assert smoothed(noise).std() < 0.4 * noise.std()
    assert len(smoothed(np.array([]))) == 0


def test_verdict_of_a_better_model(result) -> None:
    assert result.headline.text() == "Boundary errors fell by 12 % on 2 images that it had not seen."
    assert "0.0400 → 0.0351" in result.detail.text()
    assert "300 steps in 1 min 52 s: all steps done." in result.detail.text()
    assert "What to try" not in result.detail.text()


def test_verdict_of_a_worse_model_is_plain() -> None:
    words = verdict(make_report(0.0432, n=1))
    assert words.headline == "It got worse: boundary errors rose by 8 % on 1 image that it had not seen."
    assert "What to try: annotate more images" in words.detail
    assert "Your start model is unchanged." in words.detail


def test_measures_that_disagree_are_explained() -> None:
    report = make_report(0.0432)
    words = verdict(report.model_copy(update={"after": {**report.after, BR: report.before[BR] + 0.01}}))
    assert words.headline.startswith("It got worse")
    assert "More borders are met, but superpixels mix objects more" in words.detail
    assert "borders are met" not in verdict(report).detail


def test_verdict_of_a_model_that_is_the_same() -> None:
    words = verdict(make_report(0.0401))
    assert words.headline.startswith("It did not get better: boundary errors stayed as they were")
    assert "fell by 0.5 %" in verdict(make_report(0.0398)).headline


def test_without_a_check_there_is_nothing_to_use(result, state) -> None:
    images = [image.model_copy(update={"after": {}}) for image in make_report().images]
    changes = {"after": {}, "best": None, "reason": "stopped", "images": tuple(images)}
    state.set_phase("finished", report=make_report().model_copy(update=changes))
    assert "stopped before its first check" in result.headline.text()
    assert result.model.index(0, 2).data() == "–"
    assert not result.use.isEnabled()
    assert "no new model" in result.name_problem.text()
    assert not result.compare.isEnabled()


def test_notes_of_the_report_are_told(result, state) -> None:
    state.set_phase("finished", report=make_report(notes=("One half trained, the other validated.",)))
    assert "One half trained" in result.detail.text()


def test_table_shows_before_and_after(result) -> None:
    model = result.model
    cells = [[model.index(row, column).data() for column in range(5)] for row in range(model.rowCount())]
    assert cells == [
        ["held_out_0", "0.0450", "0.0401", "0.850", "0.865"],
        ["held_out_1", "0.0350", "0.0301", "0.870", "0.885"],
    ]
    assert model.index(0, 2).data(Qt.ItemDataRole.FontRole).bold()
    assert model.index(0, 1).data(Qt.ItemDataRole.FontRole) is None


def test_choosing_an_image_compares_it(result, state) -> None:
    asked = []
    result.compare_requested.connect(lambda *values: asked.append(values))
    result.table.selectRow(0)
    assert asked == []
    result.compare.combo.setCurrentIndex(1)
    result.compare.combo.activated.emit(1)
    result.table.setFocus()
    QTest.keyClick(result.table, Qt.Key.Key_Down)
    assert asked == [("held_out_0", "blink"), ("held_out_1", "blink")]
    state.set_phase("setup")
    assert asked[2:] == [("held_out_1", "off")]


def test_name_must_be_free(result, state) -> None:
    assert result.name.text() == "natural-tuned"
    assert result.use.isEnabled()
    for name, problem in (("nuclei", "There is a model 'nuclei' already"), ("  ", "Type a name")):
        result.name.setText(name)
        assert not result.use.isEnabled()
        assert problem in result.name_problem.text()
        assert result.name_problem.isVisible()
    result.name.setText("mine")
    assert not result.name_problem.isVisible()
    QTest.keyClick(result.name, Qt.Key.Key_Return)
    assert state.asked == [("use_as", "mine")]


def test_proposed_name_is_not_taken(qtbot, state) -> None:
    models = [SimpleNamespace(name=name) for name in ("natural", "natural-tuned", "natural-tuned-2")]
    result = shown(qtbot, FineTuneResult(state, lambda: models))
    state.set_phase("finished", report=make_report())
    assert result.name.text() == "natural-tuned-3"
    path = "C:\\models\\cells.v2.safetensors"
    state.set_phase("finished", report=make_report().model_copy(update={"start": path}))
    assert result.name.text() == "cells-tuned"
    result.close_session()


def test_refused_name_is_told(result, state) -> None:
    refused = []
    result.refused.connect(refused.append)
    result.name.setText("bad/name")
    result.use.click()
    assert refused == ["A name has no slashes."]
    assert state.phase == "finished"


def test_discard_when_asked_twice(result, state) -> None:
    told = []
    result.told.connect(told.append)
    result.discard.click()
    assert state.asked == []
    assert "once more" in told[0]
    result.discard.click()
    assert state.asked == [("discard", None)]


@pytest.mark.parametrize(
    ("seconds", "text", "rough"),
    [(0, "0 s", "10 s"), (59.6, "1 min", "60 s"), (110, "1 min 50 s", "110 s"), (3599, "59 min 59 s", "1 h")],
)
def test_durations(seconds: float, text: str, rough: str) -> None:
    assert (duration(seconds), rough_duration(seconds)) == (text, rough)
    assert duration(7500) == "2 h 5 min"


def test_plotting_is_loaded_only_when_training_starts() -> None:
    code = "import sys, napari_superpixels.widgets.fine_tune_panel; assert 'pyqtgraph' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_progress_draws_the_window_once(progress, state, qtbot) -> None:
    """Napari's window takes tens of milliseconds to be put together, with its canvas."""
    state.set_phase("running")
    make_curves(state)
    progress.curves.redraw()
    qtbot.wait(400)
    drawn = []

    class Watcher(QObject):
        def eventFilter(self, watched, event) -> bool:
            if event.type() in (QEvent.Type.UpdateRequest, QEvent.Type.Paint):
                drawn.append(event.type())
            return False

    watcher = Watcher()
    progress.window().installEventFilter(watcher)
    progress.bar.installEventFilter(watcher)
    state.curve.append({"step": 261, "loss": 0.05})
    state.progress = 0.9
    state.progressed.emit()
    state.curve_changed.emit()
    qtbot.wait(400)
    for watched in (progress.window(), progress.bar):
        watched.removeEventFilter(watcher)
    assert progress.bar.value() == 900
    assert drawn[0] == QEvent.Type.UpdateRequest  # not at once, but with the rest
    assert drawn.count(QEvent.Type.UpdateRequest) == 1
