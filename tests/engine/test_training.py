"""Training runs on tiny data sets: what their folder holds, what they learn from, and bad input."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import Mock

import imageio.v3 as iio
import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from safetensors.torch import load_file

from napari_superpixels.data.folders import folder_source
from napari_superpixels.data.sources import DataSource, array_source, bsds_source
from napari_superpixels.engine.compute import Compute
from napari_superpixels.engine.run_folder import RunFolder
from napari_superpixels.engine.target_growth import TargetConfig
from napari_superpixels.engine.training import split_source, train_network
from napari_superpixels.errors import ReadError, TrainingError
from napari_superpixels.nets.augment import NO_AUGMENTATION
from napari_superpixels.nets.catalogue import ModelCard
from napari_superpixels.nets.checkpoint import Model, load_model
from napari_superpixels.nets.predict import predict
from napari_superpixels.nets.registry import PRESETS
from tests.engine.training_runs import TINY, changed

if TYPE_CHECKING:
    from napari_superpixels.engine.epochs import EpochEvent
    from napari_superpixels.nets.train import TrainEvent

pytestmark = pytest.mark.usefixtures("single_thread")


def test_folder_holds_everything_about_the_run(source: DataSource, tmp_path: Path) -> None:
    epochs: list[EpochEvent] = []
    steps: list[TrainEvent] = []
    result = train_network(tmp_path / "run", source, TINY, validation=0.5, on_step=steps.append, on_epoch=epochs.append)
    assert (result.step, result.reason) == (6, "complete")
    assert [event.step for event in steps] == list(range(1, 7))
    assert [event.epoch for event in epochs] == [1, 2, 3]
    names = {path.relative_to(tmp_path / "run").as_posix() for path in (tmp_path / "run").rglob("*.*")}
    assert names >= {
        "best.safetensors", "last.safetensors", "state.safetensors", "config.json", "split.json", "metrics.csv",
        "curves.png", "curves.svg", "card.md", "samples/epoch-0001.png", "samples/epoch-0003.png",
    }  # fmt: skip
    split = json.loads((tmp_path / "run" / "split.json").read_text())
    assert sorted(split["train"] + split["validation"]) == ["0000", "0001", "0002", "0003"]
    assert len(split["validation"]) == 2
    with (tmp_path / "run" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert {"loss", "mse", "boundary", "learning_rate", "norms.0.a", "norms.1.b"} <= set(rows[0])
    assert all(0 < float(row["undersegmentation_error"]) < 0.6 for row in rows)
    assert all(0.3 < float(row["boundary_recall"]) <= 1 for row in rows)
    best = min(rows, key=lambda row: float(row["undersegmentation_error"]))
    model = load_model(result.best)
    assert model.card.title == "Tiny"
    assert model.card.recipe["steps"] == int(best["step"])
    assert model.card.metrics["val_boundary_recall"] == pytest.approx(float(best["boundary_recall"]), rel=1e-6)
    assert RunFolder(tmp_path / "run").read_config() == TINY
    assert "A test." in (tmp_path / "run" / "card.md").read_text()
    assert iio.imread(tmp_path / "run" / "samples" / "epoch-0001.png").shape[2] >= 3


@pytest.mark.parametrize("name", ["can", "unet", "can-unet"])
def test_twenty_steps_of_each_network_on_a_folder(
    name: str, photo: np.ndarray, truths: list[np.ndarray], tmp_path: Path
) -> None:
    for i in range(2):
        for folder, values in (("images", photo), ("labels", truths[i].astype(np.uint8))):
            (tmp_path / folder).mkdir(exist_ok=True)
            iio.imwrite(tmp_path / folder / f"{i}.png", values)
    config = changed(steps=20, epoch_steps=20, crop_size=48, warmup_steps=5, batch_size=1)
    events: list[TrainEvent] = []
    result = train_network(
        tmp_path / "run",
        folder_source(tmp_path / "images", [tmp_path / "labels"]),
        config.model_copy(update={"network": PRESETS[name]}),
        validation=0.5,
        on_step=events.append,
    )
    assert result.step == 20
    losses = [event.losses["boundary"] for event in events]
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    assert load_model(result.best).config == PRESETS[name]


def test_bsds_has_terms_and_a_split_of_its_own(bsds: Path, tmp_path: Path) -> None:
    validation = bsds_source(bsds, "train")
    train_network(tmp_path / "run", bsds_source(bsds, "train"), changed(steps=1), validation=validation)
    assert "non-commercial" in load_model(tmp_path / "run" / "last.safetensors").card.training_data
    assert RunFolder(tmp_path / "run").read_split().validation == ("100", "200")


def test_training_goes_on_from_a_model(source: DataSource, tmp_path: Path) -> None:
    mine = changed(steps=1).model_copy(update={"card": ModelCard(training_data="Mine, not for sale.")})
    train_network(tmp_path / "first", source, mine, validation=0)
    start = load_model(tmp_path / "first" / "last.safetensors")
    before = start.network.head.weight.clone()
    config = changed(steps=1, learning_rate=1e-6, warmup_steps=0).model_copy(update={"network": PRESETS["unet"]})
    train_network(tmp_path / "second", source, config, validation=0, start=start)
    model = load_model(tmp_path / "second" / "last.safetensors")
    assert model.card.recipe["start"] == start.sha256
    assert model.card.training_data == "Started from 'last', which learnt from: Mine, not for sale."
    assert model.config == start.config
    assert 0 < (model.network.head.weight - before).abs().max() < 1e-5
    assert torch.equal(start.network.head.weight, before)


def test_one_image_trains_without_validation(photo: np.ndarray, truths: list[np.ndarray], tmp_path: Path) -> None:
    epochs: list[EpochEvent] = []
    train_network(tmp_path / "run", array_source([photo], [truths]), changed(steps=2), on_epoch=epochs.append)
    assert [event.is_best for event in epochs] == [True]
    assert "undersegmentation_error" not in epochs[0].row
    assert RunFolder(tmp_path / "run").read_split().validation == ()


def test_patience_ends_the_run(source: DataSource, tmp_path: Path) -> None:
    """So small a learning rate changes nothing, so that the second and third epoch are no better than the first."""
    config = changed(learning_rate=1e-30, patience=2, steps=40)
    result = train_network(tmp_path / "run", source, config, validation=0.5)
    assert (result.step, result.reason) == (6, "patience")
    state = (tmp_path / "run" / "state.safetensors").read_bytes()
    assert train_network(tmp_path / "run", source, validation=0.5, resume=True) == result
    assert (tmp_path / "run" / "state.safetensors").read_bytes() == state


def test_constant_images_and_invalid_values_train(tmp_path: Path) -> None:
    constant = np.full((30, 30, 3), 7, np.uint8)
    holes = np.random.default_rng(0).random((30, 30)).astype(np.float32)
    holes[3:9, 4:8] = np.nan
    truth = np.arange(900).reshape(30, 30) // 450
    result = train_network(tmp_path / "run", array_source([constant, holes], [truth, truth]), changed(steps=2))
    assert np.isfinite(list(RunFolder(tmp_path / "run").read_rows(2)[0].values())).all()
    assert result.step == 2


def test_split_is_a_share_and_follows_the_seed(source: DataSource) -> None:
    first, second = split_source(source, 0.25, 1), split_source(source, 0.25, 1)
    assert first == second
    assert len(first.validation) == 1
    assert {split_source(source, 0.25, seed).validation for seed in range(12)} > {first.validation}
    assert split_source(source, 0.0, 1).validation == ()
    assert len(split_source(source, 0.999, 1).train) == 1


def test_folders_of_runs_are_not_overwritten(source: DataSource, tmp_path: Path) -> None:
    train_network(tmp_path / "run", source, changed(steps=1), validation=0)
    with pytest.raises(TrainingError, match="holds a training run already; resume it"):
        train_network(tmp_path / "run", source, TINY)


def test_unreadable_image_is_named(photo: np.ndarray, tmp_path: Path) -> None:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
        iio.imwrite(tmp_path / folder / "a.png", photo[..., 0] // 128)
        (tmp_path / folder / "b.png").write_bytes(b"no image")
    with pytest.raises(ReadError, match=r"b\.png"):
        train_network(tmp_path / "run", folder_source(tmp_path / "images", [tmp_path / "labels"]), TINY, validation=0)


def test_labels_of_another_size_are_named(photo: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="0000: a ground truth has shape"):
        train_network(tmp_path / "run", array_source([photo], [np.ones((5, 5), int)]), TINY)


def test_no_data() -> None:
    with pytest.raises(ReadError, match="holds no image"):
        array_source([], [])


def test_pictures_and_models_of_the_average_at_any_step(source: DataSource, tmp_path: Path) -> None:
    steps = []

    def on_model(step: int, make: Callable[[], Model]) -> None:
        model = make()
        assert model.folded is not None
        steps.append(step)

    train_network(tmp_path / "run", source, TINY, validation=0, on_model=on_model)
    assert steps == [1, 2, 3, 4, 5, 6]


def test_what_is_not_annotated_does_not_teach(photo: np.ndarray, truths: list[np.ndarray], tmp_path: Path) -> None:
    """Other ground truth beyond the annotated half gives the same weights, on it other ones."""
    annotated = np.zeros(truths[0].shape, bool)
    annotated[:, : annotated.shape[1] // 2] = True
    other = np.where(annotated, truths[0], 1 + np.arange(truths[0].size).reshape(truths[0].shape) // 50)
    weights = []
    for number, truth in enumerate((truths[0], other.astype(np.int32), np.ones_like(truths[0]))):
        half = array_source([photo], [truth], annotated=[annotated])
        train_network(tmp_path / f"{number}", half, TINY, validation=0)
        weights.append(load_file(tmp_path / f"{number}" / "last.safetensors"))
    assert not all(torch.equal(value, weights[2][name]) for name, value in weights[0].items())
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_a_half_that_is_annotated_is_learnt(tmp_path: Path) -> None:
    """Noise over four bands: its left half teaches to remove it there; the right half's stripes are not learnt."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((48, 96))
    truth = 1 + rows // 24
    clean = np.repeat(80.0 * truth[..., None], 3, axis=2)
    image = np.clip(clean + rng.normal(0, 25, clean.shape), 0, 255).astype(np.uint8)
    annotated = columns < 48
    half = array_source([image], [np.where(annotated, truth, 1 + columns // 3)], annotated=[annotated])
    config = changed(
        steps=150, epoch_steps=150, crop_size=32, learning_rate=2e-2, augmentation=NO_AUGMENTATION
    ).model_copy(update={"targets": TargetConfig(n_segments=2)})
    events: list[TrainEvent] = []
    result = train_network(tmp_path / "run", half, config, validation=0, on_step=events.append)
    first, last = (np.mean([event.losses["mse"] for event in part]) for part in (events[:5], events[-20:]))
    assert last < 0.4 * first
    made = predict(load_model(result.best), image.astype(np.float32) / 255)
    before, after = (np.square(255 * flat - clean)[annotated].mean() for flat in (image / 255, made.flattened))
    assert after < 0.4 * before


def test_devices_are_counted_before_the_folder_is_taken(
    source: DataSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match="at most 1, as many CUDA devices as this computer has; received 2"):
        train_network(tmp_path / "run", source, TINY, compute=Compute(device="cuda", devices=2))
    with pytest.raises(ValueError, match="2 devices cannot share batches of 3 crops evenly"):
        train_network(
            tmp_path / "run", source, changed(batch_size=3), compute=Compute(device="cpu", devices=1, num_nodes=2)
        )
    assert not (tmp_path / "run").exists()


def test_devices_that_lightning_refuses_are_named(
    source: DataSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pl, "Trainer", Mock(side_effect=MisconfigurationException("No such device.\n")))
    with pytest.raises(TrainingError, match=r"cannot run on 1 x CPU: No such device\. Choose other devices\."):
        train_network(tmp_path / "run", source, TINY, validation=0, compute=Compute(device="cpu"))


def test_precision_chosen_is_one_that_the_device_has(monkeypatch: pytest.MonkeyPatch) -> None:
    for has_it, expected in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, has_it=has_it: has_it)
        assert Compute().precision_on("cuda") == expected
    assert Compute().precision_on("cpu") == "float32"
