"""A part of an image by itself equals that part of the whole."""

import pytest
import torch

from napari_superpixels.nets import cropping
from napari_superpixels.nets.cropping import run_part
from napari_superpixels.nets.folding import fold
from napari_superpixels.nets.unet import CANUNetConfig, UNet, UNetConfig

AREAS = [(0, 70, 0, 53), (0, 1, 0, 1), (33, 70, 5, 17), (16, 48, 52, 53), (69, 70, 0, 53)]


@pytest.mark.parametrize(
    "config",
    [
        UNetConfig(widths=(4, 6, 8)),
        UNetConfig(widths=(5,)),
        CANUNetConfig(widths=(4, 5), boundary_head=False),
        CANUNetConfig(widths=(4, 5), dilations=(2, 1)),
    ],
)
@pytest.mark.parametrize("area", AREAS)
@pytest.mark.parametrize("strip_pixels", [1, 400, 10**6])
@pytest.mark.parametrize("fused", [True, False])
def test_a_part_equals_that_of_the_whole(
    config: UNetConfig | CANUNetConfig,
    area: tuple[int, int, int, int],
    strip_pixels: int,
    *,
    fused: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cropping, "_STRIP_PIXELS", strip_pixels)
    if not fused:
        monkeypatch.setattr(cropping, "_FUSED", None)
    torch.manual_seed(0)
    network = UNet(config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    folded = fold(network.eval())
    assert isinstance(folded, UNet)
    image = torch.rand(1, 3, 70, 53)
    rows, columns = slice(*area[:2]), slice(*area[2:])
    with torch.inference_mode():
        found = run_part(folded, image, (rows, columns), lambda: None)
        torch.testing.assert_close(found, folded(image)[:, :, rows, columns], rtol=1e-4, atol=1e-4)


def test_it_can_be_ended_between_layers() -> None:
    folded = fold(UNet(UNetConfig(widths=(4, 6))).eval())
    assert isinstance(folded, UNet)
    calls = []

    def check() -> None:
        calls.append(None)
        if len(calls) == 5:
            raise InterruptedError

    with torch.inference_mode(), pytest.raises(InterruptedError):
        run_part(folded, torch.rand(1, 3, 16, 16), (slice(0, 16), slice(0, 16)), check)
    assert len(calls) == 5
