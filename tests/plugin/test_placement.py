"""Layers follow an image that is scaled, moved or turned, at once."""

import numpy as np
import pytest
from napari.layers import Points

from napari_superpixels.plugin.old_and_new import OldAndNew
from napari_superpixels.plugin.regions import shown_region

from .correct_mouse import A, FakeMouse, paint

CHANGES = [
    {"scale": (2, 3)},
    {"translate": (-4, 10)},
    {"rotate": 30},
    {"shear": [0.5]},
    {"affine": [[1, 0.5, 3], [0, 2, -1], [0, 0, 1]]},
]


def place(image, change) -> None:
    for name, value in change.items():
        setattr(image, name, value)


def is_over(layer, image, pixel=(7, 40), corner=0) -> bool:
    """Say whether a layer shows an image's pixel where the image does."""
    return np.allclose(layer.data_to_world(np.subtract(pixel, corner)), image.data_to_world(pixel))


@pytest.mark.parametrize("change", CHANGES)
def test_annotation_and_cursor_follow_the_image(viewer, correct, change) -> None:
    paint(correct, A)
    layers = correct.layers
    FakeMouse(layers.classes).hover(A)
    place(layers.image, change)
    cursor = viewer.layers["blocks cursor"]
    assert all(is_over(layer, layers.image) for layer in (*layers.layers, cursor))
    assert np.allclose(layers.to_plane(layers.image.data_to_world((10, 50))), (10, 50))
    assert np.allclose(layers.to_world(10, 50), layers.image.data_to_world((10, 50)))


def test_classes_lie_over_an_image_that_moved_while_nobody_kept_them(correct) -> None:
    paint(correct, A)
    layers, workspace = correct.layers, correct._workspace
    workspace._close_annotation(next(iter(workspace._annotations)))
    layers.image.scale = (2, 2)
    correct.refresh()
    assert correct.layers is not layers
    assert correct.layers.classes is layers.classes
    assert is_over(correct.layers.classes, layers.image)


def test_pictures_follow_the_image(viewer, dock, solve, qtbot, color_blocks) -> None:
    image = viewer.add_image(color_blocks, rgb=True, name="blocks")
    dock.extras.set_wanted("seeds", True)
    dock.extras.set_wanted("arrival", True)
    dock.session.update_view(view_mode="mean-color")
    solve()
    qtbot.waitUntil(lambda: "blocks mean colour" in viewer.layers, timeout=10_000)
    image.scale = (2, 2)
    image.translate = (5, 1)
    others = [layer for layer in viewer.layers if layer is not image]
    assert len(others) == 4
    assert all(is_over(layer, image) for layer in others)
    assert any(isinstance(layer, Points) for layer in others)
    viewer.layers.remove(image)
    image.scale = (1, 1)
    viewer.add_layer(image)
    solve()
    # The superpixels were left to the user when their image went.
    assert all(is_over(layer, image) for layer in viewer.layers if layer.name != "blocks superpixels")


def test_comparison_follows_the_image(viewer, color_blocks) -> None:
    image = viewer.add_image(color_blocks, rgb=True, name="blocks")
    pair = OldAndNew(viewer)
    for side in ("before", "after"):
        pair.show(shown_region(image, viewer.dims), side, np.ones((60, 80), np.int32))
    image.scale = (0.5, 2)
    assert all(is_over(pair.layer(side), image) for side in ("before", "after"))
    pair.close()


def test_planes_follow_the_stack(viewer, dock, solve, noisy_disks) -> None:
    image = viewer.add_image(np.stack([noisy_disks] * 3), name="stack")
    dock.extras.set_wanted("arrival", True)
    viewer.dims.set_current_step(0, 2)
    solve()
    image.scale = (4, 2, 2)
    assert is_over(viewer.layers["stack superpixels"], image, (2, 7, 40))
    assert is_over(viewer.layers["stack arrival time"], image, (2, 7, 40), (2, 0, 0))
    image.data = noisy_disks
    image.scale = (3, 3)
