"""Helpers for the tests of the core; small where kernels run as plain Python."""

import numba
import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import label as connected_components

from napari_superpixels.core.slowness import SlownessField, label_slowness

IS_COMPILED = not numba.config.DISABLE_JIT


@pytest.fixture
def edge() -> int:
    """Edge of the test images, in pixels."""
    return 96 if IS_COMPILED else 16


def smooth_noise(shape: tuple[int, ...], seed: int, sigma: float = 3.0) -> np.ndarray:
    """Return a smooth random image from 0 to 1, float32."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random(shape), sigma)
    return ((noise - noise.min()) / (noise.max() - noise.min())).astype(np.float32)


def noise_slowness(shape: tuple[int, ...], seed: int = 0, **options: object) -> SlownessField:
    """Return the slowness of a smooth random image with three features."""
    features = np.stack([100 * smooth_noise(shape, seed + c) for c in range(3)], axis=-1)
    return label_slowness(features, **{"color_weight": 0.1, **options})


def assert_partition(labels: np.ndarray, n_segments: int) -> None:
    """Check that the labels are 1 to K and each is connected."""
    np.testing.assert_array_equal(np.unique(labels), np.arange(1, n_segments + 1))
    assert connected_components(labels, connectivity=1, background=0).max() == n_segments
