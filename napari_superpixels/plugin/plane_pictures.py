"""Pictures of a plane that are made in a worker and shown as a layer: coarser superpixels, suggestions."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Labels
from psygnal import Signal

from napari_superpixels.engine.scheduler import Dispatch, Scheduler
from napari_superpixels.plugin.boxes import BoxLayers
from napari_superpixels.plugin.regions import Region

#: Makes the picture, uint8 of the plane's shape, in the worker.
Make = Callable[[], npt.NDArray[np.uint8]]


class PlanePicture:
    """One Labels layer over an image, above all others, which is replaced as a whole; nobody edits it.

    Parameters
    ----------
    viewer : ViewerModel
        Where.
    kind : str
        Name of the layer, after that of the image.
    dispatch : callable
        Runs a function in the main thread.
    """

    removed = Signal()
    """The user removed the layer."""

    def __init__(self, viewer: ViewerModel, kind: str, dispatch: Dispatch) -> None:
        self._kind = kind
        self._boxes = BoxLayers(viewer)
        self._boxes.removed.connect(self._on_removed)
        self._viewer = viewer
        self._wanted: tuple[Region, Make, Any] | None = None
        self._scheduler: Scheduler[tuple[Region, Make, Any], npt.NDArray[np.uint8]] = Scheduler(
            lambda job: job.request[1](),
            supersedes=lambda new, old: False,
            dispatch=dispatch,
            on_result=self._on_made,
            on_error=lambda request, error: None,
            on_cancelled=lambda request: None,
            on_idle=lambda: None,
        )

    def show(self, region: Region, make: Make, colormap: Any) -> None:
        """Show a picture of a plane as soon as it is made, instead of what is shown."""
        self._wanted = (region, make, colormap)
        self._scheduler.submit(self._wanted)

    def clear(self) -> None:
        """Remove the layer, and show nothing that is being made."""
        self._wanted = None
        self._boxes.remove(self._kind)

    def close(self) -> None:
        """Remove the layer for good."""
        self.clear()
        self._boxes.close()
        self._scheduler.close()

    def _on_made(self, request: tuple[Region, Make, Any], picture: npt.NDArray[np.uint8]) -> None:
        region, _, colormap = request
        if self._wanted is None or region.layer not in self._viewer.layers or not region.is_current:
            return
        old = self._boxes.get(self._kind, region.layer)
        name = f"{region.layer.name} {self._kind}"
        self._boxes.show_labels(self._kind, region, picture, name, colormap, on_top=True)
        if isinstance(old, Labels):
            old.colormap = colormap

    def _on_removed(self, kind: str) -> None:
        self._wanted = None
        self.removed.emit()
