"""Superpixels by scikit-fmm: one front through a slowness that is the same for every label.

For scripts and as an oracle: the march holds the interpreter's lock, so a window freezes while it runs.
"""

import numpy as np
import numpy.typing as npt
from skimage.segmentation import watershed

from napari_superpixels.core import _kernels
from napari_superpixels.core.slowness import SlownessField
from napari_superpixels.core.superpixels import SeedSet, Superpixels, squared_gradient
from napari_superpixels.errors import MissingPackageError


def march_scikit_fmm(slowness: SlownessField, seeds: SeedSet) -> Superpixels:
    """Grow superpixels with `skfmm.travel_time`; labels follow its arrival times by watershed.

    The slowness is P = 1 + color_weight |grad F|^2 + edge_weight b, or the field of a label-independent law.

    Parameters
    ----------
    slowness : SlownessField
        The slowness, without barriers.
    seeds : SeedSet
        The seeds; their references are not used.

    Returns
    -------
    Superpixels
        One connected superpixel for each seed.

    Raises
    ------
    ValueError
        If the slowness has barriers, which scikit-fmm has no notion of.
    MissingPackageError
        If scikit-fmm is not installed.
    """
    if slowness.zones is not None:
        raise ValueError("solver 'scikit-fmm' knows no barriers; use solver 'eikonal', or remove the barriers")
    positions = seeds.positions(slowness)
    inner = (slice(1, -1),) * len(slowness.shape)
    if slowness.law == _kernels.FIELD:
        field = slowness.field.reshape(slowness.padded_shape)[inner]
    else:
        edge = slowness.features[:, -1].reshape(slowness.padded_shape)[inner]
        field = 1 + slowness.weights[0] * squared_gradient(slowness) + slowness.weights[1] * edge
    mask = None if slowness.closed is None else ~slowness.closed.reshape(slowness.padded_shape)[inner]
    arrival = travel_time(field, positions, mask=mask, spacing=slowness.spacing)
    markers = np.zeros(slowness.shape, np.int32)
    markers[tuple(positions.T)] = np.arange(1, len(positions) + 1)
    labels = watershed(arrival, markers, connectivity=1, mask=mask)
    return Superpixels(labels.astype(np.int32), arrival, positions)


def travel_time(
    field: npt.NDArray[np.floating],
    seeds: npt.NDArray[np.int64],
    *,
    mask: npt.NDArray[np.bool_] | None = None,
    spacing: tuple[float, ...] | None = None,
) -> npt.NDArray[np.float32]:
    """Return the arrival time from the nearest of the seeds by scikit-fmm, 0 at the seeds.

    Parameters
    ----------
    field : ndarray of shape (M, N[, P])
        Slowness, above 0.
    seeds : ndarray of shape (K, ndim), int64
        Positions of the seeds.
    mask : ndarray of shape (M, N[, P]), bool, optional
        Where fronts may go; infinite elsewhere.
    spacing : tuple of float, optional
        Size of a pixel along each axis.
    """
    try:
        import skfmm
    except ImportError as error:
        raise MissingPackageError(
            "The solver 'scikit-fmm' needs the package scikit-fmm, which is not installed. "
            "Install it with: pip install scikit-fmm"
        ) from error
    # scikit-fmm starts from the zero contour of phi: -1 at the seeds alone puts it half a pixel around each.
    phi = np.ones(field.shape)
    phi[tuple(seeds.T)] = -1
    if mask is not None:
        phi = np.ma.MaskedArray(phi, ~mask)
    if np.all(phi < 0):
        return np.zeros(field.shape, np.float32)
    time = skfmm.travel_time(phi, 1 / field, dx=list(spacing or (1.0,) * field.ndim), order=1)
    arrival = np.ma.filled(time, np.inf).astype(np.float32)
    arrival[tuple(seeds.T)] = 0
    return arrival
