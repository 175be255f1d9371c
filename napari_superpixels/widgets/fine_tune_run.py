"""A fine-tuning that runs: how far it is, its curves, and what stops it."""

from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from napari_superpixels.engine.links import Links
from napari_superpixels.widgets._buttons import text_button
from napari_superpixels.widgets._texts import FixedLabel
from napari_superpixels.widgets.fine_tune_data import heading
from napari_superpixels.widgets.fine_tune_wording import duration
from napari_superpixels.widgets.wording import wrapped

if TYPE_CHECKING:
    from napari_superpixels.engine.fine_tune_session import FineTuneSession
    from napari_superpixels.widgets.fine_tune_curves import FineTuneCurves

_INTERVAL_MS = 250
_TITLES = {
    "starting": "Getting ready…",
    "running": "Training",
    "paused": "Paused",
    "stopping": "Stopping: the best so far is kept…",
}
_PAST_TITLES = {"finished": "How it went", "failed": "Until it failed"}
_PAUSE_HELP = "Halt after the present step; the computer is free meanwhile."
_GO_HELP = "Go on where it was paused."
_PREVIEW_HELP = (
    "Draw the new superpixels of the view over the old ones every few seconds, in another colour. It takes a little of "
    "the training's time."
)


class FineTuneProgress(QWidget):
    """Progress and curves of a session.

    Parameters
    ----------
    session : FineTuneSession
        What is trained.
    """

    preview_toggled = Signal(bool)
    """The user wants the superpixels of the view shown as they get better, or no longer."""

    def __init__(self, session: "FineTuneSession") -> None:
        super().__init__()
        self._session = session
        self.curves: FineTuneCurves | None = None
        """Made when training starts for the first time."""
        self.title = heading("")
        self.title.setObjectName("phase")
        self.message = FixedLabel("run_message", 2)
        self.bar = QProgressBar()
        self.bar.setObjectName("progress")
        self.bar.setAccessibleName("Progress of the training")
        self.bar.setToolTip("Share of the training that is done; it may end earlier, when it no longer gets better.")
        self.bar.setRange(0, 1000)
        self.bar.setFixedHeight(18)
        self.left = QLabel()
        self.left.setObjectName("time_left")
        self.left.setToolTip("Time left, if it does not end earlier because it no longer gets better.")
        self.preview = QCheckBox("Preview in the viewer")
        self.preview.setObjectName("preview")
        self.preview.setToolTip(wrapped(_PREVIEW_HELP))
        self.pause = text_button("pause", "Pause", _PAUSE_HELP)
        self.stop = text_button("stop", "Stop", "End the training now and keep the best model so far.")
        self._lay_out()
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_INTERVAL_MS)
        self._later.timeout.connect(self._redraw_some)
        self.preview.clicked.connect(self.preview_toggled)
        self.pause.clicked.connect(self._on_pause)
        self.stop.clicked.connect(lambda: session.stop())
        self._links = Links()
        self._links.connect(session.progressed, self._on_progressed)
        self._links.connect(session.curve_changed, self._on_progressed)
        self._links.connect(session.phase_changed, self.refresh)
        self.refresh()

    def close_session(self) -> None:
        """Stop watching the session, which goes on."""
        self._later.stop()
        self._links.close()

    def refresh(self) -> None:
        """Show the phase, and what can be done in it."""
        phase = self._session.phase
        is_running = phase in _TITLES
        self.title.setText({**_TITLES, **_PAST_TITLES}.get(phase, ""))
        for part in (self.message, self.preview, self.buttons):
            part.setVisible(is_running)
        self.bar.setVisible(phase != "finished")
        self.pause.setText("Go on" if phase == "paused" else "Pause")
        self.pause.setToolTip(wrapped(_GO_HELP if phase == "paused" else _PAUSE_HELP))
        self.pause.setEnabled(phase in ("running", "paused"))
        self.stop.setEnabled(is_running and phase != "stopping")
        if self.curves is None and (is_running or len(self._session.curve) > 0):
            # Imported here: pyqtgraph takes a third of a second.
            from napari_superpixels.widgets.fine_tune_curves import FineTuneCurves

            self.curves = FineTuneCurves(self._session)
            self.column.addWidget(self.curves)
        self._show_progress()
        if self.curves is not None:
            self.curves.redraw()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.addWidget(self.title, 1)
        head.addWidget(self.left)
        self.buttons = QWidget()
        buttons = QHBoxLayout(self.buttons)
        buttons.setContentsMargins(0, 0, 0, 0)
        buttons.setSpacing(2)
        buttons.addWidget(self.pause, 1)
        buttons.addWidget(self.stop, 1)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(4)
        self.column.addLayout(head)
        for part in (self.bar, self.message, self.preview, self.buttons):
            self.column.addWidget(part)

    def _on_pause(self) -> None:
        if self._session.phase == "paused":
            self._session.go()
        else:
            self._session.pause()

    def _on_progressed(self) -> None:
        if not self._later.isActive():
            self._later.start()

    def _redraw_some(self) -> None:
        """Show how far it is, at once: each change would have napari's window, and its canvas, put together anew.

        One plot at a time, which takes up to 20 ms; the others have their turn a moment later.
        """
        self._show_progress()
        if self.curves is not None and not self.curves.redraw(n_plots=1):
            self._later.start()

    def _show_progress(self) -> None:
        session = self._session
        # Qt draws a bar, and with it the window, before setValue() returns, unless it is told not to.
        self.bar.setUpdatesEnabled(False)
        self.bar.setValue(round(1000 * session.progress))
        self.bar.setFormat(f"{100 * session.progress:.0f} %")
        self.bar.setUpdatesEnabled(True)
        seconds = session.seconds_left if session.phase in ("running", "paused") else None
        self.left.setText("" if seconds is None else f"{duration(seconds)} left")
        message = session.message or self._describe_steps()
        if self.message.text() != message:
            self.message.setText(message)

    def _describe_steps(self) -> str:
        session = self._session
        if not session.curve:
            return ""
        n = len(session.epochs)
        checks = f"{n} check{'' if n == 1 else 's'}" if n else "no check yet"
        return f"Step {session.curve[-1]['step']:.0f} · {checks}"
