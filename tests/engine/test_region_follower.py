"""The model of the superpixels at hand: made in a worker, brought up to date after edits, never of what is gone."""

import threading
import time

import numpy as np
import pytest

import napari_superpixels.engine.region_follower as follower_module
from napari_superpixels.core.eikonal import new_cancel_flag
from napari_superpixels.engine.region_follower import RegionFollower
from napari_superpixels.engine.region_model import plane_maps, region_model

from .following import Followed, assert_models_equal, solved


@pytest.fixture
def followed(color_blocks):
    followed = Followed(color_blocks)
    yield followed
    followed.close()


def made_anew(result, labels):
    return region_model(plane_maps(result), np.ascontiguousarray(labels), new_cancel_flag())


def test_model_is_that_of_the_labels(followed):
    followed.start()
    assert followed.told == ["rebuilt"]
    assert_models_equal(followed.model, made_anew(followed.result, followed.labels))


def test_edit_is_taken_over_at_once(followed):
    followed.start()
    first, second = followed.model.graph.edges[0]
    where = np.nonzero(followed.labels == second)
    followed.labels[where] = first
    followed.note_labels(np.s_[:, :])
    changed = followed.told[-1]
    np.testing.assert_array_equal(changed, [first, second])
    anew = made_anew(followed.result, followed.labels)
    assert_models_equal(followed.model, anew, same_tree=False)
    assert second not in followed.model.tree.labels


def test_note_of_what_did_not_change_is_no_news(followed):
    followed.start()
    model = followed.model
    followed.note_labels(np.s_[3:40, 5:9])
    assert followed.model is model
    assert followed.told == ["rebuilt"]


def test_undone_edit_leads_back(followed):
    followed.start()
    model, box = followed.model, np.s_[10:20, 10:30]
    old = followed.labels[box].copy()
    followed.labels[box] = 99
    followed.note_labels(box)
    assert followed.model.graph.sizes[99] == 200
    followed.labels[box] = old
    followed.note_labels(box)
    assert_models_equal(followed.model, model, same_tree=False)


def test_edit_while_the_model_is_made_is_taken_over_then(followed, monkeypatch):
    go_on = threading.Event()
    build = follower_module.region_model

    def slow(*arguments):
        assert go_on.wait(20)
        return build(*arguments)

    monkeypatch.setattr(follower_module, "region_model", slow)
    followed.set_plane(followed.result, followed.labels)
    followed.labels[5:15, 5:15] = 77
    followed.note_labels(np.s_[5:15, 5:15])
    assert not followed.is_ready
    go_on.set()
    followed.wait()
    assert followed.model.graph.sizes[77] == 100
    assert_models_equal(followed.model, made_anew(followed.result, followed.labels), same_tree=False)


def test_large_change_is_made_anew_in_the_worker(followed, monkeypatch):
    monkeypatch.setattr(follower_module, "_MAX_WINDOW", 100)
    followed.start()
    followed.labels[:, :40] = 1
    followed.note_labels(np.s_[:, :])
    assert followed.told == ["rebuilt", "cleared"]
    followed.wait()
    assert_models_equal(followed.model, made_anew(followed.result, followed.labels))


def test_only_the_latest_plane_counts(followed, noisy_disks):
    other = solved(noisy_disks, key="b")
    for _ in range(3):
        followed.set_plane(followed.result, followed.labels)
    followed.set_plane(other)
    followed.wait()
    assert followed.told == ["rebuilt"]
    assert_models_equal(followed.model, made_anew(other, other.superpixels.labels))


def test_no_plane(followed):
    followed.note_labels(np.s_[:, :])
    followed.start()
    followed.set_plane(None)
    followed.set_plane(None)
    assert followed.told == ["rebuilt", "cleared"]
    assert followed.model is None


def test_error_is_told(followed, monkeypatch):
    def fail(*arguments):
        raise MemoryError("too little memory")

    monkeypatch.setattr(follower_module, "region_model", fail)
    failures = []
    followed.failed.connect(failures.append)
    followed.set_plane(followed.result)
    deadline = time.monotonic() + 20
    while not failures and time.monotonic() < deadline:
        time.sleep(0.01)
    assert str(failures[0]) == "too little memory"
    assert not followed.is_ready


def test_colours_are_computed_once_per_plane(followed, monkeypatch):
    followed.start()
    plane = followed.model.plane
    monkeypatch.setattr("napari_superpixels.engine.region_model.pixel_features", None)
    followed.set_plane(solved(followed.pixels, n_segments=20), None)
    followed.wait()
    assert followed.model.plane is plane
    assert followed.model.tree.n_leaves == 20


@pytest.mark.parametrize("labels", [np.ones((3, 3), np.int32), np.ones((60, 80), np.int64)])
def test_labels_of_another_plane_are_refused(followed, labels):
    with pytest.raises(ValueError, match="expected int32 of a plane"):
        followed.set_plane(followed.result, labels)


def test_nothing_follows_a_close(color_blocks):
    followed = Followed(color_blocks)
    followed.set_plane(followed.result)
    followed.close()
    time.sleep(0.3)
    assert followed.told == []


def test_default_dispatch_reaches_the_main_thread(color_blocks):
    queue: list = []
    follower = RegionFollower(queue.append)
    follower.set_plane(solved(color_blocks))
    deadline = time.monotonic() + 20
    while not queue and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not follower.is_ready
    queue.pop(0)()
    assert follower.is_ready
    follower.close()
