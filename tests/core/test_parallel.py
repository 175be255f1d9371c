"""Work shared between threads."""

import multiprocessing
import threading

import numpy as np
import pytest

from napari_superpixels.core.metrics import evaluate
from napari_superpixels.core.parallel import in_bands, share


@pytest.mark.parametrize("n_threads", [1, 2, 7])
def test_every_item_is_worked_on_once(n_threads):
    done = []
    shares = []
    share(done.append, 50, n_threads, progress=shares.append)
    assert sorted(done) == list(range(50))
    assert shares == sorted(shares)


def test_an_item_may_wait_for_earlier_ones():
    finished = [threading.Event() for _ in range(20)]

    def work(item):
        for earlier in finished[:item]:
            assert earlier.wait(10)
        finished[item].set()

    share(work, 20, 4)
    assert all(event.is_set() for event in finished)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_a_failure_ends_the_work_and_is_raised(n_threads):
    done = []

    def work(item):
        if item == 2:
            raise ZeroDivisionError
        done.append(item)

    with pytest.raises(ZeroDivisionError):
        share(work, 10_000, n_threads)
    assert len(done) < 10_000


def test_work_in_a_thread_can_share_its_work():
    seen = set()

    def inner(first, last):
        seen.update(range(first, last))

    share(lambda _: in_bands(inner, 1000, 1000), 8, 3)
    assert seen == set(range(1000))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="processes cannot be forked here")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own():
    labels = np.arange(64).reshape(8, 8) // 16 + 1

    def measure():
        evaluate(labels, [labels, labels])

    measure()  # starts the threads of this process
    process = multiprocessing.get_context("fork").Process(target=measure)
    process.start()
    process.join(30)
    process.kill()
    process.join()
    assert process.exitcode == 0
