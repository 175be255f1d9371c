"""Reading of image files: TIFF (tifffile), PNG and JPEG (Pillow), with the meaning of every axis.

Pixels are kept as they are stored. A photograph's EXIF orientation is not applied, because napari does not apply it
either: labels must lie on the pixels that they were made from.
"""

import contextlib
import math
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image, ImageSequence, PngImagePlugin, UnidentifiedImageError

from napari_superpixels.errors import ImageError, ReadError

#: Suffixes of the files that a folder is searched for.
IMAGE_SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")

_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG_START = b"\x89PNG\r\n\x1a\n"
_JPEG_START = b"\xff\xd8\xff"
_DEEP_COLORS = ("RGB;16B", "RGBA;16B", "LA;16B")  # how Pillow unpacks the colours of 16-bit PNG files
_PILLOW_COLORS = (
    tifffile.PHOTOMETRIC.MINISBLACK,
    tifffile.PHOTOMETRIC.RGB,
    tifffile.PHOTOMETRIC.PALETTE,
    tifffile.PHOTOMETRIC.YCBCR,
)
_MICROMETRES = {"nm": 1e-3, "µm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "mm": 1e3, "cm": 1e4, "inch": 25400.0}
_EXIF_ORIENTATION = 0x0112
_TURNED = (
    "The photograph is stored turned or mirrored (EXIF orientation); the labels fit the stored pixels, as napari shows "
    "them."
)


@dataclass(frozen=True, slots=True)
class Plane:
    """A plane or volume of a file, ready to be segmented."""

    array: npt.NDArray[Any]
    """(M, N) or (P, M, N), with channels along `channel_axis` or, where `rgb`, last."""
    channel_axis: int | None
    """Axis of the channels; None for grey."""
    rgb: bool | None
    """Whether the channels are RGB(A); None where that is to be guessed from the shape."""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """The content of an image file."""

    array: npt.NDArray[Any]
    """All pixels, one array axis per letter of `axes`."""
    axes: str
    """Meaning of each axis: Y, X, Z (depth), T (time), C (channels), S (RGB(A) samples), others for any stack."""
    rgb: bool | None
    """Whether axis S holds RGB(A); None where that is to be guessed from the shape."""
    pixel_size: dict[str, float] = field(default_factory=dict)
    """Size of a pixel along the axes Z, Y and X, as far as the file tells."""
    pixel_unit: str = ""
    """Unit of `pixel_size`, for example "µm"; "" where unknown."""
    notes: tuple[str, ...] = ()
    """What the user should know about the file."""
    alpha: npt.NDArray[Any] | None = None
    """Opacity that was stored beside grey values, of their shape; that of RGBA stays in `array`."""

    @property
    def channel_axis(self) -> int | None:
        """Axis of the channels or RGB(A) samples; None for grey."""
        found = self.axes.find("S") if "S" in self.axes else self.axes.find("C")
        return None if found < 0 else found

    @property
    def stack_numbers(self) -> tuple[int, ...]:
        """Numbers of the axes besides Y, X and the channels; a plain TIFF calls several of them Q."""
        return tuple(i for i, letter in enumerate(self.axes) if letter not in "YX" and i != self.channel_axis)

    @property
    def stack_axes(self) -> str:
        """The axes besides Y, X and the channels."""
        return "".join(self.axes[i] for i in self.stack_numbers)

    @property
    def depth_number(self) -> int | None:
        """Number of the axis that volumes grow along: Z, else the last of the stack; None for one plane."""
        numbers = self.stack_numbers
        return next((i for i in numbers if self.axes[i] == "Z"), numbers[-1] if numbers else None)

    def label_axes(self, *, volume: bool = False) -> str:
        """Return the meaning of each axis of labels of all planes or volumes."""
        depth = self.depth_number if volume else None
        loops = [self.axes[i] for i in self.stack_numbers if i != depth]
        return "".join([*loops, "" if depth is None else self.axes[depth], "YX"])

    def with_channel_axis(self, axis: int) -> "ImageFile":
        """Return the image with the channels along another axis; the last two of the others become Y and X.

        Raises
        ------
        ImageError
            If there is no such axis, or fewer than two others.
        """
        if not -self.array.ndim <= axis < self.array.ndim or self.array.ndim < 3:
            raise ImageError(
                f"channel axis {axis} does not fit the image's shape {self.array.shape}; give one of its axes, "
                "counted from 0, that leaves two others, or leave the option out."
            )
        axis %= self.array.ndim
        others = [letter if letter not in "YXCS" else "Q" for i, letter in enumerate(self.axes) if i != axis]
        others[-2:] = "YX"
        return replace(self, axes="".join([*others[:axis], "C", *others[axis:]]), rgb=None)

    def planes(self, *, volume: bool = False) -> tuple[tuple[int, ...], list[Plane]]:
        """Split a stack into what is segmented by itself.

        Parameters
        ----------
        volume : bool
            Whether to keep axis Z, or the last axis of the stack if there is none, so that 3-D volumes come out.

        Returns
        -------
        shape : tuple of int
            Shape of the stack; () where there is one plane or volume.
        planes : list of Plane
            Planes or volumes, in the order of the stack.

        Raises
        ------
        ImageError
            If a volume is wanted of an image without a third axis.
        """
        depth = self.depth_number if volume else None
        if volume and depth is None:
            raise ImageError(
                f"The image of shape {self.array.shape} (axes {self.axes}) is one plane, no volume; leave out the "
                "option for volumes."
            )
        loops = [i for i in self.stack_numbers if i != depth]
        array = np.moveaxis(self.array, loops, range(len(loops)))
        kept = [i for i in range(self.array.ndim) if i not in loops]
        shape = array.shape[: len(loops)]
        channel = None if self.channel_axis is None else kept.index(self.channel_axis)
        flat = array.reshape(-1, *array.shape[len(loops) :])
        return shape, [Plane(pixels, channel, self.rgb) for pixels in flat]


def read_image(path: str | Path, *, as_labels: bool = False) -> ImageFile:
    """Read a TIFF, PNG or JPEG file; its content decides, not its suffix.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.
    as_labels : bool
        Whether the numbers of a palette are kept. Its colours only show labels: two can share one, and 0 can have any.

    Returns
    -------
    ImageFile
        Pixels with their axes: palettes are turned into RGB unless labels are read; OME, ImageJ and plain TIFF keep
        their stacks and channels.

    Raises
    ------
    ReadError
        If there is no such file, it is of another kind, damaged or animated, or cannot be decoded. The message says
        why and leaves the path to the caller.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except FileNotFoundError:
        raise ReadError("there is no such file; check its name and folder.") from None
    except IsADirectoryError:
        raise ReadError("this is a folder; expected a TIFF, PNG or JPEG file.") from None
    except OSError as error:
        raise ReadError(f"the file cannot be opened: {error.strerror or error}.") from error
    if not start:
        raise ReadError("the file is empty (0 bytes); copy it again from where it came.")
    if start.startswith(_TIFF_STARTS):
        read = _read_tiff
    elif start.startswith((_PNG_START, _JPEG_START)):
        read = _read_picture
    else:
        raise ReadError("this is no TIFF, PNG or JPEG image; convert it to one of these first.")
    try:
        return read(path, as_labels)
    except (ReadError, MemoryError):
        raise
    except Exception as error:
        raise ReadError(f"the file is damaged or incomplete ({error}); copy or export it again.") from error


def _read_tiff(path: Path, as_labels: bool) -> ImageFile:
    with tifffile.TiffFile(path) as file:
        if not file.series:
            raise ReadError("the TIFF file holds no image; export it again.")
        series = file.series[0]
        array, axes = _tiff_pixels(path, series), series.axes
        notes = () if len(file.series) == 1 else (f"The file holds {len(file.series)} images; the first is used.",)
        page = series.keyframe
        if page.photometric == tifffile.PHOTOMETRIC.PALETTE and page.colormap is not None and not as_labels:
            array = np.moveaxis(page.colormap[:, array] >> 8, 0, -1).astype(np.uint8)
            axes += "S"
        sizes, unit = _tiff_pixel_size(file, page)
        is_rgb_photometric = page.photometric in (
            tifffile.PHOTOMETRIC.RGB,
            tifffile.PHOTOMETRIC.YCBCR,
            tifffile.PHOTOMETRIC.PALETTE,
        )
    if array.ndim == 3 and axes[0] in "QI" and array.shape[-1] in (3, 4) and array.shape[0] > 4:
        axes, is_rgb_photometric = "YXS", True  # colours written without saying so
    if "Y" not in axes or "X" not in axes:
        raise ReadError(f"the TIFF file has the axes {axes} and shape {array.shape}; expected at least a plane (Y, X).")
    samples = axes.find("S")
    rgb = samples >= 0 and is_rgb_photometric and array.shape[samples] in (3, 4)
    if rgb:
        array, axes = np.moveaxis(array, samples, -1), axes.replace("S", "") + "S"
        return ImageFile(array, axes, rgb, sizes, unit, notes)
    array, axes, alpha = _without_alpha(array, axes, page.extrasamples)
    return ImageFile(array, axes, rgb, sizes, unit, notes, alpha)


def _without_alpha(
    array: npt.NDArray[Any], axes: str, extra_samples: tuple[int, ...]
) -> tuple[npt.NDArray[Any], str, npt.NDArray[Any] | None]:
    """Return pixels and axes without the samples that a TIFF marks as opacity, and the opacity of a grey image."""
    is_alpha = [kind in (tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA) for kind in extra_samples]
    samples = axes.find("S")
    if samples < 0 or not any(is_alpha):
        return array, axes, None
    alpha = array.shape[samples] - len(is_alpha) + np.flatnonzero(is_alpha)
    colors = np.delete(array, alpha, axis=samples)
    if colors.shape[samples] > 1:
        return colors, axes, None
    return colors.squeeze(samples), axes.replace("S", ""), array.take(alpha[0], axis=samples)


def _tiff_pixels(path: Path, series: tifffile.TiffPageSeries) -> npt.NDArray[Any]:
    try:
        return np.asarray(series.asarray())
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
    page = series.keyframe
    frames = _frames_by_pillow(path) if _is_right_by_pillow(page) else None
    if frames is None or frames.size != math.prod(series.shape) or frames.dtype != series.dtype:
        raise ReadError(
            f"the file's compression ({tifffile.COMPRESSION(page.compression).name}, with {series.dtype} values and "
            f"{tifffile.PHOTOMETRIC(page.photometric).name} colours) cannot be decoded here; save it as an "
            "uncompressed or Deflate-compressed TIFF, or install the decoder: pip install imagecodecs."
        )
    return frames.reshape(series.shape)


def _is_right_by_pillow(page: tifffile.TiffPage) -> bool:
    """Say whether Pillow gives the stored values; others it inverts, divides by the opacity or swaps bytes of."""
    return (
        page.photometric in _PILLOW_COLORS
        and tifffile.EXTRASAMPLE.ASSOCALPHA not in page.extrasamples
        and (page.bitspersample <= 16 or page.parent.byteorder == "<")
    )


def _frames_by_pillow(path: Path) -> npt.NDArray[Any] | None:
    """Decode what tifffile leaves to an optional package, such as LZW; None where Pillow cannot either."""
    try:
        with Image.open(path) as picture:
            return np.stack([np.asarray(frame) for frame in ImageSequence.Iterator(picture)])
    except (UnidentifiedImageError, KeyError):  # pixels of a kind, or a compression, that Pillow does not know
        return None


def _tiff_pixel_size(file: tifffile.TiffFile, page: tifffile.TiffPage) -> tuple[dict[str, float], str]:
    if file.is_ome and file.ome_metadata:
        return _ome_pixel_size(file.ome_metadata)
    if "XResolution" not in page.tags or "YResolution" not in page.tags:
        return {}, ""
    per_x, per_y = page.resolution
    if not (0 < per_x < math.inf and 0 < per_y < math.inf):
        return {}, ""
    sizes = {"Y": 1 / per_y, "X": 1 / per_x}
    imagej = file.imagej_metadata or {}
    unit = {2: "inch", 3: "cm"}.get(int(page.resolutionunit), "") or str(imagej.get("unit", ""))
    unit = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), unit)
    if isinstance(imagej.get("spacing"), int | float) and imagej["spacing"] > 0:
        sizes["Z"] = float(imagej["spacing"])
    if not unit and sizes == {"Y": 1, "X": 1}:
        return {}, ""
    if unit in _MICROMETRES:
        return {axis: size * _MICROMETRES[unit] for axis, size in sizes.items()}, "µm"
    return sizes, unit


def _ome_pixel_size(text: str) -> tuple[dict[str, float], str]:
    pixels = next((node for node in ElementTree.fromstring(text).iter() if node.tag.endswith("}Pixels")), None)
    sizes: dict[str, float] = {}
    for axis in "ZYX" if pixels is not None else "":
        assert pixels is not None
        unit = pixels.get(f"PhysicalSize{axis}Unit", "µm")
        with contextlib.suppress(TypeError, ValueError):
            sizes[axis] = float(pixels.get(f"PhysicalSize{axis}", "")) * _MICROMETRES.get(unit, math.nan)
    if not all(0 < size < math.inf for size in sizes.values()):
        return {}, ""
    return sizes, "µm" if sizes else ""


def _read_picture(path: Path, as_labels: bool) -> ImageFile:
    with _large_pictures_allowed(), Image.open(path) as picture:
        n_frames = getattr(picture, "n_frames", 1)
        if n_frames > 1 and picture.format == "PNG":
            raise ReadError(
                f"the PNG file is an animation of {n_frames} frames; expected one. Export the frame needed."
            )
        kind = picture.tile[0][3] if picture.format == "PNG" else None
        is_turned = picture.getexif().get(_EXIF_ORIENTATION, 1) != 1
        array: npt.NDArray[Any]
        if isinstance(kind, str) and kind in _DEEP_COLORS:
            array, alpha = _deep_colors(path, kind)
        else:
            array = np.asarray(picture if as_labels and picture.mode == "P" else _plain(picture))
            alpha = np.asarray(picture.getchannel("A")) if picture.mode == "LA" else None
    rgb = array.ndim == 3
    notes = (_TURNED,) if is_turned else ()
    return ImageFile(array, "YXS" if rgb else "YX", rgb, notes=notes, alpha=alpha)


def _plain(picture: Image.Image) -> Image.Image:
    """Return the picture without palette, or as RGB where its colours are of another kind, such as CMYK."""
    mode = picture.mode
    if mode in ("P", "PA"):
        return picture.convert("RGBA" if mode == "PA" or "transparency" in picture.info else "RGB")
    if mode == "LA":
        return picture.convert("L")
    if mode in ("1", "L", "RGB", "RGBA", "I", "F") or mode.startswith("I;16"):
        return picture
    return picture.convert("RGB")


def _deep_colors(path: Path, kind: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    """Return the colours of a 16-bit PNG, of which Pillow by itself keeps the high bytes, and a grey one's opacity."""
    if kind == "LA;16B":
        grey_and_alpha = _unpacked(path, "RGBA").view(">u2").astype(np.uint16)
        return grey_and_alpha[..., 0], grey_and_alpha[..., 1]
    low = _unpacked(path, kind.replace("16B", "16L"))
    return _unpacked(path, kind).astype(np.uint16) << 8 | low, None


def _unpacked(path: Path, raw_mode: str) -> npt.NDArray[np.uint8]:
    """Return the bytes that Pillow takes from a PNG where it unpacks pixels as a raw mode says."""
    with PngImagePlugin.PngImageFile(path) as picture:
        picture.tile = [(*picture.tile[0][:3], raw_mode)]  # type: ignore[list-item]
        return np.asarray(picture)


@contextlib.contextmanager
def _large_pictures_allowed() -> Iterator[None]:
    """Read scans of 90 to 180 million pixels without Pillow's warning; say clearly that it refuses larger ones."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            yield
        except Image.DecompressionBombError as error:
            raise ReadError(f"the picture is too large for its format ({error}); save it as TIFF.") from error
