"""A folder where something is kept, and a button to choose another."""

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from napari_superpixels.widgets._buttons import text_button
from napari_superpixels.widgets.wording import wrapped


class FolderRow(QWidget):
    """A line that names a folder, shortened in its middle to the room that there is.

    Parameters
    ----------
    name, button_name : str
        Names of the text and of the button.
    description : str
        What is kept in the folder.
    change : str
        Tool tip of the button.
    none : str
        Text while there is no folder.
    """

    change_requested = Signal()
    """The user wants another folder."""

    def __init__(self, name: str, button_name: str, description: str, change: str, none: str) -> None:
        super().__init__()
        self._folder, self._description, self._none = "", description, none
        self.text = QLabel()
        self.text.setObjectName(name)
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        button = text_button(button_name, "Change…", change)
        button.clicked.connect(lambda: self.change_requested.emit())
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.text, 1)
        row.addWidget(button)
        self.set_folder(None)

    def set_folder(self, folder: str | Path | None) -> None:
        """Show a folder; None if there is none."""
        self._folder = "" if folder is None else str(folder)
        self._show()
        self.text.setToolTip(wrapped(f"{self._folder}\n\n{self._description}" if self._folder else self._description))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Shorten the folder to the room that there is."""
        super().resizeEvent(event)
        layout = self.layout()
        assert layout is not None
        layout.activate()
        self._show()

    def _show(self) -> None:
        text = f"Kept in {self._folder}" if self._folder else self._none
        width = max(self.text.width() - 4, 0)
        self.text.setText(self.text.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, width))
