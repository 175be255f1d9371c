import itertools
from unittest.mock import Mock

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_superpixels.widgets._icons import has_icon
from napari_superpixels.widgets.tool_buttons import ToolButtons

from .correct_cases import TOOLS, Tool


@pytest.fixture
def tools(qtbot):
    tools = ToolButtons(TOOLS)
    qtbot.addWidget(tools)
    tools.resize(300, 96)
    tools.show()
    return tools


@pytest.fixture
def chosen(tools):
    chosen = Mock()
    tools.chosen.connect(chosen)
    return chosen


def test_each_tool_has_a_button_with_a_drawing_and_its_key(tools) -> None:
    assert list(tools.buttons) == [tool.name for tool in TOOLS]
    for tool in TOOLS:
        button = tools.buttons[tool.name]
        assert button.objectName() == tool.name
        assert has_icon(tool.name)
        assert f"({tool.key})" in button.toolTip()
        assert tool.help in button.toolTip()
        assert button.accessibleName() == tool.title


def test_one_tool_is_on_at_a_time(tools, chosen) -> None:
    tools.buttons["paint"].click()
    tools.buttons["cut"].click()
    chosen.assert_called_with("cut")
    assert [name for name, button in tools.buttons.items() if button.isChecked()] == ["cut"]
    assert tools.tool == "cut"
    assert tools.help == "What cut does."


@pytest.mark.parametrize("button", ["cut", "look"])
def test_second_click_or_look_switches_off(tools, chosen, button) -> None:
    tools.buttons["cut"].click()
    (tools.look if button == "look" else tools.buttons["cut"]).click()
    chosen.assert_called_with(None)
    assert tools.look.isChecked()
    assert not tools.buttons["cut"].isChecked()
    assert tools.help == ""


def test_shown_tool_is_not_answered(tools, chosen) -> None:
    tools.set_tool("split")
    assert tools.buttons["split"].isChecked()
    tools.set_tool(None)
    assert tools.look.isChecked()
    chosen.assert_not_called()


def test_tools_are_reached_by_keyboard(tools, chosen, qtbot) -> None:
    with qtbot.waitActive(tools):
        tools.activateWindow()
    tools.look.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(tools.look, Qt.Key.Key_Right)
    chosen.assert_called_with("paint")


def test_tool_without_a_drawing_has_its_name(qtbot) -> None:
    tools = ToolButtons([Tool("new_tool", "New", "T", "Help.")])
    qtbot.addWidget(tools)
    tools.show()
    assert tools.buttons["new_tool"].text() == "New"
    tools.grab()


def test_drawing_names_and_keys_are_seen(tools) -> None:
    """Every button differs from every other: each has ink of its own."""
    pictures = [tools.buttons[name].grab().toImage() for name in tools.buttons]
    assert not any(first == second for first, second in itertools.combinations(pictures, 2))
