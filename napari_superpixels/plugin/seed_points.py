"""Points layers as seeds."""

import numpy as np
import numpy.typing as npt
from napari.layers import Points

from napari_superpixels.plugin.regions import Region


def seeds_from_points(points: Points, region: Region) -> tuple[npt.NDArray[np.int64] | None, str]:
    """Return the pixels of a region under the points of a layer, and what the user should know.

    Parameters
    ----------
    points : Points
        A layer; its own scale and position are respected. A layer with fewer axes than the image counts for all planes.
    region : Region
        What is segmented.

    Returns
    -------
    seeds : ndarray of shape (K, axes of the region) or None
        Different pixels, in the order of the points; None if no point lies in the region.
    note : str
        How many points were dropped or merged; empty if none.
    """
    pixels, inside = region.from_data(_to_image(points, region))
    _, first = np.unique(pixels[inside], axis=0, return_index=True)
    seeds = pixels[inside][np.sort(first)]
    if not len(seeds):
        return None, f"No point of {points.name!r} lies in this part of the image; the seeds are found automatically."
    notes = []
    if n_outside := int(np.count_nonzero(~inside)):
        notes.append(f"{n_outside} points outside this part of the image are left out")
    if n_merged := int(np.count_nonzero(inside)) - len(seeds):
        notes.append(f"{n_merged} points on the same pixel as another count once")
    return seeds, "; ".join(notes) + "." if notes else ""


def _to_image(points: Points, region: Region) -> npt.NDArray[np.float64]:
    """Return the points in data coordinates of the image, (K, axes of the image).

    Both layers' transforms are affine, so where the corners of the coordinate system go tells where all points go.
    """
    image = region.layer
    corners = np.concatenate([np.zeros((1, points.ndim)), np.eye(points.ndim)])
    moved = np.array([image.world_to_data(points.data_to_world(corner)) for corner in corners])
    positions = np.asarray(points.data, float) @ (moved[1:] - moved[0]) + moved[0]
    for axis in range(image.ndim - points.ndim):
        if (i := region.position[axis]) is not None:
            positions[:, axis] = i
    return positions
