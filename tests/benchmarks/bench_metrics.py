"""Time of the measures: `python tests/benchmarks/bench_metrics.py`.

An image of 481 x 321 pixels with five annotators, and one of 4096 x 4096 with one. Prints wall time and processor time
(of all threads together), medians of several runs after one that may compile.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table
from skimage.data import astronaut

from napari_superpixels import evaluate, segment

BUDGETS = {"481 x 321, 5 annotators": 0.030, "4096 x 4096, 1 annotator": 2.0}


def small() -> Callable[[], object]:
    """Return the measuring of a photograph with five annotators."""
    image = astronaut()[100:421, :481]
    labels = segment(image, n_segments=400, model=None).labels
    truths = [segment(image, n_segments=n, model=None, regularity=0.2).labels for n in (5, 10, 20, 40, 80)]
    return lambda: evaluate(labels, truths, image)


def large() -> Callable[[], object]:
    """Return the measuring of a large image: 41,600 superpixels, 40 segments."""
    image = np.tile(astronaut(), (2, 2, 1))
    tile = segment(image, n_segments=2600, model=None).labels
    labels = np.block([[tile + 2600 * (4 * i + j) for j in range(4)] for i in range(4)]).astype(np.int32)
    truth = np.kron(segment(image, n_segments=40, model=None, regularity=0.2).labels, np.ones((4, 4), np.int32))
    image = np.tile(image, (4, 4, 1))
    return lambda: evaluate(labels, truth, image)


def main() -> None:
    """Measure and print."""
    table = Table("image", "median ms", "processor ms", "budget ms")
    for (title, budget), (make, n_runs) in zip(BUDGETS.items(), ((small, 30), (large, 5)), strict=True):
        measure = make()
        measure()
        wall, processor = [], []
        for _ in range(n_runs):
            start, start_processor = time.perf_counter(), time.process_time()
            measure()
            wall.append(time.perf_counter() - start)
            processor.append(time.process_time() - start_processor)
        values = (statistics.median(wall), statistics.median(processor), budget)
        table.add_row(title, *(f"{1e3 * value:.0f}" for value in values))
    Console().print(table)


if __name__ == "__main__":
    main()
