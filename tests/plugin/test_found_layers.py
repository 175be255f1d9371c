"""Layers of one image are never taken for another's, whatever the images are called."""

import numpy as np
import pytest
from napari.layers import Labels

from napari_superpixels.plugin.correct_dock import CorrectDock
from napari_superpixels.plugin.dock import SegmentDock
from napari_superpixels.plugin.regions import shown_region
from napari_superpixels.plugin.workspace import open_workspace

from .correct_mouse import A, C, D, paint


@pytest.fixture
def another(viewer, solve, color_blocks):
    """Return a function that adds another image of the same name and shape, and cuts it."""

    def add():
        image = viewer.add_image(color_blocks[::-1].copy(), rgb=True, name="blocks")
        assert image.name == "blocks"
        solve()
        return image

    return add


def test_images_that_had_one_name_have_classes_of_their_own(viewer, correct, another) -> None:
    paint(correct, A, C)
    first = correct.layers
    first.image.name = "first slide"
    another()
    assert correct.layers.classes is not first.classes
    kept = first.annotation.classes.copy()
    assert kept.any()
    assert not correct.layers.annotation.classes.any()
    paint(correct, A, D)
    paint(correct, A, D, tool="erase")
    assert np.array_equal(first.annotation.classes, kept)


def test_classes_of_an_image_that_went_are_not_the_next_ones(viewer, correct, another) -> None:
    paint(correct, A, C)
    left = correct.layers.classes
    viewer.layers.remove("blocks")
    viewer.layers.remove("blocks superpixels")
    another()
    assert correct.layers.classes is not left
    assert not correct.layers.annotation.classes.any()
    assert left in viewer.layers
    assert left.data.any()


def test_superpixels_of_an_image_that_went_are_not_the_next_ones(viewer, correct, color_blocks) -> None:
    left = correct.layers.superpixels
    viewer.layers.remove("blocks")
    image = viewer.add_image(color_blocks[::-1].copy(), rgb=True, name="blocks")
    workspace = open_workspace(viewer)
    layers = workspace.attach(shown_region(image, viewer.dims), np.ones((60, 80), np.int32))
    assert layers.superpixels is not left
    assert left.data.max() == 12
    workspace.release()


def test_renamed_image_finds_its_classes_when_all_was_closed(viewer, correct, dock, qtbot) -> None:
    paint(correct, A, C)
    classes = correct.layers.classes
    correct.layers.image.name = "first slide"
    correct.close_session()
    dock.close_session()
    again_dock, again = SegmentDock(viewer), CorrectDock(viewer)
    for widget in (again_dock, again):
        qtbot.addWidget(widget)
    again_dock.session.update(model=None, n_segments=12)
    again_dock.segment()
    qtbot.waitUntil(lambda: again.layers is not None, timeout=20_000)
    assert again.layers.classes is classes
    again.close_session()
    again_dock.close_session()


def test_classes_from_a_file_are_taken_by_the_first_image_of_their_name(viewer, dock, another) -> None:
    made = {"napari_superpixels": {"image": "blocks", "view": "classes"}}
    loaded = viewer.add_layer(Labels(np.ones((60, 80), np.uint8), metadata=made))
    first = another()
    workspace = open_workspace(viewer)
    assert workspace.annotate(first).classes is loaded
    first.name = "first slide"
    assert workspace.annotate(another()).classes is not loaded
    workspace.release()
