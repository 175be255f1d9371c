"""Streaming in bands equals running the network at once."""

from collections.abc import Callable

import pytest
import torch

from napari_superpixels.nets import streaming
from napari_superpixels.nets.can import CAN, CANConfig
from napari_superpixels.nets.folding import fold

NetworkFactory = Callable[[CANConfig], CAN]


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (33, 65), (200, 30), (131, 97)])
@pytest.mark.parametrize("band_pixels", [1, 200, 3000, 10**6])
def test_stream_equals_whole(
    size: tuple[int, int], band_pixels: int, make_network: NetworkFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "_BAND_PIXELS", band_pixels)
    folded = fold(make_network(CANConfig(width=5, dilations=(1, 2, 16, 1))))
    image = torch.rand(1, 3, *size)
    with torch.inference_mode():
        streamed = torch.cat(list(streaming.stream(folded, image)), dim=2)
        torch.testing.assert_close(streamed, folded(image), rtol=0, atol=1e-5)


def test_stream_leaves_the_image_alone(make_network: NetworkFactory) -> None:
    folded = fold(make_network(CANConfig(width=4, dilations=(1, 2))))
    image = torch.randn(1, 3, 40, 20)
    before = image.clone()
    with torch.inference_mode():
        for _ in streaming.stream(folded, image):
            pass
    assert torch.equal(image, before)


def test_bands_arrive_while_later_rows_are_still_to_do(make_network: NetworkFactory) -> None:
    folded = fold(make_network(CANConfig(width=4, dilations=(1, 2))))
    with torch.inference_mode():
        bands = streaming.stream(folded, torch.rand(1, 3, 400, 1000))
        assert next(bands).shape[2] < 100
