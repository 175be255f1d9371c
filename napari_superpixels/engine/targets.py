"""Superpixel targets: what a network learns to make of an image, from the image and its ground truth."""

import hashlib
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from skimage.color import rgb2lab
from skimage.segmentation import find_boundaries

from napari_superpixels import __version__
from napari_superpixels.core.slowness import label_slowness
from napari_superpixels.core.superpixels import grow_superpixels
from napari_superpixels.data.bsds import list_bsds, read_bsds
from napari_superpixels.errors import ReadError, WriteError
from napari_superpixels.nets.train import TrainSample


class TargetConfig(BaseModel):
    """How ground truth becomes superpixel targets; immutable, and written into the model file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    n_segments: int = Field(400, ge=1)
    """Superpixels per image and annotator; more where the ground truth has more connected parts."""
    color_weight: float = Field(0.1, ge=0)
    """Colour weight of the quadratic slowness law."""
    refine_start: float = Field(0.6, gt=0, le=1)
    """Share of the superpixels that start on an even grid."""
    refine_rounds: int = Field(4, ge=0)
    """Rounds that add the others."""


def load_bsds_samples(
    bsds: str | Path,
    split: str,
    config: TargetConfig | None = None,
    *,
    cache: str | Path | None = None,
    on_sample: Callable[[int, int], None] | None = None,
) -> list[TrainSample]:
    """Read a split of BSDS500 and grow its targets, or take them from the cache.

    Parameters
    ----------
    bsds : str or pathlib.Path
        Folder of the data set.
    split : str
        ``"train"`` or ``"val"``.
    config : TargetConfig, optional
        How the targets are grown.
    cache : str or pathlib.Path, optional
        Folder of cached targets; made if missing.
    on_sample : callable, optional
        Called with the number of images that are ready and their total.

    Returns
    -------
    list of TrainSample
        In the order of the images' names.

    Raises
    ------
    ReadError
        If the data set or a cached target cannot be read.
    WriteError
        If a target cannot be written.
    """
    config = config or TargetConfig()
    names = list_bsds(bsds, split)
    samples = []
    for name in names:
        sample = read_bsds(bsds, split, name)
        path = None if cache is None else Path(cache) / f"bsds-{_digest(config)}" / split / f"{name}.npz"
        if path is not None and path.is_file():
            samples.append(_read_targets(path, sample.image))
        else:
            samples.append(make_sample(sample.image, sample.ground_truths, config))
            if path is not None:
                _write_targets(path, samples[-1])
        if on_sample is not None:
            on_sample(len(samples), len(names))
    return samples


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
    votes = np.zeros(image.shape[:2], np.float32)
    for ground_truth in ground_truths:
        votes += find_boundaries(ground_truth, mode="thick")
    boundary = np.round(votes * (255.0 / len(ground_truths))).astype(np.uint8)
    return TrainSample(image, labels, colors, boundary)


def _grow(
    features: NDArray[np.float32], ground_truth: NDArray[np.integer[Any]], config: TargetConfig
) -> NDArray[np.integer[Any]]:
    """Return superpixels (H, W) inside the ground truth's regions, in the smallest integer type."""
    zones = ground_truth.astype(np.int32) - (int(ground_truth.min()) - 1)  # zone 0 would be a barrier
    slowness = label_slowness(features, "quadratic", color_weight=config.color_weight, zones=zones)
    grown = grow_superpixels(
        slowness,
        min(config.n_segments, ground_truth.size),
        refine_start=config.refine_start,
        refine_rounds=config.refine_rounds,
    )
    return grown.labels.astype(np.min_scalar_type(int(grown.labels.max())))


def _mean_colors(image: NDArray[np.uint8], labels: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
    """Return the mean colour of each label in [0, 1], shape (labels + 1, 3)."""
    flat = labels.ravel()
    counts = np.maximum(np.bincount(flat), 1)
    sums = np.stack([np.bincount(flat, image[..., channel].ravel()) for channel in range(3)], axis=1)
    return (sums / (255.0 * counts[:, None])).astype(np.float32)


def _digest(config: TargetConfig) -> str:
    """Return a short name of everything that a target depends on beside its image."""
    return hashlib.sha256(f"{__version__} {config.model_dump_json()}".encode()).hexdigest()[:12]


def _write_targets(path: Path, sample: TrainSample) -> None:
    arrays: dict[str, NDArray[Any]] = {"boundary": sample.boundary}
    for i, (labels, colors) in enumerate(zip(sample.labels, sample.colors, strict=True)):
        arrays |= {f"labels{i}": labels, f"colors{i}": colors}
    part = path.with_name(f".{path.stem}.part.npz")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            np.savez_compressed(part, allow_pickle=False, **arrays)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(f"The target cannot be written to {path}: {error.strerror or error}.") from error


def _read_targets(path: Path, image: NDArray[np.uint8]) -> TrainSample:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            count = (len(arrays.files) - 1) // 2
            labels = tuple(arrays[f"labels{i}"] for i in range(count))
            colors = tuple(arrays[f"colors{i}"] for i in range(count))
            sample = TrainSample(image, labels, colors, arrays["boundary"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ReadError(f"The cached target {path} is damaged ({error}); delete it.") from error
    if any(array.shape != image.shape[:2] for array in (sample.boundary, *sample.labels)):
        raise ReadError(f"The cached target {path} belongs to another image; delete it.")
    return sample
