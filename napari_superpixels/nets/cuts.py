"""Parts of an image at random: how large, how turned, and how warped they are shown."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch.nn import functional

#: Pixels of a crop between two nodes of the field that warps it.
_NODE_DISTANCE = 32


class CutRanges(BaseModel):
    """How much cuts vary beyond their place, flips and quarter turns, which are always drawn; immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    smallest_scale: float = Field(0.7, gt=0, le=1)
    """Least magnification; a crop then shows more of the image."""
    largest_scale: float = Field(1.4, ge=1)
    """Highest magnification."""
    rotation: float = Field(0.0, ge=0, le=180)
    """Largest turn in degrees beyond a quarter turn; 45 shows all directions equally often."""
    stretch: float = Field(0.0, ge=0, le=1)
    """Largest relative change of the ratio of a crop's sides."""
    elastic: float = Field(0.0, ge=0, le=16)
    """Largest shift in pixels of what a crop shows, smoothly different from place to place."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Which part of an image a crop shows, and how it is turned and warped."""

    size: int
    """Side of the crop in pixels."""
    wide: int
    """Side in pixels of what is cut, in the crop's resolution; the warped crop lies inside."""
    source: int
    """The same in pixels of the image."""
    top: int
    left: int
    turns: int
    flip: bool
    places: NDArray[np.float32] | None
    """(size, size, 2) row and column of each pixel of the crop, in pixels of what is cut; None where they are equal."""

    def values(
        self, array: NDArray[np.generic], highest: int, interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    ) -> NDArray[np.float32]:
        """Return the crop of (H, W, C) values from 0 to `highest` as values from 0 to 1, (size, size, C)."""
        part = _resized(self._part(array).astype(np.float32) / np.float32(highest), self.wide)
        if self.places is None:
            return part
        grid = torch.from_numpy((2 * self.places[None, ..., ::-1] + 1) / self.wide - 1)
        maps = torch.from_numpy(np.ascontiguousarray(part)).permute(2, 0, 1)[None]  # (1, C, wide, wide)
        warped = functional.grid_sample(maps, grid, interpolation, "border", align_corners=False)
        return warped[0].permute(1, 2, 0).clamp(0, 1).numpy()

    def nearest(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return the crop of an (H, W) array by the nearest pixel, (size, size)."""
        scale = self.source / self.wide
        if self.places is None:
            nearest = ((np.arange(self.size) + 0.5) * scale).astype(np.intp)
            return self._part(array)[np.ix_(nearest, nearest)]
        rows, columns = np.clip((self.places + 0.5) * scale, 0, self.source - 1).astype(np.intp).transpose(2, 0, 1)
        return self._part(array)[rows, columns]

    def _part(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return what is cut of an array, turned, in the array's resolution."""
        part = array[self.top : self.top + self.source, self.left : self.left + self.source]
        missing = [(0, self.source - part.shape[0]), (0, self.source - part.shape[1])] + [(0, 0)] * (array.ndim - 2)
        part = np.rot90(np.pad(part, missing, mode="symmetric"), self.turns)
        return part[:, ::-1] if self.flip else part


def random_cut(
    shape: tuple[int, ...],
    annotated: NDArray[np.bool_] | None,
    rng: np.random.Generator,
    size: int,
    ranges: CutRanges,
) -> Cut:
    """Draw a cut of an image.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the image, and maybe more; where it is smaller than what is cut, it is continued by
        reflection.
    annotated : ndarray of bool, shape (H, W), optional
        Of these a pixel drawn at random is in what is cut.
    rng : numpy.random.Generator
        Source of all chance. What is off draws nothing, so that recipes from before it existed give the same crops.
    size : int
        Side of the crop in pixels.
    ranges : CutRanges
        What varies.
    """
    scale = float(np.exp(rng.uniform(np.log(ranges.smallest_scale), np.log(ranges.largest_scale))))
    places = _warped(size, rng, ranges) if ranges.rotation or ranges.stretch or ranges.elastic else None
    wide, inset = size, 0
    if places is not None:
        margin = max(0, int(np.ceil(np.abs(places).max() - (size - 1) / 2)))
        wide = size + 2 * margin
        places += (wide - 1) / 2
        inset = round(margin / scale)
    source = max(round(wide / scale), 1)
    firsts, lasts = [0, 0], [max(length - source, 0) for length in shape[:2]]
    if annotated is not None:
        pixels = np.flatnonzero(annotated)
        pixel = np.unravel_index(int(pixels[rng.integers(pixels.size)]), annotated.shape)
        lasts = [min(max(int(at) - inset, 0), last) for at, last in zip(pixel, lasts, strict=True)]
        firsts = [min(max(int(at) - source + inset + 1, 0), last) for at, last in zip(pixel, lasts, strict=True)]
    top, left = (int(rng.integers(first, last + 1)) for first, last in zip(firsts, lasts, strict=True))
    return Cut(size, wide, source, top, left, int(rng.integers(4)), bool(rng.integers(2)), places)


def _warped(size: int, rng: np.random.Generator, ranges: CutRanges) -> NDArray[np.float32]:
    """Return where the pixels of a warped crop lie, (size, size, 2), from the centre."""
    angle = np.deg2rad(rng.uniform(-ranges.rotation, ranges.rotation))
    aspect = (1 + ranges.stretch) ** rng.uniform(-0.5, 0.5)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    grid = np.stack(np.meshgrid(*[np.arange(size) - (size - 1) / 2] * 2, indexing="ij"), axis=-1)
    places = (grid * (aspect, 1 / aspect)) @ turn.T
    if ranges.elastic:
        n_nodes = size // _NODE_DISTANCE + 2
        nodes = torch.from_numpy(rng.uniform(-ranges.elastic, ranges.elastic, (1, 2, n_nodes, n_nodes)))
        field = functional.interpolate(nodes, size=(size, size), mode="bicubic", align_corners=True)
        places += field[0].permute(1, 2, 0).numpy()
    return places.astype(np.float32)


def _resized(values: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Return (S, S, C) values as (size, size, C), by area-weighted linear interpolation."""
    if values.shape[0] == size:
        return values
    maps = torch.from_numpy(np.ascontiguousarray(values)).permute(2, 0, 1)[None]  # (1, C, S, S)
    resized = functional.interpolate(maps, size=(size, size), mode="bilinear", antialias=True)
    return resized[0].permute(1, 2, 0).numpy()
