"""Results that come when the viewer shows another plane, or has come back to one."""

import time

import numpy as np
import pytest

from .correct_mouse import A, B, C, FakeMouse, paint
from .stacks import solve_stack


def solve_late(viewer, dock, monkeypatch) -> None:
    """Ask for other superpixels of the first plane, which come a moment after the second is shown."""
    dock.session.update_view(live=False)
    dock.session.update(n_segments=30)
    run = dock.session._pipeline.run

    def run_slowly(*arguments, **options):
        time.sleep(0.5)
        return run(*arguments, **options)

    monkeypatch.setattr(dock.session._pipeline, "run", run_slowly)
    dock.panel.segment.click()
    viewer.dims.set_current_step(0, 1)


@pytest.mark.parametrize("tool", ["lasso", "paint"])
def test_a_late_result_of_another_plane_leaves_the_stroke_under_way(
    viewer, correct, dock, solve, wait_result, color_blocks, qtbot, monkeypatch, tool
) -> None:
    solve_stack(viewer, solve, color_blocks, 2)
    paint(correct, A)
    wait_result(lambda: viewer.dims.set_current_step(0, 1))
    wait_result(lambda: viewer.dims.set_current_step(0, 0))
    annotation = correct.layers.annotation
    solve_late(viewer, dock, monkeypatch)
    correct.choose_tool(tool)
    mouse = FakeMouse(correct.layers.classes)
    mouse.press((2, 2))
    mouse.move((2, 30))
    qtbot.waitUntil(lambda: len(np.unique(annotation.labels[0])) == 30, timeout=10_000)
    assert annotation.plane == (1, None, None)
    for place in ((2, 58), (18, 58), (18, 2)):
        mouse.move(place)
    mouse.release((18, 2))
    assert [annotation.classes[1][place] for place in (A, B, C)] == [1, 1, 1]
    assert not annotation.classes[0][B]
    assert not annotation.is_in_stroke


def test_mean_colours_come_back_to_a_painted_plane(
    viewer, correct, dock, solve, wait_result, color_blocks, qtbot
) -> None:
    solve_stack(viewer, solve, color_blocks, 3)
    paint(correct, A)
    dock.session.update_view(view_mode="mean-color")
    qtbot.waitUntil(lambda: "stack mean colour" in viewer.layers, timeout=10_000)
    means = viewer.layers["stack mean colour"]
    wait_result(lambda: viewer.dims.set_current_step(0, 2))
    qtbot.waitUntil(lambda: means.translate[0] == 2, timeout=10_000)
    wait_result(lambda: viewer.dims.set_current_step(0, 0))
    qtbot.waitUntil(lambda: means.translate[0] == 0, timeout=10_000)
