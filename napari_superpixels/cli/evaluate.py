"""``napari-superpixels evaluate``."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_superpixels.cli.exit_codes import ending_on_errors, failed
from napari_superpixels.cli.measuring import Measured, OutputFiles, measure_source, report
from napari_superpixels.cli.options import collect_parameters, with_parameters
from napari_superpixels.cli.sources import DataSetOptions, with_data_set
from napari_superpixels.errors import SuperpixelsError
from napari_superpixels.params import SegmentParams

if TYPE_CHECKING:
    from pydantic import JsonValue

    from napari_superpixels.data.sources import DataSource
    from napari_superpixels.evaluation.runs import Method

_FILES = "Superpixels that exist already"
_OUTPUT = "Output"
_COUNT = SegmentParams.model_fields["n_segments"]


@with_parameters
@with_data_set(split="val")
def evaluate(
    *,
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
            help="Measure the label images in this folder instead of segmenting; they are named as the data set's "
            "images, or <name>_superpixels, as 'segment' names them.",
            rich_help_panel=_FILES,
        ),
    ] = None,
    data: DataSetOptions,
    n_segments: Annotated[
        str | None,
        typer.Option(
            metavar="K,K,...",
            help="Number of superpixels; several, such as 100,200,400,800, give curves.",
            show_default=str(_COUNT.default),
            rich_help_panel="Superpixels",
        ),
    ] = None,
    rivals: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME,...|all",
            help="Measure other methods too, at the same numbers of superpixels; see 'benchmark --methods list'.",
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
    outputs = OutputFiles(plot, csv, json_file)
    outputs.check()
    if files:
        ours = {"superpixels": superpixels, "n_segments": n_segments, "rivals": rivals, "params": params}
        _check_files(files, {**asdict(data), **ours, "workers": workers, **parameters})
        measured = _measure_files(files, image, volume, tolerance)
    else:
        if image is not None or volume:
            raise typer.BadParameter("it belongs to SUPERPIXELS, which is not given.", param_hint="--image, --volume")
        chosen = collect_parameters(params, parameters)
        numbers = _numbers(n_segments, chosen)
        with ending_on_errors():
            source = data.open()
            methods = _choose_methods(source, superpixels, chosen, rivals)
        measured = measure_source(source, methods, [None] if superpixels else numbers, tolerance, workers)
    with ending_on_errors():
        report(measured, outputs)


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
        option = given[0].replace("_", "-")
        raise typer.BadParameter(f"label images are measured as they are; leave out --{option}, or the files.")


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
        raise failed(error) from None
    data: dict[str, JsonValue] = {
        "kind": "files",
        "ground_truths": [str(path) for path in truths],
        "image": None if image is None else str(image),
        "tolerance": tolerance,
    }
    return Measured(results, {results[0].method: {"superpixels": str(superpixels)}}, data)


def _choose_methods(
    source: "DataSource", superpixels: Path | None, chosen: SegmentParams, rivals: str | None
) -> list["Method"]:
    """Return what makes the superpixels."""
    if superpixels is not None:
        from napari_superpixels.evaluation.given import LabelFolder

        if rivals is not None:
            raise typer.BadParameter("superpixels that are given are measured alone.", param_hint="--rivals")
        return [LabelFolder(superpixels, source)]
    from napari_superpixels.evaluation.methods import check_keys, load_methods
    from napari_superpixels.evaluation.rivals import RIVALS
    from napari_superpixels.evaluation.runs import EikonalMethod

    own = EikonalMethod(chosen, f"eikonal, {chosen.model or 'raw image'}")
    if rivals is None:
        return [own]
    known = [rival.key for rival in RIVALS]
    keys = known if rivals == "all" else [key.strip() for key in rivals.split(",")]
    try:
        check_keys(keys, known)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--rivals") from None
    return [own, *load_methods(keys)[0]]
