"""What the networks have in common: their description, their shape from outside and the adaptive normalisation."""

from abc import abstractmethod
from typing import Annotated, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

#: Distance in pixels between the values that a 3x3 convolution reads.
Dilation = Annotated[int, Field(ge=1, le=512)]


class FlatteningConfig(BaseModel):
    """Description of a network that flattens an image; immutable, and stored in the header of every model file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    """Version of this description, raised when a field changes its meaning."""
    in_channels: int = Field(3, ge=1, le=64)
    """Channels of the input."""
    out_channels: int = Field(3, ge=1, le=64)
    """Channels of the flattened image."""
    boundary_head: bool = True
    """Whether a boundary logit follows the flattened channels."""
    negative_slope: float = Field(0.2, ge=0.0, le=1.0)
    """Slope of the leaky rectifier for negative values."""

    @model_validator(mode="after")
    def _check_channels(self) -> Self:
        if self.out_channels > self.in_channels:
            raise ValueError(
                f"the network starts as the identity, which needs out_channels <= in_channels; received "
                f"{self.out_channels} and {self.in_channels}"
            )
        return self

    @property
    def total_channels(self) -> int:
        """Channels of the output: the flattened image, then the boundary logit if there is one."""
        return self.out_channels + int(self.boundary_head)

    @property
    @abstractmethod
    def receptive_radius(self) -> int:
        """Distance in pixels beyond which the input has no influence on an output pixel."""

    @property
    def stride(self) -> int:
        """Pixels that the coarsest feature maps step by; equal parts of an image must start at multiples of it."""
        return 1


class FlatteningNetwork(nn.Module):
    """A network that flattens an image; in training with normalisations, or folded: plain convolutions with biases."""

    head: nn.Conv2d
    """The 1x1 convolution that makes the output."""

    @property
    @abstractmethod
    def layers(self) -> list[tuple[nn.Conv2d, nn.Module]]:
        """Each 3x3 convolution with its normalisation, which is the identity in a folded network, from the input on."""

    @property
    def parameter_count(self) -> int:
        """Number of learned values."""
        return sum(parameter.numel() for parameter in self.parameters())

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Flatten a batch.

        Parameters
        ----------
        x : Tensor
            Float images of shape (N, in_channels, H, W) in [0, 1].

        Returns
        -------
        Tensor
            Shape (N, total_channels, H, W): the flattened image, not clipped, then the boundary logit if there is one.
        """


class AdaptiveNorm(nn.Module):
    """Adaptive normalisation a * x + b * BN(x) with one learned a and b for the layer.

    Parameters
    ----------
    channels : int
        Number of feature maps.
    a, b : float
        Their values at the start: 1 and 0 leave the maps as they are, as in the paper; 0 and 1 are batch normalisation.
    """

    def __init__(self, channels: int, a: float = 1.0, b: float = 0.0) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a))
        self.b = nn.Parameter(torch.tensor(b))
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise feature maps of shape (N, C, H, W)."""
        norm = self.norm
        # b goes into BN's own scale and shift: one pass over the maps less than b * BN(x), forwards and backwards.
        normalised = functional.batch_norm(
            x, norm.running_mean, norm.running_var, self.b * norm.weight, self.b * norm.bias, training=self.training
        )  # (N, C, H, W)
        # Autocast on a GPU runs addcmul in the widest type that it is given: with a in float32 every map would become
        # float32. The CPU does not, and has the more exact gradients from a as it is.
        a = self.a if x.device.type == "cpu" else self.a.to(x.dtype)
        return torch.addcmul(normalised, x, a)
