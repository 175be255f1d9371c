"""What commands that measure share: running methods on a data set, keeping and showing results."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import typer

from napari_superpixels.cli.exit_codes import INTERRUPTED, failed
from napari_superpixels.errors import SuperpixelsError, WriteError

if TYPE_CHECKING:
    from pydantic import JsonValue
    from rich.table import Table

    from napari_superpixels.data.sources import DataSource
    from napari_superpixels.evaluation.results import Result, ResultStore, Summary
    from napari_superpixels.evaluation.runs import Method

_Store = TypeVar("_Store")
_WIDEST = 10_000


class OutputFiles(NamedTuple):
    """What to write; None is not wanted."""

    plot: Path | None
    csv: Path | None
    json: Path | None

    def check(self) -> None:
        """Refuse what cannot be written, before hours are spent.

        Raises
        ------
        typer.BadParameter
            If a file is a folder, or a figure of another kind.
        """
        if self.plot is not None and self.plot.suffix.lower() not in (".svg", ".png"):
            raise typer.BadParameter(f"{self.plot} does not end with .svg or .png.", param_hint="--plot")
        for name, path in self._asdict().items():
            if path is not None and path.is_dir():
                raise typer.BadParameter(f"{path} is a folder; name a file.", param_hint=f"--{name}")


@dataclass(frozen=True, slots=True)
class Measured:
    """Results, and what they were made of."""

    results: "list[Result]"
    """One for each method, number of superpixels and image."""
    methods: "Mapping[str, Mapping[str, JsonValue]]"
    """Parameters of each method by its name."""
    data: "Mapping[str, JsonValue]"
    """What was measured on and how."""
    store: "ResultStore | None" = None
    """What keeps the results until they are written."""


def open_store(make: "Callable[[Path], _Store]", name: str, identity: "JsonValue") -> "_Store | None":
    """Open what keeps results of a run until all are there; return None, with a note, where that cannot be written.

    Parameters
    ----------
    make : callable
        Opens the store in a file.
    name : str
        What is kept, for the name of the file.
    identity : JSON value
        What tells this run from others.
    """
    import platformdirs

    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    folder = platformdirs.user_cache_path("napari-superpixels", appauthor=False) / "evaluation"
    try:
        return make(folder / f"{name}-{digest}.jsonl")
    except WriteError as error:
        typer.echo(f"Note: {error} Results are not kept meanwhile.", err=True)
        return None


def interruption(*, is_kept: bool) -> str:
    """Return what is said after Ctrl+C."""
    kept = " What is measured is kept; the same command goes on from there." if is_kept else ""
    return f"Interrupted.{kept}"


def measure_source(
    source: "DataSource",
    methods: "Sequence[Method]",
    numbers: Sequence[int | None],
    tolerance: int,
    workers: int | None = None,
) -> Measured:
    """Run methods on a data set with a progress bar, going on where an earlier run was stopped.

    Raises
    ------
    typer.Exit
        If an image fails or the run is interrupted; what is measured is kept then.
    """
    from napari_superpixels.cli.progress import StepBar
    from napari_superpixels.evaluation.results import ResultStore
    from napari_superpixels.evaluation.runs import Failure, evaluate_methods

    results: list[Result] = []
    failures: list[Failure] = []
    settings: list[JsonValue] = [[method.name, dict(method.settings)] for method in methods]
    identity: list[JsonValue] = [source.kind, dict(source.settings), settings, tolerance]
    store = open_store(ResultStore, "quality", identity) if any(numbers) else None  # labels are read as quickly
    rows = evaluate_methods(source, methods, numbers, tolerance=tolerance, store=store, workers=workers)
    with StepBar("Measuring", len(source) * len(methods) * len(numbers)) as bar:
        for note in source.notes:
            bar.say(f"note: {note}")
        try:
            with contextlib.closing(rows):
                for row in rows:
                    bar.step()
                    if isinstance(row, Failure):
                        failures.append(row)
                        bar.say(f"{row.case}: {row.error}")
                    else:
                        results.append(row)
        except KeyboardInterrupt:
            bar.say(interruption(is_kept=store is not None))
            raise typer.Exit(INTERRUPTED) from None
        except SuperpixelsError as error:
            raise failed(error) from None
    if failures:
        raise failed(ValueError(f"{len(failures)} of {len(source)} images could not be measured; no file is written."))
    data: dict[str, JsonValue] = {"kind": source.kind, **source.settings, "tolerance": tolerance}
    return Measured(results, {method.name: method.settings for method in methods}, data, store)


def report(measured: Measured, files: OutputFiles) -> None:
    """Print the means, and write the files that are wanted.

    Raises
    ------
    WriteError
        If a file cannot be written.
    """
    from napari_superpixels.evaluation.results import summarize
    from napari_superpixels.evaluation.tables import measure_table, ordered, summary_table

    rows, methods = ordered(measured.results), measured.methods
    summaries = summarize(rows)
    n_images = _n_images(rows)
    images = "1 image" if n_images == 1 else f"{n_images} images"
    typer.echo(f"{', '.join(methods)}: {images}, tolerance {measured.data['tolerance']} px")
    print_table(measure_table(summaries) if len(methods) == 1 else summary_table(summaries))
    write_results(measured, rows, files, [] if files.plot is None else [(files.plot, summaries)])


def write_results(
    measured: Measured,
    rows: "Sequence[Result]",
    files: OutputFiles,
    plots: "Sequence[tuple[Path, Sequence[Summary]]]",
) -> None:
    """Write the files that are wanted, and tell; what kept the results until now is removed.

    Parameters
    ----------
    measured : Measured
        What was measured.
    rows : sequence of Result
        Its results in order.
    files : OutputFiles
        Files for tables.
    plots : sequence of (pathlib.Path, sequence of Summary)
        Each figure's file, and the means that it shows.

    Raises
    ------
    WriteError
        If a file cannot be written.
    """
    from napari_superpixels.evaluation.tables import write_csv, write_json

    if files.csv is not None:
        write_csv(files.csv, rows, measured.methods)
    if files.json is not None:
        write_json(files.json, rows, measured.methods, {**measured.data, "n_images": _n_images(rows)})
    for path, summaries in plots:
        from napari_superpixels.evaluation.figures import draw_curves

        draw_curves(path, summaries)
    for written in (files.csv, files.json, *(path for path, _ in plots)):
        if written is not None:
            typer.echo(f"Wrote {written}", err=True)
    if measured.store is not None:
        measured.store.remove()


def _n_images(rows: "Sequence[Result]") -> int:
    return len({row.case for row in rows})


def print_table(table: "Table") -> None:
    """Print a table on standard output, in full width where that is no terminal."""
    from rich.console import Console

    out = Console(highlight=False, emoji=False)
    if not out.is_terminal:
        out.width = max(out.width, Console(width=_WIDEST).measure(table).maximum)
    out.print(table)
