"""Fixtures for all tests: a display, folders of their own, small images, and a check for leaked windows."""

import atexit
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numba
import numpy as np
import pytest

PACKAGE = Path(__file__).parent.parent / "napari_superpixels"
HAS_DISPLAY = bool(sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def pytest_configure(config: pytest.Config) -> None:
    """Give the tests a home and a display of their own, before anything reads the user's."""
    home = tempfile.TemporaryDirectory(prefix="napari-superpixels-tests-", ignore_cleanup_errors=True)
    atexit.register(home.cleanup)  # not sooner: the console writes its history there when Python ends
    os.environ |= {
        "HOME": home.name,
        "XDG_CACHE_HOME": f"{home.name}/cache",
        "XDG_CONFIG_HOME": f"{home.name}/config",
        "XDG_DATA_HOME": f"{home.name}/data",
        "XDG_STATE_HOME": f"{home.name}/state",
        "NAPARI_CONFIG": f"{home.name}/config/napari.yaml",
    }
    _keep_kernels(Path(config.cache.mkdir("numba")))
    if not HAS_DISPLAY:
        _provide_display(config)


def _keep_kernels(folder: Path) -> None:
    """Keep compiled kernels for the next run, one folder per state of the sources.

    Numba does not notice when a kernel called from another module has changed.
    """
    sources = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(PACKAGE.glob("core/*.py"))))
    numba.config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"] = str(folder / sources.hexdigest()[:16])


def _provide_display(config: pytest.Config) -> None:
    """Start a virtual X server, or let Qt draw off screen where there is none."""
    server = shutil.which("Xvfb")
    if server is None:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        return
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [server, "-displayfd", str(writing), "-screen", "0", "1600x1200x24", "-nolisten", "tcp"],
        pass_fds=[writing],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    config.add_cleanup(process.wait)
    config.add_cleanup(process.terminate)
    with os.fdopen(reading) as answer:
        number = answer.readline().strip()
    if not number:
        pytest.exit("Xvfb did not start; run it by hand to see why.", returncode=3)
    os.environ |= {"DISPLAY": f":{number}", "QT_QPA_PLATFORM": "xcb"}


@pytest.fixture(autouse=True)
def _no_leaked_windows(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a window open; beside a viewer, only windows of our own count."""
    before = _top_level_widgets()
    yield
    call = getattr(request.node, "rep_call", None)  # napari's pytest plugin leaves the outcome here
    if call is None or not call.passed:
        return
    leaked = [widget for widget in _top_level_widgets() if not any(widget is known for known in before)]
    if "make_napari_viewer" in request.fixturenames:
        leaked = [widget for widget in leaked if type(widget).__module__.startswith("napari_superpixels")]
    assert not leaked, f"This test left {len(leaked)} window(s) behind: {leaked}; close them, or pass them to qtbot."


def _top_level_widgets() -> list:
    if "qtpy" not in sys.modules:
        return []
    from qtpy.QtCore import QCoreApplication, QEvent
    from qtpy.QtWidgets import QApplication

    application = QApplication.instance()
    if application is None:
        return []
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    return application.topLevelWidgets()


@pytest.fixture
def two_tone() -> np.ndarray:
    """Return an RGB image, uint8 of shape (48, 64, 3): dark left half, bright right half."""
    image = np.full((48, 64, 3), 40, np.uint8)
    image[:, 32:] = (200, 180, 90)
    return image


@pytest.fixture
def color_blocks() -> np.ndarray:
    """Return an RGB image, uint8 of shape (60, 80, 3): 3 rows of 4 blocks, each of 20 x 20 pixels and one colour."""
    colors = np.random.default_rng(0).permutation(12)[:, None] * (21, 13, 5) + (10, 60, 120)
    return np.kron(colors.reshape(3, 4, 3), np.ones((20, 20, 1))).astype(np.uint8)


@pytest.fixture
def noisy_disks() -> np.ndarray:
    """Return a grey image, uint16 of shape (96, 96): four bright disks of radius 14 on a dark, noisy ground."""
    row, col = np.mgrid[:96, :96]
    inside = ((row % 48 - 24) ** 2 + (col % 48 - 24) ** 2) <= 14**2
    noise = np.random.default_rng(0).normal(0, 300, inside.shape)
    return np.clip(2000 + 9000 * inside + noise, 0, 65535).astype(np.uint16)
