"""Asking before a window is closed in which something still runs."""

from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMainWindow, QMessageBox, QWidget


class CloseGuard(QObject):
    """Asks when the window around a widget is closed, and keeps it open if the user wants that.

    Parameters
    ----------
    is_needed : callable
        Says whether something still runs.
    ask : callable
        Asks the user, over a window; returns whether to close it.
    on_close : callable
        Called when the window has been closed.
    """

    def __init__(
        self, is_needed: Callable[[], bool], ask: Callable[[QWidget], bool], on_close: Callable[[], None]
    ) -> None:
        super().__init__()
        self._is_needed = is_needed
        self._ask = ask
        self._on_close = on_close
        self._window: QMainWindow | None = None
        self._is_closing = False

    def watch(self, widget: QWidget) -> None:
        """Watch the main window that a widget is in now, if it is in one."""
        window = widget
        while (parent := window.parentWidget()) is not None:
            window = parent
        if isinstance(window, QMainWindow) and window is not self._window:
            self.release()
            self._window = window
            window.installEventFilter(self)

    def release(self) -> None:
        """Watch no window any more."""
        window, self._window = self._window, None
        if window is not None:
            window.removeEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Ask before the window closes, and say when it has."""
        window = self._window
        if window is None or watched is not window:
            return False
        if event.type() == QEvent.Type.Close:
            # A script that closes its viewer has taken the window apart by now: nobody to ask, and no way back.
            if self._is_needed() and _shows_something(window) and not self._ask(window):
                event.ignore()
                return True
            self._is_closing = window.isVisible()
            if not self._is_closing:
                self._on_close()
        elif event.type() == QEvent.Type.Hide and self._is_closing and not event.spontaneous():
            # napari may have asked a question of its own after ours, and the window have stayed.
            self._is_closing = False
            self._on_close()
        return False


def ask_to_stop(window: QWidget) -> bool:
    """Ask whether to stop a training; return whether the window may close."""
    box = QMessageBox(window)
    box.setObjectName("stop_training")
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("Training is running")
    box.setText("A model is being trained in this window.")
    box.setInformativeText(
        "If you close it, the training stops. What it has learnt is kept, and you can resume it from the Fine-tune "
        "widget later."
    )
    stop = box.addButton("Stop and close", QMessageBox.ButtonRole.AcceptRole)
    keep = box.addButton("Keep training", QMessageBox.ButtonRole.RejectRole)
    stop.setObjectName("stop_and_close")
    keep.setObjectName("keep_training")
    box.setDefaultButton(keep)
    box.setEscapeButton(keep)
    box.exec()
    is_stopped = box.clickedButton() is stop
    box.deleteLater()
    return is_stopped


def _shows_something(window: QMainWindow) -> bool:
    center = window.centralWidget()
    if not window.isVisible() or center is None:
        return False
    return any(part.isVisible() for part in center.findChildren(QWidget))
