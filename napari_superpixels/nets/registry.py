"""Every architecture of a flattening network, by name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from pydantic import TypeAdapter

from napari_superpixels.nets.can import CAN, CANConfig
from napari_superpixels.nets.unet import CANUNetConfig, UNet, UNetConfig

#: Description of a network; its field ``architecture`` tells which.
NetworkConfig = CANConfig | UNetConfig | CANUNetConfig
#: A network that can be trained.
Network = CAN | UNet

#: Names of the architectures.
ARCHITECTURES = ("can", "unet", "can-unet")

#: Descriptions of networks by name: the default of each architecture, and those of the papers.
PRESETS: Mapping[str, CANConfig | UNetConfig | CANUNetConfig] = MappingProxyType(
    {
        "can": CANConfig(),
        "unet": UNetConfig(),
        "can-unet": CANUNetConfig(),
        "can24-d7": CANConfig(dilations=(1, 2, 4, 8, 16, 1)),
        "can24": CANConfig(dilations=(1, 2, 4, 8, 16, 32, 64, 1)),
        "can32": CANConfig(width=32, dilations=(1, 2, 4, 8, 16, 32, 64, 128, 1)),
    }
)

_ADAPTER: TypeAdapter[CANConfig | UNetConfig | CANUNetConfig] = TypeAdapter(NetworkConfig)


def parse_network_config(architecture: str, values: Mapping[str, Any]) -> CANConfig | UNetConfig | CANUNetConfig:
    """Return the description of a network from the values of its fields.

    Raises
    ------
    pydantic.ValidationError
        If the architecture is unknown, or a value does not fit.
    """
    return _ADAPTER.validate_python({**values, "architecture": architecture})


def build_network(config: CANConfig | UNetConfig | CANUNetConfig, seed: int | None = None) -> Network:
    """Return a new, untrained network.

    Parameters
    ----------
    config : CANConfig, UNetConfig or CANUNetConfig
        Its description.
    seed : int, optional
        Seed of its weights; torch's generator is then left as it was.
    """
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        return CAN(config) if isinstance(config, CANConfig) else UNet(config)
