"""Fine-tuning: a model learns from a few images of the user's, and is measured on others before and after."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from napari_superpixels.data.sources import SourceItem
from napari_superpixels.data.training_folder import Role, open_training_folder
from napari_superpixels.engine.epochs import EpochEvent
from napari_superpixels.engine.fine_tune_data import LearningData, prepare, reminders
from napari_superpixels.engine.fine_tune_recipe import recipe
from napari_superpixels.engine.run_folder import RunConfig, RunFolder, read_json, write_json
from napari_superpixels.engine.training import Compute, RunResult, train_network
from napari_superpixels.engine.validation import choose_items, measure_network
from napari_superpixels.errors import TrainingError
from napari_superpixels.nets.catalogue import ModelCard
from napari_superpixels.nets.checkpoint import Model, load_model
from napari_superpixels.nets.devices import choose_device
from napari_superpixels.nets.train import TrainEvent
from napari_superpixels.params import FineTuneParams

#: By what a model is judged: the lower the better.
SCORE = "undersegmentation_error"
_JOB, _BASELINE, _REPORT = "job.json", "baseline.json", "report.json"


class FineTuneJob(BaseModel):
    """What a fine-tuning is told; immutable, and kept in the run's folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    params: FineTuneParams = FineTuneParams()
    """What the user chose."""
    data: str
    """Folder of the images; relative to the run's folder, or absolute."""
    zero_is_unannotated: bool = False
    """Whether pixels labelled 0 in a user's folder are not annotated."""
    earlier: str | None = None
    """Folder of the run that made the start model, whose images take part too; absolute."""


class ImageFigures(BaseModel):
    """How good the superpixels of one validation image are before and after; immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """Name of the image."""
    before: dict[str, float]
    """Its measures with the start model, by name."""
    after: dict[str, float]
    """Its measures with the best model of the run; empty where there is none."""


class FineTuneReport(BaseModel):
    """How a fine-tuning ended; immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: str
    """Name of the start model."""
    step: int
    """Steps done."""
    reason: Literal["complete", "patience", "stopped"]
    """Whether all steps were done, the validation stopped getting better, or the user stopped it."""
    seconds: float
    """Time since it was started or resumed."""
    train: tuple[str, ...]
    """Names of the images that taught."""
    before: dict[str, float]
    """Means of the measures of the validation images with the start model, by name."""
    after: dict[str, float]
    """Means with the best model of the run; empty where it was stopped before its first check."""
    images: tuple[ImageFigures, ...]
    """Figures of each validation image, the worst after first."""
    notes: tuple[str, ...] = ()
    """What the user should know."""
    best: str | None = None
    """File of the best model, in the folder of the run; None where there is none."""

    @property
    def is_better(self) -> bool:
        """Whether the best model of the run is better than the one it started from."""
        return bool(self.after) and self.after[SCORE] < self.before[SCORE]

    @property
    def change(self) -> float:
        """Relative change of the error: -0.1 if it fell by a tenth; 0 where nothing was measured after."""
        if not self.after:
            return 0.0
        return self.after[SCORE] / self.before[SCORE] - 1.0 if self.before[SCORE] > 0 else float(self.after[SCORE] > 0)


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


def write_job(folder: str | Path, job: FineTuneJob) -> None:
    """Write what a fine-tuning is told into the folder of its run.

    Raises
    ------
    TrainingError
        If the folder holds a run already.
    WriteError
        If it cannot be written.
    """
    folder = Path(folder)
    if (folder / _JOB).exists():
        raise TrainingError(f"{folder} holds a training run already; resume it, or choose another folder.")
    write_json(folder / _JOB, job)


def read_job(folder: str | Path) -> FineTuneJob:
    """Read what a fine-tuning was told.

    Raises
    ------
    ReadError
        If the folder holds no fine-tuning, or its file cannot be understood.
    """
    return read_json(Path(folder) / _JOB, FineTuneJob)


def read_report(folder: str | Path) -> FineTuneReport | None:
    """Read how a fine-tuning ended; None where it has not, or was stopped so that it can go on.

    Raises
    ------
    ReadError
        If the file cannot be understood.
    """
    path = Path(folder) / _REPORT
    return read_json(path, FineTuneReport) if path.exists() else None


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
        Whether to go on with a run that was begun; one that was not is begun.
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
    run, params = RunFolder(folder), job.params
    start = load_model(params.start)
    if (start.config.in_channels, start.config.out_channels) != (3, 3):
        raise TrainingError(
            f"{params.start!r} makes {start.config.out_channels} channels of {start.config.in_channels}; fine-tuning "
            "needs a model that makes colours of colours."
        )
    data = _learning_data(folder, job, should_stop)
    is_begun = run.is_begun
    if is_begun and not resume:
        raise TrainingError(f"{folder} holds a training run already; resume it, or choose another folder.")
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
    report = _report(run, result, job, data, measured, before, config, time.perf_counter() - began)
    if result.reason != "stopped":
        write_json(folder / _REPORT, report)
    return report


def finish(folder: str | Path, report: FineTuneReport) -> None:
    """Take a run that was stopped as ended, with what it came to.

    Raises
    ------
    WriteError
        If the report cannot be written.
    """
    write_json(Path(folder) / _REPORT, report)


def _learning_data(folder: Path, job: FineTuneJob, should_stop: Callable[[], bool] | None) -> LearningData:
    data = open_training_folder(folder / job.data, zero_is_unannotated=job.zero_is_unannotated)
    if job.earlier is None:
        return prepare(data, job.params.seed, should_stop=should_stop)
    earlier = Path(job.earlier)
    before = read_job(earlier)
    old = _learning_data(earlier, before, should_stop)
    frozen: dict[str, Role] = {old.hashes[name]: role for name, role in old.roles.items()}
    whole = open_training_folder(earlier / before.data, zero_is_unannotated=before.zero_is_unannotated)
    return prepare(data, job.params.seed, earlier=whole, frozen=frozen, should_stop=should_stop)


def _baseline(
    folder: Path,
    start: Model,
    measured: Sequence[SourceItem],
    config: RunConfig,
    should_stop: Callable[[], bool] | None,
) -> dict[str, list[float]]:
    """Return the figures of the start model, as they were measured when the run was begun."""
    path = folder / _BASELINE
    if path.exists():
        return read_json(path, _Figures).values
    values = measure_network(start, measured, config.validation, should_stop=should_stop)
    write_json(path, _Figures(values=values))
    return values


class _Figures(BaseModel):
    values: dict[str, list[float]] = Field(default_factory=dict)


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
) -> FineTuneReport:
    after: dict[str, list[float]] = {}
    if run.best.exists():
        after = measure_network(load_model(run.best), measured, config.validation)
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
        step=result.step,
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
