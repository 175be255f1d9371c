"""Random crops of training samples, turned, scaled, recoloured and with noise."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch.nn import functional

from napari_superpixels.nets.samples import TrainSample, known_boundaries

#: Weights of red, green and blue in luminance (Rec. 601).
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)

#: Image, target, boundary and weight of a crop, each of shape (S, S, channels), float32 in [0, 1]. The weight is 0
#: or 1; its first channel is that of the target, its second that of the boundary.
Crop = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
#: Share of what makes up a resized pixel that must be known for it to count.
_KNOWN = 0.999


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
    """Cut a crop out of a sample at random, for one annotator drawn at random; it shows something that is annotated.

    Parameters
    ----------
    sample : TrainSample
        Image with targets; where it is smaller than the crop, it is continued by reflection.
    rng : numpy.random.Generator
        Source of all chance.
    size : int
        Side of the crop in pixels.
    augmentation : Augmentation
        What varies.

    Returns
    -------
    Crop
        Image, target, boundary and weight.
    """
    annotator = int(rng.integers(len(sample.labels)))
    cut = _random_cut(sample, rng, size, augmentation)
    weight = _weight(sample.annotated, cut)
    if not weight[..., 0].any():  # what is annotated is so thin that it fell between the pixels of a reduced crop
        cut = _random_cut(sample, rng, size, augmentation.model_copy(update={"smallest_scale": 1.0}))
        weight = _weight(sample.annotated, cut)
    image = _resize(cut.part(sample.image).astype(np.float32) / 255.0, size)
    target = sample.colors[annotator].astype(np.float32, copy=False)[cut.nearest(sample.labels[annotator])]
    boundary = _resize(cut.part(sample.boundary).astype(np.float32)[..., None] / 255.0, size)
    image, target = _recolour(image, target, rng, augmentation)
    return image, target, boundary, weight


@dataclass(frozen=True, slots=True)
class _Cut:
    """Which part of an image a crop shows, and how it is turned."""

    size: int
    """Side of the crop in pixels."""
    source: int
    """Side in pixels of the part of the image."""
    top: int
    left: int
    turns: int
    flip: bool

    def part(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return the part of an array, turned, in the array's resolution."""
        part = array[self.top : self.top + self.source, self.left : self.left + self.source]
        missing = [(0, self.source - part.shape[0]), (0, self.source - part.shape[1])] + [(0, 0)] * (array.ndim - 2)
        part = np.rot90(np.pad(part, missing, mode="symmetric"), self.turns)
        return part[:, ::-1] if self.flip else part

    def nearest(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return the part of an array in the crop's resolution, by the nearest pixel."""
        nearest = ((np.arange(self.size) + 0.5) * (self.source / self.size)).astype(np.intp)
        return self.part(array)[np.ix_(nearest, nearest)]


def _random_cut(sample: TrainSample, rng: np.random.Generator, size: int, augmentation: Augmentation) -> _Cut:
    scale = float(np.exp(rng.uniform(np.log(augmentation.smallest_scale), np.log(augmentation.largest_scale))))
    source = max(round(size / scale), 1)  # pixels of the image that the crop shows
    firsts, lasts = [0, 0], [max(length - source, 0) for length in sample.image.shape[:2]]
    if sample.annotated is not None:  # a pixel drawn at random must be in it
        places = np.flatnonzero(sample.annotated)
        place = np.unravel_index(int(places[rng.integers(places.size)]), sample.annotated.shape)
        firsts = [max(int(at) - source + 1, 0) for at in place]
        lasts = [min(int(at), last) for at, last in zip(place, lasts, strict=True)]
    top, left = (int(rng.integers(first, last + 1)) for first, last in zip(firsts, lasts, strict=True))
    return _Cut(size, source, top, left, turns=int(rng.integers(4)), flip=bool(rng.integers(2)))


def _weight(annotated: NDArray[np.bool_] | None, cut: _Cut) -> NDArray[np.float32]:
    """Return where target and boundary of a crop count, (S, S, 2)."""
    if annotated is None:
        return np.ones((cut.size, cut.size, 2), np.float32)
    known = _resize(cut.part(known_boundaries(annotated)).astype(np.float32)[..., None], cut.size)
    return np.concatenate([cut.nearest(annotated)[..., None], known > _KNOWN], axis=2).astype(np.float32)


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
