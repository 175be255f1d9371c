"""What a training run uses of the computer."""

from dataclasses import dataclass

from napari_superpixels.nets.devices import choose_device
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
    """What the network computes in: "float32", "bfloat16", or "auto" for bfloat16 on CUDA and float32 elsewhere. The
    weights are float32 always. On a CPU, bfloat16 is for networks without dilated convolutions."""
    cache: str | None = None
    """Folder that keeps the targets, for other runs too; None for one inside the run's."""

    def __post_init__(self) -> None:
        """Refuse what is no precision."""
        if self.precision not in _PRECISIONS:
            raise ValueError(f"precision must be one of {', '.join(_PRECISIONS)}, received {self.precision!r}")

    def precision_on(self, device: str) -> str:
        """Return "float32" or "bfloat16"."""
        if self.precision == "auto":
            return "bfloat16" if device == "cuda" else "float32"
        return self.precision

    def check(self, network: Network) -> None:
        """Refuse a precision in which a network cannot compute.

        Raises
        ------
        ValueError
            If it is bfloat16 on a CPU and the network has dilated convolutions.
        """
        # PyTorch 2.13 reads beyond its arrays there, in oneDNN, and the process dies without a message.
        if self.precision == "bfloat16" and choose_device(self.device) == "cpu":
            if any(conv.dilation != (1, 1) for conv, _ in network.layers):
                raise ValueError(
                    f"bfloat16 on a CPU works for networks without dilated convolutions, such as unet; received "
                    f"{network.config.architecture!r}. Choose float32."
                )
