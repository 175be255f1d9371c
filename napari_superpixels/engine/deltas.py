"""What an act changed in an array: a box, the pixels in it, and their values before and after."""

import json
import math
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

ArrayName = Literal["labels", "classes"]
#: Part of an array of any number of axes.
Box = tuple[slice, ...]
#: Index of a plane in a stack, None for the two axes of the plane.
Position = tuple[int | None, ...]
#: The type of each array's elements.
DTYPES: dict[ArrayName, Any] = {"labels": np.dtype(np.int32), "classes": np.dtype(np.uint8)}
_HEADER = struct.Struct("<I")
_LEVEL = 1


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Values in a row, stored as runs of equal ones: label images are a twentieth of their size."""

    values: npt.NDArray[Any]
    """Value of each run."""
    lengths: npt.NDArray[np.uint32]
    """Number of elements of each run."""

    @classmethod
    def of(cls, array: npt.NDArray[Any]) -> Self:
        """Return an array, taken in C order, as runs."""
        flat = array.ravel()
        starts = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        bounds = np.concatenate(([0], starts, [flat.size]))
        lengths = np.diff(bounds).astype(np.uint32)
        return cls(flat[bounds[:-1]] if flat.size else flat.copy(), lengths if flat.size else lengths[:0])

    @property
    def n_bytes(self) -> int:
        """Memory that this holds."""
        return self.values.nbytes + self.lengths.nbytes

    def array(self) -> npt.NDArray[Any]:
        """Return the values one by one."""
        return np.repeat(self.values, self.lengths)

    def __len__(self) -> int:
        return int(self.lengths.sum(dtype=np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class ArrayDelta:
    """A change of an array, which can be put in and taken back exactly."""

    array: ArrayName
    """Which array."""
    box: Box
    """Where in the whole array; each slice has a start and a stop."""
    mask: Runs | None
    """Which pixels of the box changed, as runs of bool in C order; None for all."""
    old: Runs
    """Their values before, in C order."""
    new: Runs
    """Their values after."""

    @classmethod
    def between(cls, array: ArrayName, box: Box, old: npt.NDArray[Any], new: npt.NDArray[Any]) -> Self | None:
        """Return what differs between two contents of a box, None if nothing does; cut to the pixels that differ.

        Parameters
        ----------
        array : {"labels", "classes"}
            Which array.
        box : tuple of slice
            Where in the whole array.
        old, new : ndarray of the box's shape
            Its contents before and after.
        """
        changed = old != new
        inner = _bounds(changed)
        if inner is None:
            return None
        outer = tuple(slice(a.start + b.start, a.start + b.stop) for a, b in zip(box, inner, strict=True))
        changed, old, new = changed[inner], old[inner], new[inner]
        if changed.all():
            return cls(array, outer, None, Runs.of(old), Runs.of(new))
        return cls(array, outer, Runs.of(changed), Runs.of(old[changed]), Runs.of(new[changed]))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the box."""
        return tuple(part.stop - part.start for part in self.box)

    @property
    def n_bytes(self) -> int:
        """Memory that this holds."""
        return self.old.n_bytes + self.new.n_bytes + (0 if self.mask is None else self.mask.n_bytes)

    def pixels(self) -> npt.NDArray[np.bool_] | None:
        """Return which pixels of the box changed, of its shape; None for all."""
        return None if self.mask is None else self.mask.array().reshape(self.shape)

    def new_values(self) -> npt.NDArray[Any]:
        """Return the new values: those of the changed pixels in a row, or of the whole box in its shape."""
        return self.new.array() if self.mask is not None else self.new.array().reshape(self.shape)

    def reversed(self) -> Self:
        """Return the change that takes this one back."""
        return type(self)(self.array, self.box, self.mask, self.new, self.old)

    def put_into(self, array: npt.NDArray[Any], origin: tuple[int, ...] | None = None) -> None:
        """Write the new values to an array: the whole one, or a part of it that begins at `origin`."""
        start = origin or (0,) * len(self.box)
        box = tuple(slice(a.start - o, a.stop - o) for a, o in zip(self.box, start, strict=True))
        pixels = self.pixels()
        if pixels is None:
            array[box] = self.new_values()
        else:
            array[box][pixels] = self.new_values()

    def to_bytes(self) -> bytes:
        """Return the change as bytes that :meth:`from_bytes` reads, compressed."""
        arrays = [self.old.values, self.old.lengths, self.new.values, self.new.lengths]
        if self.mask is not None:
            arrays += [self.mask.values, self.mask.lengths]
        header = {
            "array": self.array,
            "box": [[part.start, part.stop] for part in self.box],
            "sizes": [array.size for array in arrays],
        }
        text = json.dumps(header).encode()
        body = b"".join(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes() for array in arrays)
        return _HEADER.pack(len(text)) + text + zlib.compress(body, _LEVEL)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the change that :meth:`to_bytes` wrote.

        Raises
        ------
        ValueError
            If the bytes are no such change, or are damaged.
        """
        try:
            (n_text,) = _HEADER.unpack_from(data)
            header = json.loads(data[_HEADER.size : _HEADER.size + n_text])
            name: ArrayName = header["array"]
            box = tuple(slice(int(start), int(stop)) for start, stop in header["box"])
            runs = _read_runs(data[_HEADER.size + n_text :], header["sizes"], DTYPES[name])
        except (KeyError, TypeError, ValueError, struct.error, zlib.error) as error:
            raise ValueError(f"These {len(data)} bytes are no change of an array, or are damaged: {error}.") from error
        delta = cls(name, box, runs[2] if len(runs) == 3 else None, runs[0], runs[1])
        delta._check()
        return delta

    def _check(self) -> None:
        """Check that the parts fit together, so that writing the change cannot go wrong."""
        n_box = math.prod(self.shape)
        n_pixels = n_box
        if self.mask is not None:
            n_pixels = int(self.mask.lengths[self.mask.values].sum(dtype=np.int64))
        fits = all(0 <= part.start < part.stop for part in self.box) and len(self.old) == len(self.new) == n_pixels
        if not fits or (self.mask is not None and len(self.mask) != n_box):
            raise ValueError(
                f"A change of {len(self.new)} pixels does not fit its box of {n_box}; the data are damaged."
            )


def _read_runs(body: bytes, sizes: list[int], dtype: Any) -> list[Runs]:
    """Return the runs of old and new values and, where there is one, of the mask."""
    if len(sizes) not in (4, 6) or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise ValueError(f"there should be four or six sizes, found {str(sizes)[:80]}")
    dtypes = [dtype, np.dtype(np.uint32)] * 2 + [np.dtype(np.bool_), np.dtype(np.uint32)]
    total = sum(size * kind.itemsize for size, kind in zip(sizes, dtypes, strict=False))
    stream = zlib.decompressobj()
    raw = stream.decompress(body, total + 1)
    if len(raw) != total or not stream.eof:
        raise ValueError(f"expected {total} bytes of values, found {len(raw)}")
    arrays, at = [], 0
    for size, kind in zip(sizes, dtypes, strict=False):
        # Earlier versions recorded negative labels; no superpixel has one.
        arrays.append(np.maximum(np.frombuffer(raw, kind.newbyteorder("<"), size, at).astype(kind), kind.type(0)))
        at += size * kind.itemsize
    pairs = list(zip(arrays[::2], arrays[1::2], strict=True))
    if any(values.size != lengths.size for values, lengths in pairs):
        raise ValueError("runs and lengths differ in number")
    return [Runs(values, lengths) for values, lengths in pairs]


def classes_used(classes: npt.NDArray[np.uint8]) -> list[int]:
    """Return the classes that pixels have, rising; 0, none, is not among them."""
    used = np.zeros(256, bool)
    used[classes.ravel()] = True
    return [int(number) for number in np.flatnonzero(used) if number]


def _bounds(mask: npt.NDArray[np.bool_]) -> Box | None:
    """Return the box around the True elements, None if there are none."""
    box = []
    for axis in range(mask.ndim):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        inside = np.flatnonzero(mask.any(axis=others))
        if not inside.size:
            return None
        box.append(slice(int(inside[0]), int(inside[-1]) + 1))
    return tuple(box)


def box_around(boxes: Iterable[Box]) -> Box:
    """Return the smallest box that holds all of these; ValueError if there are none."""
    sides = list(zip(*boxes, strict=True))
    if not sides:
        raise ValueError("There are no boxes to go around.")
    return tuple(slice(min(part.start for part in side), max(part.stop for part in side)) for side in sides)
