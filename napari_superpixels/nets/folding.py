"""Folding of the adaptive normalisation into the convolutions, which makes inference plain convolutions."""

import torch
from torch import Tensor, nn

from napari_superpixels.nets.can import CAN, AdaptiveNorm, CANConfig


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

    def forward(self, x: Tensor) -> Tensor:
        """Flatten a batch of shape (N, in_channels, H, W); returns (N, total_channels, H, W) as the CAN does."""
        for conv in self.convs:
            x = self.activation(conv(x))  # (N, width, H, W)
        out: Tensor = self.head(x)  # (N, total_channels, H, W)
        return out


@torch.no_grad()
def fold(network: CAN) -> FoldedCAN:
    """Return a network of plain convolutions equal to ``network`` in evaluation mode.

    With running statistics m, v the normalisation a * x + b * (g * (x - m) / sqrt(v + eps) + h) is affine in x, so its
    scale goes into the weights of the convolution before it and its shift becomes that convolution's bias.

    Parameters
    ----------
    network : CAN
        Trained network; left as it is.

    Returns
    -------
    FoldedCAN
        In evaluation mode, on the same device, in channels-last format, without gradients.
    """
    folded = FoldedCAN(network.config).to(next(network.parameters()).device)
    for source, norm, target in zip(network.convs, network.norms, folded.convs, strict=True):
        scale, shift = _affine(norm)
        target.weight.copy_(source.weight * scale[:, None, None, None])
        target.bias.copy_(shift)
    folded.head.load_state_dict(network.head.state_dict())
    return folded.requires_grad_(False).eval().to(memory_format=torch.channels_last)


def _affine(norm: AdaptiveNorm) -> tuple[Tensor, Tensor]:
    """Return scale and shift, each of shape (C,), of the normalisation with its running statistics."""
    statistics = norm.norm
    gain = norm.b * statistics.weight / torch.sqrt(statistics.running_var + statistics.eps)  # (C,)
    return norm.a + gain, norm.b * statistics.bias - gain * statistics.running_mean
