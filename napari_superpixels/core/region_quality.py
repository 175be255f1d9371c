"""What superpixels tell about themselves, without ground truth: sizes, contrast across borders, edges inside."""

from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_superpixels.core.eikonal import check_cancelled, new_cancel_flag
from napari_superpixels.core.metrics import boundary_pixels

#: Smallest boundary probability of a strong edge.
STRONG_PROBABILITY = 0.5
#: Smallest colour step of a strong edge, in units of CIELAB: a difference that nobody overlooks.
STRONG_STEP = 25.0
_SMOOTHING = 1.0
# What smoothing and central differences leave of a step of height 1 between two pixels.
_SLOPE_OF_STEP = float(np.gradient(ndimage.gaussian_filter(np.repeat([0.0, 1.0], 8), _SMOOTHING)).max())
_STRONG_SLOPE = STRONG_STEP * _SLOPE_OF_STEP

_jit: Any = nb.njit(nogil=True, cache=True)


@dataclass(frozen=True, slots=True, eq=False)
class RegionQuality:
    """Measures of superpixels on their image."""

    sizes: npt.NDArray[np.int64]
    """(K,): pixels of each superpixel."""
    boundary_contrast: float
    """Mean distance of the mean colours on both sides of a border, over all pairs of neighbouring pixels that a border
    parts, in units of CIELAB (Delta E 1976); nan for a single superpixel."""
    straddling: npt.NDArray[np.bool_]
    """(K,): whether a superpixel straddles a strong edge, see :func:`measure_regions`."""

    @property
    def straddling_share(self) -> float:
        """Share of superpixels that straddle a strong edge."""
        return float(np.count_nonzero(self.straddling) / len(self.straddling))


def strong_edges(
    features: npt.NDArray[np.float32], boundary: npt.NDArray[np.float32] | None = None
) -> npt.NDArray[np.bool_]:
    """Return the crests of strong edges, lines about one pixel wide.

    Parameters
    ----------
    features : ndarray of shape (M, N, C) or (P, M, N, C), float32
        Colours, as :func:`napari_superpixels.core.features.pixel_features` gives them for the raw image.
    boundary : ndarray of shape (M, N) or (P, M, N), float32, optional
        Boundary probability that a network predicts, in [0, 1].

    Returns
    -------
    ndarray of the shape without channels, bool
        Where the boundary probability is at least `STRONG_PROBABILITY`, or without one where the smoothed colour
        changes as fast as at a step of `STRONG_STEP`; and highest in its row or its column.
    """
    strength = _slope(features) if boundary is None else boundary
    crest = np.zeros(strength.shape, bool)
    for axis in range(strength.ndim):
        lead = (slice(None),) * axis
        inner, before, after = ((*lead, part) for part in (slice(1, -1), slice(None, -2), slice(2, None)))
        crest[inner] |= (strength[inner] >= strength[before]) & (strength[inner] > strength[after])
    crest &= strength >= (_STRONG_SLOPE if boundary is None else STRONG_PROBABILITY)
    return crest


def measure_regions(
    labels: npt.NDArray[np.int32],
    features: npt.NDArray[np.float32],
    edges: npt.NDArray[np.bool_],
    *,
    tolerance: int = 2,
    cancel: npt.NDArray[np.uint8] | None = None,
) -> RegionQuality:
    """Measure superpixels on their image.

    A superpixel straddles a strong edge when the edge's pixels in it, farther than the tolerance from every other
    superpixel, are at least half as many as its mean diameter (the root of its number of pixels) has.

    Parameters
    ----------
    labels : ndarray of shape (M, N) or (P, M, N), int32
        Superpixels 1 to K; pixels of label 0 do not count.
    features : ndarray of the labels' shape and one axis of channels, float32
        Colours, as :func:`napari_superpixels.core.features.pixel_features` gives them for the raw image.
    edges : ndarray of the labels' shape, bool
        Strong edges, as :func:`strong_edges` gives them.
    tolerance : int
        Distance in pixels, in the maximum norm, within which an edge counts as a superpixel's border.
    cancel : ndarray of shape (1,), uint8, optional
        Set its element to 1, from any thread, to stop.

    Raises
    ------
    ValueError
        If the shapes do not fit, or the tolerance is negative.
    CancelledError
        If cancelled.
    """
    if features.shape[:-1] != labels.shape or edges.shape != labels.shape:
        raise ValueError(
            f"features have shape {features.shape} and edges {edges.shape}; expected {(*labels.shape, 'C')} and "
            f"{labels.shape}, as the labels have"
        )
    if tolerance < 0:
        raise ValueError(f"tolerance must not be negative; received {tolerance}")
    cancel = new_cancel_flag() if cancel is None else cancel
    volume = np.ascontiguousarray(labels).reshape((1,) * (3 - labels.ndim) + labels.shape)
    colors = np.ascontiguousarray(features).reshape(*volume.shape, -1)
    n_labels = int(labels.max(initial=0))
    sizes = np.zeros(n_labels + 1, np.int64)
    means = np.zeros((n_labels + 1, colors.shape[-1]))
    _sum_colors(volume, colors, sizes, means)
    check_cancelled(cancel)
    means /= np.maximum(sizes, 1)[:, None]
    total, n_pairs = _sum_contrast(volume, means)
    check_cancelled(cancel)
    inside = np.zeros(n_labels + 1, np.int64)
    _count_inside(volume, edges.reshape(volume.shape), tolerance, inside)
    check_cancelled(cancel)
    diameters = sizes[1:] ** (1 / labels.ndim)
    # An edge is a line in a plane, and a face in a volume.
    needed = np.maximum(0.5 * diameters ** (labels.ndim - 1), 1)
    return RegionQuality(sizes[1:], total / n_pairs if n_pairs else float("nan"), inside[1:] >= needed)


def missed_boundary(
    labels: npt.NDArray[np.integer[Any]], truth: npt.NDArray[np.integer[Any]], tolerance: int = 2
) -> npt.NDArray[np.bool_]:
    """Return the ground-truth boundary pixels that boundary recall counts as missed.

    Parameters
    ----------
    labels, truth : ndarray of the same shape, integer
        Superpixels and ground truth.
    tolerance : int
        Distance in pixels, in the maximum norm, within which a superpixel boundary is near enough.

    Returns
    -------
    ndarray of the same shape, bool
        Boundary pixels of the truth without a boundary pixel of the superpixels within the tolerance.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if labels.shape != truth.shape:
        raise ValueError(f"ground truth has shape {truth.shape}, labels have {labels.shape}; they must be equal")
    near = ndimage.maximum_filter(boundary_pixels(labels).view(np.uint8), 2 * tolerance + 1).view(bool)
    return boundary_pixels(truth) & ~near


def _slope(features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return how much the smoothed colour changes from pixel to pixel, in units of the features."""
    slope = np.zeros(features.shape[:-1], np.float32)
    for c in range(features.shape[-1]):
        smooth = ndimage.gaussian_filter(features[..., c], _SMOOTHING)
        for axis in range(smooth.ndim):
            if smooth.shape[axis] > 1:
                slope += np.gradient(smooth, axis=axis) ** 2
    return np.sqrt(slope, out=slope)


@_jit
def _sum_colors(labels: Any, colors: Any, sizes: Any, sums: Any) -> None:
    n_planes, n_rows, n_cols, n_channels = colors.shape
    for p in range(n_planes):
        for i in range(n_rows):
            for j in range(n_cols):
                k = labels[p, i, j]
                sizes[k] += 1
                for c in range(n_channels):
                    sums[k, c] += colors[p, i, j, c]


@_jit
def _sum_contrast(labels: Any, means: Any) -> Any:
    """Return the sum of the distances of the means, and the number of neighbouring pixels of two superpixels."""
    n_planes, n_rows, n_cols = labels.shape
    total, n_pairs = 0.0, 0
    for p in range(n_planes):
        for i in range(n_rows):
            for j in range(n_cols):
                first = labels[p, i, j]
                for axis in range(3):
                    pp, ii, jj = p + (axis == 0), i + (axis == 1), j + (axis == 2)
                    if pp == n_planes or ii == n_rows or jj == n_cols:
                        continue
                    second = labels[pp, ii, jj]
                    if first != second and first > 0 and second > 0:
                        distance = 0.0
                        for c in range(means.shape[1]):
                            distance += (means[first, c] - means[second, c]) ** 2
                        total += np.sqrt(distance)
                        n_pairs += 1
    return total, n_pairs


@_jit
def _count_inside(labels: Any, edges: Any, reach: int, inside: Any) -> None:
    """Count each superpixel's edge pixels that have no other superpixel within reach."""
    n_planes, n_rows, n_cols = labels.shape
    for p in range(n_planes):
        for i in range(n_rows):
            for j in range(n_cols):
                if not edges[p, i, j]:
                    continue
                k = labels[p, i, j]
                is_inside = True
                for pp in range(max(0, p - reach), min(n_planes, p + reach + 1)):
                    for ii in range(max(0, i - reach), min(n_rows, i + reach + 1)):
                        for jj in range(max(0, j - reach), min(n_cols, j + reach + 1)):
                            is_inside &= labels[pp, ii, jj] == k
                if is_inside:
                    inside[k] += 1
