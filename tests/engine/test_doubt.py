import numpy as np
import pytest

from napari_superpixels.engine.doubt import Doubt

from .following import Followed


class Blocks(Followed):
    """A plane of 8 x 8 superpixels of 10 x 10 pixels, dark on the left and bright on the right."""

    def __init__(self, noise=0.0):
        pixels = np.full((80, 80), 40, np.uint8)
        pixels[:, 40:] = 200
        super().__init__(pixels)
        self.labels[:] = np.kron(np.arange(1, 65).reshape(8, 8), np.ones((10, 10), int))


@pytest.fixture
def plane():
    plane = Blocks()
    plane.doubt = Doubt(plane)
    yield plane
    plane.close()


def reasons(doubt):
    return {found.label: found.reason for found in doubt.ranking()}


def classes(**numbers):
    class_of = np.zeros(65, np.uint8)
    for name, number in numbers.items():
        class_of[int(name[1:])] = number
    return class_of


def test_regular_superpixels_raise_no_doubt(plane):
    plane.start()
    assert plane.doubt.n_doubtful() == 0
    assert plane.doubt.next_doubtful() is None
    assert plane.doubt.previous_doubtful() is None


def test_superpixel_across_an_edge(plane):
    plane.labels[plane.labels == 5] = 4
    plane.start()
    (found,) = plane.doubt.ranking()
    assert (found.label, found.reason) == (4, "straddles an edge")
    assert 0.3 <= found.score <= 1
    assert found.position == pytest.approx((4.5, 39.5))


def test_small_superpixel(plane):
    plane.labels[25:29, 25:29] = 77
    plane.start()
    (found,) = plane.doubt.ranking()
    assert (found.label, found.reason) == (77, "small")
    assert found.score == pytest.approx(0.3 * (1 - 16 / 25))


def test_mixed_classes(plane):
    plane.start()
    share = np.zeros(65, np.float32)
    share[[9, 30]] = 0.2, 0.4
    plane.doubt.set_classes(classes(_9=1, _30=2), share)
    ranking = list(plane.doubt.ranking())
    assert [(f.label, f.reason, round(f.score, 3)) for f in ranking] == [
        (30, "mixed classes", 0.9),
        (9, "mixed classes", 0.7),
    ]


def test_other_class_behind_a_weak_border(plane):
    plane.start()
    # 3 and 4 are both dark, 4 and 5 are not; 12 is dark like 4 and of its class.
    plane.doubt.set_classes(classes(_3=1, _4=2, _5=1, _12=2))
    assert reasons(plane.doubt) == {3: "weak border", 4: "weak border"}
    assert plane.doubt.next_doubtful().score == pytest.approx(1, abs=0.02)
    plane.doubt.set_classes(classes(_4=2, _5=1, _12=2))
    assert reasons(plane.doubt) == {}


def test_steps_through_the_ranking_and_back(plane):
    plane.start()
    share = np.zeros(65, np.float32)
    share[[9, 30, 41, 52]] = 0.4, 0.3, 0.2, 0.1
    plane.doubt.set_classes(classes(), share)
    doubt, way = plane.doubt, []
    found = doubt.next_doubtful()
    while found is not None:
        way.append(found.label)
        found = doubt.next_doubtful(found.label)
    assert way == [9, 30, 41, 52]
    assert [doubt.previous_doubtful(label) and doubt.previous_doubtful(label).label for label in way] == [
        None,
        9,
        30,
        41,
    ]
    assert doubt.next_doubtful(9, checked={30}).label == 41
    assert doubt.previous_doubtful(41, checked=[30]).label == 9
    assert doubt.next_doubtful(None, checked={9}).label == 30
    assert doubt.next_doubtful(4711).label == 9
    assert doubt.n_doubtful() == 4
    assert doubt.n_doubtful(checked=[30, 30, 4711]) == 3


def test_what_was_put_right_keeps_its_place(plane):
    plane.start()
    share = np.zeros(65, np.float32)
    share[[9, 30, 41]] = 0.4, 0.3, 0.2
    plane.doubt.set_classes(classes(), share)
    assert plane.doubt.next_doubtful(9).label == 30
    share[30] = 0
    plane.doubt.set_classes(classes(), share)
    assert plane.doubt.previous_doubtful(30).label == 9
    plane.doubt.next_doubtful(9)
    assert plane.doubt.next_doubtful(41) is None
    assert plane.doubt.next_doubtful(9).label == 41


def test_edit_changes_the_ranking(plane):
    plane.start()
    changes = []
    plane.doubt.changed.connect(lambda: changes.append(plane.doubt.n_doubtful()))
    old = plane.labels.copy()
    plane.labels[plane.labels == 5] = 4
    plane.note_labels(np.s_[:, :])
    plane.labels[:] = old
    plane.note_labels(np.s_[:, :])
    plane.labels[3, 3] = 999
    plane.note_labels(np.s_[3:4, 3:4])
    assert changes == [1, 0, 1]
    assert reasons(plane.doubt) == {999: "small"}
    plane.set_plane(None)
    assert changes == [1, 0, 1, 0]


def test_before_there_is_a_model(plane):
    plane.doubt.set_classes(classes(_3=1, _4=2))
    assert plane.doubt.next_doubtful() is None
    assert list(plane.doubt.ranking()) == []
    plane.start()
    assert reasons(plane.doubt) == {3: "weak border", 4: "weak border"}
