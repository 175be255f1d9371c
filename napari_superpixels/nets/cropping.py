"""Exact inference of a part of an image by a U-Net, without computing what the part does not need.

A part's output depends on pixels far around it, through the coarse scales; on the way back up the finer scales, where
most of the work is, only a few pixels around the part are still needed. Maps are cropped to those there.
"""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_superpixels.nets.unet import ConvLayer, UNet

Area = tuple[slice, slice]


def run_part(network: UNet, image: Tensor, area: Area, check: Callable[[], None]) -> Tensor:
    """Return ``network(image)[:, :, *area]`` up to rounding.

    Parameters
    ----------
    network : UNet
        Folded network, on the image's device.
    image : Tensor
        Float32, shape (N, in_channels, H, W).
    area : tuple of slice
        Rows and columns wanted, inside the image.
    check : callable
        Called between layers; may raise to end the computation.

    Returns
    -------
    Tensor
        Shape (N, total_channels, rows, columns).
    """
    height, width = image.shape[2:]
    stride, channels = network.config.stride, network.config.out_channels
    x = functional.pad(image, (0, -width % stride, 0, -height % stride), mode="replicate")
    areas = _areas(network, area, (x.shape[2], x.shape[3]))
    joined: list[Tensor] = []
    for scale, block in enumerate(network.down):
        layers = [cast("ConvLayer", layer) for layer in cast("nn.Sequential", block)]
        if scale == len(areas):
            x = _run(layers, x, check)
            break
        x = layers[-1].conv(_run(layers[:-1], x, check))  # (N, widths[scale], H / 2^scale, W / 2^scale)
        joined.append(_join(x, areas[scale], network.config.negative_slope))
        # A rectifier keeps the order of values: it may as well follow the pooling, on a quarter of them.
        x = layers[-1].activation(functional.max_pool2d(x, 2))
    reached = (slice(0, x.shape[2]), slice(0, x.shape[3]))
    for lift, block, here in zip(network.lift, network.up, reversed(areas), strict=True):
        check()
        source = _inside(_scaled(here), reached)
        maps = joined.pop()  # (N, 2 widths[scale], rows, columns)
        lifted = lift(x[:, :, *source])  # (N, widths[scale], rows / 2, columns / 2)
        n, channels_here, rows, columns = lifted.shape
        target = maps[:, :channels_here].view(n, channels_here, rows, 2, columns, 2)
        target.copy_(lifted[:, :, :, None, :, None])
        x, reached = _run([cast("ConvLayer", layer) for layer in cast("nn.Sequential", block)], maps, check), here
    out: Tensor = network.head(x[:, :, *_inside(area, reached)])  # (N, total_channels, rows, columns)
    out[:, :channels] += image[:, :channels, *area]
    return out


def _areas(network: UNet, area: Area, size: tuple[int, int]) -> list[Area]:
    """Return what is needed of the maps on the way up at each scale, full size first; begins and ends are even."""
    areas = []
    for scale in range(len(network.config.widths) - 1):
        radius = sum(network.config.block_dilations(scale))
        rows, columns = (
            slice((max(part.start - radius, 0)) // 2 * 2, min(-(-(part.stop + radius) // 2) * 2, length >> scale))
            for part, length in zip(area, size, strict=True)
        )
        areas.append((rows, columns))
        area = _scaled((rows, columns))
    return areas


def _scaled(area: Area) -> Area:
    rows, columns = area
    return slice(rows.start // 2, rows.stop // 2), slice(columns.start // 2, columns.stop // 2)


def _inside(area: Area, outer: Area) -> Area:
    """Return an area relative to another around it."""
    rows, columns = (slice(a.start - b.start, a.stop - b.start) for a, b in zip(area, outer, strict=True))
    return rows, columns


def _run(layers: list[ConvLayer], x: Tensor, check: Callable[[], None]) -> Tensor:
    for layer in layers:
        check()
        x = layer(x)
    return x


def _join(x: Tensor, area: Area, slope: float) -> Tensor:
    """Return maps for twice the channels: later those from the coarser scale, then the rectified area of `x`."""
    part = x[:, :, *area]
    shape = (x.shape[0], 2 * x.shape[1], *part.shape[2:])
    maps = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    torch.ops.aten.leaky_relu.out(part, slope, out=maps[:, x.shape[1] :])
    return maps
