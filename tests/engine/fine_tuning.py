"""Small fine-tunings for tests: images of discs, a queue in the place of a window's event loop, a folder of models."""

import os
import queue
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_superpixels.data.training_folder import Role, TrainingItem, write_training_folder
from napari_superpixels.engine.fine_tune_files import FineTuneJob, write_job
from napari_superpixels.engine.fine_tune_rows import DataRow
from napari_superpixels.engine.fine_tune_session import FineTuneSession
from napari_superpixels.params import FineTuneParams

#: Steps enough for two checks, on crops that take no time.
TINY = FineTuneParams(steps=4, epoch_steps=2, batch_size=1, crop_size=32, n_segments=30)


def discs(seed: int, shape: tuple[int, int] = (48, 56)) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """Return an image of three noisy discs, and their labels; 0 is background."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(shape)
    labels = np.zeros(shape, np.int32)
    for number, column in enumerate((10, 28, 46), start=1):
        row = rng.integers(12, shape[0] - 12)
        labels[np.hypot(rows - row, columns - column) < 8] = number
    image = 60 + 80 * (labels > 0) + rng.integers(0, 40, shape)
    return image.astype(np.uint8), labels


def make_items(roles: tuple[Role | None, ...] = ("train", "train", "validation")) -> list[TrainingItem]:
    """Return images with these roles."""
    return [TrainingItem(f"disc {i}", *discs(i), role=role) for i, role in enumerate(roles)]


def make_run(
    folder: Path, params: FineTuneParams = TINY, items: list[TrainingItem] | None = None, earlier: Path | None = None
) -> Path:
    """Write the data and the job of a run, and return its folder."""
    write_training_folder(folder / "data", make_items() if items is None else items)
    write_job(folder, FineTuneJob(params=params, data="data", earlier=None if earlier is None else str(earlier)))
    return folder


def search_path() -> str:
    """Return a PYTHONPATH with which another process finds these tests."""
    root = str(Path(__file__).parents[2])
    present = os.environ.get("PYTHONPATH")
    # An empty entry would be the folder that Python is started in.
    return os.pathsep.join([root, present]) if present else root


class Window:
    """What a session needs of a window: somewhere to run what other threads hand over."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Callable[[], None]] = queue.Queue()

    def dispatch(self, function: Callable[[], None]) -> None:
        self._queue.put(function)

    def wait_for(self, condition: Callable[[], object], seconds: float = 120.0) -> None:
        """Run what comes until a condition holds."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "the condition did not come true"
            try:
                self._queue.get(timeout=0.05)()
            except queue.Empty:
                continue


def add_discs(session: FineTuneSession, window: Window, n_images: int = 3) -> None:
    """Fill a session's list, and wait until the images were read."""
    items = make_items((None,) * n_images)
    session.add_rows(DataRow(session.new_key(), item.name, "layers", read=lambda item=item: item) for item in items)
    window.wait_for(lambda: len(session.rows) == n_images and all(row.digest for row in session.rows))
