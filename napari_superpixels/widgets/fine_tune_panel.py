"""The Fine-tune panel: data, training, and whether it helped, one after the other."""

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from napari_superpixels.engine.links import Links
from napari_superpixels.widgets._buttons import line
from napari_superpixels.widgets._folder_row import FolderRow
from napari_superpixels.widgets.fine_tune_data import FineTuneData, heading, text_block
from napari_superpixels.widgets.fine_tune_result import FineTuneResult
from napari_superpixels.widgets.fine_tune_run import FineTuneProgress
from napari_superpixels.widgets.fine_tune_setup import FineTuneForm, Models, TrainControls
from napari_superpixels.widgets.restore_offer import RestoreOffer

if TYPE_CHECKING:
    from napari_superpixels.engine.fine_tune_session import FineTuneSession

_WIDTH, _MIN_WIDTH = 340, 300
_RUNNING = ("starting", "running", "paused", "stopping")
_KEPT_HELP = (
    "Each training has a folder of its own there: a copy of the data, its curves, the best model, and the state to go "
    "on from after a crash."
)


class FineTunePanel(QWidget):
    """A view of one session; what needs the viewer is asked for by signals.

    Parameters
    ----------
    session : FineTuneSession
        The state that is shown and changed; it goes on when the panel is closed.
    models : callable
        Returns the models that are installed now.
    layers : QWidget, optional
        Menus that choose an image and a Labels layer of the viewer.
    """

    add_annotation_requested = Signal()
    """The user wants the annotation at hand in the Correct widget in the list."""
    add_layers_requested = Signal(str)
    """The user wants the chosen layers in the list; what 0 means in their labels: "segment" or "unannotated"."""
    add_folder_requested = Signal()
    """The user wants the pairs of a folder in the list."""
    compare_requested = Signal(str, str)
    """(validation image, "off", "blink" or "swipe"): the user wants old and new superpixels compared."""
    preview_toggled = Signal(bool)
    """The user wants the superpixels of the view shown as they get better, or no longer."""
    runs_folder_requested = Signal()
    """The user wants the runs kept elsewhere."""

    def __init__(
        self,
        session: "FineTuneSession",
        models: Models,
        layers: QWidget | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self.offer = RestoreOffer(
            "resume_offer",
            ("resume", "Resume", "Go on with this training where it ended."),
            ("discard_run", "Discard", "Delete this training and its folder."),
        )
        self.data = FineTuneData(session, layers)
        self.form = FineTuneForm(session, models)
        self.controls = TrainControls(session)
        self.runs = FolderRow(
            *("runs_folder", "choose_runs_folder", _KEPT_HELP),
            *("Choose another folder for trainings.", "Trainings are kept nowhere yet"),
        )
        self.progress = FineTuneProgress(session)
        self.result = FineTuneResult(session, models)
        self.status = text_block("status")
        self.status.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._lay_out()
        self._connect()
        self.refresh()

    def close_session(self) -> None:
        """Stop watching the session, which goes on."""
        self._links.close()
        for part in (self.data, self.form, self.controls, self.progress, self.result):
            part.close_session()

    def set_runs_folder(self, folder: str | Path | None) -> None:
        """Show where trainings are kept."""
        self.runs.set_folder(folder)

    def set_preview(self, is_shown: bool) -> None:
        """Show whether there is a preview in the viewer, without `preview_toggled`."""
        self.progress.preview.setChecked(is_shown)

    def set_compare(self, mode: str) -> None:
        """Show how images are compared, without `compare_requested`."""
        self.result.set_compare(mode)

    def reload_models(self) -> None:
        """List the models that are installed now."""
        self.form.reload_models()

    def say(self, text: str) -> None:
        """Tell the user something; an empty text takes it back."""
        self.status.setText(text)
        self.status.setVisible(bool(text))

    def show_error(self, text: str) -> None:
        """Say what went wrong."""
        self.say(f"⚠ {text}")

    def refresh(self) -> None:
        """Show the parts that belong to the present phase."""
        phase = self._session.phase
        is_running, is_finished = phase in _RUNNING, phase == "finished"
        has_curves = len(self._session.curve) > 0
        self.progress.setVisible(is_running or (has_curves and phase in ("finished", "failed")))
        self.result.setVisible(is_finished)
        for part in (self.setup, self.controls):
            part.setVisible(not is_running and not is_finished)
        self._show_offer()

    def sizeHint(self) -> QSize:
        """Ask for more than the least width, so that names can be read."""
        return super().sizeHint().expandedTo(QSize(_WIDTH, 0))

    def _lay_out(self) -> None:
        self.setup = QWidget()
        setup = QVBoxLayout(self.setup)
        setup.setContentsMargins(0, 0, 0, 0)
        setup.setSpacing(6)
        for part in (self.data, line(), heading("Training"), self.form, self.runs):
            setup.addWidget(part)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 4, 0)
        column.setSpacing(6)
        for widget in (self.offer, self.result, self.progress, self.setup):
            column.addWidget(widget)
        column.addStretch(1)
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidget(content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(6)
        layout.addWidget(self.area, 1)
        layout.addWidget(self.controls)
        layout.addWidget(self.status)
        self.setMinimumWidth(_MIN_WIDTH)
        self.say("")

    def _connect(self) -> None:
        for part, names in (
            (self.data, ("add_annotation_requested", "add_layers_requested", "add_folder_requested")),
            (self.progress, ("preview_toggled",)),
            (self.result, ("compare_requested",)),
        ):
            for name in names:
                getattr(part, name).connect(getattr(self, name))
        self.runs.change_requested.connect(self.runs_folder_requested)
        self.form.refused.connect(self.show_error)
        self.result.refused.connect(self.show_error)
        self.result.told.connect(self.say)
        self.offer.restore_requested.connect(self._resume)
        self.offer.discard_requested.connect(self._discard)
        self._links = Links()
        self._links.connect(self._session.phase_changed, self._on_phase)
        self._links.connect(self._session.told, self.say)
        self._links.connect(self._session.failed, self._show_offer)

    def _on_phase(self) -> None:
        self.say("")
        self.refresh()
        self.area.verticalScrollBar().setValue(0)

    def _show_offer(self) -> None:
        """Offer to go on: after a failure with the run at hand, else with the newest that did not end."""
        session = self._session
        self._offered: Path | None = None
        self._is_asked_twice = False
        self.offer.restore.setVisible(True)
        if session.phase == "failed":
            self.offer.restore.setVisible(session.can_resume)
            kept = "What was learnt so far is kept." if session.can_resume else "There was nothing to keep yet."
            self._offered = session.run_folder
            self.offer.set_text(f"⚠ {session.message}\n{kept}")
        elif session.phase == "setup" and (runs := session.unfinished_runs()):
            more = f" ({len(runs) - 1} older)" if len(runs) > 1 else ""
            self._offered = runs[0].folder
            self.offer.set_text(f"{runs[0].title}.{more}")
        else:
            self.offer.set_text("")

    def _resume(self) -> None:
        # Not the newest of now, which may be another than the one that is named.
        if self._offered is not None:
            self._session.resume(self._offered)

    def _discard(self) -> None:
        """Delete the run that is offered when asked for the second time; say so the first time."""
        if self._offered is None:
            return
        has_failed = self._session.phase == "failed"
        is_worth_asking = self._session.can_resume or not has_failed
        if is_worth_asking and not self._is_asked_twice:
            self._is_asked_twice = True
            self.offer.set_text(f"{self.offer.text.text()} Press Discard once more to delete this training for good.")
            return
        self._session.discard(None if has_failed else self._offered)
        self._show_offer()
