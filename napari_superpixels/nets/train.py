"""Recipe of a training run: its settings, its learning rate, and the loss of a step."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from napari_superpixels.nets.augment import Augmentation
from napari_superpixels.nets.layers import AdaptiveNorm
from napari_superpixels.nets.losses import TVForm, association_loss, boundary_bce, l1, mse, total_variation
from napari_superpixels.nets.registry import Network

#: Input, target, boundary and weight of a batch, of shape (N, C, S, S), (N, C, S, S), (N, 1, S, S) and (N, 2, S, S), in
#: [0, 1]. The weight's first channel says how much each pixel's target counts, its second how much its boundary does.
Batch = tuple[Tensor, Tensor, Tensor, Tensor]

#: Convolutions of 3x3, the last ones, that learn where not all do.
_N_LAST = 2

_Share = Annotated[float, Field(gt=0, lt=1)]


class TrainConfig(BaseModel):
    """Recipe of a training run; immutable, and written into the model file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    steps: int = Field(8000, ge=1)
    """Optimiser steps."""
    time_limit: float | None = Field(None, gt=0)
    """Seconds after which training ends at the latest; the learning rate then falls in time for it."""
    epoch_steps: int = Field(300, ge=1)
    """Steps of an epoch; after each the network is validated and saved."""
    patience: int | None = Field(None, ge=1)
    """Epochs without a better validation after which training ends; None goes on to the end."""
    batch_size: int = Field(6, ge=1)
    """Crops per step, on all devices together."""
    crop_size: int = Field(240, ge=8)
    """Side of a crop in pixels."""
    learning_rate: float = Field(2e-3, gt=0)
    """Highest learning rate."""
    warmup_steps: int = Field(100, ge=0)
    """Steps in which the learning rate rises linearly."""
    schedule: Literal["cosine", "step"] = "cosine"
    """How the learning rate falls after that: half a cosine to 0, or by a factor at each milestone."""
    milestones: tuple[_Share, ...] = (0.5, 0.75)
    """Shares of the training at which the learning rate falls, with the schedule "step"."""
    milestone_factor: float = Field(0.1, gt=0, lt=1)
    """What the learning rate is multiplied with at each milestone."""
    weight_decay: float = Field(1e-2, ge=0)
    """AdamW's decay of the weights."""
    gradient_clip: float = Field(1.0, gt=0)
    """Largest norm of the gradient."""
    mse_weight: float = Field(10.0, ge=0)
    """Weight of the squared error of the flattened image."""
    l1_weight: float = Field(0.0, ge=0)
    """Weight of its absolute error, which keeps edges sharp where the squared error blurs them: where it is unsure of
    two colours, the network then decides for one instead of mixing them."""
    tv_weight: float = Field(0.0, ge=0)
    """Weight of the flattened image's total variation."""
    tv_form: TVForm = "anisotropic"
    """Form of the total variation."""
    boundary_weight: float = Field(0.1, ge=0)
    """Weight of the boundary cross-entropy; without effect for a network without a boundary head."""
    boundary_positive_weight: Annotated[float, Field(gt=0)] | Literal["balanced"] = 4.0
    """Weight of boundary pixels relative to the others; "balanced" makes up for their number in each batch."""
    association_weight: float = Field(0.0, ge=0)
    """Weight of the soft association of pixels with superpixels."""
    association_cell: int = Field(16, ge=2)
    """Side in pixels of the squares that the soft superpixels start from."""
    trained: Literal["all", "last"] = "all"
    """What of the network learns: all, or the head and the last two 3x3 convolutions with their normalisations."""
    balance_color: bool = False
    """Whether grey and colour images are drawn equally often, however many there are of each."""
    reminder_share: float = Field(0.0, ge=0, lt=1)
    """Share of the crops that remind of what the start model could, where a run has such samples."""
    augmentation: Augmentation = Augmentation()
    """How crops vary."""
    ema_decay: float = Field(0.998, ge=0, lt=1)
    """Decay of the moving average of the weights, which is what is kept; 0 keeps the last weights."""
    seed: int = Field(0, ge=0)
    """Seed of the weights, the order of the images, the crops and the choice of annotators."""

    def learning_rate_at(self, step: int, progress: float) -> float:
        """Return the learning rate of a step.

        Parameters
        ----------
        step : int
            Steps done before.
        progress : float
            Share of the training that is done, from 0 to 1.
        """
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        if self.schedule == "step":
            return self.learning_rate * self.milestone_factor ** sum(progress >= share for share in self.milestones)
        return self.learning_rate * 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))


@dataclass(frozen=True, slots=True)
class TrainEvent:
    """State of a training run after one step."""

    step: int
    """Steps done, from 1."""
    progress: float
    """Share of the training that is done, in [0, 1]."""
    loss: float
    """Weighted sum of the losses."""
    losses: dict[str, float]
    """Each loss before weighting: "mse", and "l1", "tv", "boundary" and "association" where they take part."""
    learning_rate: float
    """Learning rate of this step."""
    seconds: float
    """Seconds of training so far, those before a resume included."""


def make_trainable(network: Network, config: TrainConfig) -> list[nn.Module]:
    """Prepare a network, in place, for steps of a recipe.

    Returns
    -------
    list of torch.nn.Module
        What does not learn: to be put into evaluation mode, in which its running statistics stay as they are.
    """
    network.train().requires_grad_(True).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if config.trained == "all":
        return []
    learning = {id(network.head), *(id(part) for pair in network.layers[-_N_LAST:] for part in pair)}
    kinds = (nn.Conv2d, AdaptiveNorm)
    frozen: list[nn.Module] = [
        layer for layer in network.modules() if isinstance(layer, kinds) and id(layer) not in learning
    ]
    for layer in frozen:
        layer.requires_grad_(False)
    return frozen


def training_losses(
    network: Network, out: Tensor, batch: Batch, config: TrainConfig
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the weighted sum of the losses that take part, and each by name.

    Parameters
    ----------
    network : CAN or UNet
        The network.
    out : Tensor
        What the network, or a wrapper of it, made of the batch.
    batch : tuple of Tensor
        Input, target, boundary and weight. Each loss is a mean over what counts.
    config : TrainConfig
        The weights.
    """
    _, target, boundary, counts = batch
    # Plain means are faster, and to the bit what they were before there were weights.
    weight, boundary_weight = (None, None) if bool((counts == 1).all()) else (counts[:, :1], counts[:, 1:])
    channels = network.config.out_channels
    flattened = out[:, :channels]
    losses = {"mse": mse(flattened, target, weight)}
    weights = {"mse": config.mse_weight}
    if config.l1_weight:
        losses["l1"] = l1(flattened, target, weight)
        weights["l1"] = config.l1_weight
    if config.tv_weight:
        losses["tv"] = total_variation(flattened, config.tv_form, weight=weight)
        weights["tv"] = config.tv_weight
    if network.config.boundary_head:
        positive = config.boundary_positive_weight
        positive_weight = None if positive == "balanced" else positive
        losses["boundary"] = boundary_bce(out[:, channels:], boundary, boundary_weight, positive_weight=positive_weight)
        weights["boundary"] = config.boundary_weight
    if config.association_weight:
        losses["association"] = association_loss(flattened, target, weight, cell=config.association_cell)
        weights["association"] = config.association_weight
    total = torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
    return total, losses
