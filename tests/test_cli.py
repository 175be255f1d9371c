"""The command line, as a user types it."""

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from skimage.data import astronaut
from skimage.measure import label
from typer.testing import CliRunner

from napari_superpixels import __version__
from napari_superpixels.assets import resource_path
from napari_superpixels.cli import app
from napari_superpixels.data.images import read_image
from napari_superpixels.data.label_files import read_metadata
from napari_superpixels.engine import batch
from napari_superpixels.params import SegmentParams

from .command_line import run, words

QUICK = ["--model", "None", "--n-segments", "6"]


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, color_blocks: np.ndarray) -> str:
    """Return the name of an image in the working directory."""
    monkeypatch.chdir(tmp_path)
    iio.imwrite("photo.png", color_blocks)
    return "photo.png"


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    code = (
        "import time; start = time.perf_counter(); import napari_superpixels.cli, sys; t = time.perf_counter() - start;"
        "print(t, [m for m in ('torch', 'numba', 'numpy', 'napari', 'qtpy') if m in sys.modules])"
    )
    outputs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout for _ in range(3)]
    assert min(float(output.split()[0]) for output in outputs) < 0.6
    assert outputs[0].split(maxsplit=1)[1].strip() == "[]"


@pytest.mark.parametrize(
    "command", [[], ["segment"], ["evaluate"], ["train"], ["demo"], ["models"], ["models", "list"], ["models", "show"]]
)
def test_help(command: list[str]) -> None:
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_version() -> None:
    result = run("--version")
    assert (result.exit_code, result.output.strip()) == (0, f"napari-superpixels {__version__}")


@pytest.mark.parametrize(
    ("command", "text"), [(["train"], "'[c-f]*'"), (["models", "export"], 'pip install ".[onnx]"')]
)
def test_brackets_in_help_are_shown(command: list[str], text: str) -> None:
    assert text in words(run(*command, "--help", width=200).output)


@pytest.mark.skipif(sys.platform != "linux", reason="only there names of files are any bytes")
@pytest.mark.parametrize("encoding", ["cp1252", "cp932", "utf-8"])
def test_names_that_the_terminal_cannot_show_are_escaped(photo: str, tmp_path: Path, encoding: str) -> None:
    (tmp_path / "many").mkdir()
    for name in ("a\udcff.png", "b ñ.png", "c 日.png"):
        shutil.copy(photo, tmp_path / "many" / name)
    runner = CliRunner(charset=encoding)
    result = runner.invoke(app, ["segment", "many", "-o", "out", *QUICK])
    assert (result.exception, result.exit_code) == (None, 0), result.output
    assert r"a\udcff.png ->" in result.stdout
    assert "3 done" in result.stdout
    result = runner.invoke(app, ["segment", "many/d\udcff.png", "-o", "out", *QUICK])
    assert isinstance(result.exception, SystemExit)
    assert r"d\udcff.png" in result.stderr


def test_every_parameter_is_an_option_with_its_help() -> None:
    text = words(run("segment", "--help").output)
    for name, field in SegmentParams.model_fields.items():
        assert f"--{name.replace('_', '-')} " in text
        assert str(field.description)[:20] in text
    for values in ("1..2000000", "0.0..1.0", ">0.0..1.0", "0..20", "NAME"):
        assert values in text


def test_segment_one_file_into_a_folder(photo: str) -> None:
    result = run("segment", photo, "-o", "out", *QUICK)
    assert result.exit_code == 0
    assert re.search(r"photo\.png -> out.photo_superpixels\.tif: 6 superpixels · eikonal \d+ ms\n", result.stdout)
    labels = read_image("out/photo_superpixels.tif").array
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(np.unique(labels), range(1, 7))


@pytest.mark.parametrize("arguments", [["-o", "labels.png"], ["-o", "labels.png", "--format", "png"]])
def test_segment_one_file_into_a_png(photo: str, arguments: list[str]) -> None:
    assert run("segment", photo, *arguments, *QUICK, "--overlay", "drawn.png").exit_code == 0
    assert read_image("labels.png").array.dtype == np.uint16
    assert read_image("drawn.png").array.shape == (60, 80, 3)


def test_folder_format_and_quoted_pattern(photo: str, color_blocks: np.ndarray) -> None:
    Path("in/sub").mkdir(parents=True)
    iio.imwrite("in/a.jpg", color_blocks)
    iio.imwrite("in/sub/b.tif", color_blocks)
    assert run("segment", "in", "-o", "out", "--format", "png", *QUICK).exit_code == 0
    assert Path("out/a_superpixels.png").exists()
    assert Path("out/sub/b_superpixels.png").exists()
    result = run("segment", "in/**/*.tif", photo, "-o", "other", *QUICK)
    assert "2 done" in result.stdout
    assert Path("other/sub/b_superpixels.tif").exists()
    assert Path("other/photo_superpixels.tif").exists()


def test_second_run_skips_what_is_done(photo: str) -> None:
    assert run("segment", photo, "-o", "out", *QUICK).exit_code == 0
    result = run("segment", photo, "-o", "out", *QUICK)
    assert result.exit_code == 0
    assert "skipped" in result.stdout
    assert "skipped" not in run("segment", photo, "-o", "out", *QUICK, "--regularity", "0.9").stdout
    assert "skipped" not in run("segment", photo, "-o", "out", *QUICK, "--regularity", "0.9", "--overwrite").stdout


def test_options_come_before_the_file_of_parameters(photo: str) -> None:
    Path("p.json").write_text('{"model": null, "n_segments": 5, "law": "ergc"}')
    assert run("segment", photo, "-o", "a.tif", "--params", "p.json").exit_code == 0
    assert run("segment", photo, "-o", "b.tif", "--params", "p.json", "--n-segments", 9).exit_code == 0
    used = [SegmentParams(**(read_metadata(name) or {})["parameters"]) for name in ("a.tif", "b.tif")]
    assert used[0] == SegmentParams(model=None, n_segments=5, law="ergc")
    assert used[1] == used[0].updated(n_segments=9)


def test_json_is_all_there_is_on_stdout(photo: str) -> None:
    Path("bad.png").write_bytes(b"")
    result = run("segment", photo, "bad.png", "-o", "out", "--json", *QUICK)
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["parameters"]["n_segments"] == 6
    assert told["counts"] == {"done": 1, "skipped": 0, "failed": 1}
    done, failed = told["results"]
    assert (done["source"], done["status"], done["n_segments"], done["shape"]) == (photo, "done", [6], [60, 80])
    assert done["timings"].keys() == {"network", "features", "eikonal"}
    assert "0 bytes" in failed["error"]
    assert "bad.png: failed" in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no colons in the names of files")
def test_names_are_told_as_they_are(photo: str) -> None:
    Path(photo).rename("pic:100:[red].png")
    Path("bad:100:.png").write_bytes(b"")
    arguments = ["segment", "pic:100:[[]red].png", "bad:100:.png", "-o", "out", *QUICK]
    result = run(*arguments)
    assert "pic:100:[red].png -> out/pic:100:[red]_superpixels.tif" in result.stdout
    assert "bad:100:.png: failed" in result.stderr
    told = json.loads(run(*arguments, "--json").stdout)
    assert [entry["source"] for entry in told["results"]] == ["pic:100:[red].png", "bad:100:.png"]


def test_failures_are_summed_up(photo: str) -> None:
    Path("bad.png").write_bytes(b"no image")
    result = run("segment", "bad.png", photo, "missing.png", "-o", "out", *QUICK)
    assert result.exit_code == 1
    assert "1 done, 2 failed" in result.stdout
    summary = result.stderr.split("Failed:")[1]
    assert "bad.png: this is no TIFF, PNG or JPEG image" in summary
    assert "missing.png: there is no such file" in summary


def test_output_folder_that_cannot_be_written(photo: str) -> None:
    Path("out").write_text("a file")
    result = run("segment", photo, "-o", "out/labels", *QUICK)
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


WRONG_USAGE: list[tuple[list[str], str]] = [
    (["photo.png"], "Missing option '--output'"),
    (["-o", "out"], "Missing argument"),
    (["photo.png", "-o", "out", "--n-segments", "0"], "--n-segments is '0'; it should be greater than or equal to 1"),
    (["photo.png", "-o", "out", "--n-segments", "many"], "--n-segments is 'many'; it should be a valid integer"),
    (["photo.png", "-o", "out", "--refine-start", "0"], "--refine-start is '0'; it should be greater than 0"),
    (
        ["photo.png", "-o", "out", "--law", "cubic"],
        "--law is 'cubic'; it should be 'quadratic', 'exponential' or 'ergc'",
    ),
    (["photo.png", "-o", "out", "--color-weight", "nan"], "--color-weight is 'nan'; it should be"),
    (["photo.png", "-o", "out", "--n_segments", "5"], "No such option: --n_segments"),
    (["photo.png", "-o", "out", "--model", "artificial"], "No model is called 'artificial'"),
    (["photo.png", "-o", "out", "--params", "missing.json"], "missing.json cannot be read"),
    (["photo.png", "-o", "out", "--params", "photo.png"], "is not valid JSON"),
    (["photo.png", "-o", "out", "--params", "list.json"], "holds a JSON list; expected an object"),
    (["photo.png", "-o", "out", "--params", "unknown.json"], "did you mean 'n_segments'?"),
    (["photo.png", "-o", "out", "--params", "bounds.json"], "'regularity' is 7; it should be less"),
    (["photo.png", "-o", "out", "--mask", "missing.png"], "missing.png does not exist"),
    (["photo.png", "-o", "out", "--overlay", "o.jpg"], "o.jpg is neither a PNG file nor a folder"),
    (["photo.png", "-o", "out.jpg"], "labels cannot be written as .jpg"),
    (["photo.png", "-o", "out.tif", "--format", "png"], "does not end like a png file"),
    (["photo.png", "-o", "out.png", "--n-segments", "70000"], "at most 65535 superpixels, 70000 are asked for"),
    (["photo.png", "-o", "photo.png"], "would overwrite the input"),
    (["photo.png", "./photo.png", "list.json", "-o", "out.tif"], "is the name of a file"),
    (["*.tif", "-o", "out"], "There is no image in *.tif"),
    ([".", "-o", "out.tif"], "name a folder instead"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG_USAGE)
def test_wrong_usage(photo: str, arguments: list[str], message: str) -> None:
    Path("list.json").write_text("[1]")
    Path("unknown.json").write_text('{"n_segment": 5}')
    Path("bounds.json").write_text('{"regularity": 7}')
    result = run("segment", *arguments)
    assert result.exit_code == 2
    assert message in words(result.stderr)
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--n-segments", "4801"], "4801 superpixels do not fit into 4800 pixels"),
        (["--channel-axis", "3"], "channel axis 3 does not fit the image's shape (60, 80, 3)"),
        (["--volume"], "is one plane, no volume"),
        (["--plane", "1"], "plane 1 is not in this image of 1 planes; give 0 to 0"),
        (["--plane", "-1"], "plane -1 is not in this image"),
    ],
)
def test_what_does_not_fit_the_image(photo: str, arguments: list[str], message: str) -> None:
    result = run("segment", photo, "-o", "out", "--model", "none", *arguments)
    assert result.exit_code == 1
    assert message in result.stderr


def test_damaged_model(photo: str) -> None:
    Path("m.safetensors").write_bytes(b"damaged")
    result = run("segment", photo, "-o", "out", "--model", "m.safetensors")
    assert result.exit_code == 1
    assert "Error: m.safetensors is damaged" in result.stderr


def test_models(photo: str) -> None:
    result = run("models", "list")
    assert result.exit_code == 0
    assert result.stdout.startswith("natural ")
    result = run("models", "show", "natural")
    assert result.exit_code == 0
    for part in ("architecture:", "trained on:", "sha256:", "natural.safetensors"):
        assert part in result.stdout
    assert run("models", "show", "artificial").exit_code == 2
    assert run("models", "show", photo).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], {"screenshot": None, "image": None, "model": "natural"}),
        (
            ["--screenshot", "s.png", "--image", "a.png", "--model", "none"],
            {"screenshot": Path("s.png"), "image": Path("a.png"), "model": None},
        ),
    ],
)
def test_demo_hands_on_its_options_and_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], expected: dict
) -> None:
    from napari_superpixels.plugin import demo

    def run_demo(**options: object) -> int:
        assert options == expected
        return 1

    monkeypatch.setattr(demo, "run_demo", run_demo)
    assert run("demo", *arguments).exit_code == 1


def assert_partition(labels: np.ndarray, n_segments: int) -> None:
    np.testing.assert_array_equal(np.unique(labels), np.arange(1, n_segments + 1))
    assert label(labels, connectivity=1, background=0).max() == n_segments


@pytest.mark.parametrize("n_segments", [1, 2, 50, 400, 5000])
def test_exactly_as_many_connected_superpixels_as_asked_for(photo: str, n_segments: int) -> None:
    iio.imwrite("astronaut.png", astronaut())
    nuclei = iio.imread(resource_path("samples", "nuclei-fluorescence.png"))
    iio.imwrite("nuclei.png", nuclei.astype(np.uint16) * 257)
    result = run("segment", "astronaut.png", "nuclei.png", "-o", "out", "--model", "none", "--n-segments", n_segments)
    assert result.exit_code == 0
    for name in ("astronaut", "nuclei"):
        assert_partition(read_image(f"out/{name}_superpixels.tif").array, n_segments)


def test_shipped_model(photo: str) -> None:
    iio.imwrite("small.png", astronaut()[100:228, 150:300])
    result = run("segment", "small.png", "-o", "out", "--n-segments", 50)
    assert result.exit_code == 0
    assert re.search(r"50 superpixels · network \d+ ms · eikonal \d+ ms · \w+", result.stdout)
    assert_partition(read_image("out/small_superpixels.tif").array, 50)


def test_ctrl_c_keeps_what_is_done(photo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("in").mkdir()
    for name in "abc":
        iio.imwrite(f"in/{name}.png", iio.imread(photo))
    original = batch.read_image

    def read_and_interrupt(path: Path) -> object:
        if path.name == "b.png":
            signal.raise_signal(signal.SIGINT)
        return original(path)

    with monkeypatch.context() as patch:
        patch.setattr(batch, "read_image", read_and_interrupt)
        result = run("segment", "in", "-o", "out", "--json", *QUICK)
    assert result.exit_code == 130
    told = json.loads(result.stdout)
    assert told["interrupted"]
    assert 1 <= told["counts"]["done"] < 3
    assert f"{told['counts']['done']} done, {3 - told['counts']['done']} not done" in result.stderr
    assert sorted(entry["target"] for entry in told["results"]) == sorted(map(str, Path("out").iterdir()))
    again = run("segment", "in", "-o", "out", "--json", *QUICK)
    assert json.loads(again.stdout)["counts"]["skipped"] == told["counts"]["done"]
    assert again.exit_code == 0


INTERRUPTED_RUN = """
import atexit, os, signal, sys, threading, time
import numpy as np
from napari_superpixels import segment
from napari_superpixels.cli import app
from napari_superpixels.engine import pipeline

for n_segments in (4, 200):  # compile first
    segment(np.zeros((64, 64), np.uint8), n_segments=n_segments, model=None)

def march_and_interrupt(*args, **options):
    threading.Timer(0.3, interrupt).start()
    return find_seeds(*args, **options)

def interrupt():
    start = time.perf_counter()
    atexit.register(lambda: print("seconds", time.perf_counter() - start, file=sys.stderr))
    os.kill(os.getpid(), signal.SIGINT)

find_seeds = pipeline.find_seeds
pipeline.find_seeds = march_and_interrupt
app()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_stops_a_long_march_at_once(photo: str) -> None:
    iio.imwrite("large.tif", np.random.default_rng(0).integers(0, 255, (3000, 3000), dtype=np.uint8))
    arguments = ["segment", "large.tif", "-o", "out", "--model", "none", "--n-segments", "200000", "--json"]
    done = subprocess.run([sys.executable, "-c", INTERRUPTED_RUN, *arguments], capture_output=True, text=True)
    assert done.returncode == 130, done.stderr
    assert json.loads(done.stdout)["interrupted"]
    assert "Interrupted" in done.stderr
    assert "Traceback" not in done.stderr
    assert float(done.stderr.split("seconds")[1]) < 1
    assert not Path("out").exists()
