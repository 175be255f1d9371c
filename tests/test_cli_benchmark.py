"""The command benchmark, as a user types it."""

import csv
import json
import re
from functools import partial
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import platformdirs
import pytest
from scipy.io import savemat

from napari_superpixels.core.parallel import n_processors
from napari_superpixels.evaluation import methods, rivals, runs, speed

from .command_line import run as run_command
from .command_line import words

run = partial(run_command, "benchmark")
QUICK = ["--methods", "raw,slic-20", "--n-segments", "20,40"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what is measured apart for each test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def bsds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, color_blocks: np.ndarray) -> str:
    """Return a data set of three images in the layout of BSDS500, in the working directory."""
    monkeypatch.chdir(tmp_path)
    for part in ("images", "groundTruth"):
        Path("bsds", part, "val").mkdir(parents=True)
    for name in "123":
        noise = np.random.default_rng(int(name)).normal(0, 8, color_blocks.shape)
        image = np.clip(color_blocks + noise, 0, 255).astype(np.uint8)
        iio.imwrite(f"bsds/images/val/{name}.jpg", image, quality=95)
        truths = np.empty((1, 2), dtype=object)
        blocks = np.kron(np.arange(1, 13).reshape(3, 4), np.ones((20, 20))).astype(np.uint16)
        for i, truth in enumerate((blocks, (blocks > 6).astype(np.uint16) + 1)):
            truths[0, i] = {"Segmentation": truth}
        savemat(f"bsds/groundTruth/val/{name}.mat", {"groundTruth": truths})
    return "bsds"


def kept() -> list[Path]:
    return list((platformdirs.user_cache_path("napari-superpixels", appauthor=False) / "evaluation").glob("*.jsonl"))


def test_quality_as_table_files_and_figures(bsds: str) -> None:
    result = run("--bsds", bsds, *QUICK, "--csv", "b.csv", "--json", "b.json", "--plot", "b.svg")
    assert result.exit_code == 0, result.output
    table = result.stdout
    names = [line.split("|")[1].strip() for line in table.splitlines() if "|" in line]
    assert names[0] == "method"
    assert names[2:] == ["eikonal, raw image", "SLIC 20"] * 2
    assert "Measuring: 12 of 12" in result.stderr
    with Path("b.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert {row["n_superpixels"] for row in rows if row["method"].startswith("eikonal")} == {"20", "40"}
    for row in rows:
        assert row["n_components"] == row["n_superpixels"]
        assert 0 < float(row["boundary_recall"]) <= 1
    told = json.loads(Path("b.json").read_text())
    assert told["data"]["n_images"] == 3
    assert told["methods"]["SLIC 20"]["compactness"] == 20
    assert told["methods"]["SLIC 20"]["library"].startswith("scikit-image")
    assert Path("b.svg").read_text().count("SLIC 20") >= 1
    assert not Path("b-ablations.svg").exists()
    assert not kept()


def test_equal_results_give_equal_files(bsds: str) -> None:
    for name in ("first", "second"):
        arguments = ["--csv", f"{name}.csv", "--json", f"{name}.json", "--plot", f"{name}.svg"]
        assert run("--bsds", bsds, *QUICK, "--images", 1, *arguments).exit_code == 0
    for suffix in ("csv", "json", "svg"):
        assert Path(f"first.{suffix}").read_bytes() == Path(f"second.{suffix}").read_bytes()


def test_ablations_get_a_figure_of_their_own(bsds: str) -> None:
    arguments = ["--bsds", bsds, "--images", 1, "--n-segments", "12,24"]
    assert run(*arguments, "--methods", "raw,no-refinement,watershed", "--plot", "all.png").exit_code == 0
    assert sorted(path.name for path in Path().glob("*.png")) == ["all-ablations.png", "all.png"]
    assert run(*arguments, "--methods", "raw,no-refinement", "--plot", "own.png").exit_code == 0
    assert not Path("own-ablations.png").exists()


def test_interrupted_measurement_goes_on(bsds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[tuple[str, str]] = []
    original = runs._measure

    def measure(image, method, number, tolerance):  # type: ignore[no-untyped-def]
        measured.append((image.name, method.name))
        if len(measured) > 4:
            raise KeyboardInterrupt
        return original(image, method, number, tolerance)

    with monkeypatch.context() as patch:
        patch.setattr(runs, "_measure", measure)
        patch.setattr(runs, "n_processors", lambda: 1)
        result = run("--bsds", bsds, *QUICK, "--csv", "b.csv")
    assert result.exit_code == 130
    assert "the same command goes on from there" in result.stderr
    assert not Path("b.csv").exists()
    assert len(kept()) == 1
    before = len(measured)
    monkeypatch.setattr(runs, "_measure", lambda *arguments: measured.append(("", "")) or original(*arguments))
    assert run("--bsds", bsds, *QUICK, "--csv", "b.csv").exit_code == 0
    assert len(measured) - before == 8
    assert not kept()


def test_results_are_kept_where_their_file_cannot_be_written(bsds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").write_text("in the way")
    assert run("--bsds", bsds, *QUICK, "--csv", "file/b.csv").exit_code == 1
    assert len(kept()) == 1
    monkeypatch.setattr(runs, "_measure", None)
    result = run("--bsds", bsds, *QUICK, "--csv", "b.csv")
    assert result.exit_code == 0, result.output
    assert not kept()


def test_an_image_that_fails(bsds: str) -> None:
    Path("bsds/images/val/2.jpg").write_bytes(b"no image")
    result = run("--bsds", bsds, *QUICK, "--csv", "b.csv")
    assert result.exit_code == 1
    assert "2.jpg cannot be read as an image" in result.stderr
    assert "1 of 3 images could not be measured; no file is written" in result.stderr
    assert not Path("b.csv").exists()


def test_more_superpixels_than_pixels(bsds: str) -> None:
    result = run("--bsds", bsds, "--images", 1, "--methods", "slic-20", "--n-segments", 4801)
    assert result.exit_code == 1
    assert "n_segments must be from 1 to 4800, the number of pixels; received 4801" in words(result.stderr)


def test_what_is_not_installed_is_left_out(bsds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(rivals, "import_module", fail)
    few = {key: methods.METHODS[key] for key in ("raw", "watershed", "fast-slic-20", "seeds")}
    monkeypatch.setattr(methods, "METHODS", few)
    result = run("--bsds", bsds, "--images", 1, "--n-segments", 12)
    assert result.exit_code == 0
    assert "Note: SEEDS (OpenCV) needs the package opencv-contrib-python-headless" in words(result.stderr)
    assert 'pip install --no-build-isolation ".[bench]"' in words(result.stderr)
    assert "compact watershed" in result.stdout
    assert "fast-slic" not in result.stdout
    result = run("--bsds", bsds, "--methods", "seeds")
    assert result.exit_code == 1
    assert "Error: SEEDS (OpenCV) needs the package" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "give either --bsds DIR, to measure quality, or --speed"),
        (["--bsds", "bsds", "--speed"], 2, "give either --bsds DIR"),
        (["--bsds", "missing"], 1, "Error: missing does not hold the BSDS500 split 'val'"),
        (["--bsds", "bsds", "--split", "test"], 1, "the folder images/test is missing"),
        (["--bsds", "bsds", "--images", "0"], 2, "Invalid value for '--images'"),
        (["--bsds", "bsds", "--methods", "slick-20"], 2, "no method 'slick-20'; did you mean 'slic-20'?"),
        (["--bsds", "bsds", "--methods", "raw,raw"], 2, "each method can be named once"),
        (["--bsds", "bsds", "--n-segments", "100,many"], 2, "it is '100,many'; expected numbers from 1"),
        (["--bsds", "bsds", "--n-segments", "0"], 2, "expected numbers from 1"),
        (["--bsds", "bsds", "--plot", "b.jpg"], 2, "b.jpg does not end with .svg or .png"),
        (["--bsds", "bsds", "--csv", "bsds"], 2, "bsds is a folder; name a file"),
        (["--speed", "--sizes", "8"], 2, "sizes must be 32 pixels or more; received [8]"),
        (["--speed", "--sizes", "big"], 2, "it is 'big'; expected numbers from 1"),
        (["--speed", "--threads", "9999"], 2, "numbers of threads must be from 1 to"),
        (["--speed", "--model", "artificial"], 2, "No model is called 'artificial'"),
        (["--speed", "--model", "bsds/images/val/1.jpg"], 1, "1.jpg"),
        (["--speed", "--methods", "eikonl"], 2, "did you mean 'eikonal'?"),
    ],
)
def test_wrong_usage(bsds: str, arguments: list[str], code: int, message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == code
    assert message in words(result.stderr)


def test_list_of_methods() -> None:
    result = run("--methods", "list")
    assert result.exit_code == 0
    for key in (*methods.METHODS, "slider", "scikit-fmm"):
        assert re.search(rf"^  {key} ", result.stdout, re.MULTILINE)


def test_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["--sizes", "64", "--threads", n_processors(), "--runs", 1, "--methods", "eikonal,watershed"]
    result = run("--speed", *arguments, "--csv", "s.csv", "--json", "s.json", "--plot", "s.png")
    assert result.exit_code == 0, result.output
    assert "ms per megapixel" in result.stdout
    with Path("s.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["method"] for row in rows] == ["eikonal: features to labels", "compact watershed"]
    assert all(float(row["median_s"]) > 0 for row in rows)
    assert json.loads(Path("s.json").read_text())["timings"][0]["n_segments"] == 10
    assert Path("s.png").stat().st_size > 5000
    assert not kept()


def test_speed_without_a_place_to_keep_timings(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    result = run("--speed", "--sizes", "64", "--threads", n_processors(), "--runs", 1, "--methods", "eikonal")
    assert result.exit_code == 0, result.output
    assert "Results are not kept meanwhile" in words(result.stderr)


def test_speed_tells_what_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "_run_child", lambda job: [{"method": "watershed", "error": "no memory"}])
    result = run("--speed", "--sizes", "64", "--threads", n_processors(), "--methods", "watershed")
    assert result.exit_code == 0
    assert "Left out: compact watershed, 64x64: no memory" in result.stderr


def test_help() -> None:
    text = words(run("--help").output)
    for option in ("--bsds", "--split", "--images", "--n-segments", "--methods", "--plot", "--csv", "--json"):
        assert f"{option} " in text
    for option in ("--speed", "--sizes", "--threads", "--runs"):
        assert f"{option} " in text
