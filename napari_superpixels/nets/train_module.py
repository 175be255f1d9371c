"""A network in training, as Lightning runs it."""

import time
from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from napari_superpixels.errors import CheckpointError, TrainingError
from napari_superpixels.nets.layers import AdaptiveNorm
from napari_superpixels.nets.registry import Network
from napari_superpixels.nets.train import Batch, TrainConfig, TrainEvent, make_trainable, training_losses
from napari_superpixels.nets.train_state import Progress, TrainState

_STOP_EPOCH = -1  # what on_train_batch_start returns to leave the epoch


class TrainModule(pl.LightningModule):
    """A network, its optimiser, and the moving average of its weights.

    Parameters
    ----------
    network : CAN or UNet
        Network to train, in place.
    config : TrainConfig
        Recipe.
    state : TrainState, optional
        State of a run to go on with, of the same network and recipe.
    on_step : callable, optional
        Called after every step, on the first device.
    should_stop : callable, optional
        Asked after that, on the first device; true ends the training there. It may block, which is not counted as time
        of training.

    Raises
    ------
    CheckpointError
        If the state belongs to another network.
    """

    def __init__(
        self,
        network: Network,
        config: TrainConfig,
        state: TrainState | None = None,
        on_step: Callable[[TrainEvent], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> None:
        super().__init__()
        self.network, self.config = network, config
        self._frozen = make_trainable(network, config)
        self._on_step = on_step or (lambda event: None)
        self._should_stop = should_stop or (lambda: False)
        self.is_stopped = False
        self._moments: dict[str, dict[str, Tensor]] = {}
        self.step = 0
        self._seconds = 0.0
        self._started = 0.0
        self._losses: dict[str, Tensor] = {}
        if state is not None:
            try:
                self.network.load_state_dict(state.weights)
            except RuntimeError as error:
                raise CheckpointError(f"The state of the run belongs to another network: {error}") from error
            self._moments = state.moments
            self.step, self._seconds = state.progress.step, state.progress.seconds
        self.average = {
            name: value.detach().clone()
            for name, value in (network.state_dict() if state is None else state.average).items()
        }

    @property
    def seconds(self) -> float:
        """Seconds of training so far."""
        return self._seconds + (time.perf_counter() - self._started if self._started else 0.0)

    @property
    def progress(self) -> float:
        """Share of the training that is done, by steps or by time, the same on all devices."""
        limit = self.config.time_limit
        share = max(self.step / self.config.steps, self.seconds / limit if limit else 0.0)
        if limit and self.trainer.world_size > 1:
            share = float(self.trainer.strategy.broadcast(share))
        return min(share, 1.0)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return AdamW, with the moments that a resumed run had."""
        before = max(self.step - 1, 0)
        rate = self.config.learning_rate_at(before, before / self.config.steps)  # the last step's, until the next
        optimizer = torch.optim.AdamW(self.network.parameters(), lr=rate, weight_decay=self.config.weight_decay)
        for name, parameter in self.network.named_parameters():
            if name in self._moments:
                # The count of steps stays on the CPU, where torch keeps it.
                optimizer.state[parameter] = {
                    moment: value.clone() if moment == "step" else value.to(parameter.device, copy=True)
                    for moment, value in self._moments[name].items()
                }
        return optimizer

    def on_train_start(self) -> None:
        """Start the clock and bring the average to the device."""
        self._started = time.perf_counter()
        self.average = {name: value.to(self.device) for name, value in self.average.items()}

    def on_train_epoch_start(self) -> None:
        """Keep the running statistics of what does not learn."""
        for layer in self._frozen:
            layer.eval()

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> int | None:
        """Set the learning rate, or end the training when it is complete."""
        progress = self.progress
        if progress >= 1.0:
            self.trainer.should_stop = True
            return _STOP_EPOCH
        rate = self.config.learning_rate_at(self.step, progress)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate
        return None

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch."""
        image = batch[0].contiguous(memory_format=torch.channels_last)
        total, self._losses = training_losses(self.network, self.network(image), batch, self.config)
        if not torch.isfinite(total):
            raise TrainingError(
                f"The training loss is no longer finite after {self.step} steps; lower the learning rate "
                f"({self.config.learning_rate:g}) and start again. What was saved after the last epoch is kept."
            )
        self._losses["total"] = total
        return total

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Count the step, update the average and report."""
        self.step += 1
        # Few steps deserve a short memory: the start would otherwise stay in the average for long.
        decay = min(self.config.ema_decay, self.step / (self.step + 9)) if self.config.ema_decay else 0.0
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                if value.is_floating_point():
                    self.average[name].lerp_(value, 1.0 - decay)
                else:
                    self.average[name].copy_(value)
        progress = self.progress
        if self.trainer.is_global_zero:
            losses = {name: value.item() for name, value in self._losses.items()}
            total = losses.pop("total")
            rate = self.trainer.optimizers[0].param_groups[0]["lr"]
            self._on_step(TrainEvent(self.step, progress, total, losses, rate, self.seconds))
        self.asks_to_stop()

    def norms(self) -> dict[str, float]:
        """Return the averaged a and b of every normalisation, by the layer's name and "a" or "b"."""
        names = [name for name, layer in self.network.named_modules() if isinstance(layer, AdaptiveNorm)]
        return {f"{name}.{part}": self.average[f"{name}.{part}"].item() for name in names for part in "ab"}

    def asks_to_stop(self) -> bool:
        """Return whether the run is to end, and remember it. All devices must ask together."""
        asked = time.perf_counter()
        stops = self.trainer.is_global_zero and self._should_stop()
        if self.trainer.world_size > 1:
            stops = bool(self.trainer.strategy.broadcast(stops))
        if self._started:
            self._started += time.perf_counter() - asked
        if stops:
            self.is_stopped = self.trainer.should_stop = True
        return stops

    def state(
        self,
        best_score: float | None,
        stale_epochs: int,
        kept_step: int | None = None,
        losses: dict[str, float] | None = None,
    ) -> TrainState:
        """Return what the run needs to go on from here; the parameters are fields of :class:`Progress`."""
        optimizer = self.trainer.optimizers[0]
        moments = {name: dict(optimizer.state[parameter]) for name, parameter in self.network.named_parameters()}
        progress = Progress(
            step=self.step,
            seconds=self.seconds,
            best_score=best_score,
            stale_epochs=stale_epochs,
            kept_step=kept_step,
            losses=losses or {},
        )
        return TrainState(progress, self.network.state_dict(), self.average, moments)
