"""``napari-superpixels export``, as a user types it."""

import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

from napari_superpixels.cli.export import ExportFormat
from napari_superpixels.data.annotation_files import SUFFIXES, AnnotationFormat, read_annotation, write_annotation
from napari_superpixels.data.class_map import ClassMap
from napari_superpixels.data.class_table import ClassTable, read_class_table
from napari_superpixels.engine.annotation import Annotation
from napari_superpixels.engine.project import image_reference, save_project

from .command_line import run, words

TABLE = ClassTable().added("nucleus").added("border")
LABELS = np.kron(np.arange(1, 21, dtype=np.int32).reshape(4, 5), np.ones((6, 7), np.int32))


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Annotation:
    """Save a project with two painted classes, and go to its folder."""
    monkeypatch.chdir(tmp_path)
    annotation = Annotation(LABELS, np.zeros(LABELS.shape, np.uint8), table=TABLE)
    annotation.paint([1, 2, 9], 1)
    annotation.paint([14, 20], 2)
    settings = {"layer": {"scale": [0.5, 0.5], "units": ["um", "um"]}}
    save_project("a.nsp", annotation.snapshot(), image_reference(LABELS, "cells.tif"), settings)
    return annotation


def test_the_formats_are_those_of_the_library() -> None:
    assert {kind.value for kind in ExportFormat} == {kind.value for kind in AnnotationFormat}


@pytest.mark.parametrize("kind", AnnotationFormat)
def test_every_format_and_back(project: Annotation, kind: AnnotationFormat) -> None:
    name = f"out/b{SUFFIXES[kind][0]}"
    result = run("export", "a.nsp", name, "--format", kind.value)
    assert result.exit_code == 0, result.output
    again = run("export", name, "out/c.tif")
    assert again.exit_code == 0, again.output
    found = read_annotation("out/c.tif")
    np.testing.assert_array_equal(found.classes, project.classes)
    assert found.table == TABLE
    if kind is not AnnotationFormat.npy:
        assert found.pixel_size == {"Y": 0.5, "X": 0.5}


def test_superpixels_as_objects_and_as_labels() -> None:
    assert run("export", "a.nsp", "b.json", "--objects", "superpixel").exit_code == 0
    records = json.loads(Path("b.json").read_text())["annotations"]
    assert [record["superpixel"] for record in records] == [1, 2, 9, 14, 20]
    assert run("export", "a.nsp", "b.tif", "--content", "superpixels").exit_code == 0
    np.testing.assert_array_equal(tifffile.imread("b.tif"), LABELS)
    assert run("export", "b.json", "c.json", "--objects", "superpixel").exit_code == 1
    assert run("export", "b.json", "c.json", "--objects", "superpixel", "--superpixels", "b.tif").exit_code == 0
    assert len(json.loads(Path("c.json").read_text())["annotations"]) == 5


def test_another_class_table(tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text("number,name\n1,Kern\n2,Rand\n", encoding="utf-8")
    assert run("export", "a.nsp", "b.geojson", "--classes", "names.csv").exit_code == 0
    assert {entry.name for entry in read_annotation("b.geojson").table} == {"Kern", "Rand"}
    (tmp_path / "names.csv").write_text("number,name\n1,Kern\n", encoding="utf-8")
    result = run("export", "a.nsp", "c.geojson", "--classes", "names.csv")
    assert result.exit_code == 1
    assert "Class 2 has pixels, but no entry in the class table" in words(result.output)


def test_geojson_of_qupath_needs_the_image() -> None:
    ring = [[1, 1], [9, 1], [9, 5], [1, 5], [1, 1]]
    feature = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": {}}
    Path("q.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    result = run("export", "q.geojson", "b.png")
    assert result.exit_code == 1
    assert "does not tell the size of its image" in words(result.output)
    iio.imwrite("photo.png", np.zeros((24, 35, 3), np.uint8))
    assert run("export", "q.geojson", "b.png", "--size-of", "photo.png").exit_code == 0
    assert np.count_nonzero(read_annotation("b.png").classes) == 32


def test_nothing_is_overwritten_unasked() -> None:
    Path("b.tif").write_bytes(b"precious")
    result = run("export", "a.nsp", "b.tif")
    assert result.exit_code == 2
    assert "add --overwrite" in words(result.output)
    assert Path("b.tif").read_bytes() == b"precious"
    assert run("export", "a.nsp", "b.tif", "--overwrite").exit_code == 0


@pytest.mark.parametrize("name", ["b.tif", "b.png", "b.npy"])
def test_a_class_table_of_other_origin_is_not_overwritten_unasked(name: str) -> None:
    for content in ("number,name\n1,precious\n", "notes of a year"):
        Path("b.classes.csv").write_text(content)
        result = run("export", "a.nsp", name)
        assert result.exit_code == 2
        assert "b.classes.csv beside it is there already" in words(result.output)
        assert Path("b.classes.csv").read_text() == content
        assert not Path(name).exists()
    assert run("export", "a.nsp", "b.geojson").exit_code == 0
    assert run("export", "a.nsp", "b.tif", "--content", "superpixels").exit_code == 0
    assert Path("b.classes.csv").read_text() == content
    assert run("export", "a.nsp", name, "--overwrite").exit_code == 0
    assert read_class_table("b.classes.csv") == TABLE


def test_formats_share_a_class_table() -> None:
    for source, name in (("a.nsp", "b.png"), ("b.png", "b.npy"), ("b.npy", "b.tif")):
        result = run("export", source, name)
        assert result.exit_code == 0, result.output


def test_more_than_255_classes_are_explained() -> None:
    tifffile.imwrite("many.tif", np.arange(600, dtype=np.uint16).reshape(20, 30))
    result = run("export", "many.tif", "b.png")
    assert result.exit_code == 1
    assert "class numbers run from 0 (none) to 255" in words(result.output)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["gone.nsp", "b.tif"], 1, "cannot be read"),
        (["a.nsp", "b.xyz"], 1, "use a name that ends with"),
        (["a.nsp", "b.tif", "--format", "coco"], 1, "does not end with .json"),
        (["a.nsp", "b.tif", "--format", "jpeg"], 2, "jpeg"),
        (["a.nsp", "."], 2, "is a folder"),
        (["a.nsp", "b.json", "--content", "superpixels"], 1, "cannot be written as .json"),
        (["a.nsp", "b.json", "--content", "superpixels", "--format", "coco"], 2, "written as TIFF or PNG"),
        (["a.nsp", "b.tif", "--superpixels", "gone.tif"], 1, "no such file"),
        (["a.nsp", "b.tif", "--classes", "gone.csv"], 1, "gone.csv cannot be read"),
    ],
)
def test_wrong_commands_are_explained(arguments: list[str], code: int, message: str) -> None:
    result = run("export", *arguments)
    assert result.exit_code == code, result.output
    assert message in words(result.output)
    assert not Path("b.tif").exists()


def test_physical_units_need_the_size_of_a_pixel() -> None:
    write_annotation("b.npy", ClassMap(np.ones((4, 5), np.uint8), TABLE))
    result = run("export", "b.npy", "b.geojson", "--format", "geojson-physical")
    assert result.exit_code == 1
    assert "size of a pixel is not known" in words(result.output)
