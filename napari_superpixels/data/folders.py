"""Folders of images and folders of label images, matched by name; stacks come as one item for each plane.

Convention: an image ``sub/a.tif`` has the label image ``sub/a.tif``, ``sub/a.tiff`` or ``sub/a.png`` in the folder of
labels, or ``sub/a_mask.png`` where names end differently. Several annotators have a folder each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile
from pydantic import JsonValue

from napari_superpixels.data.images import IMAGE_SUFFIXES, ImageFile, Plane, read_image
from napari_superpixels.data.sources import (
    AnnotatedImage,
    DataSource,
    count_objects,
    file_state,
    label_map,
    listed,
)
from napari_superpixels.errors import ReadError

#: Suffixes of label images. JPEG alters labels.
LABEL_SUFFIXES = (".tif", ".tiff", ".png")

_TIFF_SUFFIXES = (".tif", ".tiff")


def folder_source(
    images: str | Path,
    labels: str | Path | Sequence[str | Path],
    *,
    label_ending: str = "",
    partial: bool = False,
) -> DataSource:
    """Open a folder of images with a folder of label images for each annotator.

    Parameters
    ----------
    images : str or pathlib.Path
        Folder of TIFF, PNG or JPEG images, searched with its subfolders.
    labels : str, pathlib.Path or sequence of such
        Folders of TIFF or PNG label images, one for each annotator, with the names and subfolders of `images`. 0 is
        background: a segment, but no object. Of a palette the numbers count, not the colours. In RGB label images each
        colour is a label, black is 0. An image needs labels of one annotator at least.
    label_ending : str
        What names of label images have in addition to those of their images, for example ``"_mask"``. With an ending,
        `images` and `labels` can be the same folder.
    partial : bool
        Whether to leave out images without labels and labels without image, with a note, instead of refusing.

    Returns
    -------
    DataSource
        One item for each image, and for each plane of a stack: ``a_0000``, ``a_0001``, ...

    Raises
    ------
    ReadError
        If a folder is missing or holds nothing, or images and labels do not match.
    """
    images = Path(images)
    folders = [Path(labels)] if isinstance(labels, str | Path) else [Path(folder) for folder in labels]
    if not folders:
        raise ReadError("No folder of labels is given; give one for each annotator.")
    same = [folder for folder in folders if folder.resolve() == images.resolve()]
    if same and not label_ending:
        raise ReadError(
            f"{images} is given for images and for labels; name the ending by which labels differ, such as '_mask', or "
            "put them into a folder of their own."
        )
    pictures = _find(images, IMAGE_SUFFIXES, "")
    if same:
        pictures = {name: path for name, path in pictures.items() if not name.endswith(label_ending)}
    found = [_find(folder, LABEL_SUFFIXES, label_ending) for folder in folders]
    notes = _check_match(pictures, found, images, folders, label_ending, partial)
    items: list[_FolderItem] = []
    for name, image in sorted(pictures.items()):
        annotators = tuple(names[name] for names in found if name in names)
        if annotators:
            n_planes = _count_planes(image)
            numbers = [(name, None)] if n_planes is None else [(f"{name}_{i:04d}", i) for i in range(n_planes)]
            items += [_FolderItem(each, image, annotators, plane) for each, plane in numbers]
    settings: dict[str, JsonValue] = {
        "images": str(images),
        "labels": [str(folder) for folder in folders],
        "label_ending": label_ending,
    }
    return DataSource("folders", tuple(items), settings, tuple(notes))


def _find(folder: Path, suffixes: Sequence[str], ending: str) -> dict[str, Path]:
    """Return the images in a folder by their relative name without suffix and ending."""
    if not folder.is_dir():
        raise ReadError(f"The folder {folder} does not exist.")
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in suffixes or is_hidden(path, folder) or not path.stem.endswith(ending):
            continue
        name = path.relative_to(folder).with_suffix("").as_posix().removesuffix(ending)
        if name in found:
            raise ReadError(f"{found[name]} and {path} have the same name; remove or rename one.")
        found[name] = path
    return found


def is_hidden(path: Path, folder: Path) -> bool:
    """Return whether a file in a folder, or a subfolder that it lies in, such as .ipynb_checkpoints, is hidden."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _check_match(
    pictures: dict[str, Path],
    found: Sequence[dict[str, Path]],
    images: Path,
    folders: Sequence[Path],
    ending: str,
    partial: bool,
) -> list[str]:
    """Return notes on what has no counterpart; refuse where nothing matches, or not all though it should."""
    places = ", ".join(map(str, folders))
    labelled = set().union(*found)
    if not pictures:
        raise ReadError(f"{images} holds no image; expected TIFF, PNG or JPEG files.")
    if not labelled:
        named = f" whose names end with {ending!r}" if ending else ""
        raise ReadError(f"{places} holds no label image; expected TIFF or PNG files{named}.")
    bare, lost = sorted(set(pictures) - labelled), sorted(labelled - set(pictures))
    notes = []
    if bare:
        notes.append(f"{len(bare)} of {len(pictures)} images have no labels: {listed(bare)}.")
    if lost:
        notes.append(f"{len(lost)} of {len(labelled)} label images have no image: {listed(lost)}.")
    if len(bare) == len(pictures):
        raise ReadError(
            f"No image of {images} has labels of its name in {places}; there are for example {listed(bare[:1])} and "
            f"{listed(lost[:1])}. Rename them, or name the ending of the labels."
        )
    if notes and not partial:
        raise ReadError(f"{' '.join(notes)} Add what is missing, or ask for the rest alone (partial).")
    return [f"{note} They are left out." for note in notes]


def _count_planes(path: Path) -> int | None:
    """Return the number of planes of a stack; None for one plane, and for a damaged file, whose reading will tell."""
    if path.suffix.lower() not in _TIFF_SUFFIXES:
        return None
    try:
        with tifffile.TiffFile(path) as file:
            if not file.series or len(file.series[0].shape) < 3:
                return None
        image = read_image(path)
    except (OSError, ValueError, KeyError, IndexError, ReadError):
        return None
    shape, planes = image.planes()
    return len(planes) if shape else None


@lru_cache(maxsize=4)
def _read_stack(path: Path, changed: int, as_labels: bool) -> ImageFile:
    """Return a stack, kept for its next planes as long as the file is the same."""
    return read_image(path, as_labels=as_labels)


@dataclass(frozen=True, slots=True)
class _FolderItem:
    name: str
    image: Path
    labels: tuple[Path, ...]
    plane: int | None

    def read(self) -> AnnotatedImage:
        image, plane, n_planes = self._open(self.image)
        truths = tuple(self._read_labels(path, n_planes) for path in self.labels)
        n_objects = tuple(count_objects(truth) for truth in truths)
        return AnnotatedImage(self.name, plane.array, truths, n_objects, plane.channel_axis, plane.rgb, image.notes)

    def fingerprint(self) -> list[JsonValue]:
        return [*(file_state(path) for path in (self.image, *self.labels)), self.plane]

    def _open(self, path: Path, *, as_labels: bool = False) -> tuple[ImageFile, Plane, int]:
        """Return a file, the plane of it that is meant, and its number of planes."""
        try:
            if self.plane is None:
                image = read_image(path, as_labels=as_labels)
            else:
                image = _read_stack(path, path.stat().st_mtime_ns, as_labels)
        except (ReadError, OSError) as error:
            raise ReadError(f"{path}: {error}") from error
        shape, planes = image.planes()
        if self.plane is None and shape:
            raise ReadError(f"{path} is a stack of {len(planes)} planes, its image {self.image} is one plane.")
        return image, planes[min(self.plane or 0, len(planes) - 1)], len(planes)

    def _read_labels(self, path: Path, n_planes: int) -> npt.NDArray[np.int32]:
        _, plane, n_found = self._open(path, as_labels=True)
        if n_found != n_planes:
            raise ReadError(f"{path} has {n_found} planes, its image {self.image} has {n_planes}.")
        array = plane.array
        if plane.channel_axis is not None and plane.rgb and array.dtype == np.uint8:
            red, green, blue = (array[..., channel].astype(np.int32) for channel in range(3))
            return red + 256 * green + 65536 * blue
        if plane.channel_axis is not None:
            raise ReadError(f"{path} has several channels (shape {array.shape}); expected a label image.")
        return label_map(array, str(path))
