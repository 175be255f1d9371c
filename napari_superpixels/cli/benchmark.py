"""``napari-superpixels benchmark``."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_superpixels.cli.exit_codes import INTERRUPTED, failed
from napari_superpixels.cli.measuring import (
    OutputFiles,
    interruption,
    measure_source,
    open_store,
    print_table,
    write_results,
)
from napari_superpixels.errors import ModelNotFoundError, SuperpixelsError
from napari_superpixels.params import SegmentParams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from napari_superpixels.evaluation.results import Summary
    from napari_superpixels.evaluation.speed import SpeedStore, Timing
    from napari_superpixels.evaluation.speed_methods import SpeedMethod

_QUALITY = "Quality, with --bsds"
_SPEED = "Speed, with --speed"
_TABLE = ("K", "BR", "UE", "UE_NP", "EV", "CO", "CO_px", "GR", "CD")


def benchmark(
    bsds: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Measure quality on BSDS500: folder of images and groundTruth."),
    ] = None,
    speed: Annotated[bool, typer.Option("--speed", help="Measure time and memory instead.")] = False,
    methods: Annotated[
        str | None,
        typer.Option(metavar="NAME,...", help="Compare only these; --methods list names them.", show_default="all"),
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the curves: .svg or .png.")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write every figure as CSV.")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write figures, settings and versions as JSON.")
    ] = None,
    split: Annotated[
        str, typer.Option(metavar="NAME", help="Split: train, val or test.", rich_help_panel=_QUALITY)
    ] = "val",
    images: Annotated[
        int | None,
        typer.Option("--images", min=1, help="Only the first so many.", show_default="all", rich_help_panel=_QUALITY),
    ] = None,
    n_segments: Annotated[
        str, typer.Option(metavar="K,...", help="Numbers of superpixels.", rich_help_panel=_QUALITY)
    ] = "100,200,400,800",
    tolerance: Annotated[
        int, typer.Option(min=0, help="Distance in pixels within which boundaries match.", rich_help_panel=_QUALITY)
    ] = 2,
    sizes: Annotated[
        str, typer.Option(metavar="N,...", help="Images of N x N pixels.", rich_help_panel=_SPEED)
    ] = "256,512,1024,2048,4096,8192",
    threads: Annotated[
        str | None,
        typer.Option(metavar="N,...", help="Threads.", show_default="1, and all cores", rich_help_panel=_SPEED),
    ] = None,
    runs: Annotated[
        int, typer.Option(min=1, help="Runs of each at most; medians are reported.", rich_help_panel=_SPEED)
    ] = 7,
    model: Annotated[
        str, typer.Option(metavar="NAME", help="Installed model, or a file.", rich_help_panel=_SPEED)
    ] = str(SegmentParams.model_fields["model"].default),
) -> None:
    """Compare with other superpixel methods, and with parts of our own taken away.

    Quality: every method makes superpixels on every image, as near to each number asked for as its settings allow; one
    superpixel is one connected piece. Results are kept until all are there: run the same command again to go on after
    an interruption.

    Speed: methods run in turn, each several times, bound to as many cores as there are threads; each one's memory is
    measured in a process of its own. A rival that would take longer than some seconds is left out.

    The other methods are in the extra "bench"; what is not installed is left out and reported.

    Exit status: 0 if all is well, 1 if something failed, 2 for a wrong command, 130 if interrupted.
    """
    if methods == "list":
        _list_methods()
        return
    if speed == (bsds is not None):
        raise typer.BadParameter("give either --bsds DIR, to measure quality, or --speed.")
    files = OutputFiles(plot, csv, json_file)
    files.check()
    keys = None if methods is None else [key.strip() for key in methods.split(",")]
    try:
        if bsds is not None:
            numbers = _numbers(n_segments, "--n-segments")
            _run_quality(bsds, split, images, keys, numbers, tolerance, files)
        else:
            _run_speed(keys, _numbers(sizes, "--sizes"), threads, runs, model, files)
    except SuperpixelsError as error:
        raise failed(error) from None
    except KeyboardInterrupt:
        typer.echo(interruption(is_kept=False), err=True)
        raise typer.Exit(INTERRUPTED) from None


def _numbers(text: str, option: str) -> list[int]:
    """Return different numbers from 1, rising."""
    try:
        numbers = sorted({int(part) for part in text.split(",")})
    except ValueError:
        numbers = [0]
    if numbers[0] < 1:
        raise typer.BadParameter(f"it is {text!r}; expected numbers from 1, such as 100,200.", param_hint=option)
    return numbers


def _list_methods() -> None:
    from napari_superpixels.evaluation.methods import METHODS
    from napari_superpixels.evaluation.speed_methods import SPEED_METHODS

    quality = [(entry.key, entry.title) for entry in METHODS.values()]
    timed = [(entry.key, entry.title) for entry in SPEED_METHODS]
    for title, entries in ((_QUALITY, quality), (_SPEED, timed)):
        typer.echo(f"{title}:")
        for key, name in entries:
            typer.echo(f"  {key:<16} {name}")


def _run_quality(
    bsds: Path,
    split: str,
    n_images: int | None,
    keys: list[str] | None,
    numbers: list[int],
    tolerance: int,
    files: OutputFiles,
) -> None:
    from napari_superpixels.data.sources import bsds_source
    from napari_superpixels.evaluation.methods import load_methods
    from napari_superpixels.evaluation.results import summarize
    from napari_superpixels.evaluation.tables import ordered, summary_table

    source = bsds_source(bsds, split)
    source = source.subset([item.name for item in source][:n_images])
    try:
        methods, notes = load_methods(keys)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--methods") from None
    for note in notes:
        typer.echo(f"Note: {note}", err=True)
    measured = measure_source(source, methods, numbers, tolerance)
    rows = ordered(measured.results)
    summaries = summarize(rows)
    _print(summary_table(sorted(summaries, key=lambda summary: summary.n_segments or 0), _TABLE))
    plots = [] if files.plot is None else _figures(files.plot, summaries)
    write_results(measured, rows, files, plots)


def _figures(path: Path, summaries: "Sequence[Summary]") -> list[tuple[Path, "Sequence[Summary]"]]:
    """Return the rivals beside our method with and without network; our ablations for a figure of their own."""
    from napari_superpixels.evaluation.ablations import ABLATIONS

    own = {ablation.title for ablation in ABLATIONS}
    first = {ablation.title for ablation in ABLATIONS[:2]}
    against_rivals = [summary for summary in summaries if summary.method in first or summary.method not in own]
    among_own = [summary for summary in summaries if summary.method in own]
    if {summary.method for summary in among_own} <= first:
        return [(path, against_rivals)]
    if len(among_own) == len(summaries):
        return [(path, among_own)]
    return [(path, against_rivals), (path.with_stem(f"{path.stem}-ablations"), among_own)]


def _run_speed(
    keys: list[str] | None, sizes: list[int], threads: str | None, runs: int, model: str, files: OutputFiles
) -> None:
    from napari_superpixels.evaluation.speed import SpeedStore, check_speed, default_threads
    from napari_superpixels.evaluation.speed_methods import load_speed_methods
    from napari_superpixels.nets.catalogue import find_model, read_header

    numbers = default_threads() if threads is None else _numbers(threads, "--threads")
    try:
        methods, notes = load_speed_methods(keys)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--methods") from None
    try:
        check_speed(sizes, numbers, runs)
        read_header(find_model(model))
    except ModelNotFoundError as error:
        raise typer.BadParameter(str(error), param_hint="--model") from None
    except ValueError as error:
        raise typer.BadParameter(f"{error}.") from None
    for note in notes:
        typer.echo(f"Note: {note}", err=True)
    store = open_store(SpeedStore, "speed", [[method.key for method in methods], model])
    try:
        timings = _time(methods, sizes, numbers, runs, model, store)
    except KeyboardInterrupt:
        typer.echo(interruption(is_kept=store is not None), err=True)
        raise typer.Exit(INTERRUPTED) from None
    _report_speed(timings, files)
    if store is not None:
        store.remove()


def _time(
    methods: "Sequence[SpeedMethod]",
    sizes: list[int],
    threads: list[int],
    runs: int,
    model: str,
    store: "SpeedStore | None",
) -> "list[Timing]":
    from napari_superpixels.cli.progress import StepBar
    from napari_superpixels.evaluation.speed import measure_memory, measure_speed

    timed: list[Timing] = []
    with StepBar("Timing", len(sizes) * len(threads)) as bar:
        blocks = measure_speed(
            methods, sizes=sizes, threads=threads, n_runs=runs, model=model, store=store, progress=bar.describe
        )
        with contextlib.closing(blocks):
            for block in blocks:
                timed += block
                bar.step()
    timings: list[Timing] = []
    with StepBar("Measuring memory", len(timed)) as bar:
        rows = measure_memory(methods, timed, model=model, store=store, progress=bar.describe)
        with contextlib.closing(rows):
            for timing in rows:
                timings.append(timing)
                bar.step()
    return timings


def _report_speed(timings: "list[Timing]", files: OutputFiles) -> None:
    from napari_superpixels.evaluation.speed_report import (
        draw_speed,
        memory_table,
        time_table,
        write_speed_csv,
        write_speed_json,
    )

    for n_threads in sorted({timing.n_threads for timing in timings}):
        _print(time_table(timings, n_threads))
    _print(memory_table(timings))
    for note in dict.fromkeys(f"{t.method}, {t.edge}x{t.edge}: {t.note}" for t in timings if t.note):
        typer.echo(f"Left out: {note}", err=True)
    writers = ((files.csv, write_speed_csv), (files.json, write_speed_json), (files.plot, draw_speed))
    for path, write in writers:
        if path is not None:
            write(path, timings)
            typer.echo(f"Wrote {path}", err=True)


def _print(table: "Table") -> None:
    """Print a table as Markdown, to be read or put into a document."""
    from rich.box import MARKDOWN

    table.box = MARKDOWN
    print_table(table)
