"""What every architecture has to fulfil: sizes, identity at the start, gradients, reach, folding, tiles, files."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional

from napari_superpixels.errors import CheckpointError
from napari_superpixels.nets import predict as predict_module
from napari_superpixels.nets.checkpoint import load_model, save_model
from napari_superpixels.nets.folding import fold
from napari_superpixels.nets.layers import AdaptiveNorm
from napari_superpixels.nets.predict import predict
from napari_superpixels.nets.registry import (
    ARCHITECTURES,
    PRESETS,
    Network,
    NetworkConfig,
    build_network,
    parse_network_config,
)
from napari_superpixels.nets.unet import CANUNetConfig, UNetConfig

NetworkFactory = Callable[[NetworkConfig], Network]


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (33, 65), (64, 64)])
@pytest.mark.parametrize("boundary_head", [True, False])
def test_output_keeps_the_size(small_config: NetworkConfig, size: tuple[int, int], boundary_head: bool) -> None:
    network = build_network(small_config.model_copy(update={"boundary_head": boundary_head})).eval()
    assert network(torch.rand(2, 3, *size)).shape == (2, 3 + boundary_head, *size)


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (2, 1), (5, 5)])
def test_any_number_of_channels(small_config: NetworkConfig, inputs: int, outputs: int) -> None:
    config = small_config.model_copy(update={"in_channels": inputs, "out_channels": outputs})
    image = torch.rand(1, inputs, 20, 17)
    out = build_network(config, seed=0).eval()(image)
    assert out.shape == (1, outputs + 1, 20, 17)
    torch.testing.assert_close(out[:, :outputs], image[:, :outputs], rtol=0, atol=1e-6)


@pytest.mark.parametrize("mode", [True, False])
def test_untrained_network_returns_the_image(small_config: NetworkConfig, mode: bool) -> None:
    image = torch.rand(2, 3, 40, 31)
    out = build_network(small_config, seed=0).train(mode)(image)
    torch.testing.assert_close(out[:, :3], image, rtol=0, atol=1e-6)


def test_every_parameter_learns_within_three_steps(small_config: NetworkConfig) -> None:
    network = build_network(small_config, seed=0)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    before = {name: value.clone() for name, value in network.named_parameters()}
    torch.manual_seed(0)
    for _ in range(3):
        image = torch.rand(2, 3, 24, 24)
        optimizer.zero_grad()
        out = network(image)
        (functional.mse_loss(out[:, :3], image.flip(1)) + out[:, 3:].square().mean() + out[:, 3:].mean()).backward()
        optimizer.step()
    assert not [name for name, value in network.named_parameters() if torch.equal(value, before[name])]


def test_input_beyond_the_receptive_radius_has_no_influence(
    small_config: NetworkConfig, make_network: NetworkFactory
) -> None:
    """Seen from every pixel of a stride's period, the farthest influence lies at the radius exactly."""
    network = make_network(small_config)
    radius, side = small_config.receptive_radius, 4 * small_config.receptive_radius
    reach = 0
    for offset in range(small_config.stride):
        centre = 2 * radius + offset
        image = torch.rand(1, 3, side, side, requires_grad=True)
        network(image)[0, :, centre, centre].sum().backward()
        assert image.grad is not None
        rows, columns = np.nonzero(image.grad[0].abs().sum(0).numpy())
        reach = max(reach, np.maximum(np.abs(rows - centre), np.abs(columns - centre)).max())
    # Which of four values a maximum takes depends on the image, so that the far corner need not take part.
    assert radius - small_config.stride < reach <= radius


def test_autocast_on_a_gpu_leaves_maps_in_bfloat16() -> None:
    """Fake tensors go through the rules of CUDA's autocast without a GPU."""
    with FakeTensorMode(), torch.no_grad(), torch.device("cuda"):
        norm, maps = AdaptiveNorm(4).eval(), torch.empty(2, 4, 8, 8)
        assert norm(maps).dtype == torch.float32
        torch.set_autocast_dtype("cuda", torch.bfloat16)
        torch.set_autocast_enabled("cuda", True)
        try:
            assert norm(maps.bfloat16()).dtype == torch.bfloat16
        finally:
            torch.set_autocast_enabled("cuda", False)


def test_folded_equals_evaluation_mode(small_config: NetworkConfig, make_network: NetworkFactory) -> None:
    network = make_network(small_config)
    image = torch.rand(2, 3, 71, 41)
    expected = network(image)
    torch.testing.assert_close(fold(network)(image), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_folding_needs_no_evaluation_mode_and_shares_no_weights(
    small_config: NetworkConfig, make_network: NetworkFactory
) -> None:
    network = make_network(small_config)
    image = torch.rand(1, 3, 20, 20)
    expected = network(image)
    folded = fold(network.train())
    assert network.training
    for parameter in network.parameters():
        parameter.add_(1.0)
    torch.testing.assert_close(folded(image), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
    assert not any(parameter.requires_grad for parameter in folded.parameters())


@pytest.mark.parametrize("tile", [None, 1, 7, 32])
def test_tiles_equal_the_whole(
    small_config: NetworkConfig,
    make_network: NetworkFactory,
    tmp_path: Path,
    tile: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("_SMALL_PIXELS", "_CPU_TILE_HEIGHT", "_CPU_TILE_WIDTH", "_SMALLEST_TILE"):
        monkeypatch.setattr(predict_module, name, 25)
    save_model(tmp_path / "m.safetensors", make_network(small_config))
    model = load_model(tmp_path / "m.safetensors")
    image = np.random.default_rng(0).random((61, 45, 3), dtype=np.float32)
    with torch.inference_mode():
        out = model.network(torch.from_numpy(image).permute(2, 0, 1)[None])[0]
    result = predict(model, image, device="cpu", tile=tile)
    assert result.boundary is not None
    np.testing.assert_allclose(result.flattened, out[:3].clamp(0, 1).permute(1, 2, 0), rtol=0, atol=1e-4)
    np.testing.assert_allclose(result.boundary, out[3].sigmoid(), rtol=0, atol=1e-4)


def test_file_keeps_the_network(small_config: NetworkConfig, make_network: NetworkFactory, tmp_path: Path) -> None:
    network = make_network(small_config)
    save_model(tmp_path / "m.safetensors", network)
    model = load_model(tmp_path / "m.safetensors")
    assert model.config == small_config
    for name, value in network.state_dict().items():
        assert torch.equal(model.network.state_dict()[name], value)


def test_overfits_one_patch(small_config: NetworkConfig) -> None:
    torch.manual_seed(0)
    image, target = torch.rand(1, 3, 16, 16), torch.rand(1, 3, 1, 1).expand(1, 3, 16, 16)
    network = build_network(small_config)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(150):
        optimizer.zero_grad()
        loss = functional.mse_loss(network(image)[:, :3], target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.05 * losses[0]


@pytest.mark.parametrize("name", PRESETS)
def test_presets(name: str, tmp_path: Path) -> None:
    config = PRESETS[name]
    assert config.architecture in ARCHITECTURES
    network = build_network(config, seed=0)
    assert network.parameter_count == sum(parameter.numel() for parameter in network.parameters()) < 480_000
    save_model(tmp_path / "m.safetensors", network)
    assert (tmp_path / "m.safetensors").stat().st_size < 2_000_000
    assert parse_network_config(config.architecture, config.model_dump(mode="json")) == config


def test_receptive_radius_of_the_presets() -> None:
    assert {name: (config.receptive_radius, config.stride) for name, config in PRESETS.items()} == {
        "can": (64, 1),
        "unet": (107, 16),
        "can-unet": (113, 8),
        "can24-d7": (32, 1),
        "can24": (128, 1),
        "can32": (256, 1),
    }


def test_the_seed_decides_the_weights_and_leaves_torch_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    weights = [build_network(PRESETS["unet"], seed).down[0][0].conv.weight for seed in (1, 1, 2)]  # type: ignore[union-attr,index]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize(
    ("architecture", "values"),
    [
        ("unet", {"widths": ()}),
        ("unet", {"widths": (0,)}),
        ("unet", {"dilations": (1, 2)}),
        ("unet", {"out_channels": 4}),
        ("can-unet", {"dilations": ()}),
        ("can-unet", {"version": 2}),
        ("can", {"widths": (4,)}),
        ("transformer", {}),
    ],
)
def test_configurations_refused(architecture: str, values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        parse_network_config(architecture, values)


def test_files_written_before_there_were_other_architectures_still_load() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert parse_network_config("can", {"width": 24, "dilations": [1, 2]}).architecture == "can"


def test_architecture_of_the_header_must_be_that_of_the_weights(
    make_network: NetworkFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = make_network(CANUNetConfig(widths=(4, 5)))
    network.config = UNetConfig(widths=(4, 5))
    save_model(tmp_path / "m.safetensors", network)
    with pytest.raises(CheckpointError, match="do not fit"):
        load_model(tmp_path / "m.safetensors")
