"""Training runs that end early: stopped, killed, out of disk or memory, no longer finite; and how they go on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from napari_superpixels.data.sources import DataSource, bsds_source
from napari_superpixels.engine import epochs
from napari_superpixels.engine.epochs import EpochEvent
from napari_superpixels.engine.run_folder import Row, RunConfig, RunFolder
from napari_superpixels.engine.training import train_network
from napari_superpixels.errors import CancelledError, CheckpointError, ReadError, TrainingError, WriteError
from napari_superpixels.nets.checkpoint import load_model
from napari_superpixels.nets.registry import PRESETS
from napari_superpixels.nets.train import Batch, TrainEvent
from napari_superpixels.nets.train_module import TrainModule
from napari_superpixels.nets.train_state import load_state
from tests.engine.training_runs import TINY, changed

pytestmark = pytest.mark.usefixtures("single_thread")


def test_resume_after_the_end_changes_nothing(source: DataSource, tmp_path: Path) -> None:
    train_network(tmp_path / "run", source, changed(steps=2), validation=0)
    before = (tmp_path / "run" / "last.safetensors").read_bytes()
    assert train_network(tmp_path / "run", source, validation=0, resume=True).step == 2
    assert (tmp_path / "run" / "last.safetensors").read_bytes() == before


def test_resume_needs_the_same_images_and_a_whole_state(source: DataSource, tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"config\.json cannot be read .*is .* a training run"):
        train_network(tmp_path / "run", source, resume=True)
    train_network(tmp_path / "run", source, changed(steps=2), validation=0)
    with pytest.raises(TrainingError, match="lacks '0002', '0003'"):
        train_network(tmp_path / "run", source.subset(["0000", "0001"]), validation=0, resume=True)
    state = tmp_path / "run" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="damaged"):
        train_network(tmp_path / "run", source, validation=0, resume=True)
    state.unlink()
    assert train_network(tmp_path / "run", source, validation=0, resume=True).step == 2
    model = load_model(tmp_path / "run" / "best.safetensors")
    train_network(tmp_path / "further", source, changed(steps=2), validation=0, start=model)
    (tmp_path / "further" / "state.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"before it saved a state.*Give that model"):
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


def test_a_file_to_look_at_that_another_program_holds_ends_no_run(
    source: DataSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows, is_held = RunFolder.write_rows, [True, False]

    def refuse_once(self: RunFolder, rows: Sequence[Row]) -> None:
        if is_held.pop(0):
            raise WriteError("metrics.csv is open in another program.")
        write_rows(self, rows)

    monkeypatch.setattr(RunFolder, "write_rows", refuse_once)
    result = train_network(tmp_path / "run", source, changed(steps=4, epoch_steps=2), validation=0)
    assert result.reason == "complete"
    assert [row["step"] for row in RunFolder(tmp_path / "run").read_rows(4)] == [2, 4]


_SCRIPT = """
import sys
import numpy as np
import torch
from pathlib import Path
from napari_superpixels.data.sources import bsds_source
from napari_superpixels.engine.run_folder import RunConfig
from napari_superpixels.engine.compute import Compute
from napari_superpixels.engine.training import train_network

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
    config = changed(steps=9, epoch_steps=3).model_copy(update={"network": PRESETS["can-unet"]})
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
    config = changed(steps=3, epoch_steps=3, batch_size=4, warmup_steps=0)
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
    config = changed(epoch_steps=3, steps=7)
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
    config = changed(epoch_steps=3, steps=6)
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
    config = changed(learning_rate=1e-30, patience=2, steps=40)
    done: list[TrainEvent] = []
    train_network(
        tmp_path / "run", source, config, validation=0.5, on_step=done.append, should_stop=lambda: len(done) == 6
    )
    result = train_network(tmp_path / "run", source, validation=0.5, resume=True, on_step=done.append)
    assert (result.step, result.reason, len(done)) == (6, "patience", 6)


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
