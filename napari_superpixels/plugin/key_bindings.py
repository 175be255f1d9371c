"""Keys that are bound for a while."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any


class KeyBindings:
    """Keys of viewers and layers that give back, when released, what they did before."""

    def __init__(self) -> None:
        self._bound: list[tuple[Any, str, Any]] = []

    def bind(self, owners: Iterable[Any], actions: Mapping[str, Callable[[], None]]) -> None:
        """Bind keys, such as ``"A"`` or ``"Shift-N"``, of some viewers or layers to functions."""
        for owner in owners:
            for key, action in actions.items():
                before = owner.bind_key(key, _without_owner(action), overwrite=True)
                self._bound.append((owner, key, before))

    def release(self) -> None:
        """Let every key do again what it did before."""
        for owner, key, before in reversed(self._bound):
            owner.bind_key(key, None)
            if before is not None:
                owner.bind_key(key, before)
        self._bound.clear()


def _without_owner(action: Callable[[], None]) -> Callable[[Any], None]:
    def run(owner: Any) -> None:
        action()

    return run
