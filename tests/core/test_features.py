"""Features against scikit-image's colour conversion."""

import numpy as np
import pytest
from skimage.color import rgb2lab

from napari_superpixels.core.features import pixel_features

IMAGE = np.random.default_rng(0).random((11, 13, 3)).astype(np.float32)
FLAT = np.random.default_rng(1).random((11, 13, 3)).astype(np.float32)


@pytest.mark.parametrize("flattening", [0.0, 0.3, 1.0])
def test_rgb_is_lab_of_the_mixture(flattening):
    features = pixel_features(IMAGE, FLAT, flattening, "rgb")
    np.testing.assert_allclose(features, rgb2lab(IMAGE + flattening * (FLAT - IMAGE)), atol=0.02)


def test_dark_colours_are_exact_enough():
    dark = IMAGE * 0.02
    np.testing.assert_allclose(pixel_features(dark, None, 1.0, "rgb"), rgb2lab(dark), atol=0.02)


def test_grey_is_lightness():
    grey = np.repeat(IMAGE[..., :1], 3, axis=-1)
    features = pixel_features(grey, None, 1.0, "grey")
    assert features.shape == (11, 13, 1)
    np.testing.assert_allclose(features[..., 0], rgb2lab(grey)[..., 0], atol=0.02)


def test_channels_are_standard_scores():
    features = pixel_features(IMAGE * np.array([1, 0.1, 0.5], np.float32), None, 1.0, "multichannel")
    np.testing.assert_allclose(features.std(axis=(0, 1)), 20, rtol=1e-3)
    np.testing.assert_allclose(features.mean(axis=(0, 1)), 0, atol=1e-3)


def test_a_constant_channel_has_no_weight():
    image = IMAGE.copy()
    image[..., 1] = 0.5
    assert not np.abs(pixel_features(image, None, 1.0, "multichannel")[..., 1]).max() > 1e-3


def test_without_a_network_flattening_has_no_effect():
    np.testing.assert_array_equal(pixel_features(IMAGE, None, 1.0, "rgb"), pixel_features(IMAGE, FLAT, 0.0, "rgb"))


def test_volumes():
    volume = np.stack([IMAGE, FLAT])
    features = pixel_features(volume, None, 1.0, "rgb")
    np.testing.assert_array_equal(features[1], pixel_features(FLAT, None, 1.0, "rgb"))
