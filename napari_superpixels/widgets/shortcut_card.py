"""A card that says what mouse and keys do while a tool is on."""

from collections.abc import Iterable, Sequence

from qtpy.QtWidgets import QGridLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_superpixels.widgets.tool_buttons import ToolInfo

#: Keys of the panel's buttons while a tool is on, by the button's name, as napari writes them. Free on Labels layers.
ACTION_KEYS = {
    "next_doubtful": "N",
    "previous_doubtful": "Shift-N",
    "mark_checked": "K",
    "suggest": "U",
    "accept_above": "T",
    "accept_in_lasso": "I",
    "show_superpixels": "H",
}
_MOUSE = (
    ("Click, drag", "use the tool"),
    ("Shift+drag", "erase"),
    ("Ctrl+drag", "merge"),
    ("Shift+wheel", "larger, smaller regions"),
    ("Wheel", "zoom"),
    ("Space+drag", "move the picture"),
)
_ACTIONS = (
    ("1 – 9", "choose the class"),
    ("N, Shift+N", "next, previous doubtful"),
    ("K", "mark it as checked"),
    ("U", "suggest classes"),
    ("T", "take what is suggested"),
    ("I", "take it inside a lasso"),
    ("H", "show, hide outlines"),
    ("Ctrl+Z", "undo"),
    ("Ctrl+Shift+Z", "redo"),
    ("Esc", "drop the stroke, then the tool"),
)


class ShortcutCard(QWidget):
    """Mouse, keys and tools with what they do.

    Parameters
    ----------
    tools : iterable of ToolInfo
        The tools, whose keys are listed.
    """

    def __init__(self, tools: Iterable[ToolInfo]) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 4)
        layout.setSpacing(6)
        layout.addLayout(_part("Mouse, while a tool is on", _MOUSE))
        layout.addLayout(_part("Keys, while a tool is on", _ACTIONS))
        layout.addLayout(_part("Keys of the tools", [(tool.key, tool.title) for tool in tools], n_columns=2))


def _part(title: str, rows: Sequence[tuple[str, str]], n_columns: int = 1) -> QGridLayout:
    """Return a heading, and below it keys and meanings in columns."""
    grid = QGridLayout()
    grid.setHorizontalSpacing(4)
    grid.setVerticalSpacing(2)
    heading = _label(title)
    font = heading.font()
    font.setBold(True)
    heading.setFont(font)
    grid.addWidget(heading, 0, 0, 1, 2 * n_columns)
    n_rows = -(-len(rows) // n_columns)
    for i, (keys, meaning) in enumerate(rows):
        row, column = 1 + i % n_rows, 2 * (i // n_rows)
        grid.addWidget(_label(keys), row, column)
        text = _label(meaning)
        text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        grid.addWidget(text, row, column + 1)
        grid.setColumnStretch(column + 1, 1)
    return grid


def _label(text: str) -> QLabel:
    label = QLabel(text)
    label.setStyleSheet("padding: 0px 4px;")
    return label
