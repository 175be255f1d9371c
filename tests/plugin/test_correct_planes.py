"""The Correct widget on stacks, channels, volumes and large planes."""

import numpy as np
import pytest

from napari_superpixels.plugin.correct_dock import SEGMENT_FIRST

from .correct_mouse import A, B, C, FakeMouse, paint


# napari looks at the layers before it tells plugins of three dimensions.
@pytest.mark.filterwarnings("ignore:Contours are not displayed")
def test_three_dimensions_are_refused_and_forgiven(viewer, correct, dock, solve, noisy_disks) -> None:
    viewer.add_image(np.stack([noisy_disks] * 3), name="stack")
    solve()
    assert correct.reason == ""
    correct.choose_tool("paint")
    viewer.dims.ndisplay = 3
    assert "two dimensions" in correct.reason
    assert correct.tools.active == ""
    viewer.dims.ndisplay = 2
    assert correct.reason == ""


def test_planes_of_a_stack_have_work_of_their_own(viewer, correct, dock, solve, wait_result, color_blocks) -> None:
    viewer.add_image(np.stack([color_blocks[..., 0]] * 3), name="stack", scale=(5, 2, 2))
    viewer.dims.set_current_step(0, 0)
    solve()
    paint(correct, A, C)
    paint(correct, A, B, tool="merge")
    wait_result(lambda: viewer.dims.set_current_step(0, 2))
    annotation = correct.layers.annotation
    assert annotation.plane == (2, None, None)
    assert annotation.corrections == ()
    paint(correct, (50, 10))
    counts = [int(np.count_nonzero(plane)) for plane in annotation.classes]
    assert counts[0] > 0
    assert counts[1] == 0
    assert counts[2] > 0
    wait_result(lambda: viewer.dims.set_current_step(0, 0))
    assert annotation.labels[0][A] == annotation.labels[0][B]
    assert len(annotation.corrections) == 1


def test_an_undone_segmentation_leaves_a_plane_without_superpixels(
    viewer, correct, dock, solve, wait_result, color_blocks, qtbot
) -> None:
    viewer.add_image(np.stack([color_blocks[..., 0]] * 3), name="stack")
    viewer.dims.set_current_step(0, 0)
    solve()
    paint(correct, A)
    wait_result(lambda: viewer.dims.set_current_step(0, 2))
    assert correct.tools.active == "paint"
    correct.undo()
    assert not correct.layers.annotation.labels_plane.any()
    assert (correct.reason, correct.tools.active) == (SEGMENT_FIRST, "")
    assert (dock.session.result, dock.panel.status.text()) == (None, "Ready: press Segment.")
    correct.redo()
    assert (correct.reason, correct.tools.active) == ("", "paint")
    qtbot.waitUntil(lambda: dock.session.result is not None, timeout=10_000)
    correct.undo()
    assert solve().n_segments == 12
    assert correct.reason == ""


def test_tools_stay_on_from_plane_to_plane(viewer, correct, dock, solve, wait_result, color_blocks) -> None:
    viewer.add_image(np.stack([color_blocks[..., 0]] * 3), name="stack")
    viewer.dims.set_current_step(0, 0)
    solve()
    correct.choose_tool("lasso")
    wait_result(lambda: viewer.dims.set_current_step(0, 1))
    assert correct.reason == ""
    assert correct.tools.active == "lasso"
    assert correct.layers.classes.mode == "pick"


def test_acts_undone_in_another_plane_are_told(viewer, correct, dock, solve, wait_result, color_blocks) -> None:
    viewer.add_image(np.stack([color_blocks[..., 0]] * 2), name="stack")
    viewer.dims.set_current_step(0, 0)
    solve()
    paint(correct, A)
    wait_result(lambda: viewer.dims.set_current_step(0, 1))
    paint(correct, B)
    correct.undo()
    assert correct.panel.status.text() == ""
    correct.undo()
    correct.undo()
    assert "in plane 0: Paint" in correct.panel.status.text()
    correct.redo()
    assert "in plane 0: Paint" in correct.panel.status.text()


def test_image_with_channels(viewer, correct, dock, solve, color_blocks) -> None:
    viewer.add_image(np.moveaxis(color_blocks, 2, 0).copy(), name="stains")
    dock.source.channel_menu.setCurrentIndex(1)
    dock.source.channel_menu.activated.emit(1)
    solve()
    correct.tools.choose("paint")
    FakeMouse(correct.layers.classes).click(A)
    classes = correct.layers.classes
    assert classes.data.shape == (3, 60, 80)
    assert all(np.array_equal(plane, classes.data[0]) for plane in classes.data)
    assert classes.data[0].any()


def test_brush_of_napari_at_any_channel(viewer, correct, dock, solve, color_blocks) -> None:
    viewer.add_image(np.moveaxis(color_blocks, 2, 0).copy(), name="stains")
    dock.source.channel_menu.setCurrentIndex(1)
    dock.source.channel_menu.activated.emit(1)
    solve()
    viewer.dims.set_current_step(0, 2)
    annotation, superpixels = correct.layers.annotation, correct.layers.superpixels
    before = superpixels.data.copy()
    taker = int(before[2][B])
    superpixels.brush_size = 5
    superpixels.paint((2, 10, 19), taker)
    assert annotation.index.label_at((10, 19)) == taker != before[2, 10, 19]
    assert annotation.index.area_of(taker) == np.count_nonzero(superpixels.data[0] == taker)
    assert len(annotation.corrections) == 1
    correct.undo()
    assert np.array_equal(superpixels.data, before)


def test_large_planes_keep_their_lines_up_to_date(viewer, correct, dock, solve, qtbot, monkeypatch) -> None:
    from napari_superpixels.core.metrics import boundary_pixels

    for module in ("layers", "style"):
        monkeypatch.setattr(f"napari_superpixels.plugin.{module}.MAX_CONTOUR_PIXELS", 1000)
    solve()
    qtbot.waitUntil(lambda: "blocks superpixel lines" in viewer.layers, timeout=10_000)
    lines, labels = viewer.layers["blocks superpixel lines"], correct.layers.superpixels
    viewer.layers.remove(labels)
    correct.layers.ensure_shown()

    def are_right() -> bool:
        return np.array_equal(lines.data, boundary_pixels(labels.data))

    qtbot.waitUntil(are_right, timeout=10_000)
    paint(correct, A, B, tool="merge")
    assert are_right()
    paint(correct, (30, 10), (30, 30), tool="merge")
    correct.undo()
    assert are_right()
    dock.session.update(n_segments=30)
    qtbot.waitUntil(lambda: len(correct.layers.annotation.index) > 20, timeout=10_000)
    qtbot.waitUntil(are_right, timeout=10_000)
    correct.undo()
    qtbot.waitUntil(are_right, timeout=10_000)
