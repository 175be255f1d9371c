"""Results as tables: on a terminal, as CSV and as JSON. Equal results give equal bytes."""

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from pydantic import JsonValue
from rich.table import Table

from napari_superpixels.core.metrics import Metrics
from napari_superpixels.engine.provenance import library_versions
from napari_superpixels.evaluation.results import Result, Summary, summarize
from napari_superpixels.files import replacing

#: Version of the form of the JSON files.
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Measure:
    """How a field of Metrics is shown."""

    field: str
    """Name of the field."""
    title: str
    """What it measures."""
    higher_is_better: bool | None = True
    """None where neither is better."""


#: The measures by their usual abbreviations, in the order in which tables show them.
MEASURES: dict[str, Measure] = {
    "K": Measure("n_superpixels", "Superpixels", None),
    "BR": Measure("boundary_recall", "Boundary recall"),
    "BP": Measure("boundary_precision", "Boundary precision"),
    "UE": Measure("undersegmentation_error", "Undersegmentation error", False),
    "UE_NP": Measure("undersegmentation_error_np", "Undersegmentation error (NP)", False),
    "ASA": Measure("achievable_segmentation_accuracy", "Achievable segmentation accuracy"),
    "EV": Measure("explained_variation", "Explained variation"),
    "CO": Measure("compactness", "Compactness"),
    "CO_px": Measure("compactness_px", "Compactness, boundary pixels"),
    "SRC": Measure("shape_regularity", "Shape regularity"),
    "SMF": Measure("smooth_matching", "Likeness of shapes"),
    "GR": Measure("global_regularity", "Global regularity"),
    "CV": Measure("size_spread", "Spread of sizes", False),
    "CD": Measure("contour_density", "Contour density", None),
    "pieces": Measure("n_components", "Connected pieces", None),
    "split": Measure("n_split", "Superpixels in several pieces", False),
    "BR worst": Measure("worst_boundary_recall", "Worst annotator"),
    "BP worst": Measure("worst_boundary_precision", "Worst annotator"),
    "UE worst": Measure("worst_undersegmentation_error", "Worst annotator", False),
    "UE_NP worst": Measure("worst_undersegmentation_error_np", "Worst annotator", False),
    "ASA worst": Measure("worst_achievable_segmentation_accuracy", "Worst annotator"),
}
_WORST = " worst"
#: The measures that a table shows where nothing else is asked for.
TABLE_MEASURES = ("K", "BR", "BP", "UE", "UE_NP", "EV", "CO", "CO_px", "GR", "CD", "pieces")


def summary_table(summaries: Sequence[Summary], measures: Sequence[str] = TABLE_MEASURES) -> Table:
    """Return a table with one row per method and number of superpixels.

    Parameters
    ----------
    summaries : sequence of Summary
        From :func:`napari_superpixels.evaluation.results.summarize`.
    measures : sequence of str
        Keys of :data:`MEASURES`.
    """
    table = Table()
    table.add_column("method", no_wrap=True)
    for name in ("images", "asked", *measures):
        table.add_column(name, justify="right", no_wrap=True)
    for summary in summaries:
        asked = "-" if summary.n_segments is None else str(summary.n_segments)
        values = [_shown(summary.means[MEASURES[name].field]) for name in measures]
        table.add_row(summary.method, str(summary.n_cases), asked, *values)
    return table


def measure_table(summaries: Sequence[Summary], measures: Sequence[str] = tuple(MEASURES)) -> Table:
    """Return a table of one method, with a row per measure and a column per number of superpixels.

    Parameters
    ----------
    summaries : sequence of Summary
        From :func:`napari_superpixels.evaluation.results.summarize`.
    measures : sequence of str
        Keys of :data:`MEASURES`. Those that are undefined everywhere are left out, and the worst annotator's where
        there is one annotator.
    """
    table = Table()
    table.add_column("", no_wrap=True)
    table.add_column("measure")
    for summary in summaries:
        asked = summary.method if summary.n_segments is None else f"K = {summary.n_segments}"
        table.add_column(asked, justify="right", no_wrap=True)
    for name in measures:
        values = _row(summaries, name)
        is_told = _WORST in name and values == _row(summaries, name.removesuffix(_WORST))
        if not is_told and not all(map(math.isnan, values)):
            measure = MEASURES[name]
            arrow = {True: " ↑", False: " ↓", None: ""}[measure.higher_is_better]
            table.add_row(name, measure.title + arrow, *map(_shown, values))
    return table


def _row(summaries: Sequence[Summary], name: str) -> list[float]:
    return [summary.means[MEASURES[name].field] for summary in summaries]


def write_csv(path: str | Path, results: Iterable[Result], methods: Mapping[str, Mapping[str, JsonValue]]) -> None:
    """Write one row per method, number of superpixels and image, all measures in full.

    The last columns hold, in each row, the method's parameters and the versions of the libraries as JSON. Undefined
    measures are empty.

    Raises
    ------
    WriteError
        If the file cannot be written.
    """
    measures = [field.name for field in fields(Metrics)]
    versions = json.dumps(library_versions(), sort_keys=True)
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["method", "n_segments", "image", *measures, "parameters", "versions"])
        for result in ordered(results):
            values = [_plain(value) for value in asdict(result.metrics).values()]
            settings = json.dumps(methods[result.method], sort_keys=True)
            writer.writerow([result.method, result.n_segments, result.case, *values, settings, versions])


def write_json(
    path: str | Path,
    results: Iterable[Result],
    methods: Mapping[str, Mapping[str, JsonValue]],
    data: Mapping[str, JsonValue],
) -> None:
    """Write results, their means, the methods' parameters, the data and the versions.

    Parameters
    ----------
    path : str or pathlib.Path
        File to write.
    results : iterable of Result
        The results.
    methods : mapping
        Parameters of each method by its name.
    data : mapping
        What was measured on and how, for example the data set's name, its split and the tolerance.

    Raises
    ------
    WriteError
        If the file cannot be written.
    """
    rows = ordered(results)
    document = {
        "schema": SCHEMA,
        "versions": library_versions(),
        "data": dict(data),
        "methods": {name: dict(settings) for name, settings in methods.items()},
        "means": [
            {
                "method": summary.method,
                "n_segments": summary.n_segments,
                "n_images": summary.n_cases,
                **{name: _plain(value) for name, value in summary.means.items()},
            }
            for summary in summarize(rows)
        ],
        "results": [
            {
                "method": result.method,
                "n_segments": result.n_segments,
                "image": result.case,
                **{name: _plain(value) for name, value in asdict(result.metrics).items()},
            }
            for result in rows
        ],
    }
    with replacing(path) as part:
        part.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def ordered(results: Iterable[Result]) -> list[Result]:
    """Return the results by method, in the order of the first of each, then by number and image."""
    rows = list(results)
    rank = {method: i for i, method in enumerate(dict.fromkeys(row.method for row in rows))}
    return sorted(rows, key=lambda row: (rank[row.method], row.n_segments or 0, row.case))


def _plain(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _shown(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.4f}" if abs(value) < 2 else f"{value:.1f}"
