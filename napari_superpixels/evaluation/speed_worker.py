"""The child process of the speed benchmark: runs one job, given as JSON, and writes what it measures as lines of JSON.

A process of its own is what makes the number of threads and the peak of the memory those of the methods under test.
"""

import contextlib
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_superpixels.evaluation.speed_methods import SPEED_METHODS, Workload, n_superpixels, tiled_astronaut

#: Runs of each method at least, and seconds for all of them after which no more are made.
_FEWEST_RUNS = 3
_ENOUGH_SECONDS = 20.0
_WARM_UP_EDGE = 128
_STATUS = Path("/proc/self/status")
_BY_KEY = {method.key: method for method in SPEED_METHODS}

Emit = Callable[[dict[str, Any]], None]


def run_job(job: dict[str, Any], emit: Emit) -> None:
    """Measure what a job says.

    Parameters
    ----------
    job : dict
        ``kind``, "time" or "memory"; ``methods``, their keys; ``edge`` of the image in pixels; ``n_threads``;
        ``model`` of the network; ``n_runs`` at most.
    emit : callable
        Called with each measurement: ``method`` and ``seconds`` of one run or ``bytes`` of memory; or ``error``, after
        which the method is left out.
    """
    calls = _prepare({**job, "edge": min(_WARM_UP_EDGE, job["edge"])}, lambda _: None)
    for call in calls.values():  # compiles, and starts threads
        call()
    calls = _prepare(job, emit)
    if job["kind"] == "memory":
        for key, call in calls.items():
            emit({"method": key, "bytes": _extra_memory(call)})
    else:
        _time_in_turn(calls, job["n_runs"], emit)


def _prepare(job: dict[str, Any], emit: Emit) -> dict[str, Callable[[], object]]:
    edge = job["edge"]
    work = Workload(tiled_astronaut(edge), n_superpixels(edge), job["n_threads"], job["model"])
    calls = {}
    for key in job["methods"]:
        try:
            calls[key] = _BY_KEY[key].prepare(work)
        except MemoryError:
            emit({"method": key, "error": "not enough memory"})
    return calls


def _time_in_turn(calls: dict[str, Callable[[], object]], n_runs: int, emit: Emit) -> None:
    """Run each method once, then each a second time and so on, so that a slow moment of the machine meets all."""
    start = time.perf_counter()
    for run in range(n_runs):
        if run >= _FEWEST_RUNS and time.perf_counter() - start > _ENOUGH_SECONDS:
            return
        for key, call in list(calls.items()):
            gc.collect()
            before = time.perf_counter()
            try:
                call()
            except (MemoryError, ValueError, RuntimeError) as error:
                emit({"method": key, "error": str(error) or type(error).__name__})
                del calls[key]
                continue
            emit({"method": key, "seconds": time.perf_counter() - before})


def _extra_memory(call: Callable[[], object]) -> int | None:
    """Return the bytes that a call takes at its peak, its result included; None where the system does not tell."""
    gc.collect()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # Linux forgets the peak so far
    before = _memory("VmRSS")
    result = call()
    peak = _memory("VmHWM")
    del result
    return None if before is None or peak is None else peak - before


def _memory(field: str) -> int | None:
    """Return a field of the process's status in bytes; elsewhere than on Linux the peak, whatever the field."""
    if _STATUS.exists():
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(field))
        return 1024 * int(line.split()[1])
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else 1024 * int(peak)


def main() -> None:
    """Run the job on the command line."""
    job = json.loads(sys.argv[1])
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: job["n_threads"]])

    def emit(measurement: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(measurement) + "\n")
        sys.stdout.flush()

    run_job(job, emit)


if __name__ == "__main__":
    main()
