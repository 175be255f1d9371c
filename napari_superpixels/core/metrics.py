"""How well superpixels follow objects: the usual measures, each with one stated convention.

References
----------
Stutz, Hermans & Leibe, "Superpixels: an evaluation of the state of the art", CVIU 166, 2018,
doi:10.1016/j.cviu.2017.03.007. Dumont & Figliuzzi, "Image segmentation by superpixels" (pixel-count compactness).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.measure import label as connected_components

_jit: Any = nb.njit(nogil=True, cache=True)


@dataclass(frozen=True, slots=True)
class Metrics:
    """Measures of one superpixel image; shares lie in [0, 1], those against ground truth are means over annotators."""

    n_superpixels: int
    """Number of labels that occur."""
    n_components: int
    """Number of 4- (6-) connected pieces; equal to `n_superpixels` when every superpixel is connected."""
    boundary_recall: float
    """BR: share of ground-truth boundary pixels with a superpixel boundary within the tolerance."""
    boundary_precision: float
    """BP: share of superpixel boundary pixels with a ground-truth boundary within the tolerance."""
    undersegmentation_error: float
    """UE = 1 - ASA (Van den Bergh et al. 2012)."""
    undersegmentation_error_np: float
    """UE_NP (Neubert & Protzel 2012): sum of min(|S in G|, |S out of G|) over overlapping pairs / N."""
    achievable_segmentation_accuracy: float
    """ASA: share of pixels that are right when each superpixel takes its most frequent ground-truth label."""
    worst_boundary_recall: float
    """BR against the annotator where it is lowest."""
    worst_undersegmentation_error: float
    """UE against the annotator where it is highest."""
    explained_variation: float | None
    """EV (Moore et al. 2008): variance of the image between superpixels / variance; None without an image."""
    compactness: float
    """CO (Schick et al. 2012): mean of 4 pi A / P^2 over pixels, P counted in pixel edges. 2-D only, else nan."""
    compactness_px: float
    """CO with P counted in boundary pixels, as Dumont & Figliuzzi do; can exceed 1. 2-D only, else nan."""
    contour_density: float
    """Share of pixels that touch another superpixel."""


def evaluate(
    labels: npt.NDArray[np.integer[Any]],
    ground_truths: npt.NDArray[np.integer[Any]] | Sequence[npt.NDArray[np.integer[Any]]],
    image: npt.NDArray[Any] | None = None,
    tolerance: int = 2,
) -> Metrics:
    """Measure superpixels against ground truth.

    Parameters
    ----------
    labels : ndarray of shape (M, N[, P]), integer
        Superpixels.
    ground_truths : ndarray of shape (M, N[, P]), integer, or sequence of such
        One label image for each annotator; every value is a segment, 0 too.
    image : ndarray of shape (M, N[, P][, C]), optional
        The image, for explained variation.
    tolerance : int
        Distance in pixels within which boundaries match, in the maximum norm: a window of (2 tolerance + 1)^ndim.

    Returns
    -------
    Metrics
        The measures.

    Raises
    ------
    ValueError
        If shapes differ, there is no ground truth, or the tolerance is negative.
    TypeError
        If labels are not integers.
    """
    truths = [ground_truths] if isinstance(ground_truths, np.ndarray) else list(ground_truths)
    _check(labels, truths, image, tolerance)
    compact, n_superpixels = _relabel(labels)
    boundary = boundary_pixels(compact)
    near_boundary = _dilate(boundary, tolerance)
    recalls, precisions, errors, errors_np = [], [], [], []
    for truth in truths:
        truth_boundary = boundary_pixels(truth)
        recalls.append(_share(near_boundary, truth_boundary))
        precisions.append(_share(_dilate(truth_boundary, tolerance), boundary))
        error, error_np = _undersegmentation(compact, n_superpixels, truth)
        errors.append(error)
        errors_np.append(error_np)
    crack, pixel = _compactness(compact, n_superpixels) if labels.ndim == 2 else (float("nan"), float("nan"))
    return Metrics(
        n_superpixels=n_superpixels,
        n_components=int(connected_components(compact + 1, connectivity=1).max()),
        boundary_recall=float(np.mean(recalls)),
        boundary_precision=float(np.mean(precisions)),
        undersegmentation_error=float(np.mean(errors)),
        undersegmentation_error_np=float(np.mean(errors_np)),
        achievable_segmentation_accuracy=1.0 - float(np.mean(errors)),
        worst_boundary_recall=float(np.min(recalls)),
        worst_undersegmentation_error=float(np.max(errors)),
        explained_variation=None if image is None else _explained_variation(compact, n_superpixels, image),
        compactness=crack,
        compactness_px=pixel,
        contour_density=float(boundary.mean()),
    )


def boundary_pixels(labels: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.bool_]:
    """Return where a pixel has a 4- (6-) neighbour of another label: boundaries two pixels thick."""
    boundary = np.zeros(labels.shape, bool)
    for axis in range(labels.ndim):
        lead = (slice(None),) * axis
        differs = labels[(*lead, slice(1, None))] != labels[(*lead, slice(None, -1))]
        boundary[(*lead, slice(1, None))] |= differs
        boundary[(*lead, slice(None, -1))] |= differs
    return boundary


def _check(labels: Any, truths: list[Any], image: Any, tolerance: int) -> None:
    if labels.size == 0:
        raise ValueError(f"labels must hold pixels; received shape {labels.shape}")
    if not truths:
        raise ValueError("at least one ground truth is needed; received none")
    for array in (labels, *truths):
        if not np.issubdtype(array.dtype, np.integer):
            raise TypeError(f"labels and ground truths must be integer images; received {array.dtype}")
    for truth in truths:
        if truth.shape != labels.shape:
            raise ValueError(f"ground truth has shape {truth.shape}, labels have {labels.shape}; they must be equal")
    if image is not None and image.shape[: labels.ndim] != labels.shape:
        raise ValueError(f"image has shape {image.shape}; its first axes must be those of the labels, {labels.shape}")
    if tolerance < 0:
        raise ValueError(f"tolerance must not be negative; received {tolerance}")


def _relabel(labels: npt.NDArray[np.integer[Any]]) -> tuple[npt.NDArray[np.int32], int]:
    """Return the labels as 0 to K - 1, and K."""
    values, compact = np.unique(labels, return_inverse=True)
    return compact.reshape(labels.shape).astype(np.int32), int(values.size)


def _dilate(boundary: npt.NDArray[np.bool_], tolerance: int) -> npt.NDArray[np.bool_]:
    grown: npt.NDArray[np.bool_] = ndimage.maximum_filter(boundary.view(np.uint8), 2 * tolerance + 1).view(bool)
    return grown


def _share(hit: npt.NDArray[np.bool_], wanted: npt.NDArray[np.bool_]) -> float:
    """Return the share of `wanted` pixels that are `hit`; 1 when none is wanted."""
    n_wanted = np.count_nonzero(wanted)
    return 1.0 if n_wanted == 0 else float(np.count_nonzero(hit & wanted) / n_wanted)


def _undersegmentation(
    compact: npt.NDArray[np.int32], n_superpixels: int, truth: npt.NDArray[np.integer[Any]]
) -> tuple[float, float]:
    """Return 1 - ASA and UE_NP."""
    truth, n_segments = _relabel(truth)
    pairs, overlap = np.unique(compact.astype(np.int64) * n_segments + truth, return_counts=True)
    superpixel = pairs // n_segments
    size = np.bincount(superpixel, weights=overlap, minlength=n_superpixels)
    largest = np.zeros(n_superpixels)
    np.maximum.at(largest, superpixel, overlap)
    n_pixels = compact.size
    return (
        float((size - largest).sum() / n_pixels),
        float(np.minimum(overlap, size[superpixel] - overlap).sum() / n_pixels),
    )


def _explained_variation(compact: npt.NDArray[np.int32], n_superpixels: int, image: npt.NDArray[Any]) -> float:
    """Return the between-superpixel share of the image's variance, channels pooled; 1 for a constant image."""
    flat = compact.ravel()
    values = image.reshape(flat.size, -1).astype(np.float64)
    values = values - values.mean(axis=0)
    size = np.bincount(flat, minlength=n_superpixels)
    total = float((values**2).sum())
    if total == 0:
        return 1.0
    between = 0.0
    for channel in values.T:
        sums = np.bincount(flat, weights=channel, minlength=n_superpixels)
        between += float((sums**2 / size).sum())
    return between / total


def _compactness(compact: npt.NDArray[np.int32], n_superpixels: int) -> tuple[float, float]:
    """Return the area-weighted mean isoperimetric quotient, by pixel edges and by boundary pixels."""
    area = np.zeros(n_superpixels, np.int64)
    edges = np.zeros(n_superpixels, np.int64)
    pixels = np.zeros(n_superpixels, np.int64)
    _count_perimeters(compact, area, edges, pixels)
    weight = 4 * np.pi * area.astype(float) ** 2 / compact.size
    return float((weight / edges**2).sum()), float((weight / pixels**2).sum())


@_jit
def _count_perimeters(labels: Any, area: Any, edges: Any, pixels: Any) -> None:
    """Count each label's pixels, outer pixel edges and boundary pixels; the image border is a boundary."""
    n_rows, n_cols = labels.shape
    for i in range(n_rows):
        for j in range(n_cols):
            k = labels[i, j]
            n_edges = 0
            if i == 0 or labels[i - 1, j] != k:
                n_edges += 1
            if i == n_rows - 1 or labels[i + 1, j] != k:
                n_edges += 1
            if j == 0 or labels[i, j - 1] != k:
                n_edges += 1
            if j == n_cols - 1 or labels[i, j + 1] != k:
                n_edges += 1
            area[k] += 1
            edges[k] += n_edges
            if n_edges:
                pixels[k] += 1
