"""A part of a panel that can be folded away."""

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_superpixels.widgets.wording import wrapped

_OPEN, _CLOSED = "▾", "▸"


class Fold(QWidget):
    """A button, and below it a content that is there while the part is open.

    The content takes the height that it needs at any time, and no keyboard focus while it is closed.
    """

    toggled = Signal(bool)
    """(open) after the user opened or closed the part."""

    def __init__(self, name: str, title: str, description: str, content: QWidget) -> None:
        super().__init__()
        self._title = title
        self.button = QPushButton()
        self.button.setObjectName(name)
        self.button.setToolTip(wrapped(description))
        self.button.setAccessibleName(title)
        self.button.setStyleSheet("text-align: left; padding-left: 6px;")
        self.button.clicked.connect(self._on_clicked)
        self.content = content
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.button)
        layout.addWidget(content)
        self.set_open(False)

    @property
    def is_open(self) -> bool:
        """Whether the content is there."""
        return not self.content.isHidden()

    def set_open(self, is_open: bool) -> None:
        """Open or close the part, without `toggled`."""
        self.content.setVisible(is_open)
        self.button.setText(f"{_OPEN if is_open else _CLOSED}  {self._title}")
        self.button.setAccessibleDescription("open" if is_open else "closed")

    def _on_clicked(self) -> None:
        self.set_open(not self.is_open)
        self.toggled.emit(self.is_open)
