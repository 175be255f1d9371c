"""Mean colours of regions."""

import numpy as np

from napari_superpixels.core.regions import fill_with_means


def test_every_pixel_gets_its_regions_mean():
    labels = np.array([[1, 1, 3], [0, 3, 3]])
    image = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    filled = fill_with_means(labels, image)
    assert filled.dtype == np.float32
    for label in (0, 1, 3):
        np.testing.assert_allclose(
            filled[labels == label], [image[labels == label].mean(axis=0)] * (labels == label).sum()
        )
