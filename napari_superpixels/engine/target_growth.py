"""Growth of superpixel targets: eikonal superpixels that no border of the ground truth crosses."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from skimage.segmentation import find_boundaries

from napari_superpixels.core.features import pixel_features
from napari_superpixels.core.image import unit_image
from napari_superpixels.core.slowness import label_slowness
from napari_superpixels.core.superpixels import grow_superpixels
from napari_superpixels.data.target_files import Targets
from napari_superpixels.nets.samples import known_boundaries


class SuperpixelNumber(BaseModel):
    """How many superpixels an image gets; immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    n_segments: int = Field(400, ge=1)
    """Superpixels of an image; a target has more where its ground truth has more connected parts."""
    superpixel_size: float | None = Field(None, ge=1)
    """Average area of a superpixel in pixels; where given, it sets the number by the size of each image."""

    def n_wanted(self, n_pixels: int) -> int:
        """Return the number of superpixels asked for in an image of `n_pixels`."""
        wanted = self.n_segments if self.superpixel_size is None else round(n_pixels / self.superpixel_size)
        return min(max(1, wanted), n_pixels)


class TargetConfig(SuperpixelNumber):
    """How ground truth becomes superpixel targets; immutable, and written into the model file."""

    color_weight: float = Field(0.1, ge=0)
    """Colour weight of the quadratic slowness law."""
    refine_start: float = Field(0.6, gt=0, le=1)
    """Share of the superpixels that start on an even grid."""
    refine_rounds: int = Field(4, ge=0)
    """Rounds that add the others."""


def grow_targets(
    pixels: NDArray[Any],
    ground_truths: Sequence[NDArray[np.integer[Any]]],
    config: TargetConfig | None = None,
    *,
    channel_axis: int | None = None,
    rgb: bool | None = None,
    annotated: NDArray[np.bool_] | None = None,
    n_threads: int | None = None,
    cancel: NDArray[np.uint8] | None = None,
) -> tuple[NDArray[np.uint8], Targets]:
    """Grow superpixels that no annotator's borders cross, and find the image's mean colour in each.

    Parameters
    ----------
    pixels : ndarray of shape (M, N), (M, N, 3) or (M, N, 4), or (M, N) with channels along `channel_axis`
        The image, as :func:`napari_superpixels.core.image.unit_image` takes it.
    ground_truths : sequence of ndarray of shape (M, N), integer
        One label image for each annotator; at least one. Every value is a segment, 0 too.
    config : TargetConfig, optional
        How the superpixels are grown.
    channel_axis : int, optional
        Axis of the channels of a multi-channel image.
    rgb : bool, optional
        Whether the last axis holds RGB(A); guessed from the shape by default.
    annotated : ndarray of shape (M, N), bool, optional
        Where the ground truths hold, at least somewhere; everywhere by default. The rest is one more segment of each,
        and there is no boundary where it is not known whether there is one.
    n_threads : int, optional
        Threads; the result does not depend on their number.
    cancel : ndarray of shape (1,), uint8, optional
        See :func:`napari_superpixels.core.eikonal.new_cancel_flag`.

    Returns
    -------
    image : ndarray of shape (M, N, 3), uint8
        The image as a network sees it, times 255.
    targets : Targets
        Superpixels and mean colours for each annotator. Their number is that of the configuration, or larger where a
        ground truth has more connected parts, because each part gets a superpixel.

    Raises
    ------
    ValueError
        If there is no ground truth or one has another shape than the image.
    ImageError
        If the image cannot be segmented.
    CancelledError
        If cancelled.
    """
    config = config or TargetConfig()
    if not ground_truths:
        raise ValueError("a target needs at least one ground truth, received none")
    unit = unit_image(pixels, channel_axis=channel_axis, rgb=rgb)
    shape = unit.pixels.shape[:-1]
    for truth in ground_truths:
        if truth.shape != shape:
            raise ValueError(f"ground truth of shape {truth.shape} does not fit an image of {shape}")
    if len(shape) != 2:
        raise ValueError(f"targets are made of single planes, received an image of {shape}")
    if annotated is not None:
        lowest = [int(truth[annotated].min()) for truth in ground_truths]
        ground_truths = [
            np.where(annotated, truth.astype(np.int64), low - 1)
            for truth, low in zip(ground_truths, lowest, strict=True)
        ]
    image = np.round(unit.pixels * 255).astype(np.uint8)  # (M, N, 3)
    features = pixel_features(unit.pixels, None, 0.0, unit.kind)  # (M, N, C)
    labels, colors, regions = [], [], []
    votes = np.zeros(shape, np.float32)
    for truth in ground_truths:
        labels.append(_grow(features, truth, config, n_threads, cancel))
        colors.append(_mean_colors(image, labels[-1]))
        regions.append(np.zeros(len(colors[-1]), np.int32))
        regions[-1][labels[-1]] = truth
        votes += find_boundaries(truth, mode="thick")
    boundary = np.round(votes * (255.0 / len(ground_truths))).astype(np.uint8)
    if annotated is not None:
        boundary[~known_boundaries(annotated)] = 0
    return image, Targets(tuple(labels), tuple(colors), tuple(regions), boundary)


def _grow(
    features: NDArray[np.float32],
    truth: NDArray[np.integer[Any]],
    config: TargetConfig,
    n_threads: int | None,
    cancel: NDArray[np.uint8] | None,
) -> NDArray[np.unsignedinteger[Any]]:
    """Return superpixels (M, N) inside the ground truth's segments, in the smallest integer type."""
    zones = (truth.astype(np.int64) - (int(truth.min()) - 1)).astype(np.int32)  # zone 0 would be a barrier
    slowness = label_slowness(features, "quadratic", color_weight=config.color_weight, zones=zones)
    grown = grow_superpixels(
        slowness,
        config.n_wanted(truth.size),
        refine_start=config.refine_start,
        refine_rounds=config.refine_rounds,
        n_threads=n_threads,
        cancel=cancel,
    )
    return grown.labels.astype(np.min_scalar_type(int(grown.labels.max())))


def _mean_colors(image: NDArray[np.uint8], labels: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
    """Return the mean colour of each label in [0, 1], shape (labels + 1, 3)."""
    flat = labels.ravel()
    counts = np.maximum(np.bincount(flat), 1)
    sums = np.stack([np.bincount(flat, image[..., channel].ravel()) for channel in range(3)], axis=1)
    return (sums / (255.0 * counts[:, None])).astype(np.float32)
