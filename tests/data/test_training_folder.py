"""Folders to fine-tune on: those the program writes, and those of users."""

from dataclasses import replace
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

from napari_superpixels.data.training_folder import (
    TrainingItem,
    hash_pixels,
    open_training_folder,
    write_training_folder,
)
from napari_superpixels.errors import ReadError
from tests.engine.fine_tuning import discs

LAYOUTS = {
    "grey": (np.uint8, (20, 24), None, None),
    "16 bit": (np.uint16, (20, 24), None, None),
    "float": (np.float32, (20, 24), None, None),
    "grey, one sample": (np.float32, (20, 24, 1), None, None),
    "mask": (bool, (20, 24), None, None),
    "colour": (np.uint8, (20, 24, 3), None, True),
    "channels": (np.uint16, (2, 20, 24), 0, False),
    "three channels": (np.uint8, (3, 20, 24), 0, False),
}


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_what_is_written_comes_back(layout: str, tmp_path: Path) -> None:
    dtype, shape, channel_axis, rgb = LAYOUTS[layout]
    pixels = (np.random.default_rng(0).random(shape) * 200).astype(dtype)
    labels = np.zeros((20, 24), np.int32)
    labels[5:9] = 7
    annotated = np.ones((20, 24), bool)
    annotated[:, 20:] = False
    items = [
        TrainingItem("b", pixels, labels, None, "validation", channel_axis, rgb, "a layer"),
        TrainingItem("sub/a.1", pixels, labels, annotated, None, channel_axis, rgb),
    ]
    write_training_folder(tmp_path, items)
    found = open_training_folder(tmp_path)
    assert found.roles == {"b": "validation"}
    assert [item.name for item in found.source] == ["b", "sub/a.1"]
    whole, part = (item.read() for item in found.source)
    for read in (whole, part):
        expected = pixels.astype(np.uint8) if dtype is bool else pixels
        np.testing.assert_array_equal(read.pixels, expected)
        assert read.pixels.dtype == expected.dtype
        assert (read.channel_axis, read.rgb) == (channel_axis, rgb)
        assert hash_pixels(read.pixels) == hash_pixels(expected)
    assert whole.annotated is None
    np.testing.assert_array_equal(part.annotated, annotated)
    # Which pixels are of one segment stays; the numbers need not.
    for read in (whole, part):
        truth = read.ground_truths[0]
        assert len(np.unique(truth[labels == 7][truth[labels == 7] > 0])) == 1
        assert len(np.unique(truth[truth > 0])) == 2


@pytest.mark.parametrize("names", [("images/a", "labels/a"), ("images/a", "masks/a"), ("a", "a_mask"), ("a", "a_seg")])
def test_pairs_of_users(names: tuple[str, str], tmp_path: Path) -> None:
    image, labels = discs(0)
    for name, array in zip(names, (image, labels.astype(np.uint8)), strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        iio.imwrite(tmp_path / f"{name}.png", array)
    found = open_training_folder(tmp_path)
    assert found.roles == {}
    (item,) = found.source
    read = item.read()
    np.testing.assert_array_equal(read.pixels, image)
    np.testing.assert_array_equal(read.ground_truths[0], labels)
    assert read.annotated is None
    partly = open_training_folder(tmp_path, zero_is_unannotated=True).source.items[0]
    np.testing.assert_array_equal(partly.read().annotated, labels > 0)
    assert partly.fingerprint() != item.fingerprint()


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="does not exist"):
        open_training_folder(tmp_path / "nowhere")
    with pytest.raises(ReadError, match=r"no images with labels\. Expected the folders 'images' and 'labels'"):
        open_training_folder(tmp_path)
    image, labels = discs(0)
    item = TrainingItem("a", image, labels)
    with pytest.raises(ReadError, match="Two images are called 'a'"):
        write_training_folder(tmp_path, [item, item])
    with pytest.raises(ReadError, match=r"a: expected one plane, grey or in colour; received shape \(32, 40, 2\)"):
        write_training_folder(tmp_path, [replace(item, pixels=np.zeros((32, 40, 2)), labels=np.ones((32, 40), int))])
    with pytest.raises(ReadError, match="a: a ground truth has shape"):
        write_training_folder(tmp_path, [replace(item, labels=labels[:-1])])
    write_training_folder(tmp_path, [item])
    tifffile.imwrite(tmp_path / "labels" / "a.tif", labels[:-1])
    with pytest.raises(ReadError, match="ground truth has shape"):
        open_training_folder(tmp_path).source.items[0].read()
    (tmp_path / "images" / "a.tif").write_bytes(b"II*\0 no image")
    with pytest.raises(ReadError, match=r"a\.tif cannot be read"):
        open_training_folder(tmp_path).source.items[0].read()
    (tmp_path / "data.json").write_text('{"version": 2, "items": {}}')
    with pytest.raises(ReadError, match=r"data\.json cannot be understood"):
        open_training_folder(tmp_path)
