"""The Segment widget of a napari viewer."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.viewer import Viewer
from superqt.utils import QSignalThrottler

from napari_superpixels.engine.links import Links
from napari_superpixels.engine.models import model_events
from napari_superpixels.engine.quality import QualityMeter
from napari_superpixels.errors import ImageError
from napari_superpixels.plugin.extras import ExtraViews
from napari_superpixels.plugin.ground_truth import GroundTruthMenu, MissedBoundary
from napari_superpixels.plugin.image_choice import ImageChoice
from napari_superpixels.plugin.notify import HiddenPanelNotifier
from napari_superpixels.plugin.regions import Region, mark_changed, notice_change, shown_region
from napari_superpixels.plugin.seed_points import seeds_from_points
from napari_superpixels.plugin.session_dock import SessionDock
from napari_superpixels.plugin.workspace import open_workspace
from napari_superpixels.widgets.quality_panel import QualityPanel
from napari_superpixels.widgets.segment_panel import SegmentPanel

NO_IMAGE = "Open an image, or try File > Open Sample > Superpixels."
_FOLLOW_MS = 60
_PIXELS_PER_SEGMENT = 25


class SegmentDock(SessionDock):
    """Choose an image of the viewer, cut it into superpixels, tune them.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer; only its public attributes are used.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self._workspace = open_workspace(napari_viewer)
        self._viewer = self._workspace.viewer
        self.session = self._workspace.session
        self.results = self._workspace.results
        self.source = ImageChoice(self._viewer)
        self.truth = GroundTruthMenu(self._viewer)
        self.meter = QualityMeter(self.session, self.truth.find_truth, self._workspace.main_thread.dispatch)
        self.quality = QualityPanel(self.session, self.meter, self.truth)
        self.missed = MissedBoundary(self._viewer, self.meter)
        self.panel = SegmentPanel(self.session, self.source, self.quality)
        self.extras = ExtraViews(self._viewer, self.session)
        self._notifier = HiddenPanelNotifier(self.session, self)
        self._links = Links()
        self._follow = QSignalThrottler(parent=self)
        self._follow.setTimeout(_FOLLOW_MS)
        self._watched: list[Any] = []
        self._is_closed = False
        self.show_panel(self.panel)
        self._connect()
        self._on_source_changed()

    def segment(self) -> None:
        """Cut what the viewer shows of the chosen image into superpixels."""
        if self._take_input(must_look=True) is not None:
            self.session.segment()

    def close_session(self) -> None:
        """Stop watching the viewer, and computing if no other widget needs it; the layers stay."""
        if self._is_closed:
            return
        self._is_closed = True
        self._links.close()
        self.panel.close_session()
        for part in (self._notifier, self.meter, self.extras, self.missed):
            part.close()
        self.source.disconnect_viewer()
        self.truth.disconnect_viewer()
        self._watch([])
        self._workspace.release()

    def _connect(self) -> None:
        events = self._viewer.dims.events
        for emitter in (events.point, events.order, events.ndisplay):
            self._links.connect(emitter, self._on_dims)
        self._links.connect(self.results.noted, self.panel.add_note)
        self._links.connect(self.session.input_changed, self._on_input)
        self._links.connect(model_events.changed, self._on_models)
        self.source.changed.connect(self._on_source_changed)
        self.panel.segment_requested.connect(self.segment)
        self.panel.extra_view_toggled.connect(self.extras.set_wanted)
        self.extras.closed.connect(lambda name: self.panel.set_extra_view(name, False))
        self.extras.noted.connect(self.panel.add_note)
        self.truth.changed.connect(self._on_truth_changed)
        self.quality.missed_toggled.connect(self.missed.set_wanted)
        self.missed.closed.connect(lambda: self.quality.set_missed(False))
        self._follow.triggered.connect(self._take_input)

    def _on_dims(self, event: Any = None) -> None:
        self._follow.throttle()

    def _on_source_changed(self) -> None:
        if self.source.seeds is not None:
            self.extras.give_up(self.source.seeds)
        self._watch([layer for layer in (self.source.image, self.source.seeds) if layer is not None])
        self._take_input()

    def _on_input(self, inputs: Any) -> None:
        """Show the channels of work that comes back."""
        origin = None if inputs is None else inputs.origin
        if isinstance(origin, Region) and origin.layer is self.source.image:
            if origin.channel_axis != self.source.channel_axis:
                self.source.show_channels(origin.channel_axis)

    def _on_models(self, name: str) -> None:
        self.panel.reload_models()

    def _on_truth_changed(self) -> None:
        self.quality.set_has_truth(self.truth.layer is not None)
        self.meter.refresh()

    def _watch(self, layers: list[Any]) -> None:
        for layer in self._watched:
            layer.events.data.disconnect(self._on_data)
        for layer in layers:
            layer.events.data.connect(self._on_data)
        self._watched = layers

    def _on_data(self, event: Any) -> None:
        if event.source is self.source.image:
            mark_changed(event.source)
        self._follow.throttle()

    def _take_input(self, *, must_look: bool = False) -> Region | None:
        """Hand the part of the image that is shown to the session; say why where there is none.

        With `must_look`, pixels that were written into the image's array are noticed.
        """
        image = self.source.image
        if self._is_closed:
            return None
        if image is None:
            self.session.set_input(None)
            self.truth.set_region(None)
            self.panel.set_unavailable(NO_IMAGE)
            return None
        try:
            region = shown_region(image, self._viewer.dims, self.source.channel_axis)
        except ImageError as error:
            self.panel.set_unavailable(str(error))
            return None
        self.truth.set_region(region)
        if must_look:
            result = self.session.result
            notice_change(region, None if result is None else result.inputs.key)
        self.panel.set_unavailable("")
        self._limit_number(region)
        self._set_input(region, *self._seeds_in(region))
        return region

    def _seeds_in(self, region: Region) -> tuple[npt.NDArray[np.int64] | None, str]:
        """Return the seeds that the user gives for a part of the image, and what is to be told of them."""
        return (None, "") if self.source.seeds is None else seeds_from_points(self.source.seeds, region)

    def _limit_number(self, region: Region) -> None:
        """Let the slider go as far as makes sense for a part of the image."""
        limit = max(100, math.prod(region.shape) // _PIXELS_PER_SEGMENT)
        self.panel.form.set_slider_limit("n_segments", limit)

    def _set_input(self, region: Region, seeds: npt.NDArray[np.int64] | None, note: str) -> None:
        """Hand a part of the image to the session, which leaves planes alone that it must not change by itself."""
        before = self.session.inputs
        inputs = region.as_input(seeds=seeds, corrections=self._workspace.corrections_of(region))
        is_visit = before is not None and before.source == inputs.source and before.position != inputs.position
        if is_visit and self.session.view.live and self._workspace.must_keep(region):
            self.session.visit(inputs, self._workspace.params_of(region))
        else:
            self.session.set_input(inputs)
        # Not before: what was told of another image goes with the input.
        self.panel.set_seed_note(note)
