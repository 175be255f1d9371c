import os
import subprocess
import sys

import imageio.v3 as iio
import pytest

from napari_superpixels.engine.preferences import CONFIG_VARIABLE, save_preferences
from napari_superpixels.params import SegmentParams, ViewParams
from napari_superpixels.plugin import demo

WITHOUT_PLUGIN = "import importlib.metadata as m; m.version('napari-superpixels')"


def run(code: str, **environment: str | None) -> subprocess.CompletedProcess[str]:
    chosen = {**os.environ, **environment}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, env=chosen)


@pytest.fixture(scope="module")
def _installed() -> None:
    if run(WITHOUT_PLUGIN).returncode:
        pytest.skip("napari finds the plugin only when it is installed")


@pytest.mark.usefixtures("_installed")
def test_picture_shows_the_window(tmp_path) -> None:
    done = run(
        f"from pathlib import Path; from napari_superpixels.plugin.demo import run_demo\n"
        f"raise SystemExit(run_demo(Path({str(tmp_path / 'deep' / 'demo.png')!r})))"
    )
    assert done.returncode == 0, done.stderr
    picture = iio.imread(tmp_path / "deep" / "demo.png")
    assert min(picture.shape[:2]) > 500
    yellow = (picture[..., 0] > 180) & (picture[..., 1] > 140) & (picture[..., 2] < 90)
    assert yellow.mean() > 0.005


@pytest.mark.usefixtures("_installed")
@pytest.mark.parametrize("picture", [None, "demo.png"])
def test_parameters_of_the_user_stay(tmp_path, monkeypatch, picture: str | None) -> None:
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path))
    assert save_preferences(SegmentParams(n_segments=321), ViewParams())
    before = (tmp_path / "preferences.json").read_text()
    screenshot = None if picture is None else str(tmp_path / picture)
    done = run(f"""
import napari
from pathlib import Path
from qtpy.QtCore import QTimer
from napari_superpixels.plugin.demo import run_demo
wait_for_user = napari.run
def run_until_closed():
    QTimer.singleShot(1500, napari.current_viewer().close)
    wait_for_user()
napari.run = run_until_closed
screenshot = {screenshot!r}
raise SystemExit(run_demo(screenshot and Path(screenshot), model=None))
""")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "preferences.json").read_text() == before


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a display")
def test_without_a_screen_it_offers_a_picture() -> None:
    code = "from napari_superpixels.plugin.demo import run_demo; raise SystemExit(run_demo())"
    done = run(code, DISPLAY=None, WAYLAND_DISPLAY=None, QT_QPA_PLATFORM=None)
    assert done.returncode == 1
    assert "--screenshot" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a display")
def test_without_xvfb_it_says_what_to_install(tmp_path) -> None:
    code = (
        "from pathlib import Path; from napari_superpixels.plugin.demo import run_demo\n"
        "raise SystemExit(run_demo(Path('x.png')))"
    )
    done = run(code, DISPLAY=None, WAYLAND_DISPLAY=None, QT_QPA_PLATFORM=None, PATH=str(tmp_path))
    assert done.returncode == 1
    assert "apt-get install xvfb" in done.stderr


def test_missing_image_is_told(viewer, tmp_path) -> None:
    with pytest.raises(demo.DemoError, match="does not exist"):
        demo._open_image(viewer, tmp_path / "nowhere.png")


def test_file_that_is_no_image_is_told(viewer, tmp_path) -> None:
    (tmp_path / "wrong.unknown").write_text("nothing")
    with pytest.raises(demo.DemoError, match="cannot be opened as an image"):
        demo._open_image(viewer, tmp_path / "wrong.unknown")


def test_image_of_the_user_is_opened(viewer, tmp_path, color_blocks) -> None:
    iio.imwrite(tmp_path / "mine.png", color_blocks)
    demo._open_image(viewer, tmp_path / "mine.png")
    assert viewer.layers["mine"].rgb
