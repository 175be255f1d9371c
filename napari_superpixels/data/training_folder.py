"""Folders of images to fine-tune on: pairs of image and labels, and which of them train and which validate.

What the program writes has ``images/NAME.tif``, ``labels/NAME.tif`` (int32; 0 where nothing is annotated) and
``data.json``. Folders that users made are read as well: ``images`` beside ``labels`` or ``masks``, or pairs in one
folder that differ by an ending, such as ``a.png`` and ``a_mask.png``; 0 is then background, a segment like any other.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import tifffile
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from napari_superpixels.data.folders import LABEL_SUFFIXES, folder_source, is_hidden
from napari_superpixels.data.sources import AnnotatedImage, DataSource, SourceItem, count_objects, file_state
from napari_superpixels.errors import ReadError
from napari_superpixels.files import replacing

Role = Literal["train", "validation"]

#: Folders of label images beside ``images``.
LABEL_FOLDERS = ("labels", "masks")
#: Endings by which label images differ from images in the same folder.
LABEL_ENDINGS = ("_labels", "_label", "_masks", "_mask", "_seg")
_MANIFEST = "data.json"


@dataclass(frozen=True, slots=True, eq=False)
class TrainingItem:
    """An image with its annotation, in memory."""

    name: str
    """Name, a relative path without suffix."""
    pixels: npt.NDArray[Any]
    """(M, N), (M, N, 1), (M, N, 3), (M, N, 4), or (M, N) with channels along `channel_axis`."""
    labels: npt.NDArray[np.integer[Any]]
    """(M, N): every value is a segment, 0 too."""
    annotated: npt.NDArray[np.bool_] | None = None
    """(M, N): where the labels hold; None where they hold everywhere."""
    role: Role | None = None
    """Whether it trains or validates; None leaves that to the seed."""
    channel_axis: int | None = None
    """Axis of the channels, or None."""
    rgb: bool | None = None
    """Whether the last axis holds RGB(A); None guesses from the shape."""
    origin: str = ""
    """Where it comes from, in words."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Role | None = None
    origin: str = ""
    channel_axis: int | None = None
    rgb: bool | None = None


class _Manifest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    items: dict[str, _Entry]


@dataclass(frozen=True, slots=True)
class TrainingFolder:
    """Images to fine-tune on, not yet read."""

    source: DataSource
    """The images, sorted by name."""
    roles: Mapping[str, Role] = field(default_factory=dict)
    """Whether an image trains or validates, where that is decided."""
    notes: tuple[str, ...] = ()
    """What was left out."""


def write_training_folder(folder: str | Path, items: Iterable[TrainingItem]) -> None:
    """Write images and annotations, one after the other.

    Parameters
    ----------
    folder : str or pathlib.Path
        The folder, made if missing.
    items : iterable of TrainingItem
        The images; may be made while they are written.

    Raises
    ------
    WriteError
        If a file cannot be written.
    ReadError
        If two have the same name, or an image is not one plane or its annotation has another shape.
    """
    folder = Path(folder)
    entries: dict[str, _Entry] = {}
    for item in items:
        if item.name in entries:
            raise ReadError(f"Two images are called {item.name!r}; rename one.")
        # What could not be read back is not written.
        truths = (item.labels.astype(np.int32),)
        AnnotatedImage(item.name, item.pixels, truths, (), item.channel_axis, item.rgb, annotated=item.annotated)
        entries[item.name] = _Entry(role=item.role, origin=item.origin, channel_axis=item.channel_axis, rgb=item.rgb)
        pixels = item.pixels.astype(np.uint8) if item.pixels.dtype == bool else item.pixels
        is_rgb = item.channel_axis is None and item.rgb is not False and pixels.ndim == 3 and pixels.shape[-1] in (3, 4)
        _write_tiff(folder / "images" / f"{item.name}.tif", pixels, "rgb" if is_rgb else "minisblack")
        _write_tiff(folder / "labels" / f"{item.name}.tif", _stored_labels(item), "minisblack")
    text = json.dumps(_Manifest(items=entries).model_dump(), indent=2)
    with replacing(folder / _MANIFEST) as part:
        part.write_text(text, encoding="utf-8")


def open_training_folder(folder: str | Path, *, zero_is_unannotated: bool = False) -> TrainingFolder:
    """Open a folder that the program or a user made.

    Parameters
    ----------
    folder : str or pathlib.Path
        The folder.
    zero_is_unannotated : bool
        Whether pixels labelled 0 in a user's folder are not annotated, instead of background.

    Returns
    -------
    TrainingFolder
        Images and roles.

    Raises
    ------
    ReadError
        If there is no such folder, it holds no pair, or its list of images cannot be understood.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ReadError(f"The folder {folder} does not exist.")
    if (folder / _MANIFEST).is_file():
        return _open_written(folder)
    source = _open_pairs(folder)
    items: Iterable[SourceItem] = source.items
    if zero_is_unannotated:
        items = (_PartlyItem(item) for item in items)
    ordered = tuple(sorted(items, key=lambda item: item.name))
    return TrainingFolder(DataSource("training", ordered, {"root": str(folder)}), notes=source.notes)


def hash_pixels(pixels: npt.NDArray[Any]) -> str:
    """Return a digest of shape, type and values of an image, in hexadecimal."""
    digest = hashlib.sha256(f"{pixels.shape} {pixels.dtype.str}".encode())
    digest.update(np.ascontiguousarray(pixels).tobytes())
    return digest.hexdigest()


def _open_written(folder: Path) -> TrainingFolder:
    try:
        manifest = _Manifest.model_validate_json((folder / _MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, ValidationError) as error:
        raise ReadError(f"{folder / _MANIFEST} cannot be understood: {error}") from error
    items = tuple(
        _WrittenItem(name, folder, entry.channel_axis, entry.rgb) for name, entry in sorted(manifest.items.items())
    )
    roles: dict[str, Role] = {name: entry.role for name, entry in manifest.items.items() if entry.role is not None}
    return TrainingFolder(DataSource("training", items, {"root": str(folder)}), roles)


def _open_pairs(folder: Path) -> DataSource:
    if (folder / "images").is_dir():
        for name in LABEL_FOLDERS:
            if (folder / name).is_dir():
                return folder_source(folder / "images", folder / name, partial=True)
    files = [path for path in folder.rglob("*") if path.suffix.lower() in LABEL_SUFFIXES]
    names = [path.stem for path in files if not is_hidden(path, folder)]
    for ending in LABEL_ENDINGS:
        if any(name.endswith(ending) for name in names):
            return folder_source(folder, folder, label_ending=ending, partial=True)
    raise ReadError(
        f"{folder} holds no images with labels. Expected the folders 'images' and 'labels' with files of the same "
        "names, or pairs such as 'a.tif' and 'a_mask.png'."
    )


def _stored_labels(item: TrainingItem) -> npt.NDArray[np.int32]:
    """Return labels from 1 on in the order of the values, 0 where nothing is annotated."""
    _, numbers = np.unique(item.labels, return_inverse=True)
    labels = (numbers.reshape(item.labels.shape) + 1).astype(np.int32)
    if item.annotated is not None:
        labels[~item.annotated] = 0
    return labels


def _write_tiff(path: Path, array: npt.NDArray[Any], photometric: str) -> None:
    with replacing(path) as part:
        tifffile.imwrite(part, array, compression="zlib", photometric=photometric)


@dataclass(frozen=True, slots=True)
class _WrittenItem:
    name: str
    folder: Path
    channel_axis: int | None
    rgb: bool | None

    def read(self) -> AnnotatedImage:
        pixels, labels = (self._read(kind) for kind in ("images", "labels"))
        if labels.dtype.kind not in "ui":
            raise ReadError(f"The labels of {self.name!r} in {self.folder} are {labels.dtype}; expected whole numbers.")
        truth = labels.astype(np.int32)
        annotated = None if truth.all() else truth > 0
        count = (count_objects(truth),)
        return AnnotatedImage(self.name, pixels, (truth,), count, self.channel_axis, self.rgb, annotated=annotated)

    def fingerprint(self) -> list[JsonValue]:
        return [file_state(self._path(kind)) for kind in ("images", "labels")]

    def _path(self, kind: str) -> Path:
        return self.folder / kind / f"{self.name}.tif"

    def _read(self, kind: str) -> npt.NDArray[Any]:
        path = self._path(kind)
        try:
            array = np.asarray(tifffile.imread(path))
            if array.size == 0:
                raise ValueError("it holds no image")
            return array
        except (OSError, ValueError, KeyError, IndexError, RuntimeError) as error:
            raise ReadError(f"{path} cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class _PartlyItem:
    """An item whose label 0 says that nothing is annotated."""

    item: SourceItem

    @property
    def name(self) -> str:
        return self.item.name

    def read(self) -> AnnotatedImage:
        read = self.item.read()
        annotated = np.logical_and.reduce([truth != 0 for truth in read.ground_truths])
        return AnnotatedImage(
            read.name,
            read.pixels,
            read.ground_truths,
            read.n_objects,
            read.channel_axis,
            read.rgb,
            read.notes,
            annotated,
        )

    def fingerprint(self) -> list[JsonValue]:
        return [*self.item.fingerprint(), "zero is unannotated"]
