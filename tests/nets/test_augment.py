"""Crops: image, target and boundary stay together; what the target gets and what it does not."""

import numpy as np
import pytest
from pydantic import ValidationError

from napari_superpixels.nets.augment import NO_AUGMENTATION, Augmentation, random_crop
from napari_superpixels.nets.samples import TrainSample


def _identity_sample(height: int = 20, width: int = 26) -> TrainSample:
    """A sample whose labels number the pixels and whose colours are the image's, so that its target is the image."""
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    labels = np.arange(height * width).reshape(height, width)
    return TrainSample(image, (labels,), (image.reshape(-1, 3).astype(np.float32) / 255,), image[..., 0].copy())


def _only(**values: float) -> Augmentation:
    return NO_AUGMENTATION.model_copy(update=values)


def test_turns_image_target_and_boundary_alike() -> None:
    sample = _identity_sample()
    rng = np.random.default_rng(0)
    known = {tuple(color): i for i, color in enumerate(sample.colors[0])}
    seen = set()
    for _ in range(40):
        crop, target, boundary, _ = random_crop(sample, rng, 16, NO_AUGMENTATION)
        assert crop.shape == target.shape == (16, 16, 3)
        np.testing.assert_array_equal(crop, target)
        np.testing.assert_array_equal(crop[..., :1], boundary)
        corner, right, down = (known[tuple(crop[place])] for place in ((0, 0), (0, 1), (1, 0)))
        seen.add((right - corner, down - corner))
    assert len(seen) == 8  # every turn and flip


def test_scale_keeps_image_target_and_boundary_together() -> None:
    """A vertical edge of the image is one of the target and of the boundary, wherever the scale puts it."""
    image = np.zeros((80, 80, 3), np.uint8)
    image[:, 40:] = 200
    labels = np.where(np.arange(80) < 40, 1, 2) * np.ones((80, 1), int)
    colors = np.array([[0, 0, 0], [0, 0, 0], [200, 200, 200]], np.float32) / 255
    boundary = np.zeros((80, 80), np.uint8)
    boundary[:, 39:41] = 255
    sample = TrainSample(image, (labels,), (colors,), boundary)
    rng = np.random.default_rng(0)
    found = set()
    for _ in range(30):
        crop, target, edge, _ = random_crop(sample, rng, 32, _only(smallest_scale=0.5, largest_scale=2.0))
        assert crop.shape == target.shape == (32, 32, 3)
        assert edge.shape == (32, 32, 1)
        assert np.abs(crop - target).mean() < 0.02
        if 0 < target.mean() < 200 / 255:
            found.add(int((edge > 0.5).sum()) // 32)
            assert np.abs(np.diff(target[..., 0], axis=0)).max() + np.abs(np.diff(target[..., 0], axis=1)).max() > 0.5
    assert {1, 2, 3} <= found  # the boundary, two pixels wide, was made narrower and wider


@pytest.mark.parametrize("values", [{"brightness": 0.3}, {"contrast": 0.5}, {"gamma": 0.5}])
def test_recolouring_changes_image_and_target_alike(values: dict[str, float]) -> None:
    sample = _identity_sample()
    plain, *_ = random_crop(sample, np.random.default_rng(1), 16, NO_AUGMENTATION)
    crop, target, *_ = random_crop(sample, np.random.default_rng(1), 16, _only(**values))
    np.testing.assert_array_equal(crop, target)
    assert np.abs(crop - plain).max() > 0.01
    assert crop.min() >= 0
    assert crop.max() <= 1


def test_noise_stays_off_the_target() -> None:
    sample = _identity_sample()
    plain, target, *_ = random_crop(sample, np.random.default_rng(1), 16, NO_AUGMENTATION)
    noisy, same, *_ = random_crop(sample, np.random.default_rng(1), 16, _only(noise=0.2))
    np.testing.assert_array_equal(target, same)
    assert 0 < np.abs(noisy - plain).mean() < 0.2


def test_blur_stays_off_the_target() -> None:
    sample = _identity_sample()
    plain, target, *_ = random_crop(sample, np.random.default_rng(1), 16, NO_AUGMENTATION)
    blurred, same, *_ = random_crop(sample, np.random.default_rng(1), 16, _only(blur=2))
    np.testing.assert_array_equal(target, same)
    assert blurred.std() < 0.9 * plain.std()
    assert blurred.mean() == pytest.approx(plain.mean(), abs=0.05)


def test_grey_crops_have_equal_channels() -> None:
    crops = random_crop(_identity_sample(), np.random.default_rng(0), 16, _only(grey_share=1.0, noise=0.1))
    for array in crops[:2]:
        np.testing.assert_allclose(array, array[..., :1].repeat(3, axis=2))


def _grey_sample() -> TrainSample:
    """A grey image of rising brightness that is its own target."""
    image = np.repeat(np.linspace(0, 255, 256).astype(np.uint8).reshape(16, 16, 1), 3, axis=2)
    return TrainSample(
        image, (np.arange(256).reshape(16, 16),), (image.reshape(-1, 3) / np.float32(255),), image[..., 0]
    )


def test_stained_crops_of_grey_images_are_dark_where_those_are_bright() -> None:
    crop, target, boundary, _ = random_crop(_grey_sample(), np.random.default_rng(0), 16, _only(stain_share=1.0))
    np.testing.assert_allclose(crop, target, atol=1e-6)
    assert crop.dtype == target.dtype == np.float32
    order = np.argsort(boundary.ravel())
    for channel in crop.reshape(-1, 3)[order].T:
        assert np.all(np.diff(channel) < 0)
        assert 0.6 <= channel[0] <= 1
        assert channel[-1] > 0
    assert np.ptp(crop, axis=2).max() > 0.1
    other = random_crop(_grey_sample(), np.random.default_rng(1), 16, _only(stain_share=1.0))[0]
    assert np.abs(crop.max((0, 1)) - other.max((0, 1))).max() > 0.01


def test_stains_are_for_grey_images_and_hues_for_coloured_ones() -> None:
    plain, *_ = random_crop(_identity_sample(), np.random.default_rng(0), 16, NO_AUGMENTATION)
    same, *_ = random_crop(_identity_sample(), np.random.default_rng(0), 16, _only(stain_share=1.0))
    np.testing.assert_array_equal(plain, same)
    crop, target, *_ = random_crop(_identity_sample(), np.random.default_rng(0), 16, _only(hue=1.0))
    np.testing.assert_array_equal(crop, target)
    inner = (plain > 0.1) & (plain < 0.9)
    exponents = [np.log(crop[..., i][inner[..., i]]) / np.log(plain[..., i][inner[..., i]]) for i in range(3)]
    for channel in exponents:
        np.testing.assert_allclose(channel, channel[0], rtol=1e-3)
        assert 0.5 <= channel[0] <= 2
    assert len({round(float(channel[0]), 3) for channel in exponents}) == 3
    grey, *_ = random_crop(_grey_sample(), np.random.default_rng(0), 16, _only(hue=1.0, noise=0.1))
    np.testing.assert_allclose(grey, grey[..., :1].repeat(3, axis=2))


@pytest.mark.parametrize("augmentation", [NO_AUGMENTATION, Augmentation()])
def test_images_smaller_than_a_crop_are_mirrored(augmentation: Augmentation) -> None:
    image, target, boundary, _ = random_crop(_identity_sample(5, 7), np.random.default_rng(0), 16, augmentation)
    assert image.shape == target.shape == (16, 16, 3)
    assert boundary.shape == (16, 16, 1)
    assert all(array.dtype == np.float32 for array in (image, target, boundary))


def test_other_numbers_of_channels() -> None:
    sample = _identity_sample()
    one = TrainSample(sample.image[..., :1], sample.labels, (sample.colors[0][:, :1],), sample.boundary)
    image, target, *_ = random_crop(one, np.random.default_rng(0), 16, Augmentation(grey_share=1.0))
    assert image.shape == target.shape == (16, 16, 1)


def test_the_seed_decides() -> None:
    first, second, third = (
        random_crop(_identity_sample(), np.random.default_rng(seed), 16, Augmentation())[0] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, third)


@pytest.mark.parametrize(
    "values",
    [
        {"smallest_scale": 0},
        {"largest_scale": 0.5},
        {"noise": -1},
        {"hue": -1},
        {"stain_share": 2},
        {"blur": -1},
        {"shear": 1},
    ],
)
def test_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Augmentation(**values)  # type: ignore[arg-type]
