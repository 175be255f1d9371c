"""What the widgets of a viewer have in common: they stop when they are closed, in whatever way."""

import atexit
import weakref
from typing import Any

from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QSizePolicy, QVBoxLayout, QWidget


class SessionDock(QWidget):
    """A widget that napari docks, and that calls :meth:`close_session` once it is closed.

    Opened beside another of them, it becomes a tab with it: few screens are high enough for both.
    """

    opens_in_front = True
    """Whether it opens as the tab in front."""

    def __init__(self) -> None:
        super().__init__()
        self._was_docked = False
        self._place = QTimer(self)
        self._place.setSingleShot(True)
        self._place.timeout.connect(self._join_others)
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

    def bring_to_front(self) -> None:
        """Show the dock, and its tab in front of the others."""
        dock = self._dock()
        if dock is not None:
            dock.show()
            dock.raise_()

    def _dock(self) -> QDockWidget | None:
        parent = self.parentWidget()
        while parent is not None and not isinstance(parent, QDockWidget):
            parent = parent.parentWidget()
        return parent

    def _join_others(self) -> None:
        """Become a tab with a widget of ours that is docked on the same side of the window."""
        dock = self._dock()
        window = None if dock is None else dock.parentWidget()
        if dock is None or not isinstance(window, QMainWindow) or dock.isFloating():
            return
        for other in (widget._dock() for widget in window.findChildren(SessionDock) if widget is not self):
            if other is None or other.isHidden() or other.isFloating():
                continue
            if window.dockWidgetArea(other) == window.dockWidgetArea(dock):
                window.tabifyDockWidget(other, dock)
                (dock if self.opens_in_front else other).raise_()
                return

    def event(self, event: QEvent) -> bool:
        """Stop when the dock is closed."""
        # napari takes the widget out of its dock, and forgets it, when the user closes the dock.
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is not None:
                if not self._was_docked:
                    # napari puts the dock into the window after this.
                    self._place.start(0)
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
