"""From one doubtful superpixel to the next."""

from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_superpixels.engine.annotation import Annotation
from napari_superpixels.engine.links import Links
from napari_superpixels.widgets._buttons import IconButton, text_button
from napari_superpixels.widgets._texts import FixedLabel
from napari_superpixels.widgets.level_row import grouped

if TYPE_CHECKING:
    from napari_superpixels.engine.doubt import Doubt, Doubtful

_REST_MS = 300
_NOT_READY = "The superpixels are not examined yet."


class DoubtControls(QWidget):
    """Asks for the next superpixel that is worth a look, and says why it is."""

    next_requested = Signal()
    """The user wants to see the next doubtful superpixel."""
    previous_requested = Signal()
    """The user wants to see the one before."""
    check_requested = Signal(bool)
    """The user marks the superpixel at hand as checked, or no longer."""
    split_requested = Signal()
    """The user wants all mixed superpixels divided along the border of their classes."""

    def __init__(self) -> None:
        super().__init__()
        self._doubt: Doubt | None = None
        self._annotation: Annotation | None = None
        self._links = Links()
        self._at_hand: Doubtful | None = None
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_REST_MS)
        self._later.timeout.connect(self.recount)
        self._make_widgets()
        self.set_doubt(None, None)

    def set_doubt(self, doubt: "Doubt | None", annotation: Annotation | None) -> None:
        """Take the ranking of another annotation, or none."""
        self._links.close()
        self._doubt, self._annotation = doubt, annotation
        if doubt is not None:
            self._links.connect(doubt.changed, self._on_changed)
        if annotation is not None:
            self._links.connect(annotation.checked_changed, self._on_changed)
            self._links.connect(annotation.classes_changed, self._on_changed)
        self.show_doubtful(None)
        self.recount()

    def show_doubtful(self, doubtful: "Doubtful | None", *, is_checked: bool = False) -> None:
        """Say what is at hand, and whether it is marked as checked."""
        self._at_hand = doubtful
        self.check.setEnabled(doubtful is not None)
        self.check.setChecked(doubtful is not None and is_checked)
        if doubtful is None:
            self.reason.setText("Next shows the most doubtful superpixel." if self._doubt else _NOT_READY)
        else:
            self.reason.setText(f"{doubtful.reason.capitalize()} (doubt {100 * doubtful.score:.0f} %)")

    def recount(self) -> None:
        """Count what is doubtful, and what is mixed."""
        self._later.stop()
        annotation = self._annotation
        n_mixed = 0 if annotation is None else len(annotation.index.mixed())
        self.split_mixed.setText(f"Split {grouped(n_mixed)} mixed" if n_mixed else "No mixed superpixels")
        self.split_mixed.setEnabled(bool(n_mixed))
        for button in (self.previous, self.next):
            button.setEnabled(self._doubt is not None)
        if self._doubt is None or annotation is None:
            self.count.setText("")
            return
        n = self._doubt.n_doubtful(annotation.checked_labels())
        self.count.setText(f"{grouped(n)} left")
        self.count.setToolTip("Doubtful superpixels of this plane that are not marked as checked.")

    def showEvent(self, event: object) -> None:
        """Count what nobody saw."""
        self.recount()

    def _make_widgets(self) -> None:
        self.previous = IconButton(
            "previous_doubtful", "Previous", "Go to the previous doubtful superpixel (Shift+N).", "previous"
        )
        self.next = text_button(
            "next_doubtful", "Next  (N)", "Go to the next superpixel that is worth a look: the most doubtful first."
        )
        self.check = QPushButton("Checked  (K)")
        self.check.setObjectName("mark_checked")
        self.check.setCheckable(True)
        self.check.setToolTip("Mark this superpixel as checked: it is not shown again.")
        self.count = FixedLabel("doubtful_count", 1)
        self.reason = FixedLabel("doubt_reason", 1)
        self.split_mixed = text_button(
            "split_mixed",
            "No mixed superpixels",
            "Divide every superpixel that has several classes along their border. One step of the history.",
        )
        buttons = QHBoxLayout()
        buttons.setSpacing(2)
        buttons.addWidget(self.previous)
        buttons.addWidget(self.next, 1)
        buttons.addWidget(self.check, 1)
        last = QGridLayout()
        last.addWidget(self.split_mixed, 0, 0)
        last.addWidget(self.count, 0, 1)
        last.setColumnStretch(0, 2)
        last.setColumnStretch(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(buttons)
        layout.addWidget(self.reason)
        layout.addLayout(last)
        self.previous.clicked.connect(lambda: self.previous_requested.emit())
        self.next.clicked.connect(lambda: self.next_requested.emit())
        self.check.clicked.connect(self.check_requested)
        self.split_mixed.clicked.connect(lambda: self.split_requested.emit())

    def _on_changed(self, *_: object) -> None:
        if self.isVisible() and not self._later.isActive():
            self._later.start()
