"""Writing into parts of a layer."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels

from napari_superpixels.plugin.partial import write_box, write_pixels

BOX = (slice(2, 5), slice(3, 7))


def write_masked(layer: Labels) -> None:
    mask = np.zeros((3, 4), bool)
    mask[1] = True
    write_box(layer, BOX, mask, np.full(4, 7))


def write_whole(layer: Labels) -> None:
    write_box(layer, BOX, None, np.full((3, 4), 7))


def write_some(layer: Labels) -> None:
    write_pixels(layer, (np.array([2, 4]), np.array([3, 6])), 7)


@pytest.mark.parametrize(("write", "n_pixels"), [(write_masked, 4), (write_whole, 12), (write_some, 2)])
def test_part_is_drawn_and_the_layer_list_left_alone(write, n_pixels) -> None:
    viewer = ViewerModel()
    layer = viewer.add_labels(np.zeros((8, 9), np.uint8))
    drawn, painted, told = [], [], []
    layer.events.labels_update.connect(drawn.append)
    layer.events.paint.connect(painted.append)
    viewer.layers.events.connect(told.append)
    write(layer)
    assert np.count_nonzero(layer.data == 7) == n_pixels
    assert len(drawn) == 1
    assert len(painted) == 1
    assert drawn[0].data.size < layer.data.size
    assert told == []
    layer.name = "other"
    assert "name" in {event.type for event in told}


def test_hidden_layer_is_written_too() -> None:
    viewer = ViewerModel()
    layer = viewer.add_labels(np.zeros((8, 9), np.uint8), visible=False)
    write_masked(layer)
    write_some(layer)
    assert np.count_nonzero(layer.data == 7) == 6
