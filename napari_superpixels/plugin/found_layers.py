"""Which image a layer of superpixels or classes belongs to, and which of them an earlier time left of an image."""

from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Labels, Layer

from napari_superpixels.plugin.boxes import METADATA_KEY
from napari_superpixels.plugin.regions import Region, layer_token


def own(layer: Labels, image: Layer) -> None:
    """Remember that a layer belongs to an image, whatever both are called, for as long as the layer lasts."""
    _owners[layer] = layer_token(image)


def leave(layer: Labels) -> None:
    """Leave a layer to the user, hidden, and let no image take it: its own has another size now."""
    _owners[layer] = _NOBODY
    layer.visible = False


def may_be_of(layer: Labels, image: Layer) -> bool:
    """Say whether a layer belongs to an image, or to none, as one from a file that no image has taken yet."""
    return _owners.get(layer, layer_token(image)) == layer_token(image)


def is_owned_by(layer: Labels, image: Layer) -> bool:
    """Say whether a layer is known to belong to an image."""
    return _owners.get(layer) == layer_token(image)


def find_layer(viewer: ViewerModel, region: Region, view: str, dtype: npt.DTypeLike) -> Labels | None:
    """Return the topmost layer of superpixels or classes that an earlier time left of an image, one of its own first.

    Parameters
    ----------
    viewer : ViewerModel
        Where.
    region : Region
        A plane of the image at full resolution.
    view : {"superpixels", "classes"}
        What the layer shows.
    dtype : dtype
        Type of its elements.
    """
    topmost_first = list(reversed(viewer.layers))
    # A copy that the user made of one of the image's own layers has its name and shape too.
    for layer in sorted(topmost_first, key=lambda layer: layer not in _owners):
        made = layer.metadata.get(METADATA_KEY)
        if not isinstance(layer, Labels) or made is None or made.get("view", "superpixels") != view:
            continue
        # Two images may have one name, or had it one after the other: it counts only where nobody owns the layer.
        is_known = layer in _owners or made.get("image") == region.layer.name
        if is_known and may_be_of(layer, region.layer) and _fits(layer.data, region, dtype):
            return layer
    return None


def _fits(data: object, region: Region, dtype: npt.DTypeLike) -> bool:
    if not isinstance(data, np.ndarray) or (data.shape, data.dtype) != (region.full_shape, dtype):
        return False
    # The channels of another layer may not be one in memory.
    return region.channel_axis is None or data.strides[region.channel_axis] == 0


_NOBODY = -1
#: Tokens of images, which go on when the images are gone: what was theirs is for no other image.
_owners: WeakKeyDictionary[Labels, int] = WeakKeyDictionary()
