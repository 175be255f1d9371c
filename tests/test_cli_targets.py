"""``napari-superpixels targets``, as a user types it."""

import json
import shutil
from functools import partial
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from napari_superpixels.data.target_files import read_record
from napari_superpixels.engine import target_runs

from .command_line import run as run_command
from .command_line import words

run = partial(run_command, "targets")


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def folders(color_blocks: np.ndarray) -> list[str]:
    """Return the options that name two images and their labels."""
    truth = (np.indices((60, 80))[1] // 20).astype(np.uint8)
    for name in ("a", "b"):
        for place, array in (("images", color_blocks), ("labels", truth)):
            Path(place).mkdir(exist_ok=True)
            iio.imwrite(f"{place}/{name}.png", array)
    return ["--images", "images", "--labels", "labels", "--workers", "1"]


def test_help() -> None:
    text = words(run("--help").output)
    for option in (
        "--bsds",
        "--coco",
        "--images",
        "--labels",
        "--masks",
        "--n-segments",
        "--superpixel-size",
        "--workers",
    ):
        assert option in text


@pytest.mark.parametrize("kind", ["instances", "panoptic"])
def test_coco(kind: str, request: pytest.FixtureRequest) -> None:
    annotations = request.getfixturevalue(f"coco_{kind}")
    result = run("--coco", annotations, "--images", "images", "-o", "out", "--n-segments", 20, "--workers", 1)
    assert result.exit_code == 0, result.output
    record = read_record("out/a.npz")
    assert record is not None
    assert record["n_asked"] == 20
    summary = json.loads(Path("out/report/summary.json").read_text())
    assert summary["source"]["kind"] == f"coco-{kind}"
    if kind == "instances":
        assert "note: 1 of 3 annotated images are not in images: 'gone.jpg'" in result.stderr
        assert "sub/b: note: 1 of 2 annotations cover no pixel" in result.stderr
        assert summary["left_out"]


def test_folders_run_again_and_change(folders: list[str]) -> None:
    result = run(*folders, "-o", "out", "--superpixel-size", 100)
    assert (result.exit_code, result.stdout) == (0, "out: 2 done, 48 superpixels for each of 2 annotations\n")
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.npz", "b.npz", "report"]
    assert "2 skipped" in run(*folders, "-o", "out", "--superpixel-size", 100).stdout
    assert "2 done" in run(*folders, "-o", "out", "--n-segments", 48).stdout
    assert "2 done" in run(*folders, "-o", "out", "--n-segments", 48, "--overwrite", "--no-report").stdout


def test_json_is_all_there_is_on_stdout(folders: list[str]) -> None:
    Path("images/a.png").write_bytes(b"")
    result = run(*folders, "-o", "out", "--json", "--n-segments", 9, "--no-report")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["superpixels_made"]["max"] == 9
    assert "0 bytes" in told["failures"]["a"]
    assert not told["interrupted"]
    assert "a: failed: images/a.png: the file is empty" in result.stderr
    assert not Path("out/report").exists()


def test_every_image_fails(folders: list[str]) -> None:
    for name in "ab":
        Path(f"images/{name}.png").write_bytes(b"")
    result = run(*folders, "-o", "out")
    assert (result.exit_code, result.stdout) == (1, "out: 2 failed\n")
    assert "0 of 2 images have targets" in Path("out/report/summary.md").read_text()


def test_partial(folders: list[str]) -> None:
    Path("labels/a.png").unlink()
    result = run(*folders, "-o", "out")
    assert result.exit_code == 1
    assert "Error: 1 of 2 images have no labels: 'a'." in result.stderr
    assert run(*folders, "-o", "out", "--partial").exit_code == 0
    assert Path("out/b.npz").exists()


def test_several_annotators(folders: list[str]) -> None:
    shutil.copytree("labels", "second")
    assert run(*folders, "--labels", "second", "-o", "out").exit_code == 0
    assert len((read_record("out/a.npz") or {})["n_superpixels"]) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name one data set"),
        (["--bsds", "x", "--coco", "y"], "--bsds and --coco are given"),
        (["--images", "images"], "none is given"),
        (["--labels", "labels"], "--labels needs the folder of the images"),
        (["--coco", "x.json"], "--coco needs the folder of the images"),
        (["--bsds", "x", "--images", "images"], "it belongs to --coco or --labels"),
        (["--labels", "labels", "--images", "images", "--split", "val"], "it belongs to --bsds"),
        (["--bsds", "x", "--masks", "y"], "it belongs to --coco"),
        (["--bsds", "x", "--label-ending", "y"], "it belongs to --labels"),
        (["--bsds", "x", "--partial"], "it belongs to --labels"),
        (["--bsds", "x", "--n-segments", "3", "--superpixel-size", "3"], "not both"),
        (["--bsds", "x", "--n-segments", "0"], "greater than or equal to 1"),
        (["--bsds", "x", "--superpixel-size", "nan"], "greater than or equal to 1"),
        (["--bsds", "x", "--superpixel-size", "inf"], "--superpixel-size: it is inf; it should be a finite number"),
        (["--bsds", "x", "--color-weight", "inf"], "Invalid value for --color-weight: it is inf"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str) -> None:
    result = run(*arguments, "-o", "out")
    assert result.exit_code == 2
    assert message in words(result.output)


def test_missing_data_set() -> None:
    result = run("--bsds", "nothing", "-o", "out")
    assert result.exit_code == 1
    assert "Error: nothing does not hold the BSDS500 split 'train'" in result.stderr


def test_folder_that_cannot_be_written(folders: list[str]) -> None:
    Path("out").write_text("")
    result = run(*folders, "-o", "out")
    assert result.exit_code == 1
    assert "Error: out/a.npz cannot be written" in result.stderr


def test_interruption(folders: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    grow = target_runs.grow_targets
    calls = []

    def interrupt(*arguments: object, **options: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return grow(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(target_runs, "grow_targets", interrupt)
    result = run(*folders, "-o", "out")
    assert result.exit_code == 130
    assert "1 done, 1 not done" in result.stdout
    assert "the same command goes on from there" in result.stderr
    assert "1 done, 1 skipped" in run(*folders, "-o", "out").stdout
