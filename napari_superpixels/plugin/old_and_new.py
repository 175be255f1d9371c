"""Old and new superpixels of one image, seen together: their borders in two colours, in turns, or side by side."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Labels
from psygnal import Signal
from qtpy.QtCore import QObject, QTimer

from napari_superpixels.core.metrics import boundary_pixels
from napari_superpixels.plugin.boxes import BoxLayers
from napari_superpixels.plugin.frames import Frames
from napari_superpixels.plugin.partial import write_box
from napari_superpixels.plugin.regions import Region
from napari_superpixels.plugin.style import new_colormap, old_colormap

Mode = Literal["both", "blink", "swipe"]
Side = Literal["before", "after"]

_BLINK_MS = 700


class OldAndNew:
    """Two layers of borders over a plane, which come and go together; the user's own layers stay as they are.

    Parameters
    ----------
    viewer : ViewerModel
        Where.
    """

    removed = Signal()
    """The user removed one of the layers: both are gone."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._boxes = BoxLayers(viewer)
        self._boxes.removed.connect(self._on_removed)
        self._region: Region | None = None
        self._lines: dict[Side, npt.NDArray[np.uint8]] = {}
        self._mode: Mode = "both"
        self._split = 0
        self._owner = QObject()
        self._frames = Frames(self._owner)
        self._blink = QTimer(self._owner)
        self._blink.setInterval(_BLINK_MS)
        self._blink.timeout.connect(self._take_turns)

    @property
    def region(self) -> Region | None:
        """The plane whose borders are shown."""
        return self._region

    @property
    def mode(self) -> Mode:
        """How they are shown."""
        return self._mode

    def layer(self, side: Side) -> Labels | None:
        """Return the layer of the old or of the new borders, if it is shown."""
        found = None if self._region is None else self._boxes.get(side, self._region.layer)
        return found if isinstance(found, Labels) else None

    def show(self, region: Region, side: Side, labels: npt.NDArray[np.integer[Any]]) -> None:
        """Show old or new superpixels of a plane; those of another plane go.

        Parameters
        ----------
        region : Region
            The plane.
        side : {"before", "after"}
            Which.
        labels : ndarray of shape (M, N), integer
            Superpixels of the plane.
        """
        if self._region is not None and self._region.key() != region.key():
            self.clear()
        self._region = region
        self._lines[side] = boundary_pixels(labels).view(np.uint8)
        name = f"{region.layer.name} {side}"
        colormap = old_colormap() if side == "before" else new_colormap()
        # A copy: what is hidden on one side of a swipe is wiped out of the layer.
        self._boxes.show_labels(side, region, self._lines[side].copy(), name, colormap, on_top=True)
        self._show_mode()

    def set_mode(self, mode: Mode, *, split: int | None = None) -> None:
        """Show both at once, in turns, or old ones left of a column (the middle by default) and new ones right."""
        self._mode = mode
        if self._region is not None:
            self._split = self._region.shape[1] // 2 if split is None else split
        self._show_mode()

    def swipe_to(self, column: float) -> None:
        """Move the column where old and new superpixels meet; at most once for each frame of the display."""
        if self._mode == "swipe" and self._region is not None:
            self._frames.request(lambda: self._move_split(round(column)))

    def clear(self) -> None:
        """Remove the layers."""
        self._blink.stop()
        self._frames.drop()
        self._lines.clear()
        self._region = None
        for side in ("before", "after"):
            self._boxes.remove(side)
        self._watch_mouse(False)

    def close(self) -> None:
        """Remove the layers for good."""
        self.clear()
        self._boxes.close()
        self._owner.deleteLater()

    def _show_mode(self) -> None:
        self._blink.stop()
        self._watch_mouse(self._mode == "swipe" and len(self._lines) == 2)
        if self._mode == "swipe" and len(self._lines) == 2:
            self._write_columns(0, self._width())
        else:
            for side, lines in self._lines.items():
                self._write(side, 0, lines)
        self._set_visible(before=True, after=True)
        if self._mode == "blink" and len(self._lines) == 2:
            self._take_turns()
            self._blink.start()

    def _take_turns(self) -> None:
        after = self.layer("after")
        is_new = after is not None and not after.visible
        self._set_visible(before=not is_new, after=is_new)

    def _set_visible(self, *, before: bool, after: bool) -> None:
        wanted: dict[Side, bool] = {"before": before, "after": after}
        for side, is_visible in wanted.items():
            layer = self.layer(side)
            if layer is not None and layer.visible != is_visible:
                layer.visible = is_visible

    def _move_split(self, column: int) -> None:
        if self._region is None or len(self._lines) < 2:
            return
        column = min(max(column, 0), self._width())
        first, last = sorted((self._split, column))
        self._split = column
        if last > first:
            self._write_columns(first, last)

    def _write_columns(self, first: int, last: int) -> None:
        columns = np.arange(first, last)
        shown: dict[Side, npt.NDArray[np.bool_]] = {"before": columns < self._split, "after": columns >= self._split}
        for side, is_shown in shown.items():
            self._write(side, first, self._lines[side][:, first:last] * is_shown.astype(np.uint8))

    def _write(self, side: Side, first: int, values: npt.NDArray[np.uint8]) -> None:
        """Write values into the columns of a layer from one on."""
        layer, region = self.layer(side), self._region
        assert region is not None
        if layer is None:
            return
        part = (slice(0, values.shape[0]), slice(first, first + values.shape[1]))
        if not layer.data.flags.writeable:
            # The channels of an image share one plane, which napari gets anew as a whole.
            shown = tuple(slice(None) if axis in region.axes else 0 for axis in range(layer.ndim))
            whole = np.array(layer.data[shown])
            whole[part] = values
            layer.data = region.boxed(whole)
            layer.editable = False
            return
        box = [slice(0, 1)] * layer.ndim
        for axis, side_part in zip(region.axes, part, strict=True):
            box[axis] = side_part
        write_box(layer, tuple(box), None, values.reshape([side.stop - side.start for side in box]))

    def _width(self) -> int:
        assert self._region is not None
        return self._region.shape[1]

    def _watch_mouse(self, is_wanted: bool) -> None:
        callbacks = self._viewer.mouse_move_callbacks
        if is_wanted and self._on_mouse not in callbacks:
            callbacks.append(self._on_mouse)
        elif not is_wanted and self._on_mouse in callbacks:
            callbacks.remove(self._on_mouse)

    def _on_mouse(self, viewer: Any, event: Any) -> None:
        layer, region = self.layer("after"), self._region
        if layer is not None and region is not None:
            self.swipe_to(float(layer.world_to_data(event.position)[region.axes[1]]))

    def _on_removed(self, kind: str) -> None:
        self.clear()
        self.removed.emit()
