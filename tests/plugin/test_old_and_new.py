"""Old and new superpixels in the viewer: together, in turns, side by side, and gone without a trace."""

import numpy as np
import pytest
from napari.layers import Labels

from napari_superpixels.core.metrics import boundary_pixels
from napari_superpixels.plugin.old_and_new import OldAndNew
from napari_superpixels.plugin.regions import shown_region


@pytest.fixture
def shown(viewer):
    """Return what shows superpixels of an image of 20 rows and 30 columns, and these."""
    image = viewer.add_image(np.random.default_rng(0).random((20, 30)), name="grey")
    viewer.add_labels(np.ones((20, 30), int), name="mine")
    viewer.layers.selection.active = image
    labels = [np.repeat(np.arange(1, 31)[None] // width + 1, 20, 0).astype(np.int32) for width in (6, 10)]
    both = OldAndNew(viewer)
    region = shown_region(image, viewer.dims)
    for side, each in zip(("before", "after"), labels, strict=True):
        both.show(region, side, each)
    yield both, [boundary_pixels(each) for each in labels]
    both.close()


def _lines(both) -> list[np.ndarray]:
    return [np.asarray(both.layer(side).data).astype(bool) for side in ("before", "after")]


def test_both_are_there_on_top_and_the_selection_stays(viewer, shown) -> None:
    both, borders = shown
    assert [layer.name for layer in viewer.layers] == ["grey", "mine", "grey before", "grey after"]
    assert viewer.layers.selection.active is viewer.layers["grey"]
    for lines, border in zip(_lines(both), borders, strict=True):
        assert np.array_equal(lines, border)
    both.clear()
    assert [layer.name for layer in viewer.layers] == ["grey", "mine"]


def test_swipe_follows_the_column(viewer, shown) -> None:
    both, (old, new) = shown
    both.set_mode("swipe", split=12)
    for column in (12, 25, 3, 0, 99, 12):
        both.swipe_to(column)
        both._frames.flush()
        left = np.arange(30) < column
        before, after = _lines(both)
        assert np.array_equal(before, old & left), column
        assert np.array_equal(after, new & ~left), column
    both.set_mode("both")
    assert all(np.array_equal(a, b) for a, b in zip(_lines(both), (old, new), strict=True))
    assert viewer.mouse_move_callbacks == []


def test_swipe_follows_the_mouse(viewer, shown) -> None:
    both, (old, _) = shown
    both.set_mode("swipe", split=0)
    [follow] = viewer.mouse_move_callbacks
    follow(viewer, type("Event", (), {"position": (4.0, 17.2)}))
    both._frames.flush()
    assert np.array_equal(_lines(both)[0], old & (np.arange(30) < 17))


def test_blink_shows_one_at_a_time(viewer, shown, qtbot) -> None:
    both, _ = shown
    both.set_mode("blink")
    seen = set()

    def look() -> bool:
        visible = tuple(both.layer(side).visible for side in ("before", "after"))
        assert sum(visible) == 1
        seen.add(visible)
        return len(seen) == 2

    qtbot.waitUntil(look, timeout=20_000)
    both.set_mode("both")
    assert both.layer("before").visible
    assert both.layer("after").visible


@pytest.mark.parametrize("name", ["grey before", "grey after"])
def test_when_the_user_removes_one_the_other_goes_too(viewer, shown, name) -> None:
    both, _ = shown
    told = []
    both.removed.connect(lambda: told.append(True))
    both.set_mode("swipe")
    viewer.layers.remove(name)
    assert told == [True]
    assert [layer.name for layer in viewer.layers] == ["grey", "mine"]
    assert viewer.mouse_move_callbacks == []


def test_channels_of_a_stack_are_swiped_too(viewer) -> None:
    image = viewer.add_image(np.random.default_rng(0).random((3, 20, 30)), name="stains")
    both = OldAndNew(viewer)
    region = shown_region(image, viewer.dims, 0)
    labels = np.repeat(np.arange(30)[None] // 5 + 1, 20, 0).astype(np.int32)
    both.show(region, "before", labels)
    both.show(region, "after", labels)
    both.set_mode("swipe", split=10)
    both.swipe_to(20)
    both._frames.flush()
    layer = both.layer("before")
    assert isinstance(layer, Labels)
    assert layer.data.shape == (3, 20, 30)
    assert np.array_equal(layer.data[2] > 0, boundary_pixels(labels) & (np.arange(30) < 20))
    both.close()
