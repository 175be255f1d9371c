"""Which image a layer that was made here belongs to, whatever both are called."""

from napari.layers import Labels, Layer

from napari_superpixels.plugin.boxes import METADATA_KEY, image_token, is_made_here
from napari_superpixels.plugin.found_layers import may_be_of
from napari_superpixels.plugin.regions import layer_token


def belongs_to(layer: Layer, image: Layer) -> bool:
    """Say whether a layer was made here for an image; where nobody knows, as of one from a file, names decide."""
    if not is_made_here(layer):
        return False
    token = image_token(layer)
    if token is not None:
        return token == layer_token(image)
    # A layer that somebody owns cannot be its own image's.
    if isinstance(layer, Labels) and not may_be_of(layer, layer):
        return may_be_of(layer, image)
    return layer.metadata[METADATA_KEY].get("image") == image.name
