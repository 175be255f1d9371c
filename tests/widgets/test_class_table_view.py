from unittest.mock import Mock

import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QColorDialog, QLineEdit

from napari_superpixels.widgets._class_model import CHIP, COUNT, NAME, SHARE, percent
from napari_superpixels.widgets.class_table_view import ClassTableView

from .correct_cases import make_annotation


@pytest.fixture
def annotation():
    annotation = make_annotation()
    annotation.rename_class(1, "nucleus")
    annotation.add_class("border")
    annotation.add_class("rest")
    return annotation


@pytest.fixture
def view(qtbot, annotation):
    view = ClassTableView()
    qtbot.addWidget(view)
    view.set_annotation(annotation)
    view.resize(300, 200)
    view.show()
    yield view
    view.set_annotation(None)


def texts(view, column: int) -> list[str]:
    model = view.model
    return [model.index(row, column).data() for row in range(model.rowCount())]


def row_click(view, row: int, column: int = NAME, *, is_double: bool = False) -> None:
    at = view.table.visualRect(view.model.index(row, column)).center()
    QTest.mouseClick(view.table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    if is_double:
        QTest.mouseDClick(view.table.viewport(), Qt.MouseButton.LeftButton, pos=at)


def test_rows_tell_keys_names_counts_and_shares(view, annotation) -> None:
    annotation.paint([1, 2, 3, 4], 1)
    annotation.paint([5], 3)
    view.recount()
    assert texts(view, CHIP) == ["1", "2", "3"]
    assert texts(view, NAME) == ["nucleus", "border", "rest"]
    assert texts(view, COUNT) == ["4", "0", "1"]
    assert texts(view, SHARE) == ["25.0 %", "0.0 %", "6.2 %"]
    assert view.progress.value() == 312


def test_only_nine_classes_have_keys(view, annotation) -> None:
    for _ in range(8):
        annotation.add_class()
    assert texts(view, CHIP) == [*"123456789", "", ""]


def test_row_and_current_class_are_one(view, annotation) -> None:
    assert view.chosen == annotation.current_class == 3
    row_click(view, 0)
    assert annotation.current_class == 1
    annotation.current_class = 2
    assert view.chosen == 2
    assert view.table.selectionModel().selectedRows()[0].row() == 1


def test_choice_stays_with_its_class_when_the_table_changes(view, annotation) -> None:
    annotation.current_class = 2
    annotation.move_class(2, 0)
    assert view.table.currentIndex().row() == 0
    annotation.remove_class(1)
    assert view.chosen == 2
    annotation.undo()
    annotation.undo()
    assert texts(view, NAME) == ["nucleus", "border", "rest"]
    assert view.chosen == 2


def test_current_class_stays_when_its_row_moves_up(view, annotation) -> None:
    changed = Mock()
    annotation.current_class_changed.connect(changed)
    annotation.remove_class(1)
    assert annotation.current_class == view.chosen == 3
    changed.assert_not_called()
    annotation.remove_class(3)
    assert annotation.current_class == view.chosen == 2
    annotation.remove_class(2)
    assert annotation.current_class == view.chosen == 0
    assert not view.remove_button.isEnabled()
    annotation.go_to(0)
    assert view.chosen == annotation.current_class


def test_added_class_can_be_named_at_once(view, annotation, qtbot) -> None:
    acting = Mock()
    view.acting.connect(acting)
    view.add_button.click()
    acting.assert_called_once_with()
    editor = view.table.findChild(QLineEdit)
    editor.setText("vessel")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: annotation.table[4].name == "vessel")
    assert annotation.current_class == 4


def test_name_in_use_is_refused_with_a_reason(view, annotation) -> None:
    told = Mock()
    view.told.connect(told)
    n_entries = len(annotation.history.entries)
    assert not view.model.setData(view.model.index(0, NAME), "border")
    text, is_error = told.call_args.args
    assert "'border'" in text
    assert is_error
    assert annotation.table[1].name == "nucleus"
    assert len(annotation.history.entries) == n_entries


def test_same_name_is_no_act(view, annotation) -> None:
    n_entries = len(annotation.history.entries)
    view.model.setData(view.model.index(0, NAME), "  nucleus ")
    assert len(annotation.history.entries) == n_entries


def test_removed_class_comes_back_with_undo(view, annotation) -> None:
    annotation.paint([1], 3)
    told = Mock()
    view.told.connect(told)
    QTest.keyClick(view.table, Qt.Key.Key_Delete)
    assert texts(view, NAME) == ["nucleus", "border"]
    assert not annotation.classes.any()
    assert "Undo" in told.call_args.args[0]
    annotation.undo()
    view.recount()
    assert texts(view, COUNT) == ["0", "0", "1"]


def test_class_is_moved_by_buttons_and_keys(view, annotation) -> None:
    view.up_button.click()
    assert texts(view, NAME) == ["nucleus", "rest", "border"]
    QTest.keyClick(view.table, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert texts(view, NAME) == ["rest", "nucleus", "border"]
    assert not view.up_button.isEnabled()
    view.down_button.click()
    assert texts(view, NAME) == ["nucleus", "rest", "border"]
    assert annotation.current_class == 3


def test_color_is_chosen_in_a_dialog_that_blocks_nothing(view, annotation) -> None:
    row_click(view, 1, CHIP, is_double=True)
    dialog = view.findChild(QColorDialog)
    assert dialog.isVisible()
    assert not dialog.isModal()
    annotation.current_class = 1
    dialog.setCurrentColor(QColor(1, 2, 3))
    dialog.accept()
    assert annotation.table[2].color == (1, 2, 3)
    assert view.model.index(1, CHIP).data(Qt.ItemDataRole.BackgroundRole) == QColor(1, 2, 3)


def test_color_of_a_class_that_went_meanwhile_is_forgotten(view, annotation) -> None:
    view.recolor()
    dialog = view.findChild(QColorDialog)
    annotation.remove_class(3)
    n_entries = len(annotation.history.entries)
    dialog.accept()
    assert len(annotation.history.entries) == n_entries


def test_keys_of_tools_are_left_to_the_window(view) -> None:
    passed = []
    view.keyPressEvent = lambda event: passed.append(event.text())
    for key in (Qt.Key.Key_A, Qt.Key.Key_3, Qt.Key.Key_Space):
        QApplication.sendEvent(view.table, _press(key))
    assert passed == ["a", "3", " "]
    assert view.chosen == 3


def test_without_annotation_nothing_can_be_done(view) -> None:
    view.set_annotation(None)
    for button in (view.add_button, view.remove_button, view.up_button, view.down_button, view.more_button):
        assert not button.isEnabled()
    view.add()
    view.remove()
    view.shift(1)
    view.recolor()
    assert view.progress.format() == ""


def test_menu_asks_for_files(view) -> None:
    asked = Mock()
    view.import_requested.connect(lambda: asked("import"))
    view.export_requested.connect(lambda: asked("export"))
    for action in view.menu.actions():
        if action.objectName() in ("import_classes", "export_classes"):
            action.trigger()
    assert [call.args for call in asked.call_args_list] == [("import",), ("export",)]


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0.0 %"), (1e-5, "< 0.1 %"), (0.1234, "12.3 %"), (0.9999, "> 99.9 %"), (1, "100.0 %")]
)
def test_little_is_told_from_nothing(share, text) -> None:
    assert percent(share) == text


def _press(key):
    from qtpy.QtCore import QEvent
    from qtpy.QtGui import QKeyEvent

    text = {Qt.Key.Key_A: "a", Qt.Key.Key_3: "3", Qt.Key.Key_Space: " "}[key]
    return QKeyEvent(QEvent.Type.KeyPress, key, Qt.KeyboardModifier.NoModifier, text)
