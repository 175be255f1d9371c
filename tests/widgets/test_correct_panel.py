from unittest.mock import Mock

import pytest
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
