"""Texts are whole in a larger font, which a theme or the user's settings may bring after a widget was made."""

import pytest
from qtpy.QtCore import QRect, Qt
from qtpy.QtGui import QFontMetrics

from napari_superpixels.widgets._fine_tune_cells import DataTable
from napari_superpixels.widgets._fine_tune_results import ResultModel
from napari_superpixels.widgets._fine_tune_rows import ROLE, ROLES, DataModel
from napari_superpixels.widgets._texts import FixedLabel
from napari_superpixels.widgets.fine_tune_result import _ResultTable
from napari_superpixels.widgets.level_row import LevelRow

from .fine_tune_cases import FakeSession


@pytest.fixture(params=["font", "style sheet"])
def enlarge(request):
    """Return a function that gives a widget, and what is in it, a font of 24 pixels."""

    def set_size(widget) -> None:
        if request.param == "style sheet":
            widget.setStyleSheet("* { font-size: 24px; }")
            widget.ensurePolished()
            return
        font = widget.font()
        font.setPixelSize(24)
        widget.setFont(font)

    return set_size


def test_number_of_regions(qtbot, enlarge) -> None:
    row = LevelRow()
    qtbot.addWidget(row)
    row.show()
    count = row.count
    enlarge(count)
    assert count.font().pixelSize() == 24
    qtbot.waitUntil(lambda: count.width() >= count.fontMetrics().horizontalAdvance("88 888 regions"), timeout=2000)


def test_roles_of_training_data(qtbot, enlarge) -> None:
    table = DataTable(DataModel(FakeSession()))
    qtbot.addWidget(table)
    table.show()
    enlarge(table)
    room = table.columnWidth(ROLE) - max(map(table.fontMetrics().horizontalAdvance, ROLES.values()))
    assert room >= 40


def test_figures_before_and_after(qtbot, enlarge) -> None:
    table = _ResultTable(ResultModel())
    qtbot.addWidget(table)
    table.show()
    enlarge(table)
    font = table.font()
    font.setBold(True)
    for column, value in enumerate(("0.1234", "0.1234", "0.123", "0.123"), 1):
        title = table.model().headerData(column, Qt.Orientation.Horizontal)
        assert table.columnWidth(column) > table.fontMetrics().horizontalAdvance(title)
        assert table.columnWidth(column) > QFontMetrics(font).horizontalAdvance(value)


def test_texts_of_so_many_lines(qtbot, enlarge) -> None:
    label = FixedLabel("status", 2)
    qtbot.addWidget(label)
    label.setFixedWidth(200)
    label.show()
    label.setText("Some words that fit into two lines.")
    assert "…" not in super(FixedLabel, label).text()
    enlarge(label)
    shown = super(FixedLabel, label).text()
    assert shown.endswith("…")
    needed = label.fontMetrics().boundingRect(QRect(0, 0, 192, 0), int(Qt.TextFlag.TextWordWrap), shown)
    assert needed.height() <= 2.5 * label.fontMetrics().lineSpacing()
