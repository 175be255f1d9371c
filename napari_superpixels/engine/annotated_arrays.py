"""The two arrays of an annotation, written in place, with the index of the plane at hand kept up to date."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_superpixels.engine.deltas import DTYPES, ArrayDelta, ArrayName, Box, Position, Runs, box_around
from napari_superpixels.engine.region_index import PlaneBox, RegionIndex
from napari_superpixels.errors import ImageError

#: ``write(array, box, mask, values)`` puts values into a box of a whole array: where the mask, of the box's shape, is
#: True, in C order; everywhere if it is None, the values then having the box's shape.
Write = Callable[[ArrayName, Box, npt.NDArray[np.bool_] | None, npt.NDArray[Any]], None]

#: Pixels of all planes; files with more are refused, so that a damaged or malicious one cannot ask for all memory.
MAX_PIXELS = 2**31


class AnnotatedArrays:
    """Labels and classes of an image or stack, and which of its planes is at hand.

    Parameters
    ----------
    labels : ndarray of int32
        Superpixels, with two axes or more. An axis of channels that hold the same has a stride of 0.
    classes : ndarray of uint8
        Class of each pixel, of the same shape; likewise.
    write : callable, optional
        Puts values in place; writes to the arrays if None.

    Raises
    ------
    TypeError
        If an array has another type of elements.
    ValueError
        If the shapes differ or have fewer than two axes.
    ImageError
        If there are too many pixels to be saved.
    """

    def __init__(
        self, labels: npt.NDArray[np.int32], classes: npt.NDArray[np.uint8], write: Write | None = None
    ) -> None:
        self.arrays: dict[ArrayName, npt.NDArray[Any]] = {"labels": labels, "classes": classes}
        for name, array in self.arrays.items():
            if array.dtype != DTYPES[name]:
                raise TypeError(f"The {name} are {array.dtype}; expected {DTYPES[name]}.")
        if labels.shape != classes.shape or labels.ndim < 2:
            raise ValueError(
                f"The labels have shape {labels.shape} and the classes {classes.shape}; expected the same, with two "
                "axes or more."
            )
        if labels.size > MAX_PIXELS:
            raise ImageError(
                f"The image has {labels.size:.2g} pixels in all planes of the shape {labels.shape}; expected "
                f"{MAX_PIXELS:.2g} at most, as no more can be saved. Open a part of it."
            )
        self._write: Write = write or self._write_direct
        # Channels are one in memory: what is written to one of them is written to all.
        self._is_shared = [not any(strides) for strides in zip(labels.strides, classes.strides, strict=True)]
        self.plane: Position = (*(0,) * (labels.ndim - 2), None, None)
        self._index: RegionIndex | None = None

    def set_plane(self, index: tuple[int | slice, ...]) -> bool:
        """Take another plane at hand and return whether it is another.

        Raises
        ------
        ValueError
            If the index does not choose one plane: a whole number for every axis but two, which get ``slice(None)``.
        IndexError
            If there is no such plane.
        """
        shape = self.arrays["labels"].shape
        plane = tuple(None if part == slice(None) else part for part in index)
        if len(plane) != len(shape) or plane.count(None) != 2 or any(isinstance(part, slice) for part in plane):
            raise ValueError(
                f"The index is {index}; expected {len(shape)} parts, whole numbers but for two slice(None)."
            )
        position: Position = tuple(None if part is None else int(part) for part in plane)  # type: ignore[arg-type]
        if any(part is not None and not 0 <= part < n for part, n in zip(position, shape, strict=True)):
            raise IndexError(f"There is no plane {index} in a stack of shape {shape}.")
        if position == self.plane:
            return False
        self.plane = position
        self._index = None
        return True

    def plane_of(self, name: ArrayName) -> npt.NDArray[Any]:
        """Return the plane at hand of an array, as a view."""
        return self.arrays[name][tuple(slice(None) if part is None else part for part in self.plane)]

    @property
    def index(self) -> RegionIndex:
        """Boxes, areas and classes of the superpixels of the plane at hand."""
        if self._index is None:
            self._index = RegionIndex(self.plane_of("labels"), self.plane_of("classes"))
        return self._index

    def whole_box(self, box: PlaneBox) -> Box:
        """Return where a box of the plane at hand is in the whole array."""
        sides = iter(box)
        return tuple(next(sides) if part is None else slice(part, part + 1) for part in self.plane)

    def plane_box(self, box: Box) -> PlaneBox | None:
        """Return which rows and columns of the plane at hand a box of the whole array covers, None if none."""
        sides = list(zip(box, self.plane, self._is_shared, strict=True))
        if any(part is not None and not shared and not side.start <= part < side.stop for side, part, shared in sides):
            return None
        rows, columns = (side for side, part, _ in sides if part is None)
        return rows, columns

    def shared_pixels(self, indices: tuple[npt.NDArray[Any], ...]) -> tuple[npt.NDArray[Any], ...]:
        """Return positions of the same pixels, one array for each axis, in the channel of the plane at hand."""
        return tuple(
            np.full_like(axis, part) if shared and part is not None else axis
            for axis, part, shared in zip(indices, self.plane, self._is_shared, strict=True)
        )

    def change(self, name: ArrayName, box: PlaneBox, values: npt.NDArray[Any]) -> ArrayDelta | None:
        """Write a box of the plane at hand and return what that changed, None if nothing."""
        whole = self.whole_box(box)
        old = self.arrays[name][whole]
        delta = ArrayDelta.between(name, whole, old, values.reshape(old.shape))
        if delta is not None:
            self.put(delta)
        return delta

    def put(self, delta: ArrayDelta, values: npt.NDArray[Any] | None = None) -> None:
        """Write a change, with the index kept up to date; `values` are its new values where they are at hand."""
        values = delta.new_values() if values is None else values
        box = self.plane_box(delta.box)
        if self._index is None or box is None:
            self._write(delta.array, delta.box, delta.pixels(), values)
            return
        old = self.plane_of(delta.array)[box].copy()
        self._write(delta.array, delta.box, delta.pixels(), values)
        if delta.array == "labels":
            self._index.labels_changed(box, old)
        else:
            self._index.classes_changed(box, old)

    def fill(self, name: ArrayName, values: npt.NDArray[Any]) -> None:
        """Write a whole array."""
        self._write(name, tuple(slice(0, n) for n in values.shape), None, values)
        self._index = None

    def copied(self, name: ArrayName) -> npt.NDArray[Any]:
        """Return a copy of a whole array; planes that hold nothing take neither memory nor, as writing does, time."""
        array = self.arrays[name]
        copy = np.zeros(array.shape, array.dtype)
        for plane in np.ndindex(array.shape[:-2]):
            if array[plane].any():
                copy[plane] = array[plane]
        return copy

    def joined(self, deltas: list[ArrayDelta]) -> ArrayDelta | None:
        """Return changes of one array that were written one after the other as a single one, None if they cancel."""
        if len(deltas) < 2:
            return deltas[0] if deltas else None
        box = box_around([delta.box for delta in deltas])
        new = self.arrays[deltas[0].array][box]
        old = new.copy()
        origin = tuple(side.start for side in box)
        for delta in reversed(deltas):
            delta.reversed().put_into(old, origin)
        return ArrayDelta.between(deltas[0].array, box, old, new)

    def replace(self, name: ArrayName, values: npt.NDArray[Any], old: Runs | None = None) -> ArrayDelta:
        """Write all of the plane at hand and return the change; `old` stands for what the plane was, if given."""
        plane = self.plane_of(name)
        box = self.whole_box((slice(0, plane.shape[0]), slice(0, plane.shape[1])))
        delta = ArrayDelta(name, box, None, old or Runs.of(plane), Runs.of(values))
        self.put(delta, values.reshape(delta.shape))
        return delta

    def _write_direct(
        self, name: ArrayName, box: Box, mask: npt.NDArray[np.bool_] | None, values: npt.NDArray[Any]
    ) -> None:
        if mask is None:
            self.arrays[name][box] = values
        else:
            self.arrays[name][box][mask] = values
