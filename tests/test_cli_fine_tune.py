"""Fine-tuning, as a user types it."""

import json
import shutil
import signal
from functools import partial
from pathlib import Path

import imageio.v3 as iio
import pytest
from safetensors.numpy import load_file

from napari_superpixels.cli.training_bar import TrainingBar
from napari_superpixels.data.training_folder import TrainingItem, write_training_folder
from napari_superpixels.engine.fine_tune import fine_tune
from napari_superpixels.engine.fine_tune_files import read_job, read_report
from napari_superpixels.engine.run_lock import held_lock
from napari_superpixels.engine.runs import RUNS_VARIABLE
from napari_superpixels.nets.catalogue import MODELS_VARIABLE, available_models, read_header
from napari_superpixels.nets.train import TrainEvent
from tests.engine.fine_tuning import TINY, discs, make_run

from .command_line import run as run_command
from .command_line import words

run = partial(run_command, width=200)
OPTIONS = ["--steps", 4, "--epoch-steps", 2, "--batch-size", 1, "--crop-size", 32, "--n-segments", 30]


@pytest.fixture(autouse=True)
def _clean_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, single_thread: None) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path / "models"))
    monkeypatch.setenv(RUNS_VARIABLE, str(tmp_path / "runs"))


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Return a folder of a user's: images beside masks."""
    for number in range(3):
        image, labels = discs(number)
        (tmp_path / "pairs").mkdir(exist_ok=True)
        iio.imwrite(tmp_path / "pairs" / f"disc {number}.png", image)
        iio.imwrite(tmp_path / "pairs" / f"disc {number}_mask.png", labels.astype("uint8"))
    return tmp_path / "pairs"


def test_a_folder_of_pairs_makes_a_model(pairs: Path) -> None:
    result = run(
        "train", "--from", "natural", "--data", pairs, "--preset", "quick", "-o", "run", "--save-as", "mine", *OPTIONS
    )
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["image", "1-ASA", "before", "after", "BR", "before", "after"]
    assert lines[1].startswith("disc ")
    assert lines[2].startswith("mean")
    assert "Boundary errors fell by" in result.stdout or "It did not get better" in result.stdout
    assert "mine" in available_models()
    card = read_header(available_models()["mine"]).card
    lineage = card.recipe["lineage"]
    assert isinstance(lineage, dict)
    assert lineage["parent"] == "natural"
    assert len(lineage["data_sha256"]) == 3
    assert "Berkeley" in card.training_data
    assert card.title == "Fine-tuned from natural on 2 images"
    job = read_job("run")
    assert job.params.preset == "quick"
    assert (job.params.steps, job.params.crop_size) == (4, 32)
    assert json.loads(Path("run/report.json").read_text())["reason"] == "complete"


def test_it_gives_the_weights_that_the_window_gets(tmp_path: Path) -> None:
    """The window's process calls fine_tune on a folder that the window wrote."""
    folder = make_run(tmp_path / "window")
    fine_tune(folder)
    result = run("train", "--from", "natural", "--data", folder / "data", "-o", "typed", *OPTIONS)
    assert result.exit_code == 0, result.stderr
    assert read_job("typed").params == TINY
    for name in ("best", "last"):
        first, second = (load_file(path / f"{name}.safetensors") for path in (folder, Path("typed")))
        assert all((value == second[key]).all() for key, value in first.items())


def test_it_continues_what_made_the_model_as_the_window_does(tmp_path: Path) -> None:
    """By the name under which a run's model was installed, or by its file in the run's folder."""
    first = make_run(tmp_path / "runs" / "first")
    assert run("train", "-o", first, "--resume", "--save-as", "mine").exit_code == 0
    write_training_folder(tmp_path / "more", [TrainingItem("new", *discs(20))])
    for start, output in (("mine", "one"), (first / "best.safetensors", "two")):
        result = run("train", "--from", start, "--data", "more", "-o", output, *OPTIONS)
        assert result.exit_code == 0, result.stderr
        assert "took part when the start model was made" in words(result.stdout)
        assert "is not found" not in result.stderr
        assert Path(str(read_job(output).earlier)) == first
        report = read_report(output)
        assert report is not None
        assert report.train == ("disc 0", "disc 1", "new")
        assert [image.name for image in report.images] == ["disc 2"]
    shutil.rmtree(first)
    result = run("train", "--from", "mine", "--data", "gone", "-o", "three", *OPTIONS)
    assert "the run that made mine is not found, so its images take no part in this one" in words(result.stderr)


def test_ctrl_c_installs_nothing_and_tells_how_to_go_on(pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    show = TrainingBar.on_step

    def press_ctrl_c(self: TrainingBar, event: TrainEvent) -> None:
        show(self, event)
        if event.step == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(TrainingBar, "on_step", press_ctrl_c)
    result = run("train", "--from", "natural", "--data", pairs, "-o", "run", "--save-as", "mine", *OPTIONS)
    assert result.exit_code == 130
    assert "Interrupted after 3 steps. Go on with: napari-superpixels train -o run --resume" in words(result.stderr)
    assert result.stdout == ""
    assert "mine" not in available_models()
    monkeypatch.setattr(TrainingBar, "on_step", show)
    # Images that came since are not part of the run.
    image, labels = discs(7)
    iio.imwrite(pairs / "came later.png", image)
    iio.imwrite(pairs / "came later_mask.png", labels.astype("uint8"))
    result = run("train", "-o", "run", "--resume")
    assert result.exit_code == 0, result.stderr
    assert "mine" in available_models()
    assert "came later" not in result.stdout
    again = run("train", "-o", "run", "--resume")
    assert (again.exit_code, "Installed" in again.stdout) == (0, False), again.stderr
    other = run("train", "-o", "run", "--resume", "--save-as", "other")
    assert other.exit_code == 0, other.stderr
    assert "other" in available_models()


def test_a_start_model_is_found_again_from_anywhere_and_must_be_the_same(
    pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    show, pressed = TrainingBar.on_step, []

    def press_ctrl_c(self: TrainingBar, event: TrainEvent) -> None:
        show(self, event)
        if event.step == 3 and not pressed:
            pressed.append(event.step)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(TrainingBar, "on_step", press_ctrl_c)
    start = pairs.parent / "own.safetensors"
    shutil.copy(available_models()["natural"], start)
    assert run("train", "--from", "own.safetensors", "--data", pairs, "-o", "run", *OPTIONS).exit_code == 130
    output = Path("run").absolute()
    monkeypatch.chdir(pairs)
    assert read_job(output).params.start == str(start)
    shutil.copy(available_models()["nuclei"], start)
    result = run("train", "-o", output, "--resume")
    assert result.exit_code == 1
    assert "goes on from its start model, but own was changed: its SHA-256 is" in words(result.stderr)
    shutil.copy(available_models()["natural"], start)
    result = run("train", "-o", output, "--resume")
    assert result.exit_code == 0, result.stderr


def test_resume_of_a_complete_run_tells_its_figures(tmp_path: Path) -> None:
    fine_tune(make_run(tmp_path / "run"))
    result = run("train", "-o", "run", "--resume")
    assert result.exit_code == 0, result.stderr
    assert "mean" in result.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--preset", "quick"], "it belongs to --data, which is not given"),
        (["--data", "pairs", "--minutes", 3], "it has no part in a fine-tuning"),
        (["--data", "pairs", "--preset", "best"], "--preset"),
        (["--data", "pairs", "--keep", 2], "--keep"),
        (["--data", "nowhere"], "does not exist"),
        (["--data", "."], "holds no images with labels"),
        (["--data", "pairs", "--from", "nothing"], "No model is called 'nothing'"),
    ],
)
def test_what_cannot_be_done_is_said(options: list[object], message: str, pairs: Path) -> None:
    empty = pairs.parent / "empty"
    empty.mkdir()
    options = [empty if option == "." else option for option in options]
    result = run("train", "-o", "run", *options)
    assert result.exit_code != 0
    assert message in words(result.output + result.stderr)
    assert not Path("run/job.json").exists()


def test_a_start_that_failed_leaves_the_folder_free(pairs: Path) -> None:
    assert run("train", "--data", "nowhere", "-o", "run").exit_code != 0
    result = run("train", "--data", pairs, "-o", "run", *OPTIONS)
    assert result.exit_code == 0, result.stderr


def test_the_folder_of_another_run_stays_as_it_is(pairs: Path) -> None:
    Path("run").mkdir()
    Path("run/config.json").write_text("{}")
    result = run("train", "--data", pairs, "-o", "run", *OPTIONS)
    assert result.exit_code != 0
    assert "holds a training run already" in words(result.stderr)
    assert {path.name for path in Path("run").iterdir()} == {"config.json"}


def test_a_folder_in_which_another_process_trains(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    with held_lock(folder):
        result = run("train", "-o", folder, "--resume")
    assert result.exit_code != 0
    assert "Another process trains in" in words(result.stderr)


@pytest.mark.parametrize(
    ("name", "message"), [("natural", "There is a model called 'natural' already"), ("a/b", "'a/b'")]
)
def test_a_name_that_cannot_be_is_told_before_the_training(name: str, message: str, pairs: Path) -> None:
    result = run("train", "--data", pairs, "-o", "run", "--save-as", name, *OPTIONS)
    assert result.exit_code != 0
    assert message in words(result.stderr)
    assert not Path("run").exists()
