"""The comparison of a validation image hides what lies over that image, and nothing else."""

from types import SimpleNamespace

import numpy as np
import pytest

from napari_superpixels.data.training_folder import TrainingItem
from napari_superpixels.errors import ImageError
from napari_superpixels.plugin.belonging import belongs_to
from napari_superpixels.plugin.fine_tune_rows import layers_row
from napari_superpixels.plugin.fine_tune_views import Comparison, _Compared
from napari_superpixels.plugin.regions import shown_region

from .correct_mouse import A, paint


@pytest.fixture
def comparison(viewer, correct, color_blocks):
    """Return a comparison of the image of blocks, whose superpixels are there, and which is selected."""
    image = correct.layers.image
    labels = viewer.add_labels(np.ones((60, 80), np.uint8), name="truth")
    row = layers_row(shown_region(image, viewer.dims), labels, "segment", ())
    session = SimpleNamespace(rows=[row], is_of_rows=True)
    comparison = Comparison(viewer, session, lambda function: function())
    halves = np.kron([[1, 2]], np.ones((60, 40))).astype(np.int32)
    comparison._made[row.name] = _Compared(TrainingItem(row.name, color_blocks, halves, rgb=True), halves, halves)
    yield comparison
    comparison.close()


def test_layers_of_this_image_are_hidden_whatever_they_are_called(
    viewer, correct, comparison, solve, color_blocks
) -> None:
    paint(correct, A)
    correct.doubts.next()
    mine, image = correct.layers.layers, correct.layers.image
    cursor = viewer.layers["blocks cursor"]
    image.name = "renamed"
    twin = viewer.add_image(color_blocks, rgb=True, name="blocks")
    solve()
    others = [layer for layer in viewer.layers if layer.visible and belongs_to(layer, twin)]
    assert others
    assert all(belongs_to(layer, image) for layer in (*mine, cursor))
    assert not any(belongs_to(layer, image) for layer in (*others, viewer.layers["truth"]))
    comparison.show("blocks", "swipe")
    assert "renamed after" in viewer.layers
    assert not any(layer.visible for layer in mine)
    assert all(layer.visible for layer in others)
    comparison.clear()
    assert all(layer.visible for layer in (*mine, *others))


def test_an_image_that_cannot_be_shown_is_named(comparison, monkeypatch) -> None:
    def refuse(*_):
        raise ImageError("it has no plane here.")

    monkeypatch.setattr(comparison, "_region_of", refuse)
    told = []
    comparison.noted.connect(told.append)
    comparison.show("blocks", "blink")
    assert told == ["'blocks' cannot be compared: it has no plane here."]
