"""Suggested classes: a hatched layer, and what becomes of them."""

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from psygnal import Signal

from napari_superpixels.engine.links import Links
from napari_superpixels.engine.region_follower import RegionFollower
from napari_superpixels.engine.scheduler import Dispatch
from napari_superpixels.engine.suggestions import Suggester, Suggestions
from napari_superpixels.plugin.annotation_layers import AnnotationLayers
from napari_superpixels.plugin.plane_pictures import PlanePicture
from napari_superpixels.plugin.style import class_colormap

_HATCH = 6


class SuggestionView:
    """Asks for suggestions while they are wanted, shows them, accepts and rejects.

    Parameters
    ----------
    viewer : ViewerModel
        Where.
    follower : RegionFollower
        Knows the superpixels.
    dispatch : callable
        Runs a function in the main thread.
    """

    closed = Signal()
    """The user removed the layer: suggestions are not wanted any more."""

    def __init__(self, viewer: ViewerModel, follower: RegionFollower, dispatch: Dispatch) -> None:
        self.suggester = Suggester(follower, dispatch)
        self.is_wanted = False
        self._threshold = 0.0
        self._layers: AnnotationLayers | None = None
        self._picture = PlanePicture(viewer, "suggestions", dispatch)
        self._links = Links()
        self._always = Links()
        self._always.connect(self.suggester.suggested, self._show)
        self._always.connect(self.suggester.cleared, self._show)
        self._always.connect(follower.rebuilt, self._ask)
        self._always.connect(self._picture.removed, self._on_removed)

    def set_layers(self, layers: AnnotationLayers | None) -> None:
        """Suggest classes for another annotation, or for none."""
        self.set_wanted(False)
        self._links.close()
        self._layers = layers
        if layers is not None:
            self._links.connect(layers.annotation.history_changed, self._ask)

    def set_wanted(self, is_wanted: bool) -> None:
        """Suggest classes, again after every act, or stop."""
        self.is_wanted = is_wanted
        if is_wanted:
            self._ask()
        else:
            self.suggester.stop()
            self._picture.clear()

    def set_threshold(self, confidence: float) -> None:
        """Show suggestions of at least this confidence."""
        self._threshold = confidence
        self._show()

    def accept(self, suggestions: Suggestions | None) -> None:
        """Give superpixels the classes that are suggested, as one act."""
        if self._layers is None or suggestions is None or not len(suggestions.labels):
            return
        annotation = self._layers.annotation
        annotation.begin_stroke("Accept suggestions")
        for number, labels in suggestions.by_class().items():
            annotation.paint(labels.tolist(), number)
        annotation.end_stroke()

    def accept_above(self, confidence: float) -> None:
        """Accept all suggestions of at least this confidence."""
        if self.suggester.current is not None:
            self.accept(self.suggester.current.above(confidence))

    def accept_among(self, labels: npt.ArrayLike) -> None:
        """Accept what is suggested, and shown, for some superpixels."""
        if self.suggester.current is not None:
            self.accept(self.suggester.current.above(self._threshold).among(labels))

    def reject_above(self, confidence: float) -> None:
        """Reject all suggestions of at least this confidence."""
        if self.suggester.current is not None:
            self.suggester.reject(self.suggester.current.above(confidence).labels)

    def close(self) -> None:
        """Stop, and remove the layer."""
        self.set_layers(None)
        self._always.close()
        self.suggester.close()
        self._picture.close()

    def _ask(self) -> None:
        if self.is_wanted and self._layers is not None:
            self.suggester.suggest(self._layers.annotation.index.majority.copy())

    def _show(self, *_: Any) -> None:
        layers, suggestions = self._layers, self.suggester.current
        if layers is None or suggestions is None or not self.is_wanted:
            self._picture.clear()
            return
        shown, labels = suggestions.above(self._threshold), layers.annotation.labels_plane.copy()
        numbers = shown.maps(int(labels.max(initial=0)) + 1)[0]

        def make() -> npt.NDArray[np.uint8]:
            picture = numbers[labels]
            stripes = np.add.outer(np.arange(labels.shape[0]), np.arange(labels.shape[1])) % _HATCH
            picture[stripes >= _HATCH // 2] = 0
            return picture

        self._picture.show(layers.region, make, class_colormap(layers.annotation.table))

    def _on_removed(self) -> None:
        self.set_wanted(False)
        self.closed.emit()
