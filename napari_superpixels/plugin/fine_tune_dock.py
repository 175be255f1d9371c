"""The Fine-tune widget of a napari viewer."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from napari.viewer import Viewer
from qtpy.QtCore import QEvent, QTimer

from napari_superpixels.engine.errands import Errands
from napari_superpixels.engine.fine_tune_errands import folder_rows
from napari_superpixels.engine.fine_tune_rows import DataRow
from napari_superpixels.engine.links import Links
from napari_superpixels.engine.models import installed_models, model_events
from napari_superpixels.errors import ImageError
from napari_superpixels.plugin.file_dialogs import FileDialogs
from napari_superpixels.plugin.fine_tune_rows import Zero, annotation_row, layers_row, row_key
from napari_superpixels.plugin.pair_choice import PairChoice
from napari_superpixels.plugin.regions import Region, shown_region
from napari_superpixels.plugin.session_dock import SessionDock
from napari_superpixels.plugin.workspace import open_workspace
from napari_superpixels.widgets.fine_tune_panel import FineTunePanel
from napari_superpixels.widgets.wording import describe_error

PAINT_FIRST = "Nothing is annotated yet: open Correct, paint some superpixels, then add the annotation here."
PAINT_THIS_PLANE = "Nothing is annotated in this plane: paint some of its superpixels, or move to an annotated one."
CHOOSE_LAYERS = "Choose an image and a Labels layer of its shape first."
_REST_MS = 700


class FineTuneDock(SessionDock):
    """Train a model further on what was annotated in the viewer.

    The training goes on while the widget is closed, and belongs to the viewer.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer; only its public attributes are used.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self._is_closed = False
        self._workspace = open_workspace(napari_viewer)
        self._viewer = self._workspace.viewer
        self.tuning = self._workspace.fine_tuning()
        self.session = self.tuning.session
        self.source = PairChoice(self._viewer)
        self.panel = FineTunePanel(self.session, installed_models, self.source)
        self._dialogs = FileDialogs(self)
        self._errands = Errands(self._workspace.main_thread.dispatch, self._on_error)
        self._links = Links()
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_REST_MS)
        self._later.timeout.connect(self._read_annotation_anew)
        self.show_panel(self.panel)
        self._connect()
        self.panel.set_runs_folder(self.session.runs_folder)
        self.panel.set_preview(self.tuning.preview.is_wanted)

    def add_annotation(self) -> None:
        """Put the plane that is annotated in Correct into the list, or bring it up to date there."""
        try:
            layers = self._workspace.find_annotation()
            if layers is not None:
                layers.follow_viewer()
        except ImageError as error:
            self.panel.show_error(str(error))
            return
        if layers is None or not layers.annotation.classes_plane.any():
            is_elsewhere = layers is not None and bool(layers.annotation.classes.any())
            self.panel.say(PAINT_THIS_PLANE if is_elsewhere else PAINT_FIRST)
            return
        self.panel.say("")
        self._add(layers.region, "annotation", lambda taken: annotation_row(layers, taken))

    def add_layers(self, zero: Zero = "segment") -> None:
        """Put the chosen image with the chosen Labels layer into the list: the plane that is shown."""
        image, labels = self.source.image, self.source.labels
        if image is None or labels is None:
            self.panel.say(CHOOSE_LAYERS)
            return
        self.panel.say("")
        try:
            region = shown_region(image, self._viewer.dims, self.source.channel_axis)
            self._add(region, "layers", lambda taken: layers_row(region, labels, zero, taken))
        except ImageError as error:
            self.panel.show_error(str(error))

    def add_folder(self, folder: Path | None = None) -> None:
        """Put the pairs of a folder into the list; the user is asked for one where none is given."""
        folder = folder or self._dialogs.ask_folder("Add pairs of images and labels", Path.home())
        if folder is not None:
            chosen = folder
            self.panel.say("")
            self._errands.run(lambda: folder_rows(chosen, self.session.new_key), self.session.add_rows)

    def train(self) -> None:
        """Start a training, or say why that cannot be."""
        session = self.session
        if session.is_running:
            self.panel.say("A training is going on already.")
        elif session.problem:
            self.panel.say(session.problem)
        else:
            session.train()

    def pause(self) -> None:
        """Halt the training, or let one that is halted go on."""
        if self.session.phase == "paused":
            self.session.go()
        else:
            self.session.pause()

    def close_session(self) -> None:
        """Stop watching; a training goes on."""
        if self._is_closed:
            return
        self._is_closed = True
        self._links.close()
        self._later.stop()
        self._errands.close()
        self.tuning.comparison.clear()
        self.source.disconnect_viewer()
        self.panel.close_session()
        self._workspace.release()

    def event(self, event: QEvent) -> bool:
        """Notice in which window the widget is."""
        if event.type() == QEvent.Type.Show and not self._is_closed:
            self.tuning.watch(self)
        return super().event(event)

    def _connect(self) -> None:
        panel, links = self.panel, self._links
        panel.add_annotation_requested.connect(self.add_annotation)
        panel.add_layers_requested.connect(self.add_layers)
        panel.add_folder_requested.connect(lambda: self.add_folder())
        panel.compare_requested.connect(self._compare)
        panel.preview_toggled.connect(self.tuning.preview.set_wanted)
        panel.runs_folder_requested.connect(self._choose_runs_folder)
        links.connect(self.tuning.preview.noted, panel.say)
        links.connect(self.tuning.preview.closed, self._on_preview_closed)
        links.connect(self.tuning.comparison.noted, panel.say)
        links.connect(self.tuning.comparison.closed, self._on_comparison_closed)
        links.connect(self._workspace.annotated, self._on_annotated)
        links.connect(model_events.changed, self._on_models)

    def _add(self, region: Region, kind: Literal["annotation", "layers"], make: Callable[[set[str]], DataRow]) -> None:
        """Put the row of a plane into the list; one that is there already is replaced and keeps its name."""
        key = row_key(kind, region)
        taken = {row.name for row in self.session.rows if row.key != key}
        self.session.add_rows([make(taken)])

    def _read_annotation_anew(self) -> None:
        """Bring the share that is annotated up to date in the row of the annotation at hand."""
        layers = self._workspace.annotation_at_hand
        if layers is None or self.tuning.is_active:
            return
        if any(row.key == row_key("annotation", layers.region) for row in self.session.rows):
            self._add(layers.region, "annotation", lambda taken: annotation_row(layers, taken))

    def _compare(self, name: str, mode: str) -> None:
        if mode == "off":
            self.tuning.comparison.clear()
        else:
            self.tuning.comparison.show(name, "blink" if mode == "blink" else "swipe")

    def _choose_runs_folder(self) -> None:
        folder = self._dialogs.ask_folder("Keep trainings in", self.session.runs_folder)
        if folder is not None:
            self.session.set_runs_folder(folder)
            self.panel.set_runs_folder(self.session.runs_folder)

    def _on_annotated(self) -> None:
        self._later.start()

    def _on_preview_closed(self) -> None:
        self.panel.set_preview(False)

    def _on_comparison_closed(self) -> None:
        self.panel.set_compare("off")

    def _on_models(self, name: str) -> None:
        self.panel.reload_models()

    def _on_error(self, error: Exception) -> None:
        self.panel.show_error(describe_error(error))
