"""Walks through the pixels of a region."""

from typing import Any

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


def border_walks(parts: npt.NDArray[np.integer[Any]]) -> list[npt.NDArray[np.int64]]:
    """Return, for each part of a region, a path inside it that visits its pixels beside other parts.

    Parameters
    ----------
    parts : ndarray of shape (M, N), integer
        Parts, numbered from 1, each 4-connected and beside another; 0 outside the region.

    Returns
    -------
    list of ndarray of shape (n, 2), int64
        Paths as of :func:`walk_through`, in the order of the parts.
    """
    # Not np.pad, which takes longer than all else here where regions are small.
    framed = np.zeros((parts.shape[0] + 2, parts.shape[1] + 2), parts.dtype)
    framed[1:-1, 1:-1] = parts
    here = framed[1:-1, 1:-1]
    touches = np.zeros(framed.shape, bool)
    inside = here > 0
    for other in (framed[:-2, 1:-1], framed[2:, 1:-1], framed[1:-1, :-2], framed[1:-1, 2:]):
        touches[1:-1, 1:-1] |= inside & (other > 0) & (other != here)
    width = framed.shape[1]
    paths = []
    for part in range(1, int(parts.max()) + 1):
        mask = framed == part
        wanted = mask & touches
        path = walk(mask.ravel(), wanted.ravel(), width, int(np.count_nonzero(wanted)))
        paths.append(np.stack(np.divmod(path, width), axis=1) - 1)
    return paths
