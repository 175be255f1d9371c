"""Networks whose every weight and statistic is non-trivial, and models of them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from napari_superpixels.nets.can import CAN, CANConfig
from napari_superpixels.nets.checkpoint import Model, load_model, save_model

SMALL = CANConfig(width=6, dilations=(1, 3, 5, 1))

NetworkFactory = Callable[[CANConfig], CAN]


def _network(config: CANConfig) -> CAN:
    generator = torch.Generator().manual_seed(1)
    network = CAN(config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
        for _, norm in network.layers:
            norm.norm.get_buffer("running_mean").uniform_(-0.2, 0.4, generator=generator)
            norm.norm.get_buffer("running_var").uniform_(0.05, 0.5, generator=generator)
    return network.eval().requires_grad_(False)


@pytest.fixture
def make_network() -> NetworkFactory:
    return _network


@pytest.fixture
def small_model(tmp_path: Path) -> Model:
    save_model(tmp_path / "small.safetensors", _network(SMALL))
    return load_model(tmp_path / "small.safetensors")


@pytest.fixture
def full_model(tmp_path: Path) -> Model:
    save_model(tmp_path / "full.safetensors", _network(CANConfig()))
    return load_model(tmp_path / "full.safetensors")
