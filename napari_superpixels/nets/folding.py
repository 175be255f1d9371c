"""Folding of the adaptive normalisation into the convolutions, which makes inference plain convolutions."""

from typing import cast

import torch
from torch import Tensor, nn

from napari_superpixels.nets.can import CAN, CANConfig
from napari_superpixels.nets.layers import AdaptiveNorm
from napari_superpixels.nets.unet import UNet


class FoldedCAN(nn.Module):
    """A trained :class:`CAN` as convolutions with bias and rectifiers, for inference only.

    Parameters
    ----------
    config : CANConfig
        Configuration of the network it is made from.
    """

    def __init__(self, config: CANConfig) -> None:
        super().__init__()
        self.config = config
        inputs = (config.in_channels,) + (config.width,) * (len(config.dilations) - 1)
        self.convs = nn.ModuleList(
            nn.Conv2d(channels, config.width, 3, padding=dilation, dilation=dilation)
            for channels, dilation in zip(inputs, config.dilations, strict=True)
        )
        self.activation = nn.LeakyReLU(config.negative_slope, inplace=True)
        self.head = nn.Conv2d(config.width, config.total_channels, 1)

    @property
    def layers(self) -> list[nn.Conv2d]:
        """The 3x3 convolutions, from the input on."""
        return list(cast("list[nn.Conv2d]", self.convs))

    def forward(self, x: Tensor) -> Tensor:
        """Flatten a batch of shape (N, in_channels, H, W); returns (N, total_channels, H, W) as the CAN does."""
        for conv in self.layers:
            x = self.activation(conv(x))  # (N, width, H, W)
        out: Tensor = self.head(x)  # (N, total_channels, H, W)
        return out


#: A network for inference.
FoldedNetwork = FoldedCAN | UNet


@torch.no_grad()
def fold(network: CAN | UNet) -> FoldedNetwork:
    """Return a network of plain convolutions equal to ``network`` in evaluation mode.

    With running statistics m, v the normalisation a * x + b * (g * (x - m) / sqrt(v + eps) + h) is affine in x, so its
    scale goes into the weights of the convolution before it and its shift becomes that convolution's bias.

    Parameters
    ----------
    network : CAN or UNet
        Trained network; left as it is.

    Returns
    -------
    FoldedCAN or UNet
        In evaluation mode, on the same device, in channels-last format, without gradients.
    """
    folded = _fold_can(network) if isinstance(network, CAN) else _fold_unet(network)
    folded.to(device=network.head.weight.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return folded.requires_grad_(False).eval()


def _fold_can(network: CAN) -> FoldedCAN:
    folded = FoldedCAN(network.config)
    for (source, norm), target in zip(network.layers, folded.layers, strict=True):
        _fold_layer(source, norm, target)
    folded.head.load_state_dict(network.head.state_dict())
    return folded


def _fold_unet(network: UNet) -> UNet:
    folded = UNet(network.config, folded=True)
    for (source, norm), (target, _) in zip(network.layers, folded.layers, strict=True):
        _fold_layer(source, cast("AdaptiveNorm", norm), target)
    folded.lift.load_state_dict(network.lift.state_dict())
    folded.head.load_state_dict(network.head.state_dict())
    return folded


def _fold_layer(source: nn.Conv2d, norm: AdaptiveNorm, target: nn.Conv2d) -> None:
    scale, shift = _affine(norm)
    target.load_state_dict({"weight": source.weight * scale[:, None, None, None], "bias": shift})


def _affine(norm: AdaptiveNorm) -> tuple[Tensor, Tensor]:
    """Return scale and shift, each of shape (C,), of the normalisation with its running statistics."""
    statistics = norm.norm
    mean, variance = statistics.get_buffer("running_mean"), statistics.get_buffer("running_var")  # (C,), (C,)
    gain = norm.b * statistics.weight / torch.sqrt(variance + statistics.eps)  # (C,)
    return norm.a + gain, norm.b * statistics.bias - gain * mean
