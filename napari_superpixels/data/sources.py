"""Images with ground truth, whatever data set they come from: named items that are read when they are needed.

A source is a tuple of small items; an item knows where its image and ground truth lie, and reads them when asked. Items
can be pickled, so that other processes can read them.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

from napari_superpixels.data.bsds import list_bsds, read_bsds
from napari_superpixels.errors import ReadError

_SHOWN = 3


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedImage:
    """An image with every annotator's ground truth."""

    name: str
    """Name of the item that it comes from."""
    pixels: npt.NDArray[Any]
    """(M, N), (M, N, 3), (M, N, 4), or (M, N) with channels along `channel_axis`; values as they are stored."""
    ground_truths: tuple[npt.NDArray[np.int32], ...]
    """One label image of shape (M, N) for each annotator, at least one; every value is a segment, 0 too."""
    n_objects: tuple[int, ...]
    """Number of objects that each annotator marked."""
    channel_axis: int | None = None
    """Axis of the channels, or None."""
    rgb: bool | None = None
    """Whether the last axis holds RGB(A); None guesses from the shape."""
    notes: tuple[str, ...] = ()
    """What the user should know about this image."""
    annotated: npt.NDArray[np.bool_] | None = None
    """(M, N): where the ground truths hold; None where they hold everywhere."""

    def __post_init__(self) -> None:
        """Check the shapes.

        Raises
        ------
        ReadError
            If the image is not one plane, a ground truth has another shape, or nothing is annotated.
        """
        shape = list(self.pixels.shape)
        if self.channel_axis is not None:
            if not -len(shape) <= self.channel_axis < len(shape):
                raise ReadError(f"{self.name}: the image of shape {tuple(shape)} has no axis {self.channel_axis}.")
            del shape[self.channel_axis]
        elif self.rgb or (self.rgb is None and len(shape) == 3 and shape[-1] in (1, 3, 4)):
            del shape[-1]
        if len(shape) != 2:
            raise ReadError(f"{self.name}: expected one plane, grey or in colour; received shape {self.pixels.shape}.")
        for truth in self.ground_truths:
            if list(truth.shape) != shape:
                raise ReadError(
                    f"{self.name}: a ground truth has shape {truth.shape}, its image {tuple(shape)}; they do not "
                    "belong together, or one was resized."
                )
        if self.annotated is not None:
            if list(self.annotated.shape) != shape or self.annotated.dtype != bool:
                received = f"{self.annotated.dtype} of shape {self.annotated.shape}"
                raise ReadError(
                    f"{self.name}: what is annotated is told by {received}; expected bool of shape {tuple(shape)}."
                )
            if not self.annotated.any():
                raise ReadError(f"{self.name}: nothing is annotated; annotate a part of it, or leave the image out.")


class SourceItem(Protocol):
    """One image of a source, not yet read."""

    @property
    def name(self) -> str:
        """Name that no other item of the source has: a relative path with forward slashes, without suffix."""

    def read(self) -> AnnotatedImage:
        """Read image and ground truth.

        Raises
        ------
        ReadError
            If a file is missing, damaged, or does not fit the others; the message names it.
        """

    def fingerprint(self) -> list[JsonValue]:
        """Return what changes when the image or its ground truth does."""


@dataclass(frozen=True, slots=True)
class DataSource:
    """The images of a data set, in a stable order."""

    kind: str
    """ "bsds", "coco-instances", "coco-panoptic", "folders" or "arrays"."""
    items: tuple[SourceItem, ...]
    """The images; at least one."""
    settings: Mapping[str, JsonValue] = field(default_factory=dict)
    """Where the data set lies and how it was opened."""
    notes: tuple[str, ...] = ()
    """What was left out."""

    def __post_init__(self) -> None:
        """Check the names.

        Raises
        ------
        ReadError
            If there is no item, or names are empty, lead out of a folder or occur twice.
        """
        if not self.items:
            raise ReadError("The data set holds no image with ground truth.")
        counts = Counter(item.name for item in self.items)
        for name, count in counts.items():
            if not _is_inside(name):
                raise ReadError(f"{name!r} cannot name an image: expected a relative path without '..' or backslashes.")
            if count > 1:
                raise ReadError(
                    f"{count} images are called {name!r}; names without their suffix must differ, because outputs are "
                    "named after them. Rename the images or give them folders of their own."
                )

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.items)

    def __iter__(self) -> Iterator[SourceItem]:
        """Iterate over the items."""
        return iter(self.items)

    def subset(self, names: Collection[str]) -> "DataSource":
        """Return the source with these items alone, in the same order.

        Raises
        ------
        ReadError
            If a name is unknown, or none is given.
        """
        wanted = set(names)
        unknown = wanted - {item.name for item in self.items}
        if unknown:
            raise ReadError(f"The data set has no image called {listed(sorted(unknown))}.")
        return replace(self, items=tuple(item for item in self.items if item.name in wanted))


def listed(names: Sequence[str]) -> str:
    """Return the first names of a list in words, for messages: "'a', 'b', 'c' and 4 more"."""
    words = ", ".join(repr(str(name)) for name in names[:_SHOWN])
    return words if len(names) <= _SHOWN else f"{words} and {len(names) - _SHOWN} more"


def file_state(path: Path) -> list[JsonValue]:
    """Return a file's name, size and time of its last change; the name alone where it cannot be asked for."""
    try:
        state = path.stat()
    except OSError:
        return [path.name]
    return [path.name, state.st_size, state.st_mtime_ns]


def bsds_source(root: str | Path, split: str = "train") -> DataSource:
    """Open a split of BSDS500, or of a data set in its layout.

    Parameters
    ----------
    root : str or pathlib.Path
        Folder that holds ``images`` and ``groundTruth``.
    split : str
        ``"train"``, ``"val"`` or ``"test"``.

    Returns
    -------
    DataSource
        One item for each photograph, with all its annotators. Each segment counts as an object.

    Raises
    ------
    ReadError
        If a folder is missing or holds no image.
    """
    root = Path(root)
    items = tuple(_BsdsItem(name, root, split) for name in list_bsds(root, split))
    return DataSource("bsds", items, {"root": str(root), "split": split})


def array_source(
    images: Sequence[npt.NDArray[Any]],
    ground_truths: Sequence[npt.NDArray[np.integer[Any]] | Sequence[npt.NDArray[np.integer[Any]]]],
    *,
    names: Sequence[str] | None = None,
    channel_axis: int | None = None,
    annotated: Sequence[npt.NDArray[np.bool_] | None] | None = None,
) -> DataSource:
    """Make a source of arrays in memory.

    Parameters
    ----------
    images : sequence of ndarray
        (M, N), (M, N, 3) or (M, N, 4), or (M, N) with channels along `channel_axis`; sizes may differ.
    ground_truths : sequence of ndarray of shape (M, N), integer, or of sequences of such
        For each image one label image, or one for each annotator. 0 is background: a segment, but no object.
    names : sequence of str, optional
        Names of the images; "0000", "0001", ... by default.
    channel_axis : int, optional
        Axis of the channels of multi-channel images.
    annotated : sequence of ndarray of shape (M, N), bool, or None, optional
        For each image where its ground truth holds; everywhere by default.

    Returns
    -------
    DataSource
        One item for each image.

    Raises
    ------
    ValueError
        If the lists differ in length.
    ReadError
        If there is no image, or names cannot be used.
    """
    names = [f"{i:04d}" for i in range(len(images))] if names is None else names
    known = [None] * len(images) if annotated is None else annotated
    if not len(images) == len(ground_truths) == len(names) == len(known):
        raise ValueError(
            f"expected as many images as ground truths, names and masks; received {len(images)}, {len(ground_truths)}, "
            f"{len(names)} and {len(known)}"
        )
    items = []
    for name, image, truth, mask in zip(names, images, ground_truths, known, strict=True):
        annotators = (truth,) if isinstance(truth, np.ndarray) else tuple(np.asarray(each) for each in truth)
        items.append(_ArrayItem(name, np.asarray(image), annotators, channel_axis, mask))
    return DataSource("arrays", tuple(items))


def label_map(labels: npt.NDArray[Any], what: str) -> npt.NDArray[np.int32]:
    """Return labels as int32; values beyond its range are numbered anew in their order, 0 stays 0.

    Parameters
    ----------
    labels : ndarray
        bool or integer of any width.
    what : str
        What the labels are, for the message.

    Raises
    ------
    ReadError
        If the labels are of another type.
    """
    if labels.dtype.kind not in "bui":
        raise ReadError(
            f"{what} holds values of type {labels.dtype}; labels are whole numbers. Convert it to an integer type, or "
            "is it an image?"
        )
    limits = np.iinfo(np.int32)
    if labels.size and (labels.min() < limits.min or labels.max() > limits.max):
        values, numbers = np.unique(labels, return_inverse=True)
        shift = -int(np.searchsorted(values, 0)) if 0 in values else 1
        return (numbers.reshape(labels.shape) + shift).astype(np.int32)
    return labels.astype(np.int32)


def count_objects(labels: npt.NDArray[np.int32]) -> int:
    """Return the number of labels that occur, without the background 0."""
    values = np.unique(labels)
    return int(values.size - np.count_nonzero(values == 0))


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and not {"..", "."} & set(path.parts) and "\\" not in name


@dataclass(frozen=True, slots=True)
class _BsdsItem:
    name: str
    root: Path
    split: str

    def read(self) -> AnnotatedImage:
        sample = read_bsds(self.root, self.split, self.name)
        n_objects = tuple(int(np.unique(truth).size) for truth in sample.ground_truths)
        return AnnotatedImage(self.name, sample.image, sample.ground_truths, n_objects, rgb=True)

    def fingerprint(self) -> list[JsonValue]:
        image = self.root / "images" / self.split / f"{self.name}.jpg"
        truth = self.root / "groundTruth" / self.split / f"{self.name}.mat"
        return [file_state(image), file_state(truth)]


@dataclass(frozen=True, slots=True, eq=False)
class _ArrayItem:
    name: str
    pixels: npt.NDArray[Any]
    ground_truths: tuple[npt.NDArray[Any], ...]
    channel_axis: int | None
    annotated: npt.NDArray[np.bool_] | None = None

    def read(self) -> AnnotatedImage:
        if not self.ground_truths:
            raise ReadError(f"{self.name} has no ground truth; give one label image for each annotator, at least one.")
        truths = tuple(label_map(truth, f"the ground truth of {self.name}") for truth in self.ground_truths)
        read = AnnotatedImage(self.name, self.pixels, truths, (), self.channel_axis, annotated=self.annotated)
        known = truths if self.annotated is None else [truth[self.annotated] for truth in truths]
        return replace(read, n_objects=tuple(count_objects(truth) for truth in known))

    def fingerprint(self) -> list[JsonValue]:
        digest = hashlib.blake2b(json.dumps(self.channel_axis).encode(), digest_size=16)
        masks = () if self.annotated is None else (self.annotated,)
        for array in (self.pixels, *self.ground_truths, *masks):
            digest.update(f"{array.shape} {array.dtype.str}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return [digest.hexdigest()]
