"""One control each: a choice, a number with a slider, a model."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import QEvent, QObject, QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QHBoxLayout,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QWidget,
)
from superqt.utils import QSignalThrottler

from napari_superpixels.engine.models import MODEL_SUFFIX, InstalledModel, check_model_file, installed_models
from napari_superpixels.errors import CheckpointError
from napari_superpixels.widgets._scales import LinearScale, LogScale
from napari_superpixels.widgets.wording import wrapped

_THROTTLE_MS = 30
# A narrow dock has no room for the buttons that napari's theme puts on both sides; arrow keys and the wheel remain.
_BOX_STYLE = """
QAbstractSpinBox { min-width: 54px; max-width: 54px; padding: 1px 4px; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { width: 0px; border: none; }
QAbstractSpinBox::up-arrow, QAbstractSpinBox::down-arrow { width: 0px; image: none; }
"""
_OPEN_FILE = "\0open"


class _NoStrayWheel(QObject):
    """Leaves the mouse wheel to the scroll area, unless a control has been clicked."""

    def eventFilter(self, watched: Any, event: QEvent) -> bool:
        """Swallow the wheel over a control without focus."""
        if event.type() == QEvent.Type.Wheel and not watched.hasFocus():
            event.ignore()
            return True
        return False


class Row(QWidget):
    """A control; `committed` is emitted for what the user does, never for :meth:`set_value`."""

    committed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(4)
        self._wheel_filter = _NoStrayWheel(self)

    def value(self) -> Any:
        """Return the value shown."""
        raise NotImplementedError

    def set_value(self, value: Any) -> None:
        """Show a value, without `committed`."""
        raise NotImplementedError

    def focus_widget(self) -> QWidget:
        """Return the control that the row's title points to; it carries the parameter's name."""
        raise NotImplementedError

    def set_help(self, name: str, title: str, description: str) -> None:
        """Name the controls, for tests, scripts and screen readers, and describe them."""
        self.focus_widget().setObjectName(name)
        for child in self._controls():
            child.setToolTip(wrapped(description))
            child.setAccessibleName(title)

    def _controls(self) -> list[QWidget]:
        return [self.focus_widget()]

    def _add(self, widget: QWidget, stretch: int = 0) -> None:
        widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        widget.installEventFilter(self._wheel_filter)
        self._layout.addWidget(widget, stretch)


class ChoiceRow(Row):
    """One of some values, in a menu."""

    def __init__(self, values: Sequence[Any], titles: Sequence[str] = ()) -> None:
        super().__init__()
        self.combo = _narrow_combo()
        self._add(self.combo, 1)
        for value, title in zip(values, titles or [str(value) for value in values], strict=True):
            self.combo.addItem(title, value)
        self.combo.activated.connect(self._on_activated)

    def value(self) -> Any:
        return self.combo.currentData()

    def set_value(self, value: Any) -> None:
        self.combo.setCurrentIndex(self.combo.findData(value))

    def focus_widget(self) -> QWidget:
        return self.combo

    def _on_activated(self, index: int) -> None:
        self.committed.emit(self.combo.itemData(index))


class NumberRow(Row):
    """A number: a slider to try, a box to be exact.

    While the slider is dragged, values are sent every 30 ms; the last one always is.
    """

    def __init__(self, low: float, high: float, step: float, *, is_log: bool, is_int: bool) -> None:
        super().__init__()
        self._step = step
        self._is_log = is_log
        self._low, self._high = low, high
        self._is_int = is_int
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setMinimumWidth(48)
        self.box = _spin_box(low, high, step, is_log=is_log, is_int=is_int)
        self._add(self.slider, 1)
        self._add(self.box)
        self._throttle = QSignalThrottler(parent=self)
        self._throttle.setTimeout(_THROTTLE_MS)
        self._throttle.triggered.connect(self._send)
        self._sent: Any = None
        self._set_scale(high)
        self.slider.valueChanged.connect(self._on_slider)
        self.box.valueChanged.connect(self._on_box)

    def value(self) -> Any:
        return self.box.value()

    def set_value(self, value: Any) -> None:
        self._sent = value
        with QSignalBlocker(self.slider), QSignalBlocker(self.box):
            self.box.setValue(value)
            if self._from_slider(self.slider.value()) != self.box.value():
                self.slider.setValue(self._scale.position(value))

    def focus_widget(self) -> QWidget:
        return self.slider

    def set_help(self, name: str, title: str, description: str) -> None:
        super().set_help(name, title, description)
        self.box.setObjectName(f"{name}_box")

    def set_slider_limit(self, high: float) -> None:
        """Let the slider end below the highest value."""
        if high != self._scale.high:
            with QSignalBlocker(self.slider):
                self._set_scale(min(high, self._high))
                self.slider.setValue(self._scale.position(self.box.value()))

    def _controls(self) -> list[QWidget]:
        return [self.slider, self.box]

    def _set_scale(self, high: float) -> None:
        self._scale = (LogScale if self._is_log else LinearScale)(self._low, high, self._step)
        self.slider.setRange(0, self._scale.n_positions)
        self.slider.setPageStep(max(1, self._scale.n_positions // 20))

    def _from_slider(self, position: int) -> Any:
        value = self._scale.value(position)
        return round(value) if self._is_int else round(value, self.box.decimals())

    def _on_slider(self, position: int) -> None:
        with QSignalBlocker(self.box):
            self.box.setValue(self._from_slider(position))
        self._throttle.throttle()

    def _on_box(self, value: float) -> None:
        with QSignalBlocker(self.slider):
            self.slider.setValue(self._scale.position(value))
        self._throttle.throttle()

    def _send(self) -> None:
        value = self.value()
        if value != self._sent:
            self._sent = value
            self.committed.emit(value)


class ModelRow(ChoiceRow):
    """An installed model, a model file, or none.

    Parameters
    ----------
    models : callable
        Returns the models that are installed now.
    has_none : bool
        Whether no model is a choice too.
    """

    refused = Signal(str)
    """Why a file is not a model."""

    def __init__(
        self, models: Callable[[], Sequence[InstalledModel]] = installed_models, *, has_none: bool = True
    ) -> None:
        super().__init__(())
        self._models, self._has_none = models, has_none
        self._shown: str | None = None
        self.reload()

    def reload(self) -> None:
        """List the models that are installed now."""
        self.combo.clear()
        for model in self._models():
            self.combo.addItem(model.name, model.name)
            self.combo.setItemData(self.combo.count() - 1, wrapped(model.description), Qt.ItemDataRole.ToolTipRole)
        if self._has_none:
            self.combo.addItem("None (raw image)", None)
        self.combo.addItem("Open model file…", _OPEN_FILE)
        self.set_value(self._shown)

    def set_value(self, value: str | None) -> None:
        self._shown = value
        index = self._find(value)
        if index < 0 and value is not None:
            # A file, or a model that is gone: name it, so that the error about it makes sense.
            index = self.combo.count() - 1 - self._has_none
            self.combo.insertItem(index, Path(str(value)).stem, value)
            self.combo.setItemData(index, value, Qt.ItemDataRole.ToolTipRole)
        self.combo.setCurrentIndex(index)

    def _find(self, value: str | None) -> int:
        """Return the index of a value; Qt's own search does not find None."""
        return next((i for i in range(self.combo.count()) if self.combo.itemData(i) == value), -1)

    def _on_activated(self, index: int) -> None:
        value = self.combo.itemData(index)
        if value == _OPEN_FILE:
            self.set_value(self._shown)
            self._choose_file()
        elif value != self._shown:
            self._shown = value
            self.committed.emit(value)

    def _choose_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open a model", "", f"Models (*{MODEL_SUFFIX})")
        if path:
            self.set_file(path)

    def set_file(self, path: str) -> None:
        """Choose a model file, after a look at its header."""
        try:
            check_model_file(path)
        except CheckpointError as error:
            self.refused.emit(str(error))
            return
        self.set_value(path)
        self.committed.emit(path)


def _narrow_combo() -> QComboBox:
    combo = QComboBox()
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(5)
    combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return combo


def _spin_box(low: float, high: float, step: float, *, is_log: bool, is_int: bool) -> Any:
    box: Any
    if is_int:
        box = QSpinBox()
        box.setRange(round(low), round(high))
    else:
        box = QDoubleSpinBox()
        box.setDecimals(max(2, math.ceil(-math.log10(step))))
        box.setRange(low, high)
        box.setSingleStep(step)
    if is_log:
        box.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
    box.setKeyboardTracking(False)
    box.setStyleSheet(_BOX_STYLE)
    return box
