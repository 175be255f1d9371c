"""What corrections cost: ``python -m pytest -m benchmark``; 2048 x 2048, K = 10 000. Nothing else should run."""

import time

import numpy as np
import pytest

from napari_superpixels.core.strokes import pixel_path
from napari_superpixels.engine.corrections import (
    Assign,
    Cut,
    Merge,
    Split,
    apply_correction,
    holds,
    replay,
    seed_added_at,
    seed_removed_at,
    write_patch,
)
from napari_superpixels.engine.pipeline import Pipeline
from napari_superpixels.engine.resolve import ImageInput
from napari_superpixels.evaluation.speed_methods import tiled_astronaut
from napari_superpixels.params import SegmentParams

pytestmark = pytest.mark.benchmark
EDGE = 2048
N_CORRECTIONS = 300


def random_correction(rng, labels, slowness, kept):
    choice = rng.integers(6)
    point = rng.integers(60, EDGE - 60, 2)
    if choice == 0:
        return Split((pixel_path([point], labels.shape), pixel_path([np.add(point, (3, 9))], labels.shape)))
    if choice == 1:
        return seed_added_at(labels, tuple(point.tolist()))
    if choice == 2:
        return seed_removed_at(labels, tuple(point.tolist()), slowness, keep=kept)
    path = pixel_path([point, point + rng.integers(-25, 26, 2), point + rng.integers(-50, 51, 2)], labels.shape)
    return (Merge, Cut, lambda path: Assign(path, path[0]))[choice - 3](path)


def test_corrections_at_once_and_all_again():
    inputs, params = ImageInput(tiled_astronaut(EDGE), source=0, key=0), SegmentParams(model=None, n_segments=10_000)
    pipeline = Pipeline()
    result = pipeline.run(inputs, params)
    labels, slowness = np.array(result.superpixels.labels), result.slowness
    rng, next_label, kept, seconds = np.random.default_rng(0), int(labels.max()) + 1, (), []
    while len(kept) < N_CORRECTIONS:
        correction = random_correction(rng, labels, slowness, kept)
        start = time.perf_counter()
        patch = apply_correction(correction, labels, slowness, next_label, keep=kept)
        if patch is not None:
            seconds.append(time.perf_counter() - start)
            next_label = write_patch(labels, patch, next_label)
        kept = tuple(one for one in (*kept, correction) if holds(one, labels))
    assert np.median(seconds) <= 0.010
    for n_segments in (10_000, 8_000, 12_000):
        base = pipeline.run(inputs, params.updated(n_segments=n_segments)).base_labels
        start = time.perf_counter()
        _, lost = replay(kept, base, slowness)
        assert time.perf_counter() - start < 1
        assert lost == ()
