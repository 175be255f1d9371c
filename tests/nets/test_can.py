"""The network: shapes, identity at the start, gradients, receptive field, configuration."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional

from napari_superpixels.nets.can import CAN, AdaptiveNorm, CANConfig

SMALL = CANConfig(width=6, dilations=(1, 3, 5, 1))


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (33, 65), (64, 64)])
@pytest.mark.parametrize("boundary_head", [True, False])
def test_output_keeps_the_size(size: tuple[int, int], boundary_head: bool) -> None:
    network = CAN(SMALL.model_copy(update={"boundary_head": boundary_head})).eval()
    assert network(torch.rand(2, 3, *size)).shape == (2, 3 + boundary_head, *size)


@pytest.mark.parametrize("mode", [True, False])
def test_untrained_network_returns_the_image(mode: bool) -> None:
    torch.manual_seed(0)
    network = CAN(CANConfig()).train(mode)
    image = torch.rand(2, 3, 40, 31)
    torch.testing.assert_close(network(image)[:, :3], image, rtol=0, atol=1e-6)


def test_every_parameter_learns_within_two_steps() -> None:
    """b = 0 hides the normalisation's own scale and shift from the first gradient, but not from the second."""
    torch.manual_seed(0)
    network = CAN(SMALL)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    before = {name: value.clone() for name, value in network.named_parameters()}
    for _ in range(3):
        image = torch.rand(2, 3, 24, 24)
        optimizer.zero_grad()
        out = network(image)
        (functional.mse_loss(out[:, :3], image.flip(1)) + out[:, 3:].square().mean() + out[:, 3:].mean()).backward()
        optimizer.step()
    unchanged = [name for name, value in network.named_parameters() if torch.equal(value, before[name])]
    assert not unchanged


def test_overfits_one_patch() -> None:
    torch.manual_seed(0)
    image, target = torch.rand(1, 3, 16, 16), torch.rand(1, 3, 1, 1).expand(1, 3, 16, 16)
    network = CAN(SMALL)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    first = functional.mse_loss(network(image)[:, :3], target).item()
    for _ in range(150):
        optimizer.zero_grad()
        loss = functional.mse_loss(network(image)[:, :3], target)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05 * first


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
