"""The eikonal stage against SLIC, and how its time grows: `python tests/benchmarks/bench_eikonal.py`.

Prints medians of several runs, the methods in turn, so that a slow moment of the machine meets all of them. fast-slic
is measured when it is installed (the extra `bench`).
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table
from skimage.data import astronaut
from skimage.segmentation import slic

from napari_superpixels.core.features import pixel_features
from napari_superpixels.core.slowness import label_slowness
from napari_superpixels.core.superpixels import grow_superpixels
from napari_superpixels.params import SegmentParams

# fast-slic's threads would go on spinning, and slow down whatever is measured after it.
os.environ["OMP_WAIT_POLICY"] = "passive"
CELL = 20.08  # pixels across a superpixel: 2600 of them on 1024 x 1024


def tiled_astronaut(edge: int) -> np.ndarray:
    """Return scikit-image's astronaut, repeated or cut to edge x edge."""
    repeats = -(-edge // 512)
    return np.tile(astronaut(), (repeats, repeats, 1))[:edge, :edge]


def methods(edge: int, n_segments: int, *, rivals: bool) -> dict[str, Callable[[], object]]:
    """Return what is timed; the eikonal stage starts from features and ends at labels."""
    image = tiled_astronaut(edge)
    features = pixel_features(image / np.float32(255), None, 1.0, "rgb")
    params = SegmentParams()

    def eikonal() -> object:
        slowness = label_slowness(features, color_weight=params.color_weight)
        return grow_superpixels(slowness, n_segments)

    found: dict[str, Callable[[], object]] = {"eikonal": eikonal}
    if rivals:
        found["scikit-image slic"] = lambda: slic(image, n_segments=n_segments, start_label=1)
        try:
            from fast_slic.avx2 import SlicAvx2
        except ImportError:
            pass
        else:
            found["fast-slic (AVX2)"] = lambda: SlicAvx2(num_components=n_segments, compactness=20).iterate(image)
    return found


def medians(found: dict[str, Callable[[], object]], n_runs: int) -> dict[str, float]:
    """Return the median seconds of each method after one run that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in found}
    for run in range(n_runs + 1):
        for name, method in found.items():
            start = time.perf_counter()
            method()
            if run:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--edges", type=int, nargs="+", default=[512, 1024, 2048, 4096])
    options = parser.parse_args()
    table = Table("image", "K", "method", "median ms", "ns per pixel", "eikonal is faster by")
    for edge in options.edges:
        n_segments = round((edge / CELL) ** 2)
        results = medians(methods(edge, n_segments, rivals=edge <= 1024), options.runs)
        for name, seconds in results.items():
            table.add_row(
                f"{edge} x {edge}",
                str(n_segments),
                name,
                f"{seconds * 1e3:.0f}",
                f"{seconds / edge**2 * 1e9:.0f}",
                f"{seconds / results['eikonal']:.2f} x",
            )
    Console().print(table)


if __name__ == "__main__":
    main()
