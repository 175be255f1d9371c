"""Which parameters suit BSDS500 best: `python tests/benchmarks/search_defaults.py DIR [--output FILE.md]`.

Measures a grid of the two weights, with the shipped network and on the raw image; then, at the defaults, every other
parameter by itself, and the whole range of the regularity. One set of parameters for all images, K superpixels
exactly, means over annotators, then images. The network runs once for each image.
"""

import argparse
import itertools
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from napari_superpixels.core.metrics import evaluate
from napari_superpixels.data.bsds import list_bsds, read_bsds
from napari_superpixels.engine.pipeline import Pipeline
from napari_superpixels.engine.resolve import ImageInput
from napari_superpixels.params import SegmentParams

COLUMNS = {
    "1 - ASA": "undersegmentation_error",
    "BR": "boundary_recall",
    "EV": "explained_variation",
    "CO": "compactness",
    "CO_px": "compactness_px",
}
COLOR_WEIGHTS = (0.1, 0.2, 0.5, 0.8, 1.2, 2.0, 3.0)
EDGE_WEIGHTS = (0.0, 30.0, 60.0, 100.0, 200.0, 300.0, 400.0)
ALONE: dict[str, tuple[Any, ...]] = {
    "regularity": (0.0, 0.2, 0.3, 0.4, 0.45, 0.55, 0.6, 0.7, 0.8, 1.0),
    "flattening": (0.0, 0.25, 0.5, 0.75, 0.9),
    "refine_start": (0.2, 0.3, 0.5, 0.6, 0.8, 1.0),
    "refine_rounds": (0, 1, 2, 4, 8),
    "seed_placement": ("low-gradient", "grid"),
    "law": ("exponential", "ergc"),
}


def candidates() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the table that a set of parameters belongs to, and what it changes."""
    for color, edge in itertools.product(COLOR_WEIGHTS, EDGE_WEIGHTS):
        yield "With the network", {"color_weight": color, "edge_weight": edge}
    for color in COLOR_WEIGHTS:
        yield "Raw image", {"model": None, "color_weight": color}
    yield "One parameter changed", {}
    for name, values in ALONE.items():
        for value in values:
            yield "One parameter changed", {name: value}


@cache
def _pipelines() -> dict[str | None, Pipeline]:
    """Return a pipeline for each model, so that changing to and fro does not run the network again."""
    return {}


def measure(bsds: Path, n_segments: int, name: str) -> list[list[float]]:
    """Segment one image of the validation split with each candidate and return the measures."""
    sample = read_bsds(bsds, "val", name)
    inputs = ImageInput(sample.image, source=name, key=name)
    rows = []
    for _, changes in candidates():
        params = SegmentParams(n_segments=n_segments).updated(**changes)
        pipeline = _pipelines().setdefault(params.model, Pipeline())
        metrics = evaluate(pipeline.run(inputs, params).superpixels.labels, sample.ground_truths, sample.image)
        rows.append([getattr(metrics, field) for field in COLUMNS.values()])
    return rows


def as_markdown(means: np.ndarray) -> str:
    """Return the tables of means, (candidates, columns)."""
    lines = []
    for title, rows in itertools.groupby(zip(candidates(), means, strict=True), lambda row: row[0][0]):
        lines += ["", f"### {title}", "", f"| changed | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
        for (_, changes), values in rows:
            changed = ", ".join(f"{name} {value}" for name, value in changes.items() if name != "model") or "nothing"
            lines.append(f"| {changed} | " + " | ".join(f"{value:.4f}" for value in values) + " |")
    return "\n".join(lines[1:]) + "\n"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bsds", type=Path, help="folder with images/ and groundTruth/")
    parser.add_argument("--n-segments", type=int, default=400)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth image")
    parser.add_argument("--output", type=Path, metavar="FILE.md")
    options = parser.parse_args()
    names = list_bsds(options.bsds, "val")[:: options.every]
    console = Console(stderr=True)
    with ProcessPoolExecutor() as pool:
        results = pool.map(partial(measure, options.bsds, options.n_segments), names)
        tables = as_markdown(np.mean(list(track(results, "images", len(names), console=console)), axis=0))
    if options.output is None:
        Console().print(tables)
    else:
        options.output.write_text(tables, encoding="utf-8")


if __name__ == "__main__":
    main()
