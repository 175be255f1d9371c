"""Seeds: where superpixels start to grow, and where more of them are needed."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.measure import label as connected_components

from napari_superpixels.core import _fields
from napari_superpixels.core.eikonal import Fronts
from napari_superpixels.params import SeedPlacement


def place_seeds(
    shape: tuple[int, ...],
    n_seeds: int,
    *,
    placement: SeedPlacement = "hexagonal",
    gradient: npt.NDArray[np.float32] | None = None,
    allowed: npt.NDArray[np.bool_] | None = None,
    spacing: tuple[float, ...] | None = None,
) -> npt.NDArray[np.int64]:
    """Spread seeds evenly over an image.

    Rows of seeds are equally far apart, and so are the seeds of a row, so that any number fits any shape.

    Parameters
    ----------
    shape : tuple of int
        Shape (M, N) or (P, M, N) of the image.
    n_seeds : int
        Number of seeds, 1 to the number of pixels.
    placement : {"low-gradient", "hexagonal", "grid"}
        A square grid moved to low gradients, the same on a hexagonal grid, or the plain square grid.
    gradient : ndarray of shape `shape`, float32, optional
        Gradient magnitude; needed unless `placement` is "grid".
    allowed : ndarray of shape `shape`, bool, optional
        Where seeds may lie. The grid then covers the bounding box and keeps the seeds that fall inside.
    spacing : tuple of float, optional
        Size of a pixel along each axis.

    Returns
    -------
    ndarray of shape (K, ndim), int64
        Different positions in raster order; K = n_seeds, or at most n_seeds where `allowed` is given.
    """
    spacing = (1.0,) * len(shape) if spacing is None else spacing
    hexagonal = placement == "hexagonal"
    if allowed is None:
        seeds = _grid(shape, n_seeds, spacing, hexagonal)
    else:
        seeds = _masked_grid(allowed, n_seeds, spacing, hexagonal)
    if placement != "grid" and gradient is not None and seeds.size:
        cell = (float(np.prod(shape)) / n_seeds) ** (1 / len(shape))
        radius = tuple(min(n // 2, int(cell / 4 / h)) for n, h in zip(shape, _relative(spacing), strict=True))
        seeds = _move_to_lowest(seeds, gradient, radius, allowed)
    return seeds


def late_seeds(
    fronts: Fronts, n_seeds: int, *, margin: int, within: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.int64]:
    """Choose new seeds where fronts arrive last: at most one for each label, away from the label's border.

    Parameters
    ----------
    fronts : Fronts
        A complete march.
    n_seeds : int
        Number of seeds wanted.
    margin : int
        Pixels this near to a border come second: they are taken only when no label has any other.
    within : ndarray of shape (K,), bool, optional
        The labels whose pixels may be taken; all by default.

    Returns
    -------
    ndarray of shape (k,), int64
        Padded indices of pixels that are no seeds, at most `n_seeds`, latest first; k is 0 only when every pixel is a
        seed already, or `within` leaves none.
    """
    slowness = fronts.slowness
    latest = np.empty(fronts.seeds.size + 1, np.int64)
    for keep_off in (margin, 0):
        _fields.find_latest(fronts.arrival, fronts.owner, slowness.strides, keep_off, latest)
        if within is not None:
            latest[1:][~within] = -1
        candidates = latest[latest >= 0]
        if candidates.size:
            order = np.argsort(-fronts.arrival[candidates], kind="stable")
            return candidates[order[:n_seeds]]
    return np.empty(0, np.int64)


def component_seeds(
    zones: npt.NDArray[np.integer[Any]] | None,
    mask: npt.NDArray[np.bool_] | None,
    shape: tuple[int, ...],
    seeds: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Return one more seed for each connected part that has none.

    Parameters
    ----------
    zones : ndarray of shape (M, N[, P]), integer, optional
        Barriers as in :func:`napari_superpixels.core.slowness.label_slowness`; zone 0 needs no seed.
    mask : ndarray of shape (M, N[, P]), bool, optional
        Pixels to segment.
    shape : tuple of int
        Shape of the image.
    seeds : ndarray of shape (K, ndim), int64
        Present seeds.

    Returns
    -------
    ndarray of shape (k, ndim), int64
        For each part without a seed, the pixel deepest inside it.
    """
    if zones is None and mask is None:
        return np.empty((0, len(shape)), np.int64)
    parts = np.ones(shape, np.int32) if zones is None else zones.astype(np.int32) + int(not np.any(zones))
    if mask is not None:
        parts = np.where(mask, parts, 0)
    components, n_components = connected_components(parts, background=0, return_num=True, connectivity=1)
    has_seed = np.zeros(n_components + 1, bool)
    has_seed[components[tuple(seeds.T)]] = True
    has_seed[0] = True
    empty = np.flatnonzero(~has_seed)
    boxes = ndimage.find_objects(components)
    found = np.empty((empty.size, len(shape)), np.int64)
    for row, component in enumerate(empty):
        box = boxes[component - 1]
        depth = ndimage.distance_transform_cdt(np.pad(components[box] == component, 1), metric="taxicab")
        position = np.unravel_index(int(depth.argmax()), depth.shape)
        found[row] = [int(p) - 1 + part.start for p, part in zip(position, box, strict=True)]
    return found


def _relative(spacing: tuple[float, ...]) -> tuple[float, ...]:
    """Return the spacing divided by its geometric mean, so that a cell's volume keeps its count of pixels."""
    mean = float(np.prod(spacing)) ** (1 / len(spacing))
    return tuple(h / mean for h in spacing)


def _grid(shape: tuple[int, ...], n_seeds: int, spacing: tuple[float, ...], hexagonal: bool) -> npt.NDArray[np.int64]:
    """Return exactly `n_seeds` different positions in raster order; `n_seeds` is at most the number of pixels."""
    extents = [n * h for n, h in zip(shape, spacing, strict=True)]
    cell = (float(np.prod(extents)) / n_seeds) ** (1 / len(shape))
    fewest_rows = -(-n_seeds // int(np.prod(shape[1:])))
    n_rows = min(max(1, round(extents[0] / cell), fewest_rows), shape[0], n_seeds)
    index = np.arange(n_rows)
    bounds = n_seeds * np.arange(n_rows + 1) // n_rows
    counts = np.diff(bounds)
    positions = ((index + 0.5) * shape[0] / n_rows).astype(np.int64)
    if len(shape) > 2:
        parts = [_grid(shape[1:], n, spacing[1:], hexagonal) for n in counts]
        return np.column_stack([np.repeat(positions, counts), np.concatenate(parts)])
    phases = np.where(index % 2 == 0, 0.25, 0.75) if hexagonal else np.full(n_rows, 0.5)
    in_row = np.arange(n_seeds) - np.repeat(bounds[:-1], counts)
    columns = (in_row + np.repeat(phases, counts)) * shape[1] / np.repeat(counts, counts)
    return np.column_stack([np.repeat(positions, counts), columns.astype(np.int64)])


def _masked_grid(
    allowed: npt.NDArray[np.bool_], n_seeds: int, spacing: tuple[float, ...], hexagonal: bool
) -> npt.NDArray[np.int64]:
    """Return at most `n_seeds` grid positions inside `allowed`."""
    box = ndimage.find_objects(allowed.astype(np.uint8))[0]
    inside = allowed[box]
    corner = np.array([part.start for part in box], np.int64)
    n_box = min(inside.size, round(n_seeds * inside.size / np.count_nonzero(inside)))
    while n_box >= 1:
        grid = _grid(inside.shape, n_box, spacing, hexagonal)
        seeds = grid[inside[tuple(grid.T)]]
        if len(seeds) <= n_seeds:
            return seeds + corner
        n_box = min(n_box - 1, n_box * n_seeds // len(seeds))
    return np.empty((0, allowed.ndim), np.int64)


def _move_to_lowest(
    seeds: npt.NDArray[np.int64],
    gradient: npt.NDArray[np.float32],
    radius: tuple[int, ...],
    allowed: npt.NDArray[np.bool_] | None,
) -> npt.NDArray[np.int64]:
    """Move each seed to the lowest gradient near it, the nearest among equals; seeds stay different."""
    offsets = np.stack(np.meshgrid(*[np.arange(-r, r + 1) for r in radius], indexing="ij"), -1).reshape(-1, len(radius))
    offsets = offsets[np.argsort((offsets**2).sum(axis=1), kind="stable")]
    near = np.clip(seeds[:, None, :] + offsets, 0, np.array(gradient.shape) - 1)
    index = tuple(np.moveaxis(near, -1, 0))
    height = gradient[index]
    if allowed is not None:
        height = np.where(allowed[index], height, np.inf)
    moved = near[np.arange(len(seeds)), height.argmin(axis=1)]
    start = np.ravel_multi_index(tuple(seeds.T), gradient.shape)
    end = np.ravel_multi_index(tuple(moved.T), gradient.shape)
    aims = np.bincount(end, minlength=gradient.size)
    is_start = np.zeros(gradient.size, bool)
    is_start[start] = True
    clash = (aims[end] > 1) | (is_start[end] & (end != start))
    return np.where(clash[:, None], seeds, moved)
