"""The Correct widget of a napari viewer."""

from typing import Any

from napari.layers import Image
from napari.viewer import Viewer
from qtpy.QtCore import QTimer

from napari_superpixels.data.annotation_files import format_titles
from napari_superpixels.engine.hierarchy import Hierarchy
from napari_superpixels.engine.history import Entry
from napari_superpixels.engine.links import Links
from napari_superpixels.engine.region_follower import RegionFollower
from napari_superpixels.errors import ImageError
from napari_superpixels.plugin.annotation_files import AnnotationFiles
from napari_superpixels.plugin.annotation_layers import NOT_IN_PLANES, AnnotationLayers
from napari_superpixels.plugin.coarser import CoarserLines
from napari_superpixels.plugin.doubt_guide import DoubtGuide
from napari_superpixels.plugin.file_dialogs import FileDialogs
from napari_superpixels.plugin.guides import Guides
from napari_superpixels.plugin.hand import Hand
from napari_superpixels.plugin.key_bindings import KeyBindings
from napari_superpixels.plugin.opening import segment_image
from napari_superpixels.plugin.panel_wiring import wire_panel
from napari_superpixels.plugin.plane_copier import PlaneCopier
from napari_superpixels.plugin.regions import Region, layer_token, shown_region
from napari_superpixels.plugin.safekeeping import Safekeeping
from napari_superpixels.plugin.session_dock import SessionDock
from napari_superpixels.plugin.suggestion_view import SuggestionView
from napari_superpixels.plugin.target_choice import TargetChoice, copied_superpixels
from napari_superpixels.plugin.tools import TOOLS, ToolBox
from napari_superpixels.plugin.workspace import open_workspace
from napari_superpixels.widgets.correct_panel import CorrectPanel
from napari_superpixels.widgets.wording import describe_error

NO_IMAGE = "Open an image, or try File > Open Sample > Superpixels."
SEGMENT_FIRST = "This image has no superpixels yet. Press Segment first."
_MULTISCALE = (
    "{name!r} has several resolution levels, of which a part is segmented at a time, but superpixels are corrected on "
    "whole planes: crop what matters into an image of its own."
)
_REST_MS = 100


class CorrectDock(SessionDock):
    """Paint and repair the superpixels of an image of the viewer.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer; only its public attributes are used.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self._workspace = open_workspace(napari_viewer)
        self.viewer = self._viewer = self._workspace.viewer
        self.session = self._workspace.session
        self.results = self._workspace.results
        dispatch = self._workspace.main_thread.dispatch
        self.layers: AnnotationLayers | None = None
        self.hand: Hand | None = None
        self.guides = Guides(self._viewer)
        self.tools = ToolBox(self._viewer)
        self.follower = RegionFollower(dispatch)
        self.hierarchy = Hierarchy(self.follower)
        self.doubts = DoubtGuide(self._viewer, self.follower)
        self.suggestions = SuggestionView(self._viewer, self.follower, dispatch)
        self.coarser = CoarserLines(self._viewer, dispatch)
        self.files = AnnotationFiles(FileDialogs(self), dispatch)
        self.safekeeping = Safekeeping(self._workspace)
        self.copier = PlaneCopier(self)
        self.source = TargetChoice(self._viewer)
        self.panel = CorrectPanel(TOOLS, {str(kind): title for kind, title in format_titles().items()}, self.source)
        self._reason = ""
        self._tool_before = ""
        self._is_closed = False
        self._is_stale = False
        self._followed: Any = None
        self._greeted: int | None = None
        self._undo_keys = KeyBindings()
        self._links, self._plane_links = Links(), Links()
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_REST_MS)
        self._later.timeout.connect(self._rest)
        self.show_panel(self.panel)
        self._connect()
        self._fill()
        self.refresh()

    @property
    def reason(self) -> str:
        """Why there is nothing to work on; empty if there is."""
        return self._reason

    def refresh(self) -> None:
        """Work on the superpixels of the chosen image, or say why that cannot be."""
        if self._is_closed:
            return
        layers, reason = self._find()
        if layers is not self.layers:
            self._set_layers(layers)
        if reason:
            if reason == SEGMENT_FIRST and layers is not None:
                self._tool_before = self.tools.active or self._tool_before
            self.tools.choose("")
        self._reason = reason
        self.panel.set_unavailable(reason, can_segment=reason == SEGMENT_FIRST)
        self.show_visibility()
        self.safekeeping.set_image(self.source.image, self.layers)
        if not reason and self._tool_before:
            # As on the next plane of a stack, which had no superpixels for a moment.
            name, self._tool_before = self._tool_before, ""
            self.tools.choose(name)

    def show_visibility(self) -> None:
        """Show in the panel whether the superpixels of the chosen image are shown."""
        image = self.source.image
        self.panel.set_superpixels_shown(image is not None and self.results.is_shown(image))

    def choose_tool(self, name: str) -> None:
        """Switch a tool on, or off with an empty name; without superpixels, say what to do."""
        if self.layers is None or self._reason:
            self.say(self._reason or SEGMENT_FIRST)
        else:
            self.tools.choose(name)

    def say(self, text: str) -> None:
        """Tell the user something."""
        self.panel.say(text)

    def undo(self) -> None:
        """Take the last act back; while clicks wait for another, only these."""
        if self.layers is None:
            return
        self.say("")
        is_half_done = self.tools.is_waiting
        self.tools.drop()
        if not is_half_done:
            self.layers.annotation.undo()

    def redo(self) -> None:
        """Do the act that was taken back again."""
        if self.layers is not None:
            self.say("")
            self.tools.drop()
            self.layers.annotation.redo()

    def close_session(self) -> None:
        """Stop watching the viewer; the layers stay, and so does the history while another widget is open."""
        if self._is_closed:
            return
        self._is_closed = True
        self._set_layers(None)
        self._links.close()
        self.source.disconnect_viewer()
        self.panel.close_session()
        for part in (
            self.tools,
            self.guides,
            self.suggestions,
            self.coarser,
            self.files,
            self.safekeeping,
            self.follower,
        ):
            part.close()
        self._workspace.release()

    def _connect(self) -> None:
        links, layers, dims = self._links, self._viewer.layers, self._viewer.dims.events
        for emitter in (layers.events.inserted, layers.events.removed, layers.events.reordered):
            links.connect(emitter, self._on_layers)
        links.connect(layers.selection.events.active, self._on_active)
        for emitter in (dims.point, dims.order, dims.ndisplay):
            links.connect(emitter, self._on_dims)
        links.connect(self.results.shown, self._on_shown)
        links.connect(self.results.noted, self.say)
        links.connect(self.session.input_changed, self._on_input)
        links.connect(self.session.idle, self._wait)
        for signal in (self.session.cancelled, self.session.failed):
            links.connect(signal, self.copier.forget)
        links.connect(self.tools.noted, self.say)
        links.connect(self.follower.failed, lambda error: self.panel.show_error(describe_error(error)))
        links.connect(self.tools.requested, self.choose_tool)
        links.connect(self.tools.changed, self._on_tool)
        self.source.image_menu.activated.connect(lambda index: self._on_image())
        self.source.labels_menu.activated.connect(lambda index: self._adopt())
        self.panel.segment_requested.connect(self._segment)
        wire_panel(self, links)

    def _find(self) -> tuple[AnnotationLayers | None, str]:
        """Return the annotation of the chosen image, and why it cannot be worked on, if it cannot."""
        image = self.source.image
        if image is None:
            return None, NO_IMAGE
        if image.multiscale:
            return None, _MULTISCALE.format(name=image.name)
        try:
            layers = self._workspace.annotate(image)
            if layers is None:
                return None, SEGMENT_FIRST
            layers.follow_viewer()
        except ImageError as error:
            return self.layers if self.layers is not None and self.layers.image is image else None, str(error)
        if not layers.annotation.labels_plane.any():
            return layers, SEGMENT_FIRST
        return layers, ""

    def _set_layers(self, layers: AnnotationLayers | None) -> None:
        """Work on another annotation, or on none."""
        self._plane_links.close()
        # The tool's keys were bound last, and give back what was bound before.
        self.tools.set_hand(None, None)
        self._undo_keys.release()
        self.layers, self.hand, self._tool_before = layers, None, ""
        self.guides.set_region(None if layers is None else layers.region)
        if layers is not None:
            self.hand = Hand(layers.annotation, self.hierarchy, self.guides)
        self.tools.set_hand(layers, self.hand)
        self.coarser.set_hand(layers, self.hand)
        self.suggestions.set_layers(layers)
        self.files.layers = layers
        self.doubts.set_hand(layers, self.hand)
        annotation = None if layers is None else layers.annotation
        self.panel.set_annotation(annotation, self.doubts.doubt, self.suggestions.suggester)
        self.panel.set_hierarchy(None if layers is None else self.hierarchy)
        if layers is None:
            self.follower.set_plane(None)
            return
        self._follow(layers)

    def _follow(self, layers: AnnotationLayers) -> None:
        """Keep up with an annotation."""
        annotation, links = layers.annotation, self._plane_links
        self._undo_keys.bind(layers.layers, {"Control-Z": self.undo, "Control-Shift-Z": self.redo})
        links.connect(layers.noted, self.say)
        links.connect(layers.accepting, self.tools.settle)
        links.connect(annotation.plane_changed, self._on_plane)
        links.connect(annotation.labels_changed, self._on_labels)
        links.connect(annotation.result_changed, self._on_result)
        links.connect(annotation.undone, self._on_undone)
        links.connect(annotation.redone, self._on_redone)
        for signal in (annotation.history_changed, annotation.plane_changed, annotation.restored):
            links.connect(signal, self._catch_up)
        journal = layers.journal
        if journal is not None:
            links.connect(journal.failed, self.panel.show_error)
            links.connect(journal.resumed, self.say)
        self._is_stale = True
        self._catch_up()

    def _on_plane(self, *_: Any) -> None:
        """Drop clicks that wait for another, which are of the plane that goes."""
        if self.layers is not None and not self.layers.is_elsewhere:
            self.tools.drop()

    def _on_labels(self, box: tuple[slice, ...]) -> None:
        """Let the coarser levels follow an edit; a new segmentation they follow when all of it is there."""
        assert self.layers is not None
        if self.layers.is_elsewhere:
            return
        annotation = self.layers.annotation
        part = annotation.plane_box(box)
        if part is None:
            return
        n_pixels = (part[0].stop - part[0].start) * (part[1].stop - part[1].start)
        if n_pixels == annotation.labels_plane.size:
            self._is_stale = True
        else:
            self.follower.note_labels(part)

    def _wait(self) -> None:
        self._later.start()

    def _on_undone(self, entry: Entry) -> None:
        self._tell_elsewhere("Undone", entry)

    def _on_redone(self, entry: Entry) -> None:
        self._tell_elsewhere("Done again", entry)

    def _tell_elsewhere(self, what: str, entry: Entry) -> None:
        """Tell of an act in a plane that is not shown, where nobody sees it."""
        here = None if self.layers is None else self.layers.annotation.plane
        if entry.deltas and entry.plane not in ((), here):
            self.say(f"{what} in plane {entry.place}: {entry.name}.")

    def _on_result(self) -> None:
        self._is_stale = self._is_stale or self.layers is None or not self.layers.is_elsewhere
        self._catch_up()

    def _catch_up(self, *_: Any) -> None:
        if self.layers is None or self.layers.is_elsewhere:
            return
        self.guides.set_region(self.layers.region)
        self._wait()
        if self._is_stale or self._followed != self.layers.annotation.plane:
            self._is_stale = False
            annotation = self.layers.annotation
            self._followed = annotation.plane
            self.follower.set_plane(annotation.result, annotation.labels_plane)
            # After the undo of a segmentation there may be no superpixels any more, and after its redo there are.
            self.refresh()

    def _rest(self) -> None:
        """Do what can wait until the hand rests."""
        self.doubts.note_classes()
        if self.layers is not None:
            self.layers.draw_thumbnail()
            if not self._reason:
                self.layers.recall_result()

    def _segment(self) -> None:
        """Open the Segment widget and let it cut the chosen image."""
        image = self.source.image
        if image is not None:
            segment_image(self._viewer, image)

    def _greet(self) -> None:
        """Forget what was said of another image, when one comes to hand; what is said when one goes is kept."""
        image = self.source.image
        token = None if image is None else layer_token(image)
        if token not in (None, self._greeted):
            self._greeted = token
            self.say("")

    def _on_image(self) -> None:
        """Work on the image that was chosen; Segment goes by the layer that is active."""
        if self.source.image is not None:
            self._viewer.layers.selection.active = self.source.image
        self._greet()
        self.refresh()

    def _on_layers(self, event: Any = None) -> None:
        self._fill()
        if event is not None and event.type != "removed":
            self._greet()
        self.refresh()

    def _fill(self) -> None:
        self.source.fill()

    def _adopt(self) -> None:
        """Work on a copy of a Labels layer that the user made or loaded."""
        image, labels = self.source.image, self.source.labels_menu.layer
        if image is None or labels is None:
            return
        layers = self.layers
        try:
            region = shown_region(image, self._viewer.dims, None if layers is None else layers.region.channel_axis)
        except ImageError as error:
            self.panel.show_error(str(error))
            return
        if len(region.axes) != 2:
            self.panel.show_error(NOT_IN_PLANES)
            return
        self.tools.choose("")
        if layers is not None and layers.can_take(region):
            # The other planes, and what was done in all of them, stay.
            layers.take_superpixels(region, copied_superpixels(labels, region))
        else:
            self.results.adopt(region, copied_superpixels(labels, region))
        labels.visible = False
        self.say(f"These superpixels are a copy of {labels.name!r}, which is hidden now.")

    def _on_active(self, event: Any = None) -> None:
        active = self._viewer.layers.selection.active
        if self.layers is None or active is not self.layers.classes:
            self._tool_before = ""
        if isinstance(active, Image) and active is not self.source.image and self.source.image_menu.choose(active):
            self._greet()
            self.refresh()

    def _on_input(self, inputs: Any) -> None:
        """Work on the image that another widget segments."""
        origin = None if inputs is None else inputs.origin
        if isinstance(origin, Region) and origin.layer is not self.source.image:
            if self.source.image_menu.choose(origin.layer):
                self._greet()
                self.refresh()

    def _on_dims(self, event: Any = None) -> None:
        self.refresh()

    def _on_shown(self, layer: Any) -> None:
        self.refresh()
        self.copier.finish()

    def _on_tool(self) -> None:
        has_button = any(kind.name == self.tools.active for kind in TOOLS)
        self.panel.set_tool(self.tools.active if has_button else None)
        if self.tools.active and not has_button:
            self.say(self.tools.help)
