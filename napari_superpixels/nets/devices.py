"""Where a network runs, and in which precision."""

import contextlib
import copy
import warnings
from collections.abc import Iterator

import torch
from torch import Tensor

from napari_superpixels.nets.checkpoint import Model
from napari_superpixels.nets.folding import FoldedCAN

#: Largest difference of the flattened image and of the boundary logit that half precision may make, in the worst
#: pixel: half a grey level of an 8-bit image, which is what rounding such an image does anyway.
HALF_TOLERANCE = 0.5 / 255

_CHECK_SIZE = 256
_chosen_precision: dict[tuple[str, str], torch.dtype] = {}


class DeviceFallbackWarning(UserWarning):
    """The network runs on another device, or in smaller pieces, than asked for; the result is the same."""


def choose_device(name: str = "auto") -> str:
    """Return the device to run on: ``"cuda"``, ``"mps"`` or ``"cpu"``.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda", "mps"}
        ``"auto"`` takes a GPU when there is one. For a GPU that is not there the CPU is taken, with a
        :class:`DeviceFallbackWarning`.

    Raises
    ------
    ValueError
        If the name is none of the four.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return next(device for device, there in present.items() if there)
    if name not in present:
        raise ValueError(f"device must be 'auto', 'cpu', 'cuda' or 'mps', received {name!r}")
    if not present[name]:
        warn_fallback(f"this computer has no {name.upper()} device that torch can use; the CPU is used instead")
        return "cpu"
    return name


def warn_fallback(reason: str) -> None:
    """Warn that the network runs otherwise than asked for."""
    warnings.warn(f"Network: {reason}.", DeviceFallbackWarning, stacklevel=3)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether an error of torch says that a device's memory is full."""
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error).lower()


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """Keep CUDA from rounding float32 convolutions to TensorFloat-32, so that a GPU computes what the CPU does."""
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield


def network_on(model: Model, device: str) -> tuple[FoldedCAN, torch.dtype]:
    """Return the model's folded network on a device, in the precision that serves it there.

    On the CPU that is float32. On a GPU it is float16 if, on a test image, the output stays within
    :data:`HALF_TOLERANCE` of float32; this is tried once for a model and device, and remembered.
    """
    if device == "cpu":
        return model.folded, torch.float32
    key = (model.sha256, device)
    if key not in _chosen_precision:
        _chosen_precision[key] = _check_precision(model.folded, device)
    dtype = _chosen_precision[key]
    return copy.deepcopy(model.folded).to(device, dtype), dtype


def half_error(network: FoldedCAN, device: str, dtype: torch.dtype) -> float:
    """Return the largest difference that a reduced precision makes on a test image.

    The test image holds flat areas, edges of every contrast and noise; its flattened channels and its boundary
    probability are compared.
    """
    image = _check_image(network.config.in_channels).to(device)  # (1, C, S, S)
    with torch.inference_mode(), full_precision():
        exact = copy.deepcopy(network).to(device)(image)
        rounded = copy.deepcopy(network).to(device, dtype)(image.to(dtype)).float()
    channels = network.config.out_channels
    difference = torch.cat(
        [
            exact[:, :channels].clamp(0, 1) - rounded[:, :channels].clamp(0, 1),
            exact[:, channels:].sigmoid() - rounded[:, channels:].sigmoid(),
        ],
        dim=1,
    )  # (1, total_channels, S, S)
    return float(difference.abs().max().nan_to_num(float("inf")))


def _check_precision(network: FoldedCAN, device: str) -> torch.dtype:
    return torch.float16 if half_error(network, device, torch.float16) <= HALF_TOLERANCE else torch.float32


def _check_image(channels: int) -> Tensor:
    """Return an image (1, C, S, S) of random rectangles under noise of rising strength, the same on every call."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand((1, channels, 16, 16), generator=generator)  # (1, C, 16, 16)
    image = coarse.repeat_interleave(_CHECK_SIZE // 16, dim=2).repeat_interleave(_CHECK_SIZE // 16, dim=3)
    noise = torch.randn((1, channels, _CHECK_SIZE, _CHECK_SIZE), generator=generator)
    strength = torch.linspace(0.0, 0.1, _CHECK_SIZE)  # (S,)
    return (image + noise * strength).clamp(0, 1).contiguous(memory_format=torch.channels_last)
