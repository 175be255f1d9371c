"""Folding of the adaptive normalisation into the convolutions, which makes inference plain convolutions."""

from typing import cast

import torch
from torch import Tensor, nn

from napari_superpixels.nets.can import CAN
from napari_superpixels.nets.layers import AdaptiveNorm
from napari_superpixels.nets.registry import Network
from napari_superpixels.nets.unet import UNet


@torch.no_grad()
def fold(network: Network) -> Network:
    """Return a network of plain convolutions equal to ``network`` in evaluation mode.

    With running statistics m, v the normalisation a * x + b * (g * (x - m) / sqrt(v + eps) + h) is affine in x, so its
    scale goes into the weights of the convolution before it and its shift becomes that convolution's bias.

    Parameters
    ----------
    network : CAN or UNet
        Trained network; left as it is.

    Returns
    -------
    CAN or UNet
        Folded, in evaluation mode, on the same device, in channels-last format, without gradients.
    """
    folded: Network = (
        CAN(network.config, folded=True) if isinstance(network, CAN) else UNet(network.config, folded=True)
    )
    folded.load_state_dict(network.state_dict(), strict=False)  # all but the layers
    for (source, norm), (target, _) in zip(network.layers, folded.layers, strict=True):
        _fold_layer(source, cast("AdaptiveNorm", norm), target)
    folded.to(device=network.head.weight.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return folded.requires_grad_(False).eval()


def _fold_layer(source: nn.Conv2d, norm: AdaptiveNorm, target: nn.Conv2d) -> None:
    scale, shift = _affine(norm)
    target.load_state_dict({"weight": source.weight * scale[:, None, None, None], "bias": shift})


def _affine(norm: AdaptiveNorm) -> tuple[Tensor, Tensor]:
    """Return scale and shift, each of shape (C,), of the normalisation with its running statistics."""
    statistics = norm.norm
    mean, variance = statistics.get_buffer("running_mean"), statistics.get_buffer("running_var")  # (C,), (C,)
    gain = norm.b * statistics.weight / torch.sqrt(variance + statistics.eps)  # (C,)
    return norm.a + gain, norm.b * statistics.bias - gain * mean
