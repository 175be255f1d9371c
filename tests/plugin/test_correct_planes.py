"""The Correct widget on stacks, channels, volumes and large planes."""

import time

import numpy as np
import pytest

from napari_superpixels.plugin.correct_dock import SEGMENT_FIRST, CorrectDock

from .correct_mouse import A, B, C, D, FakeMouse, paint
from .stacks import solve_stack


def copy_labels(correct) -> None:
    """Choose the only Labels layer that is offered as superpixels."""
    menu = correct.source.labels_menu
    menu.setCurrentIndex(1)
    menu.activated.emit(1)


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
    solve_stack(viewer, solve, color_blocks, 3)
    paint(correct, A)
    dock.session.update_view(live=False)
    viewer.dims.set_current_step(0, 2)
    correct.layers.classes.paint((2, 10, 10), 1)
    # Not a beginning, since a hand was there.
    solve()
    assert correct.layers.annotation.history.last.name == "Segment"
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
    solve_stack(viewer, solve, color_blocks, 3)
    correct.choose_tool("lasso")
    wait_result(lambda: viewer.dims.set_current_step(0, 1))
    assert correct.reason == ""
    assert correct.tools.active == "lasso"
    assert correct.layers.classes.mode == "pick"


def test_acts_undone_in_another_plane_are_told(viewer, correct, dock, solve, wait_result, color_blocks) -> None:
    solve_stack(viewer, solve, color_blocks, 2)
    paint(correct, A)
    wait_result(lambda: viewer.dims.set_current_step(0, 1))
    paint(correct, B)
    correct.undo()
    assert correct.panel.status.text() == ""
    correct.undo()
    assert "Undone in plane 0: Paint" in correct.panel.status.text()
    correct.redo()
    assert "Done again in plane 0: Paint" in correct.panel.status.text()


def test_what_is_segmented_by_scrolling_is_no_act(viewer, correct, dock, solve, wait_result, color_blocks) -> None:
    solve_stack(viewer, solve, color_blocks, 4)
    annotation = correct.layers.annotation
    wait_result(lambda: dock.session.update(n_segments=20))
    wait_result(lambda: dock.session.update(n_segments=12))
    paint(correct, A)
    paint(correct, C)
    for plane in (2, 1):
        wait_result(lambda plane=plane: viewer.dims.set_current_step(0, plane))
    wait_result(lambda: dock.session.update(n_segments=30))
    assert (len(annotation.index), correct.reason) == (30, "")
    assert [entry.plane[0] for entry in annotation.history.entries] == [0, 0]
    # Doing again is not lost by what the machine makes elsewhere.
    correct.undo()
    assert "in plane 0: Paint" in correct.panel.status.text()
    wait_result(lambda: dock.session.update(n_segments=25))
    wait_result(lambda: viewer.dims.set_current_step(0, 3))
    assert [len(np.unique(plane)) for plane in annotation.labels] == [12, 25, 12, 25]
    correct.redo()
    assert (annotation.classes[0][A], annotation.classes[0][C]) == (1, 1)
    correct.undo()
    correct.undo()
    assert not annotation.classes.any()
    assert not annotation.history.can_undo
    assert [len(np.unique(plane)) for plane in annotation.labels] == [12, 25, 12, 25]
    assert correct.reason == ""


def test_superpixels_of_a_plane_with_work_are_an_act(viewer, correct, dock, solve, wait_result, color_blocks) -> None:
    solve_stack(viewer, solve, color_blocks, 2)
    annotation = correct.layers.annotation
    paint(correct, A)
    wait_result(lambda: dock.session.update(n_segments=20))
    wait_result(lambda: viewer.dims.set_current_step(0, 1))
    assert [entry.name for entry in annotation.history.entries[1:]] == ["Re-segment"]
    correct.undo()
    assert correct.panel.status.text() == "Undone in plane 0: Re-segment."
    assert len(np.unique(annotation.labels[0])) == 12


def test_planes_that_were_segmented_before_the_widget_opened(viewer, dock, solve, wait_result, color_blocks) -> None:
    solve_stack(viewer, solve, color_blocks, 2)
    wait_result(lambda: viewer.dims.set_current_step(0, 1))
    correct = CorrectDock(viewer)
    viewer.window.add_dock_widget(correct, name="Correct")
    wait_result(lambda: dock.session.update(n_segments=30))
    paint(correct, A)
    wait_result(lambda: viewer.dims.set_current_step(0, 0))
    annotation = correct.layers.annotation
    assert [len(np.unique(plane)) for plane in annotation.labels] == [30, 30]
    assert [entry.plane[0] for entry in annotation.history.entries] == [1]
    correct.close_session()


def test_superpixels_of_the_users_own_are_no_beginning(viewer, correct, dock, solve, color_blocks) -> None:
    own = np.repeat(np.arange(1, 81), 60).reshape(80, 60).T.astype(np.int32)
    viewer.add_labels(own, name="own")
    menu = correct.source.labels_menu
    menu.setCurrentIndex(menu.findText("own"))
    menu.activated.emit(menu.currentIndex())
    annotation = correct.layers.annotation
    assert np.array_equal(annotation.labels_plane, own)
    viewer.layers.selection.active = viewer.layers["blocks"]
    solve()
    assert len(annotation.index) == 12
    correct.undo()
    assert np.array_equal(annotation.labels_plane, own)


def test_the_history_leads_back_from_a_plane_without_superpixels(
    viewer, correct, dock, solve, wait_result, color_blocks, qtbot
) -> None:
    solve_stack(viewer, solve, color_blocks, 2)
    paint(correct, A)
    dock.session.update_view(live=False)
    viewer.dims.set_current_step(0, 1)
    correct.layers.classes.paint((1, 10, 10), 1)
    solve()
    annotation, panel = correct.layers.annotation, correct.panel
    panel.history.go_to(0)
    assert (correct.reason, panel.tools.isEnabled()) == (SEGMENT_FIRST, False)
    assert panel.history.isEnabled()
    assert panel.undo_buttons.redo.isEnabled()
    panel.undo_buttons.redo.click()
    assert annotation.classes[0].any()
    panel.history.go_to(3)
    assert (correct.reason, panel.tools.isEnabled()) == ("", True)


def test_planes_that_were_worked_on_stay_as_they_are(viewer, correct, dock, solve, wait_result, color_blocks) -> None:
    solve_stack(viewer, solve, color_blocks, 3)
    paint(correct, A)
    annotation = correct.layers.annotation
    superpixels = annotation.labels[0].copy()
    wait_result(lambda: viewer.dims.set_current_step(0, 1))
    wait_result(lambda: dock.session.update(n_segments=30))
    n_acts = len(annotation.history.entries)
    wait_result(lambda: viewer.dims.set_current_step(0, 0))
    assert np.array_equal(annotation.labels[0], superpixels)
    assert dock.session.params.n_segments == 12
    assert len(annotation.history.entries) == n_acts
    # What the hand left alone follows the parameters.
    wait_result(lambda: viewer.dims.set_current_step(0, 1))
    assert len(annotation.index) == 12
    wait_result(lambda: viewer.dims.set_current_step(0, 0))
    wait_result(lambda: dock.session.update(n_segments=20))
    assert len(annotation.index) == 20


def test_repairs_are_not_replayed_by_scrolling(viewer, correct, dock, solve, wait_result, color_blocks) -> None:
    solve_stack(viewer, solve, color_blocks, 2)
    superpixels = correct.layers.superpixels
    superpixels.brush_size = 7
    superpixels.paint((0, 10, 10), 99)
    painted = superpixels.data[0].copy()
    wait_result(lambda: viewer.dims.set_current_step(0, 1))
    wait_result(lambda: viewer.dims.set_current_step(0, 0))
    assert np.array_equal(superpixels.data[0], painted)


def test_what_was_undone_can_be_done_again_after_a_look_elsewhere(
    viewer, correct, dock, solve, wait_result, color_blocks, qtbot
) -> None:
    solve_stack(viewer, solve, color_blocks, 3)
    paint(correct, A)
    correct.undo()
    wait_result(lambda: viewer.dims.set_current_step(0, 2))
    assert (correct.reason, len(correct.layers.annotation.index)) == ("", 12)
    viewer.dims.set_current_step(0, 0)
    qtbot.waitUntil(lambda: dock.session.inputs.position == (0, None, None), timeout=10_000)
    correct.redo()
    assert correct.layers.annotation.classes[0].any()


def test_undone_classes_of_a_plane_without_superpixels_can_be_done_again(
    viewer, correct, dock, solve, color_blocks, qtbot
) -> None:
    solve_stack(viewer, solve, color_blocks, 3)
    dock.session.update_view(live=False)
    viewer.dims.set_current_step(0, 2)
    correct.layers.classes.paint((2, 10, 10), 1)
    correct.undo()
    viewer.dims.set_current_step(0, 0)
    qtbot.waitUntil(lambda: dock.session.inputs.position == (0, None, None), timeout=10_000)
    dock.session.update_view(live=True)
    viewer.dims.set_current_step(0, 2)
    qtbot.waitUntil(lambda: dock.session.inputs.position == (2, None, None), timeout=10_000)
    qtbot.waitUntil(lambda: not dock.session.is_busy, timeout=10_000)
    assert (correct.reason, dock.panel.status.text()) == (SEGMENT_FIRST, "Ready: press Segment.")
    correct.redo()
    assert correct.layers.annotation.classes[2].any()


def test_a_plane_that_was_left_gets_the_result_that_it_was_asked_for(
    viewer, correct, dock, solve, color_blocks, qtbot, monkeypatch
) -> None:
    solve_stack(viewer, solve, color_blocks, 3)
    paint(correct, A)
    dock.session.update_view(live=False)
    dock.session.update(n_segments=30)
    run = dock.session._pipeline.run

    def run_slowly(*arguments, **options):
        time.sleep(0.5)
        return run(*arguments, **options)

    monkeypatch.setattr(dock.session._pipeline, "run", run_slowly)
    dock.panel.segment.click()
    viewer.dims.set_current_step(0, 1)
    annotation = correct.layers.annotation
    qtbot.waitUntil(lambda: len(np.unique(annotation.labels[0])) == 30, timeout=10_000)
    assert annotation.plane == (1, None, None)
    assert not annotation.labels[1].any()


def test_clicks_that_wait_do_not_come_to_another_plane(viewer, correct, dock, solve, wait_result, color_blocks) -> None:
    solve_stack(viewer, solve, color_blocks, 2)
    wait_result(lambda: viewer.dims.set_current_step(0, 1))
    wait_result(lambda: viewer.dims.set_current_step(0, 0))
    correct.choose_tool("merge")
    mouse = FakeMouse(correct.layers.classes)
    mouse.click(A)
    assert correct.tools.is_waiting
    viewer.dims.set_current_step(0, 1)
    assert not correct.tools.is_waiting
    n_acts = len(correct.layers.annotation.history.entries)
    mouse.click(B)
    assert len(correct.layers.annotation.history.entries) == n_acts


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


def test_channels_left_by_closed_widgets_stay_one(viewer, correct, dock, solve, color_blocks, qtbot) -> None:
    """Channels share their superpixels; found again, they are no stack of planes."""
    viewer.add_image(np.moveaxis(color_blocks, 2, 0).copy(), name="channels")
    dock.source.channel_menu.setCurrentIndex(1)
    dock.source.channel_menu.activated.emit(1)
    solve()
    paint(correct, A)
    left = correct.layers
    correct.close_session()
    dock.close_session()
    again = CorrectDock(viewer)
    qtbot.addWidget(again)
    assert again.reason == ""
    assert again.layers.layers == left.layers
    assert again.layers.region.channel_axis == 0
    paint(again, D)
    assert again.layers.classes.data[:, D[0], D[1]].all()
    assert again.layers.annotation.progress == pytest.approx(1 / 6)
    again.close_session()


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

    for module in ("canvas", "style"):
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


def test_labels_of_the_user_become_superpixels_of_one_plane(
    viewer, correct, dock, solve, wait_result, color_blocks
) -> None:
    cells = np.stack([np.kron(np.arange(12).reshape(3, 4) + 1, np.ones((20, 20)))[:, ::-1]] * 3).astype(np.uint16)
    cells[:, :40, :40] = 40
    viewer.add_labels(cells, name="cells")
    solve_stack(viewer, solve, color_blocks, 3)
    copy_labels(correct)
    paint(correct, A)
    annotation, superpixels = correct.layers.annotation, correct.layers.superpixels
    first = annotation.labels[0].copy()
    n_layers, n_acts = len(viewer.layers), len(annotation.history.entries)
    wait_result(lambda: viewer.dims.set_current_step(0, 1))
    before = annotation.labels[1].copy()
    copy_labels(correct)
    assert correct.layers.annotation is annotation
    assert len(viewer.layers) == n_layers
    assert superpixels in viewer.layers
    assert np.array_equal(annotation.labels[0], first)
    assert len(annotation.index) == 9
    assert len(annotation.history.entries) > n_acts
    correct.undo()
    assert np.array_equal(annotation.labels[1], before)
    correct.redo()
    assert len(annotation.index) == 9
    # A look at another plane does not replace them.
    wait_result(lambda: viewer.dims.set_current_step(0, 0))
    wait_result(lambda: viewer.dims.set_current_step(0, 1))
    assert len(annotation.index) == 9


@pytest.mark.filterwarnings("ignore:Contours are not displayed")
def test_superpixels_of_a_volume_are_corrected_in_its_planes(viewer, correct, dock, solve, noisy_disks) -> None:
    viewer.add_image(np.stack([noisy_disks] * 3), name="stack")
    viewer.dims.ndisplay = 3
    solve()
    assert "two dimensions" in correct.reason
    viewer.dims.ndisplay = 2
    assert correct.reason == ""
    paint(correct, A)
    assert np.count_nonzero(correct.layers.annotation.classes.any((1, 2))) == 1
