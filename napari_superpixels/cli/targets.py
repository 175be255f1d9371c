"""``napari-superpixels targets``."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_superpixels.cli.exit_codes import INTERRUPTED, failed
from napari_superpixels.cli.options import check_number_or_size
from napari_superpixels.cli.sources import DataSetOptions, with_data_set
from napari_superpixels.errors import ReadError, SuperpixelsError

if TYPE_CHECKING:
    from napari_superpixels.engine.target_runs import TargetResult

_PANEL = "Superpixels"
_REPORT = "report"


@with_data_set(split="train")
def targets(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for targets and report.")],
    data: DataSetOptions,
    n_segments: Annotated[
        int | None,
        typer.Option(min=1, help="Superpixels of each image.", show_default="400", rich_help_panel=_PANEL),
    ] = None,
    superpixel_size: Annotated[
        float | None,
        typer.Option(
            min=1,
            metavar="AREA",
            help="Average size of a superpixel in pixels, instead of their number: for images of many sizes.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    color_weight: Annotated[
        float,
        typer.Option(min=0, help="How much fronts are slowed by another colour.", rich_help_panel=_PANEL),
    ] = 0.1,
    refine_start: Annotated[
        float,
        typer.Option(min=0.01, max=1, help="Share of the superpixels that start on a grid.", rich_help_panel=_PANEL),
    ] = 0.6,
    refine_rounds: Annotated[
        int, typer.Option(min=0, help="Rounds that add the others where fronts arrive late.", rich_help_panel=_PANEL)
    ] = 4,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that work side by side.", show_default="one per processor")
    ] = None,
    report: Annotated[bool, typer.Option(help="Write statistics and pictures of the data set.")] = True,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Do everything again, and replace files of other origin.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON on standard output.")] = False,
) -> None:
    """Make what a network is to learn: superpixels that no border of the ground truth crosses, in their mean colours.

    Each image becomes a NumPy archive in DIR with superpixels and colours for every annotator. DIR/report describes the
    data set: sizes of images, objects per image, sizes of segments, numbers of superpixels, and examples to look at.

    COCO: every border counts; where objects overlap, the overlap is a segment of its own. A crowd (iscrowd) is one
    segment. Images without annotations, and missing ones, are left out and reported.

    Folders: an image sub/a.tif belongs to the labels sub/a.tif or sub/a.png in the folder of labels; 0 is background.
    Stacks are taken plane by plane. Name one folder of labels for each annotator.

    Run the same command again to go on after an interruption. An image that fails does not stop the others.

    Exit status: 0 if all is well, 1 if an image failed, 2 for a wrong command, 130 if interrupted.
    """
    _check_numbers(n_segments, superpixel_size, color_weight)
    try:
        source = data.open()
    except ReadError as error:
        raise failed(error) from None

    from napari_superpixels.cli.targets_bar import TargetsBar
    from napari_superpixels.engine.target_growth import TargetConfig
    from napari_superpixels.engine.target_runs import run_targets
    from napari_superpixels.evaluation.dataset_report import summarise, write_report

    config = TargetConfig(
        n_segments=n_segments or TargetConfig().n_segments,
        superpixel_size=superpixel_size,
        color_weight=color_weight,
        refine_start=refine_start,
        refine_rounds=refine_rounds,
    )
    interrupted = False
    results: list[TargetResult] = []
    try:
        with TargetsBar(len(source), source.notes, as_json=as_json) as bar:
            try:
                for result in run_targets(source, output, config, workers=workers, overwrite=overwrite):
                    results.append(result)
                    bar.on_result(result)
            except KeyboardInterrupt:
                interrupted = True
        if report and not interrupted:
            write_report(output / _REPORT, source, config, results)
    except SuperpixelsError as error:
        raise failed(error) from None
    if as_json:
        typer.echo(json.dumps({**summarise(source, config, results), "interrupted": interrupted}, indent=2))
    else:
        bar.finish(results, output, interrupted=interrupted)
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(1 if any(result.status == "failed" for result in results) else 0)


def _check_numbers(n_segments: int | None, superpixel_size: float | None, color_weight: float) -> None:
    for name, value in (("--superpixel-size", superpixel_size), ("--color-weight", color_weight)):
        if value is not None and not math.isfinite(value):
            raise typer.BadParameter(f"it is {value}; it should be a finite number.", param_hint=name)
    check_number_or_size(n_segments, superpixel_size)
