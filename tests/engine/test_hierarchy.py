from itertools import pairwise

import numpy as np
import pytest

from napari_superpixels.engine.hierarchy import Hierarchy

from .following import Followed


@pytest.fixture
def followed(color_blocks):
    followed = Followed(color_blocks, n_segments=48)
    followed.hierarchy = Hierarchy(followed)
    followed.start()
    yield followed
    followed.close()


@pytest.fixture
def hierarchy(followed):
    return followed.hierarchy


def block_of(labels):
    """Return the block of one colour that most pixels of each label lie in."""
    blocks = np.kron(np.arange(12).reshape(3, 4), np.ones((20, 20), int))
    return {k: np.bincount(blocks[labels == k]).argmax() for k in np.unique(labels)}


def test_blocks_of_one_colour_are_a_level(followed, hierarchy):
    # 48 superpixels on 12 blocks: exactly 12 regions lie at this level.
    level = np.log(48 / 12) / np.log(48)
    assert hierarchy.n_regions(level) == 12
    coarse = hierarchy.lut(level)[followed.labels]
    assert len(np.unique(coarse)) == 12
    home = block_of(followed.labels)
    for label, block in home.items():
        group = hierarchy.group(label, level)
        assert {home[k] for k in group} == {block}
        np.testing.assert_array_equal(np.unique(followed.labels[coarse == coarse[followed.labels == label][0]]), group)


def test_ends_of_the_scale(followed, hierarchy):
    assert hierarchy.n_regions(0) == 48
    np.testing.assert_array_equal(hierarchy.lut(0), np.arange(49))
    np.testing.assert_array_equal(hierarchy.group(7, 0), [7])
    assert hierarchy.n_regions(1) == 1
    np.testing.assert_array_equal(hierarchy.group(7, 1), np.arange(1, 49))


def test_selection_grows_and_shrinks_along_one_way(followed, hierarchy):
    selection = np.array([13])
    way = [selection]
    while len(selection) < 48:
        larger = hierarchy.grow(selection, 13)
        assert set(selection) < set(larger)
        way.append(selection := larger)
    assert hierarchy.grow(selection, 13).tolist() == selection.tolist()
    sizes = [np.isin(followed.labels, step).sum() for step in way]
    assert all(b >= 1.25 * a for a, b in pairwise(sizes[:-1]))
    for expected in way[-2::-1]:
        selection = hierarchy.shrink(selection, 13)
        np.testing.assert_array_equal(selection, expected)
    np.testing.assert_array_equal(hierarchy.shrink(selection, 13), [13])


def test_edit_changes_the_levels(followed, hierarchy):
    changes = []
    hierarchy.changed.connect(lambda: changes.append(hierarchy.is_ready))
    first, second = (int(k) for k in followed.model.graph.edges[0])
    assert second in hierarchy.neighbors(first)
    followed.labels[followed.labels == second] = first
    followed.note_labels(np.s_[:, :])
    assert changes == [True]
    assert hierarchy.n_regions(0) == 47
    assert hierarchy.lut(0)[second] == 0
    assert second not in hierarchy.group(first, 0.9)
    followed.set_plane(None)
    assert changes == [True, False]


def test_without_a_model_each_superpixel_is_alone(color_blocks):
    followed = Followed(color_blocks)
    hierarchy = Hierarchy(followed)
    assert not hierarchy.is_ready
    assert hierarchy.n_regions(0.5) == 0
    assert hierarchy.lut(0.5).tolist() == [0]
    for selection in (hierarchy.group(5, 0.5), hierarchy.grow([5], 5), hierarchy.shrink([5], 5)):
        assert selection.tolist() == [5]
    assert hierarchy.neighbors(5).tolist() == []
    followed.close()


def test_unknown_label_is_alone(hierarchy):
    assert hierarchy.group(4711, 0.5).tolist() == [4711]
    assert hierarchy.grow([4711], 4711).tolist() == [4711]


@pytest.mark.parametrize("level", [-0.1, 1.01, float("nan")])
def test_level_outside_the_scale_is_refused(hierarchy, level):
    for ask in (hierarchy.lut, hierarchy.n_regions, lambda x: hierarchy.group(1, x)):
        with pytest.raises(ValueError, match="level must lie from 0"):
            ask(level)
