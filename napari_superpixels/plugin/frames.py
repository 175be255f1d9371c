"""Work done at most once for each frame of the display."""

from collections.abc import Callable

from qtpy.QtCore import QElapsedTimer, QObject, QTimer

_FRAME_MS = 16


class Frames(QObject):
    """Calls a function at once, but only one for each frame; of several the last."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.flush)
        self._since = QElapsedTimer()
        self._function: Callable[[], None] | None = None

    def request(self, function: Callable[[], None]) -> None:
        """Call a function now, or at the next frame if one was called in this."""
        self._function = function
        if self._timer.isActive():
            return
        elapsed = self._since.elapsed() if self._since.isValid() else _FRAME_MS
        if elapsed >= _FRAME_MS:
            self.flush()
        else:
            self._timer.start(int(_FRAME_MS - elapsed))

    def flush(self) -> None:
        """Call now what waits."""
        self._timer.stop()
        function, self._function = self._function, None
        if function is not None:
            function()
            self._since.start()

    def drop(self) -> None:
        """Forget what waits."""
        self._timer.stop()
        self._function = None
