"""Superpixels as regions: their mean values."""

from typing import Any

import numpy as np
import numpy.typing as npt


def fill_with_means(labels: npt.NDArray[np.integer[Any]], image: npt.NDArray[np.floating[Any]]) -> npt.NDArray[Any]:
    """Return the image with every pixel replaced by its label's mean.

    Parameters
    ----------
    labels : ndarray of shape (M, N[, P]), integer
        Labels, not negative.
    image : ndarray of shape (M, N[, P], C), float
        Values to average.

    Returns
    -------
    ndarray of the image's shape and dtype
        Means; label 0 is a region like any other.
    """
    flat = labels.ravel()
    size = np.maximum(np.bincount(flat), 1)
    filled = np.empty_like(image)
    for c in range(image.shape[-1]):
        means = np.bincount(flat, weights=image[..., c].ravel()) / size
        filled[..., c] = means[labels]
    return filled
