"""Slowness laws: how a difference to a label's reference slows its front.

References
----------
Buyssens, Gardin, Ruan & Elmoataz, "Eikonal-based region growing for efficient clustering", Image and Vision Computing
32(12), 2014, doi:10.1016/j.imavis.2014.10.002 (``ergc``).
Chang & Figliuzzi, "Fast marching based superpixels", Mathematical Morphology 4, 2020, doi:10.1515/mathm-2020-0105
(``exponential``).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_superpixels.core import _fields, _kernels
from napari_superpixels.core.parallel import in_bands
from napari_superpixels.params import Law

_FULL_SCALE = 32000.0


@dataclass(frozen=True, slots=True)
class SlownessField:
    """Slowness P(pixel, label) of every pixel, in the padded form that the kernels march through."""

    shape: tuple[int, ...]
    """Shape of the image, without the frame."""
    features: npt.NDArray[np.int16]
    """(padded pixels, C + 1): features in units of `quantum`, then boundary probability."""
    quantum: float
    """Feature units per count."""
    field: npt.NDArray[np.float32]
    """(padded pixels,) slowness for the label-independent law, else empty."""
    zones: npt.NDArray[np.int32] | None
    """(padded pixels,) zone of each pixel, or None."""
    closed: npt.NDArray[np.bool_] | None
    """(padded pixels,) True outside the mask, or None."""
    law: tuple[int, ...]
    """The law, as the kernels name it."""
    weights: tuple[Any, Any, Any]
    """Colour, edge and compactness weights in the kernels' units, float32."""
    inverse_h2: tuple[Any, ...]
    """1 / spacing^2 along each axis, float32; one number where it is the same along all."""
    floor: float
    """Smallest slowness that the law can give."""

    @property
    def padded_shape(self) -> tuple[int, ...]:
        """Shape with the one-pixel frame."""
        return tuple(n + 2 for n in self.shape)

    @property
    def strides(self) -> tuple[int, ...]:
        """Step, in padded pixels, to the next pixel along each axis."""
        return strides(self.padded_shape)

    @property
    def spacing(self) -> tuple[float, ...]:
        """Size of a pixel along each axis."""
        sizes = tuple(float(w) ** -0.5 for w in self.inverse_h2)
        return sizes if len(sizes) == len(self.shape) else sizes * len(self.shape)

    @property
    def n_channels(self) -> int:
        """Number of features of a pixel."""
        return int(self.features.shape[1]) - 1


def strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the steps in pixels along each axis of a C-ordered array."""
    return tuple(int(np.prod(shape[axis + 1 :])) for axis in range(len(shape)))


def three_axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape with a first axis of one pixel for an image."""
    return (1,) * (3 - len(shape)) + shape


def pad(image: npt.NDArray[Any], fill: Any) -> npt.NDArray[Any]:
    """Return a copy with a frame of one pixel of `fill`, as a new C-ordered array."""
    padded = np.full(tuple(n + 2 for n in image.shape), fill, image.dtype)
    padded[(slice(1, -1),) * image.ndim] = image
    return padded


def regularity_contrast(regularity: float) -> float:
    """Return the factor on the weights: 100 at regularity 0, 1 at 0.5, 0.01 at 1."""
    return float(10.0 ** (4.0 * (0.5 - regularity)))


def label_slowness(
    features: npt.NDArray[np.float32],
    law: Law = "quadratic",
    *,
    color_weight: float,
    edge_weight: float = 0.0,
    compactness: float = 1.0,
    regularity: float = 0.5,
    n_segments: int = 1,
    boundary: npt.NDArray[np.float32] | None = None,
    mask: npt.NDArray[np.bool_] | None = None,
    zones: npt.NDArray[np.integer[Any]] | None = None,
    spacing: tuple[float, ...] | None = None,
) -> SlownessField:
    """Prepare the slowness of every pixel for every label.

    With d = ||F(x) - mu_k|| the difference to the label's reference and b the boundary probability:

    - ``quadratic``: P = 1 + color_weight d^2 + edge_weight b
    - ``exponential``: P = exp(color_weight rms(d) + edge_weight b), F standardised, exponent at most 16
    - ``ergc``: P = 0.01 + sqrt((color_weight d^2)^2 + compactness^2 (||x - s_k||^2 K / N)^2) + edge_weight b

    Parameters
    ----------
    features : ndarray of shape (M, N[, P], C), float32
        Features F, finite.
    law : {"quadratic", "exponential", "ergc"}
        The law.
    color_weight, edge_weight, compactness : float
        Weights, not negative.
    regularity : float
        0 to 1; the colour and edge weights are multiplied by 10^(4 (1/2 - regularity)) (by its square root in the
        exponential law, whose weights stand in the exponent; the ergc law's compactness is divided by it instead).
    n_segments : int
        K of the ergc law.
    boundary : ndarray of shape (M, N[, P]), float32, optional
        Boundary probability in [0, 1].
    mask : ndarray of shape (M, N[, P]), bool, optional
        Pixels to segment; all by default.
    zones : ndarray of shape (M, N[, P]), integer, optional
        Barriers: no front passes from one zone to another. Zone 0 is a barrier itself: fronts enter and stay in it.
    spacing : tuple of float, optional
        Size of a pixel along each axis; 1 by default.

    Returns
    -------
    SlownessField
        Features are stored as 16-bit integers, exact to 1/64000 of their range.
    """
    shape = features.shape[:-1]
    spacing = (1.0,) * len(shape) if spacing is None else spacing
    contrast = regularity_contrast(regularity)
    if law == "exponential":
        deviation = features.reshape(-1, features.shape[-1]).std(axis=0)
        features = (features / np.where(deviation > 0, deviation, 1)).astype(np.float32)
        contrast = contrast**0.5
    packed, quantum = _pack(features, boundary)
    edge = edge_weight * contrast / _FULL_SCALE
    if law == "quadratic":
        kernel_law, floor = _kernels.QUADRATIC, 1.0
        weights = (color_weight * contrast * quantum**2, edge, 0.0)
    elif law == "exponential":
        kernel_law, floor = _kernels.EXPONENTIAL, 1.0
        weights = ((color_weight * contrast * quantum) ** 2 / features.shape[-1], edge, 0.0)
    else:
        kernel_law, floor = _kernels.ERGC, float(_kernels._ERGC_FLOOR)
        volume = float(np.prod(shape) * np.prod(spacing))
        weights = (color_weight * quantum**2, edge_weight / _FULL_SCALE, compactness / contrast * n_segments / volume)
    return SlownessField(
        shape=shape,
        features=packed,
        quantum=quantum,
        field=np.empty(0, np.float32),
        zones=None if zones is None else pad(zones.astype(np.int32, copy=False), 0).ravel(),
        closed=None if mask is None else pad(~mask, True).ravel(),
        law=kernel_law,
        weights=(np.float32(weights[0]), np.float32(weights[1]), np.float32(weights[2])),
        inverse_h2=_inverse_squares(spacing),
        floor=floor,
    )


def constant_slowness(
    slowness: npt.NDArray[np.float32],
    *,
    mask: npt.NDArray[np.bool_] | None = None,
    zones: npt.NDArray[np.integer[Any]] | None = None,
    spacing: tuple[float, ...] | None = None,
) -> SlownessField:
    """Prepare a slowness that is the same for every label.

    Parameters
    ----------
    slowness : ndarray of shape (M, N[, P]), float32
        Time per unit of length, finite and above 0.
    mask, zones, spacing
        As in :func:`label_slowness`.

    Raises
    ------
    ValueError
        If a value is not finite or not above 0.
    """
    if not np.all(np.isfinite(slowness)) or not np.all(slowness > 0):
        raise ValueError("slowness must be finite and above 0 everywhere; clip it to a small positive value")
    spacing = (1.0,) * slowness.ndim if spacing is None else spacing
    n_padded = int(np.prod([n + 2 for n in slowness.shape]))
    return SlownessField(
        shape=slowness.shape,
        features=np.zeros((n_padded, 1), np.int16),
        quantum=1.0,
        field=pad(slowness.astype(np.float32, copy=False), 1.0).ravel(),
        zones=None if zones is None else pad(zones.astype(np.int32, copy=False), 0).ravel(),
        closed=None if mask is None else pad(~mask, True).ravel(),
        law=_kernels.FIELD,
        weights=(np.float32(0), np.float32(0), np.float32(0)),
        inverse_h2=_inverse_squares(spacing),
        floor=float(slowness.min()),
    )


def _inverse_squares(spacing: tuple[float, ...]) -> tuple[Any, ...]:
    """Return 1 / spacing^2, once where it is the same along all axes: then the kernels have less to compute."""
    return tuple(np.float32(1.0 / h**2) for h in (spacing if len(set(spacing)) > 1 else spacing[:1]))


def _pack(
    features: npt.NDArray[np.float32], boundary: npt.NDArray[np.float32] | None
) -> tuple[npt.NDArray[np.int16], float]:
    """Quantise features and boundary into one padded (pixels, C + 1) array."""
    n_channels = features.shape[-1]
    peaks: list[float] = []
    in_bands(
        lambda first, last: peaks.append(_fields.largest_magnitude(features[first:last].reshape(-1))),
        len(features),
        features[0, ..., 0].size,
    )
    largest = float(max(peaks))
    quantum = max(largest, 1e-6) / _FULL_SCALE
    shape = features.shape[:-1]
    packed = np.zeros((int(np.prod([n + 2 for n in shape])), n_channels + 1), np.int16)
    features = features.reshape(-1, shape[-1], n_channels)
    boundary = None if boundary is None else boundary.reshape(-1, shape[-1])
    scale, boundary_scale = np.float32(1.0 / quantum), np.float32(_FULL_SCALE)

    def pack(first: int, last: int) -> None:
        _fields.pack(
            features,
            boundary,
            shape[-2],
            len(shape) - 2,
            scale,
            boundary_scale,
            packed,
            (0,) * n_channels,
            first,
            last,
        )

    in_bands(pack, len(features), shape[-1])
    return packed, quantum
