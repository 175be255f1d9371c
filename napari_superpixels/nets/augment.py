"""Random crops of training samples, turned, scaled, recoloured and with noise."""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.ndimage import gaussian_filter

from napari_superpixels.nets.cuts import Cut, CutRanges, random_cut
from napari_superpixels.nets.samples import TrainSample, known_boundaries

#: Weights of red, green and blue in luminance (Rec. 601).
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)

#: Image, target, boundary and weight of a crop, each of shape (S, S, channels), float32 in [0, 1]. The weight is 0
#: or 1; its first channel is that of the target, its second that of the boundary.
Crop = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
#: Share of what makes up a resized pixel that must be known for it to count.
_KNOWN = 0.999


class Augmentation(CutRanges):
    """How much crops vary, in what they show and in their colours; immutable."""

    brightness: float = Field(0.1, ge=0, lt=1)
    """Largest value that is added to or taken from a crop and its target."""
    contrast: float = Field(0.2, ge=0, lt=1)
    """Largest relative change of a crop's and its target's distance from their mean."""
    gamma: float = Field(0.2, ge=0, lt=1)
    """Largest relative change of the exponent of a crop's and its target's values."""
    blur: float = Field(0.0, ge=0, le=5)
    """Largest standard deviation in pixels of the blur of a crop, which the target does not get."""
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
    cut = random_cut(sample.image.shape, sample.annotated, rng, size, augmentation)
    weight = _weight(sample.annotated, cut)
    if not weight[..., 0].any():  # what is annotated is so thin that it fell between the pixels of a reduced crop
        plain = CutRanges(smallest_scale=1.0, largest_scale=augmentation.largest_scale)
        cut = random_cut(sample.image.shape, sample.annotated, rng, size, plain)
        weight = _weight(sample.annotated, cut)
    image = cut.values(sample.image, 255, "bicubic")
    target = sample.colors[annotator].astype(np.float32, copy=False)[cut.nearest(sample.labels[annotator])]
    boundary = cut.values(sample.boundary[..., None], 255)
    image, target = _recolour(image, target, rng, augmentation)
    return image, target, boundary, weight


def _weight(annotated: NDArray[np.bool_] | None, cut: Cut) -> NDArray[np.float32]:
    """Return where target and boundary of a crop count, (S, S, 2)."""
    if annotated is None:
        return np.ones((cut.size, cut.size, 2), np.float32)
    known = cut.values(known_boundaries(annotated)[..., None], 1)
    return np.concatenate([cut.nearest(annotated)[..., None], known > _KNOWN], axis=2).astype(np.float32)


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
    if augmentation.blur > 0:
        image = gaussian_filter(image, rng.random() * augmentation.blur, axes=(0, 1), mode="nearest")
    if deviation > 0:
        noise = rng.standard_normal((*image.shape[:2], 1 if is_grey else image.shape[2]), np.float32)
        image = np.clip(image + np.float32(deviation) * noise, 0, 1)
    return image.astype(np.float32, copy=False), target.astype(np.float32, copy=False)
