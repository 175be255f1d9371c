"""Points layers as seeds, and seeds of an earlier time as points."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Layer, Points

from napari_superpixels.plugin.boxes import METADATA_KEY
from napari_superpixels.plugin.regions import Region

#: What the metadata of a layer call seeds that come back with a project.
GIVEN_SEEDS = "given seeds"


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
    seeds, n_inside = _different_pixels(_to_image(points, region), region)
    if not n_inside:
        return None, f"No point of {points.name!r} lies in this part of the image; the seeds are found automatically."
    notes = []
    if n_outside := len(points.data) - n_inside:
        notes.append(f"{n_outside} points outside this part of the image are left out")
    if n_merged := n_inside - len(seeds):
        notes.append(f"{n_merged} points on the same pixel as another count once")
    return seeds, "; ".join(notes) + "." if notes else ""


def given_points(made: Mapping[str, Any], ndim: int) -> npt.NDArray[np.float64] | None:
    """Return the seeds that a user gave for superpixels, as points.

    Parameters
    ----------
    made : mapping
        What their layer's metadata tell, see :func:`napari_superpixels.engine.provenance.layer_metadata`.
    ndim : int
        Number of the image's axes.

    Returns
    -------
    ndarray of shape (K, ndim), float64, or None
        Data coordinates of the image; None where the seeds were found automatically, or cannot be understood.
    """
    position = made.get("position") or [None] * ndim
    shown = [axis for axis, at in enumerate(position) if at is None]
    try:
        if made.get("channel_axis") is not None:
            del shown[made["channel_axis"]]
        points = np.tile([0.0 if at is None else float(at) for at in position], (len(made["seeds"]), 1))
        points[:, shown] = made["seeds"]
    except (KeyError, TypeError, ValueError, IndexError):
        return None
    return points if points.shape[1] == ndim and np.isfinite(points).all() else None


def given_seeds(made: Mapping[str, Any], region: Region) -> npt.NDArray[np.int64] | None:
    """Return the seeds that a user gave for the superpixels of a region, as pixels of it; None if there are none."""
    points = given_points(made, region.layer.ndim)
    seeds, n_inside = (None, 0) if points is None else _different_pixels(points, region)
    return seeds if n_inside else None


def is_given_seeds(layer: Layer, image: Layer | None) -> bool:
    """Say whether a layer holds the seeds that came back with a project of an image."""
    made = layer.metadata.get(METADATA_KEY, {})
    return image is not None and made.get("view") == GIVEN_SEEDS and made.get("image") == image.name


def _different_pixels(points: npt.NDArray[np.float64], region: Region) -> tuple[npt.NDArray[np.int64], int]:
    """Return different pixels of a region under points in data coordinates, and how many points lie in it."""
    pixels, inside = region.from_data(points)
    _, first = np.unique(pixels[inside], axis=0, return_index=True)
    return pixels[inside][np.sort(first)], int(np.count_nonzero(inside))


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
