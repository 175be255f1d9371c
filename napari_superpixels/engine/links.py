"""Connections of one owner to signals that outlive it, undone together."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any


class Links:
    """Connections that end when their owner is closed, though the signals go on.

    Works with anything that has ``connect`` and ``disconnect``: psygnal's signals and napari's event emitters.
    """

    def __init__(self) -> None:
        self._ends: list[tuple[Any, Callable[..., Any]]] = []

    def connect(self, signal: Any, slot: Callable[..., Any], **options: Any) -> None:
        """Call a function whenever a signal is emitted; the options are the signal's own."""
        signal.connect(slot, **options)
        self._ends.append((signal, slot))

    def close(self) -> None:
        """Disconnect everything."""
        for signal, slot in self._ends:
            # PyQt raises it for methods of widgets that Qt has deleted; napari's emitters compare them before 0.7.
            with suppress(RuntimeError):
                signal.disconnect(slot)
        self._ends.clear()
