"""Masks in the COCO format: polygons, run lengths and panoptic PNG files become label images."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools import mask as polygons

from napari_superpixels.data.images import read_image
from napari_superpixels.data.sources import listed
from napari_superpixels.errors import ReadError

#: An annotation, as the JSON file has it.
Record = dict[str, Any]


def draw_instances(
    records: Sequence[Record], shape: tuple[int, int], name: str
) -> tuple[npt.NDArray[np.int32], int, tuple[str, ...]]:
    """Draw instances; where they overlap, the overlap is a segment of its own.

    Parameters
    ----------
    records : sequence of dict
        The image's annotations, each with a "segmentation": polygons, or run lengths plain or as text.
    shape : tuple of int
        Height and width of the image.
    name : str
        Name of the image, for messages.

    Returns
    -------
    segments : ndarray of shape (M, N), int32
        Equal where the same instances lie; 0 where none does.
    n_objects : int
        Number of instances with pixels.
    notes : tuple of str
        What was skipped.

    Raises
    ------
    ReadError
        If a segmentation is damaged or belongs to an image of another size.
    """
    segments = np.zeros(shape, np.int32)
    n_segments = n_objects = n_empty = 0
    for record in records:
        where = f"annotation {record.get('id')} of {name}"
        mask = _mask(run_lengths(record.get("segmentation"), shape, where), shape)
        if not mask.any():
            n_empty += 1
            continue
        under, numbers = np.unique(segments[mask], return_inverse=True)
        segments[mask] = n_segments + 1 + numbers
        n_segments += under.size
        n_objects += 1
    notes = (f"{n_empty} of {len(records)} annotations cover no pixel and are skipped.",) if n_empty else ()
    return segments, n_objects, notes


def run_lengths(segmentation: Any, shape: tuple[int, int], where: str) -> list[int]:
    """Return the pixels of an instance as run lengths.

    Packed ones are read here because pycocotools does not notice when they end too early, and reads on behind them; its
    unpacking also makes numpy 2 warn.

    Parameters
    ----------
    segmentation : list or dict
        Polygons, or run lengths plain or packed into text.
    shape : tuple of int
        Height and width of the image.
    where : str
        What the messages are about.

    Returns
    -------
    list of int
        Lengths down the columns, outside and inside in turn; together they cover the image.

    Raises
    ------
    ReadError
        If the segmentation is damaged or belongs to an image of another size.
    """
    if not segmentation:
        return [math.prod(shape)]
    encoded = segmentation if isinstance(segmentation, dict) else _drawn(segmentation, shape, where)
    counts = encoded.get("counts")
    if isinstance(counts, str):
        counts = _unpacked(counts)
    is_whole = isinstance(counts, list) and all(isinstance(count, int) and count >= 0 for count in counts)
    if encoded.get("size") != list(shape) or not is_whole or sum(counts or []) != math.prod(shape):
        raise ReadError(
            f"{where}: its run lengths (size {encoded.get('size')}) do not fit the image, of height {shape[0]} and "
            f"width {shape[1]}."
        )
    return counts or []


def _drawn(segmentation: Any, shape: tuple[int, int], where: str) -> Record:
    """Return polygons as packed run lengths."""
    try:
        outlines = [np.asarray(outline, np.float64) for outline in segmentation]
    except (TypeError, ValueError) as error:
        raise ReadError(f"{where}: its polygons are no lists of numbers ({error}).") from error
    for outline in outlines:
        if outline.ndim != 1 or outline.size % 2 or not np.all(np.isfinite(outline)):
            raise ReadError(f"{where}: a polygon should be a list x1, y1, x2, y2, ... of finite numbers.")
    # A polygon of two points is taken for a box; it encloses nothing anyway. Far outside, coordinates overflow.
    limit = 2.0 * max(shape)
    drawable = [np.clip(outline, -limit, limit).tolist() for outline in outlines if outline.size >= 6]
    if not drawable:
        return {"size": list(shape), "counts": [math.prod(shape)]}
    drawn = polygons.merge(polygons.frPyObjects(drawable, *shape))
    return {"size": list(shape), "counts": drawn["counts"].decode()}


def _mask(counts: list[int], shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(shape[::-1]).T


def _unpacked(text: str) -> list[int]:
    """Return run lengths from COCO's text: numbers of 5 bits a letter, low bits first, from the third on differences.

    A letter's bit 32 says that another follows; bit 16 of the last is the sign.
    """
    counts: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - 48
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    return counts


def read_panoptic(
    records: Sequence[Record], shape: tuple[int, int], folder: Path
) -> tuple[npt.NDArray[np.int32], int, tuple[str, ...]]:
    """Read the segments of a panoptic PNG file.

    Parameters
    ----------
    records : sequence of dict
        The image's annotation, with "file_name" and "segments_info"; exactly one.
    shape : tuple of int
        Height and width of the image.
    folder : pathlib.Path
        Folder of the PNG file.

    Returns
    -------
    segments : ndarray of shape (M, N), int32
        Red + 256 green + 65536 blue; 0 is void.
    n_objects : int
        Number of segments with pixels, without void.
    notes : tuple of str
        What was listed without pixels.

    Raises
    ------
    ReadError
        If the file is missing, of another size, or holds segments that are not listed.
    """
    record = records[0]
    path = folder / str(record.get("file_name"))
    if len(records) > 1:
        raise ReadError(f"{path}: its image has {len(records)} panoptic annotations; expected one.")
    try:
        colors = read_image(path).array
    except ReadError as error:
        raise ReadError(f"{path}: {error}") from error
    if colors.shape != (*shape, 3) or colors.dtype != np.uint8:
        raise ReadError(
            f"{path} has shape {colors.shape} and type {colors.dtype}; expected an 8-bit RGB image of {shape}, the "
            "size of its image."
        )
    red, green, blue = np.moveaxis(colors.astype(np.int32), -1, 0)
    segments: npt.NDArray[np.int32] = red + 256 * green + 65536 * blue
    listed_ids = {segment.get("id") for segment in record.get("segments_info", [])}
    drawn = set(np.unique(segments).tolist()) - {0}
    if drawn - listed_ids:
        raise ReadError(
            f"{path} holds segments that its annotation does not list: {listed(sorted(drawn - listed_ids))}. PNG and "
            "JSON are of different data sets, or one was changed."
        )
    n_empty = len(listed_ids - drawn)
    notes = (f"{n_empty} of {len(listed_ids)} listed segments have no pixel.",) if n_empty else ()
    return segments, len(drawn), notes
