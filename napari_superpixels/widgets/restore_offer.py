"""Offers to go on with earlier work."""

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout

from napari_superpixels.widgets._buttons import text_button


class RestoreOffer(QFrame):
    """A text and two buttons, there while there is something to restore.

    Parameters
    ----------
    name : str
        Name of the object.
    restore, discard : tuple of str
        Name, text and description of each button.
    """

    restore_requested = Signal()
    """The user wants the work that was not closed properly."""
    discard_requested = Signal()
    """The user does not want it."""

    def __init__(
        self,
        name: str = "restore_offer",
        restore: tuple[str, str, str] = ("restore", "Restore", "Go on where the program stopped."),
        discard: tuple[str, str, str] = ("discard", "Discard", "Begin anew, and delete what was kept."),
    ) -> None:
        super().__init__()
        self.setObjectName(name)
        # napari's theme draws no frame around frames.
        self.setStyleSheet(f"#{name} {{ border: 1px solid rgba(128, 128, 128, 160); border-radius: 3px; }}")
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.MinimumExpanding)
        self.restore, self.discard = text_button(*restore), text_button(*discard)
        self.restore.clicked.connect(lambda: self.restore_requested.emit())
        self.discard.clicked.connect(lambda: self.discard_requested.emit())
        buttons = QHBoxLayout()
        buttons.setSpacing(2)
        buttons.addWidget(self.restore, 1)
        buttons.addWidget(self.discard, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.text)
        layout.addLayout(buttons)
        self.hide()

    def set_text(self, text: str) -> None:
        """Offer what a text describes; an empty one takes the offer back."""
        self.text.setText(text)
        self.setVisible(bool(text))
