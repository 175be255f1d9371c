"""Training and the library of models, as a user types them."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.io import savemat

from napari_superpixels.engine import training
from napari_superpixels.engine.compute import Compute
from napari_superpixels.engine.run_folder import RunFolder
from napari_superpixels.nets.catalogue import MODELS_VARIABLE
from napari_superpixels.nets.checkpoint import save_model
from napari_superpixels.nets.registry import PRESETS, build_network

from .command_line import run as run_command
from .command_line import words

pytestmark = pytest.mark.usefixtures("single_thread")

run = partial(run_command, width=200)
TINY = ["--network", "can24-d7", "--steps", "2", "--epoch-steps", "1", "--batch-size", "1", "--crop-size", "16"]
TINY += ["--n-segments", "10", "--device", "cpu"]


@pytest.fixture
def bsds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, color_blocks: np.ndarray) -> Path:
    """Return a data set in the layout of BSDS500 with one image to learn from and one to validate on."""
    monkeypatch.chdir(tmp_path)
    truths = np.empty((1, 1), dtype=object)
    truths[0, 0] = {"Segmentation": (np.arange(4800).reshape(60, 80) // 1200 + 1).astype(np.uint16)}
    for split in ("train", "val"):
        for part in ("images", "groundTruth"):
            Path("bsds", part, split).mkdir(parents=True)
        iio.imwrite(f"bsds/images/{split}/{split}.jpg", color_blocks)
        savemat(f"bsds/groundTruth/{split}/{split}.mat", {"groundTruth": truths})
    return Path("bsds")


def test_a_run_gives_a_model_that_segments_and_can_be_installed(
    bsds: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path / "home"))
    result = run("train", "--bsds", bsds, "-o", "run", "--title", "Mine", *TINY)
    assert result.exit_code == 0, result.stderr
    assert "Targets: 1 of 1 images" in result.stderr
    assert re.search(r"Epoch 2: loss \d\.\d+, 1-ASA \d\.\d+, BR \d\.\d+, CO \d", result.stderr)
    assert result.stdout.strip() == "Done after 2 steps. The best model is run/best.safetensors"
    split = RunFolder(Path("run")).read_split()
    assert (split.train, split.validation) == (("train",), ("val",))
    config = RunFolder(Path("run")).read_config()
    assert config.network == PRESETS["can24-d7"]
    assert (config.targets.n_segments, config.validation.n_segments) == (10, 10)
    assert run("models", "import", "run/best.safetensors", "--name", "mine").exit_code == 0
    assert re.search(r"^mine +Mine$", run("models", "list").stdout, re.MULTILINE)
    segmented = run("segment", "bsds/images/val/val.jpg", "-o", "out", "--model", "mine", "--n-segments", 6)
    assert segmented.exit_code == 0, segmented.stderr
    assert run("models", "export", "mine", "-o", "mine.onnx").exit_code == 0
    assert Path("mine.onnx").stat().st_size > 10_000
    assert "exists" in words(run("models", "export", "mine", "-o", "mine.onnx").stderr)
    assert run("models", "remove", "mine").exit_code == 0
    assert run("models", "remove", "mine").exit_code == 2
    again = run("train", "--bsds", bsds, "-o", "run", *TINY)
    assert again.exit_code == 1
    assert "holds a training run already" in again.stderr


def test_option_names_the_folder_of_models(bsds: Path, tmp_path: Path) -> None:
    home = tmp_path / "elsewhere"
    shipped = run("models", "show", "natural").stdout
    file = re.search(r"file: +(\S+)", shipped)
    assert file is not None
    assert run("models", "import", file[1], "--name", "copy", "--folder", home).exit_code == 0
    assert (home / "copy.safetensors").is_file()
    assert "copy" in run("models", "list", "--folder", home).stdout
    assert run("models", "show", "copy", "--folder", home).exit_code == 0
    assert run("models", "show", "copy").exit_code == 2
    assert "came with the program" in words(run("models", "remove", "natural", "--folder", home).stderr)
    bad = run("models", "import", "bsds/images/val/val.jpg", "--folder", home)
    assert (bad.exit_code, "no .safetensors file" in bad.stderr) == (1, True)
    assert run("models", "import", file[1], "--name", "../x", "--folder", home).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "name one data set"),
        (["--bsds", "bsds", "--minutes", "0"], 2, "train.time_limit: Input should be greater than 0"),
        (["--bsds", "bsds", "--network", "resnet"], 2, "'resnet' is none of can, unet"),
        (["--bsds", "bsds", "--recipe", "gone.json"], 2, "gone.json cannot be read"),
        (["--bsds", "bsds", "--recipe", "gone.safetensors"], 2, "No model is called 'gone.safetensors'"),
        (["--bsds", "bsds", "--recipe", "plain.safetensors"], 2, "plain.safetensors does not tell how it was trained"),
        (["--bsds", "bsds", "--recipe", "list.json"], 2, "list.json holds a JSON list"),
        (["--bsds", "bsds", *TINY, "--precision", "bfloat16"], 1, "works for networks without dilated convolutions"),
        (["--bsds", "bsds", "--precision", "int8"], 1, "precision must be one of auto, float32, bfloat16"),
        (["--bsds", "bsds", "--validation-names", "x*"], 2, "'x*' matches no name of the 1 images; such as 'train'"),
        (["--bsds", "bsds", "--validation-names", "*"], 2, "'*' matches every name"),
        (["--bsds", "bsds", "--schedule", "sine"], 2, "train.schedule"),
        (["--bsds", "bsds", "--n-segments", "3", "--superpixel-size", "9"], 2, "or their size, not both"),
        (["--bsds", "bsds", "--n-segments", "1"], 2, "Give --superpixels-per-object for the validation"),
        (["--bsds", "missing"], 1, "missing"),
        (["--bsds", "bsds", "--device", "abacus"], 1, "received 'abacus'"),
        (["--bsds", "bsds", *TINY, "--devices", "3", "--batch-size", "2"], 1, "3 devices cannot share batches of 2"),
        (["--bsds", "bsds", "--start", "nothing"], 1, "No model is called 'nothing'"),
        (["--resume"], 1, "a training run?"),
    ],
)
def test_wrong_training(bsds: Path, arguments: list[str], code: int, message: str) -> None:
    Path("list.json").write_text("[1]")
    save_model("plain.safetensors", build_network(PRESETS["can24-d7"], 0))
    result = run("train", "-o", "run", *arguments)
    assert result.exit_code == code
    assert message in words(result.stderr)
    assert not Path("run").exists()  # it may be begun again there


def test_one_superpixel_an_image_needs_a_number_for_the_validation(bsds: Path) -> None:
    given = [*TINY, "--n-segments", "1", "--superpixels-per-object", "4"]
    result = run("train", "--bsds", bsds, "-o", "run", *given)
    assert result.exit_code == 0, result.stderr
    config = RunFolder(Path("run")).read_config()
    assert (config.targets.n_segments, config.validation.superpixels_per_object) == (1, 4)


def test_recipe_is_read_and_options_come_on_top(bsds: Path) -> None:
    Path("recipe.json").write_text('{"steps": 9, "ema_decay": 0.5, "augmentation": {"noise": 0.1}}')
    result = run("train", "--bsds", bsds, "-o", "run", "--recipe", "recipe.json", *TINY)
    assert result.exit_code == 0, result.stderr
    train = RunFolder(Path("run")).read_config().train
    assert (train.steps, train.ema_decay, train.augmentation.noise) == (2, 0.5, 0.1)


def test_a_resumed_run_keeps_its_settings_and_precision(bsds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = [*TINY, "--network", "unet", "--crop-size", "32", "--precision", "bfloat16", "--cache", "targets"]
    begun = run("train", "--bsds", bsds, "-o", "run", *small)
    assert begun.exit_code == 0, begun.stderr
    folder = RunFolder(Path("run").absolute())
    compute = folder.read_config().compute
    assert (compute.device, compute.precision, compute.cache) == ("cpu", "bfloat16", str(Path("targets").absolute()))
    for option in (["--steps", "9"], ["--bsds", bsds], ["--save-as", "mine"], ["--from", "natural"]):
        refused = run("train", "-o", "run", "--resume", *option)
        assert refused.exit_code == 2
        assert f"Invalid value for {option[0]}: it is settled by the run" in words(refused.stderr)
    config = Path("run", "config.json")
    config.write_text(config.read_text().replace('"steps": 2', '"steps": 3'))
    used = []
    monkeypatch.setattr(Compute, "precision_on", lambda self, device: used.append(self) or self.precision)
    monkeypatch.chdir(bsds)
    assert run("train", "-o", "../run", "--resume", "--workers", "1").exit_code == 0
    assert used == [replace(compute, workers=1)]
    assert not folder.targets.exists()


def test_a_run_from_a_model_that_ended_before_its_first_state_begins_again(
    bsds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = build_network(PRESETS["can24-d7"], 0)
    save_model("start.safetensors", network)
    command = ["train", "--bsds", bsds, "--from", "start.safetensors", *TINY[2:]]
    whole = run(*command, "-o", "whole")
    assert whole.exit_code == 0, whole.stderr
    with monkeypatch.context() as patch:
        patch.setattr(training, "load_samples", Mock(side_effect=KeyboardInterrupt))
        told = run(*command, "-o", "run")
    assert (told.exit_code, "Go on with: napari-superpixels train -o run --resume" in told.stderr) == (130, True)
    monkeypatch.chdir(bsds)
    start = Path("../start.safetensors").rename("../away.safetensors")
    gone = run("train", "-o", "../run", "--resume")
    assert gone.exit_code == 1
    assert "begin again from its start model, which is not there: No model is called" in words(gone.stderr)
    save_model("../start.safetensors", build_network(PRESETS["can24-d7"], 1))
    changed = run("train", "-o", "../run", "--resume")
    assert changed.exit_code == 1
    assert re.search(r"start\.safetensors was changed: its SHA-256 is \w{12}\.\.\., expected", words(changed.stderr))
    start.replace("../start.safetensors")
    resumed = run("train", "-o", "../run", "--resume")
    assert resumed.exit_code == 0, resumed.stderr
    expected, found = (load_file(f"../{name}/last.safetensors") for name in ("whole", "run"))
    assert all(torch.equal(value, found[name]) for name, value in expected.items())


def test_training_of_a_model_is_repeated_on_a_split_by_name(bsds: Path) -> None:
    settings = ["--recipe", _recipe(), "--superpixels-per-object", "2", "--data-terms", "CC0"]
    first = run("train", "--bsds", bsds, "-o", "run", *TINY, "--network", "unet", "--crop-size", "32", *settings)
    assert first.exit_code == 0, first.stderr
    config = RunFolder(Path("run")).read_config()
    assert (config.validation.superpixels_per_object, config.validation.n_images) == (2, 50)
    assert config.card.training_data == "CC0"
    assert "CC0" in run("models", "show", "run/best.safetensors").stdout
    for part in ("images", "groundTruth"):
        for file in list(Path("bsds", part, "val").iterdir()):
            file.rename(Path("bsds", part, "train", file.name))
    repeat = ["--recipe", "run/best.safetensors", "--precision", "bfloat16", "--validation-names", "v*"]
    second = run("train", "--bsds", bsds, "-o", "again", "--device", "cpu", *repeat)
    assert second.exit_code == 0, second.stderr
    again = RunFolder(Path("again"))
    for part in ("train", "targets", "validation"):
        assert getattr(again.read_config(), part) == getattr(config, part)
    assert again.read_config().train.ema_decay == 0.5
    assert (again.read_split().train, again.read_split().validation) == (("train",), ("val",))


def test_number_of_superpixels_goes_before_the_size_of_a_recipe(bsds: Path) -> None:
    without_number = [*TINY[: TINY.index("--n-segments")], "--device", "cpu"]
    first = run("train", "--bsds", bsds, "-o", "run", *without_number, "--superpixel-size", "30")
    assert first.exit_code == 0, first.stderr
    second = run("train", "--bsds", bsds, "-o", "again", "--recipe", "run/best.safetensors", *TINY)
    assert second.exit_code == 0, second.stderr
    config = RunFolder(Path("again")).read_config()
    for part in (config.targets, config.validation):
        assert (part.n_segments, part.superpixel_size) == (10, None)


def _recipe() -> str:
    Path("recipe.json").write_text('{"ema_decay": 0.5, "l1_weight": 2, "mse_weight": 0}')
    return "recipe.json"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_interrupted_run_tells_how_to_go_on_and_does(bsds: Path) -> None:
    command = [sys.executable, "-c", "from napari_superpixels.cli import app; app()", "train", "--bsds", "bsds"]
    many = ["--steps", "100000", *TINY[4:]]
    process = subprocess.Popen(
        [*command, "-o", "run", "--network", "can", *many], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 120
        while not Path("run", "state.safetensors").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert "Press Ctrl+C again to stop at once." in errors
    told = re.search(r"Interrupted after (\d+) steps. Go on with: napari-superpixels train -o run --resume", errors)
    assert told, errors
    assert "Traceback" not in errors
    last = int(told[1]) + 1
    config = Path("run", "config.json")
    config.write_text(config.read_text().replace('"steps": 100000', f'"steps": {last}'))
    result = run("train", "-o", "run", "--resume", "--device", "cpu")
    assert result.exit_code == 0, result.stderr
    assert f"Done after {last} steps" in result.stdout
