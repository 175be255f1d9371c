"""Exactly K connected superpixels, whatever the image, the law and the seeds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_superpixels.core.slowness import label_slowness
from napari_superpixels.core.superpixels import find_seeds, given_seeds, grow_superpixels, march_from

from .conftest import IS_COMPILED, assert_partition, noise_slowness

LAWS = ["quadratic", "exponential", "ergc"]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("n_segments", [1, 2, 17, 100])
def test_exactly_k_connected_superpixels(law, n_segments, edge):
    field = noise_slowness((edge, edge + 3), law=law, n_segments=n_segments)
    superpixels = grow_superpixels(field, n_segments)
    assert_partition(superpixels.labels, n_segments)
    np.testing.assert_array_equal(superpixels.labels[tuple(superpixels.seeds.T)], np.arange(1, n_segments + 1))
    assert np.all(np.isfinite(superpixels.arrival))


@pytest.mark.parametrize("placement", ["low-gradient", "hexagonal", "grid"])
@pytest.mark.parametrize(("refine_start", "refine_rounds"), [(1.0, 0), (0.01, 1), (0.5, 20), (1.0, 4)])
def test_refinement_always_reaches_k(placement, refine_start, refine_rounds, edge):
    field = noise_slowness((edge, edge))
    superpixels = grow_superpixels(
        field, 40, placement=placement, refine_start=refine_start, refine_rounds=refine_rounds
    )
    assert_partition(superpixels.labels, 40)


@settings(max_examples=60 if IS_COMPILED else 10, deadline=None)
@given(data=st.data())
def test_any_shape_and_number(data):
    ndim = data.draw(st.sampled_from([2, 3]))
    limit = (24 if ndim == 2 else 9) if IS_COMPILED else 6
    shape = tuple(data.draw(st.lists(st.integers(1, limit), min_size=ndim, max_size=ndim)))
    n_channels = data.draw(st.sampled_from([1, 3]))
    n_segments = data.draw(st.integers(1, int(np.prod(shape))))
    law = data.draw(st.sampled_from(LAWS))
    spacing = tuple(data.draw(st.lists(st.sampled_from([0.3, 1.0, 2.5]), min_size=ndim, max_size=ndim)))
    features = data.draw(st.sampled_from([0.0, 1.0, 1000.0])) * np.random.default_rng(
        data.draw(st.integers(0, 99))
    ).random((*shape, n_channels), np.float32)
    field = label_slowness(
        features.astype(np.float32),
        law,
        color_weight=data.draw(st.sampled_from([0.0, 0.1, 100.0])),
        regularity=data.draw(st.sampled_from([0.0, 0.5, 1.0])),
        n_segments=n_segments,
        spacing=spacing,
    )
    placement = data.draw(st.sampled_from(["low-gradient", "hexagonal", "grid"]))
    assert_partition(grow_superpixels(field, n_segments, placement=placement).labels, n_segments)


def test_as_many_superpixels_as_pixels():
    field = noise_slowness((7, 9))
    assert_partition(grow_superpixels(field, 63).labels, 63)


@pytest.mark.parametrize("n_segments", [0, -3, 82])
def test_an_impossible_number_is_refused(n_segments):
    with pytest.raises(ValueError, match=f"{n_segments} superpixels do not fit into 81 pixels"):
        find_seeds(noise_slowness((9, 9)), n_segments)


def test_given_seeds_keep_their_order(edge):
    seeds = np.array([[edge - 1, edge - 1], [0, 0], [edge // 2, 3]])
    field = noise_slowness((edge, edge))
    superpixels = march_from(field, given_seeds(field, seeds))
    assert_partition(superpixels.labels, 3)
    np.testing.assert_array_equal(superpixels.seeds, seeds)
    np.testing.assert_array_equal(superpixels.labels[tuple(seeds.T)], [1, 2, 3])


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        ([[0, 0], [9, 1]], r"inside the image of shape \(9, 9\); received \(9, 1\)"),
        ([[0, 0], [-1, 1]], "inside the image"),
        ([[2, 2], [2, 2]], "different pixels"),
        ([[1, 2, 3]], r"shape \(K, 2\)"),
        (np.empty((0, 2)), "at least 1"),
    ],
)
def test_bad_seeds_are_refused(seeds, message):
    with pytest.raises(ValueError, match=message):
        given_seeds(noise_slowness((9, 9)), np.array(seeds))


def test_a_mask_bounds_everything(edge):
    mask = np.zeros((edge, edge), bool)
    mask[2 : edge // 2, 3 : edge // 2] = True
    mask[edge // 2 + 2 : -2, edge // 2 :] = True
    field = noise_slowness((edge, edge), mask=mask)
    labels = grow_superpixels(field, 12).labels
    np.testing.assert_array_equal(labels > 0, mask)
    np.testing.assert_array_equal(np.unique(labels), np.arange(13))
    with pytest.raises(ValueError, match="inside the mask"):
        given_seeds(field, np.array([[0, 0]]))


def test_parts_cut_off_get_a_superpixel_each(edge):
    mask = np.zeros((edge, edge), bool)
    mask[::4, ::4] = True
    field = noise_slowness((edge, edge), mask=mask)
    assert grow_superpixels(field, 1).labels.max() == mask.sum()


def test_superpixels_follow_a_colour_border(edge):
    features = np.zeros((edge, edge, 3), np.float32)
    border = edge // 2 + 3
    features[:, border:] = 60
    labels = grow_superpixels(label_slowness(features, color_weight=0.3), 20).labels
    for label in range(1, 21):
        columns = np.nonzero(labels == label)[1]
        assert columns.max() < border or columns.min() >= border


@pytest.mark.skipif(not IS_COMPILED, reason="an image this small has no room for detail")
def test_refinement_puts_seeds_where_detail_is(edge):
    features = np.zeros((edge, edge, 1), np.float32)
    patch = edge // 8
    patches = np.random.default_rng(0).random((8, 4))
    features[:, edge // 2 :, 0] = 80 * np.kron(patches, np.ones((patch, patch)))
    field = label_slowness(features, color_weight=0.3)
    seeds = grow_superpixels(field, 30, refine_start=0.4).seeds
    assert np.mean(seeds[:, 1] >= edge // 2) > 0.6


def test_arrival_of_a_volume_honours_spacing():
    edge = 9 if IS_COMPILED else 5
    field = label_slowness(np.zeros((edge, edge, edge, 1), np.float32), color_weight=1.0, spacing=(3.0, 1.0, 1.0))
    arrival = march_from(field, given_seeds(field, np.array([[0, 0, 0]]))).arrival
    np.testing.assert_allclose(arrival[:, 0, 0], 3.0 * np.arange(edge), rtol=1e-5)
    np.testing.assert_allclose(arrival[0, 0, :], 1.0 * np.arange(edge), rtol=1e-5)


@pytest.mark.skipif(not IS_COMPILED, reason="large enough to be slow as plain Python")
def test_no_seed_is_wasted_on_a_border():
    """Bright disks on a dark ground, their rims blurred: coarse regions on the rims have a colour that is nowhere."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:300, :300]
    image = np.zeros((300, 300))
    for center in rng.uniform(20, 280, (25, 2)):
        distance = np.hypot(rows - center[0], columns - center[1])
        image = np.maximum(image, 1 / (1 + np.exp((distance - 14) / 0.8)))
    features = (100 * image[..., None]).astype(np.float32)
    boundary = (4 * image * (1 - image)).astype(np.float32)
    slowness = label_slowness(features, "quadratic", color_weight=1.2, edge_weight=200, boundary=boundary)
    labels = grow_superpixels(slowness, 150).labels
    areas = np.bincount(labels.ravel(), minlength=151)[1:]
    assert (areas > 0).all()
    assert np.count_nonzero(areas <= 5) <= 3, areas
