"""A short training on a tiny data set in the layout of BSDS500."""

from pathlib import Path

import numpy as np
import pytest

from napari_superpixels.engine.targets import TargetConfig
from napari_superpixels.engine.training import train_bsds
from napari_superpixels.nets.can import CANConfig
from napari_superpixels.nets.catalogue import ModelCard
from napari_superpixels.nets.checkpoint import load_model
from napari_superpixels.nets.train import TrainConfig


def test_training_writes_a_model_with_its_recipe(bsds: Path, tmp_path: Path) -> None:
    config = TrainConfig(steps=3, batch_size=1, crop_size=24, checkpoint_every=2)
    network = CANConfig(width=5, dilations=(1, 2))
    events = train_bsds(
        bsds, tmp_path / "m.safetensors", config, network=network, card=ModelCard(title="Tiny", text="A test.")
    )
    assert next(events).step == 1
    assert not (tmp_path / "m.safetensors").exists()
    next(events)
    assert load_model(tmp_path / "m.safetensors").card.recipe["steps"] == 2
    assert [event.last for event in events] == [True]
    model = load_model(tmp_path / "m.safetensors")
    assert model.config == network
    assert (model.card.title, model.card.text) == ("Tiny", "A test.")
    assert "non-commercial" in model.card.training_data
    assert model.card.recipe == {
        "train": config.model_dump(mode="json"),
        "targets": TargetConfig().model_dump(mode="json"),
        "start": None,
        "steps": 3,
    }


def test_training_goes_on_from_a_model(bsds: Path, tmp_path: Path) -> None:
    config = TrainConfig(steps=1, batch_size=1, crop_size=24, learning_rate=1e-6)
    network = CANConfig(width=5, dilations=(1, 2))
    list(train_bsds(bsds, tmp_path / "first.safetensors", config, network=network))
    start = load_model(tmp_path / "first.safetensors")
    before = start.network.head.weight.clone()
    list(train_bsds(bsds, tmp_path / "second.safetensors", config, start=start))
    model = load_model(tmp_path / "second.safetensors")
    assert model.card.recipe["start"] == start.sha256
    assert model.config == network
    change = (model.network.head.weight - before).abs().max()
    assert 0 < change < 1e-5
    assert np.array_equal(start.network.head.weight, before)


def test_shape_and_start_exclude_each_other(bsds: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not both"):
        next(train_bsds(bsds, tmp_path / "m.safetensors", network=CANConfig(), start=load_model("natural")))
