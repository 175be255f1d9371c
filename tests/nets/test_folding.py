"""Folding leaves the function as it is."""

from collections.abc import Callable

import torch

from napari_superpixels.nets.can import CAN, CANConfig
from napari_superpixels.nets.folding import fold

NetworkFactory = Callable[[CANConfig], CAN]


def test_folded_equals_evaluation_mode(make_network: NetworkFactory) -> None:
    network = make_network(CANConfig())
    image = torch.rand(2, 3, 70, 41)
    torch.testing.assert_close(fold(network)(image), network(image), rtol=0, atol=1e-5)


def test_fold_uses_the_running_statistics_even_of_a_network_in_training(make_network: NetworkFactory) -> None:
    network = make_network(CANConfig(width=5, dilations=(1, 2)))
    image = torch.rand(1, 3, 20, 20)
    expected = network(image)
    torch.testing.assert_close(fold(network.train())(image), expected, rtol=0, atol=1e-5)
    assert network.training


def test_folded_network_has_no_gradient_and_own_weights(make_network: NetworkFactory) -> None:
    network = make_network(CANConfig(width=4, dilations=(1,)))
    folded = fold(network)
    before = folded.head.weight.clone()
    with torch.no_grad():
        network.head.weight.add_(1.0)
    assert not any(parameter.requires_grad for parameter in folded.parameters())
    torch.testing.assert_close(folded.head.weight, before)


def test_folding_an_untrained_network_keeps_the_identity() -> None:
    image = torch.rand(1, 3, 12, 9)
    torch.testing.assert_close(fold(CAN(CANConfig()))(image)[:, :3], image, rtol=0, atol=1e-6)
