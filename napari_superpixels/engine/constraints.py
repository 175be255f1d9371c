"""Corrections of superpixels, as what they demand of any partition: pixels that belong together, pixels kept apart.

A correction is made of pixels of the image, not of numbers of superpixels, so that it means the same after every change
of parameters. All are immutable, hashable and small; :func:`to_json` and :func:`from_json` store them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from skimage.measure import label as connected_components

from napari_superpixels.core.regrow import LabelPatch, Labels, Pixels
from napari_superpixels.core.strokes import beside_path, pixel_path

Point = tuple[int, int]
Path = tuple[Point, ...]

_UNLIMITED = (2**31, 2**31)


class _Constraint:
    """What the corrections have in common; positions are (row, column) in pixels of the plane."""

    kind: ClassVar[str]

    @cached_property
    def together(self) -> tuple[Pixels, ...]:
        """Sets of pixels, (n, 2) each; one superpixel holds all of a set that the mask leaves connected."""
        return ()

    @cached_property
    def apart(self) -> npt.NDArray[np.int64]:
        """Pairs of pixels, (n, 2, 2), that no superpixel holds both of."""
        return np.empty((0, 2, 2), np.int64)

    @cached_property
    def pixels(self) -> Pixels:
        """All pixels that the correction speaks of, (n, 2)."""
        return np.concatenate([np.empty((0, 2), np.int64), *self.together, *self.apart.swapaxes(0, 1)])

    @cached_property
    def bounds(self) -> tuple[int, int, int, int]:
        """First and last row, first and last column of its pixels."""
        if not len(self.pixels):
            return (0, -1, 0, -1)
        low, high = self.pixels.min(axis=0).tolist(), self.pixels.max(axis=0).tolist()
        return (low[0], high[0], low[1], high[1])


@dataclass(frozen=True)
class _Joined(_Constraint):
    """A path lies in one superpixel."""

    path: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", _checked_path(self.path, "path"))

    @cached_property
    def together(self) -> tuple[Pixels, ...]:
        """The path, once for each stretch without a jump."""
        return _stretches(_array(self.path))


@dataclass(frozen=True)
class Merge(_Joined):
    """The superpixels along a path are one."""

    kind: ClassVar[str] = "merge"
    path: Path
    """4-connected pixels, from the superpixel that takes the others."""


@dataclass(frozen=True)
class Split(_Constraint):
    """Groups of pixels belong to different superpixels."""

    kind: ClassVar[str] = "split"
    groups: tuple[Path, ...]
    """Two or more clicks (one pixel each) or scribbles (4-connected pixels)."""

    def __post_init__(self) -> None:
        groups = tuple(_checked_path(group, "groups") for group in self.groups)
        if len(groups) < 2:
            raise ValueError(f"A split needs two or more groups of pixels; received {len(groups)}.")
        object.__setattr__(self, "groups", groups)

    @cached_property
    def together(self) -> tuple[Pixels, ...]:
        """The groups, each joined by straight lines where it jumps."""
        return tuple(pixel_path(group, _UNLIMITED) for group in self.groups)

    @cached_property
    def bounds(self) -> tuple[int, int, int, int]:
        """First and last row, first and last column of its pixels: straight lines leave them as they are."""
        rows, columns = zip(*(point for group in self.groups for point in group), strict=True)
        return min(rows), max(rows), min(columns), max(columns)

    @cached_property
    def apart(self) -> npt.NDArray[np.int64]:
        """Pixels of each two groups, as many as the larger group has, so that few of them need lie in the mask."""
        pairs = [np.empty((0, 2, 2), np.int64)]
        for i, one in enumerate(self.together):
            for other in self.together[i + 1 :]:
                n = max(len(one), len(other))
                pairs.append(np.stack([np.resize(one, (n, 2)), np.resize(other, (n, 2))], axis=1))
        return np.concatenate(pairs)


@dataclass(frozen=True)
class Cut(_Constraint):
    """A path is a border between superpixels: its pixels and those on its right-hand side are apart."""

    kind: ClassVar[str] = "cut"
    path: Path
    """4-connected pixels; may close, and cross itself."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", _checked_path(self.path, "path"))

    @cached_property
    def _sides(self) -> tuple[Pixels, npt.NDArray[np.int64]]:
        return beside_path(_array(self.path))

    @cached_property
    def apart(self) -> npt.NDArray[np.int64]:
        """The pixels of the path, each with its neighbours on the right."""
        return self._sides[1]

    @property
    def strips(self) -> tuple[Pixels, Pixels]:
        """The pixels on the left and on the right of the border."""
        return _array(self.path), self._sides[0]


@dataclass(frozen=True)
class Assign(_Constraint):
    """Pixels belong to the superpixel at an anchor: a boundary moved by hand, or a brush."""

    kind: ClassVar[str] = "assign"
    path: Path
    """Pixels, in any order; parts that neither touch each other nor the anchor are joined to it by straight lines."""
    anchor: Point
    """A pixel of the superpixel that takes them."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", _checked_path(self.path, "path"))
        object.__setattr__(self, "anchor", _checked_path((self.anchor,), "anchor")[0])

    @cached_property
    def together(self) -> tuple[Pixels, ...]:
        """The anchor and the pixels."""
        return (_joined(_array((self.anchor, *self.path))),)


@dataclass(frozen=True)
class AddSeed(_Constraint):
    """A superpixel of its own grows at a point; see :func:`.corrections.seed_added_at`."""

    kind: ClassVar[str] = "add_seed"
    point: Point
    """Where the new superpixel grows from."""
    own: Point
    """Where the superpixel that was there grows from."""

    def __post_init__(self) -> None:
        for name in ("point", "own"):
            object.__setattr__(self, name, _checked_path((getattr(self, name),), name)[0])

    @cached_property
    def apart(self) -> npt.NDArray[np.int64]:
        """The two points."""
        return np.array([(self.point, self.own)], np.int64)


@dataclass(frozen=True)
class RemoveSeed(_Joined):
    """A superpixel is given up: its neighbours grow over it; see :func:`.corrections.seed_removed_at`."""

    kind: ClassVar[str] = "remove_seed"
    path: Path
    """4-connected pixels from the superpixel that goes to the neighbour that takes the first of them."""


Correction = Merge | Split | Cut | Assign | AddSeed | RemoveSeed

Reader = Callable[[Pixels], Labels]
"""From pixels, (n, 2), to their labels; 0 outside the mask and outside the image."""

_KINDS: dict[str, type[Any]] = {c.kind: c for c in (Merge, Split, Cut, Assign, AddSeed, RemoveSeed)}


def reader(labels: Labels, patch: LabelPatch | None = None) -> Reader:
    """Return what reads labels at pixels, through a patch if there is one."""

    def read(pixels: Pixels) -> Labels:
        inside = np.all((pixels >= 0) & (pixels < labels.shape), axis=1)
        found = np.zeros(len(pixels), np.int32)
        found[inside] = labels[tuple(pixels[inside].T)]
        if patch is not None:
            corner = [part.start for part in patch.box]
            local = pixels - corner
            inside = np.all((local >= 0) & (local < patch.labels.shape), axis=1)
            found[inside] = patch.labels[tuple(local[inside].T)]
        return found

    return read


def linked_sets(correction: Correction, read: Reader) -> list[Pixels]:
    """Return the sets of pixels that must lie in one superpixel each, without what lies outside the mask."""
    return [part for pixels in correction.together for part in connected_in_mask(pixels, read)]


def connected_in_mask(pixels: Pixels, read: Reader) -> list[Pixels]:
    """Return the 4-connected parts of a set of pixels, itself 4-connected, that the mask leaves."""
    in_mask = read(pixels) != 0
    if np.all(in_mask):
        return [pixels]
    return _parts(pixels[in_mask]) if np.any(in_mask) else []


def is_met(correction: Correction, read: Reader) -> bool:
    """Return whether a partition does what a correction demands; what lies outside its mask demands nothing."""
    for pixels in linked_sets(correction, read):
        found = read(pixels)
        if np.any(found != found[0]):
            return False
    if isinstance(correction, Split):
        groups = [set(read(pixels).tolist()) - {0} for pixels in correction.together]
        return sum(map(len, groups)) == len(set().union(*groups))
    one, other = read(correction.apart[:, 0]), read(correction.apart[:, 1])
    return not np.any((one == other) & (one != 0))


def check_inside(correction: Correction, shape: tuple[int, ...]) -> None:
    """Check that the pixels that a correction was made with lie inside a plane; others may follow from them.

    Raises
    ------
    ValueError
        If one lies outside.
    """
    for field in fields(correction):
        value = getattr(correction, field.name)
        paths = value if field.name == "groups" else [value]
        pixels = np.concatenate([np.reshape(path, (-1, 2)) for path in paths])
        outside = np.flatnonzero(np.any((pixels < 0) | (pixels >= shape), axis=1))
        if outside.size:
            raise ValueError(
                f"The {correction.kind} has the pixel {tuple(pixels[outside[0]].tolist())} in its {field.name}; "
                f"expected pixels of a plane of {shape[0]} x {shape[1]}, rows and columns from 0. Leave out what lies "
                "outside."
            )


def to_json(correction: Correction) -> dict[str, Any]:
    """Return a correction as plain values that JSON can hold."""
    return {"kind": correction.kind, **{field.name: getattr(correction, field.name) for field in fields(correction)}}


def from_json(stored: dict[str, Any]) -> Correction:
    """Return the correction that :func:`to_json` stored.

    Raises
    ------
    ValueError
        If that is no correction of this version.
    """
    if not isinstance(stored, dict) or stored.get("kind") not in _KINDS:
        kind = stored.get("kind") if isinstance(stored, dict) else stored
        raise ValueError(f"A correction must be an object whose kind is one of {sorted(_KINDS)}; received {kind!r}.")
    made = _KINDS[stored["kind"]]
    names = {field.name for field in fields(made)}
    if set(stored) != {"kind", *names}:
        raise ValueError(f"A {made.kind} must have exactly {sorted(names)}; received {sorted(set(stored) - {'kind'})}.")
    return made(**{name: stored[name] for name in names})


def _checked_path(path: Any, name: str) -> Path:
    """Return pixels as a tuple of pairs of plain integers."""
    try:
        pixels = np.asarray(path)
    except ValueError:
        pixels = np.empty(0)
    if pixels.ndim != 2 or pixels.shape[1] != 2 or len(pixels) == 0 or pixels.dtype.kind not in "iu":
        raise ValueError(
            f"{name} must be one or more pixels, each a row and a column in whole numbers; received {path!r}"
        )
    if pixels.min() < 0 or pixels.max() >= 2**31:
        raise ValueError(f"{name} must lie inside the image, rows and columns from 0; received {path!r}")
    rows, columns = pixels.T.tolist()
    return tuple(zip(rows, columns, strict=True))


def _array(path: Iterable[Point]) -> Pixels:
    return np.array(list(path), np.int64).reshape(-1, 2)


def _stretches(path: Pixels) -> tuple[Pixels, ...]:
    jumps = np.abs(np.diff(path, axis=0)).sum(axis=1) > 1
    return tuple(np.split(path, np.flatnonzero(jumps) + 1))


def _parts(pixels: Pixels) -> list[Pixels]:
    """Return the 4-connected parts of a set of pixels, each in the order of the set, first come first."""
    low = pixels.min(axis=0)
    mask = np.zeros(pixels.max(axis=0) - low + 1, bool)
    mask[tuple((pixels - low).T)] = True
    part = connected_components(mask, connectivity=1)[tuple((pixels - low).T)]
    numbers, first = np.unique(part, return_index=True)
    return [pixels[part == number] for number in numbers[np.argsort(first)]]


def _joined(pixels: Pixels) -> Pixels:
    """Return the pixels with straight lines from the first to each part that it is not connected with."""
    first, *others = _parts(pixels)
    lines = [pixel_path((part[0], pixels[0]), _UNLIMITED) for part in others]
    return np.concatenate([first, *others, *lines])
