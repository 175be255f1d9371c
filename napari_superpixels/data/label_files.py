"""Label images and overlays as files: written as a whole or not at all, with the recipe inside."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image, PngImagePlugin

from napari_superpixels.data.images import read_image
from napari_superpixels.errors import ReadError, WriteError
from napari_superpixels.files import replacing

#: Entry of the file's metadata that holds the recipe.
FILE_KEY = "napari_superpixels"
#: Largest label that a 16-bit PNG holds.
MAX_PNG_LABEL = 65535
_MAX_TIFF_LABEL = 2**31 - 1

_TIFF_SUFFIXES = (".tif", ".tiff")
_CENTIMETRE = 1e4


def write_labels(
    path: str | Path,
    labels: npt.NDArray[np.integer[Any]],
    metadata: Mapping[str, Any],
    *,
    axes: str = "YX",
    pixel_size: Mapping[str, float] | None = None,
    pixel_unit: str = "",
) -> None:
    """Write labels, replacing the file as a whole or not at all.

    Parameters
    ----------
    path : str or pathlib.Path
        ``.tif`` or ``.tiff`` for 32-bit, ``.png`` for 16-bit labels; its folder is made if missing.
    labels : ndarray, integer
        Labels, not negative; one array axis per letter of `axes`. A TIFF keeps uint8 as it is.
    metadata : mapping
        What JSON can hold; kept in the file, see :func:`read_metadata`.
    axes : str
        Meaning of each axis, Y and X last. A PNG holds one plane.
    pixel_size : mapping, optional
        Size of a pixel along the axes Z, Y, X; kept in a TIFF.
    pixel_unit : str
        Unit of `pixel_size`, "µm" or another name.

    Raises
    ------
    WriteError
        If the format cannot hold the labels or the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in _TIFF_SUFFIXES:
        _write_tiff(path, labels, metadata, axes, dict(pixel_size or {}), pixel_unit)
    elif suffix == ".png":
        _write_png(path, labels, metadata)
    else:
        raise WriteError(f"Labels cannot be written as {suffix or 'a file without suffix'}; use .tif or .png.")


def check_shape(path: str | Path, shape: tuple[int, ...]) -> None:
    """Refuse a file whose format cannot hold labels of a shape.

    Raises
    ------
    WriteError
        If it is a PNG and the labels are no single plane.
    """
    if Path(path).suffix.lower() == ".png" and len(shape) != 2:
        raise WriteError(f"A PNG holds one plane; these labels have the shape {shape}. Write TIFF instead.")


def write_picture(path: str | Path, picture: npt.NDArray[np.uint8]) -> None:
    """Write an RGB picture of shape (M, N, 3) as PNG, as a whole or not at all.

    Raises
    ------
    WriteError
        If the file cannot be written.
    """
    path = Path(path)
    with replacing(path) as part:
        Image.fromarray(picture).save(part, format="PNG", pnginfo=png_info({}))


def read_labels(path: str | Path) -> npt.NDArray[np.integer[Any]]:
    """Read a label image or a stack of them: TIFF or PNG, whole numbers from 0, one channel.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.

    Returns
    -------
    ndarray of shape (M, N) or (..., M, N), integer
        Labels as they are stored, the numbers of a palette among them; a mask of two values as 0 and 1.

    Raises
    ------
    ReadError
        If the file cannot be read, or holds colours, fractions or negative numbers.
    """
    try:
        file = read_image(path, as_labels=True)
    except ReadError as error:
        raise ReadError(f"{path}: {error}") from error
    labels = file.array
    if file.channel_axis is not None:
        raise ReadError(
            f"{path} holds a picture with channels (shape {labels.shape}); expected a label image: one whole number "
            "for each pixel."
        )
    if labels.dtype == bool:
        return labels.astype(np.uint8)
    if not np.issubdtype(labels.dtype, np.integer):
        raise ReadError(
            f"{path} holds {labels.dtype} values; labels are whole numbers. Save them as an integer image; is this the "
            "image itself, or a probability?"
        )
    if labels.size and labels.min() < 0:
        raise ReadError(f"{path} holds the negative label {labels.min()}; renumber its labels from 0 or 1.")
    return labels


def read_mask(path: str | Path) -> npt.NDArray[np.bool_]:
    """Read a mask or a stack of them: what is not 0, or not black, is in it.

    Parameters
    ----------
    path : str or pathlib.Path
        TIFF, PNG or JPEG file. Of a palette the numbers count; where all pixels have the same colour, the opacity does.

    Returns
    -------
    ndarray of shape (M, N) or (..., M, N), bool
        True inside.

    Raises
    ------
    ReadError
        If the file cannot be read.
    """
    try:
        file = read_image(path, as_labels=True)
    except ReadError as error:
        raise ReadError(f"the mask {path}: {error}") from error
    colors, alpha = file.array[..., np.newaxis], file.alpha
    if file.channel_axis == file.array.ndim - 1 and file.array.shape[-1] in (3, 4):
        colors, alpha = file.array[..., :3], file.array[..., 3] if file.array.shape[-1] == 4 else None
    listed = colors.reshape(-1, colors.shape[-1])
    if alpha is not None and alpha.min() < alpha.max() and (listed == listed[0]).all():
        return alpha != 0
    return np.asarray(colors.any(axis=-1))


def read_metadata(path: str | Path) -> dict[str, Any] | None:
    """Return what :func:`write_labels` kept in a file; None where the file was not written here."""
    path = Path(path)
    try:
        if path.suffix.lower() in _TIFF_SUFFIXES:
            with tifffile.TiffFile(path) as file:
                found = (file.shaped_metadata or ({},))[0].get(FILE_KEY)
        else:
            # Image.open refuses large pictures, though no pixel is read here.
            with PngImagePlugin.PngImageFile(path) as picture:
                found = json.loads(picture.info.get(FILE_KEY, "null"))
    except (OSError, ValueError, KeyError, IndexError, SyntaxError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def _write_tiff(
    path: Path,
    labels: npt.NDArray[np.integer[Any]],
    metadata: Mapping[str, Any],
    axes: str,
    pixel_size: dict[str, float],
    pixel_unit: str,
) -> None:
    highest = int(labels.max(initial=0))
    if highest > _MAX_TIFF_LABEL:
        raise WriteError(
            f"A TIFF of 32-bit labels holds labels up to {_MAX_TIFF_LABEL}; these go to {highest}. Renumber them from "
            "1, as skimage.segmentation.relabel_sequential does."
        )
    options: dict[str, Any] = {}
    if {"X", "Y"} <= pixel_size.keys():
        is_length = pixel_unit == "µm"
        scale = _CENTIMETRE if is_length else 1.0
        options["resolution"] = (scale / pixel_size["X"], scale / pixel_size["Y"])
        options["resolutionunit"] = "CENTIMETER" if is_length else "NONE"
    kept = {**metadata, "pixel_size": pixel_size, "pixel_unit": pixel_unit} if pixel_size else dict(metadata)
    with replacing(path) as part:
        tifffile.imwrite(
            part,
            labels.astype(np.uint8 if labels.dtype == np.uint8 else np.int32, copy=False),
            compression="zlib",
            photometric="minisblack",
            metadata={"axes": axes, FILE_KEY: kept},
            **options,
        )


def _write_png(path: Path, labels: npt.NDArray[np.integer[Any]], metadata: Mapping[str, Any]) -> None:
    check_shape(path, labels.shape)
    highest = int(labels.max(initial=0))
    if highest > MAX_PNG_LABEL:
        raise WriteError(f"A 16-bit PNG holds labels up to {MAX_PNG_LABEL}; these go to {highest}. Write TIFF instead.")
    with replacing(path) as part:
        Image.fromarray(labels.astype(np.uint16)).save(part, format="PNG", pnginfo=png_info(metadata))


def png_info(metadata: Mapping[str, Any]) -> PngImagePlugin.PngInfo:
    """Return a PNG's text entry that holds metadata for :func:`read_metadata`."""
    info = PngImagePlugin.PngInfo()
    info.add_text(FILE_KEY, json.dumps(dict(metadata)))
    return info
