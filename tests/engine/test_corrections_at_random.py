"""What must hold for any strokes on any superpixels."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import label as connected_components

from napari_superpixels.core.slowness import label_slowness
from napari_superpixels.core.strokes import pixel_path
from napari_superpixels.core.superpixels import grow_superpixels
from napari_superpixels.engine.corrections import (
    Assign,
    Cut,
    Merge,
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

EDGE = 80
SEEDS = range(12)
#: Cuts that cross each other, and sets of pixels that overlap, which once cost a correction.
ENTANGLED = (28, 92, 156, 167, 219)


def make_slowness(rng, mask):
    features = 400 * ndimage.gaussian_filter(rng.random((EDGE, EDGE, 3)), (3, 3, 0)).astype(np.float32)
    boundary = ndimage.gaussian_filter(rng.random((EDGE, EDGE)), 3).astype(np.float32)
    boundary = np.clip(4 * (boundary - boundary.min()) / np.ptp(boundary) - 2.5, 0, 1)
    return label_slowness(features, color_weight=1.2, edge_weight=200.0, boundary=boundary, mask=mask)


def random_stroke(rng, n_turns, reach):
    """Return a path that may leave the image, close and cross itself."""
    points = [rng.integers(-3, EDGE + 3, 2)]
    for _ in range(n_turns):
        points.append(points[-1] + rng.integers(-reach, reach + 1, 2))
    return pixel_path(points, (EDGE, EDGE))


def random_scribbles(rng):
    middle = rng.integers(0, EDGE, 2)
    scribbles = []
    for _ in range(rng.integers(2, 4)):
        points = np.cumsum([middle + rng.integers(-8, 9, 2), *rng.integers(-4, 5, (rng.integers(0, 3), 2))], axis=0)
        scribbles.append(pixel_path(np.clip(points, 0, EDGE - 1), (EDGE, EDGE)))
    return Split(tuple(scribbles))


def random_act(rng, labels, slowness, kept):
    """Return any correction, or None where there is none to make."""
    choice = rng.integers(6)
    point = tuple(rng.integers(0, EDGE, 2).tolist())
    path = random_stroke(rng, rng.integers(1, 5), rng.choice([5, 20, 40]))
    if choice == 0:
        return random_scribbles(rng)
    if choice == 1:
        return seed_added_at(labels, point)
    if choice == 2:
        return seed_removed_at(labels, point, slowness, keep=kept)
    if len(path) < 2:
        return None
    if choice == 3:
        return Merge(path)
    return Cut(path) if choice == 4 else Assign(path[1:], path[0])


def assert_partition(labels, mask):
    np.testing.assert_array_equal(labels > 0, mask)
    parts = connected_components(labels, connectivity=1, background=0)
    assert parts.max() == np.count_nonzero(np.bincount(labels.ravel())[1:])


def scene(seed):
    rng = np.random.default_rng(seed)
    mask = np.ones((EDGE, EDGE), bool)
    if seed % 3 == 2:
        noise = ndimage.gaussian_filter(rng.random((EDGE, EDGE)), 4)
        mask = noise < np.quantile(noise, 0.8)
    slowness = make_slowness(rng, mask)
    return rng, mask, slowness, np.array(grow_superpixels(slowness, 60).labels)


@pytest.mark.parametrize("seed", SEEDS)
def test_any_act_changes_only_what_it_opens_and_holds(seed):
    rng, mask, slowness, labels = scene(seed)
    next_label, kept = int(labels.max()) + 1, []
    for _ in range(25):
        act = random_act(rng, labels, slowness, kept)
        if act is None:
            continue
        before = labels.copy()
        patch = apply_correction(act, labels, slowness, next_label, keep=kept)
        again = apply_correction(from_json(to_json(act)), labels, slowness, next_label, keep=kept)
        np.testing.assert_array_equal(labels, before)
        if patch is None:
            assert again is None
            assert holds(act, labels) or isinstance(act, Split)
            continue
        assert patch.box == again.box
        np.testing.assert_array_equal(patch.labels, again.labels)
        next_label = write_patch(labels, patch, next_label)
        assert holds(act, labels)
        assert_partition(labels, mask)
        touched = np.unique(
            before[tuple(act.pixels[np.all(act.pixels < EDGE, axis=1) & np.all(act.pixels >= 0, axis=1)].T)]
        )
        assert set(np.unique(before[labels != before])) <= set(touched)
        assert apply_correction(act, labels, slowness, next_label, keep=kept) is None
        kept = [earlier for earlier in (*kept, act) if holds(earlier, labels)]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_replay_on_the_same_superpixels_gives_the_same_labels(seed):
    rng, _, slowness, base = scene(seed)
    labels, next_label, kept = base.copy(), int(base.max()) + 1, ()
    for _ in range(25):
        act = random_act(rng, labels, slowness, kept)
        if act is None:
            continue
        patch = apply_correction(act, labels, slowness, next_label, keep=kept)
        after = labels.copy()
        if patch is not None:
            after_next = write_patch(after, patch, next_label)
        if not all(holds(correction, after) for correction in (*kept, act)):
            continue
        if patch is not None:
            labels, next_label = after, after_next
        kept = (*kept, act)
    assert len(kept) > 5
    replayed, lost = replay(kept, base, slowness)
    assert lost == ()
    np.testing.assert_array_equal(replayed, labels)


@pytest.mark.parametrize("seed", [*SEEDS, *ENTANGLED])
def test_all_corrections_hold_on_other_superpixels(seed):
    rng, mask, slowness, labels = scene(seed)
    next_label, kept = int(labels.max()) + 1, ()
    for _ in range(25):
        act = random_act(rng, labels, slowness, kept)
        if act is None:
            continue
        patch = apply_correction(act, labels, slowness, next_label, keep=kept)
        if patch is not None:
            next_label = write_patch(labels, patch, next_label)
        kept = tuple(correction for correction in (*kept, act) if holds(correction, labels))
    for n_segments in (20, 100):
        base = grow_superpixels(slowness, n_segments).labels
        replayed, lost = replay(kept, base, slowness)
        assert lost == ()
        assert all(holds(correction, replayed) for correction in kept)
        assert_partition(replayed, mask)
