"""Every format: a round trip loses nothing, and a failed write leaves the file that was there."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_superpixels.data.annotation_files import (
    SUFFIXES,
    AnnotationFormat,
    format_titles,
    read_annotation,
    write_annotation,
)
from napari_superpixels.data.class_map import ClassMap
from napari_superpixels.errors import ReadError, WriteError

FLAT = [AnnotationFormat.png]


@pytest.mark.parametrize("instances", ["class", "superpixel"])
@pytest.mark.parametrize("kind", AnnotationFormat)
def test_round_trip_of_a_plane(tmp_path: Path, blobs: ClassMap, kind: AnnotationFormat, instances) -> None:
    path = tmp_path / "new" / f"a{SUFFIXES[kind][0]}"
    write_annotation(path, blobs, kind, instances=instances)
    found = read_annotation(path, shape=(50, 70))
    assert found.classes.dtype == np.uint8
    np.testing.assert_array_equal(found.classes, blobs.classes)
    assert found.table == blobs.table
    if kind is not AnnotationFormat.npy:
        assert (found.image, found.axes) == ("blöbs.tif", "YX")
        assert found.pixel_size == blobs.pixel_size
        assert found.pixel_unit == "µm"


@pytest.mark.parametrize("kind", [kind for kind in AnnotationFormat if kind not in FLAT])
def test_round_trip_of_a_stack(tmp_path: Path, stack: ClassMap, kind: AnnotationFormat) -> None:
    path = tmp_path / f"a{SUFFIXES[kind][0]}"
    write_annotation(path, stack, kind)
    found = read_annotation(path)
    np.testing.assert_array_equal(found.classes, stack.classes)
    assert (found.table, found.axes) == (stack.table, "TZYX")


@pytest.mark.parametrize("kind", AnnotationFormat)
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (30, 1)])
def test_round_trip_of_thin_and_empty_images(tmp_path: Path, blobs: ClassMap, kind: AnnotationFormat, shape) -> None:
    path = tmp_path / f"a{SUFFIXES[kind][0]}"
    for value in (0, 1):
        classes = np.full(shape, value, np.uint8)
        write_annotation(path, replace(blobs, classes=classes, superpixels=None), kind)
        np.testing.assert_array_equal(read_annotation(path).classes, classes)


@pytest.mark.parametrize("kind", AnnotationFormat)
def test_a_full_disk_leaves_the_file_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blobs: ClassMap, kind: AnnotationFormat
) -> None:
    path = tmp_path / f"a{SUFFIXES[kind][0]}"
    write_annotation(path, blobs, kind)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(WriteError, match="No space left on device"):
        write_annotation(path, replace(blobs, classes=np.zeros_like(blobs.classes)), kind)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.mark.parametrize("kind", AnnotationFormat)
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, blobs: ClassMap, kind: AnnotationFormat) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(WriteError, match="cannot be written"):
        write_annotation(tmp_path / "file" / f"a{SUFFIXES[kind][0]}", blobs, kind)


def test_the_name_decides_the_format(tmp_path: Path, blobs: ClassMap) -> None:
    for name in ("a.TIF", "a.png", "a.json", "a.geojson", "a.npy"):
        write_annotation(tmp_path / name, blobs)
        np.testing.assert_array_equal(read_annotation(tmp_path / name).classes, blobs.classes)


def test_wrong_names_are_refused(tmp_path: Path, blobs: ClassMap) -> None:
    with pytest.raises(WriteError, match=r"a\.xyz; use a name that ends with \.tif, \.png"):
        write_annotation(tmp_path / "a.xyz", blobs)
    with pytest.raises(WriteError, match=r"does not end with \.json"):
        write_annotation(tmp_path / "a.tif", blobs, AnnotationFormat.coco)
    with pytest.raises(ReadError, match="no format of annotations"):
        read_annotation(tmp_path / "a.xyz")


def test_an_annotation_of_another_image_is_refused(tmp_path: Path, blobs: ClassMap) -> None:
    for kind in AnnotationFormat:
        path = tmp_path / f"{kind}{SUFFIXES[kind][0]}"
        write_annotation(path, blobs, kind)
        with pytest.raises(ReadError, match=r"\(50, 70\)"):
            read_annotation(path, shape=(70, 50))


def test_every_format_has_a_title() -> None:
    assert set(format_titles()) == set(SUFFIXES) == set(AnnotationFormat)
