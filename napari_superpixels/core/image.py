"""Images of any kind brought to one form: float32 in [0, 1], channels last, with a stated meaning.

Rules
-----
- Grey: scaled from its 0.1 to its 99.9 percentile; to the network it is three equal channels.
- RGB: 8-bit is divided by 255; floats in [0, 1] stay; anything else is scaled by its joint percentiles. Alpha is
  dropped.
- Multi-channel: each channel is scaled by its own percentiles. The network sees two channels as (first, second, mean),
  three as they are, and more as their first three principal components, each scaled by its percentiles.
"""

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_superpixels.errors import ImageError

Kind = Literal["grey", "rgb", "multichannel"]
_LOW, _HIGH = 0.1, 99.9
_SAMPLE = 1_000_000


@dataclass(frozen=True, slots=True)
class UnitImage:
    """An image in [0, 1] with three channels, as the network sees it."""

    pixels: npt.NDArray[np.float32]
    """(M, N, 3) or (P, M, N, 3), in [0, 1]."""
    kind: Kind
    """What the channels mean; grey has three equal ones."""
    n_invalid: int
    """Number of values that were not finite; they were replaced by the smallest finite value."""


def unit_image(image: npt.NDArray[Any], *, channel_axis: int | None = None, rgb: bool | None = None) -> UnitImage:
    """Bring an image to three channels in [0, 1] by the rules at the top of this module.

    Parameters
    ----------
    image : ndarray
        (M, N) grey, (M, N, 3) RGB, (M, N, 4) RGBA, (P, M, N) grey volume, or any with channels along `channel_axis`.
        bool, integer of any width, or float.
    channel_axis : int, optional
        Axis of the channels of a multi-channel image. The last axis with 3 or 4 channels is taken as RGB(A).
    rgb : bool, optional
        Whether the last axis holds RGB(A); guessed from the shape by default.

    Returns
    -------
    UnitImage
        A new array.

    Raises
    ------
    ImageError
        If the image is empty, has an unusable dtype or number of axes, or holds no finite value.
    """
    array = np.asarray(image)
    if array.size == 0:
        raise ImageError(f"The image is empty (shape {array.shape}); choose an image with at least one pixel.")
    if array.dtype.kind not in "buif":
        raise ImageError(f"The image has dtype {array.dtype}; expected bool, integer or float. Convert it first.")
    array, kind = _channels_last(array, channel_axis, rgb)
    values = _as_float32(array, joint=kind == "rgb")
    n_invalid = _replace_invalid(values) if array.dtype.kind == "f" else 0
    if kind == "rgb" and array.dtype == np.uint8:
        values /= 255
    elif kind == "rgb" and array.dtype.kind == "f" and values.min() >= 0 and values.max() <= 1:
        pass
    elif kind == "rgb":
        values = _scaled(values, joint=True)
    else:
        values = _scaled(values, joint=False)
    return UnitImage(_three_channels(values), kind, n_invalid)


def _channels_last(
    array: npt.NDArray[Any], channel_axis: int | None, rgb: bool | None
) -> tuple[npt.NDArray[Any], Kind]:
    """Return the array with its channels last (added for grey), and its kind."""
    last = array.ndim - 1
    image_shape = array.shape
    if channel_axis is not None and not -array.ndim <= channel_axis <= last:
        raise ImageError(f"channel_axis is {channel_axis}; the image of shape {array.shape} has axes 0 to {last}.")
    if rgb is None:
        at_end = array.shape[-1] in (3, 4) if array.ndim else False
        rgb = at_end and (array.ndim == 3 if channel_axis is None else channel_axis % array.ndim == last)
    if channel_axis is None and array.ndim == 3 and array.shape[-1] == 1:
        channel_axis = last
    kind: Kind
    if rgb:
        if array.ndim == 0 or array.shape[-1] not in (3, 4):
            raise ImageError(f"An RGB image needs 3 or 4 channels last; received shape {array.shape}.")
        array, kind = array[..., :3], "rgb"
    elif channel_axis is not None:
        array = np.moveaxis(array, channel_axis, -1)
        kind = "grey" if array.shape[-1] == 1 else "multichannel"
    else:
        array, kind = array[..., None], "grey"
    if array.ndim not in (3, 4):
        raise ImageError(
            f"The image of shape {image_shape} has {array.ndim - 1} spatial axes; expected 2 (plane) or 3 (volume). "
            "For a stack, pass one plane; for channels, pass channel_axis."
        )
    return array, kind


def _as_float32(array: npt.NDArray[Any], *, joint: bool) -> npt.NDArray[np.float32]:
    """Convert; values that single precision cannot tell apart are first moved, and shrunk, towards zero."""
    axes = None if joint else tuple(range(array.ndim - 1))
    if array.dtype.kind in "ui" and array.dtype.itemsize > 2:
        # Modulo 2^64 the difference to the minimum is right for signed integers too.
        low = array.min(axis=axes, keepdims=True).astype(np.uint64)
        return (array.astype(np.uint64) - low).astype(np.float32)
    if array.dtype.kind == "f" and array.dtype.itemsize > 4:
        finite = np.where(np.isfinite(array), array, np.nan)
        with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
            low, high = np.nanmin(finite, axis=axes, keepdims=True), np.nanmax(finite, axis=axes, keepdims=True)
        if not (joint and low.min() >= 0 and high.max() <= 1):
            # Halves, because the difference of the largest numbers is infinite.
            span = np.where(high > low, high / 2 - low / 2, 1.0)
            return ((finite / 2 - low / 2) / span).astype(np.float32)
    return array.astype(np.float32)


def _replace_invalid(values: npt.NDArray[np.float32]) -> int:
    invalid = ~np.isfinite(values)
    n_invalid = int(np.count_nonzero(invalid))
    if n_invalid == values.size:
        raise ImageError("The image holds no finite value (all NaN or infinite); choose another image or plane.")
    if n_invalid:
        values[invalid] = values[~invalid].min()
    return n_invalid


def _scaled(values: npt.NDArray[np.float32], *, joint: bool) -> npt.NDArray[np.float32]:
    """Scale channels from their low and high percentiles to [0, 1]; a constant channel becomes 0."""
    flat = values.reshape(-1, values.shape[-1])
    sample = flat[:: max(1, len(flat) // _SAMPLE)]
    low, high = np.percentile(sample, [_LOW, _HIGH], axis=None if joint else 0)
    # So few bright pixels that percentiles miss them are still an image.
    flat_range = high <= low
    low = np.where(flat_range, flat.min(axis=None if joint else 0), low)
    high = np.where(flat_range, flat.max(axis=None if joint else 0), high)
    span = np.where(high > low, high - low, 1)
    scaled: npt.NDArray[np.float32] = np.clip((values - low) / span, 0, 1).astype(np.float32)
    return scaled


def _three_channels(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    n_channels = values.shape[-1]
    if n_channels == 1:
        return np.repeat(values, 3, axis=-1)
    if n_channels == 2:
        return np.concatenate([values, values.mean(axis=-1, keepdims=True)], axis=-1)
    if n_channels == 3:
        return np.ascontiguousarray(values)
    flat = values.reshape(-1, n_channels)
    centred = flat - flat.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    components = vectors[:, :-4:-1]
    # The sign of a component is arbitrary: make its largest loading positive.
    components = components * np.sign(components[np.abs(components).argmax(axis=0), range(3)])
    return _scaled((centred @ components).reshape(*values.shape[:-1], 3).astype(np.float32), joint=False)
