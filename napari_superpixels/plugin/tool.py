"""What a tool is: something that presses, moves and releases over superpixels."""

from typing import ClassVar

from napari_superpixels.plugin.hand import Hand, Position


class Tool:
    """A tool; the tool box tells it what the mouse does.

    Parameters
    ----------
    hand : Hand
        What it works with.
    """

    name: ClassVar[str]
    """Name, as a word of Python: that of its button and command."""
    title: ClassVar[str]
    """Name for the user."""
    key: ClassVar[str]
    """Key that chooses it."""
    help: ClassVar[str]
    """What to do with the mouse."""

    def __init__(self, hand: Hand) -> None:
        self.hand = hand

    def press(self, position: Position, *, is_shift: bool = False) -> None:
        """Begin a stroke."""

    def move(self, position: Position) -> None:
        """Go on to a position, straight from the last."""

    def release(self, position: Position) -> None:
        """End the stroke."""

    def cancel(self) -> None:
        """Drop the stroke under way, and clicks that wait for another."""
        self.hand.guides.clear("stroke")

    def forget_numbers(self) -> None:
        """Forget numbers of superpixels, which get others; a stroke under way goes on."""

    def hover(self, label: int) -> None:
        """Show what a click on a superpixel would take; label 0 for none."""
        self.hand.draw_outline(self.hand.selection(label) if label else ())

    @property
    def is_waiting(self) -> bool:
        """Whether a click waits for another."""
        return False
