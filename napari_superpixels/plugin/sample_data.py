"""The images under *File > Open Sample > Superpixels*; ``resources/samples/README.md`` names their sources."""

from typing import Any

import imageio.v3 as iio
import numpy as np

from napari_superpixels.assets import resource_path

SampleLayer = tuple[np.ndarray, dict[str, Any], str]


def coffee() -> list[SampleLayer]:
    """Return a photograph of a coffee cup as one Image layer, uint8 of shape (400, 600, 3)."""
    return _image_layer("coffee", rgb=True)


def nuclei_fluorescence() -> list[SampleLayer]:
    """Return fluorescent nuclei as one Image layer, uint8 of shape (520, 696)."""
    return _image_layer("nuclei-fluorescence", rgb=False)


def nuclei_stained() -> list[SampleLayer]:
    """Return stained tissue as one Image layer, uint8 of shape (256, 320, 3)."""
    return _image_layer("nuclei-stained", rgb=True)


def _image_layer(name: str, *, rgb: bool) -> list[SampleLayer]:
    image = iio.imread(resource_path("samples", f"{name}.png"))
    return [(image, {"name": name, "rgb": rgb}, "image")]
