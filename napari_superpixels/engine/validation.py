"""How good the superpixels of a network are: measured after the eikonal step, not by the loss."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from napari_superpixels.core.features import pixel_features
from napari_superpixels.core.image import UnitImage, unit_image
from napari_superpixels.core.metrics import evaluate
from napari_superpixels.core.slowness import label_slowness
from napari_superpixels.core.superpixels import grow_superpixels
from napari_superpixels.data.sources import AnnotatedImage, DataSource, SourceItem
from napari_superpixels.engine.target_growth import SuperpixelNumber
from napari_superpixels.errors import CancelledError
from napari_superpixels.nets.checkpoint import Model
from napari_superpixels.nets.predict import predict
from napari_superpixels.params import SegmentParams

_DEFAULTS = SegmentParams()
#: Measures of a validation, as :class:`napari_superpixels.core.metrics.Metrics` names them.
MEASURES = ("undersegmentation_error", "boundary_recall", "compactness_px", "explained_variation")


class ValidationConfig(SuperpixelNumber):
    """How a network is validated; immutable."""

    n_images: int = Field(50, ge=1)
    """Images of the validation split that are measured, evenly spread over it."""
    superpixels_per_object: float | None = Field(None, gt=0)
    """Superpixels of average size on the area of an average object, instead of their number: each image then has this
    times its area over the mean area of its objects, which are the labels above 0 of its first annotator. An object
    spans more: refinement puts more superpixels on objects than on the ground."""
    tolerance: int = Field(2, ge=0)
    """Distance in pixels within which boundaries match."""
    color_weight: float = Field(_DEFAULTS.color_weight, ge=0)
    """Colour weight of the quadratic slowness law."""
    edge_weight: float = Field(_DEFAULTS.edge_weight, ge=0)
    """Weight of the boundary probability."""


@dataclass(frozen=True, slots=True, eq=False)
class ValidationPicture:
    """What a network makes of one image."""

    image: NDArray[np.float32]
    """Shape (M, N, 3), in [0, 1]."""
    flattened: NDArray[np.float32]
    """Shape (M, N, 3), in [0, 1]."""
    boundary: NDArray[np.float32] | None
    """Boundary probability, shape (M, N)."""
    labels: NDArray[np.int32]
    """Superpixels, shape (M, N)."""


def choose_items(source: DataSource, config: ValidationConfig) -> list[SourceItem]:
    """Return the items of a source that are measured."""
    count = min(config.n_images, len(source))
    return [source.items[i * len(source) // count] for i in range(count)]


def measure_network(
    model: Model,
    items: Sequence[SourceItem],
    config: ValidationConfig,
    *,
    device: str = "cpu",
    should_stop: Callable[[], bool] | None = None,
) -> dict[str, list[float]]:
    """Measure the superpixels that a network leads to.

    Parameters
    ----------
    model : Model
        The network.
    items : sequence of SourceItem
        Images with ground truth.
    config : ValidationConfig
        Number of superpixels and weights.
    device : str
        Where the network runs.
    should_stop : callable, optional
        Asked now and then; True ends the measurement.

    Returns
    -------
    dict
        For each of :data:`MEASURES` its value on every image, a mean over the annotators, of annotated pixels.

    Raises
    ------
    ReadError
        If an image cannot be read.
    CancelledError
        If stopped.
    """
    values: dict[str, list[float]] = {name: [] for name in MEASURES}
    for item in items:
        if should_stop is not None and should_stop():
            raise CancelledError("The measurement of the network was stopped.")
        read = item.read()
        picture = picture_network(model, read, config, device=device, should_stop=should_stop)
        metrics = evaluate(
            picture.labels, read.ground_truths, picture.image, config.tolerance, annotated=read.annotated
        )
        for name in MEASURES:
            values[name].append(float(getattr(metrics, name)))
    return values


def picture_network(
    model: Model,
    read: AnnotatedImage,
    config: ValidationConfig,
    *,
    device: str = "cpu",
    should_stop: Callable[[], bool] | None = None,
) -> ValidationPicture:
    """Return what a network makes of one image, and the superpixels that follow."""
    return picture_pixels(
        model,
        read.pixels,
        _n_wanted(read, config),
        config,
        channel_axis=read.channel_axis,
        rgb=read.rgb,
        device=device,
        should_stop=should_stop,
    )


def picture_pixels(
    model: Model,
    pixels: NDArray[Any],
    n_segments: int,
    config: ValidationConfig,
    *,
    channel_axis: int | None = None,
    rgb: bool | None = None,
    device: str = "cpu",
    should_stop: Callable[[], bool] | None = None,
) -> ValidationPicture:
    """Return what a network makes of the pixels of one plane, and superpixels of that number."""
    unit = unit_image(pixels, channel_axis=channel_axis, rgb=rgb)
    prediction = predict(model, unit.pixels, device=device, cancel=should_stop)
    labels = _segment(unit, prediction.flattened, prediction.boundary, n_segments, config)
    return ValidationPicture(unit.pixels, prediction.flattened, prediction.boundary, labels)


def _segment(
    unit: UnitImage,
    flattened: NDArray[np.float32],
    boundary: NDArray[np.float32] | None,
    n_segments: int,
    config: ValidationConfig,
) -> NDArray[np.int32]:
    slowness = label_slowness(
        pixel_features(unit.pixels, flattened, 1.0, unit.kind),
        "quadratic",
        color_weight=config.color_weight,
        edge_weight=config.edge_weight,
        boundary=boundary,
    )
    return grow_superpixels(slowness, n_segments).labels


def _n_wanted(read: AnnotatedImage, config: ValidationConfig) -> int:
    """Return the number of superpixels asked for in an image with this ground truth."""
    truth = read.ground_truths[0]
    per_object = config.superpixels_per_object
    if per_object is None:
        return config.n_wanted(truth.size)
    known = truth if read.annotated is None else truth[read.annotated]
    areas = np.unique(known[known > 0], return_counts=True)[1]
    size = float(areas.mean()) if areas.size else truth.size
    return min(max(1, round(per_object * truth.size / size)), truth.size)
