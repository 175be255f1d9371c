"""The solver against geometry, scikit-fmm and itself."""

import threading

import numpy as np
import pytest
import skfmm

from napari_superpixels.core import eikonal
from napari_superpixels.core.eikonal import new_cancel_flag
from napari_superpixels.core.slowness import constant_slowness
from napari_superpixels.core.superpixels import find_seeds, given_seeds, march_from
from napari_superpixels.errors import CancelledError

from .conftest import IS_COMPILED, assert_partition, noise_slowness, smooth_noise

needs_speed = pytest.mark.skipif(not IS_COMPILED, reason="too large for kernels run as plain Python")


def arrival_from(slowness_image, seeds, **options):
    field = constant_slowness(slowness_image, **options)
    return march_from(field, given_seeds(field, np.asarray(seeds)))


@pytest.mark.parametrize("ndim", [2, 3])
def test_constant_slowness_gives_distance(ndim, edge):
    n = edge // (1 if ndim == 2 else 2) // 2 * 2 + 1
    centre = (n // 2,) * ndim
    arrival = arrival_from(np.ones((n,) * ndim, np.float32), [centre]).arrival
    distance = np.sqrt(sum((axis - n // 2) ** 2 for axis in np.indices(arrival.shape)))
    # First order: exact along the axes, at most this much too late along the diagonals.
    assert arrival.min() == 0
    assert np.all(arrival >= distance - 1e-3)
    assert np.all(arrival <= distance + (0.6 if ndim == 2 else 1.2) * (1 + np.log1p(distance)))
    along = arrival[(slice(None), *centre[1:])]
    np.testing.assert_allclose(along, np.abs(np.arange(n) - n // 2), rtol=1e-5)


def test_two_seeds_share_at_the_bisector(edge):
    superpixels = arrival_from(np.full((edge, edge), 2.0, np.float32), [[edge // 2, 0], [edge // 2, edge - 1]])
    np.testing.assert_array_equal(superpixels.labels[:, : edge // 2 - 1], 1)
    np.testing.assert_array_equal(superpixels.labels[:, edge // 2 + 1 :], 2)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (2.0, 1.0), (0.5, 3.0)])
@pytest.mark.parametrize("seed", range(3))
def test_arrival_agrees_with_scikit_fmm(seed, spacing, edge):
    shape = (edge, edge + 7)
    slowness_image = 0.5 + 4 * smooth_noise(shape, seed, sigma=5)
    start = (shape[0] // 3, shape[1] // 2)
    ours = arrival_from(slowness_image, [start], spacing=spacing).arrival
    # The same start for both: the true arrival in the pixels around the seed.
    phi = np.ones(shape)
    phi[start] = -1
    theirs = skfmm.travel_time(phi, 1 / slowness_image.astype(float), dx=list(spacing), order=1)
    theirs = np.asarray(theirs) + ours[start[0], start[1] + 1] - theirs[start[0], start[1] + 1]
    far = np.maximum(np.abs(np.indices(shape)[0] - start[0]), np.abs(np.indices(shape)[1] - start[1])) > 2
    lateness = ours - theirs
    largest = max(spacing) * slowness_image.max()
    assert np.abs(lateness[far]).max() < largest
    assert np.corrcoef(ours[far], theirs[far])[0, 1] > (0.999 if IS_COMPILED else 0.995)


@pytest.mark.parametrize(
    "turn",
    [np.flipud, np.fliplr, np.rot90, np.transpose, lambda a: np.rot90(a, 2)],
    ids=["flipud", "fliplr", "rot90", "transpose", "rot180"],
)
def test_turning_the_image_turns_the_result(turn, edge):
    shape = (edge, edge)
    slowness_image = 0.5 + 3 * smooth_noise(shape, 4)
    position = np.zeros(shape, int)
    seeds = np.argwhere(np.random.default_rng(1).random(shape) < 8 / edge**2)
    position[tuple(seeds.T)] = np.arange(1, len(seeds) + 1)
    turned_position = turn(position)
    turned_seeds = np.argwhere(turned_position)
    order = np.argsort(turned_position[tuple(turned_seeds.T)])
    straight = arrival_from(slowness_image, seeds)
    turned = arrival_from(np.ascontiguousarray(turn(slowness_image)), turned_seeds[order])
    np.testing.assert_allclose(turned.arrival, turn(straight.arrival), rtol=0.01, atol=0.2)
    assert np.mean(turned.labels == turn(straight.labels)) > 0.99


@pytest.mark.parametrize("factor", [0.125, 4.0, 3.7])
def test_slowness_times_c_gives_arrival_times_c(factor, edge):
    slowness_image = 1 + 3 * smooth_noise((edge, edge), 2)
    seeds = [[3, 4], [edge - 4, edge // 2]]
    once = arrival_from(slowness_image, seeds)
    scaled = arrival_from(slowness_image * np.float32(factor), seeds)
    np.testing.assert_allclose(scaled.arrival, once.arrival * factor, rtol=1e-3)
    np.testing.assert_array_equal(scaled.labels, once.labels)


def test_every_pixel_waits_for_a_neighbour_of_its_label(edge):
    """Arrival grows along each front: a pixel's earliest neighbour of the same label is earlier than it."""
    field = noise_slowness((edge, edge))
    superpixels = march_from(field, find_seeds(field, edge // 4))
    padded = np.pad(superpixels.arrival, 1, constant_values=np.inf)
    labels = np.pad(superpixels.labels, 1)
    earliest = np.full(superpixels.labels.shape, np.inf)
    for shift in ((0, 1), (2, 1), (1, 0), (1, 2)):
        window = tuple(slice(s, s + edge) for s in shift)
        same = labels[window] == superpixels.labels
        earliest = np.minimum(earliest, np.where(same, padded[window], np.inf))
    grown = superpixels.arrival > 0
    assert np.all(earliest[grown] < superpixels.arrival[grown])


@needs_speed
@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_the_number_of_threads_changes_nothing(n_threads):
    field = noise_slowness((700, 500))
    seeds = find_seeds(field, 600, n_threads=2)
    expected = march_from(field, seeds, n_threads=2)
    found = march_from(field, find_seeds(field, 600, n_threads=n_threads), n_threads=n_threads)
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.arrival, expected.arrival)


@needs_speed
def test_blocks_give_the_same_as_the_whole(monkeypatch):
    field = noise_slowness((400, 500))
    seeds = find_seeds(field, 300)
    monkeypatch.setattr(eikonal, "_BLOCK_EDGE", 10_000)
    whole = march_from(field, seeds)
    monkeypatch.setattr(eikonal, "_BLOCK_EDGE", 100)
    cut = march_from(field, seeds)
    assert_partition(cut.labels, 300)
    assert np.mean(cut.labels == whole.labels) > 0.999
    assert np.quantile(np.abs(cut.arrival - whole.arrival), 0.999) < 0.2


@needs_speed
def test_blocks_without_seeds_are_filled_from_outside(monkeypatch):
    monkeypatch.setattr(eikonal, "_BLOCK_EDGE", 20)
    monkeypatch.setattr(eikonal, "_BLOCK_LABELS", 0)
    superpixels = arrival_from(np.ones((90, 90), np.float32), [[2, 3]])
    monkeypatch.undo()
    whole = arrival_from(np.ones((90, 90), np.float32), [[2, 3]])
    assert np.all(superpixels.labels == 1)
    np.testing.assert_allclose(superpixels.arrival, whole.arrival, atol=0.5)


def test_barriers_are_never_crossed(edge):
    zones = np.ones((edge, edge), int)
    zones[:, edge // 3 :] = 2
    zones[edge // 2 :, edge // 3 :] = 7
    field = noise_slowness((edge, edge), zones=zones)
    labels = march_from(field, find_seeds(field, 9)).labels
    assert_partition(labels, 9)
    for label in range(1, 10):
        assert np.unique(zones[labels == label]).size == 1


def test_a_stroke_is_entered_but_never_left(edge):
    zones = np.ones((edge, edge), int)
    stroke = slice(0, edge - 1)
    zones[edge // 2, stroke] = 0
    seeds = [[edge // 2 - 2, 1], [edge - 1, edge - 1]]
    superpixels = arrival_from(np.ones((edge, edge), np.float32), seeds, zones=zones)
    assert superpixels.labels[edge // 2, 1] == 1
    detour = arrival_from(np.ones((edge, edge), np.float32), seeds[:1], zones=zones).arrival[edge // 2 + 2, 1]
    assert detour > 1.5 * edge


def test_cancel_stops_the_march(edge):
    field = noise_slowness((edge * 4, edge * 4))
    seeds = find_seeds(field, 20)
    cancel = new_cancel_flag()
    cancel[0] = 1
    with pytest.raises(CancelledError):
        find_seeds(field, 20, cancel=cancel)
    with pytest.raises(CancelledError):
        march_from(field, seeds, cancel=cancel)


@needs_speed
def test_cancel_stops_a_march_under_way():
    field = noise_slowness((3000, 3000))
    seeds = find_seeds(field, 20_000)
    cancel = new_cancel_flag()
    timer = threading.Timer(0.05, lambda: cancel.fill(1))
    timer.start()
    with pytest.raises(CancelledError):
        march_from(field, seeds, cancel=cancel)
