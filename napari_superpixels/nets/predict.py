"""Inference: an image of any size through a folded network, on whatever device there is."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_superpixels.nets.can import CAN
from napari_superpixels.nets.checkpoint import Model
from napari_superpixels.nets.devices import choose_device, full_precision, is_out_of_memory, network_on, warn_fallback
from napari_superpixels.nets.layers import FlatteningConfig
from napari_superpixels.nets.tiling import Output, plan_tiles, run_tiles, run_tiles_on_cores

#: Side of a tile on a GPU: two sets of 24 maps of it, with the halo, take 0.9 GB in float32.
_GPU_TILE = 2048
#: Smallest tile worth its halo: that a GPU is offered before the CPU takes over, or that a core of the CPU gets.
_SMALLEST_TILE = 256
#: Pixels up to which an image is one tile on the CPU; its few, long operations share the cores well.
_SMALL_PIXELS = 512 * 512
#: Width of a tile on the CPU, where a CAN's memory grows with the width only.
_CPU_TILE_WIDTH = 1024
#: Height of a tile on the CPU for a network that needs whole maps.
_CPU_TILE_HEIGHT = 512
#: Nearly the largest block, 32 MiB, from which the C library of Linux learns how much freed memory to keep.
_LESSON_BYTES = 32 * 2**20 - 2**16
#: Tiles that the CPU works on at once; each takes up to 0.1 GB for a CAN, 0.4 GB for a U-Net.
_MOST_CPU_TILES = 8


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
        Polled in this thread many times a second on the CPU, after every tile on a GPU; true ends the computation.
    progress : callable, optional
        Called in this thread with the share that is done, rising from 0 to 1.

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
    out = Output(image.shape[:2], model.config, cancel, progress)
    pixels = torch.from_numpy(np.require(image, requirements=["C", "W"])).permute(2, 0, 1)[None]  # (1, C, H, W)
    if chosen != "cpu":
        with full_precision():
            chosen = _predict_on_gpu(model, pixels, chosen, tile, out)
    if chosen == "cpu":
        _predict_on_cpu(model, pixels, tile, out)
    return Prediction(out.flattened, out.boundary, chosen, time.perf_counter() - start)


def _check_image(image: NDArray[np.float32], config: FlatteningConfig) -> None:
    if image.ndim != 3 or image.shape[2] != config.in_channels or image.size == 0:
        raise ValueError(f"image must have shape (H, W, {config.in_channels}), not empty; received {image.shape}")
    if image.dtype != np.float32:
        raise ValueError(f"image must be float32 in [0, 1], received {image.dtype}; convert it first")
    if not np.isfinite(image).all():
        raise ValueError("image holds NaN or infinite values; replace them first")


def _predict_on_gpu(model: Model, pixels: Tensor, device: str, tile: int | None, out: Output) -> str:
    """Fill `out` on a GPU, with smaller and smaller tiles; return the device, or ``"cpu"`` if the GPU cannot."""
    shape = (pixels.shape[2], pixels.shape[3])
    side, stride = tile or _GPU_TILE, model.config.stride
    warned = False
    while True:
        try:
            run_tiles(network_on(model, device), pixels, plan_tiles(shape, side, side, stride), out, device=device)
            return device
        except RuntimeError as error:
            smaller = min(side, max(shape)) // 2
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


@cache
def _keep_freed_memory() -> None:
    """Make the C library of Linux keep up to 64 MB of freed memory for the next layers and tiles.

    It does so once a block of nearly 32 MB was freed. Otherwise it gives back what a tile used, and the system clears
    the pages of the next one: half as much time again as the network takes for 512x512 pixels.
    """
    np.empty(_LESSON_BYTES, np.uint8)


def _predict_on_cpu(model: Model, pixels: Tensor, tile: int | None, out: Output) -> None:
    _keep_freed_memory()
    height, width = pixels.shape[2:]
    n_threads = min(torch.get_num_threads(), _MOST_CPU_TILES)
    stride = model.config.stride
    if tile is not None:
        tiles = plan_tiles((height, width), tile, tile, stride)
    elif height * width <= _SMALL_PIXELS:
        tiles = plan_tiles((height, width), height, width, stride)
    else:
        columns = max(math.ceil(width / _CPU_TILE_WIDTH), min(n_threads, width // _SMALLEST_TILE), 1)
        rows = max(min(math.ceil(n_threads / columns), height // _SMALLEST_TILE), 1)
        if not isinstance(model.folded, CAN):
            rows = max(rows, math.ceil(height / _CPU_TILE_HEIGHT))
        tiles = plan_tiles((height, width), math.ceil(height / rows), math.ceil(width / columns), stride)
    n_threads = min(n_threads, len(tiles))
    if n_threads > 1:
        run_tiles_on_cores(model.folded, pixels, tiles, out, n_threads)
    else:
        run_tiles(model.folded, pixels, tiles, out)
