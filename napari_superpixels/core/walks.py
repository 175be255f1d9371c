"""Walks through the pixels of a region."""

import numpy as np
import numpy.typing as npt

from napari_superpixels.core._walk_kernels import walk


def walk_through(mask: npt.NDArray[np.bool_], wanted: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return a 4-connected path inside a region that visits some of its pixels, going back where it must.

    Parameters
    ----------
    mask : ndarray of shape (M, N), bool
        The region, 4-connected.
    wanted : ndarray of shape (M, N), bool
        Pixels to visit, at least one, all in the region. The path keeps to them where it can.

    Returns
    -------
    ndarray of shape (n, 2), int64
        Row and column of the path's pixels; each next to the one before, some more than once.

    Raises
    ------
    ValueError
        If there is no pixel to visit.
    """
    pixels = np.flatnonzero(wanted)
    if not pixels.size:
        raise ValueError("There is no pixel to visit.")
    width = mask.shape[1] + 2
    path = walk(np.pad(mask, 1).ravel(), np.pad(wanted, 1).ravel(), width, int(pixels.size))
    return np.stack([path // width - 1, path % width - 1], axis=1)
