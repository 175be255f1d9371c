"""The fine-tuning of a viewer: it goes on while its widget is closed."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from napari.components import ViewerModel
from napari.layers import Image
from qtpy.QtWidgets import QWidget

from napari_superpixels.engine.fine_tune_session import FineTuneSession
from napari_superpixels.engine.links import Links
from napari_superpixels.engine.scheduler import Dispatch
from napari_superpixels.plugin.close_guard import CloseGuard, ask_to_stop
from napari_superpixels.plugin.fine_tune_rows import region_of
from napari_superpixels.plugin.fine_tune_views import Comparison, LivePreview
from napari_superpixels.plugin.regions import Region

if TYPE_CHECKING:
    from napari_superpixels.engine.session import Session


class FineTuning:
    """Session, preview, comparison and guard of one viewer.

    Parameters
    ----------
    viewer : ViewerModel
        Where.
    segmenting : Session
        Makes superpixels; gets the new model.
    dispatch : callable
        Runs a function in the main thread.
    hold : callable
        Called with True when a training begins, so that all this stays, and with False when nothing is left of it.
    """

    def __init__(
        self, viewer: ViewerModel, segmenting: "Session", dispatch: Dispatch, hold: Callable[[bool], None]
    ) -> None:
        self.session = FineTuneSession(dispatch)
        self.preview = LivePreview(
            viewer, self.session, lambda: segmenting.params.n_segments, dispatch, self._channel_axis_of
        )
        self.comparison = Comparison(viewer, self.session, dispatch)
        self.guard = CloseGuard(lambda: self.is_active, ask_to_stop, self._on_window_closed)
        self._hold = hold
        self._is_held = False
        self._is_closed = False
        self._links = Links()
        self._links.connect(self.session.phase_changed, self._on_phase)
        self._links.connect(self.session.used, self._choose_model)
        self._segmenting = segmenting

    @property
    def is_active(self) -> bool:
        """Whether a child works."""
        return self.session.is_running

    def watch(self, widget: QWidget) -> None:
        """Ask before the window of a widget is closed while a child works."""
        self.guard.watch(widget)

    def close(self) -> None:
        """Stop in good order; the run can be resumed."""
        if self._is_closed:
            return
        self._is_closed = True
        self._links.close()
        self.guard.release()
        self.guard.deleteLater()
        self.comparison.close()
        self.preview.close()
        self.session.close()

    def _on_phase(self) -> None:
        if not self.is_active and self.preview.is_wanted:
            self.preview.end()
        if self.session.phase != "finished":
            self.comparison.forget()
        # What has ended waits for the user's decision; a training that nobody sees is kept until the window closes.
        is_held = self.session.phase != "setup"
        if is_held != self._is_held:
            self._is_held = is_held
            self._hold(is_held)

    def _channel_axis_of(self, image: Image) -> int | None:
        """Return the axis of an image's channels: that with which it is learnt from, else that of its superpixels."""
        inputs = self._segmenting.inputs
        origins = [*map(region_of, self.session.rows), None if inputs is None else inputs.origin]
        regions = (origin for origin in origins if isinstance(origin, Region) and origin.layer is image)
        return next((region.channel_axis for region in regions), None)

    def _choose_model(self, name: str) -> None:
        self._segmenting.update(model=name)

    def _on_window_closed(self) -> None:
        self.close()
        if self._is_held:
            self._is_held = False
            self._hold(False)
