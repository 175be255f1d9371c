"""Samples to train on: images with their superpixel targets, made when needed or taken from files."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from napari_superpixels.core.image import unit_image
from napari_superpixels.data.sources import DataSource, SourceItem
from napari_superpixels.data.target_files import Targets, read_record, read_targets
from napari_superpixels.engine.target_growth import TargetConfig, grow_targets
from napari_superpixels.engine.target_runs import run_targets, target_path
from napari_superpixels.errors import ImageError, ReadError
from napari_superpixels.nets.samples import TrainSample

__all__ = ["StoredSamples", "TargetConfig", "load_samples", "make_sample"]


def make_sample(
    pixels: NDArray[Any],
    ground_truths: Sequence[NDArray[np.integer[Any]]],
    config: TargetConfig | None = None,
    *,
    channel_axis: int | None = None,
    rgb: bool | None = None,
) -> TrainSample:
    """Grow superpixels that no annotator's borders cross, and fill them with the image's mean colour.

    The parameters, and the errors, are those of :func:`napari_superpixels.engine.target_growth.grow_targets`.

    Returns
    -------
    TrainSample
        One target per annotator, and the share of annotators who drew a border at each pixel.
    """
    image, targets = grow_targets(pixels, ground_truths, config, channel_axis=channel_axis, rgb=rgb)
    return _sample(image, targets, None)


def load_samples(
    source: DataSource,
    config: TargetConfig | None = None,
    *,
    cache: str | Path | None = None,
    workers: int | None = 1,
    lazy: bool = False,
    on_sample: Callable[[int, int], None] | None = None,
) -> Sequence[TrainSample]:
    """Read a data set and grow its targets, or take them from the cache.

    Parameters
    ----------
    source : DataSource
        The images with their ground truth.
    config : TargetConfig, optional
        How the targets are grown.
    cache : str or pathlib.Path, optional
        Folder of targets, as ``napari-superpixels targets`` writes it; what it lacks is added.
    workers : int, optional
        Processes that grow what the cache lacks; see :func:`napari_superpixels.engine.target_runs.run_targets`.
    lazy : bool
        Whether samples are read from the cache each time they are indexed, for data sets that do not fit into memory.
    on_sample : callable, optional
        Called with the number of images that are ready and their total.

    Returns
    -------
    sequence of TrainSample
        In the order of the source.

    Raises
    ------
    ValueError
        If `lazy` without a cache.
    ReadError
        If an image, its ground truth or a cached target cannot be read; the message names the image.
    WriteError
        If a target cannot be written.
    """
    config = config or TargetConfig()
    if cache is None:
        if lazy:
            raise ValueError("lazy samples need a cache to be read from; name a folder")
        samples = []
        for item in source:
            samples.append(_make_from(item, config))
            if on_sample is not None:
                on_sample(len(samples), len(source))
        return samples
    digests = []
    for n_done, result in enumerate(run_targets(source, cache, config, workers=workers), start=1):
        if result.status == "failed":
            raise ReadError(_named(result.name, result.error))
        digests.append(_digest(result.record))
        if on_sample is not None:
            on_sample(n_done, len(source))
    parts = ((item, target_path(cache, item.name), digest) for item, digest in zip(source, digests, strict=True))
    stored = StoredSamples(tuple(parts))
    return stored if lazy else list(stored)


@dataclass(frozen=True, slots=True)
class StoredSamples(Sequence[TrainSample]):
    """Samples whose images and targets are read each time that they are asked for; can be pickled."""

    parts: tuple[tuple[SourceItem, Path, str], ...]
    """Image, file of targets, and digest of what they were made from and how, of each sample."""

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.parts)

    @overload
    def __getitem__(self, index: int) -> TrainSample: ...
    @overload
    def __getitem__(self, index: slice) -> "StoredSamples": ...
    def __getitem__(self, index: int | slice) -> "TrainSample | StoredSamples":
        """Read one sample, or return some of them unread.

        Raises
        ------
        ReadError
            If the image or its targets cannot be read or do not fit each other, or the targets are others by now.
        """
        if isinstance(index, slice):
            return StoredSamples(self.parts[index])
        item, path, digest = self.parts[index]
        read = item.read()
        image = unit_image(read.pixels, channel_axis=read.channel_axis, rgb=read.rgb).pixels
        targets = read_targets(path)
        if targets.boundary.shape != image.shape[:2]:
            raise ReadError(f"The targets {path} belong to another image than {item.name}; delete them.")
        # Read last: where the file is replaced in between, the record is the newer of the two.
        if _digest(read_record(path)) != digest:
            raise ReadError(
                f"The targets {path} are no longer those of this run: another run with the same folder of targets made "
                "them anew, with other settings or from other files. Give each run a folder of its own (--cache)."
            )
        return _sample(np.round(image * 255).astype(np.uint8), targets, read.annotated)


def _digest(record: dict[str, Any] | None) -> str:
    """Return a short form of what targets were made from and how."""
    identity = None if record is None else record.get("identity")
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _sample(image: NDArray[np.uint8], targets: Targets, annotated: NDArray[np.bool_] | None) -> TrainSample:
    partly = annotated is not None and not annotated.all()
    return TrainSample(image, targets.labels, targets.colors, targets.boundary, annotated if partly else None)


def _make_from(item: SourceItem, config: TargetConfig) -> TrainSample:
    try:
        read = item.read()
        image, targets = grow_targets(
            read.pixels,
            read.ground_truths,
            config,
            channel_axis=read.channel_axis,
            rgb=read.rgb,
            annotated=read.annotated,
        )
        return _sample(image, targets, read.annotated)
    except (ReadError, ImageError, ValueError) as error:
        raise ReadError(_named(item.name, str(error))) from error


def _named(name: str, error: str) -> str:
    return error if name in error else f"{name}: {error}"
