"""Annotations as pixels: palette PNG, label TIFF and NumPy arrays, each with the class table beside it."""

from pathlib import Path
from tokenize import TokenError  # numpy raises it for a damaged header
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, PngImagePlugin

from napari_superpixels.data.class_map import ClassMap, Header, as_classes, build, read_header, table_of
from napari_superpixels.data.class_table import ClassTable, read_class_table, write_class_table
from napari_superpixels.data.label_files import png_info, read_labels, read_metadata, write_labels
from napari_superpixels.errors import ReadError, WriteError
from napari_superpixels.files import replacing

_MAX_PIXELS = 2**30


def class_table_path(path: str | Path) -> Path:
    """Return the file of the class table that lies beside a mask: ``nuclei.png`` has ``nuclei.classes.csv``."""
    path = Path(path)
    return path.with_name(f"{path.stem}.classes.csv")


def write_palette_png(path: str | Path, class_map: ClassMap) -> None:
    """Write a plane as 8-bit PNG whose palette has the classes' colours, and the class table beside it.

    Parameters
    ----------
    path : str or pathlib.Path
        PNG file; each file is written as a whole or not at all.
    class_map : ClassMap
        The annotation, one plane.

    Raises
    ------
    WriteError
        If the annotation is a stack, or a file cannot be written.
    """
    path = Path(path)
    if class_map.classes.ndim != 2:
        raise WriteError(
            f"A PNG holds one plane; this annotation has the shape {class_map.classes.shape}. Write TIFF instead."
        )
    palette = np.zeros((256, 3), np.uint8)
    for entry in class_map.table:
        palette[entry.number] = entry.color
    picture = Image.fromarray(class_map.classes).convert("L")
    picture.putpalette(palette.tobytes())
    with replacing(path) as part:
        picture.save(part, format="PNG", pnginfo=png_info(class_map.header()), bits=8)
    write_class_table(class_table_path(path), class_map.table)


def read_palette_png(path: str | Path) -> ClassMap:
    """Read a PNG whose values are classes: with a palette, or grey.

    Parameters
    ----------
    path : str or pathlib.Path
        PNG file. The classes come from the file itself, the table beside it, or the palette's colours.

    Raises
    ------
    ReadError
        If the file is missing, damaged, in colours without a palette, or holds more than 255 classes.
    """
    path = Path(path)
    try:
        with PngImagePlugin.PngImageFile(path) as picture:
            if picture.width * picture.height > _MAX_PIXELS:
                raise ReadError(f"{path} has {picture.size} pixels; expected at most {_MAX_PIXELS}.")
            palette = picture.getpalette("RGB") if picture.mode == "P" else None
            values = np.asarray(picture) if palette is not None else None
    except OSError as error:
        raise ReadError(f"{path} cannot be read as PNG: {error.strerror or error}.") from error
    except (SyntaxError, ValueError) as error:
        raise ReadError(f"{path} is no PNG, or is damaged ({error}).") from error
    classes = as_classes(read_labels(path) if values is None else values, path)
    header = read_header(read_metadata(path), path)
    table = _table(path, header)
    if palette is not None:
        colors = np.asarray(palette).reshape(-1, 3).tolist()
        for number in np.unique(classes[classes > 0]).tolist():
            if number not in table and number < len(colors):
                table = table.added(color=tuple(colors[number]), number=number)
    return build(classes, table, header, path)


def write_label_tiff(path: str | Path, class_map: ClassMap) -> None:
    """Write classes as 8-bit TIFF with axes and the size of a pixel, and the class table beside it.

    Parameters
    ----------
    path : str or pathlib.Path
        TIFF file; each file is written as a whole or not at all.
    class_map : ClassMap
        The annotation, of any number of planes.

    Raises
    ------
    WriteError
        If a file cannot be written.
    """
    path = Path(path)
    write_labels(
        path,
        class_map.classes,
        class_map.header(),
        axes=class_map.axes,
        pixel_size=class_map.pixel_size,
        pixel_unit=class_map.pixel_unit,
    )
    write_class_table(class_table_path(path), class_map.table)


def read_label_tiff(path: str | Path) -> ClassMap:
    """Read a TIFF whose values are classes, written here or elsewhere.

    Raises
    ------
    ReadError
        If the file is missing, damaged, a picture, or holds more than 255 classes.
    """
    path = Path(path)
    header = read_header(read_metadata(path), path)
    classes = as_classes(read_labels(path), path)
    if header is not None and header.shape != classes.shape:
        classes = _reshaped(classes, header, path)
    return build(classes, _table(path, header), header, path)


def write_npy(path: str | Path, class_map: ClassMap) -> None:
    """Write classes as a NumPy array, uint8 of shape (M, N) or (..., M, N), and the class table beside it.

    Raises
    ------
    WriteError
        If a file cannot be written.
    """
    path = Path(path)
    with replacing(path) as part, part.open("wb") as file:
        np.save(file, class_map.classes, allow_pickle=False)
    write_class_table(class_table_path(path), class_map.table)


def read_npy(path: str | Path) -> ClassMap:
    """Read classes from a NumPy array of whole numbers; an array of Python objects is refused, never unpickled.

    Raises
    ------
    ReadError
        If the file is missing, damaged, no array of numbers, or holds more than 255 classes.
    """
    path = Path(path)
    return build(as_classes(load_array(path), path), _table(path, None), None, path)


def load_array(path: Path) -> npt.NDArray[Any]:
    """Return the array of a .npy file; ReadError where it is missing, shorter than it says, or holds objects."""
    try:
        # Mapped first, so that a file that promises more than it holds is refused before memory is asked for.
        return np.array(np.lib.format.open_memmap(path, mode="r"))
    except OSError as error:
        raise ReadError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, SyntaxError, TokenError, TypeError, EOFError, OverflowError) as error:
        raise ReadError(f"{path} is no NumPy array of numbers, or is incomplete ({error}).") from error


def _table(path: Path, header: Header | None) -> ClassTable:
    """Return the table that the file carries, else the one beside it, else an empty one."""
    if header is not None:
        return table_of(header, path)
    beside = class_table_path(path)
    return read_class_table(beside) if beside.is_file() else ClassTable()


def _reshaped(classes: npt.NDArray[np.uint8], header: Header, path: Path) -> npt.NDArray[np.uint8]:
    """Give back the axes of length 1 that TIFF readers drop."""
    if [n for n in header.shape if n > 1] != [n for n in classes.shape if n > 1]:
        raise ReadError(f"{path} has the shape {classes.shape}; its header says {header.shape}. It was changed since.")
    return classes.reshape(header.shape)
