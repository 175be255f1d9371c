"""One job at a time off the main thread; while one runs, only the latest request waits."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from napari_superpixels.core.eikonal import new_cancel_flag
from napari_superpixels.errors import CancelledError

Request = TypeVar("Request")
Result = TypeVar("Result")
Dispatch = Callable[[Callable[[], None]], None]
_LOG = logging.getLogger(__name__)


@dataclass(eq=False)
class Job(Generic[Request]):
    """A request under way and the flag that cancels it."""

    request: Request
    cancel: npt.NDArray[np.uint8] = field(default_factory=new_cancel_flag)
    is_dropped: bool = False


class Scheduler(Generic[Request, Result]):
    """Runs requests in a thread, latest wins.

    A running job goes on when a newer request comes, so that a result appears under a moving slider; unless the newer
    one makes it useless (`supersedes`), in which case it is cancelled and never delivered. All callbacks run through
    `dispatch`, in the order of the jobs.

    Parameters
    ----------
    run : callable
        ``run(job) -> result``, in the worker thread; polls ``job.cancel``.
    supersedes : callable
        ``supersedes(new, old) -> bool``: whether the new request makes the old one's result useless.
    dispatch : callable
        Runs a function in the main thread, later or at once.
    on_result, on_error, on_cancelled, on_idle : callable
        Called, through `dispatch`, with ``(request, result)``, ``(request, error)``, ``(request)`` and nothing.
    """

    def __init__(
        self,
        run: Callable[[Job[Request]], Result],
        *,
        supersedes: Callable[[Request, Request], bool],
        dispatch: Dispatch,
        on_result: Callable[[Request, Result], None],
        on_error: Callable[[Request, Exception], None],
        on_cancelled: Callable[[Request], None],
        on_idle: Callable[[], None],
    ) -> None:
        self._run = run
        self._supersedes = supersedes
        self._dispatch = dispatch
        self._on_result = on_result
        self._on_error = on_error
        self._on_cancelled = on_cancelled
        self._on_idle = on_idle
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="napari-superpixels")
        self._lock = Lock()
        self._running: Job[Request] | None = None
        self._pending: Job[Request] | None = None
        self._n_undelivered = 0
        self._is_closed = False

    @property
    def is_busy(self) -> bool:
        """Whether a job runs or waits, or what came of one is on its way through `dispatch`."""
        return self._running is not None or self._n_undelivered > 0

    def submit(self, request: Request) -> None:
        """Run a request now, or after the running one; a request that waits already is replaced."""
        with self._lock:
            if self._is_closed:
                return
            job = Job(request)
            if self._running is None:
                self._running = job
                self._pool.submit(self._work, job)
                return
            self._pending = job
            if self._supersedes(request, self._running.request):
                self._running.is_dropped = True
                self._running.cancel[0] = 1

    def cancel(self, *, silently: bool = False) -> None:
        """Stop the running job and forget the waiting one; silently, nothing is delivered of it."""
        with self._lock:
            self._pending = None
            if self._running is not None:
                self._running.is_dropped |= silently
                self._running.cancel[0] = 1

    def close(self) -> None:
        """Cancel everything, deliver nothing more; does not wait for the thread, which may be reading pixels."""
        with self._lock:
            self._is_closed = True
            self._pending = None
            if self._running is not None:
                self._running.is_dropped = True
                self._running.cancel[0] = 1
        self._pool.shutdown(wait=False)

    def _work(self, job: Job[Request] | None) -> None:
        while job is not None:
            deliver = self._outcome(job)
            with self._lock:
                is_dropped = job.is_dropped or self._is_closed
                self._n_undelivered += not is_dropped
                self._running, self._pending = self._pending, None
                job = self._running
            if not is_dropped:
                self._dispatch(deliver)
        if not self._is_closed:
            self._dispatch(self._on_idle)

    def _outcome(self, job: Job[Request]) -> Callable[[], None]:
        """Run a job and return what delivers its outcome."""
        tell = self._told(job)

        def deliver() -> None:
            with self._lock:
                self._n_undelivered -= 1
            tell()

        return deliver

    def _told(self, job: Job[Request]) -> Callable[[], None]:
        """Run a job and return what tells its outcome."""
        request = job.request
        try:
            result = self._run(job)
        except CancelledError:
            return lambda: self._on_cancelled(request)
        except Exception as error:  # noqa: BLE001 - the one place where a job's errors are caught, logged and handed on
            _LOG.debug("A segmentation failed", exc_info=True)
            failure = error
            return lambda: self._on_error(request, failure)
        return lambda: self._on_result(request, result)
