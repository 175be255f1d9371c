"""The part of an image layer that is shown: a plane, a volume, or a region of one resolution level."""

import hashlib
import itertools
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from napari.components import Dims, LayerList
from napari.layers import Image, Layer
from napari.utils.transforms import CompositeAffine

from napari_superpixels.engine.corrections import Correction
from napari_superpixels.engine.pipeline import SolveResult
from napari_superpixels.engine.resolve import ImageInput
from napari_superpixels.errors import ImageError

_ANISOTROPY = 1.001
_MAX_CHANNELS = 16
_MAX_DIGEST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Pixels of an image layer, in the order of its data's axes."""

    layer: Image
    """The image."""
    axes: tuple[int, ...]
    """Axes that are shown, ascending: two or three."""
    position: tuple[int | None, ...]
    """Index along every axis of the layer at full resolution; None for shown axes and for channels."""
    channel_axis: int | None
    """Axis of the layer that holds channels."""
    level: int
    """Resolution level; 0 is the full resolution."""
    start: tuple[int, ...]
    """First pixel along each shown axis, at this level."""
    stop: tuple[int, ...]
    """Pixel after the last along each shown axis, at this level."""
    factors: tuple[float, ...]
    """Size of this level's pixels along each shown axis, in pixels of the full resolution."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of pixels along each shown axis."""
        return tuple(b - a for a, b in zip(self.start, self.stop, strict=True))

    @property
    def covers_plane(self) -> bool:
        """Whether the region is all of a plane, or of the volume, at full resolution."""
        return not self.layer.multiscale

    @property
    def is_current(self) -> bool:
        """Whether the layer still has these pixels; its data may have been replaced by some of another shape."""
        shapes = self.layer.level_shapes
        if len(self.position) != self.layer.ndim or self.level >= len(shapes):
            return False
        shape = shapes[self.level]
        has_plane = all(i is None or i < shapes[0][axis] for axis, i in enumerate(self.position))
        return has_plane and all(end <= shape[axis] for axis, end in zip(self.axes, self.stop, strict=True))

    @property
    def full_shape(self) -> tuple[int, ...]:
        """Shape of the layer at full resolution, without colours."""
        return tuple(int(n) for n in self.layer.level_shapes[0])

    @property
    def box_shape(self) -> tuple[int, ...]:
        """Shape of the region with all the layer's axes: 1 along the axes of a stack."""
        shape = self._thin_shape()
        if self.channel_axis is not None:
            shape[self.channel_axis] = self.full_shape[self.channel_axis]
        return tuple(shape)

    def index(self) -> tuple[int | slice, ...]:
        """Return what selects the region in an array of the layer's full shape, channels all at once."""
        return tuple(slice(None) if i is None else i for i in self.position)

    def key(self) -> Hashable:
        """Return the identity of the pixels, which `mark_changed` replaces."""
        parts = (self.axes, self.position, self.channel_axis, self.level, self.start, self.stop)
        return (layer_token(self.layer), _versions.get(self.layer, 0), parts)

    def read(self) -> npt.NDArray[Any]:
        """Return the pixels; computes them where the layer's data is lazy."""
        return np.asarray(self._lazy_pixels())

    def as_input(
        self, *, seeds: npt.NDArray[np.int64] | None = None, corrections: tuple[Correction, ...] = ()
    ) -> ImageInput:
        """Return the region as the engine's input."""
        kept = sorted({*self.axes, *(() if self.channel_axis is None else (self.channel_axis,))})
        return ImageInput(
            # Indexing zarr, HDF5 or TensorStore data reads it: that is for the worker.
            pixels=self._lazy_pixels() if isinstance(self._level_data(), np.ndarray) else self.read,
            source=(layer_token(self.layer), len(self.axes)),
            key=self.key(),
            channel_axis=None if self.channel_axis is None else kept.index(self.channel_axis),
            rgb=self.layer.rgb,
            spacing=self._spacing(),
            seeds=seeds,
            corrections=corrections,
            name=self.layer.name,
            position=self.position if any(i is not None for i in self.position) else (),
            notes=self._notes(),
            origin=self,
        )

    def digest(self) -> bytes | None:
        """Return a digest of the pixels, or None where they are not in memory or too many: about 1 ms per MB."""
        if not isinstance(self._level_data(), np.ndarray):
            return None
        pixels = self._lazy_pixels()
        if pixels.nbytes > _MAX_DIGEST_BYTES:
            return None
        return hashlib.blake2b(np.ascontiguousarray(pixels).reshape(-1).view(np.uint8).data, digest_size=16).digest()

    def boxed(self, values: npt.NDArray[Any], *, n_colors: int = 0) -> npt.NDArray[Any]:
        """Give values of the region all the layer's axes; channels repeat them without taking memory."""
        tail = [n_colors] if n_colors else []
        return np.broadcast_to(values.reshape(self._thin_shape() + tail), [*self.box_shape, *tail])

    def plane_of(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the region's part of an array of the layer's full shape, as a view; channels hold the same."""
        return array[self.plane_index()]

    def plane_index(self) -> tuple[int | slice, ...]:
        """Return :meth:`index` with the first channel in the place of all."""
        return tuple(0 if axis == self.channel_axis else part for axis, part in enumerate(self.index()))

    def zeros(self, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return an empty array of the layer's full shape, whose channels are one: writing to one writes to all.

        A stack takes no memory but for the planes that are written.

        Raises
        ------
        MemoryError
            If there are too many pixels even so.
        """
        shape = list(self.full_shape)
        if self.channel_axis is not None:
            shape[self.channel_axis] = 1
        data = np.zeros(shape, dtype)
        if self.channel_axis is None:
            return data
        strides = list(data.strides)
        strides[self.channel_axis] = 0
        return np.lib.stride_tricks.as_strided(data, self.full_shape, strides)

    def shown_channel(self, dims: Dims) -> slice:
        """Return the channel that a viewer shows, as a slice; all of an array of :meth:`zeros` share memory."""
        axis = self.channel_axis or 0
        point = round(float(self.layer.world_to_data(_layer_point(self.layer, dims))[axis]))
        shown = min(max(point, 0), self.full_shape[axis] - 1)
        return slice(shown, shown + 1)

    def with_channels(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Give values of the region the axis of the channels, of length 1, where there is one."""
        if self.channel_axis is None:
            return values
        return np.expand_dims(values, sorted([*self.axes, self.channel_axis]).index(self.channel_axis))

    def placement(self, *, is_full: bool) -> dict[str, Any]:
        """Return the transform that puts an array of `full_shape` or `box_shape` exactly over the image."""
        image = self.layer
        scale, translate = np.array(image.scale), np.array(image.translate)
        if not is_full:
            offset = np.array([0 if i is None else i for i in self.position], float)
            for axis, first, factor, shift in zip(self.axes, self.start, self.factors, self._shift(), strict=True):
                offset[axis] = first * factor + shift
            transform = CompositeAffine(scale=scale, translate=translate, rotate=image.rotate, shear=image.shear)
            translate = transform(offset)
            for axis, factor in zip(self.axes, self.factors, strict=True):
                scale[axis] *= factor
        return {
            "scale": scale,
            "translate": translate,
            "rotate": image.rotate,
            "shear": image.shear,
            "affine": image.affine.affine_matrix,
            "units": image.units,
            "axis_labels": image.axis_labels,
        }

    def to_data(self, positions: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return pixel positions (K, shown axes) of the region in the layer's data coordinates, (K, axes)."""
        points = np.tile([0.0 if i is None else float(i) for i in self.position], (len(positions), 1))
        points[:, self.axes] = (positions + np.array(self.start)) * np.array(self.factors) + self._shift()
        return points

    def from_data(self, points: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Return (K, shown axes) pixel positions of the layer's data coordinates, and which lie in the region."""
        coarse = (points[:, self.axes] - self._shift()) / np.array(self.factors)
        pixels = np.rint(coarse).astype(np.int64) - np.array(self.start)
        inside = np.all((pixels >= 0) & (pixels < self.shape), axis=1)
        for axis, i in enumerate(self.position):
            if i is not None:
                inside &= np.abs(points[:, axis] - i) <= 0.5
        return pixels, inside

    def _shift(self) -> npt.NDArray[np.float64]:
        """Return how far the middle of a pixel of this level lies from that of the first full pixel that it covers."""
        return (np.array(self.factors) - 1) / 2

    def _thin_shape(self) -> list[int]:
        shape = [1] * self.layer.ndim
        for axis, n in zip(self.axes, self.shape, strict=True):
            shape[axis] = n
        return shape

    def _level_data(self) -> Any:
        return self.layer.data[self.level] if self.layer.multiscale else self.layer.data

    def _lazy_pixels(self) -> Any:
        data = self._level_data()
        index: list[int | slice] = [slice(None)] * self.layer.ndim
        for axis, i in enumerate(self.position):
            if i is not None:
                factor = self.layer.downsample_factors[self.level][axis]
                index[axis] = int(np.clip(np.rint(i / factor), 0, data.shape[axis] - 1))
        for axis, first, end in zip(self.axes, self.start, self.stop, strict=True):
            index[axis] = slice(first, end)
        return data[tuple(index)]

    def _notes(self) -> tuple[str, ...]:
        """Say so where channels may have been taken for columns."""
        shape, last = self.full_shape, self.layer.ndim - 1
        if self.layer.rgb or last < 2 or last not in self.axes or shape[last] > _MAX_CHANNELS:
            return ()
        if min(shape[last - 2 : last]) <= _MAX_CHANNELS:
            return ()
        return (
            f"The last axis of {self.layer.name!r} is taken as its columns, though it has only {shape[last]}. If it "
            "holds channels, roll the viewer's axes (Ctrl+E), then choose it under Channels.",
        )

    def _spacing(self) -> tuple[float, ...] | None:
        """Return the relative size of the pixels, or None where they are square."""
        sizes = np.abs(np.array(self.layer.scale)[list(self.axes)]) * np.array(self.factors)
        if sizes.min() <= 0 or sizes.max() <= _ANISOTROPY * sizes.min():
            return None
        return tuple(float(size) for size in sizes / sizes.min())


def shown_region(layer: Image, dims: Dims, channel_axis: int | None = None) -> Region:
    """Return what a viewer shows of an image layer.

    Raises
    ------
    ImageError
        If the layer is not shown at the present position, or the channels are an axis of the display.
    """
    axes = shown_axes(layer, dims)
    if channel_axis in axes:
        raise ImageError(
            f"Axis {channel_axis} is shown as rows or columns, so it cannot hold the channels. Choose another axis "
            "under Channels, or roll the viewer's axes (Ctrl+E)."
        )
    if len(axes) < 2:
        raise ImageError(f"The image {layer.name!r} has fewer than two axes here; superpixels need a plane.")
    shapes = layer.level_shapes
    point = np.rint(layer.world_to_data(_layer_point(layer, dims))).astype(int)
    position: list[int | None] = [None] * layer.ndim
    for axis in range(layer.ndim):
        if axis in axes or axis == channel_axis:
            continue
        if not 0 <= point[axis] < shapes[0][axis]:
            raise ImageError(f"The image {layer.name!r} has no plane at this position; move the slider back.")
        position[axis] = int(point[axis])
    level = layer.data_level if layer.multiscale else 0
    n_pixels = [int(shapes[level][axis]) for axis in axes]
    start, stop = [0] * len(axes), n_pixels
    if layer.multiscale and len(axes) == 2:
        start = [int(np.clip(layer.corner_pixels[0, axis], 0, n - 1)) for axis, n in zip(axes, n_pixels, strict=True)]
        stop = [int(np.clip(layer.corner_pixels[1, axis] + 1, 1, n)) for axis, n in zip(axes, n_pixels, strict=True)]
    factors = tuple(float(layer.downsample_factors[level][axis]) for axis in axes)
    return Region(layer, axes, tuple(position), channel_axis, level, tuple(start), tuple(stop), factors)


def current_region(result: SolveResult, layers: LayerList) -> Region | None:
    """Return where a result belongs; None if its image is not in a viewer any more, or has other pixels."""
    region = result.inputs.origin
    return region if isinstance(region, Region) and region.layer in layers and region.is_current else None


def is_of(inputs: ImageInput, region: Region) -> bool:
    """Say whether an input of the engine is the same plane of the same image as a region."""
    origin = inputs.origin
    return isinstance(origin, Region) and (origin.layer, origin.position) == (region.layer, region.position)


def shown_axes(layer: Layer, dims: Dims) -> tuple[int, ...]:
    """Return the axes of a layer that a viewer shows, ascending."""
    offset = dims.ndim - layer.ndim
    order = [axis - offset for axis in dims.order if axis >= offset]
    return tuple(sorted(order[-dims.ndisplay :]))


def possible_channel_axes(layer: Image, dims: Dims) -> list[int]:
    """Return the axes that could hold channels, few-valued ones first."""
    if layer.rgb:
        return []
    shown = shown_axes(layer, dims)
    axes = [axis for axis in range(layer.ndim) if axis not in shown]
    return sorted(axes, key=lambda axis: (layer.level_shapes[0][axis] > _MAX_CHANNELS, axis))


def layer_token(layer: Layer) -> int:
    """Return a number that no other layer has or had."""
    return _tokens.setdefault(layer, next(_numbers))


def mark_changed(layer: Layer) -> None:
    """Remember that a layer's pixels are not what they were."""
    _versions[layer] = _versions.get(layer, 0) + 1
    _digests.pop(layer, None)


def notice_change(region: Region, used_key: Hashable) -> None:
    """Mark an image as changed if pixels were written into its array, of which napari tells nobody.

    Parameters
    ----------
    region : Region
        Where to look.
    used_key : hashable
        Key of the pixels of the present result. Where that is this region and its pixels were not looked at then, they
        are taken as changed.
    """
    digest = region.digest()
    if digest is None:
        return
    known = _digests.get(region.layer, {}).get(region.key())
    if known != digest and (known is not None or used_key == region.key()):
        mark_changed(region.layer)
    _digests.setdefault(region.layer, {})[region.key()] = digest


def _layer_point(layer: Layer, dims: Dims) -> npt.NDArray[np.float64]:
    return np.array(dims.point[-layer.ndim :], float)


_numbers = itertools.count()
_tokens: WeakKeyDictionary[Layer, int] = WeakKeyDictionary()
_versions: WeakKeyDictionary[Layer, int] = WeakKeyDictionary()
_digests: WeakKeyDictionary[Layer, dict[Hashable, bytes]] = WeakKeyDictionary()
