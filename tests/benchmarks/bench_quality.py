"""Quality on BSDS500 with the default parameters: `python tests/benchmarks/bench_quality.py DIR`.

Means over annotators, then images; K superpixels exactly, tolerance 2 px. The raw image (no network) is measured beside
the model. Parameters can be changed: `--set color_weight=0.3 --set n_segments=200`.
"""

import argparse
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from napari_superpixels.core.metrics import Metrics, evaluate
from napari_superpixels.data.bsds import iter_bsds, list_bsds
from napari_superpixels.engine.pipeline import Pipeline
from napari_superpixels.engine.resolve import ImageInput
from napari_superpixels.params import SegmentParams

COLUMNS = {
    "BR": "boundary_recall",
    "UE = 1 - ASA": "undersegmentation_error",
    "UE_NP": "undersegmentation_error_np",
    "EV": "explained_variation",
    "CO": "compactness",
    "CO_px": "compactness_px",
    "K": "n_superpixels",
    "pieces": "n_components",
}


def measure(folder: Path, split: str, params: SegmentParams, n_images: int | None) -> Iterator[Metrics]:
    """Segment and measure each image of a split."""
    pipeline = Pipeline()
    samples = itertools.islice(iter_bsds(folder, split), n_images)
    total = n_images or len(list_bsds(folder, split))
    for sample in track(samples, f"model {params.model}", total, console=Console(stderr=True)):
        inputs = ImageInput(sample.image, source=sample.name, key=sample.name)
        labels = pipeline.run(inputs, params).superpixels.labels
        yield evaluate(labels, sample.ground_truths, sample.image)


def parsed(assignment: str) -> tuple[str, object]:
    """Return name and value of ``name=value``; the value is JSON, or else a string."""
    name, _, value = assignment.partition("=")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bsds", type=Path, help="folder with images/ and groundTruth/")
    parser.add_argument("--split", default="val")
    parser.add_argument("--model", default=SegmentParams().model)
    parser.add_argument("--images", type=int, help="only the first so many")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    changes = dict(map(parsed, options.set))
    table = Table("model", *COLUMNS, min_width=100)
    for model in (options.model, None):
        params = SegmentParams(model=model).updated(**changes)
        results = list(measure(options.bsds, options.split, params, options.images))
        means = {title: np.mean([getattr(result, name) for result in results]) for title, name in COLUMNS.items()}
        table.add_row(str(model), *(f"{value:.4f}" if value < 2 else f"{value:.1f}" for value in means.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
