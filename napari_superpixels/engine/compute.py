"""What a training run uses of the computer."""

from dataclasses import dataclass

import torch

from napari_superpixels.nets.devices import choose_device, n_devices
from napari_superpixels.nets.registry import Network

_PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True, slots=True)
class Compute:
    """What a run uses of the computer; it does not change the crops."""

    device: str = "auto"
    """"auto", "cpu", "cuda" or "mps"."""
    devices: int = 1
    """Devices of each node; on the CPU as many processes."""
    num_nodes: int = 1
    """Computers that train together."""
    workers: int = 0
    """Processes of each device that cut crops; 0 cuts them in the training process."""
    precision: str = "auto"
    """What the network computes in: "float32", "bfloat16", or "auto" for bfloat16 on CUDA devices that have it (Ampere
    and later) and float32 elsewhere. The weights are float32 always. On a CPU, bfloat16 is for networks without dilated
    convolutions."""
    cache: str | None = None
    """Folder that keeps the targets, for other runs too; None for one inside the run's."""

    def __post_init__(self) -> None:
        """Refuse what is no precision."""
        if self.precision not in _PRECISIONS:
            raise ValueError(f"precision must be one of {', '.join(_PRECISIONS)}, received {self.precision!r}")

    def precision_on(self, device: str) -> str:
        """Return "float32" or "bfloat16"."""
        if self.precision == "auto":
            # GPUs before Ampere only emulate bfloat16, which is slower than float32.
            has_it = device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
            return "bfloat16" if has_it else "float32"
        return self.precision

    def check(self, network: Network, batch_size: int) -> str:
        """Return the device to train on: "cpu", "cuda" or "mps".

        Raises
        ------
        ValueError
            If the device has no such name, there are fewer than asked for, they cannot share a batch evenly, or the
            precision is bfloat16 on a CPU and the network has dilated convolutions.
        """
        device = choose_device(self.device)
        present = n_devices(device)
        if present is not None and self.devices > present:
            raise ValueError(
                f"devices must be at most {present}, as many {device.upper()} devices as this computer has; received "
                f"{self.devices}"
            )
        n_shares = self.devices * self.num_nodes
        if batch_size % n_shares:
            raise ValueError(
                f"{n_shares} devices cannot share batches of {batch_size} crops evenly; choose a batch size that is a "
                f"multiple of {n_shares}, or other devices"
            )
        # PyTorch 2.13 reads beyond its arrays there, in oneDNN, and the process dies without a message.
        if self.precision == "bfloat16" and device == "cpu":
            if any(conv.dilation != (1, 1) for conv, _ in network.layers):
                raise ValueError(
                    f"bfloat16 on a CPU works for networks without dilated convolutions, such as unet; received "
                    f"{network.config.architecture!r}. Choose float32."
                )
        return device
