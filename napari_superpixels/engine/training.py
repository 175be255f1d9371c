"""Training sets: images with ground truth become images with superpixel targets, and a network learns from them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from skimage.color import rgb2lab
from skimage.segmentation import find_boundaries

from napari_superpixels.core.slowness import label_slowness
from napari_superpixels.core.superpixels import grow_superpixels
from napari_superpixels.nets.train import TrainSample


class TargetConfig(BaseModel):
    """How ground truth becomes superpixel targets; immutable, and written into the model file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    n_segments: int = Field(100, ge=1)
    """Superpixels per image and annotator; more where the ground truth has more connected parts."""
    color_weight: float = Field(0.1, ge=0)
    """Colour weight of the quadratic slowness law."""
    refine_start: float = Field(0.6, gt=0, le=1)
    """Share of the superpixels that start on an even grid."""
    refine_rounds: int = Field(4, ge=0)
    """Rounds that add the others."""


def make_sample(
    image: NDArray[np.uint8], ground_truths: Sequence[NDArray[np.integer[Any]]], config: TargetConfig | None = None
) -> TrainSample:
    """Grow superpixels that no annotator's borders cross, and fill them with the image's mean colour.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    ground_truths : sequence of ndarray of shape (H, W), integer
        One label map per annotator; at least one.
    config : TargetConfig, optional
        How the superpixels are grown.

    Returns
    -------
    TrainSample
        One target per annotator, and the share of annotators who drew a border at each pixel.

    Raises
    ------
    ValueError
        If there is no ground truth or one has another shape than the image.
    """
    config = config or TargetConfig()
    if not ground_truths:
        raise ValueError("a target needs at least one ground truth, received none")
    for ground_truth in ground_truths:
        if ground_truth.shape != image.shape[:2]:
            raise ValueError(f"ground truth of shape {ground_truth.shape} does not fit an image of {image.shape[:2]}")
    features = rgb2lab(image).astype(np.float32)  # (H, W, 3)
    labels = tuple(_grow(features, ground_truth, config) for ground_truth in ground_truths)
    colors = tuple(_mean_colors(image, target) for target in labels)
    votes = sum(find_boundaries(ground_truth, mode="thick").astype(np.float32) for ground_truth in ground_truths)
    boundary = np.round(votes * (255.0 / len(ground_truths))).astype(np.uint8)
    return TrainSample(image, labels, colors, boundary)


def _grow(
    features: NDArray[np.float32], ground_truth: NDArray[np.integer[Any]], config: TargetConfig
) -> NDArray[np.integer[Any]]:
    """Return superpixels (H, W) inside the ground truth's regions, in the smallest integer type."""
    zones = ground_truth.astype(np.int32) - (int(ground_truth.min()) - 1)  # zone 0 would be a barrier
    slowness = label_slowness(features, "quadratic", color_weight=config.color_weight, zones=zones)
    grown = grow_superpixels(
        slowness, config.n_segments, refine_start=config.refine_start, refine_rounds=config.refine_rounds
    )
    return grown.labels.astype(np.min_scalar_type(int(grown.labels.max())))


def _mean_colors(image: NDArray[np.uint8], labels: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
    """Return the mean colour of each label in [0, 1], shape (labels + 1, 3)."""
    flat = labels.ravel()
    counts = np.maximum(np.bincount(flat), 1)
    sums = np.stack([np.bincount(flat, image[..., channel].ravel()) for channel in range(3)], axis=1)
    return (sums / (255.0 * counts[:, None])).astype(np.float32)
