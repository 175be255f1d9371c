"""The Labels layer that superpixels are compared with, and the boundaries that they miss."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Labels, Layer
from psygnal import Signal as PsygnalSignal
from qtpy.QtCore import Signal

from napari_superpixels.engine.quality import GroundTruth, Quality, QualityMeter
from napari_superpixels.engine.resolve import ImageInput
from napari_superpixels.errors import ImageError
from napari_superpixels.plugin.boxes import BoxLayers, is_made_here
from napari_superpixels.plugin.layer_menu import LayerMenu
from napari_superpixels.plugin.regions import Region, current_region
from napari_superpixels.plugin.style import missed_colormap

_NONE = "None"
_NONE_FITS = "None (no Labels layer fits)"
_DESCRIPTION = (
    "Labels layer that shows the true objects, pixel for pixel on the image: each value is an object, 0 too. "
    "A layer of one plane counts for every plane of a stack."
)


class GroundTruthMenu(LayerMenu):
    """Offers the Labels layers that fit the image; the chosen one stays, so that the panel can say why it does not."""

    changed = Signal()
    """Another ground truth, or the chosen one was painted."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__("ground_truth", _DESCRIPTION, _NONE)
        self._viewer = viewer
        self._region: Region | None = None
        self._watched: list[Layer] = []
        self._painted: Labels | None = None
        self.activated.connect(self._on_activated)
        for emitter in self._emitters():
            emitter.connect(self._on_layers)
        self._on_layers()

    def disconnect_viewer(self) -> None:
        """Stop watching the viewer."""
        for emitter in self._emitters():
            emitter.disconnect(self._on_layers)
        for layer in self._watched:
            layer.events.name.disconnect(self._on_name)
        self._watched = []
        self._watch_painting(None)

    def set_region(self, region: Region | None) -> None:
        """Offer the layers that fit a region."""
        is_same = _place(region) == _place(self._region)
        self._region = region
        if not is_same:
            self._fill()

    def find_truth(self, inputs: ImageInput) -> GroundTruth | None:
        """Return the chosen layer's labels on the pixels of an input, None if none is chosen.

        Raises
        ------
        ImageError
            If the layer does not fit.
        """
        layer, region = self.layer, inputs.origin
        return cut_truth(layer, region) if layer is not None and isinstance(region, Region) else None

    def _emitters(self) -> tuple[Any, ...]:
        events = self._viewer.layers.events
        return (events.inserted, events.removed, events.reordered)

    def _on_layers(self, event: Any = None) -> None:
        for layer in self._watched:
            layer.events.name.disconnect(self._on_name)
        self._watched = [layer for layer in self._viewer.layers if isinstance(layer, Labels)]
        for layer in self._watched:
            layer.events.name.connect(self._on_name)
        self._fill()

    def _on_name(self, event: Any = None) -> None:
        self.rename()
        self._explain(self._others())

    def _fill(self) -> None:
        chosen = self.layer
        labels = self._labels()
        others = self._others()
        fitting = [layer for layer in labels if layer is chosen or layer not in others]
        self.set_none(_NONE_FITS if labels and not fitting else _NONE)
        self._explain(others)
        self.fill(fitting)
        if self.layer is not chosen:
            self._on_activated()

    def _labels(self) -> list[Labels]:
        """Return the user's layers, uppermost first."""
        return [layer for layer in reversed(self._watched) if not is_made_here(layer)]

    def _others(self) -> list[Labels]:
        """Return those of them that do not fit."""
        region = self._region
        return [] if region is None else [layer for layer in self._labels() if _matching_axes(layer, region) is None]

    def _explain(self, others: list[Labels]) -> None:
        """Say in the tooltip why layers are not offered."""
        reason = ""
        if others and self._region is not None:
            found = ", ".join(f"{layer.name} {_shape(layer)}" for layer in others)
            reason = f" Not offered, because the image has shape {self._region.full_shape}: {found}."
        self.set_description(_DESCRIPTION + reason)

    def _on_activated(self, index: int = 0) -> None:
        self._watch_painting(self.layer)
        self.changed.emit()

    def _watch_painting(self, layer: Labels | None) -> None:
        if self._painted is not None:
            for emitter in (self._painted.events.paint, self._painted.events.data):
                emitter.disconnect(self._on_painted)
        if layer is not None:
            for emitter in (layer.events.paint, layer.events.data):
                emitter.connect(self._on_painted)
        self._painted = layer

    def _on_painted(self, event: Any = None) -> None:
        self.changed.emit()


class MissedBoundary:
    """Shows the ground-truth boundary that superpixels miss as a layer, while the user wants it."""

    closed = PsygnalSignal()
    """The user removed the layer."""

    def __init__(self, viewer: ViewerModel, meter: QualityMeter) -> None:
        self._viewer = viewer
        self._meter = meter
        self._boxes = BoxLayers(viewer)
        self._boxes.removed.connect(self._on_removed)
        meter.measured.connect(self.show)

    def close(self) -> None:
        """Stop watching the viewer; the layers stay."""
        self._boxes.close()

    def set_wanted(self, is_wanted: bool) -> None:
        """Show the missed boundary, now and after each result, or remove the layers."""
        self._meter.set_wants_missed(is_wanted)
        if not is_wanted:
            self._boxes.remove("missed")

    def show(self, quality: Quality) -> None:
        """Bring the layer up to date; remove it where there is nothing to compare with."""
        region = current_region(quality.result, self._viewer.layers)
        if region is None:
            return
        if quality.missed is None:
            self._boxes.remove("missed", region.layer)
            return
        name = f"{region.layer.name} missed boundary"
        self._boxes.show_labels("missed", region, quality.missed.view(np.uint8), name, missed_colormap(), on_top=True)

    def _on_removed(self, kind: str) -> None:
        if not self._boxes.layers(kind):
            self._meter.set_wants_missed(False)
            self.closed.emit()


def cut_truth(layer: Labels, region: Region) -> GroundTruth:
    """Return a layer's labels on the pixels of a region, read when they are needed.

    Pixels count, positions do not: a layer of the image's shape lies on it, wherever the viewer shows it. A plane of
    the image's rows and columns counts for every plane. On a coarser level each pixel takes the label at its centre.

    Raises
    ------
    ImageError
        If the layer's shape does not fit.
    """
    axes = _matching_axes(layer, region)
    if axes is None:
        raise ImageError(
            f"The ground truth {layer.name!r} has shape {_shape(layer)}, "
            f"the image {region.layer.name!r} {region.full_shape}. Choose a Labels layer of the image's shape."
        )
    return GroundTruth(layer.name, _reader(layer, region, axes))


def _shape(layer: Labels) -> tuple[int, ...]:
    return tuple(int(n) for n in layer.level_shapes[0])


def _matching_axes(layer: Labels, region: Region) -> tuple[int, ...] | None:
    """Return the axes of the image that a layer's axes stand for; None if its shape does not fit."""
    every = range(region.layer.ndim)
    without_channels = [axis for axis in every if axis != region.channel_axis]
    shape = layer.level_shapes[0]
    for axes in (tuple(every), tuple(without_channels), region.axes):
        if len(axes) == len(shape) and all(
            axis == region.channel_axis or n == region.full_shape[axis] for axis, n in zip(axes, shape, strict=True)
        ):
            return axes
    return None


def _reader(layer: Labels, region: Region, axes: tuple[int, ...]) -> Callable[[], npt.NDArray[Any]]:
    levels = layer.data if layer.multiscale else [layer.data]
    has_level = region.level < len(levels) and all(
        axis not in region.axes or n == region.layer.level_shapes[region.level][axis]
        for axis, n in zip(axes, levels[region.level].shape, strict=True)
    )
    level = region.level if has_level else 0
    factors = (1.0,) * len(region.axes) if has_level else region.factors
    pixels = [
        np.floor((np.arange(first, end) + 0.5) * factor).astype(np.intp)
        for first, end, factor in zip(region.start, region.stop, factors, strict=True)
    ]
    index: list[int | slice] = []
    for axis, n in zip(axes, levels[level].shape, strict=True):
        if axis in region.axes:
            wanted = pixels[region.axes.index(axis)]
            np.minimum(wanted, n - 1, out=wanted)
            index.append(slice(int(wanted[0]), int(wanted[-1]) + 1))
        else:
            index.append(0 if axis == region.channel_axis else min(region.position[axis] or 0, n - 1))
    data = levels[level]

    def read() -> npt.NDArray[Any]:
        labels = np.asarray(data[tuple(index)])
        for axis, wanted in enumerate(pixels):
            if len(wanted) != labels.shape[axis]:
                labels = labels.take(wanted - wanted[0], axis)
        return labels

    return read


def _place(region: Region | None) -> Any:
    return None if region is None else (id(region.layer), region.full_shape, region.axes, region.channel_axis)
