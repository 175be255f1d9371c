import numpy as np

from napari_superpixels.engine.plane_copy import classes_for_plane


def test_superpixels_take_the_class_of_most_of_their_pixels() -> None:
    labels = np.array([[1, 1, 1, 2, 2, 2, 3, 3, 0, 0]], np.int32)
    classes = np.array([[5, 5, 0, 0, 0, 5, 0, 0, 7, 0]], np.uint8)
    present = np.array([[1, 0, 0, 2, 2, 0, 0, 4, 0, 6]], np.uint8)
    found = classes_for_plane(classes, labels, present)
    assert found.tolist() == [[5, 5, 5, 2, 2, 0, 0, 4, 7, 6]]
    assert found.dtype == np.uint8


def test_planes_without_superpixels_take_the_pixels() -> None:
    classes = np.array([[1, 0], [2, 3]], np.uint8)
    nothing = np.zeros((2, 2), np.uint8)
    np.testing.assert_array_equal(classes_for_plane(classes, nothing.astype(np.int32), nothing), classes)
