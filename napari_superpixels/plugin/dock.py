"""The Segment widget of a napari viewer."""

import importlib
import logging
import threading
from typing import Any

import numpy as np
from napari.layers import Labels
from napari.viewer import Viewer
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget
from superqt.utils import QSignalDebouncer, QSignalThrottler

from napari_superpixels.engine.preferences import load_preferences, save_preferences
from napari_superpixels.engine.quality import QualityMeter
from napari_superpixels.engine.session import Session, warm_up
from napari_superpixels.errors import ImageError
from napari_superpixels.plugin.extras import ExtraViews
from napari_superpixels.plugin.ground_truth import GroundTruthMenu, MissedBoundary
from napari_superpixels.plugin.image_choice import ImageChoice
from napari_superpixels.plugin.layers import ResultLayers
from napari_superpixels.plugin.notify import HiddenPanelNotifier
from napari_superpixels.plugin.regions import Region, mark_changed, notice_change, shown_region
from napari_superpixels.plugin.seed_points import seeds_from_points
from napari_superpixels.plugin.style import line_colormap
from napari_superpixels.widgets.main_thread import MainThread
from napari_superpixels.widgets.quality_panel import QualityPanel
from napari_superpixels.widgets.segment_panel import SegmentPanel

NO_IMAGE = "Open an image, or try File > Open Sample > Superpixels."
_FOLLOW_MS = 60
_SAVE_MS = 500
_PIXELS_PER_SEGMENT = 25
_LOG = logging.getLogger(__name__)


class SegmentDock(QWidget):
    """Choose an image of the viewer, cut it into superpixels, tune them.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer; only its public attributes are used.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        # Plugins get a proxy that wraps each layer anew, so that `is` fails and layers cannot be told apart.
        self._viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        self._main_thread = MainThread(self)
        params, view = load_preferences()
        self.session = Session(params, view, dispatch=self._main_thread.dispatch)
        self.source = ImageChoice(self._viewer)
        self.truth = GroundTruthMenu(self._viewer)
        self.meter = QualityMeter(self.session, self.truth.find_truth, self._main_thread.dispatch)
        self.quality = QualityPanel(self.session, self.meter, self.truth)
        self.missed = MissedBoundary(self._viewer, self.meter)
        self.panel = SegmentPanel(self.session, self.source, self.quality)
        self.results = ResultLayers(self._viewer, self.session, self._main_thread.dispatch)
        self.extras = ExtraViews(self._viewer, self.session, lambda layer: layer is self.source.seeds)
        self._notifier = HiddenPanelNotifier(self.session, self)
        self._follow = QSignalThrottler(parent=self)
        self._follow.setTimeout(_FOLLOW_MS)
        self._save = QSignalDebouncer(parent=self)
        self._save.setTimeout(_SAVE_MS)
        self._watched: list[Any] = []
        self._is_closed = False
        self._was_docked = False
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.panel)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._connect()
        self._on_source_changed()
        _start_warm_up()

    def segment(self) -> None:
        """Cut what the viewer shows of the chosen image into superpixels."""
        region = self._take_input(must_look=True)
        if region is None:
            return
        if not (self.session.view.live and self.session.is_busy):
            self.session.segment()

    def close_session(self) -> None:
        """Stop computing and watching the viewer; the layers stay."""
        if self._is_closed:
            return
        self._is_closed = True
        self._main_thread.close()
        self.session.close()
        self.meter.close()
        self.results.close()
        self.extras.close()
        self.missed.close()
        self.source.disconnect_viewer()
        self.truth.disconnect_viewer()
        self._watch([])
        for emitter in self._dims_emitters():
            emitter.disconnect(self._on_dims)
        save_preferences(self.session.params, self.session.view)

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

    def _connect(self) -> None:
        for emitter in self._dims_emitters():
            emitter.connect(self._on_dims)
        self.source.changed.connect(self._on_source_changed)
        self.panel.segment_requested.connect(self.segment)
        self.panel.extra_view_toggled.connect(self.extras.set_wanted)
        self.extras.closed.connect(lambda name: self.panel.set_extra_view(name, False))
        self.extras.noted.connect(self.panel.add_note)
        self.results.noted.connect(self.panel.add_note)
        self.truth.changed.connect(self._on_truth_changed)
        self.quality.missed_toggled.connect(self.missed.set_wanted)
        self.missed.closed.connect(lambda: self.quality.set_missed(False))
        self._follow.triggered.connect(self._take_input)
        self._save.triggered.connect(lambda: save_preferences(self.session.params, self.session.view))
        self.session.params_changed.connect(lambda new, old: self._save.throttle())
        self.session.view_changed.connect(lambda new, old: self._save.throttle())
        self.destroyed.connect(lambda: self.close_session())

    def _dims_emitters(self) -> tuple[Any, ...]:
        events = self._viewer.dims.events
        return (events.point, events.order, events.ndisplay)

    def _on_dims(self, event: Any = None) -> None:
        self._follow.throttle()

    def _on_source_changed(self) -> None:
        self._watch([layer for layer in (self.source.image, self.source.seeds) if layer is not None])
        self._take_input()

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
        seeds, note = None, ""
        if self.source.seeds is not None:
            seeds, note = seeds_from_points(self.source.seeds, region)
        self.panel.set_unavailable("")
        n_pixels = 1
        for n in region.shape:
            n_pixels *= n
        self.panel.form.set_slider_limit("n_segments", max(100, n_pixels // _PIXELS_PER_SEGMENT))
        self.session.set_input(region.as_input(seeds=seeds))
        if note:
            self.panel.add_note(note)
        return region


_warm_up_lock = threading.Lock()
_warm_up_started = False


def _start_warm_up() -> None:
    """Load torch and the compiled code in a thread, once, so that the first result comes soon."""
    global _warm_up_started
    with _warm_up_lock:
        if _warm_up_started:
            return
        _warm_up_started = True
    threading.Thread(target=_warm_up, name="napari-superpixels-warm-up").start()


def _warm_up() -> None:
    try:
        # napari compiles code of its own for the first Labels layer, which takes more than half a second.
        Labels(np.ones((4, 4), np.int32), colormap=line_colormap()).contour = 1
        warm_up()
        # What the Quality part draws with.
        importlib.import_module("napari_superpixels.widgets.size_plot")
    except Exception:  # noqa: BLE001 - what fails here fails again, and is told, when the user asks for it
        _LOG.debug("The warm-up failed", exc_info=True)
