"""Latest wins: what runs, what waits, what is delivered."""

import queue
import threading

import pytest

from napari_superpixels.engine.scheduler import Scheduler
from napari_superpixels.errors import CancelledError

WAIT = 10.0


class Bench:
    """A scheduler whose jobs stop at a gate."""

    def __init__(self, dispatch=lambda function: function()):
        self.gate = threading.Semaphore(0)
        self.begun = queue.Queue()
        self.events = queue.Queue()
        self.scheduler = Scheduler(
            self.run,
            supersedes=lambda new, old: new.startswith("other"),
            dispatch=dispatch,
            on_result=lambda request, result: self.events.put(("result", result)),
            on_error=lambda request, error: self.events.put(("error", str(error))),
            on_cancelled=lambda request: self.events.put(("cancelled", request)),
            on_idle=lambda: self.events.put(("idle", None)),
        )

    def run(self, job):
        self.begun.put(job.request)
        while not self.gate.acquire(timeout=0.002):
            if job.cancel[0]:
                raise CancelledError
        if "bad" in job.request:
            raise ValueError(job.request)
        return job.request.upper()

    def next_event(self):
        return self.events.get(timeout=WAIT)


@pytest.fixture
def bench():
    bench = Bench()
    yield bench
    bench.scheduler.close()


def test_a_request_runs_and_then_all_is_idle(bench):
    bench.scheduler.submit("a")
    assert bench.begun.get(timeout=WAIT) == "a"
    assert bench.scheduler.is_busy
    bench.gate.release()
    assert bench.next_event() == ("result", "A")
    assert bench.next_event() == ("idle", None)
    assert not bench.scheduler.is_busy


def test_it_is_busy_until_the_outcome_is_told():
    """Who asks in between must not take the work for done, and drop what is on its way."""
    on_its_way = queue.Queue()
    bench = Bench(on_its_way.put)
    bench.scheduler.submit("a")
    bench.gate.release()
    tell, tell_idle = (on_its_way.get(timeout=WAIT) for _ in range(2))
    assert bench.scheduler.is_busy
    tell()
    assert not bench.scheduler.is_busy
    tell_idle()
    assert [bench.next_event() for _ in range(2)] == [("result", "A"), ("idle", None)]
    bench.scheduler.close()


def test_only_the_latest_waits(bench):
    bench.scheduler.submit("a")
    bench.begun.get(timeout=WAIT)
    for request in ("b", "c", "d"):
        bench.scheduler.submit(request)
    bench.gate.release(2)
    assert [bench.next_event() for _ in range(3)] == [("result", "A"), ("result", "D"), ("idle", None)]
    assert bench.begun.get(timeout=WAIT) == "d"


def test_a_request_that_makes_the_running_one_useless_ends_it_silently(bench):
    bench.scheduler.submit("a")
    bench.begun.get(timeout=WAIT)
    bench.scheduler.submit("other")
    assert bench.begun.get(timeout=WAIT) == "other"
    bench.gate.release()
    assert [bench.next_event() for _ in range(2)] == [("result", "OTHER"), ("idle", None)]


def test_cancel_ends_what_runs_and_forgets_what_waits(bench):
    bench.scheduler.submit("a")
    bench.begun.get(timeout=WAIT)
    bench.scheduler.submit("b")
    bench.scheduler.cancel()
    assert [bench.next_event() for _ in range(2)] == [("cancelled", "a"), ("idle", None)]


def test_after_a_failure_the_next_request_runs(bench):
    bench.gate.release(2)
    bench.scheduler.submit("bad")
    assert [bench.next_event() for _ in range(2)] == [("error", "bad"), ("idle", None)]
    bench.scheduler.submit("a")
    assert bench.next_event() == ("result", "A")


def test_after_closing_nothing_is_delivered(bench):
    bench.scheduler.submit("a")
    bench.begun.get(timeout=WAIT)
    bench.scheduler.close()
    bench.scheduler.submit("b")
    assert bench.events.empty()
