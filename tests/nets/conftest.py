"""Networks whose every weight and statistic is non-trivial, and models of them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from napari_superpixels.nets.can import CANConfig
from napari_superpixels.nets.checkpoint import Model, load_model, save_model
from napari_superpixels.nets.layers import AdaptiveNorm
from napari_superpixels.nets.registry import Network, NetworkConfig, build_network
from napari_superpixels.nets.unet import CANUNetConfig, UNetConfig

SMALL = CANConfig(width=6, dilations=(1, 3, 5, 1))
#: A small network of each architecture.
SMALL_CONFIGS = (
    SMALL,
    UNetConfig(widths=(5, 6, 7)),
    CANUNetConfig(widths=(5, 6, 7), dilations=(1, 2), bottom_dilations=(2, 1)),
)

NetworkFactory = Callable[[NetworkConfig], Network]


def _network(config: NetworkConfig) -> Network:
    generator = torch.Generator().manual_seed(1)
    network = build_network(config, seed=1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
        for norm in network.modules():
            if isinstance(norm, AdaptiveNorm):
                norm.norm.get_buffer("running_mean").uniform_(-0.2, 0.4, generator=generator)
                norm.norm.get_buffer("running_var").uniform_(0.05, 0.5, generator=generator)
    return network.eval().requires_grad_(False)


@pytest.fixture
def make_network() -> NetworkFactory:
    return _network


@pytest.fixture(autouse=True)
def _single_thread(single_thread: None) -> None:
    """All these networks are small."""


@pytest.fixture(params=SMALL_CONFIGS, ids=lambda config: config.architecture)
def small_config(request: pytest.FixtureRequest) -> NetworkConfig:
    """Description of a small network of each architecture in turn."""
    return request.param


@pytest.fixture
def small_model(tmp_path: Path) -> Model:
    save_model(tmp_path / "small.safetensors", _network(SMALL))
    return load_model(tmp_path / "small.safetensors")


@pytest.fixture
def full_model(tmp_path: Path) -> Model:
    save_model(tmp_path / "full.safetensors", _network(CANConfig()))
    return load_model(tmp_path / "full.safetensors")
