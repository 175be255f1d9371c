"""A card that says what mouse and keys do while a tool is on."""

from collections.abc import Iterable

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

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
    ("Click, drag", "use the tool on what the outline shows"),
    ("Shift+drag", "erase"),
    ("Ctrl+drag", "merge"),
    ("Shift+wheel", "take larger or smaller regions"),
    ("Space+drag, wheel", "move and zoom the picture"),
)
_ACTIONS = (
    ("1 – 9", "choose the class"),
    ("N, Shift+N", "next and previous doubtful superpixel"),
    ("K", "mark it as checked"),
    ("U", "suggest classes"),
    ("T", "take the suggestions above the confidence"),
    ("I", "take suggestions inside a lasso"),
    ("H", "show or hide the superpixels' outlines"),
    ("Ctrl+Z", "undo"),
    ("Ctrl+Shift+Z", "redo"),
    ("Esc", "drop what is half done, then the tool"),
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
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(4, 0, 0, 4)
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(1, 1)
        self._add_part("Mouse, while a tool is on", _MOUSE)
        self._add_part("Keys, while a tool is on", _ACTIONS)
        self._add_part("Tools", ((tool.key, tool.title) for tool in tools))

    def _add_part(self, title: str, rows: Iterable[tuple[str, str]]) -> None:
        heading = QLabel(f"<b>{title}</b>")
        self._grid.addWidget(heading, self._grid.rowCount(), 0, 1, 2)
        for keys, meaning in rows:
            at = self._grid.rowCount()
            self._grid.addWidget(QLabel(keys), at, 0, Qt.AlignmentFlag.AlignTop)
            text = QLabel(meaning)
            text.setWordWrap(True)
            text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.MinimumExpanding)
            self._grid.addWidget(text, at, 1)
