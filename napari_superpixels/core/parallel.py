"""Threads for compiled code, which does not hold the interpreter's lock."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

_MIN_PIXELS = 65_536
_MAX_KEPT_BYTES = 64 * 1024**2
_kept = threading.local()


@cache
def worker_pool(n_threads: int) -> ThreadPoolExecutor:
    """Return threads that stay: starting some for each small piece of work takes longer than the work.

    Work in them must not wait for other work in them.
    """
    return ThreadPoolExecutor(n_threads, thread_name_prefix="eikonal")


if hasattr(os, "register_at_fork"):
    # A forked process has none of the threads: what it gave to the inherited pool would wait for ever.
    os.register_at_fork(after_in_child=worker_pool.cache_clear)


def share(
    work: Callable[[int], None], n_items: int, n_threads: int, *, progress: Callable[[float], None] | None = None
) -> None:
    """Call ``work(i)`` for each of `n_items` items, in this thread and in others.

    The calling thread takes part because Linux often starts the threads that it wakes on one core, one after the other,
    and moves one of them to an idle core only milliseconds later.

    Parameters
    ----------
    work : callable
        Must release the interpreter's lock to gain anything. Items are taken in order, and none twice, so it may wait
        for earlier items, if those are marked as done also when they fail.
    n_items : int
        Number of items.
    n_threads : int
        Number of threads, the calling one included.
    progress : callable, optional
        Called in this thread with the share done.
    """
    lock = threading.Lock()
    taken = done = 0

    def take(report: Callable[[float], None] | None) -> None:
        nonlocal taken, done
        while True:
            with lock:
                item = taken
                taken += 1
            if item >= n_items:
                return
            try:
                work(item)
            except BaseException:
                with lock:
                    taken = n_items
                raise
            with lock:
                done += 1
            if report is not None:
                report(done / n_items)

    helpers = [worker_pool(n_threads).submit(take, None) for _ in range(min(n_threads, n_items) - 1)]
    try:
        take(progress)
    finally:
        # Helpers that have not begun have nothing left to do.
        begun = [helper for helper in helpers if not helper.cancel()]
        wait(begun)
    for helper in begun:
        helper.result()


def scratch(name: str, shape: tuple[int, ...], dtype: type) -> npt.NDArray[Any]:
    """Return an uninitialised array that this thread's next call with the same name gives out again.

    Memory fresh from the system is slow at its first touch. Arrays of more than 64 MB are not kept.
    """
    n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    kept: npt.NDArray[np.uint8] | None = getattr(_kept, name, None)
    if kept is None or kept.size < n_bytes:
        kept = np.empty(n_bytes, np.uint8)
        if n_bytes <= _MAX_KEPT_BYTES:
            setattr(_kept, name, kept)
    return kept[:n_bytes].view(dtype).reshape(shape)


def n_processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_bands(work: Callable[[int, int], None], n_rows: int, row_pixels: int) -> None:
    """Call ``work(first, last)`` for bands of rows that together are 0 to `n_rows`, one for each processor.

    Parameters
    ----------
    work : callable
        Works on rows first to last - 1; must release the interpreter's lock to gain anything.
    n_rows : int
        Number of rows.
    row_pixels : int
        Pixels in a row; bands of less than 65536 pixels are not worth a thread.
    """
    n_bands = max(1, min(n_processors(), n_rows, n_rows * row_pixels // _MIN_PIXELS))
    bounds = [n_rows * i // n_bands for i in range(n_bands + 1)]
    if n_bands == 1:
        work(0, n_rows)
        return
    share(lambda i: work(bounds[i], bounds[i + 1]), n_bands, n_bands)
