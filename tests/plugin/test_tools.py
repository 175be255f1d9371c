"""Every tool, driven by mouse events made by hand."""

import numpy as np
import pytest

from napari_superpixels.plugin.tools import TOOLS

from .correct_mouse import A, B, C, D, FakeMouse


@pytest.fixture
def annotation(correct):
    return correct.layers.annotation


@pytest.fixture
def mouse(correct):
    return FakeMouse(correct.layers.classes)


def names(annotation) -> list[str]:
    return [entry.name for entry in annotation.history.entries]


def label(annotation, at) -> int:
    return int(annotation.labels[at])


def area(annotation, *places) -> np.ndarray:
    return np.isin(annotation.labels, [label(annotation, place) for place in places])


def test_click_paints_a_superpixel(correct, annotation, mouse) -> None:
    correct.tools.choose("paint")
    mouse.click(A)
    assert np.array_equal(annotation.classes == 1, area(annotation, A))
    assert names(annotation) == ["Paint class 1"]


def test_fast_drag_skips_nothing_and_is_one_step(correct, annotation, mouse) -> None:
    correct.tools.choose("paint")
    mouse.drag(A, D)
    assert np.array_equal(annotation.classes == 1, area(annotation, A, B, C, D))
    assert len(names(annotation)) == 1
    correct.undo()
    assert not annotation.classes.any()
    correct.redo()
    assert np.array_equal(annotation.classes == 1, area(annotation, A, B, C, D))


def test_drag_from_outside_the_image(correct, annotation, mouse) -> None:
    correct.tools.choose("paint")
    mouse.drag((10, -40), A, (10, 200))
    assert np.array_equal(annotation.classes == 1, area(annotation, A, B, C, D))


def test_second_of_two_quick_clicks_counts(correct, annotation, mouse) -> None:
    correct.tools.choose("add_seed")
    mouse.double_click((4, 4))
    correct.tools.choose("paint")
    annotation.undo()
    mouse.click(A)
    annotation.add_class()
    mouse.double_click(A)
    assert set(np.unique(annotation.classes)) == {0, 2}


def test_shift_erases_and_erase_too(correct, annotation, mouse) -> None:
    correct.tools.choose("paint")
    mouse.drag(A, D)
    mouse.click(B, modifiers=("Shift",))
    correct.tools.choose("erase")
    mouse.click(C)
    assert np.array_equal(annotation.classes == 1, area(annotation, A, D))
    assert names(annotation) == ["Paint class 1", "Erase", "Erase"]


def test_status_bar_stands_still_in_a_stroke(viewer, correct, mouse) -> None:
    told = []
    viewer.events.status.connect(lambda event: told.append(event.value))
    correct.tools.choose("paint")
    told.clear()
    mouse.press(A)
    viewer.status = "in a stroke"
    mouse.release(A)
    viewer.status = "after it"
    mouse.press(B)
    viewer.status = "in another"
    correct.tools.escape()
    viewer.status = "dropped"
    mouse.release(B)
    viewer.status = "and let go"
    assert told == ["after it", "dropped", "and let go"]


def test_without_a_class_it_says_what_to_do(correct, annotation, mouse) -> None:
    annotation.remove_class(1)
    correct.tools.choose("paint")
    mouse.drag(A, D)
    assert not annotation.classes.any()
    assert "add one to the table" in correct.panel.status.text()


def test_fill(correct, annotation, mouse) -> None:
    correct.tools.choose("paint")
    mouse.drag(A, C)
    annotation.add_class("other")
    correct.tools.choose("fill")
    mouse.click(B)
    assert np.array_equal(annotation.classes == 2, area(annotation, A, B, C))
    mouse.click(B, modifiers=("Shift",))
    assert not annotation.classes.any()


def test_rectangle_and_lasso(correct, annotation, mouse) -> None:
    correct.tools.choose("rectangle")
    mouse.drag((1, 1), (30, 30), (35, 45))
    inside = area(annotation, A, B, (30, 10), (30, 30))
    assert np.array_equal(annotation.classes == 1, inside)
    mouse.drag((0, 0), (59, 79), modifiers=("Shift",))
    assert not annotation.classes.any()
    correct.tools.choose("lasso")
    mouse.drag((1, 1), (1, 45), (18, 45), (18, 1))
    assert np.array_equal(annotation.classes == 1, area(annotation, A, B))
    assert not correct.guides._layer.data.any()


def test_merge_by_drag_by_clicks_and_with_ctrl(correct, annotation, mouse) -> None:
    correct.tools.choose("merge")
    mouse.drag(A, B)
    assert label(annotation, A) == label(annotation, B)
    mouse.click(C)
    assert correct.tools._tool.is_waiting
    mouse.click(D)
    assert label(annotation, C) == label(annotation, D) != label(annotation, A)
    correct.tools.choose("paint")
    mouse.drag(B, C, modifiers=("Control",))
    assert label(annotation, A) == label(annotation, D)
    assert names(annotation) == ["Merge", "Merge", "Merge"]


def test_merge_of_superpixels_that_do_not_touch_is_refused(correct, annotation, mouse) -> None:
    correct.tools.choose("merge")
    mouse.click(A)
    mouse.click(D)
    assert names(annotation) == []
    assert "do not touch" in correct.panel.status.text()


def test_split_by_clicks_scribbles_and_more_parts(correct, annotation, mouse) -> None:
    correct.tools.choose("split")
    mouse.click((10, 3))
    mouse.click((10, 17))
    assert label(annotation, (10, 3)) != label(annotation, (10, 17))
    mouse.drag((3, 23), (17, 23))
    mouse.drag((3, 37), (17, 37))
    assert label(annotation, (10, 23)) != label(annotation, (10, 37))
    for place in ((5, 45), (5, 55)):
        mouse.click(place, modifiers=("Shift",))
    mouse.click((15, 50))
    assert len({label(annotation, place) for place in ((5, 45), (5, 55), (15, 50))}) == 3
    assert names(annotation) == ["Split"] * 3


def test_cut_moves_seeds(correct, annotation, mouse) -> None:
    correct.tools.choose("cut")
    mouse.drag((0, 10), (19, 10))
    assert label(annotation, (10, 5)) != label(annotation, (10, 15))
    correct.tools.choose("move")
    before = area(annotation, B).sum()
    mouse.drag(B, (10, 45))
    assert label(annotation, (10, 44)) == label(annotation, B)
    assert area(annotation, B).sum() > before
    correct.tools.choose("add_seed")
    n = len(annotation.index)
    mouse.click((32, 32))
    assert len(annotation.index) == n + 1
    correct.tools.choose("remove_seed")
    mouse.click((32, 32))
    assert len(annotation.index) == n
    assert names(annotation) == ["Cut", "Move border", "Add seed", "Remove seed"]


def test_line_that_divides_nothing_is_told_until_the_next_act(correct, annotation, mouse) -> None:
    correct.tools.choose("cut")
    mouse.click(A)
    assert "divides no superpixel" in correct.panel.status.text()
    assert names(annotation) == []
    mouse.drag((0, 10), (19, 10))
    assert names(annotation) == ["Cut"]
    assert correct.panel.status.text() == ""


def test_first_click_of_a_merge_says_what_comes_next(correct, annotation, mouse) -> None:
    correct.tools.choose("merge")
    mouse.click(A)
    assert "touches" in correct.panel.status.text()
    mouse.click(B)
    assert correct.panel.status.text() == ""


def test_escape_drops_the_stroke_then_the_tool(correct, annotation, mouse) -> None:
    correct.tools.choose("paint")
    mouse.press(A)
    mouse.move(C)
    correct.tools.escape()
    mouse.move(D)
    mouse.release(D)
    assert not annotation.classes.any()
    assert names(annotation) == []
    assert correct.tools.active == "paint"
    correct.tools.choose("split")
    mouse.click(A)
    correct.tools.escape()
    assert not correct.guides._layer.data.any()
    assert correct.tools.active == "split"
    correct.tools.escape()
    assert correct.tools.active == ""


def test_alt_and_other_buttons_are_left_to_napari(correct, annotation, mouse) -> None:
    correct.tools.choose("paint")
    mouse.click(A, modifiers=("Alt",))
    event = mouse.event("press", A)
    event.button = 2
    from napari.utils.interactions import mouse_press_callbacks

    mouse_press_callbacks(correct.layers.classes, event)
    assert not annotation.classes.any()


def test_hover_outlines_what_a_click_takes(correct, annotation, mouse) -> None:
    correct.tools.choose("paint")
    mouse.hover(A)
    drawn = correct.guides._layer.data > 0
    assert drawn.any()
    assert not (drawn & ~area(annotation, A)).any()
    mouse.hover(B)
    drawn = correct.guides._layer.data > 0
    assert not (drawn & ~area(annotation, B)).any()
    mouse.hover((10, 500))
    assert not correct.guides._layer.data.any()
    mouse.hover(B)
    correct.tools.choose("")
    assert not correct.guides._layer.data.any()


def test_wheel_takes_larger_regions(correct, annotation, mouse, qtbot) -> None:
    qtbot.waitUntil(lambda: correct.hierarchy.is_ready, timeout=10_000)
    correct.tools.choose("paint")
    mouse.hover(A)
    assert not mouse.wheel(1, modifiers=()).handled
    assert mouse.wheel(1).handled
    told = correct.panel.status.text()
    mouse.click(A)
    taken = np.unique(annotation.labels[annotation.classes == 1])
    assert 1 < len(taken) < 12
    assert told == f"A click takes {len(taken)} superpixels here."
    annotation.undo()
    mouse.wheel(-1)
    assert correct.panel.status.text() == "A click takes one superpixel."
    mouse.click(A)
    assert np.array_equal(annotation.classes == 1, area(annotation, A))
    correct.hand.level = 1.0
    mouse.click(B)
    assert annotation.classes.all()


@pytest.mark.parametrize("kind", TOOLS, ids=lambda kind: kind.name)
def test_every_tool_goes_on_and_off_without_a_trace(viewer, correct, kind) -> None:
    layer = correct.layers.classes
    before = _bindings(viewer, layer)
    correct.tools.choose(kind.name)
    assert (layer.mode, viewer.layers.selection.active) == ("pick", layer)
    assert _bindings(viewer, layer) != before
    correct.tools.choose("")
    assert layer.mode == "pan_zoom"
    assert _bindings(viewer, layer) == before


@pytest.mark.parametrize("name", ["superpixels", "classes"])
def test_keys_choose_tools_on_our_own_layers_alone(viewer, correct, name) -> None:
    layer = getattr(correct.layers, name)
    viewer.layers.selection.active = layer
    [erase] = [key for key in layer.keymap if str(key) == "D"]
    layer.keymap[erase](layer)
    assert correct.tools.active == "erase"
    correct.tools.choose("")
    for other in (viewer, correct.layers.image):
        assert not {str(key) for key in other.keymap} & {"A", "D", "1"}
    correct.tools.set_hand(None, None)
    assert not {str(key) for key in layer.keymap} & {"A", "D", "1"}


def _bindings(viewer, layer) -> list:
    mouse = [*layer.mouse_drag_callbacks, *layer.mouse_move_callbacks, *layer.mouse_wheel_callbacks]
    own = [function for function in mouse if function.__module__.startswith("napari_superpixels")]
    return [own, dict(layer.keymap), dict(viewer.keymap)]


def test_undo_takes_back_clicks_that_wait_before_acts(correct, annotation, mouse) -> None:
    correct.tools.choose("paint")
    mouse.click(A)
    correct.tools.choose("split")
    mouse.click(B)
    correct.undo()
    assert not correct.tools.is_waiting
    assert annotation.classes.any()
    correct.undo()
    assert not annotation.classes.any()


def test_a_stroke_goes_on_over_superpixels_that_came_meanwhile(correct, annotation, mouse, dock) -> None:
    result = dock.session._pipeline.run(dock.session.inputs, dock.session.params.updated(n_segments=40))
    correct.tools.choose("paint")
    mouse.press(A)
    for place in (B, C, D):
        mouse.move(place)
    painted = area(annotation, A, B, C, D)
    dock.results.show(result)
    # By the numbers that superpixels had when the stroke came over them.
    assert np.array_equal(annotation.classes == 1, painted)
    for column in range(70, 9, -1):
        mouse.move((50, column))
    mouse.release((50, 10))
    assert annotation.classes[50, 10:71].all()
