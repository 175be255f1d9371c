"""How regular the shapes of superpixels in the plane are; see :mod:`napari_superpixels.core.metrics`."""

import math
from typing import NamedTuple

import numpy as np

from napari_superpixels.core import _shape_kernels as kernels
from napari_superpixels.core.partition import Partition


class Shapes(NamedTuple):
    """Measures of the shapes; see :class:`napari_superpixels.core.metrics.Metrics`."""

    compactness: float
    compactness_px: float
    shape_regularity: float
    smooth_matching: float

    @classmethod
    def undefined(cls) -> "Shapes":
        """Return the measures of volumes."""
        return cls(math.nan, math.nan, math.nan, math.nan)


def measure_shapes(parts: Partition) -> Shapes:
    """Measure the shapes of superpixels in the plane.

    Parameters
    ----------
    parts : Partition
        Of a label image of shape (M, N).
    """
    n_superpixels, n_cols = parts.n_superpixels, parts.labels.shape[1]
    edges, pixels, slants = (np.empty(n_superpixels, np.int64) for _ in range(3))
    parts.in_bands(
        lambda first, last: kernels.perimeters(
            parts.order, parts.start, first, last, parts.labels, edges, pixels, slants
        )
    )
    regularity = np.empty(n_superpixels)
    centres = np.empty((n_superpixels, 2), np.int64)
    crossings = edges + slants / math.sqrt(2)
    reaches = []

    def find_regularity(first: int, last: int) -> None:
        reach = np.zeros(4, np.int64)
        reaches.append(reach)
        kernels.regularities(
            parts.order, parts.start, first, last, *parts.labels.shape, crossings, regularity, centres, reach
        )

    parts.in_bands(find_regularity)
    top, bottom, left, right = (int(f([r[i] for r in reaches])) for i, f in enumerate((min, max, min, max)))
    average = np.zeros((bottom - top + 1, right - left + 1), np.int32)
    kernels.add_shapes(parts.labels, centres, top, left, average)
    match = np.empty(n_superpixels)
    parts.in_bands(
        lambda first, last: kernels.match_shapes(
            parts.order, parts.start, first, last, n_cols, centres, top, left, average, match
        )
    )
    share = parts.sizes / parts.labels.size
    circle = 4 * math.pi * parts.sizes * share
    return Shapes(
        compactness=float((circle / edges**2).sum()),
        compactness_px=float((circle / pixels**2).sum()),
        shape_regularity=float((share * regularity).sum()),
        smooth_matching=float((share * match).sum()),
    )
