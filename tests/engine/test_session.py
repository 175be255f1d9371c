"""The session's signals: one for each change, and a recomputation only when there is something to keep up to date."""

import threading
import time

import numpy as np
import pytest
from psygnal.testing import assert_emitted_once_with, assert_not_emitted
from pydantic import ValidationError

from napari_superpixels.engine.constraints import Merge
from napari_superpixels.engine.resolve import ImageInput
from napari_superpixels.engine.session import Session
from napari_superpixels.params import SegmentParams

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
RAW = SegmentParams(model=None, n_segments=12)
WAIT = 20.0


def given(source="a", key="a", pixels=IMAGE):
    return ImageInput(pixels, source=source, key=key)


class Watched(Session):
    """A session that keeps what it emitted and can be waited for."""

    def __init__(self):
        super().__init__(RAW)
        self.results, self.errors, self.n_cancelled = [], [], 0
        self.is_idle = threading.Event()
        self.solved.connect(self.results.append)
        self.failed.connect(self.errors.append)
        self.cancelled.connect(self.count_cancelled)
        self.idle.connect(self.is_idle.set)

    def count_cancelled(self):
        self.n_cancelled += 1

    def wait(self):
        assert self.is_idle.wait(WAIT)
        self.is_idle.clear()


def wait_for_last(session, waiting):
    """Wait until all that a session has to tell waits for the main thread."""
    while not waiting or waiting[-1] != session.idle.emit:
        time.sleep(0.01)


@pytest.fixture
def session():
    session = Watched()
    yield session
    session.close()


def test_one_update_is_one_signal(session):
    expected = RAW.updated(n_segments=20, regularity=0.3)
    with assert_emitted_once_with(session.params_changed, expected, RAW):
        session.update(n_segments=20, regularity=0.3)


def test_the_same_value_is_no_signal(session):
    with assert_not_emitted(session.params_changed):
        session.update(n_segments=12)


@pytest.mark.parametrize("changes", [{"n_segments": 0}, {"regularity": 2}, {"law": "none"}, {"colour_weight": 1}])
def test_a_bad_value_changes_nothing(session, changes):
    with assert_not_emitted(session.params_changed), pytest.raises(ValidationError):
        session.update(**changes)
    assert session.params == RAW


def test_nothing_runs_before_the_first_segment(session):
    session.set_input(given())
    session.update(n_segments=20)
    assert not session.is_busy
    assert session.result is None


def test_live_follows_the_parameters(session):
    session.set_input(given())
    session.segment()
    session.wait()
    session.update(n_segments=20)
    session.wait()
    assert [result.n_segments for result in session.results] == [12, 20]
    assert session.result is session.results[-1]


def test_without_live_nothing_follows_until_it_is_switched_on(session):
    session.set_input(given())
    session.segment()
    session.wait()
    session.update_view(live=False)
    session.update(n_segments=20)
    assert not session.is_busy
    session.update_view(live=True)
    session.wait()
    assert session.result.n_segments == 20


def test_a_view_mode_computes_nothing(session):
    session.set_input(given())
    session.segment()
    session.wait()
    session.update_view(view_mode="filled")
    assert not session.is_busy


def test_another_plane_of_the_image_is_followed(session):
    session.set_input(given())
    session.segment()
    session.wait()
    session.set_input(given(key="plane 2", pixels=IMAGE[::-1]))
    session.wait()
    assert session.result.inputs.key == "plane 2"


def test_another_image_waits_for_the_button(session):
    session.set_input(given())
    session.segment()
    session.wait()
    session.set_input(given(source="b", key="b"))
    assert session.result is None
    assert not session.is_busy


def test_the_result_of_an_image_left_meanwhile_is_dropped(session):
    session.set_input(given(pixels=np.zeros((600, 600), np.uint8)))
    session.segment()
    session.set_input(given(source="b", key="b"))
    session.wait()
    assert session.results == []


def test_cancel_says_so(session):
    session.set_input(given(pixels=np.random.default_rng(0).random((2000, 2000))))
    session.segment()
    session.cancel()
    session.wait()
    assert session.n_cancelled == 1
    assert session.results == []


def test_a_failure_is_one_signal_and_the_session_lives_on(session):
    session.set_input(given())
    session.update(n_segments=1_000_000)
    session.segment()
    session.wait()
    assert "2000" in str(session.errors[0])
    session.update(n_segments=5)
    session.segment()
    session.wait()
    assert session.result.n_segments == 5


def test_reset_keeps_model_and_device(session):
    session.update(regularity=0.9, device="cpu")
    session.reset()
    assert session.params == SegmentParams(model=None, device="cpu")


def test_segment_without_an_image_is_refused(session):
    with pytest.raises(RuntimeError, match="no image"):
        session.segment()


def test_segment_right_after_cancel_runs(session):
    session.set_input(given(pixels=np.random.default_rng(0).random((1500, 1500))))
    session.segment()
    session.cancel()
    session.segment()
    session.wait()
    assert [result.n_segments for result in session.results] == [12]


def test_nothing_follows_a_cancelled_first_segment(session):
    session.set_input(given(pixels=np.random.default_rng(0).random((1500, 1500))))
    session.segment()
    session.cancel()
    session.update(n_segments=20)
    session.wait()
    assert session.results == []


def test_superpixels_that_were_restored_are_followed(session):
    session.set_input(given())
    session.restore(RAW.updated(n_segments=7))
    assert not session.is_busy
    session.update(n_segments=20)
    session.wait()
    assert [result.n_segments for result in session.results] == [20]


def test_what_was_restored_is_not_followed_on_another_image(session):
    session.set_input(given())
    session.restore(RAW.updated(n_segments=7))
    session.set_input(given("b", "b"))
    session.update(n_segments=20)
    assert not session.is_busy


def test_switching_images_is_no_cancellation_by_the_user(session):
    session.set_input(given(pixels=np.random.default_rng(0).random((1500, 1500))))
    session.segment()
    session.set_input(given(source="b", key="b"))
    session.wait()
    assert session.n_cancelled == 0


def test_going_back_after_a_failure_tells_the_result_again(session):
    session.set_input(given())
    session.segment()
    session.wait()
    session.update(n_segments=1_000_000)
    session.wait()
    session.update(n_segments=12)
    assert len(session.errors) == 1
    assert session.results[-1] is session.results[0]
    assert len(session.results) == 2
    assert not session.is_busy


MERGE = (Merge(((5, 5), (5, 6))),)


def test_restored_parameters_are_not_computed(session):
    session.set_input(given())
    session.segment()
    session.wait()
    session.update(n_segments=20)
    session.wait()
    with assert_emitted_once_with(session.params_changed, RAW, RAW.updated(n_segments=20)):
        session.restore(RAW)
    assert not session.is_busy
    session.update_view(live=False)
    session.update_view(live=True)
    assert not session.is_busy


def test_restored_parameters_are_followed(session):
    session.set_input(given())
    session.segment()
    session.wait()
    session.restore(RAW.updated(n_segments=20))
    session.update(n_segments=12)
    session.wait()
    assert [result.n_segments for result in session.results] == [12, 12]


def test_restoring_drops_what_is_on_its_way(session):
    session.set_input(given(pixels=np.random.default_rng(0).random((600, 600))))
    session.segment()
    session.restore(RAW.updated(n_segments=20))
    session.wait()
    assert session.results == []
    assert session.n_cancelled == 0


def test_restoring_drops_a_result_that_waits_for_the_main_thread():
    waiting = []
    session = Session(RAW, dispatch=waiting.append)
    results = []
    session.solved.connect(results.append)
    session.set_input(given())
    session.segment()
    wait_for_last(session, waiting)
    session.restore(RAW.updated(n_segments=20))
    for function in waiting:
        function()
    session.close()
    assert results == []


def test_corrections_are_not_computed_again(session):
    session.set_input(given())
    session.segment()
    session.wait()
    session.set_corrections(MERGE)
    assert session.inputs.corrections == MERGE
    assert not session.is_busy
    session.update_view(live=False)
    session.update_view(live=True)
    assert not session.is_busy


def test_corrections_are_in_the_next_result(session):
    session.set_input(given())
    session.segment()
    session.wait()
    session.set_corrections(MERGE)
    session.update(n_segments=20)
    session.wait()
    assert session.result.inputs.corrections == MERGE


def test_corrections_keep_changed_parameters_waiting(session):
    session.set_input(given())
    session.segment()
    session.wait()
    session.update_view(live=False)
    session.update(n_segments=20)
    session.set_corrections(MERGE)
    session.update_view(live=True)
    session.wait()
    assert session.result.params.n_segments == 20


def test_a_result_without_the_latest_corrections_is_computed_again(session):
    session.set_input(given(pixels=np.random.default_rng(0).random((300, 300))))
    session.segment()
    session.set_corrections(MERGE)
    session.wait()
    assert [result.inputs.corrections for result in session.results] == [MERGE]


def test_a_result_that_corrections_overtook_is_computed_again():
    waiting = []
    session = Session(RAW, dispatch=waiting.append)
    results = []
    session.solved.connect(results.append)
    session.set_input(given())
    session.segment()
    wait_for_last(session, waiting)
    session.set_corrections(MERGE)
    while not results:
        while waiting:
            waiting.pop(0)()
        time.sleep(0.01)
    session.close()
    assert [result.inputs.corrections for result in results] == [MERGE]


def test_the_result_of_a_plane_left_meanwhile_leaves_the_plane_at_hand_alone():
    """Its corrections are its own: those of the plane at hand say nothing of it."""
    waiting = []
    session = Session(RAW, dispatch=waiting.append)
    results = []
    session.solved.connect(results.append)
    session.update_view(live=False)
    session.set_input(given())
    session.segment()
    wait_for_last(session, waiting)
    session.set_input(given(key="plane 2", pixels=IMAGE[::-1]))
    session.set_corrections(MERGE)
    while waiting:
        waiting.pop(0)()
    assert not session.is_busy
    session.close()
    assert [(result.inputs.key, result.inputs.corrections) for result in results] == [("a", ())]


def test_corrections_without_an_image(session):
    session.set_corrections(MERGE)
    assert session.inputs is None


def test_recall_computes_without_showing(session):
    recalled = []
    session.recalled.connect(recalled.append)
    session.set_input(given())
    session.recall()
    session.wait()
    assert session.results == []
    assert [result.n_segments for result in recalled] == [12]
    assert session.result is recalled[0]


def test_recall_leaves_a_running_computation_alone(session):
    recalled = []
    session.recalled.connect(recalled.append)
    session.set_input(given(pixels=np.random.default_rng(0).random((300, 300))))
    session.segment()
    session.recall()
    session.wait()
    assert len(session.results) == 1
    assert recalled == []


@pytest.mark.parametrize("drop", [lambda session: session.restore(RAW), Session.forget, Session.cancel])
def test_recall_does_not_wait_for_what_was_dropped(session, drop):
    recalled = []
    session.recalled.connect(recalled.append)
    session.set_input(given())
    hold, run = threading.Event(), session._pipeline.run

    def run_later(*arguments, **options):
        hold.wait(WAIT)
        return run(*arguments, **options)

    session._pipeline.run = run_later
    session.segment()
    drop(session)
    session.recall()
    hold.set()
    session.wait()
    assert len(recalled) == 1
    assert session.results == []


def test_going_back_after_a_failure_shows_the_corrections_too(session):
    session.set_input(given())
    session.segment()
    session.wait()
    session.set_corrections(MERGE)
    session.update(n_segments=1_000_000)
    session.wait()
    session.update(n_segments=12)
    session.wait()
    assert session.results[-1].inputs.corrections == MERGE


def test_segment_is_not_put_off_by_a_recall_nor_asked_for_twice(session):
    session.set_input(given())
    hold = threading.Event()
    run = session._pipeline.run

    def run_later(*arguments, **options):
        hold.wait(WAIT)
        return run(*arguments, **options)

    session._pipeline.run = run_later
    session.recall()
    session.segment()
    session.segment()
    hold.set()
    session.wait()
    assert len(session.results) == 1


def test_a_visited_plane_keeps_its_superpixels_and_brings_its_parameters(session):
    recalled = []
    session.recalled.connect(recalled.append)
    session.set_input(given(key="a"))
    session.segment()
    session.wait()
    n_results = len(session.results)
    session.visit(given(key="b"), RAW.updated(n_segments=7))
    session.wait()
    assert (session.params.n_segments, session.result.n_segments) == (7, 7)
    assert len(session.results) == n_results
    assert [result.inputs.key for result in recalled] == ["b"]
    session.visit(given(key="c"), None)
    assert (session.result, session.params.n_segments) == (None, 7)
