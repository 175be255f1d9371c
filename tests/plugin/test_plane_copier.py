"""Classes copied to the next plane of a stack, whose superpixels may have to be made first."""

import numpy as np
import pytest

from napari_superpixels.plugin.correct_dock import CorrectDock


def test_classes_are_copied_to_the_superpixels_of_the_next_plane(viewer, dock, solve, wait_result, noisy_disks) -> None:
    viewer.add_image(np.stack([noisy_disks, noisy_disks]), name="stack")
    correct = CorrectDock(viewer)
    viewer.window.add_dock_widget(correct, name="Correct")
    viewer.dims.set_point(0, 1)
    solve()
    viewer.dims.set_point(0, 0)
    solve()
    annotation = correct.layers.annotation
    annotation.paint_inside((slice(0, 96), slice(0, 48)), np.ones((96, 48), bool))
    correct.panel.copy_plane_requested.emit()
    assert viewer.dims.current_step[0] == 1
    assert annotation.plane == (1, None, None)
    assert annotation.history.last.name == "Copy from the plane before"
    # The planes are equal, and so are their superpixels.
    assert np.array_equal(annotation.labels[0], annotation.labels[1])
    assert np.array_equal(annotation.classes[0], annotation.classes[1])
    assert 0 < np.count_nonzero(annotation.classes[1]) < 96 * 96
    correct.undo()
    assert not annotation.classes[1].any()
    correct.close_session()


def test_a_plane_is_segmented_before_classes_are_copied_to_it(viewer, dock, solve, wait_result, noisy_disks) -> None:
    viewer.add_image(np.stack([noisy_disks, noisy_disks[::-1]]), name="stack")
    correct = CorrectDock(viewer)
    viewer.window.add_dock_widget(correct, name="Correct")
    viewer.dims.set_point(0, 0)
    solve()
    dock.session.update_view(live=False)
    annotation = correct.layers.annotation
    annotation.paint_inside((slice(0, 96), slice(0, 48)), np.ones((96, 48), bool))
    wait_result(correct.panel.copy_plane.click)
    assert annotation.plane == (1, None, None)
    assert [entry.name for entry in annotation.history.entries[1:]] == ["Copy from the plane before"]
    assert 0 < np.count_nonzero(annotation.classes[1]) < 96 * 96
    assert not len(annotation.index.mixed())
    correct.close_session()


@pytest.mark.parametrize("end", ["cancelled", "failed"])
def test_classes_are_not_copied_long_after_a_segmentation_that_did_not_come(
    viewer, dock, solve, wait_result, noisy_disks, end
) -> None:
    viewer.add_image(np.stack([noisy_disks, noisy_disks[::-1]]), name="stack")
    correct = CorrectDock(viewer)
    viewer.window.add_dock_widget(correct, name="Correct")
    viewer.dims.set_point(0, 0)
    solve()
    dock.session.update_view(live=False)
    annotation = correct.layers.annotation
    annotation.paint_inside((slice(0, 96), slice(0, 48)), np.ones((96, 48), bool))
    correct.copier.copy()
    dock.session.cancel()
    if end == "failed":
        correct.copier.copy()
        dock.session.failed.emit(MemoryError())
        dock.session.forget()
    viewer.dims.set_point(0, 1)
    solve()
    assert annotation.plane == (1, None, None)
    assert annotation.labels[1].any()
    assert not annotation.classes[1].any()
    correct.close_session()
