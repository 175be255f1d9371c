"""*File > Save* of labels layers, and *File > Open* of projects, through npe2 as napari does it."""

import json
from collections.abc import Iterator
from pathlib import Path

import imageio.v3 as iio
import npe2
import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Labels, Points
from napari.utils.colormaps import DirectLabelColormap
from napari.utils.notifications import notification_manager
from npe2 import PluginManifest
from PIL import Image

from napari_superpixels.data.class_table import ClassTable
from napari_superpixels.data.coco_files import read_coco
from napari_superpixels.data.geojson import read_geojson
from napari_superpixels.data.mask_files import read_label_tiff, read_npy, read_palette_png
from napari_superpixels.engine.annotation import Annotation
from napari_superpixels.engine.project import image_reference, open_project, save_project
from napari_superpixels.plugin.file_io import get_project_reader, read_project

PLUGIN = "napari-superpixels"
TABLE = ClassTable().added("nucleus", (250, 10, 20)).added("border", (0, 0, 9), 7)
CLASSES = np.zeros((20, 30), np.uint8)
CLASSES[3:9, 4:20] = 1
CLASSES[5:7, 6:12] = 0
CLASSES[12:18, 22:29] = 7
READERS = {"tif": read_label_tiff, "png": read_palette_png, "json": read_coco, "geojson": read_geojson, "npy": read_npy}


def class_layer(data: np.ndarray = CLASSES, **options) -> Labels:
    made = {"image": "cells", "view": "classes", "classes": TABLE.to_json()}
    options = {"scale": (0.5, 0.25), "units": ("um", "um"), **options}
    return Labels(data, name="cells classes", metadata={"napari_superpixels": made}, **options)


def save(layer: Labels, path: Path) -> None:
    assert npe2.write(str(path), [layer], plugin_name=PLUGIN) == [str(path)]


@pytest.fixture(autouse=True)
def _only_this_plugin(npe2pm) -> Iterator[None]:
    with npe2pm.tmp_plugin(manifest=PluginManifest.from_file(Path(__file__).parents[2] / "napari.yaml")):
        yield


@pytest.fixture
def warnings_shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    shown: list[str] = []
    monkeypatch.setattr(notification_manager, "dispatch", lambda notification: shown.append(str(notification.message)))
    return shown


@pytest.mark.parametrize("suffix", READERS)
def test_a_layer_of_classes_is_saved_with_its_table(tmp_path: Path, suffix: str) -> None:
    save(class_layer(), tmp_path / f"a.{suffix}")
    found = READERS[suffix](tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(found.classes, CLASSES)
    assert found.table == TABLE
    if suffix != "npy":
        assert found.pixel_size == {"Y": 0.5, "X": 0.25}
        assert (found.pixel_unit, found.image) == ("µm", "cells")


def test_the_viewer_saves_through_the_writers(tmp_path: Path) -> None:
    viewer = ViewerModel()
    viewer.add_layer(class_layer())
    assert viewer.layers.save(str(tmp_path / "a.geojson")) == [str(tmp_path / "a.geojson")]
    np.testing.assert_array_equal(read_geojson(tmp_path / "a.geojson").classes, CLASSES)


def test_a_layer_without_table_has_the_colours_that_are_shown(tmp_path: Path) -> None:
    colors = DirectLabelColormap(color_dict={None: "transparent", 1: "red", 7: (0, 0.2, 1, 1)})
    save(Labels(CLASSES, colormap=colors), tmp_path / "a.json")
    table = read_coco(tmp_path / "a.json").table
    assert [(entry.number, entry.name, entry.color) for entry in table] == [
        (1, "class 1", (255, 0, 0)),
        (7, "class 7", (0, 51, 255)),
    ]


@pytest.mark.parametrize("suffix", ["json", "geojson"])
def test_superpixels_become_objects(tmp_path: Path, suffix: str) -> None:
    numbers = 1 + np.arange(600, dtype=np.int32).reshape(20, 30) // 2
    save(Labels(numbers, name="cells superpixels"), tmp_path / f"a.{suffix}")
    content = json.loads((tmp_path / f"a.{suffix}").read_text())
    if suffix == "json":
        assert sorted(record["superpixel"] for record in content["annotations"]) == list(range(1, 301))
    else:
        assert sorted(feature["properties"]["superpixel"] for feature in content["features"]) == list(range(1, 301))
    assert READERS[suffix](tmp_path / f"a.{suffix}").table[1].name == "cells superpixels"


def test_superpixels_keep_their_numbers_as_images(tmp_path: Path) -> None:
    numbers = 1 + np.arange(600, dtype=np.int32).reshape(20, 30)
    layer = Labels(numbers, scale=(2, 3), units=("nm", "nm"))
    save(layer, tmp_path / "a.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), numbers)
    save(layer, tmp_path / "a.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), numbers)


def test_labels_that_repeat_along_channels_are_saved_once(tmp_path: Path) -> None:
    repeated = np.broadcast_to(CLASSES, (3, 20, 30))
    save(class_layer(repeated, scale=(1, 0.5, 0.25), units=("pixel", "um", "um")), tmp_path / "a.png")
    np.testing.assert_array_equal(read_palette_png(tmp_path / "a.png").classes, CLASSES)


@pytest.fixture
def project(tmp_path: Path, color_blocks: np.ndarray) -> Path:
    """Return a project of an image that lies beside it."""
    iio.imwrite(tmp_path / "cells.png", color_blocks)
    labels = np.kron(np.arange(1, 13, dtype=np.int32).reshape(3, 4), np.ones((20, 20), np.int32))
    annotation = Annotation(labels, np.zeros(labels.shape, np.uint8), table=TABLE)
    annotation.paint([3, 4], 7)
    settings = {"layer": {"scale": [0.5, 0.25], "units": ["um", "um"], "surprise": 1}, "segmentation": {"schema": 1}}
    image = image_reference(color_blocks, "cells", tmp_path / "cells.png")
    save_project(tmp_path / "cells.nsp", annotation.snapshot(), image, settings)
    return tmp_path / "cells.nsp"


def test_a_project_opens_with_its_image(project: Path, color_blocks: np.ndarray, warnings_shown: list[str]) -> None:
    viewer = ViewerModel()
    viewer.open(str(project), plugin=PLUGIN)
    image, superpixels, classes = viewer.layers
    np.testing.assert_array_equal(image.data, color_blocks)
    assert image.rgb
    assert [layer.name for layer in viewer.layers] == ["cells", "cells superpixels", "cells classes"]
    assert len(np.unique(superpixels.data)) == 12
    np.testing.assert_array_equal(classes.data, np.where(np.isin(superpixels.data, [3, 4]), 7, 0))
    assert classes.metadata["napari_superpixels"]["view"] == "classes"
    assert superpixels.metadata["napari_superpixels"]["project"] == str(project)
    np.testing.assert_allclose(classes.colormap.map(7), [0, 0, 9 / 255, 1], atol=1e-3)
    for layer in viewer.layers:
        np.testing.assert_array_equal(layer.scale, [0.5, 0.25])
        assert [str(unit) for unit in layer.units] == ["micrometer", "micrometer"]
    assert warnings_shown == []


def test_seeds_that_the_user_gave_come_back_as_points(project: Path) -> None:
    opened = open_project(project)
    made = {"seeds": [[5, 6], [30, 40]], "position": [], "channel_axis": None}
    settings = opened.settings | {"segmentation": made}
    save_project(project, opened.state, opened.image, settings)
    viewer = ViewerModel()
    *_, seeds = viewer.open(str(project), plugin=PLUGIN)
    assert isinstance(seeds, Points)
    assert (seeds.name, seeds.data.tolist()) == ("cells seeds", [[5, 6], [30, 40]])
    np.testing.assert_array_equal(seeds.scale, [0.5, 0.25])


def test_without_its_image_the_annotation_opens_with_a_warning(project: Path, warnings_shown: list[str]) -> None:
    project.with_name("cells.png").unlink()
    assert [kind for _, _, kind in read_project(str(project))] == ["labels", "labels"]
    [message] = warnings_shown
    assert "is not found" in message


def test_another_image_in_its_place_is_not_opened(
    project: Path, color_blocks: np.ndarray, warnings_shown: list[str]
) -> None:
    for other, message in ((255 - color_blocks, "pixels are others"), (color_blocks[:50], "has the shape (50, 80, 3)")):
        iio.imwrite(project.with_name("cells.png"), other)
        assert [kind for _, _, kind in read_project(str(project))] == ["labels", "labels"]
        assert message in warnings_shown.pop()
    project.with_name("cells.png").write_bytes(b"no image")
    assert [kind for _, _, kind in read_project(str(project))] == ["labels", "labels"]
    assert "cannot be read" in warnings_shown.pop()


def test_only_projects_are_claimed(tmp_path: Path) -> None:
    assert get_project_reader(str(tmp_path / "a.NSP")) is read_project
    assert get_project_reader(str(tmp_path / "a.zip")) is None
    assert get_project_reader([str(tmp_path / "a.nsp")]) is None
