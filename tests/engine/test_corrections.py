"""Corrections by hand, and their replay on other superpixels."""

import json

import numpy as np
import pytest
from skimage.measure import label as connected_components

from napari_superpixels.core.slowness import label_slowness
from napari_superpixels.core.strokes import pixel_path
from napari_superpixels.core.superpixels import grow_superpixels
from napari_superpixels.engine.corrections import (
    AddSeed,
    Assign,
    Cut,
    Merge,
    RemoveSeed,
    Split,
    apply_correction,
    from_json,
    holds,
    replay,
    seed_added_at,
    seed_removed_at,
    to_json,
    write_patch,
)

EDGE = 60


def path(*points):
    return tuple(map(tuple, pixel_path(points, (EDGE, EDGE)).tolist()))


def assert_connected(labels):
    numbers = np.unique(labels[labels > 0])
    assert connected_components(labels, connectivity=1, background=0).max() == numbers.size


def corrected(correction, labels, slowness=None, keep=()):
    """Return labels after a correction that must have an effect and must hold."""
    patch = apply_correction(correction, labels, slowness, int(labels.max()) + 1, keep=keep)
    assert patch is not None
    after = labels.copy()
    write_patch(after, patch, 0)
    assert holds(correction, after)
    assert_connected(after)
    assert apply_correction(correction, after, slowness, int(after.max()) + 1) is None
    return after


@pytest.fixture(scope="module")
def quarters():
    labels = np.ones((EDGE, EDGE), np.int32)
    labels[:, EDGE // 2 :] += 1
    labels[EDGE // 2 :] += 2
    return labels


@pytest.fixture(scope="module")
def slowness():
    features = np.zeros((EDGE, EDGE, 1), np.float32)
    features[:, :20] = 50
    return label_slowness(features, color_weight=1.0)


def test_a_merge_takes_all_that_its_path_crosses(quarters):
    after = corrected(Merge(path((5, 5), (5, 50), (50, 50))), quarters)
    np.testing.assert_array_equal(after, np.where(quarters == 3, 3, 1))


def test_a_split_follows_the_edge(quarters, slowness):
    after = corrected(Split((path((10, 5)), path((12, 27)))), quarters, slowness)
    np.testing.assert_array_equal(after[:30, :20], 1)
    np.testing.assert_array_equal(after[:30, 20:30], 5)
    np.testing.assert_array_equal(after[30:], quarters[30:])


def test_a_cut_that_ends_inside_is_a_border_along_its_length(quarters):
    cut = Cut(path((10, 5), (10, 20)))
    after = corrected(cut, quarters)
    assert np.all(after[10, 5:21] != after[11, 5:21])


def test_corrections_survive_storage():
    made = [
        Merge(path((1, 1), (1, 3))),
        Split((path((1, 1)), path((5, 5), (5, 8)))),
        Cut(path((1, 1), (4, 4))),
        Assign(path((1, 1), (4, 4)), (1, 1)),
        AddSeed((3, 3), (9, 9)),
        RemoveSeed(path((1, 1), (1, 3))),
    ]
    for correction in made:
        again = from_json(json.loads(json.dumps(to_json(correction))))
        assert again == correction
        assert hash(again) == hash(correction)


def test_a_replay_does_what_was_done_by_hand(slowness):
    base = np.array(grow_superpixels(slowness, 30).labels)
    acts = [Merge(path((5, 5), (20, 30))), Cut(path((40, 5), (40, 55))), Split((path((50, 50)), path((55, 55))))]
    labels, next_label = base.copy(), int(base.max()) + 1
    for i, act in enumerate(acts):
        patch = apply_correction(act, labels, slowness, next_label, keep=acts[:i])
        if patch is not None:
            next_label = write_patch(labels, patch, next_label)
    replayed, lost = replay(acts, base, slowness)
    np.testing.assert_array_equal(replayed, labels)
    assert lost == ()


def test_a_new_seed_takes_its_share(quarters):
    added = seed_added_at(quarters, (2, 2))
    after = corrected(added, quarters)
    assert after[2, 2] == 5
    assert after[28, 28] == 1
    assert 20 < np.count_nonzero(after == 5) < 450


def test_a_removed_seed_leaves_its_pixels_to_its_neighbours(quarters):
    removed = seed_removed_at(quarters, (5, 20), None)
    after = corrected(removed, quarters)
    np.testing.assert_array_equal(np.unique(after), [2, 3, 4])
    np.testing.assert_array_equal(after[quarters > 1], quarters[quarters > 1])
    assert after[5, 20] == 2
    assert after[20, 5] == 3


def test_a_seed_needs_room_and_a_neighbour_to_leave_to():
    labels = np.zeros((5, 5), np.int32)
    labels[2, 2] = 1
    for point in ((2, 2), (0, 0), (9, 9)):
        assert seed_added_at(labels, point) is None
        assert seed_removed_at(labels, point, None) is None


def test_a_moved_boundary_stops_at_the_edge(quarters, slowness):
    after = corrected(Assign(path((40, 40), (10, 25)), (40, 40)), quarters, slowness)
    assert np.all(after[:30, :20] == 1)
    assert np.count_nonzero(after[:30, 20:30] == 4) > 100
    assert np.all(after[quarters == 4] == 4)
