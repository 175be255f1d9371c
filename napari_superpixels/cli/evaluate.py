"""``napari-superpixels evaluate``."""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_superpixels.cli.exit_codes import INTERRUPTED
from napari_superpixels.cli.options import collect_parameters, with_parameters
from napari_superpixels.cli.sources import (
    DATA_SET_PANEL,
    BsdsOption,
    CocoOption,
    ImagesOption,
    LabelEndingOption,
    LabelsOption,
    MasksOption,
    PartialOption,
    open_source,
)
from napari_superpixels.errors import ModelNotFoundError, SuperpixelsError, WriteError
from napari_superpixels.params import SegmentParams

if TYPE_CHECKING:
    from pydantic import JsonValue

    from napari_superpixels.data.sources import DataSource
    from napari_superpixels.evaluation.results import Result, ResultStore
    from napari_superpixels.evaluation.runs import Method

_FILES = "Superpixels that exist already"
_OUTPUT = "Output"
_WIDEST = 10_000
_COUNT = SegmentParams.model_fields["n_segments"]


@with_parameters
def evaluate(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[SUPERPIXELS GROUND_TRUTH...]",
            help="A label image of superpixels and one of ground truth for each annotator, instead of a data set.",
        ),
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The image of SUPERPIXELS, for explained variation.", rich_help_panel=_FILES),
    ] = None,
    volume: Annotated[
        bool,
        typer.Option("--volume", help="SUPERPIXELS is one volume, not a stack of planes.", rich_help_panel=_FILES),
    ] = False,
    superpixels: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Measure the label images in this folder, named as the data set's images, instead of segmenting.",
            rich_help_panel=_FILES,
        ),
    ] = None,
    bsds: BsdsOption = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Split of --bsds: train, val or test.",
            show_default="val",
            rich_help_panel=DATA_SET_PANEL,
        ),
    ] = None,
    coco: CocoOption = None,
    images: ImagesOption = None,
    labels: LabelsOption = None,
    masks: MasksOption = None,
    label_ending: LabelEndingOption = None,
    partial: PartialOption = False,
    n_segments: Annotated[
        str | None,
        typer.Option(
            metavar="K,K,...",
            help="Number of superpixels; several, such as 100,200,400,800, give curves.",
            show_default=str(_COUNT.default),
            rich_help_panel="Superpixels",
        ),
    ] = None,
    tolerance: Annotated[
        int, typer.Option(min=0, metavar="PIXELS", help="Distance within which boundaries match.")
    ] = 2,
    csv: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a row for each image and number.", rich_help_panel=_OUTPUT),
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write means, rows and parameters.", rich_help_panel=_OUTPUT),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE.svg|png", help="Draw the means over the number.", rich_help_panel=_OUTPUT),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads, each with an image.", show_default="one per processor")
    ] = None,
    params: Annotated[
        Path | None,
        typer.Option(metavar="FILE.json", help="Parameters by name; options given here come first."),
    ] = None,
    **parameters: Any,
) -> None:
    """Measure how well superpixels follow ground truth.

    Of a data set, every image is segmented; the means are those over annotators, then over images. Two label files,
    SUPERPIXELS and GROUND_TRUTH, are measured as they are, a stack plane by plane.

    K superpixels; BR and BP boundary recall and precision within the tolerance; UE undersegmentation error, 1 - ASA;
    UE_NP the same as Neubert & Protzel count it; ASA achievable segmentation accuracy; EV explained variation; CO
    compactness by pixel edges, CO_px by boundary pixels; SRC, SMF and GR regularity after Giraud et al.; CV spread of
    sizes; CD share of boundary pixels. Worst: against the annotator who agrees least. Equal inputs give equal files.

    Run the same command again to go on after an interruption.

    Exit status: 0 if all is well, 1 if an image failed (no file is written then), 2 for a wrong command, 130 if
    interrupted.
    """
    _check_outputs(plot, csv, json_file)
    options = {"bsds": bsds, "coco": coco, "images": images, "labels": labels, "superpixels": superpixels}
    if files:
        _check_files(files, options)
        measured = _measure_files(files, image, volume, tolerance)
    else:
        if image is not None or volume:
            raise typer.BadParameter("it belongs to SUPERPIXELS, which is not given.", param_hint="--image, --volume")
        chosen = collect_parameters(params, parameters)
        numbers = _numbers(n_segments, chosen)
        try:
            source = open_source(
                bsds=bsds,
                split=(split or "val") if bsds else split,
                coco=coco,
                masks=masks,
                images=images,
                labels=labels,
                label_ending=label_ending,
                partial=partial,
            )
            method, kept = _choose_method(source, superpixels, chosen, tolerance)
        except ModelNotFoundError as error:
            raise typer.BadParameter(str(error), param_hint="--model") from None
        except SuperpixelsError as error:
            raise _failed(error) from None
        measured = _measure_source(source, method, [None] if superpixels else numbers, tolerance, kept, workers)
    _report(*measured, csv=csv, json_file=json_file, plot=plot, tolerance=tolerance)


Measured = tuple["list[Result]", "dict[str, Mapping[str, JsonValue]]", "dict[str, JsonValue]"]


def _failed(error: Exception) -> typer.Exit:
    typer.echo(f"Error: {error}", err=True)
    return typer.Exit(1)


def _check_outputs(plot: Path | None, *others: Path | None) -> None:
    if plot is not None and plot.suffix.lower() not in (".svg", ".png"):
        raise typer.BadParameter(f"{plot} does not end with .svg or .png.", param_hint="--plot")
    for path in (plot, *others):
        if path is not None and path.is_dir():
            raise typer.BadParameter(f"{path} is a folder; name a file.", param_hint="--plot, --csv or --json")


def _check_files(files: list[Path], options: Mapping[str, object]) -> None:
    folder = next((path for path in files if path.is_dir()), None)
    if folder is not None:
        raise typer.BadParameter(
            f"{folder} is a folder; name a data set by --bsds DIR, or by --images DIR --labels DIR.",
            param_hint="SUPERPIXELS GROUND_TRUTH",
        )
    if len(files) < 2:
        raise typer.BadParameter(
            f"{files[0]} is given alone; name a label image of superpixels and one or more of ground truth.",
            param_hint="SUPERPIXELS GROUND_TRUTH",
        )
    given = [name for name, value in options.items() if value]
    if given:
        raise typer.BadParameter(f"label images are measured as they are; leave out --{given[0]}, or the files.")


def _numbers(text: str | None, chosen: SegmentParams) -> list[int | None]:
    """Return the numbers of superpixels, rising, each once."""
    if text is None:
        return [chosen.n_segments]
    try:
        return [*sorted({chosen.updated(n_segments=part.strip()).n_segments for part in text.split(",")})]
    except ValueError:
        raise typer.BadParameter(
            f"it is {text!r}; expected whole numbers from 1 to 2000000, such as 100,200,400.", param_hint="--n-segments"
        ) from None


def _measure_files(files: list[Path], image: Path | None, volume: bool, tolerance: int) -> Measured:
    from napari_superpixels.evaluation.given import measure_files

    superpixels, *truths = files
    try:
        results = measure_files(superpixels, truths, image, volume=volume, tolerance=tolerance)
    except (SuperpixelsError, ValueError) as error:
        raise _failed(error) from None
    data: dict[str, JsonValue] = {
        "kind": "files",
        "ground_truths": [str(path) for path in truths],
        "image": None if image is None else str(image),
    }
    return results, {results[0].method: {"superpixels": str(superpixels)}}, data


def _choose_method(
    source: "DataSource", superpixels: Path | None, chosen: SegmentParams, tolerance: int
) -> tuple["Method", "ResultStore | None"]:
    """Return what makes the superpixels, and where its results are kept meanwhile."""
    if superpixels is not None:
        from napari_superpixels.evaluation.given import LabelFolder

        return LabelFolder(superpixels, source), None
    import platformdirs

    from napari_superpixels.evaluation.results import ResultStore
    from napari_superpixels.evaluation.runs import EikonalMethod

    method = EikonalMethod(chosen, f"eikonal, {chosen.model or 'raw image'}")
    identity = json.dumps([source.kind, dict(source.settings), method.settings, tolerance], sort_keys=True)
    folder = platformdirs.user_cache_path("napari-superpixels", appauthor=False) / "evaluation"
    try:
        return method, ResultStore(folder / f"{hashlib.sha256(identity.encode()).hexdigest()[:16]}.jsonl")
    except WriteError as error:
        typer.echo(f"Note: {error} Results are not kept meanwhile.", err=True)
        return method, None


def _measure_source(
    source: "DataSource",
    method: "Method",
    numbers: list[int | None],
    tolerance: int,
    store: "ResultStore | None",
    workers: int | None,
) -> Measured:
    from napari_superpixels.cli.progress import StepBar
    from napari_superpixels.evaluation.runs import Failure, evaluate_methods

    results: list[Result] = []
    failures: list[Failure] = []
    rows = evaluate_methods(source, [method], numbers, tolerance=tolerance, store=store, workers=workers)
    with StepBar("Measuring", len(source) * len(numbers)) as bar:
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
            kept = "What is measured is kept; the same command goes on from there." if store else ""
            bar.say(f"Interrupted. {kept}".rstrip())
            raise typer.Exit(INTERRUPTED) from None
        except SuperpixelsError as error:
            raise _failed(error) from None
    if failures:
        raise _failed(ValueError(f"{len(failures)} of {len(source)} images could not be measured; no file is written."))
    if store is not None:
        store.remove()
    return results, {method.name: method.settings}, {"kind": source.kind, **source.settings}


def _report(
    results: "list[Result]",
    methods: "dict[str, Mapping[str, JsonValue]]",
    data: "dict[str, JsonValue]",
    *,
    csv: Path | None,
    json_file: Path | None,
    plot: Path | None,
    tolerance: int,
) -> None:
    from rich.console import Console

    from napari_superpixels.evaluation.results import summarize
    from napari_superpixels.evaluation.tables import measure_table, ordered, write_csv, write_json

    rows = ordered(results)
    summaries = summarize(rows)
    table = measure_table(summaries)
    out = Console(highlight=False, emoji=False)
    if not out.is_terminal:
        out.width = max(out.width, Console(width=_WIDEST).measure(table).maximum)
    n_images = len({row.case for row in rows})
    out.print(f"{rows[0].method}: {n_images} {'image' if n_images == 1 else 'images'}, tolerance {tolerance} px")
    out.print(table)
    try:
        if csv is not None:
            write_csv(csv, rows, methods)
        if json_file is not None:
            write_json(json_file, rows, methods, {**data, "tolerance": tolerance, "n_images": n_images})
        if plot is not None:
            from napari_superpixels.evaluation.figures import draw_curves

            draw_curves(plot, summaries)
    except WriteError as error:
        raise _failed(error) from None
    for path in (csv, json_file, plot):
        if path is not None:
            typer.echo(f"Wrote {path}", err=True)
