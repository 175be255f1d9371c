"""Which folders of runs a living process works in."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import psutil

from napari_superpixels.errors import TrainingError
from napari_superpixels.files import replacing

_LOCK = "lock.json"
#: Seconds by which two readings of a process's start may differ.
_TOLERANCE = 2.0


@contextlib.contextmanager
def held_lock(folder: str | Path) -> Iterator[None]:
    """Hold a folder for this process.

    Raises
    ------
    TrainingError
        If another process works there.
    WriteError
        If the folder cannot be written.
    """
    path = Path(folder) / _LOCK
    if is_locked(folder):
        raise TrainingError(f"Another process trains in {folder}; wait until it ends, or end it.")
    process = psutil.Process()
    with replacing(path) as part:
        part.write_text(json.dumps({"pid": process.pid, "started": process.create_time()}), encoding="utf-8")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def is_locked(folder: str | Path) -> bool:
    """Return whether a living process works in a folder; a lock that a killed one left does not count."""
    try:
        lock = json.loads((Path(folder) / _LOCK).read_text(encoding="utf-8"))
        process = psutil.Process(int(lock["pid"]))
        is_same = abs(process.create_time() - float(lock["started"])) < _TOLERANCE
        return is_same and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return False
