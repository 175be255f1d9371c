from unittest.mock import Mock

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QAbstractButton, QComboBox, QPushButton, QScrollArea, QWidget

from napari_superpixels.widgets.correct_panel import CorrectPanel

from .correct_cases import FORMATS, TOOLS, make_annotation


@pytest.fixture
def annotation():
    return make_annotation()


@pytest.fixture
def panel(qtbot, annotation):
    source = QComboBox()
    source.setToolTip("The image.")
    panel = CorrectPanel(TOOLS, FORMATS, source)
    qtbot.addWidget(panel)
    panel.set_annotation(annotation)
    panel.resize(310, 700)
    panel.show()
    yield panel
    panel.close_session()


def test_every_button_is_named_and_explained(panel) -> None:
    buttons = panel.findChildren(QAbstractButton)
    assert len(buttons) > 30
    for button in buttons:
        if type(button).__module__.startswith("napari_superpixels") or isinstance(button, QPushButton):
            assert button.objectName()
            assert button.toolTip()
            assert button.text() or button.accessibleName()


def test_tool_is_chosen_and_shown(panel) -> None:
    chosen = Mock()
    panel.tool_chosen.connect(chosen)
    panel.findChild(QWidget, "merge").click()
    chosen.assert_called_once_with("merge")
    assert "What merge does." in panel.help.text()
    panel.set_tool(None)
    assert panel.tools.look.isChecked()
    chosen.assert_called_once_with("merge")


def test_counts_follow_what_is_painted(panel, annotation, qtbot) -> None:
    annotation.paint([1, 2, 3, 4])
    qtbot.waitUntil(lambda: panel.classes.progress.value() == 250)
    assert panel.classes.progress.format() == "25.0 % annotated"


def test_reason_disables_all_but_the_image(panel) -> None:
    panel.set_unavailable("Press Segment first.", can_segment=True)
    assert panel.reason.text() == "Press Segment first."
    assert not panel.tools.isEnabled()
    assert panel.findChild(QComboBox).isEnabled()
    asked = Mock()
    panel.segment_requested.connect(asked)
    panel.segment.click()
    asked.assert_called_once_with()
    panel.set_unavailable("")
    assert panel.tools.isEnabled()
    assert not panel.segment.isVisible()


def test_a_reason_leaves_the_way_back_open(panel, annotation) -> None:
    annotation.paint([1])
    annotation.paint([2])
    annotation.undo()
    panel.set_unavailable("Press Segment first.", can_segment=True)
    assert panel.history.isEnabled()
    assert panel.undo_buttons.undo.isEnabled()
    panel.undo_buttons.redo.click()
    assert annotation.history.position == 2
    panel.set_annotation(None)
    assert not panel.history.isEnabled()
    assert not panel.undo_buttons.isEnabled()


def test_closed_panel_no_longer_listens(panel, annotation) -> None:
    panel.close_session()
    annotation.paint([1])
    annotation.add_class("late")
    assert panel.classes.model.rowCount() == 0
    assert not panel.undo_buttons.undo.isEnabled()


def test_fits_a_dock_without_scrolling_and_scrolls_in_a_low_one(panel, qtbot) -> None:
    area = panel.findChild(QScrollArea)
    qtbot.wait(20)
    assert area.verticalScrollBar().maximum() == 0
    for fold in panel.folds.values():
        fold.set_open(True)
    qtbot.waitUntil(lambda: area.verticalScrollBar().maximum() > 0)
    assert area.widget().minimumSizeHint().width() <= area.viewport().width()
    for name in ("paint", "classes", "undo", "redo"):
        assert panel.findChild(QWidget, name).isVisible()


def test_nothing_moves_when_texts_and_tools_change(panel, qtbot) -> None:
    parts = (panel.tools, panel.help, panel.classes, panel.undo_buttons, panel.status)

    def places() -> list:
        qtbot.wait(10)
        return [part.geometry() for part in parts]

    before = places()
    panel.set_tool("paint")
    panel.show_error("A long reason. " * 20)
    panel.classes.add()
    assert places() == before
    assert panel.status.text().startswith("⚠ A long reason.")
    panel.say("")
    assert places() == before


def test_clicks_leave_the_focus_where_it_is(panel) -> None:
    for button in panel.findChildren(QAbstractButton):
        assert not button.focusPolicy() & Qt.FocusPolicy.ClickFocus


def test_keys_press_buttons(panel) -> None:
    actions = panel.key_actions()
    assert list(actions) == ["N", "Shift-N", "K", "U", "T", "I", "H"]
    shown = Mock()
    panel.superpixels_toggled.connect(shown)
    actions["H"]()
    shown.assert_called_once_with(False)
    panel.set_superpixels_shown(True)
    shown.assert_called_once_with(False)


def test_acts_are_announced_before_they_happen(panel, annotation) -> None:
    annotation.paint([1])
    positions = []
    panel.acting.connect(lambda: positions.append(annotation.history.position))
    panel.undo_buttons.undo.click()
    panel.history.go_to(1)
    panel.classes.add_button.click()
    assert positions == [1, 0, 1]


def test_mixed_superpixels_are_split(panel, annotation) -> None:
    values = annotation.classes_plane.copy()
    values[:, 15:] = 1
    annotation.replace_classes(values)
    panel.doubts.recount()
    panel.doubts.split_mixed.click()
    assert len(annotation.index.mixed()) == 0
    assert annotation.history.last.name == "Split all mixed"
    assert "divided" in panel.status.text()


def test_earlier_work_is_offered(panel) -> None:
    assert not panel.findChild(QWidget, "restore_offer").isVisible()
    panel.offer_restore("There is earlier work: 48 acts.")
    asked = Mock()
    panel.restore_requested.connect(lambda: asked("restore"))
    panel.discard_requested.connect(lambda: asked("discard"))
    for name in ("restore", "discard"):
        panel.findChild(QPushButton, name).click()
    assert [call.args for call in asked.call_args_list] == [("restore",), ("discard",)]
    panel.offer_restore("")
    assert not panel.findChild(QWidget, "restore_offer").isVisible()


def test_planes_are_copied_in_stacks_alone(panel) -> None:
    assert not panel.copy_plane.isVisible()
    stack = make_annotation(n_planes=3)
    panel.set_annotation(stack)
    assert panel.copy_plane.isVisible()
    stack.paint([1, 2])
    panel.classes.recount()
    assert panel.classes.progress.value() == 125
    asked = Mock()
    panel.copy_plane_requested.connect(asked)
    panel.copy_plane.click()
    asked.assert_called_once_with()


def test_counts_are_those_of_the_plane_at_hand(panel, qtbot) -> None:
    stack = make_annotation(n_planes=2)
    panel.set_annotation(stack)
    stack.paint([1, 2])
    stack.set_plane((1, slice(None), slice(None)))
    qtbot.waitUntil(lambda: panel.classes.progress.value() == 0)
    stack.set_plane((0, slice(None), slice(None)))
    qtbot.waitUntil(lambda: panel.classes.progress.value() == 125)


def test_tab_order_follows_the_layout(panel) -> None:
    wanted = [
        "look",
        "classes",
        "add_class",
        "undo",
        "level",
        "show_superpixels",
        "history",
        "history_list",
        "doubtful",
    ]
    panel.undo_buttons.undo.setEnabled(True)
    panel.level.slider.setEnabled(True)
    order, widget = [], panel.tools.look
    for _ in range(400):
        if widget.isVisible() and panel.isAncestorOf(widget) and widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
            order.append(widget.objectName())
        widget = widget.nextInFocusChain()
        if widget is panel.tools.look:
            break
    assert [name for name in order if name in wanted] == wanted


def test_a_part_that_is_opened_comes_into_view(panel, qtbot) -> None:
    panel.resize(310, 640)
    panel.show()
    qtbot.waitExposed(panel)
    fold = panel.folds["shortcuts"]
    qtbot.mouseClick(fold.button, Qt.MouseButton.LeftButton)
    qtbot.wait(50)
    viewport = panel.findChild(QScrollArea).viewport()
    top = fold.mapTo(viewport, QPoint(0, 0)).y()
    assert top >= 0
    assert top == 0 or top + fold.height() <= viewport.height()
    fold = panel.folds["doubtful"]
    qtbot.mouseClick(fold.button, Qt.MouseButton.LeftButton)
    qtbot.wait(50)
    top = fold.mapTo(viewport, QPoint(0, 0)).y()
    assert 0 <= top
    assert top + fold.height() <= viewport.height()
