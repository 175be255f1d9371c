"""What the widgets of one viewer share: the session, the layers that show its results, and the annotations."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Image, Labels
from psygnal import Signal
from superqt.utils import QSignalDebouncer

from napari_superpixels.engine.corrections import Correction
from napari_superpixels.engine.links import Links
from napari_superpixels.engine.preferences import load_preferences, save_preferences
from napari_superpixels.engine.session import Session
from napari_superpixels.errors import ImageError
from napari_superpixels.params import SegmentParams
from napari_superpixels.plugin.annotation_layers import AnnotationLayers
from napari_superpixels.plugin.found_layers import find_layer, leave
from napari_superpixels.plugin.layers import ResultLayers
from napari_superpixels.plugin.left_work import LeftWork, find_work, forget_work, leave_work
from napari_superpixels.plugin.regions import Region, layer_token, shown_region
from napari_superpixels.plugin.warm_up import start_warm_up
from napari_superpixels.widgets.main_thread import MainThread

if TYPE_CHECKING:
    from napari_superpixels.plugin.fine_tuning import FineTuning

_SAVE_MS = 500


class Workspace:
    """Session and result layers of one viewer; get it with :func:`open_workspace`, give it back with :meth:`release`.

    Two viewers share nothing. What one widget does, another widget of the same viewer sees.
    """

    annotated = Signal()
    """Something was painted, or another annotation was taken at hand."""

    def __init__(self, viewer: ViewerModel) -> None:
        self.viewer = viewer
        self.main_thread = MainThread()
        params, view = load_preferences()
        self.session = Session(params, view, dispatch=self.main_thread.dispatch)
        self.results = ResultLayers(viewer, self.session, self.main_thread.dispatch)
        self.n_users = 0
        self.annotation_at_hand: AnnotationLayers | None = None
        """The annotation that was worked on last, while it lasts."""
        self._annotations: dict[int, AnnotationLayers] = {}
        self._fine_tuning: FineTuning | None = None
        self._save = QSignalDebouncer(parent=self.main_thread)
        self._save.setTimeout(_SAVE_MS)
        self._save.triggered.connect(self._save_preferences)
        self._links = Links()
        self._links.connect(self.session.params_changed, self._on_changed)
        self._links.connect(self.session.view_changed, self._on_changed)
        self._links.connect(self.session.input_changed, self._on_input)
        self._links.connect(viewer.layers.events.removed, self._on_removed)
        self._links.connect(self.results.shown, self._on_shown)

    def release(self) -> None:
        """Say that one widget uses it no more; with the last, computing stops. The layers stay."""
        self.n_users -= 1
        if self.n_users:
            return
        del _workspaces[id(self.viewer)]
        self._links.close()
        if self._fine_tuning is not None:
            self._fine_tuning.close()
        self._leave_work()
        self.main_thread.close()
        self.session.close()
        self.results.close()
        self._save_preferences()
        self.main_thread.deleteLater()

    def fine_tuning(self) -> "FineTuning":
        """Return the fine-tuning of the viewer, made if there is none yet."""
        if self._fine_tuning is None:
            # Imported here: most sessions train nothing.
            from napari_superpixels.plugin.fine_tuning import FineTuning

            self._fine_tuning = FineTuning(self.viewer, self.session, self.main_thread.dispatch, self._hold)
        return self._fine_tuning

    def annotate(self, image: Image) -> AnnotationLayers | None:
        """Return the annotation of an image, made if there is none yet; None if the image has no superpixels.

        Raises
        ------
        ImageError
            If its superpixels cannot be corrected.
        """
        token = layer_token(image)
        superpixels = self.results.superpixels_of(image)
        layers = self._annotations.get(token)
        if layers is not None and layers.superpixels is superpixels:
            self._take_at_hand(layers)
            return layers
        if layers is not None:
            self._close_annotation(token)
        left = None
        if superpixels is None and (left := self._left_work(image)) is not None:
            superpixels = left[0]
        if superpixels is None:
            return None
        layers = self._annotations[token] = AnnotationLayers(self.viewer, self.session, self.results, superpixels)
        layers.annotation.history_changed.connect(self._on_annotated)
        self._take_at_hand(layers)
        if left is None:
            layers.start_journal(self.main_thread.dispatch)
        else:
            forget_work(superpixels)
            layers.go_on(left[1], self.main_thread.dispatch)
        layers.ensure_shown()
        return layers

    def attach(self, region: Region, labels: npt.NDArray[np.int32]) -> AnnotationLayers:
        """Return the annotation of an image, made on these superpixels if it has none.

        Parameters
        ----------
        region : Region
            A plane of the image at full resolution.
        labels : ndarray of the plane's shape, int32
            Superpixels, for a new layer where there is none that an earlier widget left.

        Raises
        ------
        ImageError
            If its superpixels cannot be corrected.
        """
        try:
            layers = self.annotate(region.layer)
        except ImageError:
            layers = None
        if layers is None:
            found = find_layer(self.viewer, region, "superpixels", np.int32)
            if found is None:
                self.results.adopt(region, labels)
            else:
                self.results.adopt_layer(region, found)
            layers = self.annotate(region.layer)
        if layers is None or layers.superpixels.data.shape != region.full_shape:
            raise ImageError(f"The superpixels of {region.layer.name!r} cannot be shown on it; press Segment.")
        return layers

    def find_annotation(self) -> AnnotationLayers | None:
        """Return the annotation of the active image, or the one at hand, or the topmost that closed widgets left."""
        active = self.viewer.layers.selection.active
        images = [active] if isinstance(active, Image) else []
        if self.annotation_at_hand is None:
            images += [layer for layer in reversed(self.viewer.layers) if isinstance(layer, Image)]
        for image in images:
            found = find_work(self.viewer, image)
            if layer_token(image) in self._annotations or (found is not None and found[1].state is not None):
                self.annotate(image)
                break
        return self.annotation_at_hand

    def _left_work(self, image: Image) -> tuple[Labels, LeftWork] | None:
        """Take the superpixels of an image in view that widgets left which are closed by now, with what was done."""
        found = find_work(self.viewer, image)
        if found is None:
            return None
        superpixels, work = found
        try:
            region = shown_region(image, self.viewer.dims, work.channel_axis)
        except ImageError:
            return None
        if len(region.axes) != 2 or region.full_shape != superpixels.data.shape:
            return None
        self.results.go_on(region, superpixels, is_own=work.state is None)
        return found

    def _leave_work(self) -> None:
        """Close every annotation; what was done is gone on with when widgets are opened again."""
        for layer, region in self.results.own_layers():
            leave_work(layer, None, LeftWork(layer.data, region.channel_axis))
        for token, layers in list(self._annotations.items()):
            work = layers.left_work()
            journal = self._close_annotation(token)
            if self.results.superpixels_of(layers.image) is layers.superpixels:
                leave_work(layers.superpixels, layers.classes, replace(work, journal=journal))

    def corrections_of(self, region: Region) -> tuple[Correction, ...]:
        """Return what the user has corrected in a plane, which its next superpixels are to hold."""
        layers = self._annotations.get(layer_token(region.layer))
        if layers is None or not layers.can_take(region):
            return ()
        layers.take_plane(region)
        return layers.annotation.corrections

    def must_keep(self, region: Region) -> bool:
        """Say whether to go to a plane may not change it: hands worked on it, or what was undone would be forgotten."""
        layers = self._annotations.get(layer_token(region.layer))
        if layers is None or not layers.can_take(region):
            return False
        layers.take_plane(region)
        annotation = layers.annotation
        return annotation.is_worked_on or (annotation.history.can_redo and not annotation.is_untouched)

    def params_of(self, region: Region) -> SegmentParams | None:
        """Return what the superpixels of an annotated plane were made with; None where it has none.

        Of superpixels from elsewhere these are the session's.
        """
        layers = self._annotations.get(layer_token(region.layer))
        if layers is None or not region.plane_of(layers.superpixels.data).any():
            return None
        layers.take_plane(region)
        params = layers.annotation.params
        try:
            return self.session.params if params is None else SegmentParams(**params)
        except ValueError:  # made with a later version
            return self.session.params

    def _on_removed(self, event: Any) -> None:
        token = layer_token(event.value)
        if token in self._annotations:
            self._close_annotation(token)

    def _on_shown(self, shown: Labels) -> None:
        """End annotations whose superpixels gave way to others."""
        for token, layers in list(self._annotations.items()):
            if self.results.superpixels_of(layers.image) is not layers.superpixels:
                self._close_annotation(token)

    def _take_at_hand(self, layers: AnnotationLayers) -> None:
        if layers is not self.annotation_at_hand:
            self.annotation_at_hand = layers
            self.annotated.emit()

    def _close_annotation(self, token: int) -> Path | None:
        """Close an annotation and return the journal that stays, because it holds what is not saved."""
        layers = self._annotations.pop(token)
        layers.annotation.history_changed.disconnect(self._on_annotated)
        if layers is self.annotation_at_hand:
            self.annotation_at_hand = None
        journal = layers.close()
        has_parted = self.results.superpixels_of(layers.image) is not layers.superpixels
        if has_parted and layers.superpixels.data.shape != layers.region.full_shape:
            for layer in layers.layers:
                leave(layer)
        return journal

    def _on_input(self, inputs: Any) -> None:
        """Go on with what closed widgets left of an image that is to be segmented, so that its repairs hold."""
        origin = None if inputs is None else inputs.origin
        if not isinstance(origin, Region) or self.results.superpixels_of(origin.layer) is not None:
            return
        found = find_work(self.viewer, origin.layer)
        if found is None:
            return
        if found[1].state is not None:
            self.annotate(origin.layer)
        elif self._left_work(origin.layer) is not None:
            forget_work(found[0])

    def _on_annotated(self, *_: Any) -> None:
        self.annotated.emit()

    def _hold(self, is_held: bool) -> None:
        """Stay while a training goes on, though every widget may be closed."""
        if is_held:
            self.n_users += 1
        else:
            self.release()

    def _on_changed(self, new: Any, old: Any) -> None:
        self._save.throttle()

    def _save_preferences(self) -> None:
        save_preferences(self.session.params, self.session.view)


def open_workspace(viewer: ViewerModel) -> Workspace:
    """Return the workspace of a viewer, made if there is none yet, and count one more user.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer, or the proxy that napari gives to plugins.
    """
    # Plugins get a proxy that wraps each layer anew, so that `is` fails and layers cannot be told apart.
    viewer = getattr(viewer, "__wrapped__", viewer)
    workspace = _workspaces.get(id(viewer))
    if workspace is None:
        workspace = _workspaces[id(viewer)] = Workspace(viewer)
        start_warm_up()
    workspace.n_users += 1
    return workspace


# By identity, since viewers compare equal by their content; an entry keeps its viewer until the last widget is closed.
_workspaces: dict[int, Workspace] = {}
