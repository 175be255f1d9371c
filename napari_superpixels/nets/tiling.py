"""An image through a network tile by tile, each with a halo, so that the result is that of the whole image."""

import concurrent.futures
import itertools
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from napari_superpixels.errors import CancelledError
from napari_superpixels.nets.can import CAN
from napari_superpixels.nets.cropping import run_part
from napari_superpixels.nets.layers import FlatteningConfig
from napari_superpixels.nets.registry import Network
from napari_superpixels.nets.streaming import stream
from napari_superpixels.nets.unet import UNet

#: Pixels up to which the CPU runs all layers of a CAN on a whole tile, in about 0.1 s; beyond, it streams bands.
_WHOLE_PIXELS = 512 * 512
#: Seconds between two polls of the caller's `cancel` while other threads work.
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of the image that is computed at once."""

    rows: slice
    """Rows of the result."""
    columns: slice
    """Columns of the result."""


def plan_tiles(shape: tuple[int, int], height: int, width: int, stride: int = 1) -> list[Tile]:
    """Return tiles of nearly equal size that cover an image and start at multiples of a network's stride.

    Each is at most `height` x `width` pixels, rounded up to a multiple of the stride.
    """
    return [
        Tile(rows, columns) for rows in _split(shape[0], height, stride) for columns in _split(shape[1], width, stride)
    ]


class Output:
    """Arrays that finished tiles are written to; notices a cancellation and reports progress.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the image.
    config : FlatteningConfig
        Configuration of the network.
    cancel : callable, optional
        Polled; true ends the computation.
    progress : callable, optional
        Receives the share that is done.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        config: FlatteningConfig,
        cancel: Callable[[], bool] | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        self.flattened = np.empty((*shape, config.out_channels), np.float32)
        self.boundary = np.empty(shape, np.float32) if config.boundary_head else None
        self._cancel = cancel or (lambda: False)
        self._progress = progress or (lambda share: None)
        self._lock = threading.Lock()
        self._done = 0
        self._reported = -1

    def restart(self) -> None:
        """Count from the start again: what was written will be written once more."""
        self._done, self._reported = 0, -1

    def store(self, values: Tensor, top: int, left: int) -> None:
        """Write network output (1, total_channels, h, w) whose first pixel is (top, left); from any thread."""
        area = slice(top, top + values.shape[2]), slice(left, left + values.shape[3])
        pixels = values[0].permute(1, 2, 0)  # (h, w, total_channels)
        channels = self.flattened.shape[2]
        torch.clamp(pixels[..., :channels], 0.0, 1.0, out=torch.from_numpy(self.flattened)[area])
        if self.boundary is not None:
            torch.sigmoid(pixels[..., channels], out=torch.from_numpy(self.boundary)[area])
        with self._lock:
            self._done += pixels.shape[0] * pixels.shape[1]

    def poll(self) -> None:
        """Report progress if there is any, and raise CancelledError if the caller has cancelled."""
        if self._cancel():
            raise CancelledError("The network was cancelled.")
        if self._done != self._reported:
            self._reported = self._done
            self._progress(self._reported / (self.flattened.shape[0] * self.flattened.shape[1]))


def run_tiles(network: Network, image: Tensor, tiles: list[Tile], out: Output, *, device: str = "cpu") -> None:
    """Run a network on each tile in turn; a tile's operations use all cores, or the GPU.

    Parameters
    ----------
    network : CAN or UNet
        Folded network on `device`.
    image : Tensor
        Float32, shape (1, in_channels, H, W), on the CPU.
    tiles : list of Tile
        Parts of the image.
    out : Output
        Receives the result.
    device : str
        Where the network is.

    Raises
    ------
    CancelledError
        If the caller has cancelled.
    """
    out.poll()
    for tile in tiles:
        for values, top in _run_tile(network, image, tile, device, out.poll):
            out.store(values, top, tile.columns.start)
            out.poll()


def run_tiles_on_cores(network: Network, image: Tensor, tiles: list[Tile], out: Output, n_threads: int) -> None:
    """Run a network on several tiles at once, each on one core of the CPU.

    Operations that share their work between cores wait for the slowest core each; with short operations on a busy
    computer that is most of the time. Threads with a tile each never wait: 1024x1024 with two cores and two other busy
    programs took 0.7 s instead of 4 s.

    Parameters
    ----------
    network : CAN or UNet
        Folded network on the CPU.
    image : Tensor
        Float32, shape (1, in_channels, H, W).
    tiles : list of Tile
        Parts of the image, at least `n_threads`.
    out : Output
        Receives the result; polled from the calling thread only.
    n_threads : int
        Tiles at once.

    Raises
    ------
    CancelledError
        If the caller has cancelled.
    """
    stop = threading.Event()
    started = threading.Barrier(n_threads + 1)

    def check() -> None:
        if stop.is_set():
            raise CancelledError("The network was cancelled.")

    def work(tile: Tile) -> None:
        for values, top in _run_tile(network, image, tile, "cpu", check):
            check()
            out.store(values, top, tile.columns.start)

    def start() -> None:
        torch.set_num_threads(1)
        started.wait()

    out.poll()
    usual = torch.get_num_threads()
    pool = concurrent.futures.ThreadPoolExecutor(n_threads, "superpixels-network", initializer=start)
    try:
        pending = {pool.submit(work, tile) for tile in tiles}
        started.wait()
        # Each worker keeps its one thread; for threads that begin later torch takes the last number set by anyone.
        torch.set_num_threads(usual)
        while pending:
            finished, pending = concurrent.futures.wait(pending, _POLL_SECONDS)
            for future in finished:
                future.result()
            out.poll()
    finally:
        stop.set()
        started.abort()  # lets go of those that wait where a thread could not be started
        pool.shutdown(cancel_futures=True)


@torch.inference_mode()
def _run_tile(
    network: Network, image: Tensor, tile: Tile, device: str, check: Callable[[], None]
) -> Iterator[tuple[Tensor, int]]:
    """Yield the tile's output (1, total_channels, h, w) from the top in one or more bands, each with its first row.

    `check` is called now and then and may raise. The decorator leaves inference mode at every yield; a `with` would
    hold the caller in it.
    """
    stride = network.config.stride
    halo = stride * math.ceil(network.config.receptive_radius / stride)
    top, left = max(tile.rows.start - halo, 0), max(tile.columns.start - halo, 0)
    crop = image[:, :, top : tile.rows.stop + halo, left : tile.columns.stop + halo].to(device)  # (1, C, h, w)
    columns = slice(tile.columns.start - left, tile.columns.stop - left)
    if isinstance(network, UNet):
        area = slice(tile.rows.start - top, tile.rows.stop - top), columns
        yield run_part(network, crop, area, check).cpu(), tile.rows.start
        return
    for values in _run_can(network, crop):  # (1, total_channels, rows, w)
        first, last = max(tile.rows.start, top), min(tile.rows.stop, top + values.shape[2])
        if first < last:
            yield values[:, :, first - top : last - top, columns].cpu(), first
        top += values.shape[2]


def _run_can(network: CAN, crop: Tensor) -> Iterator[Tensor]:
    if crop.device.type == "cpu" and crop.shape[2] * crop.shape[3] > _WHOLE_PIXELS:
        yield from stream(network, crop)
    else:
        yield network(crop)


def _split(length: int, size: int, stride: int) -> list[slice]:
    """Return ranges of nearly equal length that cover 0 to `length`, at most `size` each but for the stride."""
    steps, most = math.ceil(length / stride), math.ceil(size / stride)
    count = math.ceil(steps / most)
    edges = [stride * (steps * i // count) for i in range(count)] + [length]
    return list(itertools.starmap(slice, itertools.pairwise(edges)))
