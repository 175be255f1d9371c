"""What happens after every epoch of a training run: validation, saving, figures, and the decision to stop."""

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl
import torch

from napari_superpixels.data.sources import SourceItem
from napari_superpixels.engine.run_figures import draw_curves, draw_pictures
from napari_superpixels.engine.run_folder import Row, RunConfig, RunFolder
from napari_superpixels.engine.validation import MEASURES, ValidationPicture, measure_network, picture_network
from napari_superpixels.errors import CancelledError, TrainingError, WriteError
from napari_superpixels.nets.catalogue import ModelCard
from napari_superpixels.nets.checkpoint import Model, save_model
from napari_superpixels.nets.folding import fold
from napari_superpixels.nets.registry import build_network
from napari_superpixels.nets.train import TrainEvent
from napari_superpixels.nets.train_module import TrainModule
from napari_superpixels.nets.train_state import Progress, save_state

_N_PICTURES = 3


@dataclass(frozen=True, slots=True)
class EpochEvent:
    """What came of an epoch."""

    epoch: int
    """Number of the epoch, from 1."""
    row: Row
    """Its line in the table of measures."""
    is_best: bool
    """Whether no epoch before was better."""


class EpochKeeper(pl.Callback):
    """Validates and saves a run after every epoch.

    The images are shared between devices; the first device writes. The state, from which a resume goes on, is written
    last: what a kill left half done is done again.

    Parameters
    ----------
    folder : RunFolder
        Where everything is written.
    config : RunConfig
        What the run was begun with.
    items : sequence of SourceItem
        Images that are measured; with none, the training loss takes their place.
    progress : Progress
        Where the run stands at the start.
    on_epoch : callable, optional
        Called after every epoch, on the first device.

    Notes
    -----
    A run that is stopped saves its state and is not validated; where an epoch was complete, a resume validates it
    first.
    """

    def __init__(
        self,
        folder: RunFolder,
        config: RunConfig,
        items: Sequence[SourceItem],
        progress: Progress,
        on_epoch: Callable[[EpochEvent], None] | None = None,
    ) -> None:
        self._folder = folder
        self._config = config
        self._items = items
        self._on_epoch = on_epoch or (lambda event: None)
        self._best, self._stale = progress.best_score, progress.stale_epochs
        self._kept_step = progress.step if progress.kept_step is None else progress.kept_step
        self._rows = folder.read_rows(self._kept_step)
        self._losses = Counter(progress.losses)
        self.interrupted = False
        self.out_of_patience = False

    def on_step(self, event: TrainEvent) -> None:
        """Remember the losses of a step for the epoch's mean."""
        self._losses.update({"loss": event.loss, **event.losses})

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Remember that the user stopped the run, which Lightning hides."""
        self.interrupted = isinstance(exception, KeyboardInterrupt)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Make up for the validation of a run that was stopped when an epoch was complete."""
        assert isinstance(pl_module, TrainModule)
        train = self._config.train
        if pl_module.step % train.epoch_steps == 0 or pl_module.step >= train.steps:
            self.on_train_epoch_end(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Validate, save and draw, unless no step was done since the last time; stopped, save the state alone."""
        assert isinstance(pl_module, TrainModule)
        if pl_module.step == self._kept_step:
            return
        if not all(bool(torch.isfinite(value).all()) for value in pl_module.average.values()):
            raise TrainingError(
                f"The network's weights are no longer finite after {pl_module.step} steps; lower the learning rate "
                f"({self._config.train.learning_rate:g}) and start again. What was saved after the last epoch is kept."
            )
        if not pl_module.is_stopped:
            with contextlib.suppress(CancelledError):  # then the module is stopped
                self._end_epoch(trainer, pl_module)
        if pl_module.is_stopped and trainer.is_global_zero:
            self._save_state(pl_module)

    def _end_epoch(self, trainer: pl.Trainer, module: TrainModule) -> None:
        model = self.model(module)
        measures = self._measure(trainer, module, model)
        losses = self._mean_losses(module.step - self._kept_step)
        self._kept_step = module.step
        loss: float = trainer.strategy.broadcast(losses.get("loss", 0.0))
        score = measures.get("undersegmentation_error", loss)
        is_best = self._best is None or score < self._best
        self._best, self._stale = (score, 0) if is_best else (self._best, self._stale + 1)
        patience = self._config.train.patience
        if patience is not None and self._stale >= patience:
            self.out_of_patience = trainer.should_stop = True
        if trainer.is_global_zero:
            self._write(module, model, {**losses, **measures}, is_best=is_best)

    def model(self, module: TrainModule) -> Model:
        """Return the averaged network as it is now."""
        network = build_network(self._config.network)
        network.load_state_dict({name: value.cpu() for name, value in module.average.items()})
        network.requires_grad_(False).eval()
        return Model(self._folder.root.name, "", network.config, network, fold(network), self._config.card)

    def _measure(self, trainer: pl.Trainer, module: TrainModule, model: Model) -> dict[str, float]:
        """Return the mean of every measure over the images of all devices."""
        if not self._items:
            return {}
        items = self._items[trainer.global_rank :: trainer.world_size]
        values = measure_network(
            model, items, self._config.validation, device=module.device.type, should_stop=_question(module)
        )
        sums = torch.tensor([sum(values[name]) for name in MEASURES], dtype=torch.float64)
        if trainer.world_size > 1:
            device = sums.float().to(module.device)
            sums = torch.as_tensor(trainer.strategy.reduce(device, reduce_op="sum")).double().cpu()
        return dict(zip(MEASURES, (sums / len(self._items)).tolist(), strict=True))

    def _mean_losses(self, n_steps: int) -> dict[str, float]:
        losses, self._losses = self._losses, Counter()
        return {name: value / n_steps for name, value in losses.items()}

    def _save_state(self, module: TrainModule) -> None:
        save_state(self._folder.state, module.state(self._best, self._stale, self._kept_step, dict(self._losses)))

    def _write(self, module: TrainModule, model: Model, measures: dict[str, float], *, is_best: bool) -> None:
        folder = self._folder
        epoch = -(-module.step // self._config.train.epoch_steps)
        rate = module.trainer.optimizers[0].param_groups[0]["lr"]
        row: Row = {"epoch": epoch, "step": module.step, "seconds": round(module.seconds, 1), "learning_rate": rate}
        row |= {**measures, **module.norms()}
        self._rows.append(row)
        card = self._card(module.step, measures)
        save_model(folder.last, model.network, card)
        if is_best:
            save_model(folder.best, model.network, card)
            _show(lambda: folder.write_card(card))
        _show(lambda: folder.write_rows(self._rows))
        _show(lambda: draw_curves(folder.root, self._rows))
        if self._items:
            with contextlib.suppress(CancelledError):  # a run that is to stop goes without pictures
                pictures = self._pictures(module, model)
                _show(lambda: draw_pictures(folder.sample(epoch), pictures))
        self._save_state(module)
        self._on_epoch(EpochEvent(epoch, row, is_best))

    def _pictures(self, module: TrainModule, model: Model) -> list[ValidationPicture]:
        items = self._items[:: max(1, len(self._items) // _N_PICTURES)][:_N_PICTURES]
        device, should_stop = module.device.type, _question(module)
        return [
            picture_network(model, item.read(), self._config.validation, device=device, should_stop=should_stop)
            for item in items
        ]

    def _card(self, step: int, measures: dict[str, float]) -> ModelCard:
        config = self._config
        recipe: dict[str, Any] = config.model_dump(mode="json", include={"library", "train", "targets", "start"})
        if config.lineage:
            recipe["lineage"] = config.lineage
        recipe["validation"] = config.validation.model_dump(mode="json")
        recipe["steps"] = step
        metrics = {f"val_{name}": measures[name] for name in MEASURES if name in measures}
        losses = {f"train_{name}": value for name, value in measures.items() if name not in MEASURES}
        return config.card.model_copy(update={"recipe": recipe, "metrics": {**metrics, **losses}})


def _show(write: Callable[[], None]) -> None:
    """Write what is only for looking at; it can wait for the next epoch where another program has the file open."""
    with contextlib.suppress(WriteError):
        write()


def _question(module: TrainModule) -> Callable[[], bool] | None:
    """Return what asks whether to stop amid an epoch's end; None where devices must go through it together."""
    return None if module.trainer.world_size > 1 else module.asks_to_stop
