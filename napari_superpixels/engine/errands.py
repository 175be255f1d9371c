"""Work on files off the main thread: one errand after the other, none left out."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from napari_superpixels.engine.scheduler import Dispatch

Outcome = TypeVar("Outcome")


class Errands:
    """Runs functions in one thread, in their order; after closing nobody is told what comes of them.

    Parameters
    ----------
    dispatch : callable
        Runs a function in the main thread.
    on_error : callable
        Gets, in the main thread, what an errand raised.
    """

    def __init__(self, dispatch: Dispatch, on_error: Callable[[Exception], None]) -> None:
        self._dispatch = dispatch
        self._on_error = on_error
        self.is_open = True
        """Whether it was not closed yet."""
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="napari-superpixels files")

    def run(
        self,
        work: Callable[[], Outcome],
        then: Callable[[Outcome], None],
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        """Do something in the thread, then hand what comes of it to a function in the main thread.

        Where `on_error` is given, what this errand raises goes there.
        """
        if self.is_open:
            self._pool.submit(self._work, work, then, on_error or self._on_error)

    def close(self, *, finish: bool = True) -> None:
        """Take nothing more; what runs is finished, and what waits too unless `finish` is False."""
        self.is_open = False
        self._pool.shutdown(wait=False, cancel_futures=not finish)

    def _work(
        self,
        work: Callable[[], Outcome],
        then: Callable[[Outcome], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        try:
            outcome = work()
        except Exception as error:  # noqa: BLE001 - the one place where an errand's errors are caught and handed on
            failure = error
            self._dispatch(lambda: self._tell(on_error, failure))
        else:
            self._dispatch(lambda: self._tell(then, outcome))

    def _tell(self, listener: Callable[[Outcome], None], outcome: Outcome) -> None:
        if self.is_open:
            listener(outcome)
