"""Superpixels: seeds, marches and refinement put together."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_superpixels.core import _fields, _kernels
from napari_superpixels.core.eikonal import Fronts, new_cancel_flag, solve
from napari_superpixels.core.parallel import in_bands
from napari_superpixels.core.seeds import component_seeds, late_seeds, place_seeds
from napari_superpixels.core.slowness import SlownessField, three_axes
from napari_superpixels.params import REFINE_ROUNDS, REFINE_START, SeedPlacement

_COARSE_CELL = 4.0
# On large images of nuclei with 400 superpixels each, 0.2 % of these then have one or two pixels instead of 4 %, and
# 1 - ASA is 0.0139 instead of 0.0165; on BSDS500 it stays as it was.
_TINY = 0.2
_MORE_ROUNDS = 2
# By the default law: a front more than ten times slower than in a flat zone of its own colour.
_FAR_COLOR = 10.0
# The search near a seed waits for memory as long as work on so many pixels takes.
_PIXELS_OF_A_SEARCH = 256


@dataclass(frozen=True, slots=True)
class Superpixels:
    """A partition of an image into superpixels."""

    labels: npt.NDArray[np.int32]
    """(M, N[, P]) label of each pixel, 1 to K; 0 only outside the mask. Every label is connected. Not contiguous."""
    arrival: npt.NDArray[np.float32]
    """(M, N[, P]) time at which the label's front arrived; infinite outside the mask."""
    seeds: npt.NDArray[np.int64]
    """(K, ndim) position of each label's seed, in the order of the labels."""


@dataclass(frozen=True, slots=True)
class SeedSet:
    """Seeds of all labels, and the reference feature of each."""

    indices: npt.NDArray[np.int64]
    """(K,) padded index of each seed."""
    references: npt.NDArray[np.float32]
    """(K + 1, C) references in units of the field's quantum; row 0 is unused."""

    def positions(self, slowness: SlownessField) -> npt.NDArray[np.int64]:
        """Return the seeds' positions in the image, (K, ndim)."""
        return np.stack(np.unravel_index(self.indices, slowness.padded_shape), axis=1) - 1


def grow_superpixels(
    slowness: SlownessField,
    n_segments: int,
    *,
    placement: SeedPlacement = "hexagonal",
    refine_start: float = REFINE_START,
    refine_rounds: int = REFINE_ROUNDS,
    n_threads: int | None = None,
    cancel: npt.NDArray[np.uint8] | None = None,
) -> Superpixels:
    """Partition an image into exactly `n_segments` connected superpixels.

    This is :func:`find_seeds`, then :func:`march_from`; their documentation gives the parameters.
    """
    seeds = find_seeds(
        slowness,
        n_segments,
        placement=placement,
        refine_start=refine_start,
        refine_rounds=refine_rounds,
        n_threads=n_threads,
        cancel=cancel,
    )
    return march_from(slowness, seeds, n_threads=n_threads, cancel=cancel)


def march_from(
    slowness: SlownessField,
    seeds: SeedSet,
    *,
    n_threads: int | None = None,
    cancel: npt.NDArray[np.uint8] | None = None,
    progress: Callable[[float], None] | None = None,
) -> Superpixels:
    """March all fronts from their seeds and return the partition.

    The parameters are those of :func:`napari_superpixels.core.eikonal.solve`.

    Raises
    ------
    CancelledError
        If cancelled.
    """
    fronts = solve(slowness, seeds.indices, seeds.references, n_threads=n_threads, cancel=cancel, progress=progress)
    return Superpixels(fronts.labels_image(), fronts.arrival_image(), seeds.positions(slowness))


def find_seeds(
    slowness: SlownessField,
    n_segments: int,
    *,
    placement: SeedPlacement = "hexagonal",
    refine_start: float = REFINE_START,
    refine_rounds: int = REFINE_ROUNDS,
    n_threads: int | None = None,
    cancel: npt.NDArray[np.uint8] | None = None,
    progress: Callable[[float], None] | None = None,
) -> SeedSet:
    """Find seeds for exactly `n_segments` superpixels.

    Seeds start on a grid; rounds of refinement add one to each of the regions that fronts reach last, and march again.
    Seeds whose regions stay tiny, as on a border of two colours, go where others are needed more. Then the references
    are set to the means of the regions. All this is done on an image so much coarser that
    superpixels stay four pixels wide: on BSDS500 that costs nothing in accuracy, and most of the time is then left to
    the final march.

    Parameters
    ----------
    slowness : SlownessField
        From :func:`napari_superpixels.core.slowness.label_slowness`.
    n_segments : int
        K, 1 to the number of pixels of the mask.
    placement : {"low-gradient", "hexagonal", "grid"}
        First placement of the seeds.
    refine_start : float
        Share of the seeds that start on the grid, above 0 and at most 1.
    refine_rounds : int
        Rounds that add the others; more are made when these do not suffice. 0 starts with all.
    n_threads : int, optional
        Threads; the result does not depend on their number.
    cancel : ndarray of shape (1,), uint8, optional
        See :func:`napari_superpixels.core.eikonal.new_cancel_flag`.
    progress : callable, optional
        Called with the share done, 0 to 1.

    Returns
    -------
    SeedSet
        K seeds. Parts of the image that a mask or barriers cut off get at least one each, so that K can become larger
        than asked for.

    Raises
    ------
    ValueError
        If `n_segments` does not fit the image.
    CancelledError
        If cancelled.
    """
    cancel = new_cancel_flag() if cancel is None else cancel
    n_open = _count_open(slowness)
    if not 1 <= n_segments <= n_open:
        raise ValueError(
            f"{n_segments} superpixels do not fit into {n_open} pixels; n_segments must be from 1 to {n_open}"
        )
    factor = _coarse_factor(slowness, n_segments)
    coarse = slowness if factor == 1 else _coarsened(slowness, factor)
    fronts = _refine(
        coarse, n_segments, placement, refine_start, refine_rounds, n_threads, cancel, progress or (lambda _: None)
    )
    references = _interior_means(fronts)
    if factor == 1:
        return SeedSet(fronts.seeds, references)
    seeds = _finer_seeds(coarse, slowness, factor, fronts.seeds, references)
    return SeedSet(seeds, _fitting_references(slowness, seeds, references))


def given_seeds(slowness: SlownessField, seeds: npt.NDArray[np.integer[Any]]) -> SeedSet:
    """Take seeds as the user gives them, label by label, and one more for each part of the image that has none.

    Parameters
    ----------
    slowness : SlownessField
        The slowness.
    seeds : ndarray of shape (K, ndim), integer
        Positions, all different, inside the image and the mask.

    Raises
    ------
    ValueError
        If the seeds do not fit the image.
    """
    indices = _checked_seeds(slowness, np.asarray(seeds))
    return SeedSet(indices, _smoothed_references(slowness, indices))


def _interior_means(fronts: Fronts) -> npt.NDArray[np.float32]:
    """Return the mean features of each label's inner pixels, (K + 1, C), as references for the next march.

    Pixels at a region's border mix the colours of two, above all on a coarse level; without them 1 - ASA on BSDS500 is
    0.0354 instead of 0.0363. A region without inner pixels takes all.
    """
    slowness = fronts.slowness
    sums = np.zeros((2, fronts.seeds.size + 1, slowness.n_channels))
    counts = np.zeros((2, fronts.seeds.size + 1), np.int64)
    _fields.sum_features(slowness.features, fronts.owner, slowness.strides, sums, counts)
    has_inner = counts[1] > 0
    total = np.where(has_inner[:, None], sums[1], sums[0])
    means = total / np.maximum(np.where(has_inner, counts[1], counts[0]), 1)[:, None]
    return means.astype(np.float32)


def _refine(
    slowness: SlownessField,
    n_segments: int,
    placement: SeedPlacement,
    refine_start: float,
    refine_rounds: int,
    n_threads: int | None,
    cancel: npt.NDArray[np.uint8],
    report: Callable[[float], None],
) -> Fronts:
    """Place seeds and add more where fronts arrive late, until there are `n_segments` of them."""
    shape = slowness.shape
    padded = slowness.padded_shape
    inner = (slice(1, -1),) * len(shape)
    mask = None if slowness.closed is None else ~slowness.closed.reshape(padded)[inner]
    zones = None if slowness.zones is None else slowness.zones.reshape(padded)[inner]
    allowed = mask
    if zones is not None and np.any(zones):
        allowed = (zones != 0) if mask is None else mask & (zones != 0)
    n_first = n_segments if refine_rounds == 0 else max(1, round(refine_start * n_segments))
    gradient = None if placement == "grid" else squared_gradient(slowness)
    positions = place_seeds(
        shape, n_first, placement=placement, gradient=gradient, allowed=allowed, spacing=slowness.spacing
    )
    positions = np.concatenate([positions, component_seeds(zones, mask, shape, positions)])
    chosen = np.ravel_multi_index(tuple((positions + 1).T), padded).astype(np.int64)
    references = _smoothed_references(slowness, chosen)
    fronts = solve(slowness, chosen, references, n_threads=n_threads, cancel=cancel)
    area = np.prod(shape) / n_segments
    margin = max(1, round(0.15 * area ** (1 / len(shape))))
    # A part that a mask or barriers cut off must not lose its only seed.
    n_replacing = refine_rounds + _MORE_ROUNDS if refine_rounds and mask is None and zones is None else 0
    done = 0
    while True:
        missing = n_segments - fronts.seeds.size
        stays = np.ones(fronts.seeds.size, np.bool_)
        if done < n_replacing:
            stays = _areas(fronts) >= _TINY * area
        if missing <= 0 and stays.all():
            return fronts
        report(min(done, refine_rounds) / (refine_rounds + 1))
        n_new = -(-max(missing, 0) // max(1, refine_rounds - done)) + int(np.count_nonzero(~stays))
        new = late_seeds(fronts, n_new, margin=margin, within=stays)
        chosen = np.concatenate([chosen[stays], new])
        references = np.concatenate([references[:1], references[1:][stays], _smoothed_references(slowness, new)[1:]])
        fronts = solve(slowness, chosen, references, n_threads=n_threads, cancel=cancel)
        done += 1


def _areas(fronts: Fronts) -> npt.NDArray[np.int64]:
    """Return the number of pixels of each label, (K,)."""
    owned = fronts.owner[(fronts.owner > 0) & (fronts.owner != _kernels.OUTSIDE)]
    return np.bincount(owned, minlength=fronts.seeds.size + 1)[1:]


def _count_open(slowness: SlownessField) -> int:
    if slowness.closed is None:
        return int(np.prod(slowness.shape))
    return int(slowness.closed.size - np.count_nonzero(slowness.closed))


def _checked_seeds(slowness: SlownessField, seeds: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return padded indices of user-given seeds, and of one more for each part that has none."""
    shape = slowness.shape
    if seeds.ndim != 2 or seeds.shape[1] != len(shape) or seeds.shape[0] == 0:
        raise ValueError(f"seeds must have shape (K, {len(shape)}) with K at least 1; received shape {seeds.shape}")
    seeds = seeds.astype(np.int64)
    if np.any(seeds < 0) or np.any(seeds >= shape):
        first = seeds[np.any((seeds < 0) | (seeds >= shape), axis=1)][0]
        raise ValueError(f"seeds must lie inside the image of shape {shape}; received {tuple(first.tolist())}")
    index = np.ravel_multi_index(tuple((seeds + 1).T), slowness.padded_shape).astype(np.int64)
    if np.unique(index).size < index.size:
        raise ValueError("seeds must be different pixels; remove the seeds that share a pixel with another")
    if slowness.closed is not None and np.any(slowness.closed[index]):
        raise ValueError("seeds must lie inside the mask; move or remove the seeds outside it")
    padded = slowness.padded_shape
    inner = (slice(1, -1),) * len(shape)
    mask = None if slowness.closed is None else ~slowness.closed.reshape(padded)[inner]
    zones = None if slowness.zones is None else slowness.zones.reshape(padded)[inner]
    more = component_seeds(zones, mask, shape, seeds)
    return np.concatenate([index, np.ravel_multi_index(tuple((more + 1).T), padded)])


def _fitting_references(
    slowness: SlownessField, seeds: npt.NDArray[np.int64], references: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return references, replaced by the colour around the seed where they are far from it.

    A region that is few pixels wide on the coarse level mixes the colours on both sides of a border. With its mean,
    which is like neither, its front would not leave the seed: superpixels of one pixel.
    """
    at_seeds = slowness.features[seeds, : slowness.n_channels].astype(np.float32)  # (K, C)
    distance2 = np.square(at_seeds - references[1:]).sum(axis=1)
    is_far = slowness.weights[0] * distance2 > _FAR_COLOR
    fitting = references.copy()
    fitting[1:][is_far] = _smoothed_references(slowness, seeds[is_far])[1:]
    return fitting


def _smoothed_references(slowness: SlownessField, seeds: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Return, as references, the features averaged over each seed's 3 x 3 [x 3] pixels (those not closed)."""
    references = np.zeros((seeds.size + 1, slowness.n_channels), np.float32)
    shape = three_axes(slowness.padded_shape)
    _fields.mean_around(slowness.features, shape, slowness.closed, slowness.zones, seeds, references[1:])
    return references


def squared_gradient(slowness: SlownessField) -> npt.NDArray[np.float32]:
    """Return |grad F|^2 in squared quanta per pixel, by central differences, in the shape of the image."""
    gradient = np.zeros(slowness.padded_shape, np.float32)
    shape = three_axes(slowness.padded_shape)
    _fields.squared_differences(slowness.features, shape, gradient.ravel(), (0,) * slowness.n_channels)
    return gradient[(slice(1, -1),) * gradient.ndim]


def _coarse_factor(slowness: SlownessField, n_segments: int) -> int:
    """Return by how much the field can be reduced while superpixels stay wide enough to place seeds well."""
    if slowness.zones is not None or slowness.closed is not None or slowness.law == _kernels.FIELD:
        return 1
    cell = float((np.prod(slowness.shape) / n_segments) ** (1 / len(slowness.shape)))
    return max(1, min(int(cell / _COARSE_CELL), *slowness.shape))


def _coarsened(slowness: SlownessField, factor: int) -> SlownessField:
    """Return the field at a resolution reduced by `factor`; arrival times keep their unit."""
    shape = tuple(-(-n // factor) for n in slowness.shape)
    padded = tuple(n + 2 for n in shape)
    features = np.zeros((int(np.prod(padded)), slowness.features.shape[1]), np.int16)
    channels = (0,) * features.shape[1]
    fine, coarse = three_axes(slowness.padded_shape), three_axes(padded)

    def coarsen(first: int, last: int) -> None:
        _fields.coarsen(slowness.features, fine, features, coarse, factor, channels, first, last)

    in_bands(coarsen, shape[-2], int(np.prod(slowness.shape)) // shape[-2])
    inverse_h2 = tuple(np.float32(w / factor**2) for w in slowness.inverse_h2)
    return replace(slowness, shape=shape, features=features, inverse_h2=inverse_h2)


def _finer_seeds(
    coarse: SlownessField,
    fine: SlownessField,
    factor: int,
    seeds: npt.NDArray[np.int64],
    references: npt.NDArray[np.float32],
) -> npt.NDArray[np.int64]:
    """Return for each seed the finer pixel inside its pixel that is most like the label's reference."""
    found = np.empty(seeds.size, np.int64)
    shape, coarse_shape = three_axes(fine.padded_shape), three_axes(coarse.padded_shape)

    def find(first: int, last: int) -> None:
        part = slice(first, last)
        _fields.find_most_alike(
            fine.features, shape, coarse_shape, factor, seeds[part], references[1:][part], found[part]
        )

    in_bands(find, seeds.size, _PIXELS_OF_A_SEARCH)
    return found
