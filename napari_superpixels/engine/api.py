"""Segmentation in one call, for scripts."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_superpixels.engine.pipeline import Pipeline
from napari_superpixels.engine.resolve import ImageInput
from napari_superpixels.params import Device, SegmentParams


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The superpixels of an image."""

    labels: npt.NDArray[np.int32]
    """(M, N[, P]) superpixel of each pixel, from 1; 0 only outside the mask. Each one is connected."""
    arrival: npt.NDArray[np.float32]
    """(M, N[, P]) arrival time of the front that took the pixel."""
    seeds: npt.NDArray[np.int64]
    """(K, ndim) seed of each superpixel, in the order of the labels."""
    params: SegmentParams
    """The parameters used."""
    timings: dict[str, float]
    """Seconds taken by the stages "network", "features" and "eikonal"."""


def segment(
    image: npt.ArrayLike,
    *,
    n_segments: int = SegmentParams.model_fields["n_segments"].default,
    model: str | None = SegmentParams.model_fields["model"].default,
    device: Device = SegmentParams.model_fields["device"].default,
    channel_axis: int | None = None,
    seeds: npt.ArrayLike | None = None,
    mask: npt.ArrayLike | None = None,
    spacing: tuple[float, ...] | None = None,
    **params: Any,
) -> Segmentation:
    """Partition an image into superpixels that follow its objects.

    A convolutional network flattens the image; then regions grow from seeds by the eikonal equation (Dumont &
    Figliuzzi, "Image segmentation by superpixels").

    Parameters
    ----------
    image : array_like
        (M, N) grey, (M, N, 3) RGB, (M, N, 4) RGBA, (P, M, N) grey volume, or channels along `channel_axis`; bool,
        integer or float of any range. Dask and zarr arrays are read into memory.
    n_segments : int
        Number of superpixels K: exactly so many are made, more only where the mask has more separate parts, each of
        which needs one. 1 to the number of pixels.
    model : str or None
        Name of an installed model, a file, or None for the raw image.
    device : {"auto", "cpu", "cuda", "mps"}
        Where the network runs.
    channel_axis : int, optional
        Axis of the channels of a multi-channel image.
    seeds : array_like of shape (K, ndim), optional
        Pixel positions of the seeds, instead of `n_segments`.
    mask : array_like of shape (M, N) or (P, M, N), bool, optional
        Pixels to segment; the others get label 0.
    spacing : tuple of float, optional
        Size of a pixel along each axis; 1 by default.
    **params
        Other fields of :class:`napari_superpixels.params.SegmentParams`, for example ``regularity=0.7``.

    Returns
    -------
    Segmentation
        Labels, arrival times, seeds, parameters, timings.

    Raises
    ------
    ImageError
        If the image is empty, of unusable dtype or shape, or has no finite value.
    ValueError
        If a parameter is out of bounds or does not fit the image.
    CheckpointError
        If the model is missing or its file is unusable.

    Examples
    --------
    >>> from skimage.data import astronaut
    >>> from napari_superpixels import segment
    >>> segment(astronaut(), n_segments=200, model=None).labels.max()
    np.int32(200)
    """
    inputs = ImageInput(
        pixels=np.asarray(image),
        source=None,
        key=None,
        channel_axis=channel_axis,
        spacing=None if spacing is None else tuple(np.atleast_1d(spacing).tolist()),
        mask=None if mask is None else np.asarray(mask).astype(bool),
        seeds=None if seeds is None else np.asarray(seeds),
    )
    chosen = SegmentParams(n_segments=n_segments, model=model, device=device, **params)
    result = Pipeline().run(inputs, chosen)
    for note in result.notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    superpixels = result.superpixels
    labels, arrival = np.ascontiguousarray(superpixels.labels), np.ascontiguousarray(superpixels.arrival)
    return Segmentation(labels, arrival, superpixels.seeds, chosen, result.timings)
