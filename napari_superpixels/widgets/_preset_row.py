"""A number that a preset decides until the user does."""

from typing import Any

from qtpy.QtWidgets import QCheckBox, QLabel, QSizePolicy, QWidget

from napari_superpixels.widgets._rows import NumberRow, Row
from napari_superpixels.widgets.wording import wrapped

_TICK_HELP = "Ticked: your own value. Not ticked: what the preset says, which is shown in grey."


class PresetRow(Row):
    """A number with a tick; its value is None while it is not ticked.

    Parameters
    ----------
    number : NumberRow
        The number.
    """

    def __init__(self, number: NumberRow) -> None:
        super().__init__()
        self.number = number
        self.own = QCheckBox()
        self._add(self.own)
        self.unused = QLabel("Not used")
        self.unused.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.unused.setEnabled(False)
        self.unused.hide()
        self._layout.addWidget(number, 1)
        self._layout.addWidget(self.unused, 1)
        number.setEnabled(False)
        number.committed.connect(self.committed)
        self.own.clicked.connect(self._on_clicked)

    def value(self) -> Any:
        return self.number.value() if self.own.isChecked() else None

    def set_value(self, value: Any) -> None:
        self.own.setChecked(value is not None)
        self.number.setEnabled(value is not None)
        if value is not None:
            self.number.set_value(value)
            self._show_number(True)

    def set_preset(self, value: float | None) -> None:
        """Show what the preset says, if anything, unless the user has a value of his own."""
        if not self.own.isChecked():
            self._show_number(value is not None)
            if value is not None:
                self.number.set_value(value)

    def focus_widget(self) -> QWidget:
        return self.number.focus_widget()

    def set_help(self, name: str, title: str, description: str) -> None:
        self.number.set_help(name, title, description)
        self.own.setObjectName(f"{name}_own")
        self.own.setToolTip(wrapped(f"{description}\n\n{_TICK_HELP}"))
        self.own.setAccessibleName(f"Own value: {title}")

    def _show_number(self, is_shown: bool) -> None:
        self.number.setVisible(is_shown)
        self.unused.setVisible(not is_shown)

    def _on_clicked(self, is_own: bool) -> None:
        self._show_number(is_own or self.unused.isHidden())
        self.number.setEnabled(is_own)
        self.committed.emit(self.value())
