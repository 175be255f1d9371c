"""``napari-superpixels evaluate``, as a user types it."""

import csv
import json
import os
import re
import signal
import sys
import time
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy.io import savemat

from napari_superpixels.core.metrics import evaluate
from napari_superpixels.engine.api import segment
from napari_superpixels.evaluation import runs
from napari_superpixels.params import SegmentParams

from .command_line import run, words

QUICK = ["--model", "None", "--n-segments", "6,12"]
BLOCKS = np.kron(np.arange(12).reshape(3, 4), np.ones((20, 20), int))
FOLDERS = ["--images", "photos", "--labels", "truth"]


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, color_blocks: np.ndarray) -> None:
    """Make three images with ground truth, as folders and in the layout of BSDS500, and go there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for folder in ("photos", "truth", "bsds/images/val", "bsds/groundTruth/val"):
        Path(folder).mkdir(parents=True)
    for i, name in enumerate("abc"):
        image = np.roll(color_blocks, 7 * i, axis=1)
        truth = np.roll(BLOCKS, 7 * i, axis=1)
        iio.imwrite(f"photos/{name}.png", image)
        iio.imwrite(f"truth/{name}.png", truth.astype(np.uint8))
        iio.imwrite(f"bsds/images/val/{name}.jpg", image)
        cells = np.empty((1, 2), object)
        for k, annotation in enumerate((truth + 1, truth // 2 + 1)):
            cells[0, k] = {"Segmentation": annotation.astype(np.uint16)}
        savemat(f"bsds/groundTruth/val/{name}.mat", {"groundTruth": cells})


def kept() -> list[Path]:
    return list(Path("cache").rglob("*.jsonl"))


def test_folders_give_a_table_and_files() -> None:
    outputs = ["--csv", "a.csv", "--json", "new/a.json", "--plot", "a.svg"]
    result = run("evaluate", *FOLDERS, *QUICK, *outputs)
    assert result.exit_code == 0, result.output
    text = words(result.stdout)
    assert "3 images, tolerance 2 px" in text
    assert "K = 6 ┃ K = 12" in text
    assert "Measuring: 6 of 6" in result.stderr
    with Path("a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["image"], row["n_segments"]) for row in rows] == [(c, k) for k in ("6", "12") for c in "abc"]
    image, truth = iio.imread("photos/a.png"), iio.imread("truth/a.png")
    expected = evaluate(segment(image, n_segments=12, model=None).labels, truth, image)
    assert float(rows[3]["undersegmentation_error"]) == expected.undersegmentation_error
    assert float(rows[3]["global_regularity"]) == expected.global_regularity
    document = json.loads(Path("new/a.json").read_text())
    assert document["data"]["tolerance"] == 2
    assert document["methods"]["eikonal, raw image"]["color_weight"] == SegmentParams(model=None).color_weight
    assert document["versions"]["napari-superpixels"]
    assert Path("a.svg").read_text().startswith("<?xml")
    assert kept() == []


def test_bsds_layout_with_its_annotators() -> None:
    result = run("evaluate", "--bsds", "bsds", *QUICK, "--json", "a.json")
    assert result.exit_code == 0, result.output
    assert "Worst annotator" in result.stdout
    document = json.loads(Path("a.json").read_text())
    assert document["data"]["split"] == "val"
    assert document["data"]["n_images"] == 3
    wrong = run("evaluate", "--bsds", "bsds", "--split", "test", *QUICK)
    assert wrong.exit_code == 1
    assert "does not hold the BSDS500 split 'test'" in words(wrong.stderr)


def test_a_pair_of_label_files() -> None:
    tifffile.imwrite("made.tif", (BLOCKS + 1).astype(np.int32))
    result = run("evaluate", "made.tif", "truth/a.png", "--image", "photos/a.png", "--tolerance", "0", "--csv", "a.csv")
    assert result.exit_code == 0, result.output
    with Path("a.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["image"], row["n_segments"]) == ("made", "")
    assert float(row["boundary_recall"]) == float(row["achievable_segmentation_accuracy"]) == 1
    assert float(row["explained_variation"]) == pytest.approx(1)


def test_rivals_are_measured_beside() -> None:
    result = run("evaluate", *FOLDERS, *QUICK, "--rivals", "slic-10,watershed", "--json", "a.json", "--plot", "a.svg")
    assert result.exit_code == 0, result.output
    means = json.loads(Path("a.json").read_text())["means"]
    methods = ["eikonal, raw image", "SLIC 10", "compact watershed"]
    assert [(row["method"], row["n_segments"]) for row in means] == [(name, k) for name in methods for k in (6, 12)]
    for name in methods:
        assert name in words(result.stdout)


def test_label_images_of_another_program() -> None:
    Path("made").mkdir()
    for name in "abc":
        iio.imwrite(f"made/{name}.png", iio.imread(f"truth/{name}.png"))
    result = run("evaluate", *FOLDERS, "--superpixels", "made", "--json", "a.json")
    assert result.exit_code == 0, result.output
    (means,) = json.loads(Path("a.json").read_text())["means"]
    assert (means["method"], means["achievable_segmentation_accuracy"], means["n_segments"]) == ("made", 1, None)


def test_the_same_command_writes_the_same_bytes() -> None:
    for folder, workers in (("first", 1), ("second", 2)):
        outputs = [
            f"--{name}={folder}/a.{suffix}" for name, suffix in (("csv", "csv"), ("json", "json"), ("plot", "png"))
        ]
        assert run("evaluate", *FOLDERS, *QUICK, "--workers", workers, *outputs).exit_code == 0
    for suffix in ("csv", "json", "png"):
        assert Path(f"first/a.{suffix}").read_bytes() == Path(f"second/a.{suffix}").read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="an interruption can only be sent to all processes there")
def test_interrupted_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []
    original = runs._measure

    def measure(image, *rest):
        measured.append(image.name)
        if len(measured) == 3:
            os.kill(os.getpid(), signal.SIGINT)  # to the process, as a terminal sends it
            time.sleep(0.5)  # the main thread stops what has not begun
        return original(image, *rest)

    monkeypatch.setattr(runs, "_measure", measure)
    command = ["evaluate", *FOLDERS, *QUICK, "--workers", 1, "--csv", "a.csv"]
    result = run(*command)
    assert result.exit_code == 130
    assert "the same command goes on" in words(result.stderr)
    assert not Path("a.csv").exists()
    assert len(kept()) == 1
    n_done = sum(bool(line) for line in kept()[0].read_text().splitlines())
    assert 2 <= n_done < 6
    measured[:] = ["counted anew"] * 10
    assert run(*command).exit_code == 0
    assert len(measured) - 10 == 6 - n_done
    assert kept() == []
    resumed = Path("a.csv").read_bytes()
    assert run(*command).exit_code == 0
    assert Path("a.csv").read_bytes() == resumed


def test_images_that_fail_are_told_and_nothing_is_written() -> None:
    tifffile.imwrite("truth/b.tif", np.full((60, 80), -1, np.int32))
    Path("truth/b.png").unlink()
    iio.imwrite("truth/c.png", BLOCKS[:50].astype(np.uint8))
    Path("truth/a.png").unlink()
    tifffile.imwrite("truth/a.tif", BLOCKS.astype(np.float32))
    result = run("evaluate", *FOLDERS, *QUICK, "--csv", "a.csv", "--plot", "a.png")
    assert result.exit_code == 1
    text = words(result.stderr)
    assert "b: ground truth must not be negative; received -1" in text
    assert re.search(r"c: .*shape \(50, 80\)", text)
    assert re.search(r"a: .*float32", text)
    assert "3 of 3 images could not be measured; no file is written" in text
    assert not list(Path().glob("a.*"))


def test_a_cache_that_cannot_be_written_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(Path("file").resolve()))
    result = run("evaluate", *FOLDERS, *QUICK)
    assert result.exit_code == 0
    assert "Results are not kept meanwhile" in words(result.stderr)


def save(name: str, labels: np.ndarray) -> str:
    tifffile.imwrite(name, labels)
    return name


@pytest.mark.parametrize(
    ("name", "labels", "message"),
    [
        ("float.tif", np.ones((60, 80), np.float32), "float.tif holds float32 values; labels are whole numbers"),
        ("negative.tif", np.full((60, 80), -3, np.int16), "negative.tif holds the negative label -3"),
        ("small.tif", np.ones((6, 8), np.uint8), "truth/a.png has shape (60, 80), small.tif has (6, 8)"),
    ],
)
def test_label_files_that_cannot_be_measured(name: str, labels: np.ndarray, message: str) -> None:
    result = run("evaluate", save(name, labels), "truth/a.png", "--csv", "a.csv")
    assert result.exit_code == 1
    assert message in words(result.stderr)
    assert not Path("a.csv").exists()


def test_files_that_do_not_match_are_listed() -> None:
    Path("truth/b.png").rename("truth/other.png")
    result = run("evaluate", *FOLDERS, *QUICK)
    assert result.exit_code == 1
    assert "1 of 3 images have no labels: 'b'" in words(result.stderr)
    assert "1 of 3 label images have no image: 'other'" in words(result.stderr)
    partial = run("evaluate", *FOLDERS, *QUICK, "--partial")
    assert partial.exit_code == 0
    assert "They are left out" in partial.stderr
    Path("empty").mkdir()
    empty = run("evaluate", "--images", "empty", "--labels", "truth", *QUICK)
    assert (empty.exit_code, "empty holds no image" in words(empty.stderr)) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name one data set"),
        (["truth/a.png"], "truth/a.png is given alone"),
        (["photos", "truth"], "photos is a folder; name a data set by --bsds DIR, or by --images DIR --labels DIR"),
        (["truth/a.png", "truth/b.png", "--bsds", "bsds"], "leave out --bsds"),
        (["truth/a.png", "truth/b.png", "--n-segments", "100,200"], "leave out --n-segments"),
        (["truth/a.png", "truth/b.png", "--edge-weight", "0"], "leave out --edge-weight"),
        (["truth/a.png", "truth/b.png", "--model", "none"], "leave out --model"),
        (["truth/a.png", "truth/b.png", "--params", "p.json"], "leave out --params"),
        (["truth/a.png", "truth/b.png", "--rivals", "all"], "leave out --rivals"),
        (["truth/a.png", "truth/b.png", "--workers", "2"], "leave out --workers"),
        ([*FOLDERS, "--image", "photos/a.png"], "belongs to SUPERPIXELS"),
        ([*FOLDERS, "--split", "val"], "belongs to --bsds"),
        ([*FOLDERS, "--n-segments", "100,many"], "'100,many'; expected whole numbers from 1"),
        ([*FOLDERS, "--n-segments", "0"], "'0'; expected whole numbers"),
        ([*FOLDERS, "--plot", "a.bmp"], "a.bmp does not end with .svg or .png"),
        ([*FOLDERS, "--csv", "photos"], "photos is a folder; name a file"),
        ([*FOLDERS, "--model", "nowhere"], "nowhere"),
        ([*FOLDERS, "--regularity", "2"], "--regularity is '2'"),
        ([*FOLDERS, "--rivals", "slick-10"], "did you mean 'slic-10'"),
        ([*FOLDERS, "--rivals", "slic-10", "--superpixels", "truth"], "measured alone"),
        ([*FOLDERS, "--tolerance", "-1"], "--tolerance"),
    ],
)
def test_wrong_commands(arguments: list[str], message: str) -> None:
    result = run("evaluate", *arguments)
    assert result.exit_code == 2
    assert message in words(result.stderr)


def test_a_number_above_the_pixels_is_told() -> None:
    result = run("evaluate", *FOLDERS, "--model", "None", "--n-segments", "5000")
    assert result.exit_code == 1
    assert "5000" in result.stderr


def test_an_output_that_cannot_be_written_is_told() -> None:
    Path("file").write_text("in the way")
    result = run("evaluate", "truth/a.png", "truth/b.png", "--csv", "file/a.csv")
    assert result.exit_code == 1
    assert "cannot be written" in words(result.stderr)


def test_a_sixteen_bit_png_is_read_in_full() -> None:
    labels = np.arange(300 * 210, dtype=np.uint16).reshape(300, 210)
    Image.fromarray(labels).save("many.png")
    result = run("evaluate", "many.png", "many.png", "--json", "a.json")
    assert result.exit_code == 0, result.output
    assert json.loads(Path("a.json").read_text())["means"][0]["n_superpixels"] == 63000


def test_help_tells_measures_and_parameters() -> None:
    text = words(run("evaluate", "--help").output)
    for part in ("--bsds", "--superpixels", "--regularity", "K,K,...", "boundary recall", "--plot FILE.svg|png"):
        assert part in text
