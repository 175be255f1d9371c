"""A slider from the superpixels themselves to as few regions as there can be."""

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QSlider
from superqt.utils import QSignalThrottler

from napari_superpixels.engine.hierarchy import Hierarchy
from napari_superpixels.engine.links import Links
from napari_superpixels.widgets._rows import Row
from napari_superpixels.widgets._texts import FittedLabel
from napari_superpixels.widgets.wording import wrapped

_N_POSITIONS = 100
_THROTTLE_MS = 30
_HELP = (
    "Show and paint coarser regions: superpixels joined where the border between them is weakest. Fully left are the "
    "superpixels themselves. Shift+wheel over the picture does the same for what lies under the cursor."
)
_NOT_READY = "The borders between the superpixels are still being examined."


class LevelRow(Row):
    """Shows and chooses the level of a hierarchy, 0 to 1; emits `committed` with it."""

    level_chosen = Signal(float)
    """The user wants another level."""

    def __init__(self) -> None:
        super().__init__()
        self._hierarchy: Hierarchy | None = None
        self._links = Links()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _N_POSITIONS)
        self.slider.setPageStep(10)
        self._add(self.slider, 1)
        self.count = FittedLabel("region_count", "88 888 regions")
        self._layout.addWidget(self.count)
        self.set_help("level", "Coarser", _HELP)
        self._throttle = QSignalThrottler(parent=self)
        self._throttle.setTimeout(_THROTTLE_MS)
        self._throttle.triggered.connect(lambda: self.level_chosen.emit(self.value()))
        self.slider.valueChanged.connect(self._on_slider)
        self.set_hierarchy(None)

    def set_hierarchy(self, hierarchy: Hierarchy | None) -> None:
        """Show the levels of another hierarchy, or of none."""
        self._links.close()
        self._hierarchy = hierarchy
        if hierarchy is not None:
            self._links.connect(hierarchy.changed, self._show)
        self._show()

    def value(self) -> float:
        """Return the level shown."""
        return self.slider.value() / _N_POSITIONS

    def set_value(self, value: float) -> None:
        """Show a level, without `level_chosen`."""
        with QSignalBlocker(self.slider):
            self.slider.setValue(round(value * _N_POSITIONS))
        self._show()

    def focus_widget(self) -> QSlider:
        """Return the slider."""
        return self.slider

    def _on_slider(self, position: int) -> None:
        self._show()
        self._throttle.throttle()

    def _show(self) -> None:
        is_ready = self._hierarchy is not None and self._hierarchy.is_ready
        self.slider.setEnabled(is_ready)
        self.slider.setToolTip(wrapped(_HELP if is_ready else f"{_NOT_READY}\n\n{_HELP}"))
        n = self._hierarchy.n_regions(self.value()) if self._hierarchy is not None and is_ready else 0
        self.count.setText(
            f"{grouped(n)} region{'' if n == 1 else 's'}" if n else "examining…" if self._hierarchy else ""
        )


def grouped(n: int) -> str:
    """Return a number with thin spaces between its thousands."""
    return f"{n:,}".replace(",", "\u2009")
