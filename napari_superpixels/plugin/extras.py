"""Layers that show how a result came about: the flattened image, borders, arrival times, seeds."""

from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer, Points
from psygnal import Signal

from napari_superpixels.engine.pipeline import SolveResult
from napari_superpixels.engine.session import Session
from napari_superpixels.plugin.boxes import METADATA_KEY, BoxLayers
from napari_superpixels.plugin.regions import Region, current_region
from napari_superpixels.plugin.style import seed_options

_TITLES = {
    "flattened": "flattened image",
    "boundary": "boundary probability",
    "arrival": "arrival time",
    "seeds": "seeds",
}


class ExtraViews:
    """Keeps the extra layers that the user wants up to date with a session's results.

    Parameters
    ----------
    viewer : ViewerModel
        Where.
    session : Session
        Whose results.
    """

    closed = Signal(str)
    """The name of a view whose layer the user removed, or took over."""
    noted = Signal(str)
    """Why a view cannot be shown, or is no more."""

    def __init__(self, viewer: ViewerModel, session: Session) -> None:
        self._viewer = viewer
        self._session = session
        self._is_writing = False
        self._boxes = BoxLayers(viewer)
        self._wanted: set[str] = set()
        self._boxes.removed.connect(self._on_removed)
        session.solved.connect(self.show)

    def close(self) -> None:
        """Stop watching the session and the viewer; the layers stay."""
        self._session.solved.disconnect(self.show)
        for layer in self._boxes.layers("seeds"):
            layer.events.data.disconnect(self._on_seeds_edited)
        self._boxes.close()

    def set_wanted(self, name: str, is_wanted: bool) -> None:
        """Show a view, now and after each result, or remove its layers."""
        if not is_wanted:
            self._wanted.discard(name)
            self._boxes.remove(name)
            return
        self._wanted.add(name)
        if self._session.result is not None:
            self._show(name, self._session.result)

    def show(self, result: SolveResult) -> None:
        """Bring the wanted views up to date."""
        for name in sorted(self._wanted):
            self._show(name, result)

    def give_up(self, layer: Layer) -> None:
        """Leave seeds that the user edits, or takes for seeds, to the user: no result overwrites them any more."""
        if layer not in self._boxes.layers("seeds"):
            return
        layer.events.data.disconnect(self._on_seeds_edited)
        self._boxes.give_up(layer)
        self.set_wanted("seeds", False)
        self.closed.emit("seeds")
        self.noted.emit(f"{layer.name!r} is yours now: new results leave these points as they are.")

    def _show(self, name: str, result: SolveResult) -> None:
        region = current_region(result, self._viewer.layers)
        if region is None:
            return
        network, title = result.network, f"{region.layer.name} {_TITLES[name]}"
        if name == "seeds":
            self._show_seeds(region, result, title)
        elif name == "arrival":
            arrival = result.superpixels.arrival
            highest = float(arrival.max(where=np.isfinite(arrival), initial=0.0)) or 1.0
            self._boxes.show_image(name, region, arrival, title, limits=(0.0, highest), colormap="viridis")
        elif name == "flattened" and network.flattened is not None:
            grey = network.unit.kind == "grey"
            picture = network.flattened[..., 0] if grey else network.flattened
            self._boxes.show_image(name, region, np.clip(picture, 0, 1), title)
        elif name == "boundary" and network.boundary is not None:
            self._boxes.show_image(name, region, network.boundary, title, colormap="magma")
        else:
            self._refuse(name, has_model=result.params.model is not None)

    def _show_seeds(self, region: Region, result: SolveResult, title: str) -> None:
        points = region.to_data(result.superpixels.seeds)
        layer = self._boxes.get("seeds", region.layer)
        if isinstance(layer, Points):
            self._is_writing = True
            layer.data = points
            layer.selected_data = set()
            self._boxes.lay_over("seeds", region)
            self._is_writing = False
            return
        options = seed_options(region.shape, len(points)) | region.placement(is_full=True)
        options["size"] *= max(region.factors)
        metadata = {METADATA_KEY: {"image": region.layer.name, "view": "seeds"}}
        layer = Points(points, name=title, metadata=metadata, **options)
        self._boxes.adopt("seeds", region, layer, is_full=True, on_top=True)
        layer.events.data.connect(self._on_seeds_edited)

    def _on_seeds_edited(self, event: Any) -> None:
        if not self._is_writing:
            self.give_up(event.source)

    def _refuse(self, name: str, *, has_model: bool) -> None:
        self._wanted.discard(name)
        self.closed.emit(name)
        what = "predicts no boundaries" if name == "boundary" else "flattens nothing"
        reason = f"this model {what}" if has_model else "the raw image is used, without a model"
        self.noted.emit(f"There is no {_TITLES[name]} to show: {reason}.")

    def _on_removed(self, name: str) -> None:
        if not self._boxes.layers(name):
            self._wanted.discard(name)
            self.closed.emit(name)
