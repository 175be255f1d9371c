"""Functions handed from any thread to the main thread."""

from collections.abc import Callable
from contextlib import suppress

from qtpy.QtCore import QObject, Qt, Signal, Slot


class MainThread(QObject):
    """Runs functions in the thread that made it, in the order in which they come."""

    _called = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._is_open = True
        self._called.connect(self._run, Qt.ConnectionType.QueuedConnection)

    def dispatch(self, function: Callable[[], None]) -> None:
        """Run a function later in the main thread; do nothing once closed."""
        if self._is_open:
            # Qt may have destroyed this object in the meantime, when the window closes.
            with suppress(RuntimeError):
                self._called.emit(function)

    def close(self) -> None:
        """Forget what still waits, and what may come."""
        self._is_open = False

    @Slot(object)
    def _run(self, function: Callable[[], None]) -> None:
        if self._is_open:
            function()
