"""Images of every kind become three channels in [0, 1]."""

import numpy as np
import pytest

from napari_superpixels.core.image import unit_image
from napari_superpixels.errors import ImageError

RAMP = np.linspace(0, 1, 20 * 30).reshape(20, 30)


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.uint16, np.uint32, np.uint64, np.int8, np.int16, np.int32, np.int64, np.float16, np.float64]
)
def test_grey_of_any_type_is_scaled(dtype):
    image = (RAMP * 100).astype(dtype)
    unit = unit_image(image)
    assert unit.kind == "grey"
    assert unit.pixels.shape == (20, 30, 3)
    assert unit.pixels.dtype == np.float32
    assert (unit.pixels.min(), unit.pixels.max()) == (0, 1)
    np.testing.assert_allclose(unit.pixels[..., 1], RAMP, atol=0.02)


@pytest.mark.parametrize(
    ("dtype", "offset", "step"),
    [
        (np.uint32, 2**31, 1),
        (np.int32, -(2**31), 1),
        (np.int64, 2**40, 1),
        (np.int64, -(2**62), 1),
        (np.uint64, 2**63, 1),
        (np.float64, 1e9, 1e-3),
        (np.float64, -1e300, 1e298),
    ],
)
@pytest.mark.parametrize("channel_axis", [None, -1])
def test_contrast_survives_any_offset(dtype, offset, step, channel_axis):
    levels = np.arange(100).reshape(10, 10)
    image = np.array([dtype(offset) + dtype(step) * dtype(level) for level in levels.ravel()], dtype).reshape(10, 10)
    if channel_axis is not None:
        image = np.stack([image, np.zeros_like(image)], axis=-1)
    pixels = unit_image(image, channel_axis=channel_axis).pixels[..., 0]
    np.testing.assert_allclose(pixels, levels / 99, atol=2e-3)


def test_float64_rgb_in_range_stays():
    image = np.random.default_rng(0).uniform(0.2, 0.8, (20, 30, 3))
    np.testing.assert_allclose(unit_image(image).pixels, image, rtol=1e-6)


def test_a_last_axis_of_one_pixel_is_a_channel():
    assert unit_image(np.zeros((20, 30, 1))).pixels.shape == (20, 30, 3)


def test_bool():
    unit = unit_image(RAMP > 0.5)
    np.testing.assert_array_equal(unit.pixels[..., 0], RAMP > 0.5)


def test_a_single_bright_pixel_is_seen():
    image = np.zeros((100, 100), np.uint16)
    image[3, 4] = 900
    assert unit_image(image).pixels[3, 4, 0] == 1


def test_rgb_8_bit_is_divided_and_alpha_dropped():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 4), np.uint8)
    for n_channels in (3, 4):
        unit = unit_image(image[..., :n_channels])
        assert unit.kind == "rgb"
        np.testing.assert_allclose(unit.pixels, image[..., :3] / np.float32(255))


def test_rgb_float_in_range_stays_and_others_are_scaled():
    image = np.random.default_rng(0).uniform(0.2, 0.8, (20, 30, 3))
    np.testing.assert_allclose(unit_image(image).pixels, image, rtol=1e-6)
    scaled = unit_image(image * 5000 - 200).pixels
    assert (scaled.min(), scaled.max()) == (0, 1)


@pytest.mark.parametrize("channel_axis", [0, 1, 2, -1])
@pytest.mark.parametrize("n_channels", [1, 2, 5])
def test_channels_along_any_axis(channel_axis, n_channels):
    image = np.random.default_rng(0).random((20, 30, n_channels))
    unit = unit_image(np.moveaxis(image, -1, channel_axis), channel_axis=channel_axis)
    assert unit.pixels.shape == (20, 30, 3)
    assert unit.kind == ("grey" if n_channels == 1 else "multichannel")
    assert (unit.pixels.min(), unit.pixels.max()) == (0, 1)


def test_two_channels_and_their_mean():
    pixels = unit_image(np.random.default_rng(0).random((20, 30, 2)), channel_axis=-1).pixels
    np.testing.assert_allclose(pixels[..., 2], pixels[..., :2].mean(axis=-1), rtol=1e-6)


def test_components_of_many_channels_do_not_depend_on_their_order():
    image = np.random.default_rng(0).random((20, 30, 6)) * np.arange(1, 7) ** 2
    image[..., 5] = image[..., 0]
    first = unit_image(image, channel_axis=-1).pixels
    second = unit_image(image[..., ::-1], channel_axis=-1).pixels
    np.testing.assert_allclose(first[..., 0], second[..., 0], atol=1e-3)


def test_a_grey_volume_and_an_rgb_volume():
    assert unit_image(np.zeros((5, 6, 7))).pixels.shape == (5, 6, 7, 3)
    assert unit_image(np.zeros((5, 6, 7, 3), np.uint8), rgb=True).kind == "rgb"


def test_a_volume_three_pixels_wide_can_be_meant():
    assert unit_image(np.zeros((5, 6, 3)), rgb=False).pixels.shape == (5, 6, 3, 3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_invalid_values_are_replaced_and_counted(value):
    image = RAMP.copy() + 3
    image[2:4, 5] = value
    unit = unit_image(image)
    assert unit.n_invalid == 2
    assert np.all(unit.pixels[2:4, 5] == 0)
    assert np.isfinite(unit.pixels).all()


def test_a_constant_image_is_black():
    assert not unit_image(np.full((5, 5), 7)).pixels.any()


def test_the_input_is_not_changed():
    image = RAMP.copy()
    image[0, 0] = np.nan
    unit_image(image)
    assert np.isnan(image[0, 0])
    unit_image(image.astype(np.float32)[::2, ::3])


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (np.zeros((0, 5)), {}, r"empty \(shape \(0, 5\)\)"),
        (np.zeros(5), {}, "1 spatial axes"),
        (np.array(3.0), {}, "0 spatial axes"),
        (np.zeros((2, 3, 4, 5, 6)), {}, "5 spatial axes"),
        (np.zeros((4, 5), complex), {}, "complex128"),
        (np.full((4, 5), "a"), {}, "dtype"),
        (np.full((4, 5), np.nan), {}, "no finite value"),
        (np.zeros((4, 5)), {"channel_axis": 2}, "channel_axis is 2"),
        (np.zeros((4, 5, 2)), {"rgb": True}, "3 or 4 channels"),
    ],
)
def test_unusable_images_are_refused(image, options, message):
    with pytest.raises(ImageError, match=message):
        unit_image(image, **options)
