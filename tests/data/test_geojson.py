"""Annotations as GeoJSON: in the form that QuPath reads, and back."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from skimage.draw import polygon2mask

from napari_superpixels.data.class_map import ClassMap
from napari_superpixels.data.class_table import ClassTable
from napari_superpixels.data.geojson import read_geojson, write_geojson
from napari_superpixels.errors import ReadError, WriteError


def features_of(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["features"]


def drawn(features: list[dict], shape: tuple[int, int], table: ClassTable, size=(1.0, 1.0)) -> np.ndarray:
    """Rasterise features with scikit-image, in whose coordinates pixel centres are whole numbers."""
    numbers = {entry.name: entry.number for entry in table}
    classes = np.zeros(shape, np.uint8)
    for feature in features:
        inside = np.zeros(shape, bool)
        for ring in feature["geometry"]["coordinates"]:
            assert ring[0] == ring[-1]
            inside ^= polygon2mask(shape, np.array(ring)[:, ::-1] / size[::-1] - 0.5)
        assert not classes[inside].any(), "objects overlap"
        classes[inside] = numbers[feature["properties"]["classification"]["name"]]
    return classes


@pytest.mark.parametrize("instances", ["class", "superpixel"])
@pytest.mark.parametrize(("units", "size"), [("pixel", (1, 1)), ("physical", (0.65, 0.3))])
def test_another_rasteriser_finds_the_same_pixels(tmp_path: Path, blobs: ClassMap, instances, units, size) -> None:
    write_geojson(tmp_path / "a.geojson", blobs, instances=instances, units=units)
    features = features_of(tmp_path / "a.geojson")
    np.testing.assert_array_equal(drawn(features, (50, 70), blobs.table, size), blobs.classes)


def test_features_are_as_qupath_writes_them(tmp_path: Path) -> None:
    classes = np.zeros((5, 6), np.uint8)
    classes[1:3, 2:5] = 7
    write_geojson(tmp_path / "a.geojson", ClassMap(classes, ClassTable().added("Tumor", (200, 0, 0), 7)))
    assert json.loads((tmp_path / "a.geojson").read_text())["type"] == "FeatureCollection"
    [feature] = features_of(tmp_path / "a.geojson")
    assert feature == {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [[[5, 3], [2, 3], [2, 1], [5, 1], [5, 3]]]},
        "properties": {"objectType": "annotation", "classification": {"name": "Tumor", "color": [200, 0, 0]}},
    }


def test_rings_turn_as_the_standard_asks(tmp_path: Path, blobs: ClassMap) -> None:
    write_geojson(tmp_path / "a.geojson", blobs)
    for feature in features_of(tmp_path / "a.geojson"):
        for i, ring in enumerate(feature["geometry"]["coordinates"]):
            (x, y), (next_x, next_y) = np.array(ring[:-1]).T, np.array(ring[1:]).T
            assert (np.sum(x * next_y - next_x * y) > 0) == (i == 0)


def test_superpixels_are_named(tmp_path: Path, blobs: ClassMap) -> None:
    write_geojson(tmp_path / "a.geojson", blobs, instances="superpixel")
    assert blobs.superpixels is not None
    for feature in features_of(tmp_path / "a.geojson"):
        shown = drawn([feature], (50, 70), blobs.table) > 0
        assert set(blobs.superpixels[shown].tolist()) == {feature["properties"]["superpixel"]}


def test_planes_are_marked_as_in_qupath(tmp_path: Path, stack: ClassMap) -> None:
    write_geojson(tmp_path / "a.geojson", stack)
    for t, z in np.ndindex(2, 3):
        marked = [f for f in features_of(tmp_path / "a.geojson") if f["geometry"]["plane"] == {"c": -1, "z": z, "t": t}]
        np.testing.assert_array_equal(drawn(marked, (50, 70), stack.table), stack.classes[t, z])


def test_other_axes_and_unknown_sizes_cannot_be_written(tmp_path: Path, blobs: ClassMap, stack: ClassMap) -> None:
    with pytest.raises(WriteError, match="the axes QZYX"):
        write_geojson(tmp_path / "a.geojson", replace(stack, axes="QZYX"))
    with pytest.raises(WriteError, match="size of a pixel is not known"):
        write_geojson(tmp_path / "a.geojson", replace(blobs, pixel_size={}), units="physical")
    assert not list(tmp_path.iterdir())


SQUARE = [[1, 1], [5, 1], [5, 4], [1, 4], [1, 1]]
HOLE = [[2, 2], [3, 2], [3, 3], [2, 3], [2, 2]]
PARTS = [[[[6, 0], [8, 0], [8, 2], [6, 2]]], [[[6, 4], [7.6, 4], [7.6, 6], [6, 6]]]]
#: As QuPath 0.5 exports; the second one of a derived class, its colour in one number.
QUPATH = [
    {
        "type": "Feature",
        "id": "a6f9b6a8-8a3c-4b8f-9f0e-3a7b1c9d2e11",
        "geometry": {"type": "Polygon", "coordinates": [SQUARE, HOLE]},
        "properties": {"objectType": "annotation", "classification": {"name": "Tumor", "color": [200, 0, 0]}},
    },
    {
        "type": "Feature",
        "geometry": {"type": "MultiPolygon", "coordinates": PARTS},
        "properties": {"classification": {"names": ["Immune", "CD3"], "colorRGB": -3140401}},
    },
    {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 1]}, "properties": {}},
]


@pytest.mark.parametrize(
    "content", [QUPATH, {"type": "FeatureCollection", "features": QUPATH}], ids=["list", "collection"]
)
def test_qupaths_own_exports_are_read(tmp_path: Path, content) -> None:
    (tmp_path / "a.geojson").write_text(json.dumps(content))
    table = ClassTable().added("stroma").added("Tumor")
    class_map = read_geojson(tmp_path / "a.geojson", shape=(6, 8), table=table)
    expected = np.zeros((6, 8), np.uint8)
    expected[1:4, 1:5] = 2
    expected[2, 2] = 0
    expected[0:2, 6:8] = expected[4:6, 6:8] = 3
    np.testing.assert_array_equal(class_map.classes, expected)
    assert [entry.name for entry in class_map.table] == ["stroma", "Tumor", "Immune: CD3"]
    assert class_map.table[3].color == (0xD0, 0x14, 0xCF)
    assert class_map.notes == ("1 features without area (points, lines) are left out.",)


def feature(classification=None, **geometry) -> str:
    shape = {"type": "Polygon", "coordinates": [SQUARE], **geometry}
    return json.dumps([{"type": "Feature", "geometry": shape, "properties": {"classification": classification}}])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "no GeoJSON"),
        ("[1]", "no GeoJSON"),
        ('{"type": "FeatureCollection", "features": 3}', "no GeoJSON"),
        ("[" * 100_000, "not valid JSON"),
        (feature(coordinates=3), "no lists of numbers"),
        (feature(coordinates=[[1, 2]]), "no lists of numbers"),
        (feature(coordinates=[[[1], [2]]]), "finite pairs"),
        (feature(coordinates=[[[1, float("nan")], [2, 3]]]), "finite pairs"),
        (feature(coordinates=[], plane={"z": "x"}), "whole numbers"),
        (feature({"name": "a", "color": "red"}), "expected '#rrggbb'"),
    ],
)
def test_bad_files_are_explained(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.geojson").write_text(content)
    with pytest.raises(ReadError, match=message):
        read_geojson(tmp_path / "a.geojson", shape=(6, 8))


def test_more_than_255_classes_do_not_fit(tmp_path: Path) -> None:
    features = [json.loads(feature({"name": f"class {i}"}))[0] for i in range(256)]
    (tmp_path / "a.geojson").write_text(json.dumps(features))
    with pytest.raises(ReadError, match="All 255 class numbers are in use"):
        read_geojson(tmp_path / "a.geojson", shape=(6, 8))


def test_the_shape_must_be_known_and_fit(tmp_path: Path, stack: ClassMap) -> None:
    (tmp_path / "a.geojson").write_text("[]")
    with pytest.raises(ReadError, match="does not tell the size of its image"):
        read_geojson(tmp_path / "a.geojson")
    write_geojson(tmp_path / "b.geojson", stack)
    with pytest.raises(ReadError, match=r"shape \(2, 3, 50, 70\); this one has \(3, 50, 70\)"):
        read_geojson(tmp_path / "b.geojson", shape=(3, 50, 70))
    content = json.loads((tmp_path / "b.geojson").read_text())
    content["features"][0]["geometry"]["plane"]["z"] = 3
    (tmp_path / "b.geojson").write_text(json.dumps(content))
    with pytest.raises(ReadError, match=r"lies in plane \(0, 3\)"):
        read_geojson(tmp_path / "b.geojson")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("shape", [10**6, 10**6], "expected at most"),
        ("shape", [0, 4], "made for an image of shape"),
        ("shape", "large", "its header cannot be understood"),
        ("axes", "YXC", "its header cannot be understood"),
        ("classes", [{"number": 1}], "a class should|A class should"),
        ("pixel_size", {}, "no size of a pixel"),
    ],
)
def test_changed_headers_are_explained(tmp_path: Path, blobs: ClassMap, key: str, value, message: str) -> None:
    write_geojson(tmp_path / "a.geojson", blobs, units="physical")
    content = json.loads((tmp_path / "a.geojson").read_text(encoding="utf-8"))
    content["napari_superpixels"][key] = value
    (tmp_path / "a.geojson").write_text(json.dumps(content))
    with pytest.raises(ReadError, match=message):
        read_geojson(tmp_path / "a.geojson")
