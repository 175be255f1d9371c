"""Saving and loading of models, and every reason to refuse one."""

import json
import os
from pathlib import Path

import pytest
import safetensors.torch
import torch
from safetensors import safe_open

from napari_superpixels.errors import CheckpointError, ModelNotFoundError, WriteError
from napari_superpixels.nets.can import CAN, CANConfig
from napari_superpixels.nets.catalogue import HEADER_KEY, ModelCard
from napari_superpixels.nets.checkpoint import load_model, save_model

CONFIG = CANConfig(width=4, dilations=(1, 2), boundary_head=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_model(tmp_path / "m.safetensors", CAN(CONFIG), ModelCard(title="Small", metrics={"UE": 0.25}))
    return tmp_path / "m.safetensors"


def _rewrite(path: Path, *, header: dict[str, object] | None = None, **tensors: torch.Tensor | None) -> None:
    """Change entries of the header and tensors of a file; None takes a tensor away."""
    with safe_open(path, framework="numpy") as file:
        metadata = json.loads(file.metadata()[HEADER_KEY])
    weights = {**safetensors.torch.load_file(path), **tensors}
    kept = {name: value for name, value in weights.items() if value is not None}
    safetensors.torch.save_file(kept, path, {HEADER_KEY: json.dumps({**metadata, **(header or {})})})


def test_round_trip(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = CAN(CONFIG)
    network(torch.rand(2, 3, 8, 8))  # gathers statistics
    card = ModelCard(title="Small", text="# Text\nwith lines", training_data="none", recipe={"seed": 0})
    save_model(tmp_path / "new" / "m.safetensors", network, card)
    model = load_model(tmp_path / "new" / "m.safetensors")
    assert (model.name, model.config, model.card) == ("m", CONFIG, card)
    for name, value in network.state_dict().items():
        assert torch.equal(model.network.state_dict()[name], value)
    image = torch.rand(1, 3, 9, 7)
    torch.testing.assert_close(model.folded(image), network.eval()(image), rtol=0, atol=1e-5)
    assert not model.network.training


def test_the_hash_tells_models_apart(path: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    same, other = CAN(CONFIG), CAN(CONFIG)
    save_model(tmp_path / "same.safetensors", same, ModelCard(title="Small", metrics={"UE": 0.25}))
    save_model(tmp_path / "other.safetensors", other)
    assert load_model(path).sha256 == load_model(tmp_path / "same.safetensors").sha256
    assert load_model(path).sha256 != load_model(tmp_path / "other.safetensors").sha256


def test_shipped_model_loads_by_name() -> None:
    model = load_model("natural")
    assert model.name == "natural"
    assert model.config.boundary_head


def test_unknown_name() -> None:
    with pytest.raises(ModelNotFoundError, match="No model is called 'no-such-model'"):
        load_model("no-such-model")


def test_missing_path(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="no such file exists"):
        load_model(tmp_path / "gone.safetensors")


def test_truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(CheckpointError, match="damaged"):
        load_model(path)


def test_unknown_architecture(path: Path) -> None:
    _rewrite(path, header={"architecture": "transformer"})
    with pytest.raises(CheckpointError, match=r"architecture 'transformer'.*knows 'can'"):
        load_model(path)


@pytest.mark.parametrize("config", [{"width": -1}, {"depth": 3}, {"version": 9}])
def test_unusable_configuration(path: Path, config: dict[str, object]) -> None:
    _rewrite(path, header={"config": config})
    with pytest.raises(CheckpointError, match="configuration that cannot be used"):
        load_model(path)


def test_weights_of_another_width(path: Path) -> None:
    _rewrite(path, header={"config": {**CONFIG.model_dump(mode="json"), "width": 5}})
    with pytest.raises(CheckpointError, match=r"do not fit its configuration: .* is \(4, .*expected \(5, "):
        load_model(path)


def test_missing_and_superfluous_weights(path: Path) -> None:
    content = path.read_bytes()
    _rewrite(path, **{"head.bias": None})
    with pytest.raises(CheckpointError, match=r"lacks 'head\.bias'"):
        load_model(path)
    path.write_bytes(content)
    _rewrite(path, **{"head.more": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r"has, beyond its configuration, 'head\.more'"):
        load_model(path)


def test_weights_of_another_type_or_not_finite(path: Path) -> None:
    content = path.read_bytes()
    _rewrite(path, **{"head.bias": torch.zeros(3, dtype=torch.float16)})
    with pytest.raises(CheckpointError, match=r"torch\.float16, expected \(3,\) of torch\.float32"):
        load_model(path)
    path.write_bytes(content)
    _rewrite(path, **{"head.bias": torch.tensor([0.0, float("nan"), 0.0])})
    with pytest.raises(CheckpointError, match="not finite"):
        load_model(path)


def test_a_pickle_that_would_run_code_is_not_opened(tmp_path: Path) -> None:
    class Malicious:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "harm"),)

    for name in ("m.pth", "m.safetensors"):
        torch.save({"x": Malicious()}, tmp_path / name)
        with pytest.raises(CheckpointError, match="pickled"):
            load_model(tmp_path / name)
    assert not (tmp_path / "harm").exists()


def test_save_replaces_as_a_whole_or_not_at_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = path.read_bytes()

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(WriteError, match="No space left on device"):
        save_model(path, CAN(CONFIG))
    assert path.read_bytes() == content
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_save_where_a_file_is_in_the_way(path: Path) -> None:
    with pytest.raises(WriteError, match="cannot be written"):
        save_model(path / "below.safetensors", CAN(CONFIG))
