"""A label image made ready for counting: numbers from 0, and the pixels of each superpixel together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_superpixels.core import _metric_kernels as kernels
from napari_superpixels.core import parallel


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """The superpixels of an image."""

    labels: npt.NDArray[np.int32]
    """(M, N) or (P, M, N), number of each pixel's superpixel, 0 to K - 1, C order."""
    sizes: npt.NDArray[np.int64]
    """(K,) pixels of each superpixel, at least 1."""
    start: npt.NDArray[np.int64]
    """(K + 1,) where the pixels of each superpixel begin in `order`."""
    order: npt.NDArray[Any]
    """(M N,) flat indices of the pixels, superpixel by superpixel, rising within each."""

    @property
    def n_superpixels(self) -> int:
        """K."""
        return int(self.sizes.size)

    def in_bands(self, work: Callable[[int, int], None]) -> None:
        """Call ``work(first, last)`` for ranges of superpixels that together are all, in as many threads as pay."""
        parallel.in_bands(work, self.n_superpixels, -(-self.labels.size // self.n_superpixels))


def partition(labels: npt.NDArray[np.integer[Any]]) -> Partition:
    """Sort the pixels of a label image by label.

    Parameters
    ----------
    labels : ndarray of shape (M, N) or (P, M, N), integer, not negative
        Superpixels; not empty.

    Raises
    ------
    ValueError
        If a label is negative.
    """
    small, highest = in_small_range(labels, "labels")
    present = np.zeros(highest + 1, bool)
    kernels.mark(small.ravel(), present)
    numbers = np.cumsum(present, dtype=np.int32) - 1
    sizes = np.zeros(int(numbers[-1]) + 1, np.int64)
    compact = np.empty(small.shape, np.int32)
    kernels.number(small.ravel(), numbers, compact.ravel(), sizes)
    start = np.concatenate([[0], np.cumsum(sizes)])
    order = np.empty(small.size, np.int32 if small.size < 2**31 else np.int64)
    kernels.group(compact.ravel(), start, order)
    return Partition(compact, sizes, start, order)


def in_small_range(labels: npt.NDArray[np.integer[Any]], what: str) -> tuple[npt.NDArray[np.int32], int]:
    """Return labels as int32 in C order, renumbered if they are far larger than their number, and the largest.

    Parameters
    ----------
    labels : ndarray, integer
        Labels; not empty.
    what : str
        What the labels are, for the message.

    Raises
    ------
    ValueError
        If a label is negative.
    """
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0:
        raise ValueError(f"{what} must not be negative; received {lowest}. Renumber the labels from 0 or 1.")
    if highest > 2 * labels.size + 2**16:  # counting by value would take more memory than the image
        values, numbers = np.unique(labels, return_inverse=True)
        labels, highest = numbers.reshape(labels.shape), values.size - 1
    return np.ascontiguousarray(labels, np.int32), highest
