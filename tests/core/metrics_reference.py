"""The measures as their definitions read, in plain numpy and scipy: slow, and independent of the kernels."""

import math

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

CROSS = ndimage.generate_binary_structure


def boundary(labels: np.ndarray) -> np.ndarray:
    """Return the pixels with a 4- (6-) neighbour of another label."""
    lowest = ndimage.minimum_filter(labels, footprint=CROSS(labels.ndim, 1))
    highest = ndimage.maximum_filter(labels, footprint=CROSS(labels.ndim, 1))
    return lowest != highest


def found(wanted: np.ndarray, there: np.ndarray, tolerance: int) -> float:
    """Return the share of `wanted` pixels with a pixel of `there` at most `tolerance` away along every axis."""
    if not wanted.any():
        return 1.0
    near = ndimage.maximum_filter(there.astype(np.uint8), 2 * tolerance + 1, mode="constant") > 0
    return float(near[wanted].mean())


def against(labels: np.ndarray, truth: np.ndarray, tolerance: int) -> dict[str, float]:
    """Return the measures against one annotator."""
    lost = contested = 0
    for k in np.unique(labels):
        inside = labels == k
        overlaps = [int((inside & (truth == g)).sum()) for g in np.unique(truth)]
        lost += inside.sum() - max(overlaps)
        contested += sum(min(overlap, inside.sum() - overlap) for overlap in overlaps)
    own, theirs = boundary(labels), boundary(truth)
    return {
        "boundary_recall": found(theirs, own, tolerance),
        "boundary_precision": found(own, theirs, tolerance),
        "undersegmentation_error": float(lost / labels.size),
        "undersegmentation_error_np": float(contested / labels.size),
    }


def explained_variation(labels: np.ndarray, image: np.ndarray) -> float:
    """Return the variance of the superpixels' means over the variance of the image."""
    values = image.reshape(labels.size, -1).astype(float)
    means = np.empty_like(values)
    for k in np.unique(labels):
        means[labels.ravel() == k] = values[labels.ravel() == k].mean(axis=0)
    return float(means.var(axis=0).sum() / values.var(axis=0).sum())


def pieces(labels: np.ndarray) -> list[int]:
    """Return the number of pieces of each label."""
    return [ndimage.label(labels == k, CROSS(labels.ndim, 1))[1] for k in np.unique(labels)]


def shapes(labels: np.ndarray) -> dict[str, float]:
    """Return the measures of shape in the plane."""
    found = {"compactness": 0.0, "compactness_px": 0.0, "shape_regularity": 0.0, "smooth_matching": 0.0}
    registered = {}
    for k in np.unique(labels):
        inside = np.pad(labels == k, 1)
        share = inside.sum() / labels.size
        edges = sum(np.count_nonzero(np.diff(inside, axis=axis)) for axis in (0, 1))
        rim = inside & ~ndimage.binary_erosion(inside, CROSS(2, 1))
        found["compactness"] += share * 4 * math.pi * inside.sum() / edges**2
        found["compactness_px"] += share * 4 * math.pi * inside.sum() / rim.sum() ** 2
        i, j = np.nonzero(inside)
        straight, slanted = np.ptp(i) + np.ptp(j) + 2, np.ptp(i + j) + np.ptp(i - j) + 2
        hull_perimeter = math.pi / 8 * 2 * (straight + slanted / math.sqrt(2))
        convexity = min(1.0, (inside.sum() / _crofton(inside)) * (hull_perimeter / _hull(inside).sum()))
        low, high = sorted([i.std(), j.std()])
        found["shape_regularity"] += share * convexity * (math.sqrt(low / high) if high else 1.0)
        frame = np.zeros([2 * n + 3 for n in labels.shape])
        frame[i - math.floor(i.mean() + 0.5) + labels.shape[0], j - math.floor(j.mean() + 0.5) + labels.shape[1]] = 1
        registered[k] = frame
    average = sum(registered.values()) / labels.size
    for frame in registered.values():
        distance = np.abs(average - frame / frame.sum()).sum() / 2
        found["smooth_matching"] += (1 - distance) * frame.sum() / labels.size
    return found


def _crofton(inside: np.ndarray) -> float:
    """Return the perimeter from the crossings of rows, columns and both diagonals."""
    inside = np.pad(inside, 1).astype(int)
    straight = np.abs(np.diff(inside, axis=0)).sum() + np.abs(np.diff(inside, axis=1)).sum()
    slanted = np.abs(inside[1:, 1:] - inside[:-1, :-1]).sum() + np.abs(inside[1:, :-1] - inside[:-1, 1:]).sum()
    return math.pi / 8 * (straight + slanted / math.sqrt(2))


def _hull(inside: np.ndarray) -> np.ndarray:
    """Return the pixels whose centres lie in the convex hull of the centres inside."""
    points = np.argwhere(inside)
    try:
        hull = ConvexHull(points)
    except (QhullError, ValueError):
        return _segment(inside, points)
    everywhere = np.argwhere(np.ones_like(inside))
    within = (everywhere @ hull.equations[:, :2].T + hull.equations[:, 2] <= 1e-9).all(axis=1)
    return within.reshape(inside.shape)


def _segment(inside: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the pixels on the segment between the ends of collinear points."""
    first, last = points[0], points[-1]
    n_steps = max(1, math.gcd(*(last - first).tolist()))
    filled = np.zeros_like(inside)
    for n in range(n_steps + 1):
        filled[tuple(first + n * (last - first) // n_steps)] = True
    return filled
