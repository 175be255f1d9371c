"""Training of a flattening network on images with superpixel targets."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from napari_superpixels.nets.augment import Augmentation, random_crop
from napari_superpixels.nets.losses import TVForm, boundary_bce, mse, total_variation
from napari_superpixels.nets.registry import Network
from napari_superpixels.nets.samples import TrainSample


class TrainConfig(BaseModel):
    """Recipe of a training run; immutable, and written into the model file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    steps: int = Field(8000, ge=1)
    """Optimiser steps."""
    time_limit: float | None = Field(None, gt=0)
    """Seconds after which training ends at the latest; the learning rate then falls in time for it."""
    batch_size: int = Field(6, ge=1)
    """Crops per step."""
    crop_size: int = Field(192, ge=8)
    """Side of a crop in pixels."""
    learning_rate: float = Field(2e-3, gt=0)
    """Highest learning rate."""
    warmup_steps: int = Field(100, ge=0)
    """Steps in which the learning rate rises linearly, before the cosine decay."""
    weight_decay: float = Field(1e-4, ge=0)
    """AdamW's decay of the weights."""
    gradient_clip: float = Field(1.0, gt=0)
    """Largest norm of the gradient."""
    mse_weight: float = Field(10.0, ge=0)
    """Weight of the squared error of the flattened image."""
    tv_weight: float = Field(0.0, ge=0)
    """Weight of the flattened image's total variation."""
    tv_form: TVForm = "anisotropic"
    """Form of the total variation."""
    boundary_weight: float = Field(0.1, ge=0)
    """Weight of the boundary cross-entropy; without effect for a network without a boundary head."""
    boundary_positive_weight: float = Field(4.0, gt=0)
    """Weight of boundary pixels relative to the others."""
    augmentation: Augmentation = Augmentation()
    """How crops vary."""
    ema_decay: float = Field(0.998, ge=0, lt=1)
    """Decay of the moving average of the weights, which is what is kept; 0 keeps the last weights."""
    checkpoint_every: int = Field(300, ge=1)
    """Steps between two calls of the checkpoint callback."""
    seed: int = Field(0, ge=0)
    """Seed of crops, flips and choice of annotators."""


@dataclass(frozen=True, slots=True)
class TrainEvent:
    """State of a training run after one step."""

    step: int
    """Steps done, from 1."""
    loss: float
    """Weighted sum of the losses."""
    losses: dict[str, float]
    """Each loss before weighting: ``mse``, ``tv``, ``boundary`` (the latter two only where they take part)."""
    learning_rate: float
    """Learning rate of this step."""
    seconds: float
    """Seconds since the start."""
    last: bool
    """Whether the run is complete."""


#: Called with the number of steps done and the weights to keep (a copy of the state dictionary).
CheckpointCallback = Callable[[int, dict[str, Tensor]], None]


def train(
    model: Network,
    samples: Sequence[TrainSample],
    config: TrainConfig | None = None,
    *,
    device: str = "cpu",
    on_checkpoint: CheckpointCallback | None = None,
) -> Iterator[TrainEvent]:
    """Train a network, yielding after every step.

    Closing the generator early leaves the weights of the last step in the model; when it is exhausted the model holds
    the averaged weights and is in evaluation mode.

    Parameters
    ----------
    model : CAN or UNet
        Network with three input and three output channels; trained in place.
    samples : sequence of TrainSample
        Images with their targets.
    config : TrainConfig, optional
        Recipe.
    device : str
        Torch device to train on.
    on_checkpoint : callable, optional
        Called every ``config.checkpoint_every`` steps and after the last one.

    Yields
    ------
    TrainEvent
        One per step.

    Raises
    ------
    ValueError
        If there is no sample, the network is not RGB to RGB, or the loss stops being finite.
    """
    config = config or TrainConfig()
    if not samples:
        raise ValueError("training needs at least one sample, received none")
    if (model.config.in_channels, model.config.out_channels) != (3, 3):
        raise ValueError(f"training needs a network from RGB to RGB, received {model.config!r}")
    rng = np.random.default_rng(config.seed)
    model.to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    average = _snapshot(model)
    start = time.perf_counter()
    step, progress = 0, 0.0
    while progress < 1.0:
        rate = config.learning_rate * _schedule(step, progress, config)
        for group in optimizer.param_groups:
            group["lr"] = rate
        losses = _step(model, optimizer, _batch(samples, rng, config, device), config)
        step += 1
        _update_average(average, model, min(config.ema_decay, step / (step + 9)) if config.ema_decay else 0.0)
        seconds = time.perf_counter() - start
        progress = max(step / config.steps, seconds / config.time_limit if config.time_limit else 0.0)
        last = progress >= 1.0
        if last:
            model.load_state_dict(average)
            model.eval()
        if on_checkpoint is not None and (last or step % config.checkpoint_every == 0):
            on_checkpoint(step, {name: value.detach().cpu().clone() for name, value in average.items()})
        loss = losses.pop("total")
        yield TrainEvent(step, loss, losses, rate, seconds, last)


def _schedule(step: int, progress: float, config: TrainConfig) -> float:
    """Return the share of the highest learning rate: a linear rise, then half a cosine."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    return 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))


def _step(
    model: Network, optimizer: torch.optim.Optimizer, batch: tuple[Tensor, Tensor, Tensor], config: TrainConfig
) -> dict[str, float]:
    image, target, boundary = batch  # (N, 3, S, S), (N, 3, S, S), (N, 1, S, S)
    out = model(image)  # (N, 3 or 4, S, S)
    losses = {"mse": mse(out[:, :3], target)}
    total = config.mse_weight * losses["mse"]
    if config.tv_weight:
        losses["tv"] = total_variation(out[:, :3], config.tv_form)
        total = total + config.tv_weight * losses["tv"]
    if model.config.boundary_head:
        losses["boundary"] = boundary_bce(out[:, 3:], boundary, positive_weight=config.boundary_positive_weight)
        total = total + config.boundary_weight * losses["boundary"]
    if not torch.isfinite(total):
        raise ValueError("the training loss is no longer finite; lower the learning rate and start again")
    optimizer.zero_grad()
    total.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(model.parameters(), config.gradient_clip)
    optimizer.step()
    return {name: value.item() for name, value in {**losses, "total": total}.items()}


def _snapshot(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _update_average(average: dict[str, Tensor], model: nn.Module, decay: float) -> None:
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value.detach(), 1.0 - decay)
        else:
            average[name].copy_(value)


def _batch(
    samples: Sequence[TrainSample], rng: np.random.Generator, config: TrainConfig, device: str
) -> tuple[Tensor, Tensor, Tensor]:
    crops = [
        random_crop(samples[int(rng.integers(len(samples)))], rng, config.crop_size, config.augmentation)
        for _ in range(config.batch_size)
    ]
    stacks = (np.ascontiguousarray(np.stack(parts).transpose(0, 3, 1, 2)) for parts in zip(*crops, strict=True))
    image, target, boundary = (torch.from_numpy(stack).to(device) for stack in stacks)  # (N, C, S, S)
    return image, target, boundary
