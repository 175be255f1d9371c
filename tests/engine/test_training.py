"""Training runs on tiny data sets: what their folder holds, how they go on, and what goes wrong."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from napari_superpixels.data.folders import folder_source
from napari_superpixels.data.sources import DataSource, array_source, bsds_source
from napari_superpixels.engine import epochs
from napari_superpixels.engine.epochs import EpochEvent
from napari_superpixels.engine.run_folder import RunConfig, RunFolder
from napari_superpixels.engine.target_growth import TargetConfig
from napari_superpixels.engine.training import split_source, train_network
from napari_superpixels.engine.validation import ValidationConfig
from napari_superpixels.errors import CancelledError, CheckpointError, ReadError, TrainingError, WriteError
from napari_superpixels.nets.augment import NO_AUGMENTATION
from napari_superpixels.nets.can import CANConfig
from napari_superpixels.nets.catalogue import ModelCard
from napari_superpixels.nets.checkpoint import Model, load_model
from napari_superpixels.nets.predict import predict
from napari_superpixels.nets.registry import PRESETS
from napari_superpixels.nets.train import Batch, TrainConfig, TrainEvent
from napari_superpixels.nets.train_module import TrainModule
from napari_superpixels.nets.train_state import load_state

TINY = RunConfig(
    network=CANConfig(width=5, dilations=(1, 2)),
    train=TrainConfig(steps=6, epoch_steps=2, batch_size=2, crop_size=24, warmup_steps=2),
    targets=TargetConfig(n_segments=12),
    validation=ValidationConfig(n_segments=12, n_images=2),
    card=ModelCard(title="Tiny", text="A test."),
)


@pytest.fixture(autouse=True, scope="module")
def _single_thread() -> Iterator[None]:
    """Small networks wait for each other's threads longer than they compute."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(usual)


def _changed(**train: object) -> RunConfig:
    return TINY.model_copy(update={"train": TINY.train.model_copy(update=train)})


@pytest.fixture
def source(photo: np.ndarray, truths: list[np.ndarray]) -> DataSource:
    """Four images in memory, each turned otherwise."""
    pairs = [(np.rot90(photo, i), [np.rot90(truth, i) for truth in truths]) for i in range(4)]
    return array_source([image for image, _ in pairs], [truth for _, truth in pairs])


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
    config = _changed(steps=20, epoch_steps=20, crop_size=48, warmup_steps=5, batch_size=1)
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
    train_network(tmp_path / "run", bsds_source(bsds, "train"), _changed(steps=1), validation=validation)
    assert "non-commercial" in load_model(tmp_path / "run" / "last.safetensors").card.training_data
    assert RunFolder(tmp_path / "run").read_split().validation == ("100", "200")


def test_training_goes_on_from_a_model(source: DataSource, tmp_path: Path) -> None:
    mine = _changed(steps=1).model_copy(update={"card": ModelCard(training_data="Mine, not for sale.")})
    train_network(tmp_path / "first", source, mine, validation=0)
    start = load_model(tmp_path / "first" / "last.safetensors")
    before = start.network.head.weight.clone()
    config = _changed(steps=1, learning_rate=1e-6, warmup_steps=0).model_copy(update={"network": PRESETS["unet"]})
    train_network(tmp_path / "second", source, config, validation=0, start=start)
    model = load_model(tmp_path / "second" / "last.safetensors")
    assert model.card.recipe["start"] == start.sha256
    assert model.card.training_data == "Started from 'last', which learnt from: Mine, not for sale."
    assert model.config == start.config
    assert 0 < (model.network.head.weight - before).abs().max() < 1e-5
    assert torch.equal(start.network.head.weight, before)


def test_one_image_trains_without_validation(photo: np.ndarray, truths: list[np.ndarray], tmp_path: Path) -> None:
    epochs: list[EpochEvent] = []
    train_network(tmp_path / "run", array_source([photo], [truths]), _changed(steps=2), on_epoch=epochs.append)
    assert [event.is_best for event in epochs] == [True]
    assert "undersegmentation_error" not in epochs[0].row
    assert RunFolder(tmp_path / "run").read_split().validation == ()


def test_patience_ends_the_run(source: DataSource, tmp_path: Path) -> None:
    """So small a learning rate changes nothing, so that the second and third epoch are no better than the first."""
    config = _changed(learning_rate=1e-30, patience=2, steps=40)
    result = train_network(tmp_path / "run", source, config, validation=0.5)
    assert (result.step, result.reason) == (6, "patience")


def test_constant_images_and_invalid_values_train(tmp_path: Path) -> None:
    constant = np.full((30, 30, 3), 7, np.uint8)
    holes = np.random.default_rng(0).random((30, 30)).astype(np.float32)
    holes[3:9, 4:8] = np.nan
    truth = np.arange(900).reshape(30, 30) // 450
    result = train_network(tmp_path / "run", array_source([constant, holes], [truth, truth]), _changed(steps=2))
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
    train_network(tmp_path / "run", source, _changed(steps=1), validation=0)
    with pytest.raises(TrainingError, match="holds a training run already; resume it"):
        train_network(tmp_path / "run", source, TINY)


def test_resume_after_the_end_changes_nothing(source: DataSource, tmp_path: Path) -> None:
    train_network(tmp_path / "run", source, _changed(steps=2), validation=0)
    before = (tmp_path / "run" / "last.safetensors").read_bytes()
    assert train_network(tmp_path / "run", source, validation=0, resume=True).step == 2
    assert (tmp_path / "run" / "last.safetensors").read_bytes() == before


def test_resume_needs_the_same_images_and_a_whole_state(source: DataSource, tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"config\.json cannot be read .*is .* a training run"):
        train_network(tmp_path / "run", source, resume=True)
    train_network(tmp_path / "run", source, _changed(steps=2), validation=0)
    with pytest.raises(TrainingError, match="lacks '0002', '0003'"):
        train_network(tmp_path / "run", source.subset(["0000", "0001"]), validation=0, resume=True)
    state = tmp_path / "run" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="damaged"):
        train_network(tmp_path / "run", source, validation=0, resume=True)
    state.unlink()
    assert train_network(tmp_path / "run", source, validation=0, resume=True).step == 2
    model = load_model(tmp_path / "run" / "best.safetensors")
    train_network(tmp_path / "further", source, _changed(steps=2), validation=0, start=model)
    (tmp_path / "further" / "state.safetensors").unlink()
    with pytest.raises(CheckpointError, match="before its first epoch did"):
        train_network(tmp_path / "further", source, validation=0, resume=True)
    assert train_network(tmp_path / "further", source, validation=0, start=model, resume=True).step == 2


def test_full_disk_leaves_the_previous_models(
    source: DataSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = ("last.safetensors", "state.safetensors")
    written: dict[str, bytes] = {}

    def fill(event: EpochEvent) -> None:
        written.update({name: (tmp_path / "run" / name).read_bytes() for name in kept})

        def full(self: Path, data: bytes) -> int:
            self.touch()
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", full)

    with pytest.raises(WriteError, match="No space left on device"):
        train_network(tmp_path / "run", source, TINY, validation=0, on_epoch=fill)
    monkeypatch.undo()
    for name, data in written.items():
        assert (tmp_path / "run" / name).read_bytes() == data
    assert train_network(tmp_path / "run", source, validation=0, resume=True).step == 6


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


_SCRIPT = """
import sys
import numpy as np
import torch
from pathlib import Path
from napari_superpixels.data.sources import bsds_source
from napari_superpixels.engine.run_folder import RunConfig
from napari_superpixels.engine.training import Compute, train_network

torch.set_num_threads(1)
root, run, config, resume, devices = sys.argv[1:]
source = bsds_source(root)
train_network(
    run, source, RunConfig.model_validate_json(config), validation=source, resume=resume == "resume",
    compute=Compute(device="cpu", devices=int(devices)),
    on_epoch=lambda event: print("epoch", event.epoch, flush=True),
)
"""


def _command(bsds: Path, run: Path, config: RunConfig, *, resume: bool = False, devices: int = 1) -> list[str]:
    script = bsds / "script.py"
    script.write_text(_SCRIPT)
    start = "resume" if resume else "new"
    return [sys.executable, str(script), str(bsds), str(run), config.model_dump_json(), start, str(devices)]


@pytest.mark.slow
def test_killed_and_resumed_run_ends_as_one_never_interrupted(bsds: Path, tmp_path: Path) -> None:
    config = _changed(steps=9, epoch_steps=3).model_copy(update={"network": PRESETS["can-unet"]})
    train_network(tmp_path / "whole", bsds_source(bsds), config, validation=bsds_source(bsds))
    process = subprocess.Popen(_command(bsds, tmp_path / "killed", config), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        while (line := process.stdout.readline()) and line.strip() != "epoch 1":
            continue
        time.sleep(0.1)  # somewhere in the second epoch
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    assert not (tmp_path / "killed" / "samples" / "epoch-0003.png").exists()
    train_network(tmp_path / "killed", bsds_source(bsds), validation=bsds_source(bsds), resume=True)
    for name in ("last.safetensors", "state.safetensors"):
        expected, found = (load_file(tmp_path / run / name) for run in ("whole", "killed"))
        assert expected.keys() == found.keys()
        for key, value in expected.items():
            torch.testing.assert_close(found[key], value, rtol=0, atol=1e-6)
    for run in ("whole", "killed"):
        assert [row["step"] for row in RunFolder(tmp_path / run).read_rows(9)] == [3, 6, 9]


@pytest.mark.slow
def test_two_processes_train_and_agree_with_one(bsds: Path, tmp_path: Path) -> None:
    """Without batch statistics (b = 0 and never changed) two shares of a batch give the gradient of the whole."""
    config = _changed(steps=3, epoch_steps=3, batch_size=4, warmup_steps=0)
    done = subprocess.run(
        _command(bsds, tmp_path / "two", config, devices=2), capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["epoch", "1"]  # the first process alone reports
    train_network(tmp_path / "one", bsds_source(bsds), config, validation=bsds_source(bsds))
    two, one = (RunFolder(tmp_path / run).read_rows(3)[0] for run in ("two", "one"))
    assert two["undersegmentation_error"] == pytest.approx(one["undersegmentation_error"], abs=0.02)
    expected, found = (load_file(tmp_path / run / "last.safetensors") for run in ("one", "two"))
    moved = 0.0
    for name, value in expected.items():
        if value.is_floating_point():
            # Each process normalises by the statistics of its own crops, hence the same only by and large.
            torch.testing.assert_close(found[name], value, rtol=0.05, atol=5e-3)
            moved = max(moved, float(value.abs().max()))
    assert moved > 0


def test_a_run_that_is_stopped_anywhere_ends_as_one_never_interrupted(source: DataSource, tmp_path: Path) -> None:
    """Whether in an epoch, at its end or in a validation: no step is done twice, and all files say the same."""
    config = _changed(epoch_steps=3, steps=7)
    train_network(tmp_path / "whole", source, config, validation=0.5)
    folder = tmp_path / "parts"
    reasons: list[str] = []
    steps: list[TrainEvent] = []
    for n_questions in range(4, 400, 3):
        answers = iter([False] * n_questions)
        result = train_network(
            folder,
            source,
            config,
            validation=0.5,
            resume=bool(reasons),
            on_step=steps.append,
            should_stop=lambda answers=answers: next(answers, True),
        )
        reasons.append(result.reason)
        assert result.step == load_state(folder / "state.safetensors").progress.step
        if result.reason == "complete":
            break
    assert len(reasons) > 3
    assert reasons[-1] == "complete"
    assert [event.step for event in steps] == [1, 2, 3, 4, 5, 6, 7]
    for file in ("last", "best", "state"):
        whole, parts = (load_file(tmp_path / name / f"{file}.safetensors") for name in ("whole", "parts"))
        assert all(torch.equal(value, parts[name]) for name, value in whole.items())
    rows = [RunFolder(tmp_path / name).read_rows(7) for name in ("whole", "parts")]
    for one, other in zip(*rows, strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}


@pytest.mark.parametrize("last", [1, 4, 6])
def test_a_stopped_run_without_validation_has_the_same_best(source: DataSource, tmp_path: Path, last: int) -> None:
    """The mean loss of an epoch decides, which counts the steps before the stop too."""
    config = _changed(epoch_steps=3, steps=6)
    train_network(tmp_path / "whole", source, config, validation=0)
    done: list[TrainEvent] = []
    stop = {"validation": 0, "on_step": done.append, "should_stop": lambda: len(done) == last}
    result = train_network(tmp_path / "parts", source, config, **stop)
    assert (result.step, result.reason) == (last, "stopped")
    assert result.best.exists() == (last > 3)
    assert train_network(tmp_path / "parts", source, validation=0, resume=True).reason == "complete"
    rows = [RunFolder(tmp_path / name).read_rows(6) for name in ("whole", "parts")]
    assert [row["loss"] for row in rows[0]] == [row["loss"] for row in rows[1]]
    whole, parts = (load_file(tmp_path / name / "best.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(value, parts[name]) for name, value in whole.items())


def test_a_stop_does_not_wait_for_pictures(source: DataSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once an epoch is measured it is kept, and not measured again."""
    stops: list[bool] = []
    with monkeypatch.context() as patch:
        patch.setattr(epochs, "draw_curves", lambda *_: stops.append(True))
        result = train_network(tmp_path / "run", source, TINY, validation=0.5, should_stop=lambda: bool(stops))
    assert (result.step, result.reason) == (2, "stopped")
    assert not (tmp_path / "run" / "samples").exists()
    assert load_state(tmp_path / "run" / "state.safetensors").progress.kept_step == 2
    events: list[EpochEvent] = []
    train_network(tmp_path / "run", source, validation=0.5, resume=True, on_epoch=events.append)
    assert [event.epoch for event in events] == [2, 3]


def test_stop_is_heard_between_targets_and_goes_on(source: DataSource, tmp_path: Path) -> None:
    ready: list[int] = []
    stop = {"on_target": lambda done, total: ready.append(done), "should_stop": lambda: len(ready) == 2}
    with pytest.raises(CancelledError, match="while its targets were made"):
        train_network(tmp_path / "run", source, TINY, validation=0, **stop)
    assert ready == [1, 2]
    assert len(list((tmp_path / "run" / "targets").iterdir())) == 2
    assert train_network(tmp_path / "run", source, validation=0, resume=True).step == 6


def test_patience_counts_on_after_a_stop_in_a_validation(source: DataSource, tmp_path: Path) -> None:
    config = _changed(learning_rate=1e-30, patience=2, steps=40)
    done: list[TrainEvent] = []
    train_network(
        tmp_path / "run", source, config, validation=0.5, on_step=done.append, should_stop=lambda: len(done) == 6
    )
    result = train_network(tmp_path / "run", source, validation=0.5, resume=True, on_step=done.append)
    assert (result.step, result.reason, len(done)) == (6, "patience", 6)


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
    config = _changed(
        steps=150, epoch_steps=150, crop_size=32, learning_rate=2e-2, augmentation=NO_AUGMENTATION
    ).model_copy(update={"targets": TargetConfig(n_segments=2)})
    events: list[TrainEvent] = []
    result = train_network(tmp_path / "run", half, config, validation=0, on_step=events.append)
    first, last = (np.mean([event.losses["mse"] for event in part]) for part in (events[:5], events[-20:]))
    assert last < 0.4 * first
    made = predict(load_model(result.best), image.astype(np.float32) / 255)
    before, after = (np.square(255 * flat - clean)[annotated].mean() for flat in (image / 255, made.flattened))
    assert after < 0.4 * before


def _spoil(monkeypatch: pytest.MonkeyPatch, *, weights: bool) -> None:
    """Make the fourth step's loss, or what it leaves behind, not a number."""
    step = TrainModule.training_step

    def fail(self: TrainModule, batch: Batch, batch_idx: int) -> torch.Tensor:
        if self.step == 3 and weights:
            self.average["head.bias"].fill_(torch.nan)
        factor = torch.nan if self.step == 3 and not weights else 1.0
        return step(self, (batch[0] * factor, *batch[1:]), batch_idx)

    monkeypatch.setattr(TrainModule, "training_step", fail)


@pytest.mark.parametrize("weights", [False, True])
def test_what_was_saved_before_a_nan_stays(
    source: DataSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: bool
) -> None:
    train_network(tmp_path / "whole", source, TINY, validation=0)
    with monkeypatch.context() as patch:
        _spoil(patch, weights=weights)
        with pytest.raises(TrainingError, match=r"no longer finite after .* lower the learning rate .* is kept"):
            train_network(tmp_path / "run", source, TINY, validation=0)
    assert load_model(tmp_path / "run" / "best.safetensors").card.recipe["steps"] == 2
    assert train_network(tmp_path / "run", source, validation=0, resume=True).step == 6
    whole, run = (load_file(tmp_path / name / "last.safetensors") for name in ("whole", "run"))
    assert all(torch.equal(value, run[name]) for name, value in whole.items())


def test_full_memory_is_told_and_what_was_saved_stays(
    source: DataSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = TrainModule.training_step

    def fail(self: TrainModule, batch: Batch, batch_idx: int) -> torch.Tensor:
        if self.step == 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return step(self, batch, batch_idx)

    monkeypatch.setattr(TrainModule, "training_step", fail)
    with pytest.raises(TrainingError, match=r"memory of the CPU is full with 2 crops of 24 x 24 .* Lower"):
        train_network(tmp_path / "run", source, TINY, validation=0)
    assert load_model(tmp_path / "run" / "best.safetensors").card.recipe["steps"] == 2
    monkeypatch.setattr(TrainModule, "training_step", step)
    assert train_network(tmp_path / "run", source, validation=0, resume=True).step == 6
