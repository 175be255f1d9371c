"""Annotations as pixels: palette PNG, TIFF, NumPy; and what other programs make of them."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_superpixels.data.class_map import ClassMap
from napari_superpixels.data.class_table import ClassTable, read_class_table
from napari_superpixels.data.label_files import read_labels
from napari_superpixels.data.mask_files import (
    class_table_path,
    read_label_tiff,
    read_npy,
    read_palette_png,
    write_label_tiff,
    write_npy,
    write_palette_png,
)
from napari_superpixels.errors import ReadError, WriteError


def test_png_has_the_classes_as_palette(tmp_path: Path, blobs: ClassMap) -> None:
    write_palette_png(tmp_path / "a.png", blobs)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "P"
        np.testing.assert_array_equal(np.asarray(picture), blobs.classes)
        colors = np.asarray(picture.convert("RGB"))
    for entry in blobs.table:
        assert np.all(colors[blobs.classes == entry.number] == entry.color)
    assert np.all(colors[blobs.classes == 0] == 0)
    assert read_class_table(tmp_path / "a.classes.csv") == blobs.table


def test_png_is_a_label_image_whatever_the_colours(tmp_path: Path, blobs: ClassMap) -> None:
    table = ClassTable().added("dark", (0, 0, 0), 1).added("bright", (255, 255, 255), 200)
    write_palette_png(tmp_path / "a.png", ClassMap(blobs.classes, table))
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), blobs.classes)


def test_foreign_palettes_give_colours(tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([[0, 2], [5, 5]], np.uint8)).convert("P")
    picture.putpalette([0, 0, 0, 1, 1, 1, 9, 8, 7, 3, 3, 3, 4, 4, 4, 50, 60, 70])
    picture.save(tmp_path / "a.png")
    class_map = read_palette_png(tmp_path / "a.png")
    np.testing.assert_array_equal(class_map.classes, [[0, 2], [5, 5]])
    assert class_map.table.to_json() == [
        {"number": 2, "name": "class 2", "color": "#090807"},
        {"number": 5, "name": "class 5", "color": "#323c46"},
    ]


def test_grey_pictures_take_the_table_beside_them(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 1], [3, 3]], np.uint8)).save(tmp_path / "a.png")
    class_table_path(tmp_path / "a.png").write_text("number,name\n3,tree\n")
    table = read_palette_png(tmp_path / "a.png").table
    assert [(entry.number, entry.name) for entry in table] == [(3, "tree"), (1, "class 1")]


def test_tiff_says_size_and_axes_to_others(tmp_path: Path, stack: ClassMap) -> None:
    write_label_tiff(tmp_path / "a.tif", stack)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.series[0].axes == "TZYX"
        assert file.series[0].dtype == np.uint8
        np.testing.assert_array_equal(file.asarray(), stack.classes)
        resolution = file.pages[0].tags["XResolution"].value  # type: ignore[union-attr]
    assert resolution[0] / resolution[1] == pytest.approx(2e4)  # per centimetre: 0.5 µm
    assert read_class_table(tmp_path / "a.classes.csv") == stack.table


def test_tiff_of_flat_stacks_keeps_its_shape(tmp_path: Path, stack: ClassMap) -> None:
    flat = ClassMap(stack.classes[:1, :1], stack.table, axes="TZYX")
    write_label_tiff(tmp_path / "a.tif", flat)
    assert read_label_tiff(tmp_path / "a.tif").classes.shape == (1, 1, 50, 70)


def test_numpy_reads_the_array(tmp_path: Path, stack: ClassMap) -> None:
    write_npy(tmp_path / "a.npy", stack)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy", allow_pickle=False), stack.classes)
    assert read_class_table(tmp_path / "a.classes.csv") == stack.table


class Bomb:
    """Leaves a file where it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    objects = np.empty((2, 2), object)
    objects[...] = [[Bomb(tmp_path / "boom")] * 2] * 2
    np.save(tmp_path / "array.npy", objects, allow_pickle=True)
    (tmp_path / "bare.npy").write_bytes(pickle.dumps(Bomb(tmp_path / "boom")))
    for name in ("array.npy", "bare.npy"):
        with pytest.raises(ReadError, match="no NumPy array of numbers"):
            read_npy(tmp_path / name)
    assert not (tmp_path / "boom").exists()


def test_an_array_that_promises_too_much_is_refused_before_memory_is_asked_for(tmp_path: Path) -> None:
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (10**7, 10**7)})
        file.write(b"\0" * 100)
    with pytest.raises(ReadError, match=r"a\.npy"):
        read_npy(tmp_path / "a.npy")


def test_a_damaged_array_header_is_explained(tmp_path: Path, blobs: ClassMap) -> None:
    write_npy(tmp_path / "a.npy", blobs)
    content = (tmp_path / "a.npy").read_bytes()
    for place in range(128):
        (tmp_path / "a.npy").write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
        with pytest.raises(ReadError, match=r"a\.npy"):
            read_npy(tmp_path / "a.npy")


@pytest.mark.parametrize(("suffix", "read"), [("tif", read_label_tiff), ("png", read_palette_png), ("npy", read_npy)])
def test_more_than_255_classes_are_refused(tmp_path: Path, suffix: str, read) -> None:
    path = tmp_path / f"a.{suffix}"
    numbers = np.arange(300, dtype=np.uint16).reshape(15, 20)
    if suffix == "npy":
        np.save(path, numbers)
    elif suffix == "tif":
        tifffile.imwrite(path, numbers)
    else:
        Image.fromarray(numbers).save(path)
    with pytest.raises(ReadError, match="values 0 to 299; class numbers run from 0"):
        read(path)


@pytest.mark.parametrize(("suffix", "read"), [("tif", read_label_tiff), ("png", read_palette_png), ("npy", read_npy)])
@pytest.mark.parametrize("content", [b"", b"GIF89a" * 9, None], ids=["empty", "foreign", "missing"])
def test_unreadable_files_are_explained(tmp_path: Path, suffix: str, read, content: bytes | None) -> None:
    path = tmp_path / f"a.{suffix}"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ReadError, match=path.name):
        read(path)


@pytest.mark.parametrize(
    ("suffix", "read", "write"),
    [
        ("tif", read_label_tiff, write_label_tiff),
        ("png", read_palette_png, write_palette_png),
        ("npy", read_npy, write_npy),
    ],
)
def test_truncated_files_are_explained(tmp_path: Path, blobs: ClassMap, suffix: str, read, write) -> None:
    path = tmp_path / f"a.{suffix}"
    write(path, blobs)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ReadError, match=path.name):
        read(path)


def test_fractions_are_no_classes(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((3, 3)))
    with pytest.raises(ReadError, match=r"float64 values .*whole numbers"):
        read_npy(tmp_path / "a.npy")


def test_a_stack_does_not_fit_into_png(tmp_path: Path, stack: ClassMap) -> None:
    with pytest.raises(WriteError, match="one plane"):
        write_palette_png(tmp_path / "a.png", stack)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("suffix", "write"), [("tif", write_label_tiff), ("png", write_palette_png), ("npy", write_npy)]
)
def test_a_mask_that_cannot_be_written_leaves_the_table(tmp_path: Path, blobs: ClassMap, suffix: str, write) -> None:
    (tmp_path / f"a.{suffix}").mkdir()
    with pytest.raises(WriteError, match=rf"a\.{suffix} cannot be written"):
        write(tmp_path / f"a.{suffix}", blobs)
    assert not class_table_path(tmp_path / "a.tif").exists()


def test_classes_need_an_entry_in_the_table() -> None:
    with pytest.raises(ValueError, match=r"Class 2 has pixels, but no entry .*\(1,\)"):
        ClassMap(np.array([[0, 1], [2, 2]], np.uint8), ClassTable().added("a"))
