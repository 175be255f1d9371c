"""Where a network runs, and what to do when it cannot run there."""

import contextlib
import copy
import warnings
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

import torch

from napari_superpixels.nets.checkpoint import Model
from napari_superpixels.nets.registry import Network

#: Copies of folded networks by the device that they are on.
_copies: WeakKeyDictionary[Network, dict[str, Network]] = WeakKeyDictionary()


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


def n_devices(device: str) -> int | None:
    """Return how many devices of a kind this computer has; None for the CPU, which any number of processes share."""
    return {"cuda": torch.cuda.device_count(), "mps": 1}.get(device)


def warn_fallback(reason: str) -> None:
    """Warn that the network runs otherwise than asked for."""
    warnings.warn(f"Network: {reason}.", DeviceFallbackWarning, stacklevel=3)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether an error of torch says that a device's memory is full."""
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error).lower()


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """Keep CUDA from rounding float32 convolutions to TensorFloat-32, so that a GPU computes what the CPU does."""
    cudnn = torch.backends.cudnn
    wanted: list[tuple[Any, str, object]] = [
        (cudnn, "enabled", True),
        (cudnn, "benchmark", False),
        (cudnn, "deterministic", True),
    ]
    # Not cudnn.flags: it uses the older setting, which raises where other code of the process made one of the newer.
    if hasattr(cudnn, "conv"):
        wanted += [(cudnn, "fp32_precision", "ieee"), (cudnn.conv, "fp32_precision", "ieee")]
    else:
        wanted += [(cudnn, "allow_tf32", False)]
    with contextlib.ExitStack() as settings:
        for place, name, value in wanted:
            settings.enter_context(_setting(place, name, value))
        yield


@contextlib.contextmanager
def _setting(place: Any, name: str, value: object) -> Iterator[None]:
    """Change a setting for a while; one that is so already is not written, as it would no longer follow wider ones."""
    before = getattr(place, name)
    if before == value:
        yield
        return
    setattr(place, name, value)
    try:
        yield
    finally:
        setattr(place, name, before)


def network_on(model: Model, device: str) -> Network:
    """Return the model's folded network on a device, in float32; a copy on a GPU stays there as long as the model.

    Half precision is not offered: on BSDS500 images a float16 network (largest difference 0.002) left 88 % of the
    pixels with the same label, bfloat16 (0.018) 78 %, while even a difference of 1e-6 moves labels on 2 % of them.
    """
    if device == "cpu":
        return model.folded
    copies = _copies.setdefault(model.folded, {})
    if device not in copies:
        copies[device] = copy.deepcopy(model.folded).to(device)
    return copies[device]
