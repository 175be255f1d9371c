"""An annotation as files hold it: the class of every pixel, the class table, and how large a pixel is."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from skimage.measure import label as connected_parts

from napari_superpixels.data.class_table import MAX_CLASS, ClassTable
from napari_superpixels.errors import ReadError, WriteError

#: What becomes an object of its own in formats of objects: each connected part of a class, or of a superpixel in it.
Instances = Literal["class", "superpixel"]

#: Version of the header.
SCHEMA = 1
_AXES = {2: "YX", 3: "ZYX", 4: "TZYX"}
_MAX_PIXELS = 2**33


class Header(BaseModel):
    """What every format carries beside the pixels, so that nothing is lost; unknown entries are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    schema_version: int = Field(SCHEMA, alias="schema", ge=1)
    """Version of the header."""
    image: str = ""
    """Name of the image."""
    shape: tuple[int, ...] = Field(min_length=2, max_length=8)
    """Shape of the class array."""
    axes: str = Field(pattern="^[A-Z]*YX$")
    """Meaning of its axes."""
    pixel_size: dict[str, float] = Field(default_factory=dict)
    """Size of a pixel along Z, Y and X."""
    pixel_unit: str = ""
    """Its unit."""
    classes: list[dict[str, Any]] = Field(default_factory=list)
    """The class table, see :meth:`ClassTable.to_json`."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassMap:
    """The classes of an image's pixels, or of a stack's.

    Raises
    ------
    ValueError
        If the arrays do not fit each other, the axes or the class table.
    """

    classes: npt.NDArray[np.uint8]
    """(..., M, N); 0 is no class."""
    table: ClassTable
    """Has an entry for every class with a pixel."""
    superpixels: npt.NDArray[np.integer[Any]] | None = None
    """Superpixels of the same shape, 0 outside; needed only for their own outlines."""
    image: str = ""
    """Name of the image, for the reader."""
    axes: str = ""
    """Meaning of each axis, Y and X last; by default YX, ZYX or TZYX."""
    pixel_size: Mapping[str, float] = field(default_factory=dict)
    """Size of a pixel along the axes Z, Y, X, as far as known."""
    pixel_unit: str = ""
    """Unit of `pixel_size`, for example "µm"."""
    notes: tuple[str, ...] = ()
    """What a reader left out or guessed."""

    def __post_init__(self) -> None:
        shape = self.classes.shape
        if self.classes.dtype != np.uint8 or len(shape) < 2:
            raise ValueError(
                f"Classes should be a uint8 array of shape (M, N) or (..., M, N); received {self.classes.dtype} of "
                f"shape {shape}."
            )
        axes = self.axes or _AXES.get(len(shape), "Q" * (len(shape) - 2) + "YX")
        if len(axes) != len(shape) or axes[-2:] != "YX":
            raise ValueError(f"The axes {axes!r} do not fit the shape {shape}; expected a letter each, YX last.")
        object.__setattr__(self, "axes", axes)
        if self.superpixels is not None and self.superpixels.shape != shape:
            raise ValueError(f"The superpixels have the shape {self.superpixels.shape}, the classes {shape}.")
        missing = [number for number in self.present() if number not in self.table]
        if missing:
            raise ValueError(
                f"Class {missing[0]} has pixels, but no entry in the class table, which has {self.table.numbers}; add "
                "one, or use the table that belongs to this annotation."
            )

    def present(self) -> list[int]:
        """Return the numbers of the classes that have pixels, rising."""
        return (np.flatnonzero(np.bincount(self.classes.ravel(), minlength=256)[1:]) + 1).tolist()

    def planes(self) -> Iterator[tuple[int, ...]]:
        """Yield the index of every plane of a stack; () where there is one."""
        return iter(np.ndindex(self.classes.shape[:-2]))

    def regions(
        self, plane: tuple[int, ...], instances: Instances
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
        """Return the objects of a plane: 4-connected parts of one class, or of one superpixel in one class.

        Parameters
        ----------
        plane : tuple of int
            Index of the plane.
        instances : "class" or "superpixel"
            What is an object.

        Returns
        -------
        regions : ndarray of shape (M, N), int64
            Number of each pixel's object, from 1; 0 for no class.
        classes : ndarray of shape (n + 1,), uint8
            Class of each object, by its number.

        Raises
        ------
        ValueError
            If superpixels are wanted and there are none.
        """
        classes = self.classes[plane]
        keys = classes.astype(np.int64)
        if instances == "superpixel":
            if self.superpixels is None:
                raise ValueError("These classes come without superpixels; write one object for each part of a class.")
            keys = np.where(classes > 0, keys + 256 * self.superpixels[plane].astype(np.int64), 0)
        regions = np.asarray(connected_parts(keys, connectivity=1, background=0), np.int64)
        class_of = np.zeros(int(regions.max(initial=0)) + 1, np.uint8)
        class_of[regions] = classes
        return regions, class_of

    def header(self) -> dict[str, Any]:
        """Return what the formats carry beside the pixels, as JSON can hold it."""
        return {
            "schema": SCHEMA,
            "image": self.image,
            "shape": list(self.classes.shape),
            "axes": self.axes,
            "pixel_size": dict(self.pixel_size),
            "pixel_unit": self.pixel_unit,
            "classes": self.table.to_json(),
        }

    def noted(self, *notes: str) -> Self:
        """Return the same with more notes."""
        return replace(self, notes=(*self.notes, *notes))


def empty_classes(shape: tuple[int, ...], path: Path) -> npt.NDArray[np.uint8]:
    """Return classes without any, of the shape that a file tells.

    Raises
    ------
    ReadError
        If no image has such a shape.
    """
    if len(shape) < 2 or min(shape) < 1 or math.prod(shape) > _MAX_PIXELS:
        raise ReadError(f"{path} is made for an image of shape {shape}; expected at most {_MAX_PIXELS} pixels.")
    return np.zeros(shape, np.uint8)


def as_classes(array: npt.NDArray[Any], path: str | Path) -> npt.NDArray[np.uint8]:
    """Return whole numbers as classes.

    Raises
    ------
    ReadError
        If they are fractions, negative or above 255, and so no classes.
    """
    if array.ndim < 2 or not (np.issubdtype(array.dtype, np.integer) or array.dtype == bool):
        raise ReadError(
            f"{path} holds {array.dtype} values of shape {array.shape}; classes are whole numbers, one for each pixel."
        )
    low, high = int(array.min(initial=0)), int(array.max(initial=0))
    if low < 0 or high > MAX_CLASS:
        raise ReadError(
            f"{path} holds the values {low} to {high}; class numbers run from 0 (none) to {MAX_CLASS}. Is it an image "
            "of superpixels or objects, one number each?"
        )
    return array.astype(np.uint8)


def read_header(data: Any, path: str | Path) -> Header | None:
    """Return the header that a file carries; None where it was not written here.

    Raises
    ------
    ReadError
        If the header was changed to something that has no meaning.
    """
    if not isinstance(data, dict) or "axes" not in data or "classes" not in data:
        return None
    try:
        return Header.model_validate(data)
    except ValidationError as error:
        raise ReadError(
            f"{path}: its header cannot be understood ({error.errors()[0]['msg']} at {error.errors()[0]['loc']})."
        ) from error


def build(
    classes: npt.NDArray[np.uint8], table: ClassTable, header: Header | None, path: str | Path, *notes: str
) -> ClassMap:
    """Return what was read as a class map, with default entries for classes that the table lacks.

    Raises
    ------
    ReadError
        If the parts do not fit each other.
    """
    present = (np.flatnonzero(np.bincount(classes.ravel(), minlength=256)[1:]) + 1).tolist()
    try:
        if header is None:
            return ClassMap(classes, table.completed(present), notes=notes)
        return ClassMap(
            classes,
            table.completed(present),
            image=header.image,
            axes=header.axes,
            pixel_size=header.pixel_size,
            pixel_unit=header.pixel_unit,
            notes=notes,
        )
    except ValueError as error:
        raise ReadError(f"{path}: {error}") from error


def table_of(header: Header | None, path: str | Path) -> ClassTable:
    """Return the class table of a header; empty where there is none.

    Raises
    ------
    ReadError
        If it has no meaning.
    """
    try:
        return ClassTable() if header is None else ClassTable.from_json(header.classes)
    except ValueError as error:
        raise ReadError(f"{path}: {error}") from error


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    ReadError
        If it is missing, or no valid JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ReadError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise ReadError(f"{path} is not valid JSON ({error}); it may be incomplete, copy it again.") from error


def checked_size(class_map: ClassMap) -> tuple[float, float]:
    """Return the size of a pixel along X and Y.

    Raises
    ------
    WriteError
        If it is not known.
    """
    sizes = [class_map.pixel_size.get(axis, math.nan) for axis in "XY"]
    if not all(0 < size < math.inf for size in sizes):
        raise WriteError(
            "The size of a pixel is not known, so nothing can be written in physical units. Write pixels instead, or "
            "give the image a scale."
        )
    return sizes[0], sizes[1]
