"""How well superpixels follow objects, and how regular they are: the usual measures, each with one stated convention.

S_k are the superpixels, G_i the segments of one annotator, N the number of pixels, |A| the number of pixels of A. A
boundary pixel has a 4- (6-) neighbour of another label: boundaries are two pixels thick.

References
----------
.. [1] Martin, Fowlkes & Malik, "Learning to detect natural image boundaries using local brightness, color, and texture
   cues", TPAMI 26(5), 2004, doi:10.1109/TPAMI.2004.1273918.
.. [2] Van den Bergh et al., "SEEDS: superpixels extracted via energy-driven sampling", ECCV 2012,
   doi:10.1007/978-3-642-33786-4_2.
.. [3] Neubert & Protzel, "Superpixel benchmark and comparison", Forum Bildverarbeitung, 2012.
.. [4] Liu et al., "Entropy rate superpixel segmentation", CVPR 2011, doi:10.1109/CVPR.2011.5995323.
.. [5] Moore et al., "Superpixel lattices", CVPR 2008, doi:10.1109/CVPR.2008.4587471.
.. [6] Schick, Fischer & Stiefelhagen, "An evaluation of the compactness of superpixels", Pattern Recognition Letters
   43, 2014, doi:10.1016/j.patrec.2013.09.013.
.. [7] Dumont & Figliuzzi, "Image segmentation by superpixels".
.. [8] Machairas et al., "Waterpixels", IEEE TIP 24(11), 2015, doi:10.1109/TIP.2015.2451011.
.. [9] Giraud, Ta & Papadakis, "Evaluation framework of superpixel methods with a global regularity measure", Journal of
   Electronic Imaging 26(6), 2017, doi:10.1117/1.JEI.26.6.061603.
.. [10] Stutz, Hermans & Leibe, "Superpixels: an evaluation of the state of the art", CVIU 166, 2018,
   doi:10.1016/j.cviu.2017.03.007.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from napari_superpixels.core import _metric_kernels as kernels
from napari_superpixels.core.parallel import n_processors, worker_pool
from napari_superpixels.core.partition import Partition, in_small_range, partition
from napari_superpixels.core.regularity import Shapes, measure_shapes


@dataclass(frozen=True, slots=True)
class Metrics:
    """Measures of one superpixel image; numbers in [] are the references of this module.

    Those against ground truth are means over annotators, or the worst of them. Shares lie in [0, 1].
    """

    n_superpixels: int
    """Number of labels that occur, 0 too: K."""
    n_components: int
    """Number of 4- (6-) connected pieces; equal to `n_superpixels` when every superpixel is connected."""
    n_split: int
    """Number of labels that consist of more than one piece."""
    boundary_recall: float
    """BR [1]: share of ground-truth boundary pixels with a superpixel boundary pixel within the tolerance."""
    worst_boundary_recall: float
    """BR against the annotator where it is lowest."""
    boundary_precision: float
    """BP [1]: share of superpixel boundary pixels with a ground-truth boundary pixel within the tolerance."""
    worst_boundary_precision: float
    """BP against the annotator where it is lowest."""
    undersegmentation_error: float
    """UE [2]: sum over k of |S_k| - max over i of |S_k and G_i|, divided by N; equal to 1 - ASA."""
    worst_undersegmentation_error: float
    """UE against the annotator where it is highest."""
    undersegmentation_error_np: float
    """UE_NP [3]: sum over i, k of min(|S_k and G_i|, |S_k without G_i|), divided by N; at most 2 UE."""
    worst_undersegmentation_error_np: float
    """UE_NP against the annotator where it is highest."""
    achievable_segmentation_accuracy: float
    """ASA [4]: share of pixels that are right when each superpixel takes its most frequent ground-truth label."""
    worst_achievable_segmentation_accuracy: float
    """ASA against the annotator where it is lowest."""
    explained_variation: float | None
    """EV [5]: variance of the image between superpixels / variance, channels pooled; None without an image."""
    compactness: float
    """CO [6]: mean over pixels of 4 pi |S| / P^2, P in pixel edges, at most pi / 4. nan for volumes."""
    compactness_px: float
    """CO with P counted in boundary pixels, as [7] does; can exceed 1. nan for volumes."""
    contour_density: float
    """CD [8]: share of pixels that are boundary pixels. BR is bought with it."""
    shape_regularity: float
    """SRC [9]: mean over pixels of convexity, |S| P(H) / (|H| P(S)) with the convex hull H, times balance,
    sqrt(min(s_x, s_y) / max(s_x, s_y)) with the standard deviations s of the pixels' positions. nan for volumes."""
    smooth_matching: float
    """SMF [9]: mean over pixels of the share that a superpixel has in common with the average of all, each of area 1
    and laid centre on centre. nan for volumes."""
    global_regularity: float
    """GR [9]: SRC times SMF. nan for volumes."""
    size_spread: float
    """Standard deviation of |S_k| / their mean: 0 for superpixels of one size."""


def evaluate(
    labels: npt.NDArray[np.integer[Any]],
    ground_truths: npt.NDArray[np.integer[Any]] | Sequence[npt.NDArray[np.integer[Any]]],
    image: npt.NDArray[Any] | None = None,
    tolerance: int = 2,
    *,
    annotated: npt.NDArray[np.bool_] | None = None,
) -> Metrics:
    """Measure superpixels against ground truth.

    Parameters
    ----------
    labels : ndarray of shape (M, N) or (P, M, N), integer, not negative
        Superpixels; every value is one, 0 too.
    ground_truths : ndarray of the labels' shape, integer, not negative, or sequence of such
        One label image for each annotator; every value is a segment, 0 too.
    image : ndarray of the labels' shape, or with channels as one more axis, optional
        The image as it was, for explained variation: bool, integer or float, finite.
    tolerance : int
        Distance in pixels within which boundaries match, in the maximum norm: a window of (2 tolerance + 1)^ndim.
    annotated : ndarray of the labels' shape, bool, optional
        Where the ground truths hold; everywhere by default. Elsewhere, measures against ground truth count nothing, and
        N is the number of annotated pixels. A ground-truth boundary counts where its pixel and all 4 (6)
        neighbours are annotated, a superpixel's where that holds as far as the tolerance reaches.

    Returns
    -------
    Metrics
        The measures.

    Raises
    ------
    ValueError
        If shapes differ, a label is negative, there is no ground truth, no pixel is annotated, the image is not finite,
        or the tolerance is negative.
    TypeError
        If labels are not integers, or the tolerance is not.

    Notes
    -----
    The conventions differ between papers and change the figures more than methods do: see [10]_. There the tolerance is
    1 for images of 481 x 321, and the headline figures are those of the worst annotator.

    Perimeters in the shape regularity are Crofton's, from the crossings of lines in four directions, for superpixel and
    hull alike; |H| counts the pixels in the hull of pixel centres. The convexity of a digital shape without dents is
    then exactly 1. Centres are rounded to pixels, as in [9]_; where one lies just between two pixels, mirroring the
    image can change SMF slightly.

    The result does not depend on the number of threads.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_superpixels import evaluate
    >>> halves = np.repeat([[1, 1, 2, 2]], 4, axis=0)
    >>> evaluate(halves, halves).achievable_segmentation_accuracy
    1.0
    """
    truths = [ground_truths] if isinstance(ground_truths, np.ndarray) else list(ground_truths)
    _check(labels, truths, image, tolerance)
    _check_annotated(labels, annotated)
    parts = partition(labels)
    boundary = boundary_pixels(parts.labels)
    near_boundary = _dilate(boundary, tolerance)
    known = parts if annotated is None else partition(labels[annotated][np.newaxis])
    inside = None if annotated is None else annotated & ~boundary_pixels(annotated.view(np.uint8))
    near_inside = None if inside is None else ~_dilate(~inside, tolerance)

    def compare(truth: npt.NDArray[np.integer[Any]]) -> _Comparison:
        if annotated is not None:
            truth = np.where(annotated, truth, truth[annotated][0])
        truth, highest = in_small_range(truth, "ground truth")
        truth_boundary = boundary_pixels(truth)
        recall = _share(near_boundary, truth_boundary, inside)
        precision = _share(_dilate(truth_boundary, tolerance), boundary, near_inside)
        segments = truth.ravel() if annotated is None else truth[annotated]
        lost, contested = kernels.overlaps(known.order, known.start, 0, known.n_superpixels, segments, highest + 1)
        return _Comparison(recall, precision, lost / segments.size, contested / segments.size)

    # One thread for each annotator; what they call must not wait for those threads again.
    compared = list(worker_pool(n_processors()).map(compare, truths) if len(truths) > 1 else map(compare, truths))
    pieces = _count_pieces(parts)
    shapes = measure_shapes(parts) if labels.ndim == 2 else Shapes.undefined()
    means = _Comparison(*(float(np.mean(values)) for values in zip(*compared, strict=True)))
    return Metrics(
        n_superpixels=parts.n_superpixels,
        n_components=int(pieces.sum()),
        n_split=int(np.count_nonzero(pieces > 1)),
        boundary_recall=means.recall,
        worst_boundary_recall=min(c.recall for c in compared),
        boundary_precision=means.precision,
        worst_boundary_precision=min(c.precision for c in compared),
        undersegmentation_error=means.error,
        worst_undersegmentation_error=max(c.error for c in compared),
        undersegmentation_error_np=means.error_np,
        worst_undersegmentation_error_np=max(c.error_np for c in compared),
        achievable_segmentation_accuracy=1.0 - means.error,
        worst_achievable_segmentation_accuracy=1.0 - max(c.error for c in compared),
        explained_variation=None if image is None else _explained_variation(parts, image),
        compactness=shapes.compactness,
        compactness_px=shapes.compactness_px,
        contour_density=float(np.count_nonzero(boundary) / boundary.size),
        shape_regularity=shapes.shape_regularity,
        smooth_matching=shapes.smooth_matching,
        global_regularity=shapes.shape_regularity * shapes.smooth_matching,
        size_spread=float(parts.sizes.std() / parts.sizes.mean()),
    )


def boundary_pixels(labels: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.bool_]:
    """Return where a pixel has a 4- (6-) neighbour of another label: boundaries two pixels thick."""
    boundary = np.zeros(labels.shape, bool)
    for axis in range(labels.ndim):
        lead = (slice(None),) * axis
        differs = labels[(*lead, slice(1, None))] != labels[(*lead, slice(None, -1))]
        boundary[(*lead, slice(1, None))] |= differs
        boundary[(*lead, slice(None, -1))] |= differs
    return boundary


class _Comparison(NamedTuple):
    """What one annotator's ground truth tells."""

    recall: float
    precision: float
    error: float
    error_np: float


def _check(labels: Any, truths: list[Any], image: Any, tolerance: int) -> None:
    if not truths:
        raise ValueError("at least one ground truth is needed; received none")
    for what, array in [("labels", labels), *(("a ground truth", truth) for truth in truths)]:
        if not isinstance(array, np.ndarray) or not np.issubdtype(array.dtype, np.integer):
            kind = getattr(array, "dtype", type(array).__name__)
            raise TypeError(f"labels and ground truths must be integer arrays; received {what} of {kind}")
    if labels.size == 0 or labels.ndim not in (2, 3):
        raise ValueError(f"labels must hold pixels in 2 or 3 dimensions; received shape {labels.shape}")
    for truth in truths:
        if truth.shape != labels.shape:
            raise ValueError(f"ground truth has shape {truth.shape}, labels have {labels.shape}; they must be equal")
    if image is not None and (image.shape[: labels.ndim] != labels.shape or image.ndim > labels.ndim + 1):
        raise ValueError(
            f"image has shape {image.shape}; expected that of the labels, {labels.shape}, or one axis of channels more"
        )
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | np.integer):
        raise TypeError(f"tolerance must be a whole number of pixels; received {tolerance!r}")
    if tolerance < 0:
        raise ValueError(f"tolerance must not be negative; received {tolerance}")


def _check_annotated(labels: npt.NDArray[Any], annotated: Any) -> None:
    if annotated is None:
        return
    if not isinstance(annotated, np.ndarray) or annotated.dtype != bool or annotated.shape != labels.shape:
        received = f"{getattr(annotated, 'dtype', type(annotated).__name__)} of shape {np.shape(annotated)}"
        raise ValueError(f"annotated must be bool of the labels' shape, {labels.shape}; received {received}")
    if not annotated.any():
        raise ValueError("annotated is False everywhere; there is nothing to compare with")


def _dilate(boundary: npt.NDArray[np.bool_], tolerance: int) -> npt.NDArray[np.bool_]:
    """Return where a boundary pixel lies within `tolerance` along every axis."""
    grown = boundary
    for axis in range(boundary.ndim):
        reach = 0
        while reach < tolerance:
            step = min(2 * reach + 1, tolerance - reach)
            grown = grown | _shifted(grown, axis, step) | _shifted(grown, axis, -step)
            reach += step
    return grown


def _shifted(mask: npt.NDArray[np.bool_], axis: int, step: int) -> npt.NDArray[np.bool_]:
    moved = np.zeros_like(mask)
    to, since = slice(max(step, 0), min(step, 0) or None), slice(max(-step, 0), min(-step, 0) or None)
    lead = (slice(None),) * axis
    moved[(*lead, to)] = mask[(*lead, since)]
    return moved


def _share(hit: npt.NDArray[np.bool_], wanted: npt.NDArray[np.bool_], known: npt.NDArray[np.bool_] | None) -> float:
    """Return the share of `wanted` pixels, of those `known`, that are `hit`; 1 when there is none."""
    wanted = wanted if known is None else wanted & known
    n_wanted = np.count_nonzero(wanted)
    return 1.0 if n_wanted == 0 else float(np.count_nonzero(hit & wanted) / n_wanted)


def _count_pieces(parts: Partition) -> npt.NDArray[np.int64]:
    """Return the number of connected pieces of each superpixel."""
    pieces = np.zeros(parts.n_superpixels, np.int64)
    volume = parts.labels if parts.labels.ndim == 3 else parts.labels[np.newaxis]
    kernels.count_pieces(volume, np.empty_like(parts.order), pieces)
    return pieces


def _explained_variation(parts: Partition, image: npt.NDArray[Any]) -> float:
    """Return the between-superpixel share of the image's variance, channels pooled; 1 for a constant image."""
    values = np.ascontiguousarray(image.reshape(parts.labels.size, -1))
    if values.dtype.name not in ("uint8", "uint16", "float32", "float64"):
        values = values.astype(np.float64)
    sums = np.zeros((parts.n_superpixels, values.shape[1]))
    parts.in_bands(lambda first, last: kernels.add_values(parts.order, parts.start, first, last, values, sums))
    mean = sums.sum(axis=0) / parts.labels.size
    if not np.isfinite(mean).all():
        raise ValueError("the image holds NaN or infinite values; replace them, or leave the image out")
    squares = np.empty(parts.n_superpixels)
    parts.in_bands(
        lambda first, last: kernels.add_deviations(parts.order, parts.start, first, last, values, mean, squares)
    )
    total = float(squares.sum())
    if total == 0:
        return 1.0
    between = float((((sums - parts.sizes[:, None] * mean) ** 2).sum(axis=1) / parts.sizes).sum())
    return min(between / total, 1.0)
