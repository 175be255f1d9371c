"""Targets of a whole data set as files: in parallel, resumable, and one bad image does not stop the rest."""

import json
import logging
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Literal

import numpy as np

from napari_superpixels import __version__
from napari_superpixels.core.eikonal import new_cancel_flag
from napari_superpixels.core.parallel import n_processors
from napari_superpixels.data.sources import AnnotatedImage, DataSource, SourceItem
from napari_superpixels.data.target_files import Targets, read_record, write_targets
from napari_superpixels.engine.target_growth import TargetConfig, grow_targets
from napari_superpixels.errors import CancelledError, SuperpixelsError, WriteError

_LOG = logging.getLogger(__name__)
_SCHEMA = 1
_AHEAD = 4
#: Set in a worker when its parent wants it to stop.
_CANCEL = new_cancel_flag()


@dataclass(frozen=True, slots=True)
class TargetResult:
    """What became of one image."""

    name: str
    """Name of the image in its source."""
    path: Path
    """File of its targets."""
    status: Literal["done", "skipped", "failed"]
    """ "skipped" where finished targets of the same image and configuration were there."""
    error: str = ""
    """Why it failed."""
    record: dict[str, Any] | None = None
    """What the file holds beside the targets: "shape", "n_asked", "n_superpixels", "n_objects" and "segment_sizes" (in
    pixels, without the background 0) for each annotator, "notes"; None where it failed."""


def target_path(folder: str | Path, name: str) -> Path:
    """Return the file of an image's targets in a folder of targets."""
    path = Path(folder) / name
    return path.with_name(f"{path.name}.npz")


def run_targets(
    source: DataSource,
    folder: str | Path,
    config: TargetConfig | None = None,
    *,
    workers: int | None = None,
    overwrite: bool = False,
) -> Iterator[TargetResult]:
    """Grow and write the targets of a data set, yielding for each image in the order of the source.

    Images whose file is there, made from the same image, ground truth and configuration by the same version, are
    skipped, so that an interrupted run goes on where it was. Equal input gives equal files, whatever `workers` is.

    Parameters
    ----------
    source : DataSource
        The images with their ground truth.
    folder : str or pathlib.Path
        Where the files are written, each named after its image; made if missing.
    config : TargetConfig, optional
        How the targets are grown.
    workers : int, optional
        Number of processes; 1 works in this one. By default as many as there are processors and images. Scripts that
        use more than one need the guard ``if __name__ == "__main__":``.
    overwrite : bool
        Whether everything is done again, and foreign files are replaced.

    Yields
    ------
    TargetResult
        For each image.

    Raises
    ------
    WriteError
        If a file cannot be written.
    SuperpixelsError
        If a process ended unexpectedly.
    """
    config = config or TargetConfig()
    workers = min(len(source), workers or n_processors())
    tasks = [(item, target_path(folder, item.name), config, overwrite) for item in source]
    if workers == 1:
        yield from (_make_one(*task, None) for task in tasks)
        return
    context = multiprocessing.get_context("spawn")
    stop_reader, stop_writer = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(stop_reader,))
    pending: deque[Future[TargetResult]] = deque()
    try:
        for task in tasks:
            pending.append(pool.submit(_make_one, *task, 1))
            if len(pending) > _AHEAD * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except BrokenProcessPool as error:
        raise SuperpixelsError(
            "A process that made targets ended unexpectedly, probably for lack of memory. What is done stays; run "
            "again with fewer workers."
        ) from error
    finally:
        stop_writer.close()
        pool.shutdown(cancel_futures=True)
        stop_reader.close()


def _start_worker(stop_reader: Connection) -> None:
    """Leave Ctrl+C to the parent; stop when it closes its end of the pipe, and end when it does, even if killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        wait([stop_reader])
        _CANCEL[0] = 1
        if parent is not None:
            wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _make_one(
    item: SourceItem, path: Path, config: TargetConfig, overwrite: bool, n_threads: int | None
) -> TargetResult:
    """Make the targets of one image, unless they are there."""
    identity = json.loads(json.dumps({
        "version": __version__, "config": config.model_dump(), "item": item.fingerprint()
    }))  # fmt: skip
    found = read_record(path) if path.exists() and not overwrite else None
    if found is not None and found.get("identity") == identity:
        return TargetResult(item.name, path, "skipped", record=found)
    try:
        if found is None and path.exists() and not overwrite:
            raise WriteError(
                f"{path} exists and was not written by this command, or is damaged; remove it, choose another folder, "
                "or overwrite it (--overwrite)."
            )
        image = item.read()
        _, targets = grow_targets(
            image.pixels,
            image.ground_truths,
            config,
            channel_axis=image.channel_axis,
            rgb=image.rgb,
            annotated=image.annotated,
            n_threads=n_threads,
            cancel=_CANCEL,
        )
    except CancelledError:
        raise
    except (SuperpixelsError, ValueError) as error:
        return TargetResult(item.name, path, "failed", str(error))
    except MemoryError as error:
        return TargetResult(item.name, path, "failed", f"not enough memory ({error}); use fewer workers.")
    except Exception as error:  # noqa: BLE001 - the next images are done whatever happens to this one
        _LOG.debug("Unexpected failure with %s", item.name, exc_info=True)
        return TargetResult(item.name, path, "failed", f"unexpected {type(error).__name__}: {error}")
    record = _record(image, targets, config, identity)
    write_targets(path, targets, record)
    return TargetResult(item.name, path, "done", record=record)


def _record(image: AnnotatedImage, targets: Targets, config: TargetConfig, identity: dict[str, Any]) -> dict[str, Any]:
    shape = targets.boundary.shape
    known = True if image.annotated is None else image.annotated
    sizes = [np.unique(truth[(truth != 0) & known], return_counts=True)[1].tolist() for truth in image.ground_truths]
    return {
        "schema": _SCHEMA,
        "version": __version__,
        "identity": identity,
        "name": image.name,
        "shape": list(shape),
        "n_asked": config.n_wanted(shape[0] * shape[1]),
        "n_superpixels": [len(colors) - 1 for colors in targets.colors],
        "n_objects": list(image.n_objects),
        "segment_sizes": sizes,
        "notes": list(image.notes),
    }
