"""The outline of what a click would take."""

from collections.abc import Callable
from typing import Any

from napari.layers import Labels

from napari_superpixels.engine.links import Links
from napari_superpixels.plugin.hand import Hand, Position
from napari_superpixels.plugin.tool import Tool


class Hover:
    """Follows the mouse over a layer and shows what the present tool would take.

    Parameters
    ----------
    hand : Hand
        What the tools work with.
    layer : Labels
        The layer that gets the mouse.
    to_plane : callable
        From a position in the viewer's world to row and column.
    """

    def __init__(self, hand: Hand, layer: Labels, to_plane: Callable[[Any], Position]) -> None:
        self._hand = hand
        self._layer = layer
        self._to_plane = to_plane
        self._tool: Tool | None = None
        self._position: Position | None = None
        self._shown: int | None = None
        layer.mouse_move_callbacks.append(self._on_move)
        self._links = Links()
        for signal in (hand.annotation.labels_changed, hand.annotation.plane_changed, hand.hierarchy.changed):
            self._links.connect(signal, self._forget)

    def close(self) -> None:
        """Stop following."""
        self._links.close()
        if self._on_move in self._layer.mouse_move_callbacks:
            self._layer.mouse_move_callbacks.remove(self._on_move)
        self._hand.guides.clear("hover")

    def show_with(self, tool: Tool) -> None:
        """Show what a tool would take under the cursor."""
        self._tool = tool
        self._shown = None
        if self._position is not None:
            self._show(self._position)

    def _on_move(self, layer: Any, event: Any) -> None:
        self._position = self._to_plane(event.position)
        self._show(self._position)

    def _show(self, position: Position) -> None:
        label = self._hand.label_at(position)
        if label != self._shown and self._tool is not None:
            self._shown = label
            self._tool.hover(label)

    def _forget(self, *_: Any) -> None:
        """Draw anew with the next move, since superpixels are others now."""
        self._shown = None
