"""Budgets of what follows the superpixels, at 2048 x 2048 with 10 000 of them: ``python -m pytest -m benchmark``.

Nothing else should be running.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_superpixels.core.eikonal import new_cancel_flag
from napari_superpixels.core.merge_tree import merge_tree
from napari_superpixels.core.region_graph import region_graph
from napari_superpixels.engine.doubt import Doubt
from napari_superpixels.engine.hierarchy import Hierarchy
from napari_superpixels.engine.pipeline import Pipeline
from napari_superpixels.engine.region_follower import RegionFollower
from napari_superpixels.engine.region_model import PlaneMaps, region_model
from napari_superpixels.engine.resolve import ImageInput
from napari_superpixels.engine.suggestions import class_probabilities
from napari_superpixels.evaluation.speed_methods import tiled_astronaut
from napari_superpixels.params import SegmentParams

pytestmark = pytest.mark.benchmark
K = 10_000


def median_ms(call: Callable[[], Any], n: int = 9) -> float:
    call()
    seconds = []
    for _ in range(n):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return 1000 * float(np.median(seconds))


@pytest.fixture(scope="module")
def follower() -> Any:
    pixels = tiled_astronaut(2048)
    result = Pipeline().run(ImageInput(pixels, source="a", key="a"), SegmentParams(model=None, n_segments=K))
    follower = RegionFollower(lambda function: function())
    follower.set_plane(result, np.array(result.superpixels.labels, order="C"))
    deadline = time.monotonic() + 120
    while not follower.is_ready and time.monotonic() < deadline:
        time.sleep(0.01)
    yield follower
    follower.close()


def test_graph_and_tree(follower: RegionFollower) -> None:
    maps, labels = follower.model.plane.maps, follower._labels
    assert median_ms(lambda: merge_tree(region_graph(labels, maps.flattened, maps.boundary))) <= 150


def test_whole_model(follower: RegionFollower) -> None:
    plane: PlaneMaps = follower.model.plane
    assert median_ms(lambda: region_model(plane, follower._labels, new_cancel_flag())) <= 250


def test_edit_of_five_superpixels(follower: RegionFollower) -> None:
    rng, labels, box = np.random.default_rng(0), follower._labels, None
    seconds = []
    for _ in range(30):
        top, left = rng.integers(100, 1900, 2)
        box = np.s_[top - 40 : top + 80, left - 40 : left + 80]
        touched = np.unique(labels[top : top + 40, left : left + 40])[:5]
        labels[box][np.isin(labels[box], touched)] = touched[0]
        start = time.perf_counter()
        follower.note_labels(box)
        seconds.append(time.perf_counter() - start)
    assert 1000 * np.median(seconds[1:]) <= 5


def test_levels(follower: RegionFollower) -> None:
    hierarchy = Hierarchy(follower)
    label = int(follower.model.tree.labels[K // 2])
    assert median_ms(lambda: hierarchy.group(label, 0.4), 99) <= 0.2
    assert median_ms(lambda: hierarchy.lut(0.4), 99) <= 1


def test_next_doubtful(follower: RegionFollower) -> None:
    doubt = Doubt(follower)
    classes = np.random.default_rng(0).integers(0, 3, K + 1).astype(np.uint8)

    def after_a_stroke() -> None:
        doubt.set_classes(classes)
        doubt.next_doubtful()

    assert median_ms(after_a_stroke) <= 2
    assert median_ms(doubt.next_doubtful, 99) <= 0.1


def test_suggestions_for_5000(follower: RegionFollower) -> None:
    rng = np.random.default_rng(0)
    classes = np.zeros(5001, np.uint8)
    classes[rng.integers(1, 5001, 300)] = rng.integers(1, 6, 300)
    model = follower.model

    def suggest() -> None:
        features = model.sums.features(model.graph)[:5001]
        class_probabilities(features, classes, np.flatnonzero(classes == 0)[1:])

    assert median_ms(suggest, 3) <= 500
