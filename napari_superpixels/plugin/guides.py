"""What tools draw while they are used: outlines under the cursor, strokes, marks. No data, only lines."""

from typing import Literal

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Labels, Layer
from napari.utils.colormaps import DirectLabelColormap

from napari_superpixels.engine.links import Links
from napari_superpixels.plugin.boxes import METADATA_KEY, lay_over, note_image, watch_placement
from napari_superpixels.plugin.partial import write_pixels
from napari_superpixels.plugin.regions import Region

Guide = Literal["hover", "stroke"]
Pixels = npt.NDArray[np.int64]

_VALUES: dict[Guide, int] = {"hover": 1, "stroke": 2}
_COLORS = {None: (0, 0, 0, 0), 0: (0, 0, 0, 0), 1: (1, 1, 1, 1), 2: (1.0, 0.1, 0.75, 1)}
_NO_PIXELS: Pixels = np.empty((0, 2), np.int64)


class Guides:
    """A layer on top of all, on which guides are drawn pixel by pixel while it is in the viewer.

    Parameters
    ----------
    viewer : ViewerModel
        Where.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layer: Labels | None = None
        self._region: Region | None = None
        self._pixels: dict[Guide, Pixels] = {}
        self._links = Links()

    def set_region(self, region: Region | None) -> None:
        """Draw on another plane from now on, or on none; what was drawn goes."""
        old = self._region
        is_same_image = old is not None and region is not None and _frame(old) == _frame(region)
        if is_same_image and old is not None and region is not None and old.position == region.position:
            return
        self.clear()
        self._region = region
        if not is_same_image:
            self._remove()

    def prepare(self) -> None:
        """Put the layer into the viewer, where it is not."""
        region, layers = self._region, self._viewer.layers
        if region is None or (self._layer is not None and self._layer in layers):
            return
        self._pixels.clear()
        self._layer = Labels(
            region.zeros(np.uint8),
            name=f"{region.layer.name} cursor",
            colormap=DirectLabelColormap(color_dict=_COLORS),
            opacity=1.0,
            metadata={METADATA_KEY: {"image": region.layer.name, "view": "guides"}},
            **region.placement(is_full=True),
        )
        self._layer.editable = False
        note_image(self._layer, region.layer)
        self._links.close()
        watch_placement(self._links, region.layer, self._follow_image)
        selected = set(layers.selection)
        layers.append(self._layer)
        layers.selection = selected

    def draw(self, guide: Guide, pixels: Pixels) -> None:
        """Show a guide at pixels (n, 2) of the plane, row and column, and nowhere else."""
        old = self._pixels.get(guide, _NO_PIXELS)
        if not len(pixels) and not len(old):
            return
        self._pixels[guide] = pixels
        self._write(old, 0)
        # A guide may have lain under the one that went.
        for name, value in _VALUES.items():
            self._write(self._pixels.get(name, _NO_PIXELS), value)

    def extend(self, guide: Guide, pixels: Pixels) -> None:
        """Show a guide at more pixels (n, 2) than before."""
        self._pixels[guide] = np.concatenate([self._pixels.get(guide, _NO_PIXELS), pixels])
        self._write(pixels, _VALUES[guide])

    def clear(self, guide: Guide | None = None) -> None:
        """Remove a guide, or all."""
        for name in [guide] if guide is not None else list(self._pixels):
            self.draw(name, _NO_PIXELS)

    def close(self) -> None:
        """Remove the layer."""
        self._pixels.clear()
        self._region = None
        self._remove()

    def _write(self, pixels: Pixels, value: int) -> None:
        region, layer = self._region, self._layer
        if layer is None or region is None or not len(pixels) or layer not in self._viewer.layers:
            return
        places = list(region.position)
        if region.channel_axis is not None:
            places[region.channel_axis] = region.shown_channel(self._viewer.dims).start
        indices = [np.full(len(pixels), i or 0) for i in places]
        for axis, part in zip(region.axes, pixels.T, strict=True):
            indices[axis] = part
        write_pixels(layer, tuple(indices), value)

    def _follow_image(self) -> None:
        if self._layer is not None and self._region is not None:
            lay_over(self._layer, self._region, is_full=True)

    def _remove(self) -> None:
        self._links.close()
        layer, self._layer = self._layer, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)


def _frame(region: Region) -> tuple[Layer, tuple[int, ...], int | None]:
    return region.layer, region.full_shape, region.channel_axis


def outline(mask: npt.NDArray[np.bool_], box: tuple[slice, slice]) -> Pixels:
    """Return the pixels (n, 2) of a mask, which lies in a box of a plane, that have a 4-neighbour outside the mask."""
    inner = np.zeros(mask.shape, bool)
    inner[1:-1, 1:-1] = mask[1:-1, 1:-1] & mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    return np.argwhere(mask & ~inner) + np.array([side.start for side in box])
