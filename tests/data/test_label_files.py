"""Label files: formats, metadata, and what happens when it fails."""

import errno
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_superpixels.data.images import read_image
from napari_superpixels.data.label_files import read_labels, read_mask, read_metadata, write_labels, write_picture
from napari_superpixels.errors import ReadError, WriteError

LABELS = np.arange(1, 81, dtype=np.int32).reshape(8, 10)


@pytest.mark.parametrize(("name", "dtype"), [("a.tif", np.int32), ("a.TIFF", np.int32), ("a.png", np.uint16)])
def test_labels_and_metadata_come_back(tmp_path: Path, name: str, dtype: type) -> None:
    path = tmp_path / "new" / "folder" / name
    write_labels(path, LABELS, {"parameters": {"n_segments": 80}, "name": "µ"})
    image = read_image(path)
    assert image.array.dtype == dtype
    np.testing.assert_array_equal(image.array, LABELS)
    assert read_metadata(path) == {"parameters": {"n_segments": 80}, "name": "µ"}
    assert [file.name for file in path.parent.iterdir()] == [name]


@pytest.mark.parametrize("limit", [60, 30], ids=["warned of", "refused"])
def test_metadata_of_a_picture_too_large_for_pillow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    write_labels(tmp_path / "a.png", LABELS, {"n": 80})
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    assert read_metadata(tmp_path / "a.png") == {"n": 80}


def test_large_labels_need_32_bits(tmp_path: Path) -> None:
    labels = LABELS + 70_000
    write_labels(tmp_path / "a.tif", labels, {})
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").array, labels)
    with pytest.raises(WriteError, match=r"up to 65535; these go to 70080\. Write TIFF"):
        write_labels(tmp_path / "a.png", labels, {})


def test_stack_keeps_shape_axes_and_pixel_size(tmp_path: Path) -> None:
    stack = np.stack([LABELS, LABELS, LABELS])
    size = {"Z": 2.0, "Y": 0.5, "X": 0.25}
    write_labels(tmp_path / "a.tif", stack, {}, axes="ZYX", pixel_size=size, pixel_unit="µm")
    image = read_image(tmp_path / "a.tif")
    assert image.axes == "ZYX"
    assert image.array.shape == (3, 8, 10)
    assert image.pixel_size == pytest.approx({"Y": 0.5, "X": 0.25})
    assert image.pixel_unit == "µm"
    metadata = read_metadata(tmp_path / "a.tif")
    assert metadata is not None
    assert metadata["pixel_size"] == size


def test_stack_does_not_fit_into_png(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match="one plane"):
        write_labels(tmp_path / "a.png", np.stack([LABELS, LABELS]), {})


@pytest.mark.parametrize("name", ["a.jpg", "a"])
def test_unknown_suffix(tmp_path: Path, name: str) -> None:
    with pytest.raises(WriteError, match=r"use \.tif or \.png"):
        write_labels(tmp_path / name, LABELS, {})


def test_foreign_files_have_no_metadata(tmp_path: Path) -> None:
    Image.fromarray(LABELS.astype(np.uint16)).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "a.tif", LABELS)
    (tmp_path / "b.tif").write_text("no image")
    (tmp_path / "b.png").write_text("no image")
    for name in ("a.png", "a.tif", "b.tif", "b.png", "missing.tif"):
        assert read_metadata(tmp_path / name) is None


def test_picture(tmp_path: Path) -> None:
    picture = np.full((4, 5, 3), 7, np.uint8)
    write_picture(tmp_path / "o" / "a.png", picture)
    np.testing.assert_array_equal(read_image(tmp_path / "o" / "a.png").array, picture)


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    path = tmp_path / name
    write_labels(path, LABELS, {})
    before = path.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tifffile, "imwrite", fail)
    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(WriteError, match="No space left on device"):
        write_labels(path, LABELS + 1, {})
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_interruption_while_writing_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_half(path: Path, *_: object, **__: object) -> None:
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(tifffile, "imwrite", write_half)
    with pytest.raises(KeyboardInterrupt):
        write_labels(tmp_path / "a.tif", LABELS, {})
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(WriteError, match="cannot be written"):
        write_labels(tmp_path / "out" / "a.tif", LABELS, {})


@pytest.mark.parametrize("name", ["labels.tif", "labels.png"])
def test_labels_come_back(tmp_path: Path, name: str) -> None:
    labels = np.arange(12, dtype=np.int32).reshape(3, 4) * 5000
    write_labels(tmp_path / name, labels, {})
    np.testing.assert_array_equal(read_labels(tmp_path / name), labels)


def test_a_mask_is_a_label_image(tmp_path: Path) -> None:
    Image.new("1", (4, 3), 1).save(tmp_path / "mask.png")
    found = read_labels(tmp_path / "mask.png")
    assert found.dtype == np.uint8
    assert (found == 1).all()


def test_numbers_of_a_palette_are_labels(tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([[0, 1], [2, 3]], np.uint8))
    picture.putpalette([255, 255, 255, 0, 0, 0, 9, 9, 9, 9, 9, 9])
    picture.save(tmp_path / "a.png", bits=2)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), [[0, 1], [2, 3]])


PART = np.arange(12).reshape(3, 4) % 3 == 0


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA"])
def test_a_mask_is_what_is_not_black(tmp_path: Path, mode: str) -> None:
    Image.fromarray(PART).convert("RGBA" if mode == "LA" else mode).convert(mode).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), PART)


def test_the_numbers_of_a_mask_with_a_palette_count(tmp_path: Path) -> None:
    picture = Image.fromarray(PART.astype(np.uint8))
    picture.putpalette([255, 255, 255, 0, 0, 0])
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), PART)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("grey", [0, 255])
def test_the_opacity_of_a_mask_of_one_colour_counts(tmp_path: Path, mode: str, grey: int) -> None:
    alpha = np.where(PART, 255, 0).astype(np.uint8)
    Image.fromarray(np.stack([np.full_like(alpha, grey)] * (len(mode) - 1) + [alpha], -1)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), PART)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_an_empty_opaque_mask_is_empty(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (4, 3), (0,) * (len(mode) - 1) + (255,)).save(tmp_path / "a.png")
    assert not read_mask(tmp_path / "a.png").any()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.ones((3, 4), np.float32), r"labels\.tif holds float32 values; labels are whole numbers"),
        (np.full((3, 4), -2, np.int16), r"labels\.tif holds the negative label -2"),
        (np.ones((3, 4, 3), np.uint8), r"labels\.tif holds a picture with channels"),
    ],
)
def test_what_is_no_label_image_is_refused(tmp_path: Path, labels: np.ndarray, message: str) -> None:
    tifffile.imwrite(tmp_path / "labels.tif", labels, photometric="rgb" if labels.ndim == 3 else "minisblack")
    with pytest.raises(ReadError, match=message):
        read_labels(tmp_path / "labels.tif")
    with pytest.raises(ReadError, match=r"missing\.tif: there is no such file"):
        read_labels(tmp_path / "missing.tif")


@pytest.mark.parametrize("highest", [2**31, 2**32 - 1])
def test_labels_beyond_32_bits_are_refused(tmp_path: Path, highest: int) -> None:
    labels = np.array([[0, 1], [7, highest]], np.uint32)
    with pytest.raises(WriteError, match=rf"up to 2147483647; these go to {highest}\. Renumber them"):
        write_labels(tmp_path / "a.tif", labels, {})
    assert not list(tmp_path.iterdir())
    labels[1, 1] = 2**31 - 1
    write_labels(tmp_path / "a.tif", labels, {})
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), labels)
