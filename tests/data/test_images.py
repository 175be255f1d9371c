"""Reading of image files: formats, axes, pixel sizes, and files that are no images."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_superpixels.data.images import read_image
from napari_superpixels.errors import ImageError, ReadError

RNG = np.random.default_rng(0)
GREY16 = RNG.integers(0, 65536, (8, 10), dtype=np.uint16)
RGB = RNG.integers(0, 256, (8, 10, 3), dtype=np.uint8)


def save(path: Path, array: np.ndarray, **options) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


def test_png_of_16_bits_keeps_every_value(tmp_path: Path) -> None:
    image = read_image(save(tmp_path / "a.png", GREY16))
    assert image.array.dtype == np.uint16
    np.testing.assert_array_equal(image.array, GREY16)
    assert (image.axes, image.rgb, image.channel_axis, image.stack_axes) == ("YX", False, None, "")


@pytest.mark.parametrize("n_channels", [3, 4])
def test_color_png(tmp_path: Path, n_channels: int) -> None:
    pixels = RNG.integers(0, 256, (8, 10, n_channels), dtype=np.uint8)
    image = read_image(save(tmp_path / "a.png", pixels))
    np.testing.assert_array_equal(image.array, pixels)
    assert (image.axes, image.rgb, image.channel_axis) == ("YXS", True, 2)


def test_palette_becomes_rgb(tmp_path: Path) -> None:
    picture = Image.fromarray(RGB).quantize(16)
    picture.save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(image.array, np.asarray(picture.convert("RGB")))
    assert image.rgb


def test_palette_with_transparency_becomes_rgba(tmp_path: Path) -> None:
    Image.fromarray(RGB).quantize(16).save(tmp_path / "a.png", transparency=0)
    assert read_image(tmp_path / "a.png").array.shape == (8, 10, 4)


def test_grey_with_alpha_is_grey(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 256, (8, 10, 2), dtype=np.uint8)
    image = read_image(save(tmp_path / "a.png", pixels))
    np.testing.assert_array_equal(image.array, pixels[..., 0])


def write_png_of_16_bits(path: Path, pixels: np.ndarray) -> None:
    """Write grey with alpha, RGB or RGBA, which Pillow cannot."""
    height, width, n_channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[n_channels], 0, 0, 0)
    stored = pixels.astype(">u2").view(np.uint8).reshape(height, -1)
    rows = [b"\2" + row.tobytes() for row in np.diff(stored, axis=0, prepend=stored[:1] * 0)]
    content = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b"")):
        content += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    path.write_bytes(content)


@pytest.mark.parametrize("n_channels", [3, 4])
def test_color_png_of_16_bits_keeps_every_value(tmp_path: Path, n_channels: int) -> None:
    pixels = RNG.integers(0, 65536, (8, 10, n_channels), dtype=np.uint16)
    write_png_of_16_bits(tmp_path / "a.png", pixels)
    image = read_image(tmp_path / "a.png")
    assert image.array.dtype == np.uint16
    np.testing.assert_array_equal(image.array, pixels)
    assert (image.axes, image.rgb) == ("YXS", True)


def test_grey_png_of_16_bits_with_alpha_keeps_every_value(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 65536, (8, 10, 2), dtype=np.uint16)
    write_png_of_16_bits(tmp_path / "a.png", pixels)
    image = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(image.array, pixels[..., 0])
    np.testing.assert_array_equal(image.alpha, pixels[..., 1])
    assert (image.array.dtype, image.axes) == (np.uint16, "YX")


@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_alpha_of_a_tiff_is_no_channel(tmp_path: Path, planarconfig: str, n_channels: int) -> None:
    pixels = RNG.integers(0, 65536, (8, 10, n_channels + 1), dtype=np.uint16)
    extra = ["unspecified"] * (n_channels - 1) + ["unassalpha"]
    samples = pixels if planarconfig == "contig" else np.moveaxis(pixels, -1, 0)
    options = {"photometric": "minisblack", "planarconfig": planarconfig, "extrasamples": extra}
    tifffile.imwrite(tmp_path / "a.tif", samples, **options)
    (plane,) = read_image(tmp_path / "a.tif").planes()[1]
    expected = pixels[..., 0] if n_channels == 1 else pixels[..., :-1]
    found = plane.array if n_channels == 1 else np.moveaxis(plane.array, plane.channel_axis, -1)
    np.testing.assert_array_equal(found, expected)


def test_samples_that_are_no_alpha_stay(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 256, (8, 10, 2), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack", planarconfig="contig")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").array, pixels)


def test_bilevel_png_is_bool(tmp_path: Path) -> None:
    image = read_image(save(tmp_path / "a.png", GREY16 > 30000))
    np.testing.assert_array_equal(image.array, GREY16 > 30000)


def test_cmyk_jpeg_becomes_rgb(tmp_path: Path) -> None:
    Image.fromarray(RGB).convert("CMYK").save(tmp_path / "a.jpg")
    assert read_image(tmp_path / "a.jpg").array.shape == (8, 10, 3)


def test_exif_orientation_is_noted_and_not_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = read_image(save(tmp_path / "a.jpg", RGB, exif=exif))
    assert image.array.shape == (8, 10, 3)
    assert "EXIF" in image.notes[0]


def test_content_decides_not_the_suffix(tmp_path: Path) -> None:
    assert read_image(save(tmp_path / "a.png", RGB, format="JPEG")).array.shape == RGB.shape


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_tiff(tmp_path: Path, bigtiff: bool, byteorder: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY16, bigtiff=bigtiff, byteorder=byteorder)
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.array, GREY16)
    assert (image.axes, image.rgb) == ("YX", False)


@pytest.mark.parametrize(
    ("shape", "options", "axes", "rgb", "channel_axis"),
    [
        ((8, 10, 3), {"photometric": "rgb"}, "YXS", True, 2),
        ((3, 8, 10), {"photometric": "rgb", "planarconfig": "separate"}, "YXS", True, 2),
        ((8, 10, 4), {"photometric": "rgb"}, "YXS", True, 2),
        ((8, 10, 3), {"photometric": "minisblack"}, "YXS", True, 2),
        ((5, 8, 10), {"photometric": "minisblack"}, "QYX", False, None),
        ((5, 8, 10), {"photometric": "minisblack", "metadata": {"axes": "ZYX"}}, "ZYX", False, None),
        ((5, 8, 10), {"photometric": "minisblack", "metadata": {"axes": "CYX"}}, "CYX", False, 0),
        ((8, 10, 6), {"photometric": "minisblack", "planarconfig": "contig"}, "YXS", False, 2),
        ((5, 8, 10, 3), {"photometric": "rgb"}, "QYXS", True, 3),
        ((2, 5, 8, 10), {"imagej": True, "metadata": {"axes": "ZCYX"}}, "ZCYX", False, 1),
        ((2, 5, 8, 10), {"ome": True, "metadata": {"axes": "CZYX"}}, "CZYX", False, 0),
    ],
)
def test_axes_of_tiff(
    tmp_path: Path, shape: tuple[int, ...], options: dict, axes: str, rgb: bool, channel_axis: int | None
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(shape, np.uint8), **options)
    image = read_image(tmp_path / "a.tif")
    assert (image.axes, image.rgb, image.channel_axis) == (axes, rgb, channel_axis)
    assert len(image.axes) == image.array.ndim


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_compressed_tiff(tmp_path: Path, compression: str) -> None:
    image = read_image(save(tmp_path / "a.tif", RGB, compression=compression))
    np.testing.assert_array_equal(image.array, RGB)
    assert image.rgb


def test_stack_compressed_with_lzw(tmp_path: Path) -> None:
    frames = [Image.fromarray(GREY16 + i) for i in range(3)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:], compression="tiff_lzw")
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.array, np.stack([GREY16, GREY16 + 1, GREY16 + 2]))
    assert len(image.stack_axes) == 1


@pytest.fixture
def without_imagecodecs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave compressed files to Pillow, as where the optional package is missing."""

    def fail(series: tifffile.TiffPageSeries) -> None:
        raise ValueError(f"{series.keyframe.compression!r} requires the 'imagecodecs' package")

    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", fail)


def write_lzw(path: Path, array: np.ndarray, byteorder: str, photometric: str | None = None, **options: Any) -> None:
    """Write a plane compressed with LZW, which neither tifffile nor Pillow do for every type."""
    photometric = photometric or ("minisblack" if array.ndim == 2 else "rgb")
    tifffile.imwrite(path, array, byteorder=byteorder, photometric=photometric, metadata=None, **options)
    with tifffile.TiffFile(path) as file:
        offset, size = file.pages[0].dataoffsets[0], file.pages[0].databytecounts[0]
    content = path.read_bytes()
    codes = []  # of 9 bits: each byte itself, and "clear" before the table asks for longer ones
    for i, value in enumerate(content[offset : offset + size]):
        codes += [256, value] if i % 200 == 0 else [value]
    bits = "".join(f"{code:09b}" for code in [*codes, 257])
    bits += "0" * (-len(bits) % 8)
    packed = int(bits, 2).to_bytes(len(bits) // 8, "big")
    path.write_bytes(content + packed)
    with tifffile.TiffFile(path, mode="r+") as file:
        tags = file.pages[0].tags
        for name, value in (("Compression", 5), ("StripOffsets", len(content)), ("StripByteCounts", len(packed))):
            tags[name].overwrite(value)


LZW_TYPES = ["uint8", "uint16", "int16", "uint32", "int32", "float32"]


@pytest.mark.usefixtures("without_imagecodecs")
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", LZW_TYPES)
@pytest.mark.parametrize("shape", [(8, 10), (8, 10, 3)])
def test_lzw_is_decoded_rightly_or_not_at_all(
    tmp_path: Path, dtype: str, byteorder: str, shape: tuple[int, ...]
) -> None:
    pixels = RNG.integers(0, 100, shape).astype(dtype)
    write_lzw(tmp_path / "a.tif", pixels, byteorder)
    is_known = dtype == "uint8" or (len(shape) == 2 and dtype == "uint16")
    if is_known or (len(shape) == 2 and dtype in ("int32", "float32") and byteorder == "<"):
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif").array, pixels)
    else:
        with pytest.raises(ReadError, match=rf"compression \(LZW, with {dtype} .* pip install imagecodecs"):
            read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", LZW_TYPES)
@pytest.mark.parametrize("shape", [(8, 10), (8, 10, 3)])
def test_imagecodecs_decodes_every_lzw(tmp_path: Path, dtype: str, byteorder: str, shape: tuple[int, ...]) -> None:
    pytest.importorskip("imagecodecs")
    pixels = RNG.integers(0, 100, shape).astype(dtype)
    write_lzw(tmp_path / "a.tif", pixels, byteorder)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").array, pixels)


@pytest.mark.usefixtures("without_imagecodecs")
@pytest.mark.parametrize(
    ("shape", "options"),
    [((8, 10), {"photometric": "miniswhite"}), ((8, 10, 4), {"extrasamples": ["assocalpha"]})],
    ids=["white is 0", "colours times opacity"],
)
def test_values_that_pillow_would_change_are_refused(tmp_path: Path, shape: tuple[int, ...], options: dict) -> None:
    write_lzw(tmp_path / "a.tif", RNG.integers(0, 100, shape, dtype=np.uint8), "<", **options)
    with pytest.raises(ReadError, match=r"compression \(LZW, with uint8 values and (MINISWHITE|RGB) colours\)"):
        read_image(tmp_path / "a.tif")


@pytest.mark.usefixtures("without_imagecodecs")
def test_compression_that_pillow_does_not_know(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY16)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as file:
        file.pages[0].tags["Compression"].overwrite(tifffile.COMPRESSION.JPEG2000)
    with pytest.raises(ReadError, match=r"compression \(JPEG2000, .* pip install imagecodecs"):
        read_image(tmp_path / "a.tif")


def test_palette_tiff_becomes_rgb(tmp_path: Path) -> None:
    colormap = RNG.integers(0, 65536, (3, 256), dtype=np.uint16)
    indices = RNG.integers(0, 256, (8, 10), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", indices, photometric="palette", colormap=colormap)
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.array, np.moveaxis(colormap[:, indices] >> 8, 0, -1))
    assert (image.axes, image.rgb) == ("YXS", True)


def test_pixel_size_of_ome(tmp_path: Path) -> None:
    metadata = {"axes": "ZYX", "PhysicalSizeX": 250.0, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.5}
    tifffile.imwrite(tmp_path / "a.ome.tif", np.zeros((4, 8, 10), np.uint8), ome=True, metadata=metadata)
    image = read_image(tmp_path / "a.ome.tif")
    assert image.pixel_size == pytest.approx({"Y": 0.5, "X": 0.25})
    assert image.pixel_unit == "µm"


def test_pixel_size_of_imagej(tmp_path: Path) -> None:
    metadata = {"axes": "ZYX", "spacing": 2.0, "unit": "um"}
    pixels = np.zeros((4, 8, 10), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, imagej=True, resolution=(4.0, 4.0), metadata=metadata)
    image = read_image(tmp_path / "a.tif")
    assert image.pixel_size == pytest.approx({"Z": 2.0, "Y": 0.25, "X": 0.25})
    assert image.pixel_unit == "µm"


def test_pixel_size_of_plain_tiff(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY16, resolution=(5000, 2500), resolutionunit="CENTIMETER")
    assert read_image(tmp_path / "a.tif").pixel_size == pytest.approx({"Y": 4.0, "X": 2.0})


def test_planes_of_a_stack_with_channels(tmp_path: Path) -> None:
    pixels = np.arange(2 * 3 * 4 * 8 * 10, dtype=np.uint16).reshape(2, 3, 4, 8, 10)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack", metadata={"axes": "TZCYX"})
    image = read_image(tmp_path / "a.tif")
    shape, planes = image.planes()
    assert (shape, len(planes), planes[4].channel_axis) == ((2, 3), 6, 0)
    np.testing.assert_array_equal(planes[4].array, pixels[1, 1])
    shape, volumes = image.planes(volume=True)
    assert (shape, len(volumes), volumes[1].channel_axis) == ((2,), 2, 1)
    np.testing.assert_array_equal(volumes[1].array, pixels[1])


def test_volumes_are_as_deep_as_z_wherever_it_is(tmp_path: Path) -> None:
    pixels = np.arange(2 * 3 * 4 * 5 * 6, dtype=np.uint16).reshape(2, 3, 4, 5, 6)
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, ome=True, metadata={"axes": "ZTCYX"}, photometric="minisblack")
    image = read_image(tmp_path / "a.ome.tif")
    assert (image.depth_number, image.label_axes(), image.label_axes(volume=True)) == (0, "ZTYX", "TZYX")
    shape, volumes = image.planes(volume=True)
    assert (shape, len(volumes), volumes[1].channel_axis) == ((3,), 3, 1)
    np.testing.assert_array_equal(volumes[1].array, pixels[:, 1])
    shape, planes = image.planes()
    assert (shape, planes[4].channel_axis) == ((2, 3), 0)
    np.testing.assert_array_equal(planes[4].array, pixels[1, 1])


@pytest.mark.parametrize("volume", [False, True])
def test_planes_of_a_stack_whose_axes_have_no_names(tmp_path: Path, volume: bool) -> None:
    pixels = np.arange(2 * 3 * 5 * 8 * 10, dtype=np.uint16).reshape(2, 3, 5, 8, 10)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    image = read_image(tmp_path / "a.tif")
    assert image.axes == "QQQYX"
    shape, planes = image.planes(volume=volume)
    assert shape == ((2, 3) if volume else (2, 3, 5))
    for index, plane in zip(np.ndindex(shape), planes, strict=True):
        np.testing.assert_array_equal(plane.array, pixels[index])
        assert plane.channel_axis is None
    shape, planes = image.with_channel_axis(1).planes(volume=volume)
    assert shape == ((2,) if volume else (2, 5))
    assert planes[-1].channel_axis == 0
    np.testing.assert_array_equal(planes[-1].array, pixels[1] if volume else pixels[1, :, 4])


def test_channels_before_the_stack(tmp_path: Path) -> None:
    pixels = np.arange(2 * 5 * 8 * 10, dtype=np.uint16).reshape(2, 5, 8, 10)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack", metadata={"axes": "CZYX"})
    _, planes = read_image(tmp_path / "a.tif").planes()
    assert len(planes) == 5
    np.testing.assert_array_equal(planes[3].array, pixels[:, 3])


@pytest.mark.parametrize(("axis", "axes"), [(0, "CYX"), (2, "YXC"), (-1, "YXC"), (1, "YCX")])
def test_channel_axis_can_be_stated(tmp_path: Path, axis: int, axes: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((6, 7, 8), np.uint8))
    image = read_image(tmp_path / "a.tif").with_channel_axis(axis)
    assert image.axes == axes
    assert image.stack_axes == ""


@pytest.mark.parametrize(("shape", "axis"), [((6, 7, 8), 3), ((6, 7), 0)])
def test_channel_axis_that_does_not_fit(tmp_path: Path, shape: tuple[int, ...], axis: int) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(shape, np.uint8))
    with pytest.raises(ImageError, match=f"channel axis {axis} does not fit"):
        read_image(tmp_path / "a.tif").with_channel_axis(axis)


def test_one_plane_is_no_volume(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="one plane, no volume"):
        read_image(save(tmp_path / "a.png", GREY16)).planes(volume=True)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="no such file"):
        read_image(tmp_path / "missing.png")


def test_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="folder"):
        read_image(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "0 bytes"), (b"plain text, no image", "no TIFF, PNG or JPEG"), (b"GIF89a\1\0\1\0\0\0\0", "no TIFF, PNG")],
)
def test_file_of_another_kind(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ReadError, match=message):
        read_image(tmp_path / "a.png")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", "_lzw.tif"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7])
def test_truncated_file(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"a{suffix}"
    pixels = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    save(path, pixels, **({"compression": "tiff_lzw"} if "lzw" in suffix else {}))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ReadError, match=r"damaged|no image|no TIFF"):
        read_image(path)


def test_flipped_bytes_never_escape_as_another_error(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREY16, compression="zlib")
    whole = path.read_bytes()
    for position in range(4, len(whole), 7):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        try:
            read_image(path)
        except ReadError:
            continue


def test_animation_is_refused(tmp_path: Path) -> None:
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    with pytest.raises(ReadError, match="animation of 2 frames"):
        read_image(tmp_path / "a.png")


def test_gigantic_png_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", GREY16)
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", 100_000, 100_000)
    path.write_bytes(content)
    with pytest.raises(ReadError):
        read_image(path)
