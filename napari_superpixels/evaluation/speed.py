"""The speed benchmark: plans what is run, runs it in child processes, and keeps what they measure.

All methods of one image size run in turn in one process, with the same threads; each one's memory is measured in a
process of its own.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from napari_superpixels.core.parallel import n_processors
from napari_superpixels.evaluation.kept import KeptValues
from napari_superpixels.evaluation.results import result_key
from napari_superpixels.evaluation.speed_methods import SpeedMethod, n_superpixels
from napari_superpixels.params import SegmentParams

#: Edges of the square images, in pixels.
SIZES = (256, 512, 1024, 2048, 4096, 8192)
#: Runs of each method at most; large images get fewer.
N_RUNS = 7
#: Model of the network where no other is named.
DEFAULT_MODEL = str(SegmentParams().model)
#: A rival is left out where one run is expected to take more seconds than this.
LONGEST_RUN = 5.0

_SMALLEST = 32
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Timing:
    """What was measured of one method on one size of image."""

    method: str
    """Title of the method."""
    edge: int
    """Rows and columns of the image."""
    n_threads: int
    """Number of threads, and of processor cores that the process could use."""
    seconds: tuple[float, ...] = ()
    """Time of each run."""
    extra_bytes: int | None = None
    """Memory that a run takes beyond what was there before, its result included; None where not measured."""
    note: str = ""
    """Why there is no time."""

    @property
    def n_segments(self) -> int:
        """Number of superpixels asked for."""
        return n_superpixels(self.edge)

    @property
    def median(self) -> float | None:
        """Median time in seconds; None where there is none."""
        return statistics.median(self.seconds) if self.seconds else None


def default_threads() -> list[int]:
    """Return the numbers of threads to measure with: one, and one for each processor that this process may use.

    Where the system cannot bind a process to some processors, the former would not be one thread's time.
    """
    return sorted({1, n_processors()}) if _can_bind() else [n_processors()]


def _can_bind() -> bool:
    return hasattr(os, "sched_setaffinity")


class SpeedStore(KeptValues[list[Timing]]):
    """Finished sizes, kept in a file; see :class:`napari_superpixels.evaluation.kept.KeptValues`."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path,
            lambda timings: [asdict(timing) for timing in timings],
            lambda rows: [Timing(**{**row, "seconds": tuple(row["seconds"])}) for row in rows],
        )


def measure_speed(
    methods: Sequence[SpeedMethod],
    *,
    sizes: Sequence[int] = SIZES,
    threads: Sequence[int] | None = None,
    n_runs: int = N_RUNS,
    model: str = DEFAULT_MODEL,
    store: SpeedStore | None = None,
    progress: Callable[[str], None] | None = None,
) -> Generator[list[Timing], None, None]:
    """Time methods on images of several sizes, with several numbers of threads.

    Parameters
    ----------
    methods : sequence of SpeedMethod
        From :data:`napari_superpixels.evaluation.speed_methods.SPEED_METHODS`.
    sizes : sequence of int
        Edges of the square images, in pixels.
    threads : sequence of int, optional
        Numbers of threads, 1 to that of the processors; the process is bound to as many. Those of
        :func:`default_threads` by default.
    n_runs : int
        Runs of each method at most; large images get fewer, but at least three.
    model : str
        Name of an installed model, or a file, for what a network takes part in.
    store : SpeedStore, optional
        Where finished sizes are found and kept.
    progress : callable, optional
        Called with what is being done.

    Yields
    ------
    list of Timing
        One for each method, for each size and number of threads in turn.

    Raises
    ------
    ValueError
        If a size, a number of threads or of runs is wrong.
    """
    threads = default_threads() if threads is None else threads
    check_speed(sizes, threads, n_runs)
    report = progress or (lambda text: None)
    for n_threads in threads:
        last: dict[str, Timing] = {}
        for edge in sorted(sizes):
            keys = [method.key for method in methods]
            key = result_key(["time", edge, n_threads, n_runs], ",".join(keys), {"model": model}, None, 0)
            timings = None if store is None else store.get(key)
            if timings is None:
                timings = list(_time_size(methods, edge, n_threads, {"n_runs": n_runs, "model": model}, last, report))
                if store is not None:
                    store.add(key, timings)
            last = {timing.method: timing for timing in timings}
            yield timings


def measure_memory(
    methods: Sequence[SpeedMethod],
    timings: Sequence[Timing],
    *,
    model: str = DEFAULT_MODEL,
    store: SpeedStore | None = None,
    progress: Callable[[str], None] | None = None,
) -> Generator[Timing, None, None]:
    """Measure the memory of what was timed with most threads, each in a process of its own.

    Parameters
    ----------
    methods : sequence of SpeedMethod
        The methods that were timed.
    timings : sequence of Timing
        What :func:`measure_speed` yielded.
    model, store, progress
        As there.

    Yields
    ------
    Timing
        Each one again, with `extra_bytes` where that was measured.
    """
    key_of = {method.title: method.key for method in methods}
    n_threads = max(timing.n_threads for timing in timings)
    for timing in timings:
        if not timing.seconds or timing.n_threads < n_threads:
            yield timing
            continue
        key = result_key(["memory", timing.edge, n_threads], timing.method, {"model": model}, None, 0)
        known = None if store is None else store.get(key)
        if known is None:
            if progress is not None:
                progress(f"{timing.edge}x{timing.edge}: memory of {timing.method}")
            job = {"methods": [key_of[timing.method]], "edge": timing.edge, "n_threads": n_threads, "model": model}
            known = [replace(timing, extra_bytes=found.get("bytes")) for found in _run_child({**job, "kind": "memory"})]
            if store is not None:
                store.add(key, known)
        yield replace(timing, extra_bytes=known[0].extra_bytes)


def check_speed(sizes: Sequence[int], threads: Sequence[int], n_runs: int) -> None:
    """Raise a ValueError that says what is wrong with the arguments of :func:`measure_speed`, if anything is."""
    if not sizes or min(sizes) < _SMALLEST:
        raise ValueError(f"sizes must be {_SMALLEST} pixels or more; received {list(sizes)}")
    cores = n_processors()
    if not threads or min(threads) < 1 or max(threads) > cores:
        raise ValueError(f"numbers of threads must be from 1 to {cores}, the usable cores; received {list(threads)}")
    if not _can_bind() and list(threads) != [cores]:
        raise ValueError(f"this system cannot bind a process to some of its cores; measure with {cores} threads")
    if n_runs < 1:
        raise ValueError(f"at least one run is needed; received {n_runs}")


def _time_size(
    methods: Sequence[SpeedMethod],
    edge: int,
    n_threads: int,
    options: dict[str, Any],
    last: dict[str, Timing],
    report: Callable[[str], None],
) -> Iterator[Timing]:
    notes = {method.key: _reason_to_skip(method, edge, last.get(method.title)) for method in methods}
    chosen = [method for method in methods if not notes[method.key]]
    titles = {method.key: method.title for method in methods}
    where = f"{edge}x{edge}, {n_threads} thread{'s' if n_threads > 1 else ''}"
    seconds: dict[str, list[float]] = {method.key: [] for method in methods}
    job = {"methods": [method.key for method in chosen], "edge": edge, "n_threads": n_threads, **options}
    report(where)
    for found in _run_child({**job, "kind": "time"}) if chosen else ():
        key = found["method"]
        if "seconds" in found:
            seconds[key].append(found["seconds"])
            report(f"{where}: {titles[key]}")
        else:
            notes[key] = found["error"]
    for method in methods:
        yield Timing(method.title, edge, n_threads, tuple(seconds[method.key]), None, notes[method.key])


def _reason_to_skip(method: SpeedMethod, edge: int, last: Timing | None) -> str:
    """Return why a method is not run on this size; "" where it is."""
    if method.largest_edge is not None and edge > method.largest_edge:
        return f"not beyond {method.largest_edge} pixels a side"
    if method.most_superpixels is not None and n_superpixels(edge) > method.most_superpixels:
        return f"at most {method.most_superpixels} superpixels"
    if last is not None and not last.seconds:
        return last.note
    if method.is_rival and last is not None and last.median is not None:
        expected = last.median * (edge / last.edge) ** 2
        if expected > LONGEST_RUN:
            return f"about {expected:.0f} s a run at {edge}x{edge}"
    return ""


def _run_child(job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Run a job in a process of its own and yield what it measures; methods that a crash left out get an error."""
    environment = os.environ | dict.fromkeys(_THREAD_VARIABLES, str(job["n_threads"])) | {"OMP_WAIT_POLICY": "passive"}
    command = [sys.executable, "-m", "napari_superpixels.evaluation.speed_worker", json.dumps(job)]
    heard: set[str] = set()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                found = json.loads(line)
                heard.add(found["method"])
                yield found
        finally:
            process.kill()
    for key in job["methods"]:
        if key not in heard:
            yield {"method": key, "error": f"the process ended with status {process.returncode}"}
