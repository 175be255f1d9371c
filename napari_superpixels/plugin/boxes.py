"""Layers that lie over a region of an image and are replaced as a whole with every result."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from psygnal import Signal

from napari_superpixels.engine.links import Links
from napari_superpixels.plugin.regions import Region, layer_token

#: Key of a layer's metadata that says that this plugin made it, and of what.
METADATA_KEY = "napari_superpixels"
_PLACING = ("scale", "translate", "rotate", "shear", "affine")


@dataclass(eq=False)
class _Box:
    """A layer, and what it lies over while its image is in the viewer."""

    layer: Layer
    region: Region | None = None
    is_full: bool = False
    links: Links = field(default_factory=Links)

    def lay_over(self, region: Region) -> None:
        if self.region is None:
            watch_placement(self.links, region.layer, self.follow)
        self.region = region
        self.follow()

    def follow(self) -> None:
        if self.region is not None:
            lay_over(self.layer, self.region, is_full=self.is_full)

    def release(self) -> None:
        self.links.close()
        self.region = None


class BoxLayers:
    """At most one layer of each kind for each image; a layer that the user removes is forgotten."""

    removed = Signal(str)
    """The kind of a layer that the user removed."""
    visible_changed = Signal()
    """A layer was added, shown or hidden."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._boxes: dict[tuple[str, int], _Box] = {}
        self._is_removing = False
        viewer.layers.events.removed.connect(self._on_removed)

    def close(self) -> None:
        """Stop watching the viewer; the layers stay."""
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        for box in self._boxes.values():
            box.release()

    def layers(self, kind: str) -> list[Layer]:
        """Return the layers of a kind, of all images."""
        return [box.layer for (k, _), box in self._boxes.items() if k == kind]

    def get(self, kind: str, image: Layer) -> Layer | None:
        """Return the layer of a kind that belongs to an image."""
        box = self._boxes.get((kind, layer_token(image)))
        return None if box is None else box.layer

    def remove(self, kind: str, image: Layer | None = None) -> None:
        """Remove the layers of a kind from the viewer: of one image, or of all."""
        layers = self.layers(kind) if image is None else [self.get(kind, image)]
        self._is_removing = True
        try:
            for layer in filter(None, layers):
                self._viewer.layers.remove(layer)
        finally:
            self._is_removing = False

    def remove_left(self, kind: str, image: Layer) -> None:
        """Remove layers of a kind that closed widgets left of an image: nobody keeps them up to date."""
        kept = self.layers(kind)
        for layer in list(self._viewer.layers):
            is_left = image_token(layer) == layer_token(image) and not any(layer is one for one in kept)
            if is_left and layer.metadata[METADATA_KEY]["view"] == kind:
                self._viewer.layers.remove(layer)

    def show_image(
        self,
        kind: str,
        region: Region,
        values: npt.NDArray[Any],
        name: str,
        *,
        limits: tuple[float, float] | None = None,
        colormap: str = "gray",
    ) -> None:
        """Show values of a region as an Image layer above the image; three channels last are colours."""
        is_rgb = values.ndim > len(region.axes)
        data = region.boxed(values, n_colors=3 if is_rgb else 0)
        layer = self.get(kind, region.layer)
        if isinstance(layer, Image) and (layer.rgb, layer.ndim) == (is_rgb, region.layer.ndim):
            layer.data = data
            self.lay_over(kind, region)
            if limits is not None:
                layer.contrast_limits_range = limits
                layer.contrast_limits = limits
            return
        options: dict[str, Any] = {} if is_rgb else {"contrast_limits": limits or (0.0, 1.0), "colormap": colormap}
        self.adopt(
            kind,
            region,
            Image(
                data,
                name=name,
                rgb=is_rgb,
                metadata=_made_of(region, kind),
                **options,
                **region.placement(is_full=False),
            ),
        )

    def show_labels(
        self,
        kind: str,
        region: Region,
        values: npt.NDArray[Any],
        name: str,
        colormap: Any,
        *,
        on_top: bool = False,
    ) -> None:
        """Show values of a region as a Labels layer above the image, or first on top of all."""
        # Where there are no channels, pixels can be written one by one later.
        data = region.boxed(values) if region.channel_axis is not None else values.reshape(region.box_shape)
        layer = self.get(kind, region.layer)
        if isinstance(layer, Labels) and layer.ndim == region.layer.ndim:
            layer.data = data
            self.lay_over(kind, region)
        else:
            layer = Labels(
                data,
                name=name,
                colormap=colormap,
                metadata=_made_of(region, kind),
                opacity=0.8,
                **region.placement(is_full=False),
            )
            self.adopt(kind, region, layer, on_top=on_top)
        # Not by hand; napari makes a layer editable again with all new data.
        layer.editable = False

    def adopt(self, kind: str, region: Region, layer: Layer, *, is_full: bool = False, on_top: bool = False) -> None:
        """Add a layer to the viewer as the one of its kind, over the image or on top of all, without selecting it.

        It follows the image where that is moved; `is_full` says that its data have the image's coordinates, not the
        region's.
        """
        image = region.layer
        if (old := self.get(kind, image)) is not None:
            self._is_removing = True
            self._viewer.layers.remove(old)
            self._is_removing = False
        box = self._boxes[kind, layer_token(image)] = _Box(layer, is_full=is_full)
        box.links.connect(layer.events.visible, self._on_visible)
        note_image(layer, image)
        self.lay_over(kind, region)
        layers = self._viewer.layers
        selected = set(layers.selection)
        layers.insert(len(layers) if on_top else layers.index(image) + 1, layer)
        layers.selection = selected
        self.visible_changed.emit()

    def give_up(self, layer: Layer) -> None:
        """Leave a layer to the user, who has changed it: it is not followed, replaced or removed any more."""
        for key, box in list(self._boxes.items()):
            if box.layer is layer:
                box.release()
                del self._boxes[key]
                # What is said there of how the layer was made is not true any more.
                layer.metadata.get(METADATA_KEY, {}).pop("view", None)

    def lay_over(self, kind: str, region: Region) -> None:
        """Let the layer of a kind lie over another region of its image from now on."""
        self._boxes[kind, layer_token(region.layer)].lay_over(region)

    def _on_visible(self, event: Any = None) -> None:
        self.visible_changed.emit()

    def _on_removed(self, event: Any) -> None:
        for key, box in list(self._boxes.items()):
            if box.layer is event.value:
                box.release()
                del self._boxes[key]
                if not self._is_removing:
                    self.removed.emit(key[0])
            elif box.region is not None and box.region.layer is event.value:
                box.release()


def watch_placement(links: Links, image: Layer, slot: Callable[[], None]) -> None:
    """Call a function whenever an image is moved, scaled or turned."""
    for name in _PLACING:
        links.connect(getattr(image.events, name), slot)


def lay_over(layer: Layer, region: Region, *, is_full: bool) -> None:
    """Put a layer over a region of its image, or over all of it, as far as it lies elsewhere."""
    # An image whose data got more or fewer axes has no such region any more.
    if not len(region.position) == region.layer.ndim == layer.ndim:
        return
    placement = region.placement(is_full=is_full)
    for name in ("scale", "translate", "rotate", "shear"):
        if not np.allclose(getattr(layer, name), placement[name]):
            setattr(layer, name, placement[name])
    if not np.allclose(layer.affine.affine_matrix, placement["affine"]):
        layer.affine = placement["affine"]


def note_image(layer: Layer, image: Layer) -> None:
    """Remember which image a layer was made for, for as long as the layer lasts."""
    _image_tokens[layer] = layer_token(image)


def image_token(layer: Layer) -> int | None:
    """Return the token of the image that a layer was made for; None where nobody has noted it."""
    return _image_tokens.get(layer)


def is_made_here(layer: Layer) -> bool:
    """Say whether this plugin made a layer."""
    return METADATA_KEY in layer.metadata


def _made_of(region: Region, kind: str) -> dict[str, Any]:
    return {METADATA_KEY: {"image": region.layer.name, "view": kind}}


_image_tokens: WeakKeyDictionary[Layer, int] = WeakKeyDictionary()
