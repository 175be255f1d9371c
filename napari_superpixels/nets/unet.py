"""The U-Net, and the U-Net with blocks of the context aggregation network at each scale.

Source: O. Ronneberger, P. Fischer, T. Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation",
MICCAI 2015, doi:10.1007/978-3-319-24574-4_28.
"""

from abc import abstractmethod
from typing import Annotated, Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from napari_superpixels.nets.layers import AdaptiveNorm, Dilation, FlatteningConfig, FlatteningNetwork

#: Number of feature maps.
Width = Annotated[int, Field(ge=1, le=1024)]


class ScalesConfig(FlatteningConfig):
    """What every network of several scales has in its description."""

    widths: tuple[Width, ...] = Field(min_length=1, max_length=7)
    """Feature maps at each scale: full size, 1/2, 1/4 and so on."""

    @abstractmethod
    def block_dilations(self, scale: int) -> tuple[int, ...]:
        """Return the dilations of the 3x3 convolutions of a block at a scale, 0 being full size."""

    @property
    def stride(self) -> int:
        """Pixels that the coarsest feature maps step by."""
        return int(2 ** (len(self.widths) - 1))

    @property
    def receptive_radius(self) -> int:
        """Distance in pixels beyond which the input has no influence on an output pixel."""
        # On the way down and up a scale s has two blocks, and pooling reaches s further.
        bottom = len(self.widths) - 1
        halves = sum(2**scale * (2 * sum(self.block_dilations(scale)) + 1) for scale in range(bottom))
        return halves + self.stride * sum(self.block_dilations(bottom))


class UNetConfig(ScalesConfig):
    """Shape of a plain :class:`UNet`; immutable, and stored in the header of every model file."""

    architecture: Literal["unet"] = "unet"
    """Name of the architecture."""
    widths: tuple[Width, ...] = Field((16, 32, 48, 64, 64), min_length=1, max_length=7)
    """Feature maps at each scale: full size, 1/2, 1/4 and so on."""

    def block_dilations(self, scale: int) -> tuple[int, ...]:
        """Return the dilations of a block: two plain convolutions, as in the paper, at every scale."""
        return (1, 1)


class CANUNetConfig(ScalesConfig):
    """Shape of a :class:`UNet` of CAN blocks; immutable, and stored in the header of every model file."""

    architecture: Literal["can-unet"] = "can-unet"
    """Name of the architecture."""
    widths: tuple[Width, ...] = Field((16, 32, 48, 64), min_length=1, max_length=7)
    """Feature maps at each scale: full size, 1/2, 1/4 and so on."""
    dilations: tuple[Dilation, ...] = Field((1, 2), min_length=1, max_length=8)
    """Dilations of the 3x3 convolutions of a block."""
    bottom_dilations: tuple[Dilation, ...] = Field((1, 2, 4, 1), min_length=1, max_length=8)
    """Dilations of the 3x3 convolutions at the coarsest scale."""

    def block_dilations(self, scale: int) -> tuple[int, ...]:
        """Return the dilations of a block: those of the coarsest scale, or those of all others."""
        return self.bottom_dilations if scale == len(self.widths) - 1 else self.dilations


class ConvLayer(nn.Module):
    """A 3x3 convolution, then adaptive normalisation (or, folded, a bias) and a leaky rectifier."""

    def __init__(self, inputs: int, outputs: int, dilation: int, slope: float, *, folded: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation, bias=folded)
        self.norm = nn.Identity() if folded else AdaptiveNorm(outputs, a=0.0, b=1.0)
        self.activation = nn.LeakyReLU(slope, inplace=True)
        nn.init.kaiming_normal_(self.conv.weight, slope)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps (N, outputs, H, W) of maps (N, inputs, H, W)."""
        out: Tensor = self.activation(self.norm(self.conv(x)))
        return out


class UNet(FlatteningNetwork):
    """Encoder and decoder with skips, for any height and width; plain or, by its configuration, of CAN blocks.

    A block is a row of :class:`ConvLayer`. Between scales the maps are pooled 2x2 by their maximum; back up, a 1x1
    convolution brings them to the finer scale's number before they are repeated 2x2 and joined with the skip. The image
    is extended to a multiple of :attr:`UNetConfig.stride` by repeating its last row and column, and the output cropped.

    The head's output is added to the image and starts at zero: untrained, the network returns its first
    ``out_channels`` input channels unchanged. The normalisations start as batch normalisation.

    Parameters
    ----------
    config : UNetConfig or CANUNetConfig
        Widths, dilations and outputs.
    folded : bool
        Whether convolutions have biases in place of normalisations: the form for inference.
    """

    def __init__(self, config: UNetConfig | CANUNetConfig, *, folded: bool = False) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        inputs = (config.in_channels, *widths[:-1])

        def block(inputs: int, scale: int) -> nn.Sequential:
            width, dilations = widths[scale], config.block_dilations(scale)
            sources = (inputs,) + (width,) * (len(dilations) - 1)
            return nn.Sequential(
                *(
                    ConvLayer(source, width, dilation, config.negative_slope, folded=folded)
                    for source, dilation in zip(sources, dilations, strict=True)
                )
            )

        upwards = range(len(widths) - 2, -1, -1)
        self.down = nn.ModuleList(block(source, scale) for scale, source in enumerate(inputs))
        self.lift = nn.ModuleList(nn.Conv2d(widths[scale + 1], widths[scale], 1) for scale in upwards)
        self.up = nn.ModuleList(block(2 * widths[scale], scale) for scale in upwards)
        self.head = nn.Conv2d(widths[0], config.total_channels, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(cast("Tensor", self.head.bias))

    @property
    def layers(self) -> list[tuple[nn.Conv2d, nn.Module]]:
        """Each 3x3 convolution with its normalisation, from the input on."""
        return [(layer.conv, layer.norm) for layer in self.modules() if isinstance(layer, ConvLayer)]

    def forward(self, x: Tensor) -> Tensor:
        """Flatten a batch, as every network does."""
        height, width = x.shape[2:]
        image, stride, channels = x, self.config.stride, self.config.out_channels
        x = functional.pad(x, (0, -width % stride, 0, -height % stride), mode="replicate")
        skips: list[Tensor] = []
        # Maps are let go of as soon as they are used, which is why blocks are not called as a whole.
        for scale, block in enumerate(self.down):
            x = functional.max_pool2d(x, 2) if scale else x
            for layer in cast("nn.Sequential", block):
                x = layer(x)  # (N, widths[scale], H / 2^scale, W / 2^scale)
            skips.append(x)
        skips.pop()
        for lift, block in zip(self.lift, self.up, strict=True):
            x = functional.interpolate(lift(x), scale_factor=2.0, mode="nearest")
            x = torch.cat([x, skips.pop()], 1)
            for layer in cast("nn.Sequential", block):
                x = layer(x)
        out = self.head(x)[:, :, :height, :width]  # (N, total_channels, H, W)
        return torch.cat([image[:, :channels] + out[:, :channels], out[:, channels:]], 1)
