"""Features in which superpixels are compared: CIELAB for colour, lightness for grey, standard scores for channels."""

from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt

from napari_superpixels.core.image import Kind
from napari_superpixels.core.parallel import in_bands

_TABLE_SIZE = 4096
_STANDARD_SCORE = 20.0
_MIN_DEVIATION = 0.01

_jit: Any = nb.njit(nogil=True, cache=True)


def pixel_features(
    image: npt.NDArray[np.float32],
    flattened: npt.NDArray[np.float32] | None,
    flattening: float,
    kind: Kind,
) -> npt.NDArray[np.float32]:
    """Return the features of J = (1 - flattening) image + flattening flattened.

    Parameters
    ----------
    image : ndarray of shape (M, N, 3) or (P, M, N, 3), float32
        The image in [0, 1].
    flattened : ndarray of the same shape, float32, or None
        The network's output; None uses the image alone.
    flattening : float
        0 (image) to 1 (network's output).
    kind : {"grey", "rgb", "multichannel"}
        What the channels mean.

    Returns
    -------
    ndarray of shape (M, N, C) or (P, M, N, C), float32
        rgb: L*, a*, b* (sRGB, D65), C = 3. grey: L*, C = 1. multichannel: standard scores times 20, which gives them
        about the range of L*, C = 3.
    """
    share = np.float32(0.0 if flattened is None else flattening)
    other = image if flattened is None else flattened
    if kind == "multichannel":
        mixed = image + share * (other - image)
        axes = tuple(range(mixed.ndim - 1))
        deviation = np.maximum(mixed.std(axis=axes), _MIN_DEVIATION)
        scores: npt.NDArray[np.float32] = (mixed - mixed.mean(axis=axes)) * (_STANDARD_SCORE / deviation)
        return scores.astype(np.float32)
    features = np.empty((*image.shape[:-1], 1 if kind == "grey" else 3), np.float32)
    rows = image.reshape(-1, 3)
    rows_other = other.reshape(-1, 3)
    rows_out = features.reshape(len(rows), -1)

    def convert(first: int, last: int) -> None:
        part = slice(first, last)
        _mix_to_lab(rows[part], rows_other[part], share, _GAMMA, _CBRT, rows_out[part])

    in_bands(convert, len(rows), 1)
    return features


def _srgb_to_linear(value: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    linear: npt.NDArray[np.float64] = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return linear


def _lab_root(value: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    root: npt.NDArray[np.float64] = np.where(value > 216 / 24389, np.cbrt(value), (24389 / 27 * value + 16) / 116)
    return root


_STEPS = np.arange(_TABLE_SIZE + 2) / _TABLE_SIZE
_GAMMA = _srgb_to_linear(_STEPS).astype(np.float32)
_CBRT = _lab_root(_STEPS).astype(np.float32)


@_jit
def _look_up(table: Any, value: Any) -> Any:
    """Interpolate a table of a function on [0, 1]."""
    position = min(max(value, np.float32(0.0)), np.float32(1.0)) * np.float32(_TABLE_SIZE)
    index = int(position)
    low = table[index]
    return low + (table[index + 1] - low) * (position - np.float32(index))


@_jit
def _mix_to_lab(image: Any, other: Any, share: Any, gamma: Any, root: Any, lab: Any) -> None:
    """Mix two (n, 3) sRGB images and convert to CIELAB with the D65 white point; 1 column of `lab` takes L* alone."""
    for i in range(image.shape[0]):
        r = _look_up(gamma, image[i, 0] + share * (other[i, 0] - image[i, 0]))
        g = _look_up(gamma, image[i, 1] + share * (other[i, 1] - image[i, 1]))
        b = _look_up(gamma, image[i, 2] + share * (other[i, 2] - image[i, 2]))
        y = _look_up(root, np.float32(0.2126729) * r + np.float32(0.7151522) * g + np.float32(0.0721750) * b)
        lab[i, 0] = np.float32(116.0) * y - np.float32(16.0)
        if lab.shape[1] == 3:
            x = np.float32(0.4339530) * r + np.float32(0.3762181) * g + np.float32(0.1898290) * b
            z = np.float32(0.0177578) * r + np.float32(0.1094761) * g + np.float32(0.8727661) * b
            x = _look_up(root, x)
            z = _look_up(root, z)
            lab[i, 1] = np.float32(500.0) * (x - y)
            lab[i, 2] = np.float32(200.0) * (y - z)
