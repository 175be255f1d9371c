"""Strokes and areas drawn by hand."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from skimage.draw import polygon

from napari_superpixels.core.strokes import beside_path, pixel_path, pixels_inside

SHAPE = (20, 30)
coordinates = st.floats(-60, 90, allow_nan=False)
strokes = st.lists(st.tuples(coordinates, coordinates), max_size=12)


@settings(max_examples=200, deadline=None)
@given(strokes)
def test_a_path_steps_from_pixel_to_pixel_inside_the_image(points):
    path = pixel_path(points, SHAPE)
    assert np.all((path >= 0) & (path < SHAPE))
    steps = np.abs(np.diff(path, axis=0)).sum(axis=1)
    assert np.all(steps >= 1)
    inside = [
        np.all(np.floor(np.array(point) + 0.5) >= 0) and np.all(np.floor(np.array(point) + 0.5) < SHAPE)
        for point in points
    ]
    if all(inside):
        assert np.all(steps == 1)
        for point in points:
            assert np.any(np.all(path == np.floor(np.array(point) + 0.5), axis=1))


@settings(max_examples=100, deadline=None)
@given(st.tuples(*[st.integers(0, 19)] * 2), st.tuples(*[st.integers(0, 19)] * 2))
def test_a_path_stays_within_a_pixel_of_the_line(start, end):
    path = pixel_path([start, end], SHAPE)
    assert len(path) == 1 + abs(start[0] - end[0]) + abs(start[1] - end[1])
    along = np.subtract(end, start)
    if along.any():
        apart = np.abs(np.cross(np.append(along, 0), np.c_[path - start, np.zeros(len(path))])[:, 2])
        assert np.all(apart / np.hypot(*along) < 1)


def test_a_path_that_leaves_the_image_jumps_there():
    path = pixel_path([(5, 5), (-5, 5), (-5, 9), (5, 9)], SHAPE)
    steps = np.abs(np.diff(path, axis=0)).sum(axis=1)
    assert (steps > 1).sum() == 1
    assert path[0].tolist() == [5, 5]
    assert path[-1].tolist() == [5, 9]


def test_no_points_give_no_path():
    assert pixel_path([], SHAPE).shape == (0, 2)


@pytest.mark.parametrize("points", [[(1, np.nan)], [1, 2], [(1, 2, 3)]])
def test_what_is_no_stroke_is_refused(points):
    with pytest.raises(ValueError, match=r"finite numbers of shape \(n, 2\)"):
        pixel_path(points, SHAPE)
    with pytest.raises(ValueError, match=r"finite numbers of shape \(n, 2\)"):
        pixels_inside(points, SHAPE)


def drawn(*corners):
    return pixel_path(corners, SHAPE)


def test_the_strip_lies_on_the_right():
    strip, pairs = beside_path(drawn((5, 5), (5, 10)))
    assert {tuple(pixel) for pixel in strip.tolist()} == {(6, column) for column in range(5, 11)}
    assert len(pairs) == 6
    strip, _ = beside_path(drawn((5, 10), (5, 5)))
    assert np.all(strip[:, 0] == 4)


@settings(max_examples=200, deadline=None)
@given(strokes)
def test_pairs_join_the_path_to_its_strip(points):
    path = pixel_path(points, SHAPE)
    strip, pairs = beside_path(path)
    on_path, in_strip = set(map(tuple, path.tolist())), set(map(tuple, strip.tolist()))
    assert not on_path & in_strip
    assert all(tuple(one) in on_path and tuple(other) in in_strip for one, other in pairs.tolist())
    assert np.all(np.abs(pairs[:, 0] - pairs[:, 1]).sum(axis=1) == 1)


def test_a_strip_follows_turns_without_a_gap():
    from skimage.measure import label

    corners = [(2, 2), (2, 15), (12, 20), (12, 5), (6, 8)]
    for path in (drawn(*corners), drawn(*corners[::-1])):
        canvas = np.zeros((SHAPE[0] + 2, SHAPE[1] + 2), bool)
        canvas[tuple((beside_path(path)[0] + 1).T)] = True
        assert label(canvas, connectivity=1).max() == 1


def test_a_rectangle_holds_the_pixels_whose_centres_it_holds():
    box, mask = pixels_inside([(2.4, 3.4), (2.4, 8.6), (6.6, 8.6), (6.6, 3.4)], SHAPE)
    assert box == (slice(3, 7), slice(4, 9))
    assert mask.all()


def test_an_area_is_cut_at_the_image_and_may_be_empty():
    box, mask = pixels_inside([(-50, -50), (-50, 4.2), (3.2, 4.2), (3.2, -50)], SHAPE)
    assert box == (slice(0, 4), slice(0, 5))
    assert mask.all()
    box, mask = pixels_inside([(-9, -9), (-9, -5), (-5, -5)], SHAPE)
    assert mask.size == 0
    assert box == (slice(0, 0), slice(0, 0))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=12))
@example([(0.0, 0.0), (5e-324, 1.0)])
def test_an_area_is_what_scikit_image_fills(corners):
    box, mask = pixels_inside(corners, SHAPE)
    ours = np.zeros(SHAPE, bool)
    ours[box] = mask
    theirs = np.zeros(SHAPE, bool)
    theirs[polygon(*np.transpose(corners), SHAPE)] = True
    if mask.size:
        assert all(mask.any(axis=axis)[[0, -1]].all() for axis in (0, 1))
    # An edge that all but touches a pixel's centre is on either side of it after rounding.
    apart = np.argwhere(ours != theirs)
    ends = np.roll(corners, -1, axis=0)
    assert all(min(distance(pixel, *edge) for edge in zip(corners, ends, strict=True)) < 1e-6 for pixel in apart)


@pytest.mark.parametrize("corners", [[(2, 3), (2, 8), (6, 8), (6, 3)], [(6, 3), (2, 3), (2, 8), (6, 8)], [(2, 3)]])
def test_pixels_on_the_edge_of_an_area_belong_to_it(corners):
    box, mask = pixels_inside(corners, SHAPE)
    last = np.max(corners, axis=0)
    assert box == (slice(2, last[0] + 1), slice(3, last[1] + 1))
    assert mask.all()


def test_an_area_drawn_over_itself_is_inside_where_an_odd_number_of_turns_is():
    square = [(1.5, 1.5), (1.5, 9.5), (9.5, 9.5), (9.5, 1.5)]
    inner = [(3.5, 3.5), (3.5, 6.5), (6.5, 6.5), (6.5, 3.5)]
    box, mask = pixels_inside([*square, square[0], *inner, inner[0]], SHAPE)
    assert box == (slice(2, 10), slice(2, 10))
    assert mask.sum() == 64 - 9
    assert not mask[2:5, 2:5].any()


def distance(pixel, start, end):
    """Return how far a pixel is from a stretch of line."""
    along = np.subtract(end, start)
    length = along @ along
    share = 0.0 if length == 0 else np.clip(np.subtract(pixel, start) @ along / length, 0, 1)
    return np.hypot(*(np.subtract(pixel, start) - share * along))
