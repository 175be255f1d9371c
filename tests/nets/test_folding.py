"""Folding leaves the function as it is."""

import torch

from napari_superpixels.nets.can import CAN, CANConfig
from napari_superpixels.nets.folding import fold


def test_folding_an_untrained_network_keeps_the_identity() -> None:
    image = torch.rand(1, 3, 12, 9)
    torch.testing.assert_close(fold(CAN(CANConfig()))(image)[:, :3], image, rtol=0, atol=1e-6)
