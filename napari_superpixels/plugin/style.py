"""How superpixels look."""

import math
from collections.abc import Sequence
from typing import Any

from napari.layers import Labels
from napari.utils.colormaps import CyclicLabelColormap, DirectLabelColormap, label_colormap

from napari_superpixels.data.class_table import ClassTable
from napari_superpixels.params import ViewMode

#: Largest plane whose outlines napari draws: it takes 16 ms of the main thread at 1024 x 1024, 53 ms at 2048 x 2048.
MAX_CONTOUR_PIXELS = 4_000_000
_LINE_COLOR = (1.0, 0.86, 0.1, 1.0)
_MISSED_COLOR = (1.0, 0.1, 0.75, 1.0)
_COARSE_COLOR = (0.2, 0.9, 1.0, 1.0)
_OLD_COLOR = (1.0, 0.35, 0.1, 1.0)
_NEW_COLOR = (0.1, 0.95, 0.75, 1.0)
#: Size of the mark of a seed, as a share of the width of a superpixel.
_SEED_SHARE = 0.15
_TRANSPARENT = (0.0, 0.0, 0.0, 0.0)


def line_colormap() -> CyclicLabelColormap:
    """Return one colour for all labels, so that outlines read as a mesh."""
    return CyclicLabelColormap(colors=[_TRANSPARENT, _LINE_COLOR], background_value=0, name="superpixel lines")


def missed_colormap() -> CyclicLabelColormap:
    """Return the colour of boundaries that superpixels miss: one that neither images nor outlines often have."""
    return CyclicLabelColormap(colors=[_TRANSPARENT, _MISSED_COLOR], background_value=0, name="missed boundary")


def old_colormap() -> CyclicLabelColormap:
    """Return the colour of the superpixels of the model that a training starts from."""
    return CyclicLabelColormap(colors=[_TRANSPARENT, _OLD_COLOR], background_value=0, name="superpixels before")


def new_colormap() -> CyclicLabelColormap:
    """Return the colour of the superpixels of the model that a training makes."""
    return CyclicLabelColormap(colors=[_TRANSPARENT, _NEW_COLOR], background_value=0, name="superpixels after")


def seed_options(shape: Sequence[int], n_seeds: int) -> dict[str, Any]:
    """Return the attributes of a layer of seeds of a plane or volume of this shape."""
    cell = float((math.prod(shape) / max(1, n_seeds)) ** (1 / len(shape)))
    return {"size": max(1.0, _SEED_SHARE * cell), "face_color": "red", "border_color": "white"}


def label_options(mode: ViewMode, n_pixels: int, ndisplay: int) -> dict[str, Any]:
    """Return the attributes of a layer of superpixels that a view mode sets.

    Outlines need a plane; a volume is filled. Where napari would draw outlines too slowly the layer is hidden, and a
    layer of ready-made outlines is shown in its place.
    """
    if mode == "mean-color":
        return {"visible": False}
    if mode == "boundaries" and ndisplay == 2:
        is_small = n_pixels <= MAX_CONTOUR_PIXELS
        return {"contour": int(is_small), "colormap": line_colormap(), "opacity": 0.8, "visible": is_small}
    return {"contour": 0, "colormap": label_colormap(49), "opacity": 0.5, "visible": True}


def apply_label_options(layer: Labels, options: dict[str, Any]) -> None:
    """Set attributes of a layer, hiding before and showing after the others, so that it is drawn once."""
    if not options["visible"]:
        layer.visible = False
    for name, value in options.items():
        if name == "visible" or (name != "colormap" and getattr(layer, name) == value):
            continue
        setattr(layer, name, value)
    if options["visible"]:
        layer.visible = True


def coarse_colormap() -> CyclicLabelColormap:
    """Return the colour of the borders of coarser superpixels."""
    return CyclicLabelColormap(colors=[_TRANSPARENT, _COARSE_COLOR], background_value=0, name="coarser lines")


def class_colormap(table: ClassTable) -> DirectLabelColormap:
    """Return the colours of a class table; what has no class is transparent."""
    colors: dict[int | None, Any] = {None: _TRANSPARENT, 0: _TRANSPARENT}
    for entry in table:
        colors[entry.number] = (*(part / 255 for part in entry.color), 1.0)
    return DirectLabelColormap(color_dict=colors)
