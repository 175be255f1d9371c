"""The parts of the Correct panel that show coarser levels, doubts, suggestions, files and keys."""

from unittest.mock import Mock

import numpy as np
import pytest
from qtpy.QtWidgets import QLabel

from napari_superpixels.engine.doubt import Doubt
from napari_superpixels.engine.hierarchy import Hierarchy
from napari_superpixels.engine.pipeline import Pipeline
from napari_superpixels.engine.region_follower import RegionFollower
from napari_superpixels.engine.resolve import ImageInput
from napari_superpixels.engine.suggestions import TOO_FEW, Suggester
from napari_superpixels.params import SegmentParams
from napari_superpixels.widgets._texts import FixedLabel
from napari_superpixels.widgets.doubt_controls import DoubtControls
from napari_superpixels.widgets.file_controls import FileControls
from napari_superpixels.widgets.level_row import LevelRow, grouped
from napari_superpixels.widgets.shortcut_card import ACTION_KEYS, ShortcutCard
from napari_superpixels.widgets.suggestion_controls import SuggestionControls

from .correct_cases import FORMATS, TOOLS, make_annotation

N_SEGMENTS = 30


@pytest.fixture
def result(noisy_disks):
    inputs = ImageInput(noisy_disks, source=1, key=1)
    return Pipeline().run(inputs, SegmentParams(model=None, n_segments=N_SEGMENTS))


@pytest.fixture
def follower(main_thread, result, qtbot):
    follower = RegionFollower(main_thread.dispatch)
    yield follower
    follower.close()


@pytest.fixture
def follow(follower, result, qtbot):
    def follow() -> None:
        follower.set_plane(result)
        qtbot.waitUntil(lambda: follower.is_ready, timeout=60_000)

    return follow


@pytest.fixture
def annotation(result):
    annotation = make_annotation(shape=result.superpixels.labels.shape)
    annotation.accept(result)
    return annotation


def test_level_waits_for_its_hierarchy(qtbot, follower, follow) -> None:
    row = LevelRow()
    qtbot.addWidget(row)
    assert not row.slider.isEnabled()
    row.set_hierarchy(Hierarchy(follower))
    assert row.count.text() == "examining…"
    follow()
    assert row.slider.isEnabled()
    assert row.count.text() == f"{N_SEGMENTS} regions"
    row.set_value(1)
    assert row.count.text() == "1 region"
    follower.set_plane(None)
    assert not row.slider.isEnabled()
    row.set_hierarchy(None)


def test_level_is_told_when_the_user_moves_the_slider(qtbot, follower, follow) -> None:
    row = LevelRow()
    qtbot.addWidget(row)
    row.set_hierarchy(Hierarchy(follower))
    follow()
    told = Mock()
    row.level_chosen.connect(told)
    row.set_value(0.3)
    qtbot.wait(50)
    told.assert_not_called()
    with qtbot.waitSignal(row.level_chosen) as caught:
        row.slider.setValue(50)
    assert caught.args == [0.5]
    row.set_hierarchy(None)


def test_doubts_are_counted_and_asked_for(qtbot, follower, follow, annotation) -> None:
    controls = DoubtControls()
    qtbot.addWidget(controls)
    assert not controls.next.isEnabled()
    follow()
    doubt = Doubt(follower)
    mixed = np.zeros(N_SEGMENTS + 1)
    mixed[[3, 5]] = 0.4
    doubt.set_classes(np.ones(N_SEGMENTS + 1, np.uint8), mixed)
    controls.set_doubt(doubt, annotation)
    controls.show()
    before = doubt.n_doubtful()
    assert controls.count.text() == f"{before} left"
    asked = Mock()
    for signal in (controls.next_requested, controls.previous_requested, controls.check_requested):
        signal.connect(asked)
    controls.next.click()
    controls.previous.click()
    assert asked.call_count == 2
    assert not controls.check.isEnabled()
    controls.show_doubtful(doubt.next_doubtful())
    assert controls.reason.text() == "Mixed classes (doubt 90 %)"
    controls.check.click()
    asked.assert_called_with(True)
    annotation.mark_checked(3)
    qtbot.waitUntil(lambda: controls.count.text() == f"{before - 1} left")
    controls.set_doubt(None, None)


def test_mixed_superpixels_are_counted_for_splitting(qtbot, annotation) -> None:
    controls = DoubtControls()
    qtbot.addWidget(controls)
    controls.set_doubt(None, annotation)
    controls.show()
    assert not controls.split_mixed.isEnabled()
    values = annotation.classes_plane.copy()
    values[:, 7] = 1
    annotation.replace_classes(values)
    n = len(annotation.index.mixed())
    assert n > 1
    qtbot.waitUntil(lambda: controls.split_mixed.text() == f"Split {n} mixed")
    with qtbot.waitSignal(controls.split_requested):
        controls.split_mixed.click()
    controls.set_doubt(None, None)


def test_suggestions_are_told_and_accepted(qtbot, follower, follow, main_thread) -> None:
    controls = SuggestionControls()
    qtbot.addWidget(controls)
    assert not controls.suggest.isEnabled()
    follow()
    suggester = Suggester(follower, main_thread.dispatch)
    controls.set_suggester(suggester)
    asked = Mock()
    controls.confidence_chosen.connect(asked)
    controls.suggest_toggled.connect(asked)
    controls.suggest.click()
    assert [call.args for call in asked.call_args_list] == [(0.8,), (True,)]
    assert controls.message.text() == "Learning…"
    classes = np.zeros(N_SEGMENTS + 1, np.uint8)
    suggester.suggest(classes)
    assert controls.message.text() == TOO_FEW
    assert not controls.accept.isEnabled()
    classes[[1, 2]] = 1, 2
    suggester.suggest(classes)
    qtbot.waitUntil(lambda: suggester.current is not None, timeout=60_000)
    controls.threshold.box.setValue(0)
    assert controls.message.text() == f"{N_SEGMENTS - 2} suggested, {N_SEGMENTS - 2} of them at this confidence."
    with qtbot.waitSignal(controls.accept_requested) as caught:
        controls.accept.click()
    assert caught.args == [0.0]
    with qtbot.waitSignal(controls.reject_requested):
        controls.reject.click()
    with qtbot.waitSignal(controls.accept_in_lasso_toggled) as caught:
        controls.accept_in_lasso.click()
    assert caught.args == [True]
    suggester.stop()
    controls.set_on(False)
    assert "Paint a few" in controls.message.text()
    assert not controls.accept.isEnabled()
    suggester.failed.emit(ValueError("No forest."))
    assert controls.message.text() == "No forest."
    controls.set_suggester(None)
    suggester.close()


def test_confidence_is_told_as_a_share(qtbot) -> None:
    controls = SuggestionControls()
    qtbot.addWidget(controls)
    assert controls.confidence == 0.8
    with qtbot.waitSignal(controls.confidence_chosen) as caught:
        controls.threshold.box.setValue(65)
    assert caught.args == [0.65]


def test_menus_ask_for_formats(qtbot) -> None:
    files = FileControls(FORMATS)
    qtbot.addWidget(files)
    asked = Mock()
    files.export_requested.connect(lambda name: asked("export", name))
    files.import_requested.connect(lambda name: asked("import", name))
    files.save_project_requested.connect(lambda: asked("save"))
    files.open_project_requested.connect(lambda: asked("open"))
    for menu in files.menus.values():
        for action in menu.actions():
            action.trigger()
    wanted = [*((verb, name) for verb in ("export", "import") for name in FORMATS), ("save",), ("open",)]
    assert [call.args for call in asked.call_args_list] == wanted


def test_journal_folder_is_shown_and_changed(qtbot) -> None:
    files = FileControls(FORMATS)
    qtbot.addWidget(files)
    files.resize(290, 60)
    files.show()
    assert files.journal.text.text() == "Not kept while you work"
    files.set_journal_folder("/a/very/long/way/to/the/folder/in/which/all/journals/are")
    assert files.journal.text.text().startswith("Kept in ")
    assert "…" in files.journal.text.text()
    assert "/in/which/all/journals/are" in files.journal.text.toolTip()
    with qtbot.waitSignal(files.journal_folder_requested):
        files.findChild(type(files.menus["export"].parent()), "change_journal_folder").click()


def test_card_tells_every_key(qtbot) -> None:
    card = ShortcutCard(TOOLS)
    qtbot.addWidget(card)
    told = {part for label in card.findChildren(QLabel) for part in label.text().split(", ")}
    for key in (*(tool.key for tool in TOOLS), *ACTION_KEYS.values()):
        assert key.replace("-", "+") in told


def test_keys_of_acts_and_tools_differ() -> None:
    keys = [*(tool.key for tool in TOOLS), *ACTION_KEYS.values()]
    assert len(set(keys)) == len(keys)
    # Taken by napari on Labels layers and in its viewer.
    assert not set(keys) & set("1234567EPFLZMXBV-=[]")


def test_text_keeps_its_height(qtbot) -> None:
    label = FixedLabel("text", 2)
    qtbot.addWidget(label)
    height = label.sizeHint().height()
    label.setText("Word " * 200)
    assert label.sizeHint().height() == height
    assert "Word" in label.toolTip()
    label.setText("")
    assert label.sizeHint().height() == height
    assert label.toolTip() == ""


def test_a_text_that_does_not_fit_says_so(qtbot) -> None:
    label = FixedLabel("text", 2)
    qtbot.addWidget(label)
    text = "One two three four five six seven eight nine ten eleven twelve"
    label.resize(120, 40)
    label.show()
    label.setText(text)
    assert label.text() == text
    shown = QLabel.text(label)
    assert shown.endswith(" …")
    assert text.startswith(shown.removesuffix(" …"))
    assert label.fontMetrics().horizontalAdvance(shown) > 120
    label.resize(900, 40)
    assert QLabel.text(label) == text
    label.setText("")
    assert QLabel.text(label) == ""


def test_thousands_are_told_apart() -> None:
    assert grouped(1234567) == "1\u2009234\u2009567"
