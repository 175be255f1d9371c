"""Mouse events for the tools: made by hand, or by Qt on the canvas of a real window."""

from types import SimpleNamespace

from napari.utils.interactions import (
    mouse_double_click_callbacks,
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
    mouse_wheel_callbacks,
)

#: Middles of the blocks in the first row of the image of coloured blocks.
A, B, C, D = (10, 10), (10, 30), (10, 50), (10, 70)


class FakeMouse:
    """Sends events to a layer as napari does, at rows and columns of its data."""

    def __init__(self, layer) -> None:
        self.layer = layer

    def event(self, kind: str, at=(0, 0), *, modifiers=(), is_dragging=False, **more) -> SimpleNamespace:
        return SimpleNamespace(
            type=f"mouse_{kind}",
            position=tuple(self.layer.data_to_world([*([0] * (self.layer.ndim - 2)), *at])),
            modifiers=modifiers,
            button=1,
            view_direction=None,
            dims_displayed=[self.layer.ndim - 2, self.layer.ndim - 1],
            is_dragging=is_dragging,
            handled=False,
            **more,
        )

    def hover(self, at) -> None:
        mouse_move_callbacks(self.layer, self.event("move", at))

    def drag(self, *places, modifiers=()) -> None:
        """Press at the first place, move through the others, release at the last."""
        self.press(places[0], modifiers=modifiers)
        for place in places[1:]:
            self.move(place, modifiers=modifiers)
        self.release(places[-1], modifiers=modifiers)

    def click(self, at, *, modifiers=()) -> None:
        self.drag(at, modifiers=modifiers)

    def double_click(self, at) -> None:
        """Send what napari gets of two quick clicks."""
        self.click(at)
        mouse_double_click_callbacks(self.layer, self.event("double_click", at))
        self.release(at)

    def wheel(self, turned: float, *, modifiers=("Shift",)) -> SimpleNamespace:
        event = self.event("wheel", delta=(0.0, turned), modifiers=modifiers)
        mouse_wheel_callbacks(self.layer, event)
        return event

    # napari wraps the event of a drag, so that its generator sees later events in it.
    def press(self, at, *, modifiers=()) -> None:
        mouse_press_callbacks(self.layer, _Persisted(self.event("press", at, modifiers=modifiers)))

    def move(self, at, *, modifiers=()) -> None:
        mouse_move_callbacks(self.layer, self.event("move", at, modifiers=modifiers, is_dragging=True))

    def release(self, at, *, modifiers=()) -> None:
        mouse_release_callbacks(self.layer, self.event("release", at, modifiers=modifiers))


class _Persisted:
    def __init__(self, event) -> None:
        self.__wrapped__ = event

    def __getattr__(self, name: str):
        return getattr(self.__dict__["__wrapped__"], name)


def paint(correct, *places, tool="paint") -> None:
    """Choose a tool of the Correct widget and drag it along places."""
    correct.tools.choose(tool)
    FakeMouse(correct.layers.classes).drag(*places)


def state(correct) -> tuple[bytes, bytes]:
    """Return superpixels and classes, to compare with those of another time."""
    annotation = correct.layers.annotation
    return annotation.labels.tobytes(), annotation.classes.tobytes()
