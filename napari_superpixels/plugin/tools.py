"""The tools of Correct, on the mouse and the keys of a viewer while one of them is on."""

from collections.abc import Callable, Iterator
from typing import Any

from napari.components import ViewerModel
from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_superpixels.engine.links import Links
from napari_superpixels.errors import SuperpixelsError
from napari_superpixels.plugin.annotation_layers import AnnotationLayers
from napari_superpixels.plugin.hand import Hand, Position
from napari_superpixels.plugin.hover import Hover
from napari_superpixels.plugin.key_bindings import KeyBindings
from napari_superpixels.plugin.paint_tools import Erase, Fill, Lasso, Paint, Rectangle
from napari_superpixels.plugin.repair_tools import AddSeed, Cut, Merge, Move, RemoveSeed, Split
from napari_superpixels.plugin.tool import Tool

#: All tools, in the order of their buttons.
TOOLS: tuple[type[Tool], ...] = (
    *(Paint, Erase, Fill, Rectangle, Lasso),
    *(Merge, Split, Cut, Move, AddSeed, RemoveSeed),
)
_LEFT = 1


class ToolBox:
    """At most one tool, on the layer of the classes, which is made active and put into napari's picker mode.

    In that mode napari's own mouse does nothing that matters: a drag does not move the camera, a double click does not
    zoom. Space still lets the camera move.

    Parameters
    ----------
    viewer : ViewerModel
        Where.
    """

    changed = Signal()
    """Another tool is on, or none."""
    requested = Signal(str)
    """A tool was asked for by its key while none is on."""
    noted = Signal(str)
    """What the user should know of an act."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layers: AnnotationLayers | None = None
        self._hand: Hand | None = None
        self._tools: dict[str, Tool] = {}
        self._tool: Tool | None = None
        self._stroke: Tool | None = None
        self._hover: Hover | None = None
        self._keys, self._ready_keys = KeyBindings(), KeyBindings()
        self._links = Links()
        self._check = QTimer()
        self._check.setSingleShot(True)
        self._check.timeout.connect(self._check_active)
        self._makers: list[Callable[[Hand], Tool]] = list(TOOLS)
        self.extra_keys: dict[str, Callable[[], None]] = {}
        """Further keys that work while a tool is on."""

    @property
    def active(self) -> str:
        """Name of the tool that is on; empty if none is."""
        return "" if self._tool is None else self._tool.name

    @property
    def is_waiting(self) -> bool:
        """Whether a click waits for another."""
        return self._tool is not None and self._tool.is_waiting

    @property
    def help(self) -> str:
        """What to do with the mouse."""
        return "" if self._tool is None else self._tool.help

    def add_tool(self, make: Callable[[Hand], Tool]) -> None:
        """Offer one more tool, which has no key."""
        self._makers.append(make)

    def set_hand(self, layers: AnnotationLayers | None, hand: Hand | None) -> None:
        """Work on another annotation from now on, or on none; the tool goes off."""
        self.choose("")
        self._ready_keys.release()
        self._layers, self._hand = layers, hand
        self._tools = {} if hand is None else {tool.name: tool for tool in (make(hand) for make in self._makers)}
        if layers is not None:
            # On our own layers alone: other layers and the viewer keep their keys until a tool is on.
            self._ready_keys.bind(layers.layers, self._tool_keys(self.requested.emit))

    def choose(self, name: str) -> None:
        """Switch a tool on, or with an empty name the present one off.

        Raises
        ------
        KeyError
            If there is no such tool.
        RuntimeError
            If there is nothing to work on.
        """
        if name == self.active:
            if self._tool is not None and self._layers is not None:
                self._layers.classes.mode = "pick"
            return
        if not name:
            self._switch_off()
            self.changed.emit()
            return
        if self._layers is None or self._hand is None:
            raise RuntimeError("There are no superpixels to work on.")
        tool = self._tools[name]
        was_on = self._tool is not None
        self.drop()
        self._tool = tool
        if not was_on:
            self._switch_on(self._layers, self._hand)
        self._update_hover()
        self.changed.emit()

    def close(self) -> None:
        """Switch the tool off for good."""
        self.set_hand(None, None)

    def escape(self) -> None:
        """Drop the stroke under way, or clicks that wait; without these, switch the tool off."""
        if self._stroke is not None or self.is_waiting:
            self.drop()
        else:
            self.choose("")

    def _switch_on(self, layers: AnnotationLayers, hand: Hand) -> None:
        layers.ensure_shown()
        hand.guides.prepare()
        layer = layers.classes
        layer.visible = True
        self._viewer.layers.selection.active = layer
        layer.mode = "pick"
        layer.mouse_drag_callbacks.append(self._on_drag)
        layer.mouse_double_click_callbacks.append(self._on_double_click)
        layer.mouse_wheel_callbacks.append(self._on_wheel)
        self._hover = Hover(hand, layer, layers.to_plane)
        self._links.connect(layer.events.mode, self._on_mode)
        self._links.connect(self._viewer.layers.selection.events.active, self._on_active)
        self._links.connect(self._viewer.layers.events.removed, self._on_removed)
        self._links.connect(hand.noted, self._note)
        self._links.connect(hand.level_changed, self._update_hover)
        self._keys.bind([self._viewer, *layers.layers], self._key_actions())

    def _switch_off(self) -> None:
        self.drop()
        self._tool = None
        self._check.stop()
        self._keys.release()
        self._links.close()
        if self._hover is not None:
            self._hover.close()
            self._hover = None
        if self._layers is None:
            return
        layer = self._layers.classes
        for callbacks, function in (
            (layer.mouse_drag_callbacks, self._on_drag),
            (layer.mouse_double_click_callbacks, self._on_double_click),
            (layer.mouse_wheel_callbacks, self._on_wheel),
        ):
            if function in callbacks:
                callbacks.remove(function)
        if layer.mode == "pick":
            layer.mode = "pan_zoom"
        # Clicks in picker mode have chosen whatever class they met.
        layer.selected_label = self._layers.annotation.current_class

    def settle(self) -> None:
        """Do what waits for the next frame, because superpixels get other numbers; a stroke under way goes on."""
        if self._hand is not None:
            self._hand.frames.flush()
        if self._tool is not None:
            self._tool.forget_numbers()

    def drop(self, *_: Any) -> None:
        """Drop the stroke under way, and clicks that wait for another."""
        tool = self._stroke or self._tool
        self._set_stroke(None)
        if tool is not None:
            tool.cancel()

    def _set_stroke(self, tool: Tool | None) -> None:
        """Note which tool's stroke is under way, if any.

        While one is, napari's status bar stands still: to write the position at each move takes a tenth of a frame.
        """
        status = self._viewer.events.status
        if tool is not None and self._stroke is None:
            status.block()
        elif tool is None and self._stroke is not None:
            status.unblock()
        self._stroke = tool

    def _tool_keys(self, choose: Callable[[str], None]) -> dict[str, Callable[[], None]]:
        return {kind.key: lambda name=kind.name: choose(name) for kind in TOOLS}  # type: ignore[misc]

    def _key_actions(self) -> dict[str, Callable[[], None]]:
        actions = self._tool_keys(self.choose)
        actions |= {str(i + 1): lambda i=i: self._choose_class(i) for i in range(9)}  # type: ignore[misc]
        return {**actions, "Escape": self.escape, **self.extra_keys}

    def _choose_class(self, place: int) -> None:
        """Take the class at a place of the table."""
        if self._hand is None:
            return
        numbers = self._hand.annotation.table.numbers
        if place < len(numbers):
            self._hand.annotation.current_class = numbers[place]
        else:
            self.noted.emit(f"There is no class {place + 1}; the table has {len(numbers)}.")

    def _tool_for(self, event: Any) -> Tool | None:
        """Return the tool that a press is for: with Ctrl it is Merge, with Alt none."""
        modifiers = event.modifiers
        if "Alt" in modifiers:
            return None
        return self._tools["merge"] if "Control" in modifiers else self._tool

    def _on_drag(self, layer: Any, event: Any) -> Iterator[None]:
        """Let a tool press, move and release; see napari's mouse callbacks."""
        tool = self._tool_for(event)
        if event.button != _LEFT or tool is None or self._layers is None or layer.mode != "pick":
            return
        if self._stroke is not None:
            self.drop()
        self._set_stroke(tool)
        self._press(tool, event)
        yield
        while event.type == "mouse_move":
            if self._stroke is tool:
                self._act(tool.move, event)
            yield
        if self._stroke is tool:
            self._act(tool.release, event)
            self._set_stroke(None)
            self._update_hover()

    def _on_double_click(self, layer: Any, event: Any) -> None:
        """Take the second of two quick clicks as a click: napari tells of it in this way alone."""
        tool = self._tool_for(event)
        if event.button == _LEFT and tool is not None and self._layers is not None:
            self._press(tool, event)
            self._act(tool.release, event)

    def _on_wheel(self, layer: Any, event: Any) -> None:
        """Take larger or smaller regions under the cursor, with Shift."""
        if "Shift" not in event.modifiers or self._hand is None:
            return
        # With Shift some systems turn the wheel sideways.
        turned = sum(event.delta)
        if turned:
            self._hand.step(1 if turned > 0 else -1)
            event.handled = True
            self._tell_size(event)

    def _tell_size(self, event: Any) -> None:
        """Say how much is taken under the cursor, whose outline may be out of sight."""
        if self._hand is None or self._layers is None:
            return
        label = self._hand.label_at(self._layers.to_plane(event.position))
        n = len(self._hand.selection(label)) if label else 0
        if n:
            self.noted.emit(f"A click takes {n} superpixels here." if n > 1 else "A click takes one superpixel.")

    def _press(self, tool: Tool, event: Any) -> None:
        is_shift = "Shift" in event.modifiers
        # What was told of the act before.
        self.noted.emit("")
        self._act(lambda position: tool.press(position, is_shift=is_shift), event)

    def _act(self, action: Callable[[Position], None], event: Any) -> None:
        """Let a tool act; what it cannot do is told, and the stroke dropped."""
        assert self._layers is not None
        try:
            action(self._layers.to_plane(event.position))
        except (SuperpixelsError, ValueError, KeyError) as error:
            self.drop()
            self.noted.emit(str(error))

    def _update_hover(self) -> None:
        if self._hover is not None and self._tool is not None:
            self._hover.show_with(self._tool)

    def _note(self, text: str) -> None:
        self.noted.emit(text)

    def _on_mode(self, event: Any) -> None:
        # napari goes to another mode and back while Space is held.
        if self._layers is not None and self._layers.classes.mode not in ("pick", "pan_zoom"):
            self.choose("")

    def _on_active(self, event: Any) -> None:
        # A layer that is added is active for a moment, before the selection goes back to what it was.
        self._check.start(0)

    def _check_active(self) -> None:
        if self._layers is not None and self._viewer.layers.selection.active is not self._layers.classes:
            self.choose("")

    def _on_removed(self, event: Any) -> None:
        if self._layers is not None and event.value is self._layers.classes:
            self.choose("")
