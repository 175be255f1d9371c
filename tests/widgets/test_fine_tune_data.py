from dataclasses import replace

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QComboBox

from napari_superpixels.widgets._fine_tune_rows import DETAIL, IMAGE, PICTURE, PROBLEM, ROLE, USED
from napari_superpixels.widgets.fine_tune_data import FineTuneData

from .fine_tune_cases import FakeSession, make_rows

LAST = 4


@pytest.fixture
def state():
    return FakeSession()


@pytest.fixture
def data(qtbot, state):
    data = FineTuneData(state)
    qtbot.addWidget(data)
    data.resize(330, 600)
    data.show()
    state.set_rows(make_rows())
    yield data
    data.close_session()


def text(data, row: int, role: int) -> str:
    return data.model.index(row, IMAGE).data(role)


def test_empty_list_says_what_to_do(data, state) -> None:
    assert not data.empty.isVisible()
    state.set_rows([])
    assert data.empty.isVisible()
    assert "Add an image with annotations" in data.empty.text()
    assert not data.table.isVisible()
    assert not data.remove_button.isEnabled()


def test_rows_say_what_is_known(data) -> None:
    assert text(data, 0, Qt.ItemDataRole.DisplayRole) == "nuclei_001"
    assert text(data, 0, DETAIL) == ("520 × 696 px", "Correct", "18 % annotated")
    assert text(data, 3, DETAIL) == ("256 × 320 px", "folder", "100 % annotated")
    picture = text(data, 0, PICTURE)
    assert max(picture.width(), picture.height()) == 36
    assert [data.model.index(row, ROLE).data() for row in range(5)] == ["Train"] * 3 + ["Validate"] * 2


def test_little_annotation_is_not_called_none(data, state) -> None:
    state.set_rows([replace(make_rows()[0], share_annotated=0.0004)])
    assert text(data, 0, DETAIL)[2] == "< 0.1 % annotated"


def test_unread_image_says_so(data, state) -> None:
    row = replace(make_rows()[0], shape=(), thumbnail=None)
    state.set_rows([row])
    assert text(data, 0, DETAIL) == ("Correct", "reading…")
    state.set_rows([replace(row, problem="The file is gone.")])
    assert text(data, 0, DETAIL) == ("Correct",)


def test_problems_stand_in_the_row_and_make_it_higher(data, state, qtbot) -> None:
    qtbot.waitUntil(lambda: data.table.rowHeight(1) > 40)
    height = data.table.rowHeight(1)
    rows = make_rows()
    problem = "Nothing is annotated: paint some superpixels in Correct."
    state.set_rows([rows[0], replace(rows[1], problem=problem), *rows[2:]])
    assert text(data, 1, PROBLEM) == problem
    assert problem in data.model.index(1, IMAGE).data(Qt.ItemDataRole.ToolTipRole)
    assert problem in data.model.index(1, IMAGE).data(Qt.ItemDataRole.AccessibleTextRole)
    qtbot.waitUntil(lambda: data.table.rowHeight(1) > height + 12)


def test_space_ticks_and_del_removes(data, state) -> None:
    data.table.selectRow(1)
    QTest.keyClick(data.table, Qt.Key.Key_Space)
    assert state.asked == [("included", "b", False)]
    assert data.table.chosen() == {1}
    QTest.keyClick(data.table, Qt.Key.Key_Space)
    assert state.rows[1].included
    QTest.keyClick(data.table, Qt.Key.Key_Delete)
    assert [row.key for row in state.rows] == ["a", "c", "d", "e"]


def test_click_on_the_box_ticks(data, state, qtbot) -> None:
    qtbot.waitUntil(lambda: data.table.rowHeight(0) > 40)
    box = data.table.visualRect(data.model.index(0, USED))
    QTest.mouseClick(data.table.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(box.left() + 11, box.center().y()))
    assert state.asked == [("included", "a", False)]


@pytest.mark.parametrize("how", ["click", "F2"])
def test_role_is_chosen_in_a_menu(data, state, qtbot, how: str) -> None:
    data.table.selectRow(0)
    if how == "click":
        where = data.table.visualRect(data.model.index(0, ROLE)).center()
        QTest.mouseClick(data.table.viewport(), Qt.MouseButton.LeftButton, pos=where)
    else:
        QTest.keyClick(data.table, Qt.Key.Key_F2)
    menu = data.table.findChild(QComboBox, "role")
    qtbot.waitUntil(lambda: menu.view().isVisible())
    assert [menu.itemText(i) for i in range(menu.count())] == ["Train", "Validate"]
    QTest.keyClick(menu.view(), Qt.Key.Key_Down)
    QTest.keyClick(menu.view(), Qt.Key.Key_Return)
    assert state.asked == [("role", "a", "validation")]
    assert data.model.index(0, ROLE).data() == "Validate"


def test_what_validated_before_can_neither_train_nor_go(data, state) -> None:
    index = data.model.index(LAST, ROLE)
    assert not index.flags() & Qt.ItemFlag.ItemIsEditable
    assert "must never train" in index.data(Qt.ItemDataRole.ToolTipRole)
    assert not data.model.setData(index, "train")
    assert not data.model.setData(data.model.index(LAST, USED), Qt.CheckState.Unchecked, Qt.ItemDataRole.CheckStateRole)
    data.table.selectRow(LAST)
    assert not data.remove_button.isEnabled()
    QTest.keyClick(data.table, Qt.Key.Key_Space)
    QTest.keyClick(data.table, Qt.Key.Key_Delete)
    assert state.asked == []
    assert len(state.rows) == 5


def test_says_that_validation_stays_the_same(data) -> None:
    assert data.note.isVisible()
    assert "stay the same from the first run on" in data.note.text()


def test_list_is_as_high_as_five_images(data, state, qtbot) -> None:
    rows = [replace(make_rows()[0], key=str(i)) for i in range(60)]
    state.set_rows(rows)
    qtbot.waitUntil(lambda: 200 < data.table.height() < 400)
    state.set_rows(rows[:1])
    qtbot.waitUntil(lambda: data.table.height() < 120)
