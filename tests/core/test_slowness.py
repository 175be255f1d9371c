"""The laws give the numbers of their formulas."""

import numpy as np
import pytest

from napari_superpixels.core import _kernels
from napari_superpixels.core.slowness import constant_slowness, label_slowness, pad, regularity_contrast, strides


def slowness_at(field, pixel, reference, centre=(1.0, 1.0)):
    """Return P at an image position for a label of the given reference feature."""
    references = np.zeros((2, field.n_channels), np.float32)
    references[1] = np.asarray(reference) / field.quantum
    centers = np.array([[0, 0], centre], np.float32)
    index = np.ravel_multi_index(tuple(p + 1 for p in pixel), field.padded_shape)
    return _kernels.slowness_at(
        index,
        1,
        field.features.ravel(),
        references.ravel(),
        field.field,
        centers,
        field.strides,
        field.inverse_h2,
        field.law,
        field.weights,
        (0,) * field.n_channels,
    )


@pytest.fixture
def features():
    return np.random.default_rng(0).uniform(-50, 90, (5, 6, 3)).astype(np.float32)


@pytest.fixture
def boundary():
    return np.random.default_rng(1).random((5, 6)).astype(np.float32)


@pytest.mark.parametrize("regularity", [0.0, 0.5, 0.8])
def test_quadratic(features, boundary, regularity):
    field = label_slowness(features, color_weight=0.2, edge_weight=3, boundary=boundary, regularity=regularity)
    distance2 = ((features[2, 3] - features[4, 1]) ** 2).sum()
    expected = 1 + 10 ** (4 * (0.5 - regularity)) * (0.2 * distance2 + 3 * boundary[2, 3])
    assert slowness_at(field, (2, 3), features[4, 1]) == pytest.approx(expected, rel=1e-3)


def test_exponential(features, boundary):
    field = label_slowness(features, "exponential", color_weight=2, edge_weight=0.5, boundary=boundary)
    scaled = features / features.reshape(-1, 3).std(axis=0)
    rms = np.sqrt(((scaled[2, 3] - scaled[4, 1]) ** 2).mean())
    expected = np.exp(2 * rms + 0.5 * boundary[2, 3])
    assert slowness_at(field, (2, 3), scaled[4, 1]) == pytest.approx(expected, rel=1e-2)


def test_exponential_stays_finite(features):
    field = label_slowness(features, "exponential", color_weight=100, regularity=0)
    assert slowness_at(field, (2, 3), features[4, 1] * 0) == pytest.approx(np.exp(16), rel=1e-3)


def test_ergc(features):
    field = label_slowness(features, "ergc", color_weight=1, compactness=30, n_segments=3, spacing=(2.0, 1.0))
    distance2 = ((features[2, 3] - features[4, 1]) ** 2).sum()
    # The seed lies at the image's first pixel, (1, 1) in padded coordinates.
    apart = (2 * 2) ** 2 + 3**2
    expected = 0.01 + np.hypot(distance2, 30 * apart * 3 / (5 * 6 * 2))
    assert slowness_at(field, (2, 3), features[4, 1]) == pytest.approx(expected, rel=1e-3)


def test_constant_takes_the_field():
    image = np.random.default_rng(0).uniform(0.2, 5, (4, 5)).astype(np.float32)
    field = constant_slowness(image)
    assert field.floor == image.min()
    assert field.field.reshape(field.padded_shape)[3, 2] == image[2, 1]


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_an_impossible_field_is_refused(bad):
    image = np.ones((4, 5), np.float32)
    image[1, 1] = bad
    with pytest.raises(ValueError, match="finite and above 0"):
        constant_slowness(image)


def test_quantisation_is_fine(features):
    field = label_slowness(features, color_weight=1)
    stored = field.features.reshape(*field.padded_shape, 4)[1:-1, 1:-1, :3] * field.quantum
    np.testing.assert_allclose(stored, features, atol=np.abs(features).max() / 60_000)


def test_regularity_is_neutral_in_the_middle():
    assert [regularity_contrast(r) for r in (0, 0.5, 1)] == pytest.approx([100, 1, 0.01])


def test_padding_and_strides():
    padded = pad(np.ones((2, 3), np.int32), 7)
    assert padded.sum() == 6 + 7 * (4 * 5 - 6)
    assert strides((4, 5, 6)) == (30, 6, 1)
