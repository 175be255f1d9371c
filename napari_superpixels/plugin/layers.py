"""Results as napari layers: written in place while tuning, never over what the user painted."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Labels, Layer
from psygnal import Signal

from napari_superpixels.core.metrics import boundary_pixels
from napari_superpixels.engine.derived import PictureRequest, Pictures, make_pictures
from napari_superpixels.engine.links import Links
from napari_superpixels.engine.pipeline import SolveResult
from napari_superpixels.engine.provenance import layer_metadata
from napari_superpixels.engine.scheduler import Dispatch, Scheduler
from napari_superpixels.engine.session import Session
from napari_superpixels.params import ViewParams
from napari_superpixels.plugin.boxes import METADATA_KEY, BoxLayers, lay_over, watch_placement
from napari_superpixels.plugin.canvas import Accept, Canvas, Position, labels_array, needs_ready_lines
from napari_superpixels.plugin.found_layers import own
from napari_superpixels.plugin.outlines import PlaneBox, redraw_outlines
from napari_superpixels.plugin.regions import Region, current_region, is_of, layer_token, shown_axes
from napari_superpixels.plugin.style import apply_label_options, label_options, line_colormap

_LOOKS = ("contour", "colormap", "opacity")


class ResultLayers:
    """Shows the results of a session in a viewer.

    Parameters
    ----------
    viewer : ViewerModel
        Where.
    session : Session
        Whose.
    dispatch : callable
        Runs a function in the main thread.
    """

    noted = Signal(str)
    """Something that the user should know."""
    shown = Signal(Labels)
    """A layer of superpixels that was made, or written to."""
    visibility_changed = Signal()
    """Superpixels of some image were shown or hidden, by whatever means."""

    def __init__(self, viewer: ViewerModel, session: Session, dispatch: Dispatch) -> None:
        self._viewer = viewer
        self._session = session
        # By the image's token, and whether it is beside a layer that is edited by hand and cannot take the result.
        self._canvases: dict[tuple[int, bool], Canvas] = {}
        self._pictures = BoxLayers(viewer)
        self._is_writing = False
        self._pictures.visible_changed.connect(self._on_visible)
        self._painter: Scheduler[PictureRequest, Pictures] = Scheduler(
            lambda job: make_pictures(job.request),
            supersedes=lambda new, old: False,
            dispatch=dispatch,
            on_result=lambda request, pictures: self._show_pictures(pictures),
            on_error=lambda request, error: self.noted.emit(f"The display could not be computed: {error}."),
            on_cancelled=lambda request: None,
            on_idle=lambda: None,
        )
        self._links = Links()
        # After the widgets, which tell of a new result first and then what is to be known about its layer.
        self._links.connect(session.solved, self.show, priority=-1)
        # Superpixels of a plane that was painted come back as they were, but what is shown of them is made anew.
        self._links.connect(session.recalled, self._request_pictures)
        self._links.connect(session.view_changed, self._on_view_changed)
        self._links.connect(viewer.dims.events.ndisplay, self._on_ndisplay)
        self._links.connect(viewer.layers.events.removed, self._drop_gone)

    def close(self) -> None:
        """Stop watching the session and the viewer; the layers stay."""
        self._links.close()
        for key in list(self._canvases):
            self._drop(key)
        self._pictures.close()
        self._painter.close()

    def show(self, result: SolveResult) -> None:
        """Show a result, unless its image is gone."""
        region = current_region(result, self._viewer.layers)
        if region is None:
            return
        self._part(region)
        key = self._key(region)
        canvas = self._canvases.get(key)
        if canvas is not None and canvas.accept is None and canvas.would_lose_edits(region):
            self._leave(canvas, region)
            self._drop(key)
            canvas = None
        elif canvas is not None and canvas.layer.ndim != len(region.full_shape):
            # A layer cannot get more or fewer axes: napari before 0.7 does not extend its transform.
            self._viewer.layers.remove(canvas.layer)
            canvas = None
        self._is_writing = True
        try:
            if canvas is None:
                canvas = self._canvases[key] = self._new_canvas(region, result)
            else:
                self._rewrite(canvas, region, result)
        finally:
            self._is_writing = False
        if not needs_ready_lines(region):
            self._pictures.remove("outlines", region.layer)
        self._request_pictures(result)
        self.shown.emit(canvas.layer)

    def superpixels_of(self, image: Layer) -> Labels | None:
        """Return the layer of an image's superpixels."""
        canvas = self._canvases.get((layer_token(image), False))
        return None if canvas is None else canvas.layer

    def region_of(self, layer: Labels) -> Region | None:
        """Return what a layer of superpixels shows of its image, None where it is none of these layers."""
        canvas = self._canvas_of(layer)
        return None if canvas is None else canvas.region

    def own_layers(self) -> list[tuple[Labels, Region]]:
        """Return the layers that hold nothing but results that were made here, and what they show."""
        return [
            (canvas.layer, canvas.region)
            for (_, is_beside), canvas in self._canvases.items()
            if canvas.accept is None and not is_beside and self.holds_results_only(canvas.layer)
        ]

    def holds_results_only(self, layer: Labels) -> bool:
        """Say whether nothing but results that were made here is in a layer."""
        canvas = self._canvas_of(layer)
        return canvas is not None and canvas.is_own and not canvas.edited

    def adopt(self, region: Region, labels: npt.NDArray[np.int32]) -> Labels:
        """Make a layer of superpixels that were not computed here, in the place of the image's own.

        Parameters
        ----------
        region : Region
            A plane of the image at full resolution.
        labels : ndarray of the plane's shape, int32
            Superpixels.
        """
        data, is_full = labels_array(region, labels)
        layer = Labels(data, name=f"{region.layer.name} superpixels", **region.placement(is_full=is_full))
        layer.metadata[METADATA_KEY] = {"image": region.layer.name, "view": "superpixels"}
        self._viewer.add_layer(layer)
        self.adopt_layer(region, layer)
        return layer

    def adopt_layer(self, region: Region, layer: Labels) -> None:
        """Take a layer of the viewer, of the image's full shape, for the superpixels of a region's image."""
        self.go_on(region, layer)
        self.shown.emit(layer)

    def go_on(self, region: Region, layer: Labels, *, is_own: bool = False) -> None:
        """Take a layer as :meth:`adopt_layer` does, without a word: it was taken before.

        With `is_own` it holds nothing but results that were made here.
        """
        key = (layer_token(region.layer), False)
        canvas = self._canvases.get(key)
        if canvas is not None:
            self._drop(key)
            if canvas.layer is not layer:
                canvas.layer.visible = False
        is_hidden = not layer.visible
        canvas = self._canvases[key] = self._canvas_on(layer, region, is_full=layer.data.shape == region.full_shape)
        canvas.is_own = is_own
        if is_hidden:
            layer.visible = False
        self._pictures.remove_left("outlines", region.layer)
        self._draw_outlines(canvas)

    def attach(self, layer: Labels, accept: Accept) -> None:
        """Let somebody else keep a layer: results of its planes are handed over from now on, not written."""
        canvas = self._canvas_of(layer)
        if canvas is None:
            raise ValueError(f"The layer {layer.name!r} holds no superpixels that were made here.")
        canvas.accept = accept
        # For results that it cannot take, and for the time when nobody keeps it any more.
        canvas.edited.add((None,) * layer.ndim)

    def detach(self, layer: Labels) -> None:
        """Let nobody keep a layer any more; it counts as painted."""
        canvas = self._canvas_of(layer)
        if canvas is not None:
            canvas.accept = None
            self._drop_gone()

    def redraw(self, layer: Labels, region: Region, box: PlaneBox | None) -> None:
        """Bring pictures of a layer's superpixels up to date after somebody edited a plane in a box, or all over it."""
        canvas = self._canvas_of(layer)
        if canvas is None:
            return
        if self._is_writing:
            # A result is taken over, perhaps in another plane than that at hand: pictures of it follow by themselves.
            canvas.region = region
            return
        canvas.version += 1
        is_new_plane, canvas.region = region.position != canvas.region.position, region
        result, lines = self._session.result, self._pictures.get("outlines", region.layer)
        has_result = result is not None and region.is_current and is_of(result.inputs, region)
        if isinstance(lines, Labels):
            if box is not None and not is_new_plane and lines.data.flags.writeable:
                redraw_outlines(lines, region, region.plane_of(layer.data), box)
            elif not has_result:
                self._draw_outlines(canvas)
        if result is not None and has_result and (box is None or self._session.view.view_mode == "mean-color"):
            self._request_pictures(result)

    def is_shown(self, image: Layer) -> bool:
        """Say whether superpixels of an image are shown."""
        return any(layer.visible for layer in self._shown_layers(image))

    def toggle(self, image: Layer) -> None:
        """Hide the superpixels of an image, or show them again."""
        is_visible = self.is_shown(image)
        for layer in self._shown_layers(image):
            layer.visible = not is_visible

    def _part(self, region: Region) -> None:
        """Part from a layer that is edited by hand once its image has another size: it can take no result any more."""
        key = (layer_token(region.layer), False)
        canvas = self._canvases.get(key)
        if canvas is not None and canvas.accept is not None and canvas.layer.data.shape != region.full_shape:
            self._drop(key)
            self.noted.emit(
                f"The image {region.layer.name!r} has another size now: what was done on it before stays in "
                f"{canvas.layer.name!r} and its classes, now hidden."
            )

    def _leave(self, canvas: Canvas, region: Region) -> None:
        """Keep a painted layer as it is, out of the way of the new superpixels where they cover all of it."""
        covers_all = all(i is None for i in region.position)
        if covers_all:
            canvas.layer.visible = False
        where = f"{canvas.layer.name!r}{', now hidden' if covers_all else ''}"
        self.noted.emit(f"Your changes stay in {where}; new superpixels get a layer of their own.")

    def _shown_layers(self, image: Layer) -> list[Layer]:
        """Return the layers that show an image's superpixels in the present view, as far as they are there."""
        shown = [self._shown_layer(canvas) for canvas in self._canvases.values() if canvas.region.layer is image]
        return [layer for layer in shown if layer is not None]

    def _shown_layer(self, canvas: Canvas) -> Layer | None:
        """Return the layer that shows an image's superpixels in the present view, None if it is not there yet."""
        mode, image = self._session.view.view_mode, canvas.region.layer
        if mode == "mean-color":
            return self._pictures.get("means", image)
        if mode == "boundaries" and needs_ready_lines(canvas.region):
            return self._pictures.get("outlines", image)
        return canvas.layer

    def _key(self, region: Region) -> tuple[int, bool]:
        token = layer_token(region.layer)
        canvas = self._canvases.get((token, False))
        return token, canvas is not None and canvas.accept is not None and not canvas.can_take(region)

    def _canvas_of(self, layer: Labels) -> Canvas | None:
        return next((canvas for canvas in self._canvases.values() if canvas.layer is layer), None)

    def _new_canvas(self, region: Region, result: SolveResult) -> Canvas:
        data, is_full = labels_array(region, result.superpixels.labels)
        layer = Labels(
            data,
            name=f"{region.layer.name} superpixels",
            metadata={METADATA_KEY: layer_metadata(result)},
            **region.placement(is_full=is_full),
        )
        canvas = self._canvas_on(layer, region, is_full=is_full)
        canvas.is_own = True
        self._viewer.add_layer(layer)
        return canvas

    def _canvas_on(self, layer: Labels, region: Region, *, is_full: bool) -> Canvas:
        """Show superpixels in a layer, and watch what the user does to it."""
        own(layer, region.layer)
        apply_label_options(layer, self._options(region))
        canvas = Canvas(layer, region, is_full)
        canvas.keys.bind([layer], {"H": lambda: self.toggle(region.layer)})
        links = canvas.links
        links.connect(layer.events.visible, self._on_visible)
        links.connect(layer.events.paint, lambda: self._on_painted(canvas))
        # `paint` comes when a stroke ends, this with every dab of it: a live result must not wipe a stroke under way.
        links.connect(layer.events.labels_update, lambda: self._on_painted(canvas))
        links.connect(layer.events.data, lambda: self._on_data(canvas))
        watch_placement(links, region.layer, lambda: lay_over(layer, canvas.region, is_full=canvas.is_full))
        return canvas

    def _rewrite(self, canvas: Canvas, region: Region, result: SolveResult) -> None:
        """Write a result to a layer that is there, and change its looks where another size asks for others."""
        had_lines, needs_lines = needs_ready_lines(canvas.region), needs_ready_lines(region)
        if had_lines != needs_lines:
            canvas.flat_looks = None
            shown = self._shown_layer(canvas)
            canvas.is_hidden = shown is not None and not shown.visible
        # Hidden before it grows and shown after it has shrunk, so that napari never draws outlines of a large plane.
        if needs_lines and not had_lines:
            apply_label_options(canvas.layer, self._options(region))
        self._write(canvas, region, result)
        if had_lines and not needs_lines:
            options = self._options(region)
            apply_label_options(canvas.layer, {**options, "visible": options["visible"] and not canvas.is_hidden})

    def _write(self, canvas: Canvas, region: Region, result: SolveResult) -> None:
        layer, labels = canvas.layer, result.superpixels.labels
        if canvas.accept is not None:
            canvas.region = region
            canvas.version += 1
            canvas.accept(region, result)
            lay_over(layer, region, is_full=True)
            layer.metadata[METADATA_KEY] = layer_metadata(result)
            return
        if canvas.is_full and layer.data.shape == region.full_shape:
            layer.data[region.index()] = region.with_channels(labels)
        elif not canvas.is_full and layer.data.shape == region.box_shape:
            layer.data[...] = region.boxed(labels)
        else:
            # Safe: nobody has painted here, so there is no undo history that the new data would contradict.
            layer.data, canvas.is_full = labels_array(region, labels)
        canvas.region = region
        lay_over(layer, region, is_full=canvas.is_full)
        layer.metadata[METADATA_KEY] = layer_metadata(result)
        layer.refresh(extent=False)

    def _options(self, region: Region) -> dict[str, Any]:
        if needs_ready_lines(region):
            # In three dimensions too: those lines are shown there as well.
            return label_options(self._session.view.view_mode, math.prod(region.shape), 2)
        # Planes of a volume are small.
        return label_options(self._session.view.view_mode, 0, self._viewer.dims.ndisplay)

    def _request_pictures(self, result: SolveResult) -> None:
        mode = self._session.view.view_mode
        region = current_region(result, self._viewer.layers)
        wants_outlines = mode == "boundaries" and region is not None and needs_ready_lines(region)
        if region is None or not (mode == "mean-color" or wants_outlines):
            return
        canvas = self._canvases.get(self._key(region))
        labels, version = None, 0
        if canvas is not None and canvas.accept is not None:
            labels, version = region.plane_of(canvas.layer.data).copy(), canvas.version
        self._painter.submit(PictureRequest(result, mode == "mean-color", wants_outlines, labels, version))

    def _draw_outlines(self, canvas: Canvas) -> None:
        """Draw ready-made outlines at once, where they are needed and no result tells what to draw."""
        region = canvas.region
        if needs_ready_lines(region) and self._session.view.view_mode == "boundaries":
            outlines = boundary_pixels(region.plane_of(canvas.layer.data)).view(np.uint8)
            name = f"{region.layer.name} superpixel lines"
            self._pictures.show_labels("outlines", region, outlines, name, line_colormap())

    def _show_pictures(self, pictures: Pictures) -> None:
        region = current_region(pictures.result, self._viewer.layers)
        if region is None:
            return
        canvas = self._canvases.get(self._key(region))
        if canvas is not None and canvas.accept is not None:
            if not is_of(pictures.result.inputs, canvas.region):
                # Of a plane that the viewer has left: they are made anew when it is back.
                return
            if pictures.version != canvas.version:
                self._request_pictures(pictures.result)
                return
        mode = self._session.view.view_mode
        if pictures.means is not None and mode == "mean-color":
            self._pictures.show_image("means", region, pictures.means, f"{region.layer.name} mean colour")
        if canvas is None or mode != "boundaries" or not needs_ready_lines(canvas.region):
            return
        if pictures.outlines is not None:
            name = f"{region.layer.name} superpixel lines"
            before = self._pictures.get("outlines", region.layer)
            self._pictures.show_labels("outlines", region, pictures.outlines, name, line_colormap())
            lines = self._pictures.get("outlines", region.layer)
            if canvas.is_hidden and lines is not None and lines is not before:
                lines.visible = False

    def _on_visible(self, event: Any = None) -> None:
        self.visibility_changed.emit()

    def _on_view_changed(self, new: ViewParams, old: ViewParams) -> None:
        if new.view_mode == old.view_mode:
            return
        for canvas in self._canvases.values():
            canvas.is_hidden = False
            canvas.flat_looks = None
            apply_label_options(canvas.layer, self._options(canvas.region))
        for layer in self._pictures.layers("outlines"):
            layer.visible = new.view_mode == "boundaries"
        for layer in self._pictures.layers("means"):
            layer.visible = new.view_mode == "mean-color"
        if self._session.result is not None:
            self._request_pictures(self._session.result)

    def _on_ndisplay(self) -> None:
        # Runs before napari draws: outlines in 3-D make it warn.
        for canvas in self._canvases.values():
            if self._viewer.dims.ndisplay == 3:
                self._leave_flat_looks(canvas)
            else:
                self._take_flat_looks(canvas)

    def _leave_flat_looks(self, canvas: Canvas) -> None:
        """Give a layer the looks that three dimensions need; what does not matter there stays."""
        layer, options = canvas.layer, self._options(canvas.region)
        canvas.flat_looks = {name: getattr(layer, name) for name in _LOOKS}
        if layer.contour:
            needed = _LOOKS if self._session.view.view_mode == "boundaries" else ("contour",)
            looks = {name: value for name, value in ({"contour": 0} | options).items() if name in needed}
            apply_label_options(layer, looks | {"visible": layer.visible})

    def _take_flat_looks(self, canvas: Canvas) -> None:
        """Give a layer the looks back that it had in two dimensions, or those of a new one; hidden, it stays so."""
        layer, looks = canvas.layer, canvas.flat_looks
        canvas.flat_looks = None
        if looks is None:
            looks = self._options(canvas.region)
        apply_label_options(layer, looks | {"visible": layer.visible and looks.get("visible", True)})

    def _on_painted(self, canvas: Canvas) -> None:
        if self._is_writing or canvas.accept is not None:
            return
        layer, dims = canvas.layer, self._viewer.dims
        axes = shown_axes(layer, dims)
        everywhere: Position = (None,) * layer.ndim
        if layer.n_edit_dimensions > len(axes):
            canvas.edited.add(everywhere)
            return
        point = np.rint(layer.world_to_data(dims.point)).astype(int)
        free = {*axes, canvas.region.channel_axis}
        canvas.edited.add(tuple(None if axis in free else int(i) for axis, i in enumerate(point)))

    def _on_data(self, canvas: Canvas) -> None:
        if not self._is_writing:
            canvas.edited.add((None,) * canvas.layer.ndim)

    def _drop_gone(self) -> None:
        """Forget layers that were removed, unless somebody keeps them and brings them back, or whose image was."""
        layers = self._viewer.layers
        for key, canvas in list(self._canvases.items()):
            if canvas.region.layer not in layers or (canvas.layer not in layers and canvas.accept is None):
                self._drop(key)

    def _drop(self, key: tuple[int, bool]) -> None:
        self._canvases.pop(key).close()
