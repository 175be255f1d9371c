"""What the widgets of a viewer have in common: they stop when they are closed, in whatever way."""

import atexit
import weakref
from typing import Any

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget


class SessionDock(QWidget):
    """A widget that napari docks, and that calls :meth:`close_session` once it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self._was_docked = False
        self.destroyed.connect(lambda: self.close_session())
        _open_docks.add(self)

    def close_session(self) -> None:
        """Stop computing and watching the viewer; called more than once."""
        raise NotImplementedError

    def show_panel(self, panel: QWidget) -> None:
        """Fill the dock with a panel."""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(panel)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)

    def event(self, event: QEvent) -> bool:
        """Stop when the dock is closed."""
        # napari takes the widget out of its dock, and forgets it, when the user closes the dock.
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is not None:
                self._was_docked = True
            elif self._was_docked:
                self.close_session()
                self.deleteLater()
        return super().event(event)

    def closeEvent(self, event: Any) -> None:
        """Stop when the widget is a window of its own and is closed."""
        if self.parent() is None:
            self.close_session()
        super().closeEvent(event)


_open_docks: weakref.WeakSet[SessionDock] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Stop before Qt takes its objects apart, in any order, when a program ends with its viewer open."""
    for dock in list(_open_docks):
        dock.close_session()
