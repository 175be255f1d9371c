"""What the main thread spends on each act, without napari: ``python -m pytest -m benchmark``; 2048 x 2048, K = 10 000.

Nothing else should be running. The budgets are for medians.
"""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from napari_superpixels.core.strokes import pixel_path, pixels_inside
from napari_superpixels.engine.annotation import Annotation, warm_up_acts
from napari_superpixels.engine.pipeline import Pipeline
from napari_superpixels.engine.region_index import RegionIndex
from napari_superpixels.engine.resolve import ImageInput
from napari_superpixels.evaluation.speed_methods import tiled_astronaut
from napari_superpixels.params import SegmentParams

pytestmark = pytest.mark.benchmark
EDGE = 2048
SHAPE = (EDGE, EDGE)
N_TIMES = 40


class Bench:
    """A large annotation at which random acts are done."""

    def __init__(self):
        self.inputs = ImageInput(tiled_astronaut(EDGE), source="astronauts", key="astronauts")
        self.pipeline, self.params = Pipeline(), SegmentParams(model=None, n_segments=10_000)
        self.annotation = Annotation(np.zeros(SHAPE, np.int32), np.zeros(SHAPE, np.uint8))
        result = self.solve(10_000)
        warm_up_acts(result)
        self.annotation.accept(result)
        self.rng = np.random.default_rng(0)

    def solve(self, n_segments):
        inputs = replace(self.inputs, corrections=self.annotation.corrections)
        return self.pipeline.run(inputs, self.params.updated(n_segments=n_segments))

    def point(self):
        return tuple(self.rng.integers(60, EDGE - 60, 2).tolist())

    def path(self, rows, columns):
        first = np.array(self.point())
        return pixel_path([first, first + np.array([rows, columns])], SHAPE)

    def halves(self):
        box, mask = self.annotation.index.mask_of(self.annotation.index.label_at(self.point()))
        pixels = np.argwhere(mask) + np.array([box[0].start, box[1].start])
        return [pixels[:1], pixels[-1:]]

    def move(self):
        path = self.path(2, 18)
        self.annotation.assign(path, tuple((path[0] - 6).tolist()))

    def hover(self):
        index = self.annotation.index
        index.mask_of(index.label_at(self.point()))


@pytest.fixture(scope="module")
def bench():
    return Bench()


def median_ms(function: Callable[[], object], n_times: int = N_TIMES) -> float:
    seconds = []
    for _ in range(n_times):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return 1000 * float(np.median(seconds))


ACTS = {
    "hover": (0.5, lambda b: b.hover),
    "paint": (3, lambda b: lambda: b.annotation.paint([b.annotation.index.label_at(b.point())])),
    "merge": (15, lambda b: lambda: b.annotation.merge(b.path(25, 25))),
    "split": (15, lambda b: lambda: b.annotation.split(b.halves())),
    "cut": (15, lambda b: lambda: b.annotation.cut(b.path(5, 30))),
    "move boundary": (15, lambda b: b.move),
    "add seed": (15, lambda b: lambda: b.annotation.add_seed(b.point())),
    "remove seed": (15, lambda b: lambda: b.annotation.remove_seed(b.point())),
    "undo": (15, lambda b: b.annotation.undo),
    "redo": (15, lambda b: b.annotation.redo),
}


@pytest.mark.parametrize("name", ACTS)
def test_an_act_stays_within_its_budget(bench, name):
    budget, act = ACTS[name]
    assert median_ms(act(bench)) <= budget


def test_the_index_is_built_quickly(bench):
    annotation = bench.annotation
    assert median_ms(lambda: RegionIndex(annotation.labels, annotation.classes), 9) <= 60


def test_a_result_is_taken_over_quickly(bench):
    seconds = []
    for n_segments in range(9000, 9005):
        # An act, not the plane's beginning.
        bench.annotation.paint([bench.annotation.index.label_at(bench.point())])
        result = bench.solve(n_segments)
        start = time.perf_counter()
        assert bench.annotation.accept(result) is not None
        seconds.append(time.perf_counter() - start)
    assert 1000 * np.median(seconds) <= 40


def test_a_long_stroke_ends_quickly(bench):
    annotation = bench.annotation
    labels = annotation.index.labels[::20]

    def stroke():
        annotation.begin_stroke()
        for label in labels:
            annotation.paint([label], 1 - annotation.index.class_of(label))
        start = time.perf_counter()
        annotation.end_stroke()
        return time.perf_counter() - start

    assert 1000 * np.median([stroke() for _ in range(5)]) <= 15


def test_a_lasso_over_everything_is_quick(bench):
    box, mask = pixels_inside([(0, 0), (0, EDGE - 1), (EDGE - 1, EDGE - 1), (EDGE - 1, 0)], SHAPE)
    numbers = iter(np.arange(10) % 2)
    assert median_ms(lambda: bench.annotation.paint_inside(box, mask, int(next(numbers))), 9) <= 150
