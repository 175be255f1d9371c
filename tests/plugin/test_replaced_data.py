"""Data that others set on the layers of an annotation become acts of it, or are refused."""

import numpy as np
import pytest
from napari.layers._layer_actions import _convert_dtype

from .correct_mouse import A, B, C, paint, state


@pytest.fixture
def annotation(correct):
    return correct.layers.annotation


def last(annotation) -> str:
    return annotation.history.entries[-1].name


@pytest.mark.parametrize("dtype", ["int32", "uint8"])
def test_converted_classes_are_still_annotated(viewer, correct, annotation, dtype) -> None:
    paint(correct, A)
    classes, n_entries = correct.layers.classes, len(annotation.history.entries)
    viewer.layers.selection.active = classes
    _convert_dtype(viewer.layers, mode=dtype)
    assert classes.data is annotation.classes
    assert classes.data.dtype == np.uint8
    assert len(annotation.history.entries) == n_entries
    paint(correct, C)
    assert len(annotation.history.entries) == n_entries + 1
    assert np.count_nonzero(annotation.classes) == 800


def test_classes_set_by_others_are_one_act(correct, annotation) -> None:
    paint(correct, A)
    before, classes = state(correct), correct.layers.classes
    new = np.zeros((60, 80), np.int64)
    new[:30, 40:] = 4
    classes.data = new
    assert classes.data is annotation.classes
    assert np.array_equal(annotation.classes, new)
    assert (last(annotation), annotation.table.numbers) == ("Replace classes", (1, 4))
    assert annotation.index.pixels_per_class()[4] == 1200
    assert correct.layers.journal.has_unsaved_work
    correct.undo()
    assert state(correct) == before
    assert annotation.table.numbers == (1,)
    correct.redo()
    assert np.array_equal(classes.data, new)


def test_superpixels_set_by_others_are_one_act(correct, annotation) -> None:
    paint(correct, A, B, tool="merge")
    before, superpixels = state(correct), correct.layers.superpixels
    new = np.repeat(np.arange(1, 81), 60).reshape(80, 60).T.astype(np.uint16)
    superpixels.data = new
    assert superpixels.data is annotation.labels
    assert np.array_equal(annotation.labels, new)
    assert (len(annotation.index), last(annotation), annotation.corrections) == (80, "Replace superpixels", ())
    correct.undo()
    assert state(correct) == before
    assert len(annotation.corrections) == 1


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        (np.zeros((40, 80), np.uint8), "shape"),
        (np.zeros((3, 60, 80), np.uint8), "shape"),
        (np.full((60, 80), 300), "from 300 to 300; expected 0 to 255"),
        (np.full((60, 80), -1), "from -1 to -1"),
    ],
)
def test_classes_that_cannot_be_are_refused(viewer, correct, annotation, new, reason) -> None:
    paint(correct, A)
    before, classes, n_entries = state(correct), correct.layers.classes, len(annotation.history.entries)
    classes.data = new
    assert classes.data is annotation.classes
    assert state(correct) == before
    assert len(annotation.history.entries) == n_entries
    assert "'blocks classes' keeps what it had" in correct.panel.status.text()
    assert reason in correct.panel.status.text()
    assert viewer.dims.ndim == 2
    paint(correct, C)
    assert len(annotation.history.entries) == n_entries + 1


def test_numbers_of_superpixels_have_a_limit(correct, annotation) -> None:
    before = state(correct)
    correct.layers.superpixels.data = np.full((60, 80), 2**40)
    assert state(correct) == before
    assert "expected 0 to 4800" in correct.panel.status.text()


def test_data_set_on_an_image_with_channels(viewer, correct, dock, solve, color_blocks) -> None:
    viewer.add_image(np.moveaxis(color_blocks, 2, 0).copy(), name="stains")
    dock.source.channel_menu.setCurrentIndex(1)
    dock.source.channel_menu.activated.emit(1)
    solve()
    viewer.dims.set_current_step(0, 2)
    classes = correct.layers.classes
    new = np.zeros((3, 60, 80), np.uint8)
    new[2, 10:20] = 1
    classes.data = new
    assert classes.data is correct.layers.annotation.classes
    assert all(np.array_equal(plane, new[2]) for plane in classes.data)
    correct.undo()
    assert not classes.data.any()
