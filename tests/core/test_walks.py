"""Walks stay inside, miss nothing and never jump."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.measure import label

from napari_superpixels.core.walks import border_walks, walk_through

masks = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.booleans())


@settings(deadline=None)
@given(masks, st.integers(0, 2**32 - 1))
def test_a_walk_visits_everything_wanted_and_nothing_outside(mask, seed):
    region = label(mask, connectivity=1) == 1
    wanted = region & (np.random.default_rng(seed).random(mask.shape) < 0.4)
    if not wanted.any():
        return
    path = walk_through(region, wanted)
    visited = np.zeros(mask.shape, bool)
    visited[tuple(path.T)] = True
    assert not (wanted & ~visited).any()
    assert not (visited & ~region).any()
    assert (np.abs(np.diff(path, axis=0)).sum(axis=1) == 1).all()
    assert len(path) < 2 * visited.sum()


def test_a_walk_keeps_to_what_is_wanted():
    wanted = np.zeros((5, 5), bool)
    wanted[0] = wanted[:, 4] = True
    path = walk_through(np.ones((5, 5), bool), wanted)
    assert path.tolist() == [[0, 0], [0, 1], [0, 2], [0, 3], [0, 4], [1, 4], [2, 4], [3, 4], [4, 4]]


def test_nothing_to_visit():
    with pytest.raises(ValueError, match="no pixel"):
        walk_through(np.ones((2, 2), bool), np.zeros((2, 2), bool))


def test_walks_along_the_borders_of_parts():
    parts = np.array([[1, 1, 2, 2], [1, 1, 2, 2], [0, 1, 3, 3]])
    visited = [{tuple(pixel) for pixel in path.tolist()} for path in border_walks(parts)]
    assert visited == [{(0, 1), (1, 1), (2, 1)}, {(0, 2), (1, 2), (1, 3)}, {(2, 2), (2, 3)}]
