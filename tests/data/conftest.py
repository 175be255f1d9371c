"""Annotations to write and to read back."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_superpixels.data.class_map import ClassMap
from napari_superpixels.data.class_table import ClassTable

#: A table in another order than its numbers, with a class that has no pixel.
TABLE = ClassTable().added("nucleus").added('Größe; "x"', (1, 2, 3), 200).added("empty", number=3).moved(200, 0)


@pytest.fixture
def blobs() -> ClassMap:
    """Return two classes of shape (50, 70) with holes, islands in them and pixels that touch at corners."""
    fields = gaussian_filter(np.random.default_rng(1).normal(size=(2, 50, 70)), (0, 1.5, 1.5))
    classes = np.where(fields[0] > 0.03, 1, np.where(fields[1] > 0.05, 200, 0)).astype(np.uint8)
    classes[10:21, 10:21] = 1
    classes[12:19, 12:19] = 0
    classes[14:17, 14:17] = 200
    classes[30:40, 30:40] = np.indices((10, 10)).sum(axis=0) % 2
    superpixels = (np.indices((50, 70)) // 7 * np.array([10, 1])[:, None, None]).sum(axis=0) + 1
    return ClassMap(
        classes,
        TABLE,
        superpixels.astype(np.int32),
        image="blöbs.tif",
        pixel_size={"Y": 0.3, "X": 0.65},
        pixel_unit="µm",
    )


@pytest.fixture
def stack(blobs: ClassMap) -> ClassMap:
    """Return classes of shape (2, 3, 50, 70), time and depth, every plane another."""
    planes = [np.roll(blobs.classes, (i, 3 * i), axis=(0, 1)) for i in range(6)]
    size = {"Z": 2.0, "Y": 0.5, "X": 0.5}
    return ClassMap(np.stack(planes).reshape(2, 3, 50, 70), TABLE, axes="TZYX", pixel_size=size, pixel_unit="µm")
