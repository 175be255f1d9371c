"""Inference: an image of any size through a folded network, on whatever device there is."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_superpixels.errors import CancelledError
from napari_superpixels.nets.can import CANConfig
from napari_superpixels.nets.checkpoint import Model
from napari_superpixels.nets.devices import choose_device, full_precision, is_out_of_memory, network_on, warn_fallback
from napari_superpixels.nets.folding import FoldedCAN
from napari_superpixels.nets.streaming import stream

#: Side of a tile on a GPU: two sets of 24 maps of it, with the halo, take 0.9 GB in float32.
_GPU_TILE = 2048
#: Smallest tile that a GPU is offered before the CPU takes over.
_SMALLEST_TILE = 256
#: Width of a tile on the CPU, where memory grows with the width only; its height is the image's.
_CPU_TILE_WIDTH = 2048
#: Pixels up to which the CPU runs all layers on the whole tile, in about 0.1 s; beyond, it streams bands of rows.
_WHOLE_PIXELS = 512 * 512


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What a network makes of an image."""

    flattened: NDArray[np.float32]
    """Flattened image, shape (H, W, C), in [0, 1]."""
    boundary: NDArray[np.float32] | None
    """Boundary probability, shape (H, W), in [0, 1]; None for a network that predicts none."""
    device: str
    """Device that computed it."""
    seconds: float
    """Time it took, without the loading of the model."""


def predict(
    model: Model,
    image: NDArray[np.float32],
    *,
    device: str = "auto",
    tile: int | None = None,
    cancel: Callable[[], bool] | None = None,
    progress: Callable[[float], None] | None = None,
) -> Prediction:
    """Run a model on an image.

    Tiles overlap by the network's receptive radius, so that the result is that of the whole image at once. When a
    GPU's memory is full, smaller tiles are tried, then the CPU, with one :class:`DeviceFallbackWarning`.

    Parameters
    ----------
    model : Model
        From :func:`napari_superpixels.nets.checkpoint.load_model`.
    image : ndarray of shape (H, W, C), float32
        Image in [0, 1] with the model's number of channels, all values finite, not empty.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to run; ``"auto"`` takes a GPU when there is one.
    tile : int, optional
        Side of the tiles in pixels, without their overlap; chosen by the device when not given.
    cancel : callable, optional
        Polled several times a second on the CPU and after every tile on a GPU; true ends the computation.
    progress : callable, optional
        Receives the share that is done, rising from 0 to 1.

    Returns
    -------
    Prediction
        Flattened image and boundary probability.

    Raises
    ------
    ValueError
        If the image or an argument does not fit.
    CancelledError
        If ``cancel`` returned true.
    """
    _check_image(image, model.config)
    if tile is not None and tile < 1:
        raise ValueError(f"tile must be at least 1 pixel, received {tile}")
    start = time.perf_counter()
    chosen = choose_device(device)
    out = _Output(image.shape[:2], model.config, cancel, progress)
    if chosen != "cpu":
        chosen = _predict_on_gpu(model, image, chosen, tile, out)
    if chosen == "cpu":
        _predict_tiles(model.folded, image, tile or image.shape[0], tile or _CPU_TILE_WIDTH, out)
    return Prediction(out.flattened, out.boundary, chosen, time.perf_counter() - start)


class _Output:
    """Arrays that finished rows are written to; reports progress and notices a cancellation."""

    def __init__(
        self,
        shape: tuple[int, int],
        config: CANConfig,
        cancel: Callable[[], bool] | None,
        progress: Callable[[float], None] | None,
    ) -> None:
        self.flattened = np.empty((*shape, config.out_channels), np.float32)
        self.boundary = np.empty(shape, np.float32) if config.boundary_head else None
        self._cancel = cancel or (lambda: False)
        self._progress = progress or (lambda share: None)
        self._done = 0
        self.restart()

    def restart(self) -> None:
        """Begin anew, as before the first tile."""
        self._done = 0
        self.check()
        self._progress(0.0)

    def check(self) -> None:
        """Raise CancelledError if the caller has cancelled."""
        if self._cancel():
            raise CancelledError("The network was cancelled.")

    def write(self, rows: Tensor, top: int, left: int) -> None:
        """Store output rows (1, total_channels, h, w) whose first pixel is (top, left)."""
        area = slice(top, top + rows.shape[2]), slice(left, left + rows.shape[3])
        values = rows[0].permute(1, 2, 0)  # (h, w, total_channels)
        channels = self.flattened.shape[2]
        torch.clamp(values[..., :channels], 0.0, 1.0, out=torch.from_numpy(self.flattened)[area])
        if self.boundary is not None:
            torch.sigmoid(values[..., channels], out=torch.from_numpy(self.boundary)[area])
        self._done += rows.shape[2] * rows.shape[3]
        self.check()
        self._progress(self._done / (self.flattened.shape[0] * self.flattened.shape[1]))


def _check_image(image: NDArray[np.float32], config: CANConfig) -> None:
    if image.ndim != 3 or image.shape[2] != config.in_channels or image.size == 0:
        raise ValueError(f"image must have shape (H, W, {config.in_channels}), not empty; received {image.shape}")
    if image.dtype != np.float32:
        raise ValueError(f"image must be float32 in [0, 1], received {image.dtype}; convert it first")
    if not np.isfinite(image).all():
        raise ValueError("image holds NaN or infinite values; replace them first")


def _predict_on_gpu(model: Model, image: NDArray[np.float32], device: str, tile: int | None, out: _Output) -> str:
    """Fill `out` on a GPU, with smaller and smaller tiles; return the device, or ``"cpu"`` if the GPU cannot."""
    side = tile or _GPU_TILE
    warned = False
    while True:
        try:
            with full_precision():
                _predict_tiles(network_on(model, device), image, side, side, out, device)
            return device
        except RuntimeError as error:
            smaller = min(side, max(image.shape[:2])) // 2
            if is_out_of_memory(error) and smaller >= _SMALLEST_TILE:
                side, reason = smaller, f"the memory of {device.upper()} is full; smaller tiles are used"
            else:
                side, reason = 0, f"{device.upper()} failed ({str(error).strip().splitlines()[0]}); the CPU is used"
        if not warned:
            warn_fallback(reason)
            warned = True
        out.restart()
        if side == 0:
            return "cpu"


def _predict_tiles(
    network: FoldedCAN,
    image: NDArray[np.float32],
    tile_height: int,
    tile_width: int,
    out: _Output,
    device: str = "cpu",
) -> None:
    """Run the network tile by tile, each with a halo of the receptive radius, into `out`."""
    height, width = image.shape[:2]
    pixels = torch.from_numpy(np.require(image, requirements=["C", "W"])).permute(2, 0, 1)[
        None
    ]  # (1, C, H, W), channels-last
    halo = network.config.receptive_radius
    for rows in _split(height, tile_height):
        for columns in _split(width, tile_width):
            top, left = max(rows.start - halo, 0), max(columns.start - halo, 0)
            crop = pixels[:, :, top : rows.stop + halo, left : columns.stop + halo].to(device)
            with torch.inference_mode():
                for first, part in _run(network, crop):
                    start, stop = max(rows.start, top + first), min(rows.stop, top + first + part.shape[2])
                    if start < stop:
                        inner = part[:, :, start - top - first : stop - top - first]
                        inner = inner[..., columns.start - left : columns.stop - left]
                        out.write(inner.cpu(), start, columns.start)
                    else:
                        out.check()


def _run(network: FoldedCAN, crop: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Yield the network's output on a crop (1, C, h, w) in bands, each with the number of its first row."""
    if crop.device.type != "cpu" or crop.shape[2] * crop.shape[3] <= _WHOLE_PIXELS:
        yield 0, network(crop)
        return
    first = 0
    for part in stream(network, crop):  # (1, total_channels, rows, w)
        yield first, part
        first += part.shape[2]


def _split(length: int, size: int) -> list[slice]:
    """Return ranges of nearly equal length, at most `size` each, that cover 0 to `length`."""
    count = math.ceil(length / size)
    return [slice(length * i // count, length * (i + 1) // count) for i in range(count)]
