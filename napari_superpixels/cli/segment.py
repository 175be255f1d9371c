"""``napari-superpixels segment``."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_superpixels.cli.exit_codes import INTERRUPTED, ending_on_errors
from napari_superpixels.cli.options import collect_parameters, with_parameters
from napari_superpixels.errors import CancelledError
from napari_superpixels.params import SegmentParams

if TYPE_CHECKING:
    from napari_superpixels.cli.report import Reporter
    from napari_superpixels.engine.batch import Recipe
    from napari_superpixels.engine.worklist import WorkItem

#: Suffixes that someone may try: they hold no 32-bit labels, lose them, or are not written here.
_UNSUITABLE = (".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".npy", ".npz", ".mat", ".h5", ".hdf5", ".zarr", ".json")


class LabelFormat(StrEnum):
    """File formats of labels."""

    tiff = "tiff"
    png = "png"


@with_parameters
def segment(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="IN...", help="Images (TIFF, PNG, JPEG), folders, or patterns such as 'photos/*.tif'."),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="Folder for the labels, each named <name>_superpixels; for one image also a file.",
        ),
    ],
    params: Annotated[
        Path | None,
        typer.Option(metavar="FILE.json", help="Parameters by name; options given here come first."),
    ] = None,
    label_format: Annotated[
        LabelFormat | None,
        typer.Option("--format", help="32-bit TIFF or 16-bit PNG.", show_default="tiff, or as OUT ends"),
    ] = None,
    overlay: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Also draw the boundaries on each image: a folder, or a PNG for one image."),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(metavar="IN", help="Segment only where this image is not 0; or a folder of masks, same names."),
    ] = None,
    channel_axis: Annotated[
        int | None,
        typer.Option(help="Axis of the channels, from 0, where the file does not tell."),
    ] = None,
    plane: Annotated[
        int | None, typer.Option(help="Segment only this plane of a stack, from 0.", show_default="all")
    ] = None,
    volume: Annotated[
        bool,
        typer.Option("--volume", help="Grow superpixels through the planes of a stack, in 3-D."),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Do everything again, and replace files of other origin.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print results and timings as JSON on standard output.")
    ] = False,
    **parameters: Any,
) -> None:
    """Cut images into superpixels and write them as label images.

    A stack is segmented plane by plane, each with labels from 1, and written as a stack; see --volume and --plane.

    Run the same command again to go on after an interruption: images whose labels are there, made from the same image
    with the same parameters, are skipped. A file that fails does not stop the others.

    Exit status: 0 if all is well, 1 if an image failed, 2 for a wrong command, 130 if interrupted.
    """
    chosen = collect_parameters(params, parameters)
    suffix = _label_suffix(output, label_format, chosen)
    if overlay is not None and overlay.suffix and overlay.suffix.lower() != ".png" and not overlay.is_dir():
        raise typer.BadParameter(f"{overlay} is neither a PNG file nor a folder.", param_hint="--overlay")
    if mask is not None and not mask.exists():
        raise typer.BadParameter(f"{mask} does not exist.", param_hint="--mask")

    # Imported here: compiled code, and torch behind it, take a second.
    from napari_superpixels.cli.report import Reporter
    from napari_superpixels.engine.batch import prepare
    from napari_superpixels.engine.worklist import plan_work

    try:
        items = plan_work(inputs, output, suffix=suffix, overlay=overlay, mask=mask)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    with ending_on_errors():
        recipe = prepare(chosen, channel_axis=channel_axis, volume=volume, plane=plane, overwrite=overwrite)
    with Reporter(recipe, len(items), as_json=as_json) as reporter:
        interrupted = _run(items, recipe, reporter)
    reporter.finish(interrupted=interrupted)
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(1 if reporter.n_failed else 0)


def _label_suffix(output: Path, wanted: LabelFormat | None, chosen: SegmentParams) -> str:
    from napari_superpixels.data.label_files import MAX_PNG_LABEL

    named = "" if output.is_dir() else output.suffix.lower()
    is_png = wanted is LabelFormat.png or (wanted is None and named == ".png")
    expected = {LabelFormat.png: (".png",), LabelFormat.tiff: (".tif", ".tiff")}
    if wanted is not None and named in (".png", ".tif", ".tiff") and named not in expected[wanted]:
        raise typer.BadParameter(f"{output} does not end like a {wanted} file.", param_hint="--format")
    if named in _UNSUITABLE:
        raise typer.BadParameter(
            f"labels cannot be written as {named} ({output}); use .tif or .png, or name a folder.",
            param_hint="--output",
        )
    if is_png and chosen.n_segments > MAX_PNG_LABEL:
        raise typer.BadParameter(
            f"a 16-bit PNG holds at most {MAX_PNG_LABEL} superpixels, {chosen.n_segments} are asked for; "
            "use --format tiff.",
            param_hint="--format",
        )
    return ".png" if is_png else ".tif"


def _run(items: list["WorkItem"], recipe: "Recipe", reporter: "Reporter") -> bool:
    """Segment everything in a thread, so that Ctrl+C is noticed at once; return whether it came."""
    from napari_superpixels.core.eikonal import new_cancel_flag
    from napari_superpixels.engine.batch import run_batch

    cancel = new_cancel_flag()
    results = run_batch(items, recipe, cancel=cancel, progress=reporter.on_progress)
    with ThreadPoolExecutor(1) as worker:
        pending = worker.submit(next, results, None)
        try:
            while (result := pending.result()) is not None:
                reporter.on_result(result)
                pending = worker.submit(next, results, None)
        except KeyboardInterrupt:
            cancel[0] = 1
            with contextlib.suppress(CancelledError):
                if (result := pending.result()) is not None:
                    reporter.on_result(result)  # it was finished before the flag was seen
            return True
    return False
