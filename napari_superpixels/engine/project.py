"""Project files: an annotation with its history, and which image it belongs to. The image itself stays where it is."""

import datetime
import hashlib
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from napari_superpixels.engine.annotation_core import AnnotationState
from napari_superpixels.engine.state_archive import read_state, write_state
from napari_superpixels.errors import ReadError, WriteError
from napari_superpixels.files import replacing

#: Suffix of project files.
SUFFIX = ".nsp"
#: Bytes of an image that are read at once, unless one plane has more.
_PART_BYTES = 2**25
_MAX_COLORS = 4


class Pixels(Protocol):
    """An array, or what can be read plane by plane, such as a dask or zarr array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of elements along each axis."""

    @property
    def dtype(self) -> Any:
        """Type of the elements."""

    def __getitem__(self, index: Any) -> Any: ...


class ImageReference(BaseModel):
    """Which image an annotation belongs to; immutable."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    """Name of the image, for messages."""
    sha256: str
    """Hash of its type, shape and pixels, see :func:`hash_pixels`."""
    shape: tuple[int, ...]
    """Shape of its array, with channels."""
    path: str = ""
    """File that it was read from; "" where there is none."""
    relative_path: str = ""
    """The same, relative to the project's folder."""

    def difference(self, pixels: Pixels) -> str:
        """Return in words how an image differs from the one that is meant; "" where it does not."""
        if tuple(pixels.shape) != self.shape:
            return f"it has the shape {tuple(pixels.shape)}, the annotated image has {self.shape}"
        if hash_pixels(pixels) != self.sha256:
            return "its pixels are others than those that were annotated"
        return ""


@dataclass(frozen=True, slots=True, eq=False)
class Project:
    """What a project file holds."""

    path: Path
    """The file."""
    state: AnnotationState
    """The annotation."""
    image: ImageReference
    """The image that it belongs to."""
    settings: dict[str, JsonValue]
    """What else was kept, such as parameters and the layers' scale."""
    notes: tuple[str, ...] = ()
    """What the user should know."""

    def find_image(self) -> Path | None:
        """Return the image's file: beside the project as it was, beside it by its name, or at its old place; or None.

        Whoever made the project may have named any path. A share of another computer, or a device, is left alone unless
        the project itself lies there: on Windows, looking at it is enough to log on to that computer.
        """
        folder, relative, old = self.path.parent, Path(self.image.relative_path), Path(self.image.path)
        places = []
        if self.image.relative_path and not relative.anchor:
            places.append(folder / relative)
        if self.image.path:
            places.append(folder / old.name)
            if _share(old) in ("", _share(self.path.absolute())):
                places.append(old)
        return next((place for place in places if place.is_file()), None)


def _share(path: Path) -> str:
    r"""Return the share or device of Windows that a path names, such as ``\\host\share``; "" where it names none."""
    windows = PureWindowsPath(str(path))  # a Path of another system is taken apart by its own rules
    if str(windows).startswith("\\??"):
        return str(windows)  # what the system makes of \\?
    return windows.drive.lower() if windows.drive.startswith("\\\\") else ""


def hash_pixels(pixels: Pixels) -> str:
    """Return the SHA-256 of an image's type, shape and pixels in C order, in hexadecimal; read part by part."""
    *_, sha256 = hash_in_parts(pixels)
    return sha256


def hash_in_parts(pixels: Pixels) -> Iterator[str]:
    """Hash an image as :func:`hash_pixels` does; yield "" after each part that was read, and at last the hash."""
    dtype, shape = np.dtype(pixels.dtype), tuple(pixels.shape)
    digest = hashlib.sha256(f"{dtype.str} {shape}".encode())
    for index in _parts(shape, dtype.itemsize):
        digest.update(np.ascontiguousarray(pixels[index]).data)
        yield ""
    yield digest.hexdigest()


def _parts(shape: tuple[int, ...], itemsize: int) -> Iterator[tuple[int | slice, ...]]:
    """Yield, in C order, the parts of an image to read at once: as many planes as fit, with their colours, or one."""
    n_outer = max(0, len(shape) - (3 if shape[-1] <= _MAX_COLORS else 2))
    n_bytes = itemsize * math.prod(shape[n_outer:])
    while n_outer and n_bytes * shape[n_outer - 1] <= _PART_BYTES:
        n_outer -= 1
        n_bytes *= shape[n_outer]
    if not n_outer:
        yield ()
        return
    step = max(1, _PART_BYTES // n_bytes)
    for outer in np.ndindex(shape[: n_outer - 1]):
        for start in range(0, shape[n_outer - 1], step):
            yield (*outer, slice(start, start + step))


def image_reference(
    pixels: Pixels, name: str, path: str | Path | None = None, *, sha256: str | None = None
) -> ImageReference:
    """Return the reference to an image; large images are better given in a worker thread, as all pixels are read.

    Parameters
    ----------
    pixels : array
        The image.
    name : str
        Its name.
    path : str or pathlib.Path, optional
        Its file.
    sha256 : str, optional
        Its hash where it is known, "" where it is to come later; the pixels are not read then.
    """
    file = "" if path is None else str(Path(path).absolute())
    known = hash_pixels(pixels) if sha256 is None else sha256
    return ImageReference(name=name, sha256=known, shape=tuple(pixels.shape), path=file)


def save_project(
    path: str | Path, state: AnnotationState, image: ImageReference, settings: Mapping[str, JsonValue] | None = None
) -> None:
    """Save a project, replacing the file as a whole or not at all.

    Parameters
    ----------
    path : str or pathlib.Path
        File whose name ends with ``.nsp``.
    state : AnnotationState
        The annotation, see :meth:`Annotation.snapshot`.
    image : ImageReference
        The image that it belongs to.
    settings : mapping, optional
        What else to keep, as JSON can hold it.

    Raises
    ------
    WriteError
        If the name ends otherwise, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != SUFFIX:
        raise WriteError(f"A project cannot be saved as {path.name}; use a name that ends with {SUFFIX}.")
    saved = image.model_copy(update={"relative_path": _relative(image.path, path.parent)})
    extra: dict[str, JsonValue] = {
        "image": saved.model_dump(mode="json"),
        "settings": dict(settings or {}),
        "saved": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    with replacing(path) as part, part.open("wb") as file:
        write_state(file, state, extra)
        file.flush()
        os.fsync(file.fileno())


def open_project(path: str | Path) -> Project:
    """Open a project; the image is not read.

    Parameters
    ----------
    path : str or pathlib.Path
        File that :func:`save_project` wrote.

    Raises
    ------
    ReadError
        If it is missing, foreign, damaged, or of a newer version.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            state, extra, notes = read_state(file, path)
    except OSError as error:
        raise ReadError(f"{path} cannot be read: {error.strerror or error}.") from error
    return Project(path, state, read_reference(extra.get("image"), path), _settings(extra), notes)


def read_reference(data: JsonValue, name: str | Path) -> ImageReference:
    """Return the reference to an image that a file holds; ReadError where it is none."""
    try:
        return ImageReference.model_validate(data)
    except ValidationError as error:
        raise ReadError(f"{name} does not tell which image it belongs to ({error.errors()[0]['msg']}).") from error


def _settings(extra: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    settings = extra.get("settings")
    return settings if isinstance(settings, dict) else {}


def _relative(path: str, folder: Path) -> str:
    if not path:
        return ""
    try:
        return Path(os.path.relpath(path, folder.absolute())).as_posix()
    except ValueError:
        return ""  # another drive
