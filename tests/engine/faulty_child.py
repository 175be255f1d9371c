"""The child process of a fine-tuning with a fault that the environment names, in the step that it names."""

import os
import sys
from typing import Any

import torch

from napari_superpixels.engine.training_child import main
from napari_superpixels.errors import WriteError
from napari_superpixels.nets import train_module
from napari_superpixels.nets.train_module import TrainModule

FAULT, STEP = os.environ["FAULT"], int(os.environ["FAULT_STEP"])
_step, _losses = TrainModule.training_step, train_module.training_losses


def _fill_disk() -> None:
    """Let no file grow from now on, neither a model nor the log."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
    os.dup2(os.open("/dev/full", os.O_WRONLY), 2)


def _training_step(self: TrainModule, batch: Any, batch_idx: int) -> torch.Tensor:
    if self.step + 1 == STEP:
        if FAULT == "memory":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        if FAULT == "crash":
            os._exit(3)
        if FAULT == "garbage":
            os.write(1, b"a library prints {")
            sys.stdout.write("and prints\n")
        if FAULT == "disk":
            raise WriteError("state.safetensors cannot be written: No space left on device.")
        if FAULT == "full":
            _fill_disk()
    return _step(self, batch, batch_idx)


def _training_losses(network: Any, out: Any, batch: Any, config: Any) -> Any:
    total, losses = _losses(network, out, batch, config)
    return (total * float("nan"), losses) if FAULT == "nan" else (total, losses)


TrainModule.training_step = _training_step  # type: ignore[method-assign]
if FAULT == "nan":
    _calls = iter(range(10**9))

    def _after(network: Any, out: Any, batch: Any, config: Any) -> Any:
        return (_training_losses if next(_calls) + 1 == STEP else _losses)(network, out, batch, config)

    train_module.training_losses = _after

sys.exit(main())
