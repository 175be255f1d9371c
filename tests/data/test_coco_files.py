"""Annotations in the COCO format, read back here and by pycocotools."""

import json
import warnings
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from napari_superpixels.data.class_map import ClassMap
from napari_superpixels.data.class_table import ClassTable
from napari_superpixels.data.coco_files import read_coco, write_coco
from napari_superpixels.errors import ReadError


def read_with_pycocotools(path: Path) -> tuple[np.ndarray, COCO]:
    """Return the classes of the first image, and all records."""
    with redirect_stdout(StringIO()):
        coco = COCO(str(path))
    picture = coco.loadImgs(coco.getImgIds())[0]
    classes = np.zeros((picture["height"], picture["width"]), np.uint8)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # pycocotools under numpy 2
        for record in coco.loadAnns(coco.getAnnIds(imgIds=picture["id"])):
            mask = coco.annToMask(record).astype(bool)
            assert not classes[mask].any(), "objects overlap"
            assert np.count_nonzero(mask) == record["area"]
            rows, columns = np.nonzero(mask)
            box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
            assert record["bbox"] == box
            classes[mask] = record["category_id"]
    return classes, coco


@pytest.mark.parametrize("shapes", ["polygons", "run-lengths"])
@pytest.mark.parametrize("instances", ["class", "superpixel"])
def test_pycocotools_reads_the_same_pixels(tmp_path: Path, blobs: ClassMap, shapes, instances) -> None:
    path = tmp_path / "a.json"
    write_coco(path, blobs, shapes=shapes, instances=instances)
    classes, coco = read_with_pycocotools(path)
    np.testing.assert_array_equal(classes, blobs.classes)
    assert [category["name"] for category in coco.dataset["categories"]] == ['Größe; "x"', "nucleus", "empty"]
    is_polygon = [isinstance(record["segmentation"], list) for record in coco.dataset["annotations"]]
    assert any(is_polygon) == (shapes == "polygons")
    assert not all(is_polygon)


def test_each_superpixel_is_an_object_that_knows_its_number(tmp_path: Path, blobs: ClassMap) -> None:
    write_coco(tmp_path / "a.json", blobs, instances="superpixel", shapes="run-lengths")
    records = json.loads((tmp_path / "a.json").read_text())["annotations"]
    assert blobs.superpixels is not None
    pairs = np.stack([blobs.superpixels, blobs.classes])[:, blobs.classes > 0]
    assert {(record["superpixel"], record["category_id"]) for record in records} == set(
        zip(*pairs.tolist(), strict=True)
    )


def test_superpixels_are_needed_for_their_outlines(tmp_path: Path, stack: ClassMap) -> None:
    with pytest.raises(ValueError, match="come without superpixels"):
        write_coco(tmp_path / "a.json", stack, instances="superpixel")
    assert not list(tmp_path.iterdir())


def foreign(tmp_path: Path, **changes) -> Path:
    """Write a file of two images as another program would, with some parts changed."""
    square = [[2, 1, 5, 1, 5, 4, 2, 4]]
    content = {
        "images": [
            {"id": 7, "file_name": "a.png", "height": 6, "width": 8},
            {"id": 9, "file_name": "b.png", "height": 6, "width": 8},
        ],
        "categories": [{"id": 90, "name": "cell"}, {"id": 4, "name": "debris"}],
        "annotations": [
            {"id": 1, "image_id": 9, "category_id": 90, "segmentation": square},
            {"id": 2, "image_id": 9, "category_id": 4, "segmentation": {"size": [6, 8], "counts": [44, 4]}},
        ],
    }
    (tmp_path / "foreign.json").write_text(json.dumps(content | changes))
    return tmp_path / "foreign.json"


def test_one_image_of_a_foreign_file(tmp_path: Path) -> None:
    class_map = read_coco(foreign(tmp_path), image="b.png", shape=(6, 8))
    expected = np.zeros((6, 8), np.uint8)
    expected[1:4, 2:5] = 90
    expected[2:, 7] = 4
    np.testing.assert_array_equal(class_map.classes, expected)
    assert [(entry.number, entry.name) for entry in class_map.table] == [(90, "cell"), (4, "debris")]


def test_an_image_is_found_with_and_without_the_ending_of_its_file(tmp_path: Path) -> None:
    path = foreign(tmp_path)
    assert read_coco(path, image="b").classes.any()
    assert read_coco(path, image="b.tif").classes.any()


def test_large_category_numbers_are_renumbered(tmp_path: Path) -> None:
    path = foreign(
        tmp_path,
        categories=[{"id": 1000, "name": "cell"}],
        annotations=[{"id": 1, "image_id": 7, "category_id": 1000, "segmentation": [[0, 0, 8, 0, 8, 6, 0, 6]]}],
    )
    class_map = read_coco(path, image="a.png")
    assert class_map.present() == [1]
    assert class_map.table[1].name == "cell"
    assert "renumbered" in class_map.notes[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"categories": None}, "lacks a list of images, annotations, categories"),
        ({"images": [{"id": 7, "file_name": "b.png"}]}, "lacks height and width"),
        ({"images": [{"id": 7, "file_name": "b.png", "height": 10**7, "width": 10**7}]}, "expected at most"),
        ({"categories": [{"id": "x", "name": "y"}]}, "whole numbers 'id'"),
        ({"categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "a"}]}, "Two classes have the name 'a'"),
        ({"categories": [{"id": i, "name": f"c{i}"} for i in range(1, 300)]}, "at most 255 classes"),
        ({"annotations": [{"id": 5, "image_id": 9, "category_id": 3}]}, "annotation 5 .* category 3 is not listed"),
        ({"annotations": [{"id": 5, "image_id": 9, "category_id": [4]}]}, r"annotation 5 .* category \[4\] is not"),
        (
            {
                "annotations": [
                    {"id": 5, "image_id": 9, "category_id": 4, "segmentation": {"size": [6, 9], "counts": "0"}}
                ]
            },
            "do not fit the image",
        ),
        ({"annotations": [{"id": 5, "image_id": 9, "category_id": 4, "segmentation": [["x"]]}]}, "no lists of numbers"),
    ],
)
def test_bad_files_are_explained(tmp_path: Path, changes, message: str) -> None:
    with pytest.raises(ReadError, match=message):
        read_coco(foreign(tmp_path, **changes), image="b.png")


def test_the_image_must_be_clear_and_fit(tmp_path: Path) -> None:
    path = foreign(tmp_path)
    with pytest.raises(ReadError, match=r"describes 2 images \('a.png', 'b.png'\); name one"):
        read_coco(path)
    with pytest.raises(ReadError, match=r"not 'c\.png'"):
        read_coco(path, image="c.png")
    with pytest.raises(ReadError, match=r"image of shape \(6, 8\); this one has \(8, 6\)"):
        read_coco(path, image="a.png", shape=(8, 6))


def test_a_stack_that_lost_a_plane_is_refused(tmp_path: Path, stack: ClassMap) -> None:
    write_coco(tmp_path / "a.json", stack)
    content = json.loads((tmp_path / "a.json").read_text())
    del content["images"][2]
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(ReadError, match=r"has 5 entries .*expected 6"):
        read_coco(tmp_path / "a.json")


def test_255_classes_come_back(tmp_path: Path) -> None:
    classes = np.arange(256, dtype=np.uint8).reshape(16, 16)
    write_coco(tmp_path / "a.json", ClassMap(classes, ClassTable().completed(range(256))))
    np.testing.assert_array_equal(read_coco(tmp_path / "a.json").classes, classes)


def test_names_of_other_programs_are_made_one_line(tmp_path: Path) -> None:
    category = {"id": 1, "name": "two\nlines\u00a0"}
    image = {"id": 1, "file_name": "a.png", "height": 4, "width": 5}
    content = {"images": [image], "categories": [category], "annotations": []}
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert [entry.name for entry in read_coco(tmp_path / "a.json").table] == ["two lines"]
