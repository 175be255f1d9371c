"""Superpixels opened again and grown from other sources."""

import numpy as np
import pytest
from skimage.measure import label as connected_components

from napari_superpixels.core.regrow import own_seeds, region, regrow, shortest_way
from napari_superpixels.core.slowness import constant_slowness, label_slowness

from .conftest import noise_slowness, smooth_noise

EDGE = 24


def array(*pixels):
    return np.array(pixels, np.int64)


def numbers(*labels):
    return np.array(labels, np.int32)


def halves():
    labels = np.ones((EDGE, EDGE), np.int32)
    labels[:, EDGE // 2 :] = 2
    return labels


def grown(slowness, labels, sources, source_labels, **options):
    """Return the whole image after a regrowth, checked for what always holds."""
    patch = regrow(slowness, labels, sources, source_labels, **{"first_new": int(labels.max()) + 1, **options})
    after = labels.copy()
    after[patch.box] = patch.labels
    opened = np.isin(labels, labels[tuple(sources.T)])
    np.testing.assert_array_equal(after[~opened], labels[~opened])
    assert connected_components(after, connectivity=1, background=0).max() == np.unique(after[after > 0]).size
    return after


def every_slowness():
    features = 100 * np.stack([smooth_noise((EDGE, EDGE), c) for c in range(3)], axis=-1)
    yield "none", None
    yield "constant", constant_slowness(np.ones((EDGE, EDGE), np.float32))
    for law in ("quadratic", "exponential", "ergc"):
        yield law, label_slowness(features, law, color_weight=0.1, n_segments=4)


@pytest.mark.parametrize("slowness", [pytest.param(slowness, id=name) for name, slowness in every_slowness()])
def test_sources_keep_their_labels_under_every_law(slowness):
    sources = array((3, 3), (3, 4), (20, 8), (12, 20))
    after = grown(slowness, halves(), sources, numbers(1, 1, 3, 2))
    assert after[tuple(sources.T)].tolist() == [after[3, 3], after[3, 3], after[20, 8], 2]
    assert after[3, 3] != after[20, 8]


def test_fronts_share_at_the_bisector_where_nothing_slows_them():
    after = grown(None, np.ones((EDGE, EDGE), np.int32), array((12, 4), (12, 19)), numbers(1, 2))
    np.testing.assert_array_equal(after[:, :11], after[12, 4])
    np.testing.assert_array_equal(after[:, 13:], after[12, 19])


def test_fronts_meet_at_a_boundary_that_the_network_sees():
    boundary = np.zeros((EDGE, EDGE), np.float32)
    boundary[:, 17] = 1
    slowness = label_slowness(np.zeros((EDGE, EDGE, 1), np.float32), color_weight=1, edge_weight=200, boundary=boundary)
    after = grown(slowness, np.ones((EDGE, EDGE), np.int32), array((12, 2), (12, 20)), numbers(1, 2))
    assert np.all(after[:, :17] == after[12, 2])
    assert np.all(after[:, 18:] == after[12, 20])


def test_the_references_follow_the_parts():
    features = np.zeros((EDGE, EDGE, 1), np.float32)
    features[:, 8:] = 30
    # A click on an odd pixel does not speak for its superpixel.
    features[12, 20] = 0
    slowness = label_slowness(features, color_weight=1)
    after = grown(slowness, np.ones((EDGE, EDGE), np.int32), array((12, 2), (12, 20)), numbers(1, 2))
    assert np.all(after[:, :8] == after[12, 2])
    assert np.all(after[:, 8:] == after[12, 20])


def test_what_is_to_stay_together_does():
    slowness = noise_slowness((EDGE, EDGE))
    labels = np.ones((EDGE, EDGE), np.int32)
    bar = np.array([(row, 12) for row in range(2, 22)], np.int64)
    rod = np.array([(12, column) for column in range(14, 24)], np.int64)
    after = grown(slowness, labels, array((2, 2), (21, 21)), numbers(1, 2), together=[bar, rod])
    for pixels in (bar, rod):
        assert np.unique(after[tuple(pixels.T)]).size == 1
    alone = grown(slowness, labels, array((2, 2), (21, 21)), numbers(1, 2))
    assert np.unique(alone[tuple(bar.T)]).size == 2


def test_sources_divide_what_they_both_touch():
    bar = np.array([(12, column) for column in range(2, 22)], np.int64)
    after = grown(None, np.ones((EDGE, EDGE), np.int32), bar[[0, -1]], numbers(1, 2), together=[bar])
    assert after[12, 2] != after[12, 21]


def test_parts_that_sources_leave_apart_get_numbers_of_their_own():
    sources = array((12, 2), (12, 21), *[(row, 12) for row in range(EDGE)])
    after = grown(None, np.ones((EDGE, EDGE), np.int32), sources, numbers(1, 1, *[2] * EDGE))
    assert np.unique(after).tolist() == [1, 2, 3]
    assert after[12, 2] != after[12, 21]


def test_a_part_far_from_its_label_gets_a_number_of_its_own():
    labels = np.repeat(np.arange(1, 9, dtype=np.int32), 3)[None].repeat(EDGE, axis=0)
    after = grown(None, labels, array((3, 19), (20, 19)), numbers(7, 1))
    assert after[20, 19] not in (1, 7)
    assert after[20, 1] == 1


def test_the_largest_part_keeps_the_number():
    after = grown(None, halves(), array((1, 1), (12, 6)), numbers(1, 3))
    assert after[12, 6] == 1
    assert after[1, 1] == 3


def test_the_first_of_several_sources_at_a_pixel_counts():
    after = grown(None, halves(), array((1, 1), (1, 1), (12, 20)), numbers(1, 2, 2))
    np.testing.assert_array_equal(after, halves())


def test_a_regrowth_needs_a_source():
    with pytest.raises(ValueError, match="at least one source"):
        regrow(None, halves(), np.empty((0, 2), np.int64), numbers(), first_new=3)


@pytest.mark.parametrize("edge", [1, 5, 60, 200])
def test_a_region_is_found_whatever_its_size(edge):
    labels = np.zeros((210, 230), np.int32)
    labels[4 : 4 + edge, 9 : 9 + edge] = 7
    box, mask = region(labels, (4 + edge // 2, 9))
    assert box == (slice(4, 4 + edge), slice(9, 9 + edge))
    assert mask.all()
    box, mask = region(labels, (0, 0))
    assert box == (slice(0, 210), slice(0, 230))
    np.testing.assert_array_equal(mask, labels == 0)


def test_a_superpixel_grows_on_in_each_large_part_that_is_left():
    labels = np.ones((9, 21), np.int32)
    taken = np.array([(row, 8) for row in range(9)], np.int64)
    seeds = own_seeds(labels, (0, 0), taken)
    assert len(seeds) == 2
    assert {seed < 8 for seed in seeds[:, 1]} == {True, False}
    thin = np.array([(row, 1) for row in range(9)], np.int64)
    assert len(own_seeds(labels, (0, 0), thin)) == 1
    assert len(own_seeds(numbers(0, 1, 0)[None], (0, 1), array((0, 1)))) == 0


def test_a_way_goes_around_what_is_outside():
    inside = np.ones((5, 5), bool)
    inside[:4, 2] = False
    ends = np.zeros((5, 5), bool)
    ends[0, 3:] = True
    way = shortest_way(inside, (0, 1), ends)
    assert way[0].tolist() == [0, 1]
    assert way[-1].tolist() == [0, 3]
    assert len(way) == 11
    assert np.all(inside[tuple(way.T)])


def test_slow_pixels_before_fast_ones_do_not_stop_a_repair():
    # Arrivals so late that single precision loses the steps between the pixels beyond the wall.
    slow = np.ones((EDGE, EDGE), np.float32)
    slow[:, 10] = 1e12
    bar = np.array([(row, 20) for row in range(EDGE)], np.int64)
    slowness = constant_slowness(slow)
    sources = array((3, 3), (20, 3))
    after = grown(slowness, np.ones((EDGE, EDGE), np.int32), sources, numbers(1, 2), together=[bar])
    assert np.unique(after[tuple(bar.T)]).size == 1
