"""An image's annotation as layers: superpixels and classes, written in place and in parts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Labels, Layer
from psygnal import Signal
from pydantic import JsonValue

from napari_superpixels.data.class_table import ClassTable
from napari_superpixels.engine.annotation import Annotation
from napari_superpixels.engine.deltas import ArrayName, Box
from napari_superpixels.engine.history import Entry
from napari_superpixels.engine.links import Links
from napari_superpixels.engine.pipeline import SolveResult
from napari_superpixels.engine.preferences import journal_folder
from napari_superpixels.engine.scheduler import Dispatch
from napari_superpixels.engine.session import Session
from napari_superpixels.errors import ImageError
from napari_superpixels.params import SegmentParams
from napari_superpixels.plugin.boxes import METADATA_KEY, lay_over, watch_placement
from napari_superpixels.plugin.brush import note_stroke
from napari_superpixels.plugin.file_io import stored_placement
from napari_superpixels.plugin.found_layers import find_layer, own
from napari_superpixels.plugin.journal_keeper import JournalKeeper
from napari_superpixels.plugin.layers import ResultLayers
from napari_superpixels.plugin.left_work import LeftWork
from napari_superpixels.plugin.partial import write_box
from napari_superpixels.plugin.regions import Region, is_of, shown_region
from napari_superpixels.plugin.seed_points import given_seeds
from napari_superpixels.plugin.style import class_colormap

NOT_IN_PLANES = "Superpixels are corrected in planes: switch the viewer back to two dimensions."
_OPACITY = 0.45


class AnnotationLayers:
    """The annotation of one image, and the layers that show it.

    The superpixels are a layer of :class:`ResultLayers`, which hands results over while this is open; the classes are a
    layer of their own, made here or found from an earlier time, and shown by :meth:`ensure_shown`. The user may rename,
    move and hide both; a layer that was removed comes back when it is needed.

    Parameters
    ----------
    viewer : ViewerModel
        Where.
    session : Session
        Makes the superpixels.
    results : ResultLayers
        Shows them.
    superpixels : Labels
        Their layer, of planes at full resolution.

    Raises
    ------
    ImageError
        If the layer cannot be corrected.
    """

    noted = Signal(str)
    """Something that the user should know."""
    accepting = Signal()
    """Superpixels get other numbers next: what waits for those of now is to be done."""

    def __init__(self, viewer: ViewerModel, session: Session, results: ResultLayers, superpixels: Labels) -> None:
        region = results.region_of(superpixels)
        if region is None or superpixels.data.shape != region.full_shape:
            raise ImageError(f"{superpixels.name!r} shows a part of its image, but whole planes are corrected.")
        if len(region.axes) != 2:
            # Those of a volume are corrected in the planes that cut it, once the viewer shows one.
            region = shown_region(region.layer, viewer.dims, region.channel_axis)
        if len(region.axes) != 2:
            raise ImageError(NOT_IN_PLANES)
        self._viewer = viewer
        self._session = session
        self._results = results
        self._writing = 0
        self._is_accepting = False
        self.is_elsewhere = False
        """Whether a result of another plane than that at hand, which comes back after it, is being taken over."""
        self._recalled: Any = None
        self.image = region.layer
        self.region = region
        self.superpixels = superpixels
        self.classes = find_layer(viewer, region, "classes", np.uint8) or _new_classes(region)
        own(self.classes, self.image)
        self.annotation = Annotation(
            superpixels.data, self.classes.data, write=self._write, table=_saved_table(self.classes)
        )
        self.annotation.is_machine_made = results.holds_results_only(superpixels)
        self.annotation.set_plane(region.plane_index(), self._result_of(region))
        self.journal: JournalKeeper | None = None
        self._links = Links()
        self._connect()
        self._follow_image()
        self._color(self.annotation.table)
        results.attach(superpixels, self._accept)
        if results.region_of(superpixels) is not region:
            results.redraw(superpixels, region, None)

    @property
    def layers(self) -> tuple[Labels, Labels]:
        """Superpixels and classes."""
        return self.superpixels, self.classes

    def close(self) -> Path | None:
        """Stop keeping the layers, which stay; return the journal that stays, because it holds what is not saved."""
        self.annotation.end_stroke()
        journal = None if self.journal is None else self.journal.close()
        if journal is not None:
            self._results.noted.emit(
                f"What was done on {self.image.name!r} is in no project file; it is offered when the image is opened "
                f"again, and kept in {journal.parent}."
            )
        self._links.close()
        self._results.detach(self.superpixels)
        for layer in self.layers:
            # Writes in place are not in napari's own history, which would undo the rest wrongly: this empties it.
            layer.editable = False
            layer.editable = True
        return journal

    def left_work(self) -> LeftWork:
        """Return what was done, for somebody who goes on with these layers after :meth:`close`."""
        self.annotation.end_stroke()
        saved = None if self.journal is None else self.journal.saved
        state = self.annotation.as_state()
        is_machine_made = self.annotation.is_machine_made
        return LeftWork(state.labels, self.region.channel_axis, state, is_machine_made=is_machine_made, saved=saved)

    def go_on(self, work: LeftWork, dispatch: Dispatch) -> None:
        """Go on with what was done to these layers before, and write every act down from now on."""
        if work.state is not None:
            self.annotation.restore(work.state)
            self.annotation.is_machine_made = work.is_machine_made
        self.start_journal(dispatch)
        assert self.journal is not None
        self.journal.go_on(work.saved, work.journal)

    def start_journal(self, dispatch: Dispatch) -> None:
        """Write every act down from now on."""
        self.journal = JournalKeeper(self.annotation, self.image, journal_folder(), self.settings(), dispatch)

    def settings(self) -> dict[str, JsonValue]:
        """Return what is kept with the annotation in files: placement, channels, origin of the superpixels."""
        made = self.superpixels.metadata.get(METADATA_KEY, {})
        return {
            "layer": stored_placement(self.image),
            "channel_axis": self.region.channel_axis,
            "segmentation": {key: value for key, value in made.items() if key != "project"},
        }

    def ensure_shown(self) -> None:
        """Put layers that the user removed back into the viewer, the classes above the superpixels."""
        layers = self._viewer.layers
        selected = set(layers.selection)
        if self.superpixels not in layers:
            layers.insert(layers.index(self.image) + 1, self.superpixels)
        if self.classes not in layers:
            layers.insert(layers.index(self.superpixels) + 1, self.classes)
        layers.selection = selected

    def follow_viewer(self) -> None:
        """Take the plane at hand that the viewer shows, unless a result of another one is being taken over.

        Raises
        ------
        ImageError
            If the viewer shows no plane of the image.
        """
        if self._is_accepting:
            return
        region = shown_region(self.image, self._viewer.dims, self.region.channel_axis)
        if len(region.axes) != 2:
            raise ImageError(NOT_IN_PLANES)
        if not self.can_take(region):
            raise ImageError(f"The image {self.image.name!r} has changed its size since; press Segment.")
        self.take_plane(region)

    def can_take(self, region: Region) -> bool:
        """Say whether a region is a plane of these superpixels, with the same channels."""
        is_plane = region.covers_plane and len(region.axes) == 2 and region.channel_axis == self.region.channel_axis
        return is_plane and region.full_shape == self.superpixels.data.shape

    def take_plane(self, region: Region) -> None:
        """Take a plane of the image at hand."""
        if region.position != self.region.position:
            self.region = region
            self.annotation.set_plane(region.plane_index(), self._result_of(region))
            self._results.redraw(self.superpixels, region, None)

    def take_superpixels(self, region: Region, labels: npt.NDArray[np.int32]) -> None:
        """Write superpixels that were not computed here into a plane of the image, as an act that can be undone."""
        self.ensure_shown()
        self.take_plane(region)
        self.annotation.take_superpixels(labels)

    def draw_thumbnail(self) -> None:
        """Show the present classes in napari's layer list, which parts that are written leave as it is."""
        self.classes.refresh(data_displayed=False, highlight=False, extent=False)

    def to_plane(self, position: npt.ArrayLike) -> tuple[float, float]:
        """Return the row and column in the plane at hand of a position in the viewer's world."""
        point = self.classes.world_to_data(position)
        row, column = (float(point[axis]) for axis in self.region.axes)
        return row, column

    def to_world(self, row: float, column: float) -> npt.NDArray[np.float64]:
        """Return the position in the viewer's world of a row and column in the plane at hand."""
        point = [0.0 if i is None else float(i) for i in self.region.position]
        for axis, part in zip(self.region.axes, (row, column), strict=True):
            point[axis] = part
        return np.asarray(self.classes.data_to_world(point), float)

    def _connect(self) -> None:
        annotation, events = self.annotation, self._links
        events.connect(annotation.table_changed, self._color)
        events.connect(annotation.current_class_changed, self._choose)
        events.connect(annotation.labels_changed, self._redraw)
        events.connect(annotation.corrections_changed, self._hand_on_corrections)
        events.connect(annotation.params_changed, self._restore)
        events.connect(annotation.restored, self._on_restored)
        events.connect(annotation.undone, self._on_undone)
        events.connect(self._session.recalled, self._remember)
        watch_placement(events, self.image, self._follow_image)
        names: tuple[ArrayName, ArrayName] = ("labels", "classes")
        for name, layer in zip(names, self.layers, strict=True):
            events.connect(layer.events.paint, self._brush_listener(name))
            events.connect(layer.events.data, self._data_listener(name))

    def _follow_image(self) -> None:
        """Keep the classes over an image that is moved, scaled or turned, as the superpixels are kept."""
        lay_over(self.classes, self.region, is_full=True)

    def _accept(self, region: Region, result: SolveResult) -> None:
        """Take a result over as the superpixels of its plane, which the viewer may have left meanwhile."""
        annotation, here = self.annotation, self.region
        self._is_accepting = True
        self.is_elsewhere = region.position != here.position
        try:
            self.accepting.emit()
            # A stroke under way is divided in two.
            is_in_stroke = annotation.is_in_stroke
            self.region = region
            self.ensure_shown()
            annotation.set_plane(region.plane_index())
            annotation.accept(result)
            if self.is_elsewhere:
                self.take_plane(here)
            if is_in_stroke:
                annotation.begin_stroke()
        finally:
            self._is_accepting = self.is_elsewhere = False

    def _result_of(self, region: Region) -> SolveResult | None:
        """Return the session's result, if it is of a region."""
        result = self._session.result
        return result if result is not None and is_of(result.inputs, region) else None

    def _hand_on_corrections(self) -> None:
        """Let the session's next result hold the corrections."""
        inputs = self._session.inputs
        if inputs is not None and is_of(inputs, self.region):
            self._session.set_corrections(self.annotation.corrections)

    def _on_restored(self) -> None:
        """Bring the parameters back with superpixels that come from a file, and what repairs need of their result."""
        params = self.annotation.params
        if params is None:
            return
        at_hand = _region_at_hand(self._session, self.image)
        if at_hand is None or at_hand.channel_axis != self.region.channel_axis:
            self._take_session()
        try:
            self._restore(params)
        except ValueError as error:
            self.noted.emit(f"The parameters of these superpixels are not known here: {error}")

    def _on_undone(self, entry: Entry) -> None:
        """Drop the session's result when the plane's first segmentation is taken back."""
        annotation, inputs = self.annotation, self._session.inputs
        if annotation.params is None and inputs is not None and is_of(inputs, self.region):
            if not annotation.labels_plane.any():
                self._session.forget()

    def recall_result(self) -> None:
        """Have the result computed that the superpixels come from, if it is not at hand, as with a user's own labels.

        Repairs follow it, and coarser regions, doubts and suggestions are made from it.
        """
        annotation, session = self.annotation, self._session
        if annotation.result is not None or session.is_busy or not annotation.labels_plane.any():
            return
        if _region_at_hand(session, self.image) is None:
            self._take_session()
        inputs, wanted = session.inputs, (annotation.plane, annotation.params)
        if wanted == self._recalled or inputs is None or not is_of(inputs, self.region):
            return
        if annotation.params in (None, session.params.model_dump(mode="json")):
            # Once: a result that does not fit will not fit the next time.
            self._recalled = wanted
            # These superpixels are what is shown for the parameters: nothing shall take their place by itself.
            session.restore(session.params)
            session.recall()

    def _take_session(self) -> None:
        """Let the session work on this plane."""
        made = self.superpixels.metadata.get(METADATA_KEY, {})
        seeds = given_seeds(made, self.region)
        self._session.set_input(self.region.as_input(seeds=seeds, corrections=self.annotation.corrections))

    def _restore(self, params: dict[str, Any]) -> None:
        """Bring the parameters back that the superpixels have after an undo or redo, unless another image has them."""
        inputs = self._session.inputs
        if inputs is not None and not is_of(inputs, self.region):
            return
        self._session.restore(SegmentParams(**params))
        if inputs is not None and (self.annotation.result is None or self._session.result is None):
            self._session.recall()

    def _remember(self, result: SolveResult) -> None:
        """Keep a result that the superpixels shown come from, for repairs."""
        if is_of(result.inputs, self.region):
            self._recalled = None
            self.annotation.set_result(result)

    def _write(self, name: ArrayName, box: Box, mask: npt.NDArray[np.bool_] | None, values: npt.NDArray[Any]) -> None:
        layer = self.superpixels if name == "labels" else self.classes
        axis = self.region.channel_axis
        if axis is not None:
            # All channels share memory; only the one that is shown is drawn.
            mask, values = _first_along(axis, box, mask, values)
            box = (*box[:axis], self.region.shown_channel(self._viewer.dims), *box[axis + 1 :])
        self._writing += 1
        try:
            write_box(layer, box, mask, values)
        finally:
            self._writing -= 1

    def _redraw(self, box: Box) -> None:
        part = self.annotation.plane_box(box)
        if part is not None:
            n_pixels = int(np.prod([side.stop - side.start for side in part]))
            is_local = 4 * n_pixels < self.annotation.labels_plane.size
            self._results.redraw(self.superpixels, self.region, part if is_local else None)

    def _color(self, table: ClassTable) -> None:
        self.classes.colormap = class_colormap(table)
        # File > Save writes the names and colours too.
        self.classes.metadata[METADATA_KEY] = {
            "image": self.image.name,
            "view": "classes",
            "classes": table.to_json(),
        }
        self._choose(self.annotation.current_class)

    def _choose(self, number: int) -> None:
        """Let napari's own brush paint the current class too."""
        self.classes.selected_label = number

    def _brush_listener(self, name: ArrayName) -> Callable[[Any], None]:
        def listen(event: Any) -> None:
            if self._writing:
                return
            layer = self.superpixels if name == "labels" else self.classes
            note_stroke(self.annotation, name, layer, event.value)

        return listen

    def _data_listener(self, name: ArrayName) -> Callable[[Any], None]:
        layer, annotation = (self.superpixels if name == "labels" else self.classes), self.annotation
        ours = annotation.labels if name == "labels" else annotation.classes

        def listen(event: Any) -> None:
            data = layer.data
            if data is not ours:
                # The annotation writes to its own array, so that goes back under the layer; this is called once more.
                layer.data = ours
                self._take_data(name, layer, data)

        return listen

    def _take_data(self, name: ArrayName, layer: Labels, data: Any) -> None:
        """Make an act of what others set as a layer's data."""
        try:
            values = np.asarray(data)
            axis = self.region.channel_axis
            if axis is not None and values.shape == layer.data.shape:
                # All channels share memory; what is shown counts.
                shown = values[(*(slice(None),) * axis, self.region.shown_channel(self._viewer.dims))]
                values = np.broadcast_to(shown, values.shape)
            self.annotation.take_array(name, values)
        except ValueError as error:
            lay_over(layer, self.region, is_full=True)
            self.noted.emit(f"{layer.name!r} keeps what it had. {error}")


def _first_along(
    axis: int, box: Box, mask: npt.NDArray[np.bool_] | None, values: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.bool_] | None, npt.NDArray[Any]]:
    """Return the first of the same mask and values along an axis, whose others hold the same."""
    first = (slice(None),) * axis + (slice(0, 1),)
    if mask is None:
        return None, values.reshape([side.stop - side.start for side in box])[first]
    spread = np.zeros(mask.shape, values.dtype)
    spread[mask] = values
    return mask[first], spread[first][mask[first]]


def _region_at_hand(session: Session, image: Layer) -> Region | None:
    """Return the part of an image that a session works on; None if it works on another image, or on none."""
    origin = None if session.inputs is None else session.inputs.origin
    return origin if isinstance(origin, Region) and origin.layer is image else None


def _saved_table(classes: Labels) -> ClassTable | None:
    """Return the class table that a layer of an earlier time carries."""
    try:
        return ClassTable.from_json(classes.metadata.get(METADATA_KEY, {}).get("classes"))
    except ValueError:
        return None


def _new_classes(region: Region) -> Labels:
    name = region.layer.name
    return Labels(
        region.zeros(np.uint8),
        name=f"{name} classes",
        opacity=_OPACITY,
        metadata={METADATA_KEY: {"image": name, "view": "classes"}},
        **region.placement(is_full=True),
    )
