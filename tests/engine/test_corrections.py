"""Corrections by hand, and their replay on other superpixels."""

import json

import numpy as np
import pytest
from skimage.measure import label as connected_components

from napari_superpixels.core.eikonal import new_cancel_flag
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
from napari_superpixels.errors import CancelledError

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


def test_a_merge_across_a_gap_in_the_stroke_joins_each_stretch(quarters):
    outside = pixel_path([(5, 5), (5, 35), (-30, 35), (-30, 58), (2, 58), (40, 58)], (EDGE, EDGE))
    after = corrected(Merge(outside), quarters)
    np.testing.assert_array_equal(after, np.where(quarters == 3, 3, 1))


def test_corrections_outside_the_mask_demand_nothing(quarters):
    labels = np.where(quarters == 4, 0, quarters).astype(np.int32)
    for correction in (
        Merge(path((40, 40), (50, 50))),
        Cut(path((40, 40), (50, 50))),
        Split((path((40, 40)), path((50, 50)))),
        Assign(path((40, 40), (50, 50)), (40, 40)),
        Merge(((70, 70), (70, 71))),
    ):
        assert holds(correction, labels)
        assert apply_correction(correction, labels, None, 5) is None


def test_a_stroke_across_a_hole_of_the_mask_works_on_both_sides(quarters):
    labels = quarters.copy()
    labels[:, 28:32] = 0
    after = corrected(Merge(path((5, 5), (40, 5), (40, 50), (5, 50))), labels)
    assert np.unique(after).size == 3
    assert after[5, 5] == after[40, 5]
    assert after[5, 50] == after[40, 50]
    after = corrected(Cut(path((10, 2), (10, 58))), labels)
    np.testing.assert_array_equal(after == 0, labels == 0)


@pytest.mark.parametrize("turn", [1, -1])
def test_a_closed_cut_encloses(quarters, turn):
    corners = [(5, 5), (5, 25), (20, 25), (20, 5), (5, 5)]
    after = corrected(Cut(path(*corners[::turn])), quarters)
    assert after[12, 12] != after[2, 2]
    assert np.unique(after[8:18, 8:22]).size == 1


def test_a_cut_that_crosses_itself_is_a_border_all_along(quarters):
    eight = Cut(path((5, 5), (25, 25), (5, 25), (25, 5)))
    after = corrected(eight, quarters)
    pairs = eight.apart
    assert np.all(after[tuple(pairs[:, 0].T)] != after[tuple(pairs[:, 1].T)])


def test_a_cut_of_one_pixel_is_none(quarters):
    cut = Cut(path((5, 5)))
    assert holds(cut, quarters)
    assert apply_correction(cut, quarters, None, 5) is None


def test_a_wobbling_cut_along_a_border_leaves_no_slivers(quarters):
    after = corrected(Cut(path((2, 28), (10, 31), (20, 28), (28, 31))), quarters)
    np.testing.assert_array_equal(np.unique(after), [1, 2, 3, 4])
    assert np.count_nonzero(after != quarters) < 60


def test_a_merge_over_a_cut_breaks_it(quarters):
    cut = Cut(path((10, 2), (10, 20)))
    after = corrected(cut, quarters)
    after = corrected(Merge(path((5, 5), (15, 5))), after, keep=[cut])
    assert not holds(cut, after)
    assert np.unique(after).size == 4


def test_a_later_cut_leaves_a_merge_whole(quarters):
    merge = Merge(path((5, 5), (5, 55)))
    after = corrected(merge, quarters)
    cut = Cut(path((28, 2), (28, 20)))
    kept = corrected(cut, after, keep=[merge])
    assert holds(merge, kept)


def test_a_boundary_moves_up_to_a_cut_and_not_beyond(quarters):
    cut = Cut(path((2, 20), (27, 20)))
    after = corrected(cut, quarters)
    moved = corrected(Assign(path((40, 10), (15, 10)), (40, 10)), after, keep=[cut])
    assert holds(cut, moved)


def test_pixels_painted_apart_are_joined_to_the_anchor(quarters):
    dabs = [(row, column) for row in (40, 41) for column in (40, 41, 50, 51)]
    after = corrected(Assign(dabs, (5, 5)), quarters)
    assert all(after[pixel] == 1 for pixel in dabs)


def test_one_pixel_superpixels_are_merged_taken_and_removed(quarters):
    labels = quarters.copy()
    labels[10, 10] = 5
    assert np.array_equal(corrected(Merge(path((10, 11), (10, 10))), labels), quarters)
    assert np.array_equal(corrected(Assign(path((10, 10)), (10, 11)), labels), quarters)
    assert np.array_equal(corrected(seed_removed_at(labels, (10, 10), None), labels), quarters)
    assert seed_added_at(labels, (10, 10)) is None


@pytest.mark.parametrize("groups", [(path((5, 5)), path((5, 5))), (path((5, 5), (5, 9)), path((3, 7), (9, 7)))])
def test_a_split_whose_groups_share_a_pixel_is_impossible(quarters, groups):
    split = Split(groups)
    assert apply_correction(split, quarters, None, 5) is None
    assert not holds(split, quarters)
    labels, lost = replay([split], quarters, None)
    np.testing.assert_array_equal(labels, quarters)
    assert lost == (split,)


def test_a_scribble_that_the_mask_divides_stays_on_both_sides(quarters):
    labels = quarters.copy()
    labels[:, 28:32] = 0
    after = corrected(Split((path((10, 5), (10, 55)), path((20, 5), (20, 55)))), labels)
    np.testing.assert_array_equal(after == 0, labels == 0)
    assert np.unique(after).size == 7


def test_a_split_between_neighbouring_pixels(quarters):
    after = corrected(Split((path((5, 5)), path((5, 6)), path((6, 5)))), quarters)
    assert np.unique(after).size == 6


def test_a_scribble_that_slips_out_leaves_its_neighbour_alive(quarters):
    after = corrected(Split((path((10, 10), (10, 31)), path((25, 10)))), quarters)
    assert after[10, 31] == after[10, 10]
    assert np.count_nonzero(after == 2) > 400


def test_the_mask_does_not_change(quarters):
    labels = np.where(np.indices((EDGE, EDGE)).sum(axis=0) % 17 < 12, quarters, 0)
    parts = connected_components(labels, connectivity=1, background=0).astype(np.int32)
    after, lost = replay([Merge(path((9, 2), (50, 50))), Cut(path((2, 50), (6, 2)))], parts, None)
    assert lost == ()
    np.testing.assert_array_equal(after == 0, parts == 0)


def test_a_replay_can_be_cancelled(quarters):
    cancel = new_cancel_flag()
    cancel[0] = 1
    with pytest.raises(CancelledError):
        replay([Merge(path((5, 5), (5, 50)))], quarters, None, cancel=cancel)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({"kind": "melt", "path": [[1, 1]]}, "received 'melt'"),
        ([1], r"received \[1\]"),
        ({"kind": "merge"}, r"exactly \['path'\]; received \[\]"),
        ({"kind": "merge", "path": [[1, 1]], "colour": 3}, r"received \['colour', 'path'\]"),
        ({"kind": "merge", "path": [[1.5, 1]]}, "whole numbers"),
        ({"kind": "merge", "path": []}, "one or more pixels"),
        ({"kind": "merge", "path": [[1, 1], [1]]}, "one or more pixels"),
        ({"kind": "cut", "path": [[-1, 1]]}, "inside the image"),
        ({"kind": "split", "groups": [[[1, 1]]]}, "two or more groups"),
        ({"kind": "assign", "path": [[1, 1]], "anchor": "x"}, "anchor must be"),
    ],
)
def test_what_is_no_correction_is_refused(stored, message):
    with pytest.raises(ValueError, match=message):
        from_json(stored)
