"""The scikit-fmm solver gives the same kind of partition."""

import sys

import numpy as np
import pytest

from napari_superpixels.core.fmm import march_scikit_fmm, travel_time
from napari_superpixels.core.slowness import constant_slowness
from napari_superpixels.core.superpixels import find_seeds, given_seeds, march_from
from napari_superpixels.errors import MissingPackageError

from .conftest import assert_partition, noise_slowness, smooth_noise


def test_exactly_k_connected_superpixels():
    field = noise_slowness((60, 70), edge_weight=2.0, boundary=smooth_noise((60, 70), 9))
    superpixels = march_scikit_fmm(field, find_seeds(field, 25))
    assert_partition(superpixels.labels, 25)
    np.testing.assert_array_equal(superpixels.labels[tuple(superpixels.seeds.T)], np.arange(1, 26))


def test_the_two_solvers_agree_on_a_label_independent_slowness():
    field = constant_slowness(0.5 + 4 * smooth_noise((80, 90), 3, sigma=6))
    seeds = given_seeds(field, np.array([[10, 10], [60, 20], [40, 70], [15, 60]]))
    ours, theirs = march_from(field, seeds), march_scikit_fmm(field, seeds)
    assert np.mean(ours.labels == theirs.labels) > 0.97


def test_mask_and_spacing():
    mask = np.ones((30, 40), bool)
    mask[:, 20] = False
    arrival = travel_time(np.ones((30, 40)), np.array([[15, 2]]), mask=mask, spacing=(1.0, 2.0))
    assert np.isinf(arrival[:, 20]).all()
    assert arrival[15, 12] == pytest.approx(20, abs=1.5)


def test_barriers_are_refused():
    field = noise_slowness((20, 20), zones=np.tri(20, dtype=int))
    with pytest.raises(ValueError, match="knows no barriers"):
        march_scikit_fmm(field, find_seeds(field, 4))


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "skfmm", None)
    with pytest.raises(MissingPackageError, match="pip install scikit-fmm"):
        travel_time(np.ones((3, 3)), np.array([[1, 1]]))
