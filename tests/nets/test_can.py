"""The network: shapes, identity at the start, gradients, receptive field, configuration."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional

from napari_superpixels.nets.can import CAN, CANConfig
from napari_superpixels.nets.layers import AdaptiveNorm

SMALL = CANConfig(width=6, dilations=(1, 3, 5, 1))


@pytest.mark.parametrize("mode", [True, False])
def test_untrained_network_returns_the_image(mode: bool) -> None:
    torch.manual_seed(0)
    network = CAN(CANConfig()).train(mode)
    image = torch.rand(2, 3, 40, 31)
    torch.testing.assert_close(network(image)[:, :3], image, rtol=0, atol=1e-6)


def test_input_beyond_the_receptive_radius_has_no_influence() -> None:
    torch.manual_seed(0)
    network = CAN(SMALL).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    image = torch.rand(1, 3, 31, 31, requires_grad=True)
    network(image)[0, :, 15, 15].sum().backward()
    assert image.grad is not None
    rows, columns = np.nonzero(image.grad[0].abs().sum(0).numpy())
    reach = np.maximum(np.abs(rows - 15), np.abs(columns - 15)).max()
    assert reach == SMALL.receptive_radius == 10


def test_adaptive_norm_is_the_published_formula() -> None:
    torch.manual_seed(0)
    norm = AdaptiveNorm(4)
    with torch.no_grad():
        norm.a.fill_(0.7)
        norm.b.fill_(-0.3)
        norm.norm.weight.uniform_(0.5, 2)
        norm.norm.bias.uniform_(-1, 1)
    x = torch.randn(3, 4, 9, 8)
    expected = 0.7 * x - 0.3 * functional.batch_norm(x, None, None, norm.norm.weight, norm.norm.bias, training=True)
    torch.testing.assert_close(norm(x), expected)
    assert norm.norm.running_mean is not None
    assert norm.norm.running_mean.abs().sum() > 0  # statistics were gathered for evaluation


def test_parameter_count_of_the_default() -> None:
    # 7 convolutions, their adaptive normalisations (2 scalars, 24 scales, 24 shifts), and the 1x1 to RGB + boundary.
    expected = 9 * 24 * 3 + 6 * 9 * 24 * 24 + 7 * (2 + 48) + 24 * 4 + 4
    assert CAN(CANConfig()).parameter_count == expected


@pytest.mark.parametrize(
    "values",
    [
        {"width": 0},
        {"width": 2},
        {"dilations": ()},
        {"dilations": (1, 0)},
        {"out_channels": 4},
        {"version": 2},
        {"depth": 3},
    ],
)
def test_config_refuses(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CANConfig(**values)  # type: ignore[arg-type]


def test_config_survives_json() -> None:
    assert CANConfig.model_validate_json(SMALL.model_dump_json()) == SMALL
