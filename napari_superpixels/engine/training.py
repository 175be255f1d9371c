"""Training of a network on a data set, in a folder that keeps everything about the run."""

import contextlib
import copy
import logging
import os
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import lightning.pytorch as pl
import numpy as np
from lightning.fabric.utilities.exceptions import MisconfigurationException

from napari_superpixels.data.sources import DataSource, listed
from napari_superpixels.engine.compute import Compute
from napari_superpixels.engine.epochs import EpochEvent, EpochKeeper
from napari_superpixels.engine.run_folder import RunConfig, RunFolder, Split
from napari_superpixels.engine.targets import load_samples
from napari_superpixels.engine.validation import choose_items
from napari_superpixels.errors import CancelledError, CheckpointError, TrainingError
from napari_superpixels.nets.catalogue import ModelCard
from napari_superpixels.nets.checkpoint import Model, load_model
from napari_superpixels.nets.crops import CropDataModule
from napari_superpixels.nets.devices import is_out_of_memory
from napari_superpixels.nets.registry import Network, build_network
from napari_superpixels.nets.samples import TrainSample
from napari_superpixels.nets.train import TrainEvent
from napari_superpixels.nets.train_module import TrainModule
from napari_superpixels.nets.train_state import Progress, TrainState, load_state

#: Data set and terms, for the card of a model trained on BSDS500.
BSDS_TERMS = (
    "BSDS500 (Berkeley Segmentation Data Set), training split: 200 images with all annotators "
    "(Arbelaez, Maire, Fowlkes, Malik, TPAMI 2011); for non-commercial research and education."
)
_ACCELERATORS = {"cpu": "cpu", "cuda": "gpu", "mps": "mps"}
#: Images up to which targets are kept in memory; BSDS500 takes 0.4 GB.
_MOST_IN_MEMORY = 500


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a training run ended."""

    step: int
    """Steps done."""
    reason: Literal["complete", "patience", "stopped"]
    """Whether all steps, or the time, were used, the validation stopped getting better, or the caller stopped it."""
    best: Path
    """Model with the best validation; there is none yet where the run was stopped in its first epoch."""


def split_source(source: DataSource, share: float, seed: int) -> Split:
    """Put some images of a data set aside for validation, at random.

    Parameters
    ----------
    source : DataSource
        The images.
    share : float
        Share that validates, from 0 to below 1; at least one image if it is above 0 and there are two.
    seed : int
        Decides which.
    """
    names = [item.name for item in source]
    count = min(max(round(share * len(names)), int(share > 0)), len(names) - 1)
    chosen = set(np.random.default_rng(seed).permutation(len(names))[:count].tolist())
    return Split(
        train=tuple(name for i, name in enumerate(names) if i not in chosen),
        validation=tuple(name for i, name in enumerate(names) if i in chosen),
    )


def train_network(
    folder: str | Path,
    source: DataSource,
    config: RunConfig | None = None,
    *,
    validation: DataSource | float = 0.1,
    start: Model | None = None,
    resume: bool = False,
    compute: Compute | None = None,
    on_target: Callable[[int, int], None] | None = None,
    on_step: Callable[[TrainEvent], None] | None = None,
    on_epoch: Callable[[EpochEvent], None] | None = None,
    on_model: Callable[[int, Callable[[], Model]], None] | None = None,
    reminders: Sequence[TrainSample] = (),
    should_stop: Callable[[], bool] | None = None,
) -> RunResult:
    """Train a network and keep the run in a folder.

    The folder receives the configuration, the frozen split, the table of measures, curves, pictures of every epoch, the
    models of the best and the last epoch with their card, and the state that a resume goes on from. On a CPU a resumed
    run ends with the weights of one that was never interrupted, if its length is given in steps.

    Parameters
    ----------
    folder : str or pathlib.Path
        Folder of the run.
    source : DataSource
        Images with ground truth.
    config : RunConfig, optional
        Network and recipe; when resuming, those of the folder are taken.
    validation : DataSource or float
        Images to validate on, or the share of `source` that is put aside for it.
    start : Model, optional
        Model to train further, instead of a new network; itself left as it is. When resuming it is needed only where
        the run has no state yet and `config.start_from` did not tell where the model is.
    resume : bool
        Whether to go on with the run in the folder: where it was stopped, else after its last complete epoch.
    compute : Compute, optional
        Devices, precision, and the folder that keeps the targets; when resuming, those of the folder by default.
    on_target : callable, optional
        Called with the number of images whose targets are ready and their total.
    on_step, on_epoch : callable, optional
        Called after every step and every epoch.
    on_model : callable, optional
        Called after every step with the steps done and a function that returns the averaged network as a model.
    reminders : sequence of TrainSample
        Samples that take the place of the images' with the probability `config.train.reminder_share`.
    should_stop : callable, optional
        Asked after each target, after every step, and often while validating. True ends the run so that a resume goes
        on exactly there; a validation that was cut short is then made first. May block, which pauses the run.

    Returns
    -------
    RunResult
        How it ended.

    Raises
    ------
    TrainingError
        If the folder holds a run already, the split does not fit the data set, the loss stops being finite, or memory
        is full. What was saved after the last epoch is kept, and a resume goes on from there.
    ReadError
        If an image, its ground truth or its targets cannot be read.
    WriteError
        If a file cannot be written; what was saved before stays.
    CheckpointError
        If the state of the run is damaged, the model that the run started from was changed, or it is gone and there is
        no state yet.
    CancelledError
        If it is stopped before its first step.
    """
    run = RunFolder(Path(folder))
    if resume:
        config, split = run.read_config(), run.read_split()
        compute = compute or config.compute
        state, start = _go_on_from(run, config, start)
        if state is not None and _is_out_of_patience(state.progress, config):
            return RunResult(state.progress.step, "patience", run.best)
    else:
        config, state = config or RunConfig(), None
        if start is not None:
            config = config.model_copy(update={"network": start.config, "start": start.sha256})
        card = config.card.model_copy(update={"training_data": _training_data(config.card, source, start)})
        compute = compute or config.compute
        config = config.model_copy(update={"card": card, "compute": compute})
        split = _split(source, validation, config.train.seed)
    network = _network(config, start)
    device = compute.check(network, config.train.batch_size)
    if not resume and is_first_process():
        run.create(config, split)
    training, measured = _parts(source, validation, split)
    samples = load_samples(
        training,
        config.targets,
        cache=compute.cache or run.targets,
        lazy=len(training) > _MOST_IN_MEMORY,
        on_sample=_cancellable(on_target, should_stop),
    )
    items = [] if measured is None else choose_items(measured, config.validation)
    progress = Progress() if state is None else state.progress
    keeper = EpochKeeper(run, config, items, progress, on_epoch)

    def report(event: TrainEvent) -> None:
        keeper.on_step(event)
        if on_step is not None:
            on_step(event)
        if on_model is not None:
            on_model(event.step, lambda: keeper.model(module))

    module = TrainModule(network, config.train, state, report, should_stop)
    if module.step < config.train.steps or progress.kept_step not in (None, module.step):
        _fit(module, CropDataModule(samples, config.train, compute.workers, reminders), keeper, compute, device)
    reason: Literal["complete", "patience", "stopped"] = "complete"
    if module.is_stopped:
        reason = "stopped"
    elif keeper.out_of_patience:
        reason = "patience"
    return RunResult(module.step, reason, run.best)


def _is_out_of_patience(progress: Progress, config: RunConfig) -> bool:
    """Return whether a run ended because its validation stopped getting better, with no step since."""
    patience = config.train.patience
    is_validated = progress.kept_step in (None, progress.step)
    return patience is not None and progress.stale_epochs >= patience and is_validated


def _go_on_from(run: RunFolder, config: RunConfig, start: Model | None) -> tuple[TrainState | None, Model | None]:
    """Return the state that a run goes on from, and the model that it began from where that is given or needed."""
    state = load_state(run.state) if run.state.exists() else None
    if config.start is None:
        return state, None if state is None else start
    why = f"The run in {run.root} ended before it saved a state, and so has to begin again from its start model, "
    if state is not None:
        if start is None:
            return state, None
        why = f"The run in {run.root} goes on from its start model, "
    elif start is None:
        if config.start_from is None:
            raise CheckpointError(f"{why}which it does not name. Give that model, or begin a run in another folder.")
        try:
            start = load_model(config.start_from)
        except CheckpointError as error:
            raise CheckpointError(f"{why}which is not there: {error}") from error
    if start.sha256 != config.start:
        raise CheckpointError(
            f"{why}but {config.start_from or start.name} was changed: its SHA-256 is {start.sha256[:12]}..., expected "
            f"{config.start[:12]}.... Put the model back as it was, or begin a run in another folder."
        )
    return state, start


def _cancellable(
    on_target: Callable[[int, int], None] | None, should_stop: Callable[[], bool] | None
) -> Callable[[int, int], None]:
    """Return what is called after each target, and ends the making of them if that is wanted."""

    def after_target(done: int, total: int) -> None:
        if on_target is not None:
            on_target(done, total)
        if should_stop is not None and should_stop():
            raise CancelledError("The training was stopped while its targets were made; those made are kept.")

    return after_target


def _training_data(card: ModelCard, source: DataSource, start: Model | None) -> str:
    """Return what a model learns from: the terms of what it started from go on with it."""
    own = card.training_data or (BSDS_TERMS if source.kind == "bsds" else "")
    if start is None or start.card.training_data in ("", own):
        return own
    return f"{own} Started from {start.name!r}, which learnt from: {start.card.training_data}".strip()


def _split(source: DataSource, validation: DataSource | float, seed: int) -> Split:
    if isinstance(validation, DataSource):
        train, measured = (tuple(item.name for item in part) for part in (source, validation))
        return Split(train=train, validation=measured)
    return split_source(source, validation, seed)


def _parts(source: DataSource, validation: DataSource | float, split: Split) -> tuple[DataSource, DataSource | None]:
    """Return the images that train and those that validate, as the split has them."""
    holder = validation if isinstance(validation, DataSource) else source
    for part, names in ((source, split.train), (holder, split.validation)):
        missing = sorted(set(names) - {item.name for item in part})
        if missing:
            raise TrainingError(f"The data set lacks {listed(missing)}, on which the run was begun; bring it back.")
    return source.subset(split.train), holder.subset(split.validation) if split.validation else None


def _network(config: RunConfig, start: Model | None) -> Network:
    if (config.network.in_channels, config.network.out_channels) != (3, 3):
        raise ValueError(f"training needs a network from RGB to RGB, received {config.network!r}")
    return build_network(config.network, config.train.seed) if start is None else copy.deepcopy(start.network)


def is_first_process() -> bool:
    """Return whether this is not one of the processes that share the work of a first one."""
    return all(int(os.environ.get(name, 0)) == 0 for name in ("LOCAL_RANK", "NODE_RANK", "RANK", "SLURM_PROCID"))


def _fit(module: TrainModule, data: CropDataModule, keeper: EpochKeeper, compute: Compute, device: str) -> None:
    config = module.config
    previous = signal.getsignal(signal.SIGINT)
    with _quiet():
        try:
            _trainer(module, keeper, compute, device).fit(module, datamodule=data)
        except MisconfigurationException as error:
            reason = str(error).strip().rstrip(".")
            raise TrainingError(
                f"The training cannot run on {compute.devices} x {device.upper()}: {reason}. Choose other devices."
            ) from error
        except (RuntimeError, MemoryError) as error:
            if isinstance(error, RuntimeError) and not is_out_of_memory(error):
                raise
            raise TrainingError(
                f"The memory of the {device.upper()} is full with {config.batch_size} crops of {config.crop_size} x "
                f"{config.crop_size} pixels. Lower the batch size or the crop size, close what else uses the memory, "
                "or train on the CPU; what the run saved is kept."
            ) from error
        except SystemExit:
            # Lightning turns Ctrl+C into an exit, and leaves the next Ctrl+C without effect.
            signal.signal(signal.SIGINT, previous)
            if keeper.interrupted:
                raise KeyboardInterrupt from None
            raise


def _trainer(module: TrainModule, keeper: EpochKeeper, compute: Compute, device: str) -> pl.Trainer:
    config = module.config
    return pl.Trainer(
        accelerator=_ACCELERATORS[device],
        devices=compute.devices,
        num_nodes=compute.num_nodes,
        strategy="ddp" if compute.devices * compute.num_nodes > 1 else "auto",
        precision="bf16-mixed" if compute.precision_on(device) == "bfloat16" else "32-true",
        max_epochs=max(-(-config.steps // config.epoch_steps) - module.step // config.epoch_steps, 1),
        gradient_clip_val=config.gradient_clip,
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
        callbacks=[keeper],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning from advertising, and from warning of what is meant or its own."""
    loggers = [logging.getLogger(f"lightning.{name}") for name in ("pytorch", "fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning)
            warnings.filterwarnings("ignore", ".*does not have many workers")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
