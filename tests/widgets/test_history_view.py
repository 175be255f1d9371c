from unittest.mock import Mock

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_superpixels.engine.history import Entry
from napari_superpixels.widgets.history_view import HistoryView, UndoButtons

from .correct_cases import make_annotation


@pytest.fixture
def annotation():
    annotation = make_annotation()
    for label in range(1, 7):
        annotation.paint([label])
    return annotation


@pytest.fixture
def view(qtbot, annotation):
    view = HistoryView()
    qtbot.addWidget(view)
    view.set_annotation(annotation)
    view.resize(280, 300)
    view.show()
    yield view
    view.set_annotation(None)


@pytest.fixture
def buttons(qtbot, annotation):
    buttons = UndoButtons()
    qtbot.addWidget(buttons)
    buttons.set_annotation(annotation)
    yield buttons
    buttons.set_annotation(None)


def names(view) -> list[str]:
    model = view.model()
    return [model.index(row, 0).data() for row in range(model.rowCount())]


def assert_shows(view, annotation) -> None:
    history = annotation.history
    assert names(view)[1:] == [entry.name for entry in history.entries]
    assert view.currentIndex().row() == history.position


def test_list_follows_all_that_is_done(view, annotation) -> None:
    assert names(view) == ["Start", *["Paint class 1"] * 6]
    annotation.undo()
    annotation.undo()
    assert_shows(view, annotation)
    annotation.add_class("nucleus")
    assert names(view) == ["Start", *["Paint class 1"] * 4, "Add nucleus"]
    assert_shows(view, annotation)
    annotation.redo()
    assert_shows(view, annotation)


def test_acts_in_a_stack_name_their_plane(qtbot) -> None:
    view = HistoryView()
    qtbot.addWidget(view)
    model = view.model()
    entries = (Entry("Paint", (), plane=(3, None, None)), Entry("Cut", (), plane=(0, 7, None, None)), Entry("Add", ()))
    model.show_history(entries, 2, 0)
    assert names(view) == ["Start", "Paint, plane 3", "Cut, plane 0, 7", "Add"]


def test_list_follows_amended_entries(view, annotation) -> None:
    annotation.history.amend(Entry("Re-segment", ()))
    assert names(view)[-2:] == ["Paint class 1", "Re-segment"]
    assert_shows(view, annotation)


def test_list_follows_forgotten_entries(qtbot) -> None:
    annotation = make_annotation()
    annotation.history._max_bytes = 5000
    view = HistoryView()
    qtbot.addWidget(view)
    view.set_annotation(annotation)
    for label in range(1, 12):
        annotation.paint([label])
        assert_shows(view, annotation)
    n = annotation.history.n_forgotten
    assert n > 0
    assert names(view)[0] == f"Start ({n} older acts forgotten)"
    view.set_annotation(make_annotation())
    assert names(view) == ["Start"]


def test_click_goes_to_a_state_and_back(view, annotation) -> None:
    acting = Mock()
    view.acting.connect(acting)
    classes = annotation.classes.copy()
    for row in (2, 6):
        at = view.visualRect(view.model().index(row, 0)).center()
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)
        assert annotation.history.position == row
        assert_shows(view, annotation)
    assert (annotation.classes == classes).all()
    assert acting.call_count == 2


def test_enter_goes_to_the_chosen_state(view, annotation) -> None:
    view.setCurrentIndex(view.model().index(1, 0))
    assert annotation.history.position == 6
    QTest.keyClick(view, Qt.Key.Key_Return)
    assert annotation.history.position == 1


def test_present_state_is_bold_and_undone_ones_are_faint(view, annotation) -> None:
    annotation.undo()
    model = view.model()
    assert model.index(5, 0).data(Qt.ItemDataRole.FontRole).bold()
    assert model.index(6, 0).data(Qt.ItemDataRole.ForegroundRole).alphaF() < 1
    assert model.index(4, 0).data(Qt.ItemDataRole.ForegroundRole) is None
    assert "Paint class 1, " in model.index(4, 0).data(Qt.ItemDataRole.ToolTipRole)


def test_long_way_is_gone_in_steps(view, annotation, qtbot, monkeypatch) -> None:
    monkeypatch.setattr("napari_superpixels.widgets.history_view._STEP_MS", -1)
    clock = Mock(elapsed=Mock(side_effect=lambda: next(ticks)))
    ticks = iter([-2, 0] * 20)
    monkeypatch.setattr("napari_superpixels.widgets.history_view.QElapsedTimer", lambda: clock)
    view.go_to(0)
    assert annotation.history.position == 5
    qtbot.waitUntil(lambda: annotation.history.position == 0)
    assert_shows(view, annotation)


def test_act_on_a_long_way_ends_it(view, annotation, qtbot, monkeypatch) -> None:
    ticks = iter([-2, 0] * 20)
    clock = Mock(elapsed=Mock(side_effect=lambda: next(ticks)))
    monkeypatch.setattr("napari_superpixels.widgets.history_view._STEP_MS", -1)
    monkeypatch.setattr("napari_superpixels.widgets.history_view.QElapsedTimer", lambda: clock)
    view.go_to(0)
    annotation.paint([16])
    qtbot.wait(30)
    assert annotation.history.position == 6
    assert_shows(view, annotation)


def test_buttons_name_what_they_undo_and_redo(buttons, annotation) -> None:
    assert buttons.undo.text() == "Undo Paint class 1"
    assert not buttons.redo.isEnabled()
    acting = Mock()
    buttons.acting.connect(acting)
    buttons.undo.click()
    assert annotation.history.position == 5
    assert buttons.redo.text() == "Redo Paint class 1"
    buttons.redo.click()
    assert annotation.history.position == 6
    assert acting.call_count == 2
    buttons.set_annotation(None)
    assert buttons.undo.text() == "Undo"
    assert not buttons.undo.isEnabled()


def test_buttons_without_room_leave_the_verb_to_the_arrow(buttons) -> None:
    width = buttons.fontMetrics().horizontalAdvance("Undo Paint class 1")
    assert buttons.undo.shown_text(width) == "Undo Paint class 1"
    assert buttons.undo.shown_text(width - 1) == "Paint class 1"
    assert buttons.undo.shown_text(width // 2).endswith("\N{HORIZONTAL ELLIPSIS}")
    assert buttons.undo.shown_text(width // 2).startswith("Paint")
    assert "Undo Paint class 1 (Ctrl+Z)" in buttons.undo.toolTip()


def test_many_entries_are_followed_quickly(view, qtbot) -> None:
    """Counted, not timed: a list that looked at every row would ask for the number of rows thousands of times."""
    annotation = make_annotation()
    annotation.history.load([Entry(f"Act {i}", ()) for i in range(5000)], 5000)
    view.set_annotation(annotation)
    count = Mock(side_effect=view.model().data)
    view.model().data = count
    annotation.undo()
    qtbot.wait(20)
    assert view.currentIndex().row() == 4999
    assert count.call_count < 1000
