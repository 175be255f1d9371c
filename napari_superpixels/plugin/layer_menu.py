"""Menus of a viewer's layers."""

from typing import Any

from napari.layers import Layer
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QComboBox, QSizePolicy

from napari_superpixels.widgets.wording import wrapped


class LayerMenu(QComboBox):
    """A menu of layers, kept by reference: names may change and need not differ."""

    def __init__(self, name: str, description: str, none: str | None = None) -> None:
        super().__init__()
        _set_up(self, name, description)
        self._none = none
        self._layers: list[Any] = []
        self.fill([])

    @property
    def layer(self) -> Any:
        """The layer chosen, or None."""
        index = self.currentIndex()
        return self._layers[index] if 0 <= index < len(self._layers) else None

    def fill(self, layers: list[Any]) -> None:
        """Offer layers; the present choice stays if it is among them."""
        chosen = self.layer
        self._layers = ([None] if self._none is not None else []) + layers
        with QSignalBlocker(self):
            self.clear()
            self.addItems([self._title(layer) for layer in self._layers])
            if self._layers:
                self.setCurrentIndex(self._layers.index(chosen) if chosen in self._layers else 0)
        self.setEnabled(len(self._layers) > (0 if self._none is None else 1))

    def set_none(self, title: str) -> None:
        """Name the choice of no layer."""
        self._none = title

    def set_description(self, description: str) -> None:
        """Say what the menu is for."""
        _describe(self, description)

    def rename(self) -> None:
        """Show the layers' present names."""
        for i, layer in enumerate(self._layers):
            self.setItemText(i, self._title(layer))

    def choose(self, layer: Any) -> bool:
        """Choose a layer; return whether it is among those offered."""
        if layer not in self._layers:
            return False
        with QSignalBlocker(self):
            self.setCurrentIndex(self._layers.index(layer))
        return True

    def _title(self, layer: Layer | None) -> str:
        return self._none or "" if layer is None else layer.name


def plain_menu(name: str, description: str) -> QComboBox:
    """Return an empty menu that can be as narrow as the dock."""
    menu = QComboBox()
    _set_up(menu, name, description)
    return menu


def _set_up(menu: QComboBox, name: str, description: str) -> None:
    menu.setObjectName(name)
    _describe(menu, description)
    menu.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    menu.setMinimumContentsLength(5)
    menu.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)


def _describe(menu: QComboBox, description: str) -> None:
    menu.setToolTip(wrapped(description))
    menu.setAccessibleDescription(description)
