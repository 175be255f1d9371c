"""The part of ``napari-superpixels train`` that does what the Fine-tune widget does."""

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from pydantic import ValidationError

from napari_superpixels.cli.exit_codes import failed
from napari_superpixels.cli.interrupts import interrupted, stopping_on_interrupt
from napari_superpixels.cli.options import given_options
from napari_superpixels.cli.training_bar import TrainingBar
from napari_superpixels.errors import CancelledError, SuperpixelsError
from napari_superpixels.params import FineTuneParams

if TYPE_CHECKING:
    from napari_superpixels.engine.fine_tune_files import FineTuneJob, FineTuneReport

#: Options that only a fine-tuning has.
OWN = ("folder", "preset", "trained", "keep", "zero_is_unannotated", "save_as")
#: Options that say what of the computer a training uses.
COMPUTER = ("device", "devices", "num_nodes", "workers", "precision", "cache")
#: Options that it shares with other trainings.
SHARED = (
    *("output", "resume", "start", "device", "workers", "n_segments", "seed"),
    *("steps", "epoch_steps", "patience", "learning_rate", "batch_size", "crop_size"),
)


def help_of(name: str) -> str:
    """Return the help of a parameter of a fine-tuning, from its declaration."""
    return str(FineTuneParams.model_fields[name].description)


def is_fine_tune(context: typer.Context) -> bool:
    """Return whether the options ask for a fine-tuning, or for going on with one.

    Raises
    ------
    typer.BadParameter
        If options of a fine-tuning are given without its data, others with them, or to a resumed run one that it was
        begun with.
    """
    options = context.params
    given = given_options(context)
    if options["resume"]:
        is_one = (options["output"] / "job.json").exists()
        settled = [name for name in given if name not in (("save_as", "workers") if is_one else COMPUTER)]
        settled = [name for name in settled if name not in ("output", "resume")]
        if settled:
            raise typer.BadParameter(
                "it is settled by the run that --resume goes on with; leave it out.", param_hint=_flag(settled[0])
            )
        return is_one
    if options["folder"] is None:
        strange = [name for name in given if name in OWN]
        if strange:
            raise typer.BadParameter("it belongs to --data, which is not given.", param_hint=_flag(strange[0]))
        return False
    strange = [name for name in given if name not in (*OWN, *SHARED)]
    if strange:
        close = difflib.get_close_matches(strange[0], SHARED, n=1)
        hint = f" Did you mean {_flag(close[0])}?" if close else ""
        raise typer.BadParameter(f"it has no part in a fine-tuning (--data).{hint}", param_hint=_flag(strange[0]))
    return True


def fine_tune_from(options: dict[str, Any]) -> None:
    """Begin a fine-tuning, or go on with one, and tell what it came to."""
    from napari_superpixels.engine.models import check_new_name
    from napari_superpixels.engine.run_lock import held_lock

    output: Path = options["output"]
    try:
        name = _name_to_install(options)
        if name is not None:
            check_new_name(name)
        job = None if options["resume"] else _job(options)
        with held_lock(output):
            report = _run(output, job, options["workers"])
        if report.reason == "stopped":
            raise interrupted(output, report.steps)
        _tell(report, typer.echo)
        if name is not None:
            _install(output, report, name)
    except (KeyboardInterrupt, CancelledError):
        raise interrupted(output) from None
    except (SuperpixelsError, ValueError) as error:
        raise failed(error) from None


def _name_to_install(options: dict[str, Any]) -> str | None:
    """Return the name that was given, now or when the run that is resumed was begun; None once it is installed."""
    from napari_superpixels.engine.fine_tune_files import read_job
    from napari_superpixels.engine.runs import is_decided

    name: str | None = options["save_as"]
    if name is None and options["resume"] and not is_decided(options["output"]):
        name = read_job(options["output"]).save_as
    return name


def lasting_model(model: str) -> str:
    """Return the name or file of a model so that it is good in any working directory."""
    from napari_superpixels.nets.catalogue import available_models

    is_file = model not in available_models() and Path(model).exists()
    return str(Path(model).absolute()) if is_file else model


def _job(options: dict[str, Any]) -> "FineTuneJob":
    from napari_superpixels.engine.fine_tune_files import FineTuneJob
    from napari_superpixels.engine.preferences import runs_folder
    from napari_superpixels.engine.runs import run_of_model
    from napari_superpixels.nets.catalogue import find_model, read_header

    params = _params(options)
    params = params.updated(start=lasting_model(params.start))
    earlier = run_of_model(runs_folder(), params.start)
    if earlier is None and "lineage" in read_header(find_model(params.start)).card.recipe:
        typer.echo(
            f"Note: the run that made {params.start} is not found, so its images take no part in this one and may be "
            "forgotten. If they matter, put them into the folder of --data too.",
            err=True,
        )
    return FineTuneJob(
        params=params,
        data=str(options["folder"].absolute()),
        zero_is_unannotated=options["zero_is_unannotated"],
        earlier=None if earlier is None else str(earlier),
        save_as=options["save_as"],
    )


def _run(output: Path, job: "FineTuneJob | None", workers: int) -> "FineTuneReport":
    from napari_superpixels.engine.fine_tune import FineTuneEvents, fine_tune
    from napari_superpixels.engine.fine_tune_files import withdraw_job, write_job

    if job is not None:
        write_job(output, job)
    try:
        with stopping_on_interrupt() as should_stop, TrainingBar(is_shown=True) as bar:
            events = FineTuneEvents(
                bar.on_target,
                on_step=lambda event, n_steps: bar.on_step(event),
                on_epoch=bar.on_epoch,
            )
            return fine_tune(output, resume=job is None, events=events, should_stop=should_stop, workers=workers)
    except (SuperpixelsError, ValueError) as error:
        if job is not None and not isinstance(error, CancelledError):
            withdraw_job(output)
        raise


def _params(options: dict[str, Any]) -> FineTuneParams:
    given = {name: options[name] for name in FineTuneParams.model_fields if options.get(name) is not None}
    try:
        return FineTuneParams(**given)
    except ValidationError as error:
        found = error.errors()[0]
        name = str(found["loc"][0])
        text = f"received {found['input']!r}; it {found['msg'].removeprefix('Input ').lower()}."
        raise typer.BadParameter(text, param_hint=_flag(name)) from None


def _tell(report: "FineTuneReport", echo: Callable[[str], None]) -> None:
    """Print the figures of each image, before and after, and whether it got better."""
    for note in report.notes:
        echo(note)
    width = max(len("mean"), *(len(image.name) for image in report.images))
    echo(f"{'image':{width}}  1-ASA before   after  BR before   after")
    rows = [(image.name, image.before, image.after) for image in report.images]
    for name, before, after in (*rows, ("mean", report.before, report.after)):
        values = [
            f"{part[measure]:.4f}" if part else "-"
            for measure in ("undersegmentation_error", "boundary_recall")
            for part in (before, after)
        ]
        echo(f"{name:{width}}  {values[0]:>12}  {values[1]:>6}  {values[2]:>9}  {values[3]:>6}")
    change = f"{100 * abs(report.change):.1f} %"
    if report.is_better:
        echo(f"Boundary errors fell by {change} on images that it had not learnt from.")
    elif report.after:
        echo(f"It did not get better: boundary errors rose by {change}. {report.start!r} stays the better model.")


def _install(output: Path, report: "FineTuneReport", name: str) -> None:
    from napari_superpixels.engine.runs import note_outcome
    from napari_superpixels.nets.library import install_model

    if report.best is None:
        raise typer.BadParameter("there is no model yet; resume the run.", param_hint="--save-as")
    typer.echo(f"Installed as {name!r}: {install_model(output / report.best, name)}")
    note_outcome(output, name)


def _flag(name: str) -> str:
    named = {"folder": "--data", "start": "--from", "zero_is_unannotated": "--zero-is-unannotated"}
    return named.get(name, f"--{name.replace('_', '-')}")
