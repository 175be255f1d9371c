"""Outlines of regions: exact, simple, and filled to the same pixels by other programs too."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.path import Path as MatplotlibPath
from pycocotools import mask as coco_mask
from skimage.draw import polygon2mask
from skimage.measure import label

from napari_superpixels.data.polygons import Outline, fill, trace

small_images = arrays(np.int8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 2))


def pixels(rings, shape: tuple[int, int]) -> np.ndarray:
    box, mask = fill(rings, shape)
    image = np.zeros(shape, bool)
    image[box] = mask
    return image


def signed_area(ring: np.ndarray) -> float:
    (x, y), (next_x, next_y) = ring.T, np.roll(ring, -1, axis=0).T
    return float(np.sum(x * next_y - next_x * y)) / 2


def inside_by_matplotlib(outline: Outline, shape: tuple[int, int]) -> np.ndarray:
    """Return the pixels whose centres lie in an odd number of rings, asked one by one."""
    rows, columns = np.indices(shape)
    centres = np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], axis=1)
    rings = (outline.outer, *outline.holes)
    counts = sum(MatplotlibPath(np.concatenate([r, r[:1]]), closed=True).contains_points(centres) for r in rings)
    return (counts % 2 == 1).reshape(shape)


@settings(max_examples=300, deadline=None)
@given(small_images)
def test_outlines_hold_exactly_their_pixels(image: np.ndarray) -> None:
    regions = label(image, connectivity=1, background=0)
    outlines = trace(regions)
    assert list(outlines) == list(range(1, regions.max() + 1))
    for number, outline in outlines.items():
        region = regions == number
        rings = (outline.outer, *outline.holes)
        np.testing.assert_array_equal(pixels(rings, image.shape), region)
        np.testing.assert_array_equal(inside_by_matplotlib(outline, image.shape), region)
        assert sum(signed_area(ring) for ring in rings) == np.count_nonzero(region)
        assert signed_area(outline.outer) > 0
        for ring in rings:
            assert len({tuple(point) for point in ring.tolist()}) == len(ring), "a ring touches itself"
            steps = np.diff(ring, axis=0, append=ring[:1])
            assert np.all((steps == 0).sum(axis=1) == 1)
            assert np.all((steps[:, 0] == 0) != (np.roll(steps, 1, axis=0)[:, 0] == 0)), "a point is no corner"


@settings(max_examples=100, deadline=None)
@given(small_images)
def test_pycocotools_draws_the_same_pixels(image: np.ndarray) -> None:
    for outline in trace(label(image, connectivity=1, background=0)).values():
        encoded = coco_mask.frPyObjects([outline.outer.ravel().astype(float).tolist()], *image.shape)
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # pycocotools under numpy 2
            drawn = coco_mask.decode(encoded)[..., 0].astype(bool)
        np.testing.assert_array_equal(drawn, pixels([outline.outer], image.shape))


def test_two_parts_under_one_number_are_refused() -> None:
    with pytest.raises(ValueError, match="Region 4 has several parts"):
        trace(np.array([[4, 0, 4]]))
    with pytest.raises(ValueError, match=r"in a plane; received an array of shape \(2, 2, 2\)"):
        trace(np.ones((2, 2, 2), int))


def test_an_image_without_regions_has_no_outline() -> None:
    assert trace(np.zeros((3, 4), np.int32)) == {}


def test_slanted_polygons_fill_as_in_scikit_image() -> None:
    random = np.random.default_rng(0)
    for _ in range(30):
        ring = random.uniform(2, 38, (7, 2))
        expected = polygon2mask((40, 40), ring[:, ::-1] - 0.5)  # there, pixel centres are whole numbers
        np.testing.assert_array_equal(pixels([ring], (40, 40)), expected)


def test_what_lies_outside_is_cut_off() -> None:
    ring = [[-5, -1e300], [4.4, -5], [4.4, 2.6], [-7, 2.6]]
    expected = np.zeros((4, 6), bool)
    expected[:3, :4] = True
    np.testing.assert_array_equal(pixels([ring], (4, 6)), expected)
    assert not pixels([[[9, 9], [12, 9], [12, 12]]], (4, 6)).any()


@pytest.mark.parametrize("rings", [[], [[[1, 1]]], [[[1, 1], [2, 3]]], [[[1, 1], [1, 1], [1, 1]]]])
def test_rings_without_area_hold_nothing(rings) -> None:
    assert not pixels(rings, (4, 6)).any()
