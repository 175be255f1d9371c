"""Data sets in the COCO format, from polygons, run lengths and panoptic PNG files."""

import json
import warnings
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from napari_superpixels.data.coco import coco_source
from napari_superpixels.data.coco_masks import draw_instances
from napari_superpixels.errors import ReadError


def edit(path: Path, change: Any) -> Path:
    """Change the content of an annotation file."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def reference_mask(segmentation: Any) -> np.ndarray:
    """Return the mask that pycocotools draws."""
    if isinstance(segmentation, list):
        encoded = coco_mask.merge(coco_mask.frPyObjects(segmentation, 60, 80))
    elif isinstance(segmentation["counts"], list):
        encoded = coco_mask.frPyObjects(segmentation, 60, 80)
    else:
        encoded = {**segmentation, "counts": segmentation["counts"].encode()}
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        return coco_mask.decode(encoded).astype(bool)


def test_instances_are_what_pycocotools_draws(coco_instances: Path) -> None:
    source = coco_source(coco_instances, coco_instances.parent / "images")
    assert source.kind == "coco-instances"
    assert [item.name for item in source] == ["a", "sub/b"]
    annotations = json.loads(coco_instances.read_text())["annotations"]
    image = source.items[0].read()
    assert image.n_objects == (3,)
    (truth,) = image.ground_truths
    masks = np.stack([reference_mask(record["segmentation"]) for record in annotations[:3]])
    assert (masks[0] & masks[1]).sum() > 50
    for label in np.unique(truth):
        inside = masks[:, truth == label]
        assert (inside == inside[:, :1]).all()  # each segment lies wholly inside or outside of every instance
    assert len(np.unique(truth)) == len(np.unique(masks.reshape(3, -1), axis=1).T)
    np.testing.assert_array_equal(truth == 0, ~masks.any(axis=0))


def test_files_with_a_mark_of_their_encoding_and_deep_ones(coco_instances: Path) -> None:
    coco_instances.write_bytes(b"\xef\xbb\xbf" + coco_instances.read_bytes())
    assert len(coco_source(coco_instances, coco_instances.parent / "images")) == 2
    coco_instances.write_text("[" * 100_000)
    with pytest.raises(ReadError, match="is not valid JSON"):
        coco_source(coco_instances, coco_instances.parent / "images")


def test_crowds_and_empty_annotations(coco_instances: Path) -> None:
    image = coco_source(coco_instances, coco_instances.parent / "images").items[1].read()
    crowd = json.loads(coco_instances.read_text())["annotations"][3]["segmentation"]
    np.testing.assert_array_equal(image.ground_truths[0], reference_mask(crowd))
    assert image.n_objects == (1,)
    assert image.notes == ("1 of 2 annotations cover no pixel and are skipped.",)


def test_missing_and_bare_images_are_left_out_and_told(coco_instances: Path) -> None:
    missing, bare = coco_source(coco_instances, coco_instances.parent / "images").notes
    assert missing.startswith("1 of 3 annotated images are not in")
    assert "'gone.jpg'" in missing
    assert bare == "1 of 4 images have no annotation: 'bare.png'. They are left out."


def test_panoptic(coco_panoptic: Path) -> None:
    source = coco_source(coco_panoptic, coco_panoptic.parent / "images")
    assert source.kind == "coco-panoptic"
    image = source.items[0].read()
    assert set(np.unique(image.ground_truths[0])) == {0, 5, 300, 70_000}
    assert image.n_objects == (3,)
    assert image.ground_truths[0][15, 65] == 70_000
    coco_panoptic.with_suffix("").rename(coco_panoptic.parent / "elsewhere")
    with pytest.raises(ReadError, match=r"The folder .*panoptic of the panoptic PNG files does not exist"):
        coco_source(coco_panoptic, coco_panoptic.parent / "images")
    coco_source(coco_panoptic, coco_panoptic.parent / "images", masks=coco_panoptic.parent / "elsewhere").items[
        0
    ].read()


def test_fingerprint_changes_with_image_and_annotation(coco_instances: Path, coco_panoptic: Path) -> None:
    images = coco_instances.parent / "images"
    first = coco_source(coco_instances, images).items[0].fingerprint()
    edit(coco_instances, lambda content: content["annotations"][0]["segmentation"][0].__setitem__(0, 9))
    second = coco_source(coco_instances, images).items[0].fingerprint()
    iio.imwrite(images / "a.png", np.zeros((60, 80, 3), np.uint8))
    third = coco_source(coco_instances, images).items[0].fingerprint()
    assert len({json.dumps(each) for each in (first, second, third)}) == 3
    before = coco_source(coco_panoptic, images).items[0].fingerprint()
    iio.imwrite(coco_panoptic.parent / "panoptic" / "a.png", np.zeros((60, 80, 3), np.uint8))
    assert coco_source(coco_panoptic, images).items[0].fingerprint() != before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"images": [', "is not valid JSON"),
        ("[]", "lacks a list 'images' or 'annotations'"),
        ('{"images": [], "annotations": 3}', "lacks a list"),
        ('{"images": [3], "annotations": []}', "lacks a list"),
        ('{"images": [{"id": 1}], "annotations": []}', "'file_name'"),
        (
            '{"images": [{"id": 1, "file_name": "a.png"}, {"id": 1, "file_name": "b.png"}], "annotations": []}',
            "two images have the id 1",
        ),
        ('{"images": [{"id": 1, "file_name": "a.png"}], "annotations": []}', "it has no annotation"),
        ('{"images": [{"id": 1, "file_name": "a.png"}], "annotations": [{"image_id": 2}]}', "image_id 2, but no image"),
        (
            '{"images": [{"id": 1, "file_name": "a.png"}], "annotations": [{"image_id": [1]}]}',
            r"image_id \[1\], but no",
        ),
        (
            '{"images": [{"id": 1, "file_name": "x.png"}], "annotations": [{"image_id": 1}]}',
            "none of its 1 annotated images",
        ),
        (
            '{"images": [{"id": 1, "file_name": "../images/a.png"}], "annotations": [{"image_id": 1}]}',
            r"without '\.\.'",
        ),
    ],
)
def test_unusable_annotation_file(coco_instances: Path, text: str, message: str) -> None:
    coco_instances.write_text(text)
    with pytest.raises(ReadError, match=message):
        coco_source(coco_instances, coco_instances.parent / "images")


def test_missing_files_and_folders(tmp_path: Path, coco_instances: Path) -> None:
    with pytest.raises(ReadError, match=r"nothing\.json cannot be read: No such file"):
        coco_source(tmp_path / "nothing.json", tmp_path)
    with pytest.raises(ReadError, match=r"folder of images .* does not exist"):
        coco_source(coco_instances, tmp_path / "nothing")


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ([["a", "b", "c", "d", "e", "f"]], "no lists of numbers"),
        ([[1, 2, 3, 4, 5]], "a list x1, y1, x2"),
        ([[1, 2, 3, 4, 5, float("nan")]], "finite"),
        ({"size": [60, 80], "counts": [10, 20]}, "do not fit the image, of height 60 and width 80"),
        ({"size": [80, 60], "counts": [4800]}, "do not fit"),
        ({"size": [60, 80], "counts": [-5, 4805]}, "do not fit"),
        ({"size": [60, 80], "counts": "0"}, "do not fit"),
        ({"size": [60, 80], "counts": None}, "do not fit"),
    ],
)
def test_damaged_segmentation(segmentation: Any, message: str) -> None:
    with pytest.raises(ReadError, match=f"annotation 3 of a: .*{message}"):
        draw_instances([{"id": 3, "segmentation": segmentation}], (60, 80), "a")


@pytest.mark.parametrize("segmentation", [None, [], [[1, 1, 5, 5]], {}, [[200, 1, 300, 1, 300, 40]]])
def test_segmentation_without_pixels_is_skipped(segmentation: Any) -> None:
    segments, n_objects, notes = draw_instances([{"id": 3, "segmentation": segmentation}], (60, 80), "a")
    assert (segments.max(), n_objects, len(notes)) == (0, 0, 1)


def test_run_lengths_of_any_mask_are_unpacked() -> None:
    rng = np.random.default_rng(0)
    for size in range(1, 40):
        mask = np.kron(rng.random((size, 7)) < 0.4, np.ones((9, size))).astype(np.uint8)
        packed = coco_mask.encode(np.asfortranarray(mask))
        record = {"segmentation": {"size": list(mask.shape), "counts": packed["counts"].decode()}}
        np.testing.assert_array_equal(draw_instances([record], mask.shape, "a")[0], mask)


def test_image_of_another_size(coco_instances: Path) -> None:
    iio.imwrite(coco_instances.parent / "images" / "a.png", np.zeros((30, 40), np.uint8))
    item = coco_source(coco_instances, coco_instances.parent / "images").items[0]
    with pytest.raises(ReadError, match=r"a\.png has shape \(30, 40\); by its annotations .* height 60 and width 80"):
        item.read()


def test_unreadable_image(coco_instances: Path) -> None:
    path = coco_instances.parent / "images" / "a.png"
    path.write_bytes(path.read_bytes()[:90])
    with pytest.raises(ReadError, match=r"a\.png: the file is damaged"):
        coco_source(coco_instances, path.parent).items[0].read()


def test_grey_image(coco_instances: Path) -> None:
    iio.imwrite(coco_instances.parent / "images" / "a.png", np.zeros((60, 80), np.uint8))
    image = coco_source(coco_instances, coco_instances.parent / "images").items[0].read()
    assert (image.pixels.shape, image.channel_axis) == ((60, 80), None)


def test_panoptic_png_that_does_not_fit(coco_panoptic: Path) -> None:
    item = coco_source(coco_panoptic, coco_panoptic.parent / "images").items[0]
    png = coco_panoptic.parent / "panoptic" / "a.png"
    colors = iio.imread(png)
    colors[0, 0] = (9, 9, 0)
    iio.imwrite(png, colors)
    with pytest.raises(ReadError, match=r"segments that its annotation does not list: '2313'"):
        item.read()
    iio.imwrite(png, colors[::2])
    with pytest.raises(ReadError, match=r"has shape \(30, 80, 3\).* expected an 8-bit RGB image of \(60, 80\)"):
        item.read()
    png.unlink()
    with pytest.raises(ReadError, match=r"a\.png: there is no such file"):
        item.read()


def test_panoptic_annotations_that_contradict(coco_panoptic: Path) -> None:
    images = coco_panoptic.parent / "images"
    edit(coco_panoptic, lambda content: content["annotations"][0]["segments_info"].append({"id": 99}))
    assert coco_source(coco_panoptic, images).items[0].read().notes == ("1 of 4 listed segments have no pixel.",)
    edit(coco_panoptic, lambda content: content["annotations"].append(content["annotations"][0]))
    with pytest.raises(ReadError, match="has 2 panoptic annotations; expected one"):
        coco_source(coco_panoptic, images).items[0].read()
