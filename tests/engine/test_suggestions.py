import sys
import threading
import time

import numpy as np
import pytest

import napari_superpixels.engine.suggestions as suggestions_module
from napari_superpixels.engine.suggestions import (
    NONE_LEFT,
    NOT_READY,
    TOO_FEW,
    Suggester,
    Suggestions,
    class_probabilities,
)

from .following import Followed

WAIT = 120.0


class Plane(Followed):
    """An image of dark and bright blocks in 8 x 8 superpixels of 10 x 10 pixels, and a suggester."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.truth = np.zeros(65, np.uint8)
        self.truth[1:] = rng.integers(1, 3, 64)
        blocks = np.kron(np.arange(1, 65).reshape(8, 8), np.ones((10, 10), int))
        super().__init__((60 * self.truth[blocks] + rng.normal(0, 8, (80, 80))).astype(np.uint8))
        self.labels[:] = blocks
        self.suggester = Suggester(self, dispatch=lambda function: function())
        self.news: list = []
        self.has_news = threading.Event()
        self.suggester.suggested.connect(self.note)
        self.suggester.cleared.connect(lambda: self.note("cleared"))
        self.suggester.failed.connect(self.note)

    def note(self, news):
        self.news.append(news)
        self.has_news.set()

    def painted(self, n=3):
        """Return classes of the first few superpixels of each class."""
        class_of = np.zeros(65, np.uint8)
        for number in (1, 2):
            class_of[np.flatnonzero(self.truth == number)[:n]] = number
        return class_of

    def suggest(self, class_of):
        self.has_news.clear()
        self.suggester.suggest(class_of)
        assert self.has_news.wait(WAIT)
        return self.suggester.current


@pytest.fixture
def plane():
    plane = Plane()
    plane.start()
    yield plane
    plane.suggester.close()
    plane.close()


def test_the_rest_is_suggested(plane):
    painted = plane.painted()
    suggestions = plane.suggest(painted)
    assert plane.news == [suggestions]
    np.testing.assert_array_equal(suggestions.labels, np.flatnonzero(painted[1:] == 0) + 1)
    np.testing.assert_array_equal(suggestions.numbers, plane.truth[suggestions.labels])
    assert (suggestions.confidences >= 0.5).all()
    assert (suggestions.confidences <= 1).all()
    assert plane.suggester.missing == ""


def test_equal_strokes_give_equal_suggestions(plane):
    first, second = plane.suggest(plane.painted()), plane.suggest(plane.painted())
    assert first is not second
    np.testing.assert_array_equal(first.confidences, second.confidences)


@pytest.mark.parametrize(("numbers", "reason"), [([], TOO_FEW), ([1], TOO_FEW), ([1, 2], NONE_LEFT)])
def test_nothing_to_learn_or_to_suggest(plane, numbers, reason):
    plane.suggest(plane.painted())
    class_of = np.where(np.isin(plane.truth, numbers), plane.truth, 0).astype(np.uint8)
    assert plane.suggest(class_of) is None
    assert plane.news[-1] == "cleared"
    assert plane.suggester.missing == reason


def test_not_ready():
    plane = Plane()
    plane.suggester.suggest(plane.painted())
    assert plane.news == ["cleared"]
    assert plane.suggester.missing == NOT_READY
    plane.suggester.close()
    plane.close()


def test_rejected_classes_are_not_suggested_again(plane):
    suggestions = plane.suggest(plane.painted())
    label = int(suggestions.labels[4])
    number = suggestions.of(label).number
    plane.suggester.reject([label])
    assert plane.suggester.current.of(label) is None
    assert len(plane.news[-1]) == len(suggestions) - 1
    again = plane.suggest(plane.painted()).of(label)
    # The other class, with the confidence that it always had.
    assert again is None or (
        again.number != number and again.confidence == pytest.approx(1 - suggestions.of(label).confidence)
    )
    plane.suggester.clear_rejected()
    assert plane.suggest(plane.painted()).of(label) == suggestions.of(label)


def test_superpixels_that_were_edited_lose_their_suggestion(plane):
    suggestions = plane.suggest(plane.painted())
    plane.labels[70:, 70:75] = 99
    plane.note_labels(np.s_[70:, 70:75])
    assert plane.suggester.current.of(64) is None
    assert len(plane.suggester.current) == len(suggestions) - 1
    assert plane.suggest(plane.painted()).of(99) is not None


def test_edit_while_learning(plane, monkeypatch):
    go_on = threading.Event()
    learn = suggestions_module.class_probabilities

    def slow(*arguments):
        assert go_on.wait(WAIT)
        return learn(*arguments)

    monkeypatch.setattr(suggestions_module, "class_probabilities", slow)
    plane.suggester.suggest(plane.painted())
    plane.labels[70:, 70:75] = 99
    plane.note_labels(np.s_[70:, 70:75])
    go_on.set()
    assert plane.has_news.wait(WAIT)
    assert plane.suggester.current.of(64) is None
    assert plane.suggester.current.of(63) is not None


def test_only_the_latest_request_is_answered(plane, monkeypatch):
    go_on = threading.Event()
    learn = suggestions_module.class_probabilities

    def slow(*arguments):
        assert go_on.wait(WAIT)
        return learn(*arguments)

    monkeypatch.setattr(suggestions_module, "class_probabilities", slow)
    for n in (1, 2, 4):
        plane.suggester.suggest(plane.painted(n))
    go_on.set()
    assert plane.has_news.wait(WAIT)
    assert [len(news) for news in plane.news] == [64 - 8]


def test_other_superpixels_have_no_suggestions(plane):
    plane.suggest(plane.painted())
    plane.start()
    assert plane.suggester.current is None
    assert plane.news[-1] == "cleared"
    plane.suggest(plane.painted())
    plane.suggester.stop()
    assert plane.suggester.current is None
    assert plane.suggester.missing == ""


def test_error_is_told(plane, monkeypatch):
    def fail(*arguments):
        raise MemoryError("too little memory")

    monkeypatch.setattr(suggestions_module, "class_probabilities", fail)
    plane.suggest(plane.painted())
    deadline = time.monotonic() + WAIT
    while len(plane.news) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert plane.news[0] == "cleared"
    assert str(plane.news[1]) == "too little memory"


def test_parts_of_suggestions():
    suggestions = Suggestions(
        np.array([2, 5, 9], np.int32), np.array([1, 3, 1], np.uint8), np.array([0.5, 0.75, 1.0], np.float32)
    )
    assert suggestions.above(0.75).labels.tolist() == [5, 9]
    assert suggestions.among([9, 2, 4]).labels.tolist() == [2, 9]
    assert suggestions.without([9]).labels.tolist() == [2, 5]
    assert {number: labels.tolist() for number, labels in suggestions.by_class().items()} == {1: [2, 9], 3: [5]}
    assert suggestions.of(5).confidence == 0.75
    assert suggestions.of(4) is suggestions.of(10) is None
    numbers, confidences = suggestions.maps(7)
    assert numbers.tolist() == [0, 0, 1, 0, 0, 3, 0, 0]
    assert confidences.tolist() == [0, 0, 0.5, 0, 0, 0.75, 0, 0]


def test_probabilities_of_each_class():
    rng = np.random.default_rng(0)
    class_of = rng.integers(1, 4, 90).astype(np.uint8) * 10
    features = (rng.normal(0, 0.1, (90, 5)) + class_of[:, None]).astype(np.float32)
    painted = np.where(np.arange(90) < 30, class_of, 0).astype(np.uint8)
    numbers, probabilities = class_probabilities(features, painted, np.arange(30, 90))
    assert numbers.tolist() == [10, 20, 30]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(numbers[probabilities.argmax(axis=1)], class_of[30:])


def test_library_is_imported_by_the_worker_alone():
    import subprocess

    code = "import sys, napari_superpixels.engine.suggestions; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=300).returncode == 0
