"""Exact inference on a CPU in bands of rows that stay in its cache.

Whole feature maps of a large image do not fit a cache, and touching their fresh memory costs as much as computing
them. Here every layer keeps only the rows that the next one still needs and hands them on a band at a time: nothing
is computed twice, memory grows with the width of the image only, and the work can be cancelled after every band.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_superpixels.nets.can import CAN

#: Pixels of a band; 24 maps of as many in float32 take 3 MB.
_BAND_PIXELS = 32768


def stream(network: CAN, image: Tensor) -> Iterator[Tensor]:
    """Run a folded network over one image, band by band; equal to ``network(image)`` up to rounding.

    Parameters
    ----------
    network : CAN
        Folded network on the CPU, in float32.
    image : Tensor
        Float32, shape (1, in_channels, H, W).

    Yields
    ------
    Tensor
        The output's next rows, shape (1, total_channels, rows, W), from the top; valid until the next one is taken.
    """
    height, width = image.shape[2:]
    band = max(1, min(height, _BAND_PIXELS // width))
    bands: Iterator[Tensor] = (image[:, :, top : top + band] for top in range(0, height, band))
    slope = 1.0  # the image itself is not rectified
    for conv, _ in network.layers:
        bands = _convolve(conv, slope, bands, height, band)
        slope = network.config.negative_slope
    for maps in bands:  # (1, width, rows, W)
        yield network.head(network.activation(maps))


def _convolve(conv: nn.Conv2d, slope: float, bands: Iterator[Tensor], height: int, band: int) -> Iterator[Tensor]:
    """Yield bands of a convolution of the rectified rows that `bands` brings, padded with zeros."""
    margin = conv.dilation[0]
    buffer: Tensor | None = None
    first, end, done = -margin, 0, 0  # rows first..end of the input are in the buffer, rows 0..done of the output made
    for rows in bands:  # (1, C, rows, W)
        if buffer is None:
            # So much room that rows moved to the front, at most 2 * margin + band, never overlap where they come from.
            buffer = _new_buffer(rows, min(5 * margin + 4 * band, height + 2 * margin))
            buffer[:, :, :margin] = 0.0
        if end - first + rows.shape[2] + margin > buffer.shape[2]:
            kept = buffer[:, :, done - margin - first : end - first]
            buffer[:, :, : kept.shape[2]] = kept
            first = done - margin
        target = buffer[:, :, end - first : end - first + rows.shape[2]]
        torch.ops.aten.leaky_relu.out(rows, slope, out=target)
        end += rows.shape[2]
        ready = end - margin
        if end == height:
            buffer[:, :, end - first : end - first + margin] = 0.0
            ready = height
        while ready - done >= band or (end == height and done < height):
            stop = min(done + band, ready)
            window = buffer[:, :, done - margin - first : stop + margin - first]
            done = stop
            yield functional.conv2d(window, conv.weight, conv.bias, padding=(0, margin), dilation=margin)


def _new_buffer(rows: Tensor, capacity: int) -> Tensor:
    """Return an uninitialised channels-last tensor like `rows` with room for `capacity` rows."""
    channels, width = rows.shape[1], rows.shape[3]
    return torch.empty((1, channels, capacity, width), memory_format=torch.channels_last)
