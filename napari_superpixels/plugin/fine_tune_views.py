"""What a training makes, in the viewer: the present view while it runs, and validation images before and after."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Image
from psygnal import Signal
from qtpy.QtCore import QObject, QTimer

from napari_superpixels.data.training_folder import TrainingItem
from napari_superpixels.engine.errands import Errands
from napari_superpixels.engine.fine_tune_errands import read_image
from napari_superpixels.engine.fine_tune_rows import DataRow, unique_names
from napari_superpixels.engine.fine_tune_session import FineTuneSession
from napari_superpixels.engine.links import Links
from napari_superpixels.engine.preview_files import PreviewLabels
from napari_superpixels.engine.scheduler import Dispatch
from napari_superpixels.errors import ImageError
from napari_superpixels.plugin.belonging import belongs_to
from napari_superpixels.plugin.boxes import METADATA_KEY, is_made_here
from napari_superpixels.plugin.fine_tune_rows import check_plane, region_of
from napari_superpixels.plugin.old_and_new import Mode, OldAndNew
from napari_superpixels.plugin.regions import Region, shown_region

_MOST_SIDE = 768
_REST_MS = 400
_HALVES = ("-first-half", "-second-half")


class LivePreview:
    """The superpixels of the present view, old and new, while a training runs and the user wants to see them.

    Parameters
    ----------
    viewer : ViewerModel
        Where.
    session : FineTuneSession
        Which training.
    n_segments : callable
        Number of superpixels that the Segment widget makes of an image now.
    dispatch : callable
        Runs a function in the main thread.
    channel_axis_of : callable
        Returns the axis of an image that holds its channels, or None.
    """

    noted = Signal(str)
    """Why there is no preview."""
    closed = Signal()
    """The user removed the layers, there is nothing to show, or the training ended: no preview is wanted any more."""

    def __init__(
        self,
        viewer: ViewerModel,
        session: FineTuneSession,
        n_segments: Callable[[], int],
        dispatch: Dispatch,
        channel_axis_of: Callable[[Image], int | None] = lambda image: None,
    ) -> None:
        self._viewer = viewer
        self._session = session
        self._channel_axis_of = channel_axis_of
        self._n_segments = n_segments
        self.layers = OldAndNew(viewer)
        self.is_wanted = False
        self._asked: Region | None = None
        self._errands = Errands(dispatch, lambda error: self._refuse(str(error)))
        self._owner = QObject()
        self._later = QTimer(self._owner)
        self._later.setSingleShot(True)
        self._later.setInterval(_REST_MS)
        self._later.timeout.connect(self._ask)
        self._links = Links()
        self._links.connect(session.preview_ready, self._show)
        self._links.connect(self.layers.removed, self._on_removed)
        for emitter in (viewer.dims.events.point, viewer.dims.events.order, viewer.layers.selection.events.active):
            self._links.connect(emitter, self._on_view)
        camera = getattr(viewer, "scene", viewer).camera  # napari 0.9 moved it
        for emitter in (camera.events.center, camera.events.zoom):
            self._links.connect(emitter, self._on_view)

    def set_wanted(self, is_wanted: bool) -> None:
        """Show the preview, or remove it."""
        self.is_wanted = is_wanted
        self._later.stop()
        if is_wanted:
            self._ask()
        else:
            self._asked = None
            self.layers.clear()
            self._session.set_view(None)

    def end(self) -> None:
        """Remove the preview of a training that has ended."""
        self.set_wanted(False)
        self.closed.emit()

    def close(self) -> None:
        """Remove the layers for good; the training goes on."""
        self._links.close()
        self._later.stop()
        self._errands.close()
        self.layers.close()
        self._owner.deleteLater()

    def _on_view(self, event: Any = None) -> None:
        if self.is_wanted:
            self._later.start()

    def _ask(self) -> None:
        """Hand the pixels that are shown to the training, if they are others than last."""
        if not self.is_wanted:
            return
        image = _shown_image(self._viewer, self._asked)
        if image is None:
            self._refuse("Open an image to see a preview.")
            return
        try:
            region = shown_region(image, self._viewer.dims, self._channel_axis_of(image))
            check_plane(region)
        except ImageError as error:
            self._refuse(str(error))
            return
        share = np.prod(region.shape)
        region = visible_part(region)
        if self._asked is not None and self._asked.key() == region.key():
            return
        self._asked = region
        n_segments = max(2, round(self._n_segments() * float(np.prod(region.shape) / share)))
        channel_axis = region.as_input().channel_axis

        def hand_over(pixels: npt.NDArray[Any]) -> None:
            if self.is_wanted and self._asked is region:
                self._session.set_view(pixels, n_segments, channel_axis=channel_axis, rgb=region.layer.rgb)

        self._errands.run(region.read, hand_over)

    def _show(self, made: PreviewLabels) -> None:
        region = self._asked
        if not self.is_wanted or region is None or region.layer not in self._viewer.layers:
            return
        # An answer to what was asked before the view changed.
        if made.after.shape == region.shape and region.is_current:
            self.layers.show(region, "before", made.before)
            self.layers.show(region, "after", made.after)

    def _refuse(self, reason: str) -> None:
        self.set_wanted(False)
        self.noted.emit(reason)
        self.closed.emit()

    def _on_removed(self) -> None:
        self.end()


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """A validation image with its superpixels before and after."""

    item: TrainingItem
    before: npt.NDArray[np.int32]
    after: npt.NDArray[np.int32]


class Comparison:
    """Old and new superpixels of a validation image, after a training.

    Parameters
    ----------
    viewer : ViewerModel
        Where.
    session : FineTuneSession
        Which training.
    dispatch : callable
        Runs a function in the main thread.
    """

    noted = Signal(str)
    """What is being done, or why it cannot be shown."""
    closed = Signal()
    """The user removed the layers."""

    def __init__(self, viewer: ViewerModel, session: FineTuneSession, dispatch: Dispatch) -> None:
        self._viewer = viewer
        self._session = session
        self.layers = OldAndNew(viewer)
        self._wanted: tuple[str, Mode] | None = None
        self._made: dict[str, _Compared] = {}
        self._picture: Image | None = None
        self._hidden: list[Any] = []
        self._errands = Errands(dispatch, self._on_error)
        self._links = Links()
        self._links.connect(self.layers.removed, self._on_removed)

    def show(self, name: str, mode: Mode) -> None:
        """Compare an image; its superpixels are made in a worker the first time."""
        is_other = self._wanted is None or self._wanted[0] != name
        self._wanted = (name, mode)
        if not is_other and self.layers.region is not None:
            self.layers.set_mode(mode)
        elif name in self._made:
            self._show(name)
        elif is_other:
            self._make(name)

    def clear(self) -> None:
        """Show nothing; what was hidden comes back."""
        if self._wanted is None and self.layers.region is None:
            return
        self._wanted = None
        self.layers.clear()
        for layer in self._hidden:
            layer.visible = True
        self._hidden = []
        picture, self._picture = self._picture, None
        if picture is not None and picture in self._viewer.layers:
            self._viewer.layers.remove(picture)

    def forget(self) -> None:
        """Show nothing, and keep nothing of the training that was compared."""
        self.clear()
        self._made.clear()

    def close(self) -> None:
        """Remove the layers for good."""
        self.forget()
        self._links.close()
        self._errands.close()
        self.layers.close()

    def _make(self, name: str) -> None:
        session = self._session
        folder, report = session.run_folder, session.report
        if folder is None or report is None or report.best is None:
            return
        # A run of another day has no rows, and an earlier run's image may have got another name.
        row = self._row_of(name)
        read = partial(read_image, folder, _whole_name(name)) if row is None else row.read
        models, n_segments = (report.start, str(folder / report.best)), session.params.n_segments

        def take(made: _Compared) -> None:
            if session.report is report:
                self._made[name] = made
                self._show(name)

        self.noted.emit(f"Segmenting {_whole_name(name)} with both models…")
        self._errands.run(lambda: _compare(read(), models, n_segments), take)

    def _show(self, name: str) -> None:
        if self._wanted is None or self._wanted[0] != name:
            return
        made, mode = self._made[name], self._wanted[1]
        self.clear()
        self._wanted = (name, mode)
        try:
            region = self._region_of(name, made)
        except ImageError as error:
            self.clear()
            self._wanted = (name, mode)
            self._on_error(error)
            return
        for layer in self._viewer.layers:
            if layer.visible and not isinstance(layer, Image) and belongs_to(layer, region.layer):
                layer.visible = False
                self._hidden.append(layer)
        self.layers.show(region, "before", made.before)
        self.layers.show(region, "after", made.after)
        self.layers.set_mode(mode)
        self.noted.emit("")

    def _row_of(self, name: str) -> DataRow | None:
        """Return the row of an image of the report, which bears the name that its files got; None in other runs."""
        if not self._session.is_of_rows:
            return None
        written = [row for row in self._session.rows if row.included and row.kind != "earlier"]
        rows = {row.name: row for row in self._session.rows} | dict(zip(unique_names(written), written, strict=True))
        return rows.get(_whole_name(name))

    def _region_of(self, name: str, made: _Compared) -> Region:
        """Return the plane of the image, which the viewer shows then; an image that is no layer becomes one."""
        row = self._row_of(name)
        region = None if row is None else region_of(row)
        if region is not None and region.layer in self._viewer.layers and region.is_current:
            for axis, index in enumerate(region.position):
                if index is not None:
                    offset = self._viewer.dims.ndim - region.layer.ndim
                    point = region.layer.data_to_world([0 if i is None else i for i in region.position])
                    self._viewer.dims.set_point(axis + offset, point[axis])
            return region
        item = made.item
        self._picture = Image(
            item.pixels,
            rgb=item.rgb,
            name=f"{_whole_name(name)} (compared)",
            metadata={METADATA_KEY: {"view": "compared"}},
        )
        selected = set(self._viewer.layers.selection)
        self._viewer.layers.append(self._picture)
        self._viewer.layers.selection = selected
        return shown_region(self._picture, self._viewer.dims, item.channel_axis)

    def _on_error(self, error: Exception) -> None:
        name = "" if self._wanted is None else self._wanted[0]
        self._wanted = None
        self.noted.emit(f"{name!r} cannot be compared: {error}")
        self.closed.emit()

    def _on_removed(self) -> None:
        self.clear()
        self.closed.emit()


def _compare(item: TrainingItem, models: tuple[str, str], n_segments: int) -> _Compared:
    # In a worker, as the import of torch is.
    from napari_superpixels.engine.validation import ValidationConfig, picture_pixels
    from napari_superpixels.nets.checkpoint import load_model

    def segment(model: str) -> npt.NDArray[np.int32]:
        layout: dict[str, Any] = {"channel_axis": item.channel_axis, "rgb": item.rgb}
        return picture_pixels(load_model(model), item.pixels, n_segments, ValidationConfig(), **layout).labels

    before, after = map(segment, models)
    return _Compared(item, before, after)


def visible_part(region: Region) -> Region:
    """Return the part of a plane that the canvas shows, at most 768 pixels wide and high, around its middle."""
    corners = np.asarray(region.layer.corner_pixels)
    start, stop = list(region.start), list(region.stop)
    for i, axis in enumerate(region.axes):
        first, last = (int(np.clip(corners[k, axis] + k, region.start[i], region.stop[i])) for k in (0, 1))
        if last - first < 2:
            first, last = region.start[i], region.stop[i]
        middle = (first + last) // 2
        half = min(last - first, _MOST_SIDE) // 2
        start[i], stop[i] = max(first, middle - half), min(last, middle + half)
    return replace(region, start=tuple(start), stop=tuple(stop))


def _shown_image(viewer: ViewerModel, last: Region | None) -> Image | None:
    """Return the image that is selected; else the last one, or the topmost that is visible."""
    active = viewer.layers.selection.active
    if isinstance(active, Image) and not is_made_here(active):
        return active
    images = [layer for layer in viewer.layers if isinstance(layer, Image) and not is_made_here(layer)]
    if last is not None and last.layer in images:
        return last.layer
    return next((image for image in reversed(images) if image.visible), None)


def _whole_name(name: str) -> str:
    """Return the name of the image that a validation image is, or is one half of."""
    return next((name.removesuffix(half) for half in _HALVES if name.endswith(half)), name)
