"""Fine-tuning: a model learns from a few images of the user's, and is measured on others before and after."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_superpixels.data.sources import SourceItem
from napari_superpixels.data.training_folder import Role, open_training_folder
from napari_superpixels.engine.compute import Compute
from napari_superpixels.engine.epochs import EpochEvent
from napari_superpixels.engine.fine_tune_data import (
    KnownRole,
    LearningData,
    known_roles,
    lineage_roles,
    prepare,
    reminders,
)
from napari_superpixels.engine.fine_tune_files import (
    SCORE,
    FineTuneJob,
    FineTuneReport,
    ImageFigures,
    read_baseline,
    read_job,
    read_report,
    write_baseline,
    write_report,
)
from napari_superpixels.engine.fine_tune_recipe import recipe
from napari_superpixels.engine.run_folder import RunConfig, RunFolder, Split
from napari_superpixels.engine.training import RunResult, train_network
from napari_superpixels.engine.validation import choose_items, measure_network
from napari_superpixels.errors import ReadError, TrainingError
from napari_superpixels.nets.catalogue import ModelCard
from napari_superpixels.nets.checkpoint import Model, load_model
from napari_superpixels.nets.devices import choose_device
from napari_superpixels.nets.train import TrainEvent

if TYPE_CHECKING:
    from pydantic import JsonValue


@dataclass(frozen=True, slots=True)
class FineTuneEvents:
    """What is called while a fine-tuning runs; each may be None."""

    on_target: Callable[[int, int], None] | None = None
    """Number of images whose targets are ready, and their total."""
    on_baseline: Callable[[dict[str, float], LearningData], None] | None = None
    """Means of the measures with the start model, and the images."""
    on_step: Callable[[TrainEvent, int], None] | None = None
    """What a step came to, and the number of steps in all."""
    on_epoch: Callable[[EpochEvent], None] | None = None
    """What an epoch came to."""
    on_model: Callable[[int, Callable[[], Model]], None] | None = None
    """Steps done, and a function that returns the network as it is."""
    on_ending: Callable[[], None] | None = None
    """Now and then while the best network is measured at the end."""


def fine_tune(
    folder: str | Path,
    *,
    resume: bool = False,
    events: FineTuneEvents | None = None,
    should_stop: Callable[[], bool] | None = None,
    workers: int = 0,
) -> FineTuneReport:
    """Do the fine-tuning that a folder's job describes, and keep everything there.

    The folder receives what :func:`napari_superpixels.engine.training.train_network` writes, the figures of the start
    model, and at the end the report. The same job on the same computer gives the same model to the bit, resumed or not.

    Parameters
    ----------
    folder : str or pathlib.Path
        Folder of the run, with a job from :func:`write_job`.
    resume : bool
        Whether to go on with a run that was begun; one that was not is begun, and of one that ended its report is
        returned.
    events : FineTuneEvents, optional
        What is called meanwhile.
    should_stop : callable, optional
        See :func:`napari_superpixels.engine.training.train_network`.
    workers : int
        Processes that cut crops.

    Returns
    -------
    FineTuneReport
        How it ended.

    Raises
    ------
    TrainingError
        If the start model cannot learn, the folder holds a run and this is no resume, or the training fails.
    ReadError
        If an image or a file of the run cannot be read or used.
    WriteError
        If a file cannot be written; what was saved before stays.
    CheckpointError
        If the start model, or the state of the run, cannot be read.
    CancelledError
        If it was stopped before its first step.
    """
    began = time.perf_counter()
    folder, events = Path(folder), events or FineTuneEvents()
    job = read_job(folder)
    ended = read_report(folder) if resume else None
    if ended is not None:
        return ended
    run, params = RunFolder(folder), job.params
    start = load_model(params.start)
    if (start.config.in_channels, start.config.out_channels) != (3, 3):
        raise TrainingError(
            f"{params.start!r} makes {start.config.out_channels} channels of {start.config.in_channels}; fine-tuning "
            "needs a model that makes colours of colours."
        )
    is_begun = run.is_begun
    if is_begun and not resume:
        raise TrainingError(f"{folder} holds a training run already; resume it, or choose another folder.")
    split = _roles(run.read_split()) if is_begun else None
    data = learning_data(folder, job, should_stop, known=known_roles(start.card), split=split)
    # Half an image gets half the superpixels: they are then as large as in the whole one.
    n_segments = max(1, params.n_segments // (1 + data.is_halved))
    config = run.read_config() if is_begun else recipe(params, n_segments=n_segments)
    measured = choose_items(data.validation, config.validation)
    before = _baseline(folder, start, measured, config, should_stop)
    if events.on_baseline is not None:
        events.on_baseline(_means(before), data)
    on_step, n_steps = events.on_step, config.train.steps
    result = train_network(
        folder,
        data.train,
        None if is_begun else _with_lineage(config, job, start, data, _means(before)),
        validation=data.validation,
        start=start,
        resume=is_begun,
        compute=Compute(device=params.device, workers=workers),
        on_target=events.on_target,
        on_step=None if on_step is None else lambda event: on_step(event, n_steps),
        on_epoch=events.on_epoch,
        on_model=events.on_model,
        reminders=reminders(start, device=choose_device(params.device)) if params.keep else (),
        should_stop=should_stop,
    )
    seconds = time.perf_counter() - began
    report = _report(run, result, job, data, measured, before, config, seconds, events.on_ending)
    if result.reason != "stopped":
        write_report(folder, report)
    return report


def learning_data(
    folder: Path,
    job: FineTuneJob,
    should_stop: Callable[[], bool] | None = None,
    *,
    known: Mapping[str, KnownRole] | None = None,
    split: Mapping[str, Role] | None = None,
) -> LearningData:
    """Return what a run learns from and is measured on; every image is read once.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the run.
    job : FineTuneJob
        Its job.
    should_stop : callable, optional
        Asked after every image.
    known : mapping of str to str, optional
        What images were for when the start model was made, by the digest of their pixels.
    split : mapping of str to str, optional
        What the images are for, by name, if that is decided already; images that came later are left out.

    Raises
    ------
    ReadError
        If an image, or a file of an earlier run, cannot be read or used.
    CancelledError
        If stopped.
    """
    data = open_training_folder(folder / job.data, zero_is_unannotated=job.zero_is_unannotated)
    earlier = None
    if job.earlier is not None:
        path = Path(job.earlier)
        try:
            earlier = learning_data(path, read_job(path), should_stop)
        except ReadError as error:
            raise ReadError(f"The images of the training that made the start model are needed too: {error}") from error
    return prepare(
        data,
        job.params.seed,
        earlier=earlier,
        left_out=job.left_out,
        known=known,
        split=split,
        should_stop=should_stop,
    )


def _roles(split: Split) -> dict[str, Role]:
    return {**dict.fromkeys(split.train, "train"), **dict.fromkeys(split.validation, "validation")}


def _baseline(
    folder: Path,
    start: Model,
    measured: Sequence[SourceItem],
    config: RunConfig,
    should_stop: Callable[[], bool] | None,
) -> dict[str, list[float]]:
    """Return the figures of the start model, as they were measured when the run was begun."""
    values = read_baseline(folder)
    if values is None:
        values = measure_network(start, measured, config.validation, should_stop=should_stop)
        write_baseline(folder, values)
    return values


def _with_lineage(
    config: RunConfig, job: FineTuneJob, start: Model, data: LearningData, before: dict[str, float]
) -> RunConfig:
    """Return the configuration with what the model's card says of its origin."""
    n_images = len(data.train)
    what = "half an image" if data.is_halved else f"{n_images} image{'s' if n_images > 1 else ''}"
    digests = sorted(data.hashes[name] for name in data.hashes)
    card = ModelCard(
        title=f"Fine-tuned from {start.name} on {what}",
        text=f"Made from the model {start.name!r}. Learnt from: {', '.join(item.name for item in data.train)}.",
        training_data=f"{what} of the user's own.",
    )
    lineage: dict[str, JsonValue] = {
        "parent": start.name,
        "parent_sha256": start.sha256,
        "data_sha256": [*digests],
        "roles": {**lineage_roles(data, known_roles(start.card))},
        "validation": [item.name for item in data.validation],
        "before": {**before},
        "continues": job.earlier is not None,
    }
    return config.model_copy(update={"card": card, "lineage": lineage})


def _report(
    run: RunFolder,
    result: RunResult,
    job: FineTuneJob,
    data: LearningData,
    measured: Sequence[SourceItem],
    before: dict[str, list[float]],
    config: RunConfig,
    seconds: float,
    on_ending: Callable[[], None] | None,
) -> FineTuneReport:
    after: dict[str, list[float]] = {}
    if run.best.exists():

        def give_sign() -> bool:
            if on_ending is not None:
                on_ending()
            return False

        after = measure_network(load_model(run.best), measured, config.validation, should_stop=give_sign)
    images = [
        ImageFigures(
            name=item.name,
            before={name: values[i] for name, values in before.items()},
            after={name: values[i] for name, values in after.items()},
        )
        for i, item in enumerate(measured)
    ]
    images.sort(key=lambda image: -(image.after or image.before)[SCORE])
    return FineTuneReport(
        start=job.params.start,
        steps=result.step,
        reason=result.reason,
        seconds=seconds,
        train=tuple(item.name for item in data.train),
        before=_means(before),
        after=_means(after),
        images=tuple(images),
        notes=data.notes,
        best=run.best.name if after else None,
    )


def _means(values: dict[str, list[float]]) -> dict[str, float]:
    return {name: float(np.mean(each)) for name, each in values.items()}
