"""Warped cuts of an image: everything in a crop moves together, and chance is drawn for what is on only."""

import numpy as np
import pytest

from napari_superpixels.nets.augment import NO_AUGMENTATION, Augmentation, random_crop
from napari_superpixels.nets.cuts import random_cut
from napari_superpixels.nets.samples import TrainSample

WARPS = ({"rotation": 45.0}, {"stretch": 0.5}, {"elastic": 4.0}, {"rotation": 180.0, "stretch": 0.3, "elastic": 3.0})


def _only(**values: float) -> Augmentation:
    return NO_AUGMENTATION.model_copy(update=values)


def _disc_sample(size: int = 96, annotated: np.ndarray | None = None) -> TrainSample:
    """A bright disc on dark ground, its label and its border, two pixels wide."""
    distance = np.hypot(*(np.indices((size, size)) - (size - 1) / 2)) - size / 4
    image = np.where(distance < 0, 200, 50).astype(np.uint8)
    labels = np.where(distance < 0, 1, 0)
    colors = np.repeat(np.array([[50], [200]], np.float32) / 255, 3, axis=1)
    boundary = np.where(np.abs(distance) < 1, 255, 0).astype(np.uint8)
    return TrainSample(np.repeat(image[..., None], 3, axis=2), (labels,), (colors,), boundary, annotated)


@pytest.mark.parametrize("warp", WARPS)
@pytest.mark.parametrize("scale", [{}, {"smallest_scale": 0.5, "largest_scale": 2.0}])
def test_image_target_and_boundary_stay_together(warp: dict[str, float], scale: dict[str, float]) -> None:
    sample = _disc_sample()
    rng = np.random.default_rng(0)
    n_borders = 0
    for _ in range(20):
        image, target, boundary, weight = random_crop(sample, rng, 48, _only(**warp, **scale))
        assert image.shape == target.shape == (48, 48, 3)
        assert boundary.shape == (48, 48, 1)
        assert weight.all()
        assert 0 <= image.min() <= image.max() <= 1
        differs = np.abs(image - target).max(axis=2) > 0.3  # beyond what interpolation does at the border
        assert not differs[boundary[..., 0] < 0.05].any()
        jumps = np.abs(np.diff(target[..., 0], axis=1)) > 0.5
        near = np.maximum(boundary[:, 1:, 0], boundary[:, :-1, 0])
        n_borders += int(jumps.sum())
        assert np.all(near[jumps] > 0.1)
    assert n_borders > 100


def test_rotation_shows_all_directions() -> None:
    """The angles of a straight edge, as the gradient of the crop shows them, fill the circle."""
    image = np.zeros((160, 160, 3), np.uint8)
    image[:, 80:] = 255
    labels = (np.arange(160) >= 80) * np.ones((160, 1), int)
    sample = TrainSample(image, (labels,), (np.array([[0] * 3, [1] * 3], np.float32),), np.zeros((160, 160), np.uint8))
    rng = np.random.default_rng(0)
    angles = []
    for _ in range(300):
        crop, *_ = random_crop(sample, rng, 64, _only(rotation=45))
        down, right = (axis.sum() for axis in np.gradient(crop[..., 0]))
        if np.hypot(down, right) > 20:
            angles.append(np.rad2deg(np.arctan2(down, right)) % 360)
    counts, _ = np.histogram(angles, bins=12, range=(0, 360))
    assert counts.min() > 0


def test_stretch_and_elastic_keep_within_their_bounds() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        places = random_cut((200, 200), None, rng, 64, _only(stretch=0.44)).places
        assert places is not None
        height, width = places[-1, 0, 0] - places[0, 0, 0], places[0, -1, 1] - places[0, 0, 1]
        assert 1 / 1.44 - 1e-3 <= height / width <= 1.44 + 1e-3
        cut = random_cut((200, 200), None, rng, 64, _only(elastic=3))
        assert cut.places is not None
        straight = np.moveaxis(np.indices((64, 64)), 0, -1) + (cut.wide - 64) / 2
        shift = np.abs(cut.places - straight).max()
        assert 0.5 < shift <= 3 * 1.3**2  # cubic interpolation overshoots its nodes a little
        assert 0 <= cut.places.min()
        assert cut.places.max() <= cut.wide - 1


@pytest.mark.parametrize("warp", WARPS)
def test_an_image_smaller_than_the_crop_is_continued(warp: dict[str, float]) -> None:
    crop, target, *_ = random_crop(_disc_sample(12), np.random.default_rng(0), 64, _only(**warp))
    assert crop.shape == target.shape == (64, 64, 3)
    assert crop.min() > 0.05  # no pixel without an image; cubic interpolation goes a little below 50 of 255


@pytest.mark.parametrize("where", [(0, 0), (5, 60), (95, 95)])
def test_a_warped_crop_shows_what_is_annotated(where: tuple[int, int]) -> None:
    annotated = np.zeros((96, 96), np.bool_)
    annotated[where] = True
    sample = _disc_sample(annotated=annotated)
    rng = np.random.default_rng(0)
    for _ in range(30):
        *_, weight = random_crop(sample, rng, 24, _only(rotation=45, stretch=0.3, elastic=4, smallest_scale=0.5))
        assert weight[..., 0].any()


def test_what_is_off_draws_nothing() -> None:
    with_all, without = np.random.default_rng(3), np.random.default_rng(3)
    random_cut((90, 90), None, with_all, 32, _only())
    without.uniform(0, 1)  # the scale
    for high in (59, 59, 4, 2):  # place, turns, flip
        without.integers(high)
    assert with_all.bit_generator.state == without.bit_generator.state
