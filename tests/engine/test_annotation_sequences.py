"""Whatever is done in whatever order: every state that is visited again is the same to the byte."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psygnal import EmitLoopError
from skimage.measure import label as connected_components

from napari_superpixels.core.strokes import pixel_path, pixels_inside
from napari_superpixels.engine.annotation import Annotation
from napari_superpixels.engine.annotation_core import PlaneState
from napari_superpixels.engine.corrections import holds
from napari_superpixels.engine.history import Entry
from napari_superpixels.engine.journal import Journal, JournaledImage
from napari_superpixels.engine.journal_reading import restore

from .annotation_cases import TABLE, assert_index_is_exact
from .journal_acts import facts
from .solved_cases import SHAPE, Solver

SOLVER = Solver()


def state(subject):
    """Everything that undo must bring back; the superpixels of each plane for themselves."""
    stored = subject.snapshot()
    labels = {place: stored.labels[place].tobytes() for place in np.ndindex(stored.labels.shape[:-2])}
    planes = {position: plane for position, plane in stored.planes.items() if plane != PlaneState()}
    return labels, stored.classes.tobytes(), stored.table, planes


class Annotator:
    """Does something at random, and remembers what was there after each entry."""

    def __init__(self, seed, n_planes=0):
        self.rng = np.random.default_rng(seed)
        self.n_planes = n_planes
        shape = (n_planes, *SHAPE) if n_planes else SHAPE
        self.subject = Annotation(np.zeros(shape, np.int32), np.zeros(shape, np.uint8), table=TABLE)
        self.subject.accept(SOLVER.result())
        self.states = {0: state(self.subject)}
        self.n_beginnings = 0
        self.subject.began.connect(self.note_beginning)

    def note_beginning(self, entry):
        """Whatever is undone or redone from now on, the plane has these superpixels then."""
        self.n_beginnings += 1
        place = tuple(i for i in entry.plane if i is not None)
        old, new = (side.array().tobytes() for side in (entry.deltas[0].old, entry.deltas[0].new))
        for labels, _, _, planes in self.states.values():
            plane = planes.get(entry.plane, PlaneState())
            assert labels[place] == old
            assert plane == PlaneState(**entry.before), "a hand was there"
            labels[place] = new
            planes[entry.plane] = replace(plane, **entry.after)

    def point(self):
        return tuple(int(self.rng.integers(n)) for n in SHAPE)

    def path(self, n=2):
        first = np.array(self.point())
        return pixel_path([first, *(first + self.rng.integers(-9, 10, (n - 1, 2)))], SHAPE)

    def label(self):
        return int(self.rng.choice(self.subject.index.labels)) if len(self.subject.index) else 0

    def number(self):
        return int(self.rng.choice([0, *self.subject.table.numbers]))

    def paint(self):
        self.subject.paint([self.label(), self.label()], self.number())

    def fill(self):
        if len(self.subject.index):
            self.subject.fill(self.label(), self.number())

    def lasso(self):
        rule = str(self.rng.choice(["center", "any", "all"]))
        self.subject.paint_inside(*pixels_inside([self.point() for _ in range(4)], SHAPE), self.number(), rule)

    def stroke(self):
        self.subject.begin_stroke()
        for _ in range(4):
            self.paint()
        if self.rng.random() < 0.3:
            self.subject.cancel_stroke()
        else:
            self.subject.end_stroke()

    def merge(self):
        self.subject.merge(self.path())

    def split(self):
        self.subject.split([self.path(), self.path()])

    def cut(self):
        self.subject.cut(self.path(3))

    def assign(self):
        self.subject.assign(self.path(), self.point())

    def add_seed(self):
        self.subject.add_seed(self.point())

    def remove_seed(self):
        self.subject.remove_seed(self.point())

    def split_mixed(self):
        if self.rng.random() < 0.3:
            self.subject.split_all_mixed()
        elif len(self.subject.index):
            self.subject.split_mixed(self.label())

    def brush(self):
        array = str(self.rng.choice(["labels", "classes"]))
        whole = self.subject.labels if array == "labels" else self.subject.classes
        value = self.rng.choice([self.label(), int(whole.max()) + 3, 0]) if array == "labels" else self.rng.integers(6)
        row, column = self.point()
        mask = np.zeros(whole.shape, bool)
        plane = tuple(slice(None) if i is None else i for i in self.subject.plane)
        mask[plane][row : row + 4, column : column + 6] = True
        indices = np.nonzero(mask & (whole != value))
        old = whole[indices].copy()
        whole[indices] = value
        self.subject.note_brush(array, indices, old, whole[indices].copy())

    def resegment(self):
        changes = {"n_segments": int(self.rng.integers(5, 70)), "regularity": float(self.rng.choice([0.2, 0.5]))}
        self.subject.accept(SOLVER.result(self.subject.corrections, **changes))

    def check(self):
        if len(self.subject.index):
            self.subject.mark_checked(self.label(), bool(self.rng.random() < 0.7))

    def table(self):
        number = int(self.rng.choice(self.subject.table.numbers)) if len(self.subject.table) else 0
        act = int(self.rng.integers(3))
        if act == 0 or not number:
            self.subject.add_class()
        elif act == 1:
            self.subject.recolor_class(number, tuple(self.rng.integers(256, size=3).tolist()))
        else:
            self.subject.remove_class(number)

    def plane(self):
        if self.n_planes:
            self.subject.set_plane((int(self.rng.integers(self.n_planes)), slice(None), slice(None)))

    def look_elsewhere(self):
        if self.n_planes:
            here = self.subject.plane
            self.plane()
            self.resegment()
            self.subject.set_plane(tuple(slice(None) if i is None else i for i in here))

    def undo(self):
        self.subject.undo()

    def redo(self):
        self.subject.redo()

    def jump(self):
        self.subject.go_to(int(self.rng.integers(len(self.subject.history.entries) + 1)))

    def act(self, name):
        getattr(self, name)()
        position, now = self.subject.history.position, state(self.subject)
        if name in ("undo", "redo", "jump") or self.subject.history.can_redo:
            assert now == self.states[position]
        else:
            # Nothing beyond a new entry can be reached again.
            self.states = {place: one for place, one in self.states.items() if place < position} | {position: now}
        self.check_facts()

    def check_facts(self):
        assert_index_is_exact(self.subject)
        labels = self.subject.labels_plane
        assert all(holds(correction, labels) for correction in self.subject.corrections)
        assert connected_components(labels, connectivity=1, background=0).max() == len(self.subject.index)


ACTS = (
    *("paint", "fill", "lasso", "stroke", "merge", "split", "cut", "assign", "add_seed", "remove_seed", "split_mixed"),
    *("brush", "resegment", "check", "table", "plane", "look_elsewhere", "undo", "redo", "jump"),
)


def run(acts, seed, n_planes=0):
    annotator = Annotator(seed, n_planes)
    for name in acts:
        annotator.act(name)
    return annotator


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(ACTS), min_size=1, max_size=25), st.integers(0, 2**32 - 1), st.sampled_from([0, 2, 3]))
def test_undoing_and_redoing_everything_visits_the_same_states(acts, seed, n_planes):
    annotator = run(acts, seed, n_planes)
    subject = annotator.subject
    subject.go_to(len(subject.history.entries))
    for position in range(subject.history.position - 1, -1, -1):
        subject.undo()
        assert state(subject) == annotator.states[position]
        annotator.check_facts()
    for position in range(1, len(subject.history.entries) + 1):
        subject.redo()
        assert state(subject) == annotator.states[position]


@pytest.mark.parametrize("seed", range(6))
def test_a_long_day_survives_being_stored(seed):
    annotator = run(np.random.default_rng(seed).choice(ACTS, 120), seed, n_planes=seed % 3)
    subject = annotator.subject
    stored = subject.snapshot()
    entries = [Entry.from_bytes(entry.to_bytes()) for entry in stored.entries]
    for entry in entries:
        json.dumps([entry.before, entry.after])
    other = Annotation(np.zeros_like(subject.labels), np.zeros_like(subject.classes))
    other.restore(stored)
    other.history.load(entries, stored.position)
    for position in (len(entries), 0, len(entries)):
        other.go_to(position)
        subject.go_to(position)
        assert state(other) == state(subject) == annotator.states[position]


@pytest.mark.parametrize("seed", range(4))
def test_a_long_day_on_many_planes_survives_a_crash(tmp_path, seed):
    annotator = Annotator(seed, n_planes=8)
    subject = annotator.subject
    image = JournaledImage(np.zeros(subject.labels.shape, np.uint8), "stack")
    journal = Journal(subject, tmp_path, image, min_log_bytes=[10_000, 2**24][seed % 2])
    for name in np.random.default_rng(seed).choice(ACTS, 120):
        annotator.act(name)
    assert annotator.n_beginnings > 3
    assert journal.flush()
    found = restore(journal.path)
    assert (found.is_torn, found.notes) == (False, ())
    assert facts(found.state) == facts(subject.snapshot())
    journal.close()


@pytest.mark.parametrize(
    "signal",
    ["labels_changed", "corrections_changed", "params_changed", "classes_changed", "table_changed", "history_changed"],
)
def test_a_listener_that_fails_leaves_nothing_halfway(signal):
    subject = Annotation(np.zeros(SHAPE, np.int32), np.zeros(SHAPE, np.uint8), table=TABLE)
    told = []
    for name in ("committed", "undone", "redone"):
        getattr(subject, name).connect(lambda entry, name=name: told.append((name, entry.name)))
    subject.accept(SOLVER.result())
    states = [state(subject)]
    subject.merge(pixel_path([(5, 5), (25, 25)], SHAPE))
    states.append(state(subject))
    subject.accept(SOLVER.result(n_segments=40, corrections=subject.corrections))
    states.append(state(subject))
    subject.paint([1, 2])
    states.append(state(subject))
    subject.remove_class(1)
    states.append(state(subject))
    names = [entry.name for entry in subject.history.entries]

    def fail(*_):
        raise RuntimeError("a listener")

    getattr(subject, signal).connect(fail)
    told.clear()
    n_failed = 0
    for move, step, name in ((subject.undo, -1, "undone"), (subject.redo, 1, "redone")):
        for _ in names:
            position = subject.history.position
            try:
                move()
            except EmitLoopError:
                n_failed += 1
            assert subject.history.position == position + step
            assert state(subject) == states[position + step]
            assert told.pop() == (name, names[min(position, position + step)])
    assert n_failed >= 2
    assert told == []
