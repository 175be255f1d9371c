"""Fixtures for all tests: a display, folders of their own, small images, and a check for leaked windows."""

import atexit
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import imageio.v3 as iio
import numba
import numpy as np
import pytest
from pycocotools import mask as coco_mask

PACKAGE = Path(__file__).parent.parent / "napari_superpixels"
HAS_DISPLAY = bool(sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def pytest_configure(config: pytest.Config) -> None:
    """Give the tests a home and a display of their own, before anything reads the user's."""
    # A shell's background jobs, and their children, ignore Ctrl+C, which is tested too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
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
def single_thread() -> Iterator[None]:
    """Let PyTorch compute on one thread: small networks wait for each other's threads longer than they compute."""
    import torch

    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(usual)


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


@pytest.fixture
def coco_instances(tmp_path: Path, color_blocks: np.ndarray) -> Path:
    """Return an annotation file of four images, in folder `images` beside it, one of them missing and one bare.

    a.png has two overlapping polygons and a hole-shaped run length, sub/b.jpg a crowd and an empty annotation.
    """
    (tmp_path / "images" / "sub").mkdir(parents=True)
    iio.imwrite(tmp_path / "images" / "a.png", color_blocks)
    iio.imwrite(tmp_path / "images" / "sub" / "b.jpg", color_blocks)
    iio.imwrite(tmp_path / "images" / "bare.png", color_blocks)
    ring = np.zeros((60, 80), np.uint8)
    ring[35:55, 40:70] = 1
    ring[42:48, 50:60] = 0
    packed = coco_mask.encode(np.asfortranarray(ring))
    changes = np.flatnonzero(np.diff(ring.T.ravel(), prepend=0, append=1))
    crowd = {"size": [60, 80], "counts": np.diff(changes, prepend=0).tolist()}
    crowd["counts"][-1] += 4800 - sum(crowd["counts"])
    polygons = [[[5, 5, 40, 8, 30, 30, 8, 28]], [[25, 10, 60, 12, 55, 33, 27, 31], [70, 2, 78, 2, 74, 9]]]
    annotations = [
        {"id": 1, "image_id": 7, "category_id": 1, "iscrowd": 0, "segmentation": polygons[0]},
        {"id": 2, "image_id": 7, "category_id": 1, "iscrowd": 0, "segmentation": polygons[1]},
        {
            "id": 3,
            "image_id": 7,
            "category_id": 2,
            "iscrowd": 0,
            "segmentation": {"size": [60, 80], "counts": packed["counts"].decode()},
        },
        {"id": 4, "image_id": 8, "category_id": 1, "iscrowd": 1, "segmentation": crowd},
        {"id": 5, "image_id": 8, "category_id": 1, "iscrowd": 0, "segmentation": []},
        {"id": 6, "image_id": 9, "category_id": 1, "iscrowd": 0, "segmentation": polygons[0]},
    ]
    names = {7: "a.png", 8: "sub/b.jpg", 9: "gone.jpg", 10: "bare.png"}
    images = [{"id": key, "file_name": name, "height": 60, "width": 80} for key, name in names.items()]
    path = tmp_path / "instances.json"
    path.write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "thing"}]})
    )
    return path


@pytest.fixture
def coco_panoptic(tmp_path: Path, color_blocks: np.ndarray) -> Path:
    """Return a panoptic annotation file of one image: three segments with numbers above 255, and void."""
    (tmp_path / "images").mkdir(exist_ok=True)
    (tmp_path / "panoptic").mkdir()
    iio.imwrite(tmp_path / "images" / "a.jpg", color_blocks)
    numbers = np.zeros((60, 80), np.int64)
    numbers[4:30, 3:50], numbers[30:60, 20:70], numbers[10:20, 60:80] = 5, 300, 70_000
    iio.imwrite(tmp_path / "panoptic" / "a.png", np.stack([numbers, numbers >> 8, numbers >> 16], -1).astype(np.uint8))
    segments = [{"id": n, "category_id": 1, "iscrowd": 0, "area": 1} for n in (5, 300, 70_000)]
    content = {
        "images": [{"id": 3, "file_name": "a.jpg", "height": 60, "width": 80}],
        "annotations": [{"image_id": 3, "file_name": "a.png", "segments_info": segments}],
    }
    path = tmp_path / "panoptic.json"
    path.write_text(json.dumps(content))
    return path
