"""The context aggregation network (CAN): dilated convolutions that flatten an image at full resolution.

Source: Q. Chen, J. Xu, V. Koltun, "Fast Image Processing with Fully-Convolutional Networks", ICCV 2017,
arXiv:1709.00643.
"""

from typing import Literal, Self, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from napari_superpixels.nets.layers import AdaptiveNorm, Dilation, FlatteningConfig, FlatteningNetwork


class CANConfig(FlatteningConfig):
    """Shape of a :class:`CAN`; immutable, and stored in the header of every model file."""

    architecture: Literal["can"] = "can"
    """Name of the architecture."""
    width: int = Field(24, ge=1, le=512)
    """Feature maps of each hidden layer."""
    dilations: tuple[Dilation, ...] = Field((1, 2, 4, 8, 16, 32, 1), min_length=1, max_length=32)
    """Dilation of each 3x3 convolution; their number is the depth."""

    @model_validator(mode="after")
    def _check_width(self) -> Self:
        if self.in_channels > self.width:
            raise ValueError(
                f"the identity initialisation needs in_channels <= width; received {self.in_channels} and {self.width}"
            )
        return self

    @property
    def receptive_radius(self) -> int:
        """Distance in pixels beyond which the input has no influence on an output pixel."""
        return sum(self.dilations)


class CAN(FlatteningNetwork):
    """Context aggregation network at full resolution, for any height and width.

    Each 3x3 convolution has no bias and is followed by :class:`AdaptiveNorm` and a leaky rectifier; a 1x1 convolution
    makes the output. Borders are padded with zeros in every layer, as in the paper: unlike reflection this works for
    images smaller than the dilation, it needs no copy of the feature maps, and since it happens layer by layer a tile
    with a halo of :attr:`CANConfig.receptive_radius` pixels gives exactly what the whole image gives.

    Untrained, the network returns its first ``out_channels`` input channels (of values >= 0) unchanged.

    Parameters
    ----------
    config : CANConfig
        Depth, width and outputs.
    folded : bool
        Whether convolutions have biases in place of normalisations: the form for inference.
    """

    def __init__(self, config: CANConfig, *, folded: bool = False) -> None:
        super().__init__()
        self.config = config
        inputs = (config.in_channels,) + (config.width,) * (len(config.dilations) - 1)
        self.convs = nn.ModuleList(
            nn.Conv2d(channels, config.width, 3, padding=dilation, dilation=dilation, bias=folded)
            for channels, dilation in zip(inputs, config.dilations, strict=True)
        )
        self.norms = nn.ModuleList(nn.Identity() if folded else AdaptiveNorm(config.width) for _ in config.dilations)
        self.activation = nn.LeakyReLU(config.negative_slope, inplace=True)
        self.head = nn.Conv2d(config.width, config.total_channels, 1)
        self._init_identity()

    @property
    def layers(self) -> list[tuple[nn.Conv2d, nn.Module]]:
        """Each 3x3 convolution with its normalisation, from the input on."""
        return list(zip(cast("list[nn.Conv2d]", self.convs), self.norms, strict=True))

    def forward(self, x: Tensor) -> Tensor:
        """Flatten a batch, as every network does."""
        for conv, norm in self.layers:
            x = self.activation(norm(conv(x)))  # (N, width, H, W)
        out: Tensor = self.head(x)  # (N, total_channels, H, W)
        return out

    @torch.no_grad()
    def _init_identity(self) -> None:
        # The maps that do not carry the input start as random filters of it: were they all zero, neither they nor
        # the head's weights on them would ever receive a gradient.
        channels = self.config.in_channels
        for index, (conv, _) in enumerate(self.layers):
            if index > 0:
                nn.init.zeros_(conv.weight)
            conv.weight[:channels] = 0.0
            for i in range(channels if index == 0 else self.config.width):
                conv.weight[i, i, 1, 1] = 1.0
        head = torch.zeros_like(self.head.weight)  # (total_channels, width, 1, 1)
        for i in range(self.config.out_channels):
            head[i, i] = 1.0
        self.head.load_state_dict({"weight": head, "bias": torch.zeros(self.config.total_channels)})
