"""Ready-made outlines of superpixels, kept up to date where superpixels were edited."""

import numpy as np
import numpy.typing as npt
from napari.layers import Labels

from napari_superpixels.core.metrics import boundary_pixels
from napari_superpixels.plugin.partial import write_box
from napari_superpixels.plugin.regions import Region

PlaneBox = tuple[slice, slice]


def redraw_outlines(lines: Labels, region: Region, labels: npt.NDArray[np.int32], box: PlaneBox) -> None:
    """Draw outlines anew in and around a box.

    Parameters
    ----------
    lines : Labels
        The outlines of a plane, of `Region.box_shape`.
    region : Region
        The plane.
    labels : ndarray of shape (M, N), int32
        Its superpixels.
    box : tuple of slice
        Rows and columns that were edited.
    """
    inner, outer = (_grown(box, n, labels.shape) for n in (1, 2))
    part = tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(inner, outer, strict=True))
    boundary = boundary_pixels(labels[outer])[part].view(np.uint8)
    whole = [slice(0, 1)] * lines.ndim
    for axis, side in zip(region.axes, inner, strict=True):
        whole[axis] = side
    shape = [side.stop - side.start for side in whole]
    write_box(lines, tuple(whole), None, boundary.reshape(shape))


def _grown(box: PlaneBox, n: int, shape: tuple[int, ...]) -> PlaneBox:
    rows, columns = (
        slice(max(0, side.start - n), min(length, side.stop + n)) for side, length in zip(box, shape, strict=True)
    )
    return rows, columns
