"""What the window exports and imports."""

from pathlib import Path

import numpy as np
import pytest

from napari_superpixels.engine.annotation import Annotation
from napari_superpixels.engine.exports import (
    AnnotationFormat,
    class_map,
    export_annotation,
    file_filter,
    import_annotation,
    pixel_size,
)
from napari_superpixels.errors import ReadError

from .journal_acts import new_annotation


@pytest.mark.parametrize(
    ("scale", "units", "expected"),
    [
        ([0.5, 0.25], ["micrometer", "micrometer"], ({"Y": 0.5, "X": 0.25}, "µm")),
        ([1, 2, 0.5, 0.5], ["second", "um", "um", "um"], ({"Z": 2, "Y": 0.5, "X": 0.5}, "µm")),
        ([0.5, 0.5], ["nanometer", "nanometer"], ({"Y": 0.5, "X": 0.5}, "nanometer")),
        ([1, 1], ["pixel", "pixel"], ({}, "")),
        ([2, 2], ["pixel", "pixel"], ({"Y": 2, "X": 2}, "")),
        ([1, 1], ["micrometer", "micrometer"], ({"Y": 1, "X": 1}, "µm")),
        ([-0.5, 0.5], None, ({"Y": 0.5, "X": 0.5}, "")),
        ([0, 1], ["um", "um"], ({}, "")),
        (["a", 1], None, ({}, "")),
        (None, None, ({}, "")),
    ],
)
def test_the_size_of_a_pixel_comes_from_the_layer(scale, units, expected) -> None:
    assert pixel_size({"scale": scale, "units": units}) == expected


def test_stack_axes_come_from_the_layer() -> None:
    annotation = Annotation(np.ones((2, 3, 4), np.int32), np.zeros((2, 3, 4), np.uint8))
    assert class_map(annotation.snapshot(), layer={"axis_labels": ["t", "y", "x"]}).axes == "TYX"
    for labels in (["-3", "-2", "-1"], ["y", "x"], ["time", "y", "x"], None):
        assert class_map(annotation.snapshot(), layer={"axis_labels": labels}).axes == "ZYX"


@pytest.mark.parametrize("kind", AnnotationFormat)
def test_what_was_exported_can_be_imported_and_undone(tmp_path: Path, kind: AnnotationFormat) -> None:
    source = new_annotation()
    source.paint([1, 2, 33], 1)
    source.paint([7], 2)
    source.add_class("empty")
    path = tmp_path / f"a{file_filter(kind).rpartition('*')[2].rstrip(')')}"
    export_annotation(path, source.snapshot(), kind, layer={"scale": [0.5, 0.5], "units": ["um", "um"]})
    target = new_annotation()
    target.rename_class(1, "cell")
    target.paint([50], 1)
    before = target.snapshot()
    import_annotation(path, target)
    np.testing.assert_array_equal(target.classes, source.classes)
    assert target.table == source.table
    target.go_to(before.position)
    np.testing.assert_array_equal(target.classes, before.classes)
    assert target.table == before.table


def test_stacks_are_imported_plane_by_plane(tmp_path: Path) -> None:
    labels = np.arange(1, 25, dtype=np.int32).reshape(2, 3, 4)
    source = Annotation(labels.copy(), np.zeros((2, 3, 4), np.uint8))
    source.set_plane((1, slice(None), slice(None)))
    source.paint([13, 20])
    export_annotation(tmp_path / "a.geojson", source.snapshot())
    target = Annotation(labels.copy(), np.zeros((2, 3, 4), np.uint8))
    target.set_plane((1, slice(None), slice(None)))
    import_annotation(tmp_path / "a.geojson", target)
    np.testing.assert_array_equal(target.classes, source.classes)
    assert target.plane == (1, None, None)


def test_own_classes_stay_beside_imported_ones(tmp_path: Path) -> None:
    source, target = new_annotation(), new_annotation()
    source.remove_class(2)
    source.rename_class(1, "border")
    source.paint([1], 1)
    export_annotation(tmp_path / "a.tif", source.snapshot())
    import_annotation(tmp_path / "a.tif", target)
    assert [(entry.number, entry.name) for entry in target.table] == [(1, "border"), (2, "border (before a.tif)")]


def test_an_annotation_of_another_image_changes_nothing(tmp_path: Path) -> None:
    other = Annotation(np.ones((4, 5), np.int32), np.zeros((4, 5), np.uint8))
    export_annotation(tmp_path / "a.png", other.snapshot())
    target = new_annotation()
    with pytest.raises(ReadError, match=r"\(4, 5\); this image has \(64, 80\)"):
        import_annotation(tmp_path / "a.png", target)
    assert target.history.entries == ()
