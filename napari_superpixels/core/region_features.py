"""What regions are like: colour, texture, shape without position, and the boundary probability in and around them.

All sums are of whole numbers, so what was updated after an edit is what would be made anew.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_superpixels.core import _feature_kernels as kernels
from napari_superpixels.core.parallel import in_bands
from napari_superpixels.core.region_graph import RegionGraph

#: How far beyond changed pixels a window must reach: their neighbours can become border pixels, and have neighbours.
MARGIN = 2
_SCALE = np.float32(128)
_PERCENT = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class PixelMaps:
    """What the pixels of a plane are like, whatever regions lie on them."""

    raw: npt.NDArray[np.float32]
    """(M, N, C) features of the raw image, as :func:`napari_superpixels.core.features.pixel_features` gives them."""
    flattened: npt.NDArray[np.float32]
    """(M, N, C) features of the network's image; the raw ones where there is none."""
    boundary: npt.NDArray[np.float32] | None
    """(M, N) boundary probability in [0, 1], or None."""

    def __post_init__(self) -> None:
        boundary_shape = self.raw.shape[:2] if self.boundary is None else self.boundary.shape
        if (self.raw.ndim, self.flattened.shape, boundary_shape) != (3, self.raw.shape, self.raw.shape[:2]):
            raise ValueError(
                f"the maps have shapes {self.raw.shape}, {self.flattened.shape} and {boundary_shape}; expected "
                "(M, N, C) twice, then (M, N)"
            )


@dataclass(frozen=True, slots=True, eq=False)
class RegionSums:
    """Sums over the pixels of regions; label 0 is no region."""

    sizes: npt.NDArray[np.int64]
    """(n + 1,) number of pixels of each label."""
    sums: npt.NDArray[np.int64]
    """(n + 1, 3 C + 12) sums; see :func:`napari_superpixels.core._feature_kernels.sum_pixels`."""

    @property
    def n_channels(self) -> int:
        """C."""
        return (self.sums.shape[1] - kernels.N_COLUMNS) // 3

    def centre(self, label: int) -> tuple[float, float]:
        """Return the mean row and column of the pixels of a label that occurs."""
        row, column = self._column(kernels.ROW, kernels.COLUMN + 1)[label] / self.sizes[label]
        return float(row), float(column)

    @property
    def color_spread(self) -> npt.NDArray[np.float64]:
        """(n + 1,) root mean square distance of the pixels' raw features to their mean; 0 where there are none."""
        return np.sqrt(self._variances().sum(axis=1))

    @property
    def boundary_inside(self) -> npt.NDArray[np.float64]:
        """(n + 1,) mean boundary probability of the pixels without a neighbour in another region; 0 without any."""
        inside = self._column(kernels.BOUNDARY) - self._column(kernels.BORDER_BOUNDARY)
        n_inside = np.maximum(self.sizes - self._column(kernels.BORDER)[:, 0], 1)
        return inside[:, 0] / n_inside / (_PERCENT * float(_SCALE))

    def features(self, graph: RegionGraph | None = None) -> npt.NDArray[np.float32]:
        """Return what a classifier compares regions by.

        Parameters
        ----------
        graph : RegionGraph, optional
            Adds the difference to what touches a region.

        Returns
        -------
        ndarray of shape (n + 1, F), float32
            Mean and standard deviation of the raw features, mean of the flattened ones; logarithms of the mean and of
            the standard deviation of the gradient, and of the mean curvature; mean boundary probability at the border
            and inside, 0 without one; logarithm of the size, compactness (4 pi size / perimeter^2), elongation
            (1 - minor / major axis). With a graph, the means of the raw features and of the
            curvature again for what touches the region, and their difference to the region's own, as (2 C + 2) more.
            Zero where a label does not occur.
        """
        n_channels = self.n_channels
        raw = self._means(self.sums[:, :n_channels]) / float(_SCALE)
        spread = np.sqrt(self._variances())
        flattened = self._means(self.sums[:, 2 * n_channels : 3 * n_channels]) / float(_SCALE)
        texture = self._texture()
        parts = [raw, spread, flattened, texture, self._border(), self.boundary_inside[:, None], self._shape()]
        if graph is not None:
            own = np.concatenate([raw, texture[:, 2:]], axis=1)
            around = _around(own, graph, len(own))
            parts += [around, own - around]
        features: npt.NDArray[np.float64] = np.concatenate(parts, axis=1)
        features[self.sizes == 0] = 0
        return features.astype(np.float32)

    def updated(
        self,
        window: tuple[slice, slice],
        before: npt.NDArray[np.int32],
        after: npt.NDArray[np.int32],
        maps: PixelMaps,
    ) -> "RegionSums":
        """Return the sums after labels changed within a window.

        Parameters
        ----------
        window : tuple of slice
            Part of the plane that holds every changed pixel and, where the plane goes on, `MARGIN` pixels more on each
            side.
        before, after : ndarray of the window's shape, int32
            Labels there.
        maps : PixelMaps
            The plane.
        """
        n = max(len(self.sizes), int(after.max(initial=0)) + 1)
        sizes, sums = (np.concatenate([a, np.zeros((n - len(a), *a.shape[1:]), a.dtype)]) for a in self._arrays)
        n_rows, n_cols = maps.raw.shape[:2]
        rows, columns = window
        box = (
            rows.start + (rows.start > 0),
            rows.stop - (rows.stop < n_rows),
            columns.start + (columns.start > 0),
            columns.stop - (columns.stop < n_cols),
        )
        for labels, sign in ((before, -1), (after, 1)):
            _add(labels, rows.start, columns.start, box, maps, sign, sizes, sums)
        return RegionSums(sizes, sums)

    @property
    def _arrays(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        return self.sizes, self.sums

    def _column(self, first: int, end: int | None = None) -> npt.NDArray[np.int64]:
        base = 3 * self.n_channels
        return self.sums[:, base + first : base + (first + 1 if end is None else end)]

    def _means(self, sums: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        means: npt.NDArray[np.float64] = sums / np.maximum(self.sizes, 1)[:, None]
        return means

    def _variances(self) -> npt.NDArray[np.float64]:
        """Return, (n + 1, C), the variances of the raw features."""
        n_channels = self.n_channels
        means = self._means(self.sums[:, :n_channels])
        squares = self._means(self.sums[:, n_channels : 2 * n_channels])
        variances: npt.NDArray[np.float64] = np.maximum(squares - means**2, 0) / float(_SCALE) ** 2
        return variances

    def _texture(self) -> npt.NDArray[np.float64]:
        gradient, squared, curvature = (
            self._means(self._column(column))
            for column in (kernels.GRADIENT, kernels.GRADIENT_SQUARED, kernels.CURVATURE)
        )
        gradient /= float(_SCALE)
        deviation = np.sqrt(np.maximum(squared / float(_SCALE) ** 2 - gradient**2, 0))
        return np.log1p(np.concatenate([gradient, deviation, curvature / float(_SCALE)], axis=1))

    def _border(self) -> npt.NDArray[np.float64]:
        """Return, (n + 1, 1), the mean boundary probability of the pixels beside another region."""
        means: npt.NDArray[np.float64] = self._column(kernels.BORDER_BOUNDARY) / np.maximum(
            self._column(kernels.BORDER), 1
        )
        return means / (_PERCENT * float(_SCALE))

    def _shape(self) -> npt.NDArray[np.float64]:
        size = np.maximum(self.sizes, 1)[:, None]
        perimeter = np.maximum(self._column(kernels.EDGES), 1)
        centre = self._means(self._column(kernels.ROW, kernels.COLUMN + 1))
        # A pixel is a square of side 1, not a point: 1/12 each way.
        variance = self._means(self._column(kernels.ROW_SQUARED, kernels.COLUMN_SQUARED + 1)) - centre**2 + 1 / 12
        covariance = self._means(self._column(kernels.ROW_COLUMN)) - (centre[:, :1] * centre[:, 1:])
        middle, half = variance.mean(axis=1, keepdims=True), (variance[:, :1] - variance[:, 1:]) / 2
        swing = np.sqrt(half**2 + covariance**2)
        elongation = 1 - np.sqrt(np.maximum(middle - swing, 0) / (middle + swing))
        return np.concatenate([np.log(size), 4 * math.pi * size / perimeter**2, elongation], axis=1)


def region_sums(labels: npt.NDArray[np.int32], maps: PixelMaps) -> RegionSums:
    """Sum up what the pixels of regions are like.

    Parameters
    ----------
    labels : ndarray of shape (M, N), int32, C order
        Regions, not negative; pixels of label 0 belong to none.
    maps : PixelMaps
        The plane.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    if labels.shape != maps.raw.shape[:2]:
        raise ValueError(f"labels have shape {labels.shape}; expected {maps.raw.shape[:2]}, as the maps have")
    n_rows, n_cols = labels.shape
    n = int(labels.max(initial=0)) + 1
    parts: list[RegionSums] = []
    n_columns = 3 * maps.raw.shape[2] + kernels.N_COLUMNS

    def add_band(first: int, last: int) -> None:
        part = RegionSums(np.zeros(n, np.int64), np.zeros((n, n_columns), np.int64))
        _add(labels, 0, 0, (first, last, 0, n_cols), maps, 1, part.sizes, part.sums)
        parts.append(part)

    in_bands(add_band, n_rows, n_cols)
    for part in parts[1:]:
        parts[0].sizes[:] += part.sizes
        parts[0].sums[:] += part.sums
    return parts[0]


def _add(
    labels: npt.NDArray[np.int32],
    top: int,
    left: int,
    box: tuple[int, int, int, int],
    maps: PixelMaps,
    sign: int,
    sizes: npt.NDArray[np.int64],
    sums: npt.NDArray[np.int64],
) -> None:
    boundary = np.empty((0, 0), np.float32) if maps.boundary is None else maps.boundary
    kernels.sum_pixels(labels, top, left, box, maps.raw, maps.flattened, boundary, _SCALE, sign, sizes, sums)


def _around(values: npt.NDArray[np.float64], graph: RegionGraph, n: int) -> npt.NDArray[np.float64]:
    """Return, (n, F), the mean of the values of what touches each region, weighted by the border's length."""
    ends = np.concatenate([graph.edges, graph.edges[:, ::-1]])
    weights = np.concatenate([graph.lengths, graph.lengths]).astype(np.float64)
    total = np.maximum(np.bincount(ends[:, 0], weights, n), 1e-9)
    sums: list[npt.NDArray[Any]] = [
        np.bincount(ends[:, 0], weights * values[ends[:, 1], f], n) / total for f in range(values.shape[1])
    ]
    return np.stack(sums, axis=1)
