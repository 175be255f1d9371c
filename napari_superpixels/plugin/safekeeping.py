"""Work that comes back: from journals that were left behind, and from projects, with corrections and history."""

import datetime
import re
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image, Labels
from psygnal import Signal

from napari_superpixels.engine.annotation_core import AnnotationState
from napari_superpixels.engine.errands import Errands
from napari_superpixels.engine.journal_reading import Restored, Unfinished, find_unfinished, restore
from napari_superpixels.engine.preferences import journal_folder, save_journal_folder
from napari_superpixels.engine.project import ImageReference, Pixels, Project, hash_pixels, open_project
from napari_superpixels.errors import ImageError, ReadError
from napari_superpixels.plugin.annotation_layers import AnnotationLayers
from napari_superpixels.plugin.boxes import METADATA_KEY
from napari_superpixels.plugin.found_layers import may_be_of
from napari_superpixels.plugin.left_work import find_work
from napari_superpixels.plugin.regions import Region, layer_token, shown_region
from napari_superpixels.plugin.workspace import Workspace
from napari_superpixels.widgets.wording import describe_error

_FLUSH_S = 60.0


class Safekeeping:
    """Offers unsaved work on the image that is chosen, and takes projects over.

    Parameters
    ----------
    workspace : Workspace
        Of the viewer.
    """

    offered = Signal(str)
    """Unsaved work of an earlier time, in words; "" where there is none."""
    attached = Signal()
    """An image has got its annotation back."""
    told = Signal(str)
    """What was done."""
    failed = Signal(str)
    """Why something could not be done."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._viewer = workspace.viewer
        self._errands = Errands(workspace.main_thread.dispatch, self._on_error)
        self._image: Image | None = None
        self._layers: AnnotationLayers | None = None
        self._offer: Unfinished | None = None
        self._is_asked_twice = False
        self._tried: set[int] = set()

    @property
    def folder(self) -> Path:
        """Where journals are."""
        return journal_folder()

    def close(self) -> None:
        """Stop."""
        self._errands.close()

    def set_image(self, image: Image | None, layers: AnnotationLayers | None) -> None:
        """Look for what there is to bring back for another image; layers of a project are attached to it at once."""
        is_other = image is not self._image
        self._image, self._layers = image, layers
        if image is not None and layers is None:
            self._attach_project(image)
        if is_other:
            self._look()
        elif self._offer is not None and self._offer.path in self._ours():
            self._forget_offer()

    def restore(self) -> None:
        """Bring the work back that was offered; unsaved work that is there stays in a journal of its own."""
        one, image = self._offer, self._image
        if one is None or image is None:
            return
        self._forget_offer()
        self._errands.run(lambda: restore(one.path), lambda found: self._take_journal(image, one, found))

    def discard(self) -> None:
        """Delete the work that was offered, when asked for the second time; say so the first time."""
        one = self._offer
        if one is None:
            return
        if not self._is_asked_twice:
            self._is_asked_twice = True
            self.offered.emit(f"{_describe(one)} Press Discard once more to delete it for good.")
            return
        self._forget_offer()
        self._errands.run(lambda: one.path.unlink(missing_ok=True), lambda _: self._look())
        self.told.emit(f"Deleted: {one.path.name}.")

    def move_journals(self, folder: Path, layers: AnnotationLayers | None) -> None:
        """Keep work in another folder from now on, and after the next start too."""
        save_journal_folder(folder)
        if layers is not None and layers.journal is not None and not layers.journal.move(folder):
            self.failed.emit(f"{folder} cannot be written to; what was done until now stays where it was.")
        self._look()

    def open_project(self, path: Path) -> None:
        """Go on with a project: on the chosen image if it is the project's, else on the project's own."""
        image = self._image
        pixels = None if image is None or image.multiscale else image.data

        def read() -> tuple[Project, bool]:
            project = open_project(path)
            return project, pixels is not None and not project.image.difference(pixels)

        def take(found: tuple[Project, bool]) -> None:
            project, is_here = found
            if is_here and image is not None:
                self._take_project(image, project)
            else:
                self._open_layers(path)

        self._errands.run(read, take)

    def _look(self) -> None:
        """Look for unsaved work on the chosen image."""
        self._forget_offer()
        image = self._image
        if image is None or image.multiscale:
            return
        pixels, name, folder = image.data, image.name, self.folder
        ours = self._ours()

        def take(found: Unfinished | None) -> None:
            if image is self._image and found is not None:
                self._offer = found
                self.offered.emit(_describe(found))

        self._errands.run(lambda: _find(folder, pixels, name, ours), take)

    def _ours(self) -> set[Path | None]:
        """Return the journals of work that is gone on with, or will be once a plane of the image is shown."""
        journal = None if self._layers is None else self._layers.journal
        left = None if self._image is None else find_work(self._viewer, self._image)
        ours = set() if journal is None else {journal.path, journal.replaced}
        return ours if left is None else {*ours, left[1].journal}

    def _forget_offer(self) -> None:
        self._offer, self._is_asked_twice = None, False
        self.offered.emit("")

    def _take_journal(self, image: Image, one: Unfinished, found: Restored) -> None:
        layers = self._put_back(image, found.state, found.settings, is_saved=False)
        if layers is None:
            self._look()
            return
        journal = layers.journal

        def leave_old() -> None:
            # The old journal goes once the new one holds its work.
            if journal is not None and journal.flush(_FLUSH_S):
                one.path.unlink(missing_ok=True)

        self._errands.run(leave_old, lambda _: self._look())
        torn = ("The end of the journal is damaged: the last act is missing.",) if found.is_torn else ()
        self.told.emit(" ".join([f"The work on {found.image.name!r} is back.", *torn, *found.notes]))

    def _take_project(self, image: Image, project: Project) -> None:
        if self._put_back(image, project.state, project.settings, is_saved=True) is not None:
            self._look()
            self.told.emit(" ".join([f"Opened: {project.path}", *project.notes]))

    def _put_back(
        self, image: Image, state: AnnotationState, settings: dict[str, Any], *, is_saved: bool
    ) -> AnnotationLayers | None:
        """Make an annotation what was stored; None, which is told, where that cannot be."""
        if image not in self._viewer.layers:
            return None
        try:
            region = self._region(image, settings, state.labels.shape)
            layers = self._workspace.attach(region, region.plane_of(state.labels))
            if layers.journal is None:
                layers.annotation.restore(state)
            else:
                layers.journal.take(state, is_saved=is_saved)
        except (ImageError, ReadError, ValueError) as error:
            self.failed.emit(str(error))
            return None
        layers.ensure_shown()
        self.attached.emit()
        return layers

    def _region(self, image: Image, settings: dict[str, Any], shape: tuple[int, ...]) -> Region:
        axis = settings.get("channel_axis")
        region = shown_region(image, self._viewer.dims, axis if isinstance(axis, int) else None)
        if len(region.axes) != 2:
            raise ImageError("Superpixels are corrected in planes: switch the viewer back to two dimensions.")
        if shape != region.full_shape:
            raise ReadError(f"The annotation has shape {shape}, the image {image.name!r} {region.full_shape}.")
        return region

    def _open_layers(self, path: Path) -> None:
        """Open a project as File > Open does, and choose its image."""
        layers = self._viewer.open(str(path), plugin="napari-superpixels")
        images = [layer for layer in layers if isinstance(layer, Image)]
        if images:
            self._viewer.layers.selection.active = images[0]
            return
        self.failed.emit(f"The image of {path.name} was not found; only its superpixels and classes are shown.")

    def _attach_project(self, image: Image) -> None:
        """Give an image the annotation of which the reader of projects made layers."""
        pair = self._find_layers(image)
        if pair is None or layer_token(pair[0]) in self._tried:
            return
        superpixels, classes = pair
        self._tried.add(layer_token(superpixels))
        path, pixels = Path(superpixels.metadata[METADATA_KEY]["project"]), image.data

        def read() -> Project:
            project = open_project(path)
            difference = project.image.difference(pixels)
            if difference:
                raise ReadError(f"{path.name} does not belong to this image: {difference}.")
            return project

        self._errands.run(read, lambda project: self._adopt(image, superpixels, classes, project))

    def _find_layers(self, image: Image) -> tuple[Labels, Labels] | None:
        names = {image.name, re.sub(r" \[\d+\]$", "", image.name)}
        shape = tuple(int(n) for n in image.level_shapes[0])
        found: dict[bool, Labels] = {}
        for layer in reversed(self._viewer.layers):
            made = layer.metadata.get(METADATA_KEY, {})
            if isinstance(layer, Labels) and made.get("project") and made.get("image") in names:
                if isinstance(layer.data, np.ndarray) and layer.data.shape == shape and may_be_of(layer, image):
                    found.setdefault(made.get("view") == "classes", layer)
        return (found[False], found[True]) if len(found) == 2 else None

    def _adopt(self, image: Image, superpixels: Labels, classes: Labels, project: Project) -> None:
        layers, state = self._viewer.layers, project.state
        if any(layer not in layers for layer in (image, superpixels, classes)):
            return
        shown = ((superpixels, state.labels), (classes, state.classes))
        if any(layer.data.dtype != stored.dtype or (layer.data != stored).any() for layer, stored in shown):
            self.failed.emit(
                f"{superpixels.name!r} and {classes.name!r} were changed since they were opened, so that they are not "
                f"taken over; open {project.path.name} again to go on with it."
            )
            return
        try:
            region = self._region(image, project.settings, state.labels.shape)
        except (ImageError, ReadError) as error:
            self.failed.emit(str(error))
            return
        for layer in (superpixels, classes):
            layer.metadata[METADATA_KEY] = {**layer.metadata[METADATA_KEY], "image": image.name}
            if region.channel_axis is not None:
                # Channels that are one in memory, as all of this plugin's layers have them.
                data = region.zeros(layer.data.dtype)
                data[...] = layer.data
                layer.data = data
        self._workspace.results.adopt_layer(region, superpixels)
        self._take_project(image, project)

    def _on_error(self, error: Exception) -> None:
        self.failed.emit(describe_error(error))


def _find(folder: Path, pixels: Pixels, name: str, ours: set[Path | None]) -> Unfinished | None:
    """Return the last unsaved work on an image: of its pixels, or where these were not read, of its name.

    What is gone on with already, in the journals `ours`, is none: one that is just begun is not locked for a moment.
    """
    shape = tuple(pixels.shape)
    unfinished = find_unfinished(folder) if folder.is_dir() else []
    found = [one for one in unfinished if one.image.shape == shape and one.path not in ours]
    sha256 = hash_pixels(pixels) if any(one.image.sha256 for one in found) else ""

    def is_of(image: ImageReference) -> bool:
        return image.sha256 == sha256 if image.sha256 else image.name == name

    return next((one for one in found if is_of(one.image)), None)


def _describe(one: Unfinished) -> str:
    when = datetime.datetime.fromtimestamp(one.changed)
    acts = f"{one.n_acts} act{'' if one.n_acts == 1 else 's'}"
    return f"Work on {one.image.name!r} of {when:%d %b, %H:%M} ({acts}) was not saved as a project."
