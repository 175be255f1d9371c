"""Random crops of training samples, turned, scaled, recoloured and with noise."""

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch.nn import functional

from napari_superpixels.nets.samples import TrainSample

#: Weights of red, green and blue in luminance (Rec. 601).
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)

#: Image, target, boundary and weight of a crop, each of shape (S, S, channels), float32 in [0, 1].
Crop = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


class Augmentation(BaseModel):
    """How much crops vary beyond their place, flips and quarter turns, which are always drawn; immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    smallest_scale: float = Field(0.7, gt=0, le=1)
    """Least magnification; a crop then shows more of the image."""
    largest_scale: float = Field(1.4, ge=1)
    """Highest magnification."""
    brightness: float = Field(0.1, ge=0, lt=1)
    """Largest value that is added to or taken from a crop and its target."""
    contrast: float = Field(0.2, ge=0, lt=1)
    """Largest relative change of a crop's and its target's distance from their mean."""
    gamma: float = Field(0.2, ge=0, lt=1)
    """Largest relative change of the exponent of a crop's and its target's values."""
    noise: float = Field(0.03, ge=0, lt=1)
    """Largest standard deviation of Gaussian noise, which the target does not get: the network learns to remove it."""
    grey_share: float = Field(0.1, ge=0, le=1)
    """Share of crops of colour images that are shown in grey, so that the network also works on grey images."""
    hue: float = Field(0.0, ge=0)
    """Largest relative change of the exponent of each channel by itself, in a coloured crop and its target."""
    stain_share: float = Field(0.0, ge=0, le=1)
    """Share of crops of grey images that are shown as stained tissue: what is bright absorbs, in a dye and before a
    background of random colours. Fluorescence then also teaches stains."""


#: Least and largest value of a stained crop's background, and of the optical density of its dye.
_STAIN_BACKGROUND, _STAIN_DENSITY = (0.6, 1.0), (0.1, 2.5)

#: Crops that differ in place, flips and quarter turns only.
NO_AUGMENTATION = Augmentation(
    smallest_scale=1, largest_scale=1, brightness=0, contrast=0, gamma=0, noise=0, grey_share=0
)


def random_crop(sample: TrainSample, rng: np.random.Generator, size: int, augmentation: Augmentation) -> Crop:
    """Cut a crop out of a sample at random, for one annotator drawn at random.

    Parameters
    ----------
    sample : TrainSample
        Image with targets; where it is smaller than the crop, it is continued by reflection. Where it is trusted in
        part, every crop shows some of that.
    rng : numpy.random.Generator
        Source of all chance.
    size : int
        Side of the crop in pixels.
    augmentation : Augmentation
        What varies.

    Returns
    -------
    Crop
        Image, target, boundary, and a weight that is 1 where the two before it can be trusted, else 0.
    """
    annotator = int(rng.integers(len(sample.labels)))
    scale = float(np.exp(rng.uniform(np.log(augmentation.smallest_scale), np.log(augmentation.largest_scale))))
    source = max(round(size / scale), 1)  # pixels of the image that the crop shows
    height, width = sample.image.shape[:2]
    top = int(rng.integers(max(height - source, 0) + 1))
    left = int(rng.integers(max(width - source, 0) + 1))
    if sample.trusted is not None:
        top, left = _around_trusted(sample.trusted, rng, source)
    turns, flip = int(rng.integers(4)), bool(rng.integers(2))

    def cut(array: NDArray[np.generic]) -> NDArray[np.generic]:
        part = array[top : top + source, left : left + source]
        missing = [(0, source - part.shape[0]), (0, source - part.shape[1])] + [(0, 0)] * (array.ndim - 2)
        part = np.rot90(np.pad(part, missing, mode="symmetric"), turns)
        return part[:, ::-1] if flip else part

    image = _resize(cut(sample.image).astype(np.float32) / 255.0, size)
    nearest = ((np.arange(size) + 0.5) * (source / size)).astype(np.intp)
    labels = cut(sample.labels[annotator])[np.ix_(nearest, nearest)]
    target = sample.colors[annotator].astype(np.float32, copy=False)[labels]
    boundary = _resize(cut(sample.boundary).astype(np.float32)[..., None] / 255.0, size)
    weight = np.ones((size, size, 1), np.float32)
    if sample.trusted is not None:
        weight = cut(sample.trusted)[np.ix_(nearest, nearest)].astype(np.float32)[..., None]
    image, target = _recolour(image, target, rng, augmentation)
    return image, target, boundary, weight


def _around_trusted(trusted: NDArray[np.bool_], rng: np.random.Generator, source: int) -> tuple[int, int]:
    """Return the first row and column of a crop of `source` pixels that shows a pixel drawn among those trusted."""
    places = np.flatnonzero(trusted)
    pixel = divmod(int(places[rng.integers(places.size)]), trusted.shape[1])
    spans = [(max(at - source + 1, 0), max(min(at, n - source), 0)) for at, n in zip(pixel, trusted.shape, strict=True)]
    top, left = (int(rng.integers(min(low, high), high + 1)) for low, high in spans)
    return top, left


def _resize(values: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Return (S, S, C) values as (size, size, C), by area-weighted linear interpolation."""
    if values.shape[0] == size:
        return values
    maps = torch.from_numpy(np.ascontiguousarray(values)).permute(2, 0, 1)[None]  # (1, C, S, S)
    resized = functional.interpolate(maps, size=(size, size), mode="bilinear", antialias=True)
    return resized[0].permute(1, 2, 0).numpy()


def _recolour(
    image: NDArray[np.float32], target: NDArray[np.float32], rng: np.random.Generator, augmentation: Augmentation
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Change an image and its target alike, then add noise to the image."""
    shift = rng.uniform(-1, 1) * augmentation.brightness
    contrast = 1 + rng.uniform(-1, 1) * augmentation.contrast
    gamma = (1 + augmentation.gamma) ** rng.uniform(-1, 1)
    deviation = rng.random() * augmentation.noise
    is_rgb = image.shape[2] == 3
    greys = is_rgb and rng.random() < augmentation.grey_share
    was_grey = is_rgb and bool((image == image[..., :1]).all())
    mean = image.mean()
    # What is off draws nothing, so that a recipe gives the same crops as before there were stains and hues.
    stains = was_grey and augmentation.stain_share > 0 and rng.random() < augmentation.stain_share
    background, density = (rng.uniform(*span, 3) for span in (_STAIN_BACKGROUND, _STAIN_DENSITY)) if stains else (1, 0)
    is_grey = (greys or was_grey) and not stains
    shifts_hue = is_rgb and not is_grey and augmentation.hue > 0
    exponents = (1 + augmentation.hue) ** rng.uniform(-1, 1, 3) if shifts_hue else 1

    def change(values: NDArray[np.float32]) -> NDArray[np.float32]:
        if shift != 0 or contrast != 1:
            values = np.clip((values - mean) * contrast + mean + shift, 0, 1)
        if gamma != 1:
            values = values**gamma
        if is_grey:
            return np.repeat(values @ _LUMA[:, None], 3, axis=2)
        if stains:
            values = (background * np.exp(-density * values)).astype(np.float32)
        return (values**exponents).astype(np.float32) if shifts_hue else values

    image, target = change(image), change(target)
    if deviation > 0:
        noise = rng.standard_normal((*image.shape[:2], 1 if is_grey else image.shape[2]), np.float32)
        image = np.clip(image + np.float32(deviation) * noise, 0, 1)
    return image.astype(np.float32, copy=False), target.astype(np.float32, copy=False)
