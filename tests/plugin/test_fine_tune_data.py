"""What a viewer holds as training data: annotations, image and Labels layers, stacks, lazy arrays."""

import dask.array as da
import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_superpixels.engine.fine_tune_rows import examine
from napari_superpixels.errors import ImageError
from napari_superpixels.plugin.fine_tune_rows import (
    annotated_segments,
    annotation_row,
    layers_row,
    region_of,
)
from napari_superpixels.plugin.regions import shown_region


def test_parts_of_classes_are_segments_and_merged_superpixels_stay_whole() -> None:
    superpixels = np.array([[1, 1, 2, 2, 3, 3, 4]])
    classes = np.array([[1, 1, 1, 1, 2, 0, 1]], np.uint8)
    segments, annotated = annotated_segments(superpixels, classes)
    assert segments.tolist() == [[1, 1, 1, 1, 2, 0, 3]]
    assert annotated.tolist() == [[True] * 5 + [False, True]]
    segments, annotated = annotated_segments(superpixels, classes, {2, 3})
    assert segments.tolist() == [[1, 1, 2, 2, 3, 0, 4]]
    assert annotated.tolist() == [[True] * 5 + [False, True]]


def test_annotation_is_read_anew_with_what_was_painted_since(correct, qtbot) -> None:
    layers = correct.layers
    annotation = layers.annotation
    annotation.add_class("one")
    annotation.add_class("two")
    first, second = annotation.table.numbers[:2]
    annotation.current_class = first
    annotation.paint([int(annotation.labels_plane[0, 0])])
    row = annotation_row(layers, {"blocks"})
    assert row.name == "blocks-2"
    assert region_of(row).layer is layers.image
    few = examine(row)
    assert "one segment without a border" in few.problem
    annotation.current_class = second
    annotation.paint([int(annotation.labels_plane[-1, -1])])
    more = examine(row)
    assert more.problem == ""
    assert 0 < few.share_annotated < more.share_annotated < 1
    item = row.read()
    assert set(np.unique(item.labels)) == {0, 1, 2}
    assert np.array_equal(item.annotated, annotation.classes_plane > 0)
    assert item.rgb
    assert np.array_equal(item.pixels, layers.image.data)


def test_merged_superpixels_of_one_class_are_objects(correct) -> None:
    annotation = correct.layers.annotation
    if not len(annotation.table):
        annotation.add_class("thing")
    labels = annotation.labels_plane
    # Two of the blocks of the first row become one; a third beside them has their class but stays itself.
    row = labels.shape[0] // 6
    columns = [int(np.flatnonzero(labels[row] == label).mean()) for label in dict.fromkeys(labels[row].tolist())]
    annotation.merge([(row, column) for column in range(columns[0], columns[1] + 1)])
    annotation.paint([int(labels[row, columns[1]]), int(labels[row, columns[2]])])
    item = annotation_row(correct.layers, ()).read()
    assert item.labels[row, columns[0]] == item.labels[row, columns[1]] != item.labels[row, columns[2]]
    assert item.labels[row, columns[2]] > 0


@pytest.mark.parametrize("zero", ["segment", "unannotated"])
def test_label_0_is_background_or_nothing(viewer, zero) -> None:
    labels = np.zeros((30, 40), np.int32)
    labels[5:15, 5:20] = 3
    labels[5:15, 20:30] = 8
    image = viewer.add_image(np.random.default_rng(0).integers(0, 60_000, (30, 40), np.uint16), name="grey")
    row = examine(layers_row(shown_region(image, viewer.dims), viewer.add_labels(labels), zero, ()))
    assert row.problem == ""
    assert row.shape == (30, 40)
    assert row.thumbnail.shape == (30, 40, 3)
    assert row.share_annotated == (1.0 if zero == "segment" else np.mean(labels > 0))
    assert (row.read().annotated is None) == (zero == "segment")


def test_plane_of_a_lazy_stack_is_read_in_the_worker_alone(viewer) -> None:
    read = []

    def plane(block_info):
        read.append(block_info[None]["chunk-location"][0])
        return np.random.default_rng(read[-1]).random((1, 24, 32))

    stack = da.map_blocks(plane, chunks=((1,) * 4, (24,), (32,)), dtype=float)
    labels = np.ones((4, 24, 32), np.int32)
    labels[:, 12:] = 2
    image = viewer.add_image(stack, name="stack", contrast_limits=(0, 1))
    layer = viewer.add_labels(da.from_array(labels, chunks=(1, 24, 32)), name="truth")
    viewer.dims.set_point(0, 2)
    read.clear()
    row = layers_row(shown_region(image, viewer.dims), layer, "segment", ())
    assert read == []
    assert row.name == "stack 2"
    found = examine(row)
    assert set(read) == {2}
    assert (found.problem, found.shape, found.share_annotated) == ("", (24, 32), 1.0)


def test_channels_come_with_their_axis(viewer) -> None:
    image = viewer.add_image(np.random.default_rng(0).random((3, 20, 24)), name="stains")
    labels = np.ones((20, 24), np.int32)
    labels[10:] = 2
    row = layers_row(shown_region(image, viewer.dims, 0), viewer.add_labels(labels), "segment", ())
    item = row.read()
    assert (item.pixels.shape, item.channel_axis, item.labels.shape) == ((3, 20, 24), 0, (20, 24))
    assert examine(row).problem == ""


def test_what_cannot_be_trained_on_is_refused_with_the_reason(viewer) -> None:
    levels = viewer.add_image([np.zeros((64, 64)), np.zeros((32, 32))], multiscale=True, name="levels")
    labels = viewer.add_labels(np.ones((64, 64), np.int32), name="other")
    with pytest.raises(ImageError, match="several resolution levels"):
        layers_row(shown_region(levels, viewer.dims), labels, "segment", ())
    small = viewer.add_image(np.zeros((20, 20)), name="small")
    with pytest.raises(ImageError, match="shape"):
        layers_row(shown_region(small, viewer.dims), labels, "segment", ())
    volume = viewer.add_image(np.zeros((5, 20, 20)), name="volume")
    viewer.dims.ndisplay = 3
    with pytest.raises(ImageError, match="two dimensions"):
        layers_row(shown_region(volume, viewer.dims), Labels(np.ones((5, 20, 20), int)), "segment", ())


def test_image_that_was_exchanged_for_a_smaller_one_is_a_problem_of_its_row(viewer) -> None:
    image = viewer.add_image(np.random.default_rng(0).random((30, 30)), name="grey")
    row = layers_row(shown_region(image, viewer.dims), viewer.add_labels(np.ones((30, 30), int)), "segment", ())
    image.data = np.zeros((10, 10))
    assert "changed its size" in examine(row).problem
    assert isinstance(region_of(row).layer, Image)
