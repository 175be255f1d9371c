"""The layers that superpixels are written to."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Labels

from napari_superpixels.engine.links import Links
from napari_superpixels.engine.pipeline import SolveResult
from napari_superpixels.plugin.key_bindings import KeyBindings
from napari_superpixels.plugin.regions import Region
from napari_superpixels.plugin.style import MAX_CONTOUR_PIXELS

Position = tuple[int | None, ...]
#: Puts the superpixels of a result into a layer that is edited by hand.
Accept = Callable[[Region, SolveResult], None]


@dataclass(eq=False)
class Canvas:
    """The layer that holds an image's superpixels, what it shows, and which of its planes the user has changed."""

    layer: Labels
    region: Region
    is_full: bool
    is_own: bool = False
    """Whether the layer was made here, for a result."""
    edited: set[Position] = field(default_factory=set)
    is_hidden: bool = False
    """Whether the user had hidden the superpixels when another layer had to show them."""
    flat_looks: dict[str, Any] | None = None
    """How the layer looked in two dimensions, while it is shown in three."""
    accept: Accept | None = None
    """Who puts results into the layer while it is edited by hand; None: ResultLayers does."""
    version: int = 0
    """How often superpixels were edited by hand."""
    links: Links = field(default_factory=Links)
    """What is heard of the layer and its image."""
    keys: KeyBindings = field(default_factory=KeyBindings)
    """Keys of the layer."""

    def close(self) -> None:
        """Leave the layer to the user."""
        self.links.close()
        self.keys.release()

    def would_lose_edits(self, region: Region) -> bool:
        """Say whether writing a region would overwrite what the user painted."""
        if not self.is_full or not region.covers_plane:
            return bool(self.edited)
        return any(_overlap(position, region.position) for position in self.edited)

    def can_take(self, region: Region) -> bool:
        """Say whether a region is a plane of the layer, with the same channels."""
        is_plane = self.is_full and region.covers_plane and len(region.axes) == 2
        has_channels = region.channel_axis == self.region.channel_axis
        return is_plane and has_channels and self.layer.data.shape == region.full_shape


def _overlap(first: Position, second: Position) -> bool:
    # An image whose data got more or fewer axes has no planes in common with what it was.
    if len(first) != len(second):
        return True
    return all(a is None or b is None or a == b for a, b in zip(first, second, strict=True))


def needs_ready_lines(region: Region) -> bool:
    """Say whether a plane is so large that its outlines are drawn here, and not by napari."""
    return len(region.axes) == 2 and math.prod(region.shape) > MAX_CONTOUR_PIXELS


def labels_array(region: Region, labels: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int32], bool]:
    """Return an array for a Labels layer, and whether it has the shape of the whole stack."""
    if region.covers_plane:
        try:
            full = region.zeros(np.int32)
        except MemoryError:
            pass
        else:
            full[region.index()] = region.with_channels(labels)
            return full, True
    return region.boxed(labels).copy(), False
