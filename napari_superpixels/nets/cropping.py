"""Exact inference of a part of an image by a U-Net, without computing what the part does not need.

A part's output depends on pixels far around it, through the coarse scales; on the way back up the finer scales, where
most of the work is, only a few pixels around the part are still needed. Maps are cropped to those there.
"""

from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_superpixels.nets.unet import ConvLayer, UNet

Area = tuple[slice, slice]
#: oneDNN's convolution with the rectifier in the same pass, which torch has for its compiler; None where it lacks it.
_FUSED: Any = None
if torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
    _FUSED = getattr(torch.ops.mkldnn, "_convolution_pointwise", None)
#: Pixels of a strip at the finest scale; 32 maps of as many in float32 take 8 MB.
_STRIP_PIXELS = 65536


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
    size = (x.shape[2], x.shape[3])
    areas = _areas(network, area, size)
    skips: list[Tensor] = []
    for scale, block in enumerate(network.down):
        x = _run(block, functional.max_pool2d(x, 2) if scale else x, check)  # (N, widths[scale], H / 2^scale, ...)
        if scale < len(areas):
            skips.append(x[:, :, *areas[scale]])
    reached = (slice(0, x.shape[2]), slice(0, x.shape[3]))
    out = torch.empty((x.shape[0], network.config.total_channels, _length(area[0]), _length(area[1])), device=x.device)
    if not areas:
        out[:] = network.head(x[:, :, *area])
    for lift, block, here in zip(network.lift, network.up, reversed(areas), strict=True):
        check()
        lifted = lift(x[:, :, *_inside(_scaled(here), reached)])  # (N, widths[scale], rows / 2, columns / 2)
        if here is areas[0]:
            _finish(network, lifted, skips.pop(), area, size, check, out)
        else:
            x, reached = _run(block, lifted, check, skips.pop()), here
    out[:, :channels] += image[:, :channels, *area]
    return out


def _finish(
    network: UNet,
    lifted: Tensor,
    skip: Tensor,
    area: Area,
    size: tuple[int, int],
    check: Callable[[], None],
    out: Tensor,
) -> None:
    """Compute the finest scale on the way up and the head strip by strip, which need little memory."""
    radius = sum(network.config.block_dilations(0))
    outer = _grown(area, radius, size)
    height = max(1, _STRIP_PIXELS // _length(outer[1]))
    rows, columns = area
    for top in range(rows.start, rows.stop, height):
        strip = slice(top, min(top + height, rows.stop)), columns
        here = _grown(strip, radius, size)
        part = _inside(here, outer)
        maps = _run(network.up[-1], lifted[:, :, *_scaled(part)], check, skip[:, :, *part])
        out[:, :, *_inside(strip, area)] = network.head(maps[:, :, *_inside(strip, here)])


def _areas(network: UNet, area: Area, size: tuple[int, int]) -> list[Area]:
    """Return what is needed of the maps on the way up at each scale, full size first."""
    areas = []
    for scale in range(len(network.config.widths) - 1):
        radius = sum(network.config.block_dilations(scale))
        areas.append(_grown(area, radius, (size[0] >> scale, size[1] >> scale)))
        area = _scaled(areas[-1])
    return areas


def _grown(area: Area, radius: int, size: tuple[int, int]) -> Area:
    """Return an area and `radius` pixels around it, as far as there are any; begins and ends are even."""
    rows, columns = (
        slice(max(part.start - radius, 0) // 2 * 2, min(-(-(part.stop + radius) // 2) * 2, length))
        for part, length in zip(area, size, strict=True)
    )
    return rows, columns


def _scaled(area: Area) -> Area:
    rows, columns = area
    return slice(rows.start // 2, rows.stop // 2), slice(columns.start // 2, columns.stop // 2)


def _inside(area: Area, outer: Area) -> Area:
    """Return an area relative to another around it."""
    rows, columns = (slice(a.start - b.start, a.stop - b.start) for a, b in zip(area, outer, strict=True))
    return rows, columns


def _length(part: slice) -> int:
    return int(part.stop - part.start)


def _run(block: nn.Module, x: Tensor, check: Callable[[], None], skip: Tensor | None = None) -> Tensor:
    """Return ``block(x)``; on the way up x is (N, C, h, w), to be repeated 2x2 and joined with (N, C, 2 h, 2 w)."""
    for layer in cast("Iterable[ConvLayer]", block):
        check()
        x = _apply(layer, x) if skip is None else _apply_joined(layer, x, skip)
        skip = None
    return x


def _apply(layer: ConvLayer, x: Tensor) -> Tensor:
    """Return ``layer(x)`` of a folded layer; on the CPU without a second pass over the maps, a fifth of the time."""
    conv = layer.conv
    if _FUSED is None or x.device.type != "cpu" or x.dtype != torch.float32:
        return cast("Tensor", layer(x))
    slope = [layer.activation.negative_slope]
    shape = conv.padding, conv.stride, conv.dilation, conv.groups
    return cast("Tensor", _FUSED(x, conv.weight, conv.bias, *shape, "leaky_relu", slope, ""))


def _apply_joined(layer: ConvLayer, lifted: Tensor, skip: Tensor) -> Tensor:
    """Return a folded layer's output for maps repeated 2x2, joined with those of the skip, without making either.

    On maps repeated 2x2, each output of a 3x3 convolution reads 2x2 different values only: together a transposed
    convolution of 4x4 values and stride 2, with less than half of the work.
    """
    conv, channels = layer.conv, lifted.shape[1]
    if conv.dilation != (1, 1):
        repeated = functional.interpolate(lifted, scale_factor=2.0, mode="nearest")
        return _apply(layer, torch.cat([repeated, skip], 1))
    of_lifted, of_skip = conv.weight[:, :channels], conv.weight[:, channels:]
    spread = conv.weight.new_tensor([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]])
    kernel = torch.einsum("ai,bj,ocij->coab", spread, spread, of_lifted)  # (channels, outputs, 4, 4)
    maps = functional.conv_transpose2d(lifted, kernel, conv.bias, stride=2, padding=1)
    maps += functional.conv2d(skip, of_skip, padding=1)
    return cast("Tensor", layer.activation(maps))
