"""Small data sets and results for the tests of the evaluation."""

from dataclasses import replace

import numpy as np
import pytest

from napari_superpixels.core.metrics import Metrics, evaluate
from napari_superpixels.data.sources import DataSource, array_source
from napari_superpixels.evaluation.results import Result


@pytest.fixture
def halves() -> Metrics:
    """Return the measures of two perfect superpixels."""
    labels = np.repeat([[0, 0, 1, 1]], 4, axis=0)
    return evaluate(labels, labels, labels)


@pytest.fixture
def results(halves: Metrics) -> list[Result]:
    """Return rows of two methods, two numbers and two images, in no order."""
    rows = []
    for case, add in (("b", 0.1), ("a", 0.3)):
        for n_segments in (200, 100):
            for method, factor in (("ours", 1.0), ("theirs", 2.0)):
                recall = add * factor + n_segments / 1000
                metrics = replace(halves, n_superpixels=n_segments - 2, boundary_recall=recall)
                rows.append(Result(method, case, n_segments, metrics, 0.5))
    return rows


@pytest.fixture
def source(color_blocks: np.ndarray, noisy_disks: np.ndarray) -> DataSource:
    """Return a colour image with two annotators and a grey one with one."""
    blocks = np.kron(np.arange(12).reshape(3, 4), np.ones((20, 20), int))
    return array_source(
        [color_blocks, noisy_disks], [[blocks, blocks // 2], noisy_disks > 6000], names=["blocks", "disks"]
    )
