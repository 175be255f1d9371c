"""Folders of images with folders of label images."""

import os
import pickle
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_superpixels.data.folders import folder_source
from napari_superpixels.errors import ReadError

TRUTH = np.kron([[0, 1, 2], [0, 3, 3]], np.ones((10, 8), np.uint8)).astype(np.uint8)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Return a folder with three images and their labels, one pair in a subfolder."""
    rng = np.random.default_rng(0)
    for name, truth in (("a.png", "a.tif"), ("b.tif", "b.png"), ("sub/c.jpg", "sub/c.png")):
        for path, array in ((tmp_path / "images" / name, rng.integers(0, 255, TRUTH.shape, np.uint8)),
                            (tmp_path / "labels" / truth, TRUTH)):  # fmt: skip
            path.parent.mkdir(parents=True, exist_ok=True)
            iio.imwrite(path, array)
    return tmp_path


def read(root: Path, name: str = "a", **options: Any) -> Any:
    source = folder_source(root / "images", root / "labels", **options)
    return {item.name: item for item in source}[name].read()


def test_images_and_labels_are_matched_by_name(folders: Path) -> None:
    source = folder_source(str(folders / "images"), str(folders / "labels"))
    assert [item.name for item in source] == ["a", "b", "sub/c"]
    assert (source.kind, source.notes) == ("folders", ())
    for item in source:
        image = pickle.loads(pickle.dumps(item)).read()
        np.testing.assert_array_equal(image.ground_truths[0], TRUTH)
        assert image.ground_truths[0].dtype == np.int32
        assert image.n_objects == (3,)
        assert image.pixels.shape == TRUTH.shape


def test_hidden_folders_are_passed_over(folders: Path) -> None:
    for place in ("images", "labels"):
        (folders / place / "sub" / ".ipynb_checkpoints").mkdir()
        iio.imwrite(folders / place / "sub" / ".ipynb_checkpoints" / "d.png", TRUTH)
    source = folder_source(folders / "images", folders / "labels")
    assert [item.name for item in source] == ["a", "b", "sub/c"]


def test_one_folder_for_each_annotator(folders: Path) -> None:
    (folders / "second").mkdir()
    iio.imwrite(folders / "second" / "a.png", TRUTH[:, ::-1])
    source = folder_source(folders / "images", [folders / "labels", folders / "second"])
    assert [len(item.read().ground_truths) for item in source] == [2, 1, 1]
    np.testing.assert_array_equal(source.items[0].read().ground_truths[1], TRUTH[:, ::-1])


@pytest.mark.parametrize("place", ["labels", "images"])
def test_labels_whose_names_end_differently(folders: Path, place: str) -> None:
    for path in list((folders / "labels").rglob("*.*")):
        target = folders / place / path.relative_to(folders / "labels")
        path.rename(target.with_name(f"{path.stem}_mask{path.suffix}"))
    source = folder_source(folders / "images", folders / place, label_ending="_mask")
    assert [item.name for item in source] == ["a", "b", "sub/c"]
    np.testing.assert_array_equal(source.items[2].read().ground_truths[0], TRUTH)


def test_same_folder_without_ending(folders: Path) -> None:
    with pytest.raises(ReadError, match="is given for images and for labels; name the ending"):
        folder_source(folders / "images", folders / "images")


def test_partly_labelled_images(folders: Path) -> None:
    (folders / "labels" / "a.tif").unlink()
    iio.imwrite(folders / "labels" / "z.png", TRUTH)
    with pytest.raises(
        ReadError, match=r"1 of 3 images have no labels: 'a'\. 1 of 3 label images have no image: 'z'\."
    ):
        folder_source(folders / "images", folders / "labels")
    source = folder_source(folders / "images", folders / "labels", partial=True)
    assert [item.name for item in source] == ["b", "sub/c"]
    assert all(note.endswith("They are left out.") for note in source.notes)
    assert len(source.notes) == 2


def test_nothing_matches(folders: Path) -> None:
    for path in list((folders / "labels").rglob("*.*")):
        path.rename(path.with_name(f"{path.stem}_seg{path.suffix}"))
    with pytest.raises(ReadError, match=r"No image of .* there are for example 'a' and 'a_seg'"):
        folder_source(folders / "images", folders / "labels", partial=True)


def test_folders_without_content(folders: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReadError, match="empty holds no image"):
        folder_source(tmp_path / "empty", folders / "labels")
    with pytest.raises(ReadError, match="empty holds no label image"):
        folder_source(folders / "images", tmp_path / "empty")
    with pytest.raises(ReadError, match="nothing does not exist"):
        folder_source(folders / "images", tmp_path / "nothing")
    with pytest.raises(ReadError, match="No folder of labels"):
        folder_source(folders / "images", [])


def test_two_images_of_one_name(folders: Path) -> None:
    iio.imwrite(folders / "images" / "a.jpg", TRUTH)
    with pytest.raises(ReadError, match=r"a\.jpg and .*a\.png have the same name"):
        folder_source(folders / "images", folders / "labels")


def test_stack_comes_plane_by_plane(folders: Path) -> None:
    stack = np.random.default_rng(0).integers(0, 9999, (3, 20, 24), np.uint16)
    truths = np.stack([TRUTH, TRUTH + 1, TRUTH * np.uint16(300)])
    tifffile.imwrite(folders / "images" / "s.tif", stack, photometric="minisblack", metadata={"axes": "ZYX"})
    tifffile.imwrite(folders / "labels" / "s.tif", truths.astype(np.uint16), photometric="minisblack")
    source = folder_source(folders / "images", folders / "labels")
    assert [item.name for item in source][2:5] == ["s_0000", "s_0001", "s_0002"]
    for i, item in enumerate(source.items[2:5]):
        image = item.read()
        np.testing.assert_array_equal(image.pixels, stack[i])
        np.testing.assert_array_equal(image.ground_truths[0], truths[i])
    assert len({str(item.fingerprint()) for item in source}) == 6
    tifffile.imwrite(folders / "images" / "s.tif", stack[::-1], photometric="minisblack", metadata={"axes": "ZYX"})
    os.utime(folders / "images" / "s.tif", (1, 1))
    np.testing.assert_array_equal(source.items[2].read().pixels, stack[2])


def test_stack_whose_axes_have_no_names_comes_plane_by_plane(folders: Path) -> None:
    stack = np.arange(2 * 3 * TRUTH.size, dtype=np.uint16).reshape(2, 3, *TRUTH.shape)
    for place in ("images", "labels"):
        tifffile.imwrite(folders / place / "s.tif", stack, photometric="minisblack")
    source = folder_source(folders / "images", folders / "labels")
    assert [item.name for item in source][2:8] == [f"s_000{i}" for i in range(6)]
    image = source.items[6].read()
    np.testing.assert_array_equal(image.pixels, stack[1, 1])
    np.testing.assert_array_equal(image.ground_truths[0], stack[1, 1])


@pytest.mark.parametrize(
    ("image", "truth"), [((2, 20, 24), (3, 20, 24)), ((20, 24), (3, 20, 24)), ((2, 20, 24), (20, 24))]
)
def test_stack_with_another_number_of_planes(folders: Path, image: tuple[int, ...], truth: tuple[int, ...]) -> None:
    tifffile.imwrite(folders / "images" / "b.tif", np.zeros(image, np.uint8), photometric="minisblack")
    (folders / "labels" / "b.png").unlink()
    tifffile.imwrite(folders / "labels" / "b.tif", np.zeros(truth, np.uint8), photometric="minisblack")
    with pytest.raises(ReadError, match=r"labels.b\.tif .*plane"):
        folder_source(folders / "images", folders / "labels").items[1].read()


def test_multichannel_and_rgb_images(folders: Path) -> None:
    channels = np.zeros((5, 20, 24), np.uint8)
    tifffile.imwrite(folders / "images" / "b.tif", channels, photometric="minisblack", metadata={"axes": "CYX"})
    image = read(folders, "b")
    assert (image.pixels.shape, image.channel_axis) == ((5, 20, 24), 0)
    iio.imwrite(folders / "images" / "a.png", np.zeros((20, 24, 4), np.uint8))
    image = read(folders)
    assert (image.pixels.shape, image.rgb) == ((20, 24, 4), True)


def test_colours_are_labels(folders: Path) -> None:
    (folders / "labels" / "a.tif").unlink()
    colors = np.array([[0, 0, 0], [200, 0, 0], [0, 200, 0], [0, 0, 200]], np.uint8)
    Image.fromarray(colors[TRUTH]).save(folders / "labels" / "a.png")
    image = read(folders)
    assert image.n_objects == (3,)
    np.testing.assert_array_equal(image.ground_truths[0], np.array([0, 200, 200 * 256, 200 * 65536])[TRUTH])


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("colors", [[0, 1, 2, 0], [0, 1, 1, 2], [3, 0, 1, 2]], ids=["black", "shared", "white 0"])
def test_numbers_of_a_palette_are_labels_whatever_their_colours(folders: Path, suffix: str, colors: list[int]) -> None:
    (folders / "labels" / "a.tif").unlink()
    palette = np.zeros((256, 3), np.uint8)
    palette[:4] = np.array([[0, 0, 0], [200, 0, 0], [0, 200, 0], [255, 255, 255]])[colors]
    path = folders / "labels" / f"a{suffix}"
    if suffix == ".png":
        picture = Image.fromarray(TRUTH)
        picture.putpalette(palette.tobytes())
        picture.save(path, transparency=0)
    else:
        tifffile.imwrite(path, TRUTH, photometric="palette", colormap=palette.T.astype(np.uint16) * 257)
    image = read(folders)
    np.testing.assert_array_equal(image.ground_truths[0], TRUTH)
    assert image.n_objects == (3,)


def test_an_image_that_is_its_own_labels_keeps_colours_and_numbers(folders: Path) -> None:
    colormap = np.random.default_rng(0).integers(0, 65536, (3, 256), np.uint16)
    for place in ("images", "labels"):
        path = folders / place / "s.tif"
        tifffile.imwrite(path, np.stack([TRUTH, TRUTH + 1]), photometric="palette", colormap=colormap)
    image = read(folders, "s_0001")
    assert (image.pixels.shape, image.rgb) == ((*TRUTH.shape, 3), True)
    np.testing.assert_array_equal(image.ground_truths[0], TRUTH + 1)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (TRUTH.astype(np.float32), "values of type float32; labels are whole numbers"),
        (np.full(TRUTH.shape, np.nan, np.float32), "values of type float32"),
        (np.zeros((4, *TRUTH.shape), np.uint16), "planes"),
        (TRUTH[::2], r"a: a ground truth has shape \(10, 24\), its image \(20, 24\)"),
    ],
)
def test_labels_that_cannot_be_used(folders: Path, labels: np.ndarray, message: str) -> None:
    tifffile.imwrite(folders / "labels" / "a.tif", labels, photometric="minisblack")
    with pytest.raises(ReadError, match=message):
        read(folders)


@pytest.mark.parametrize(("place", "name"), [("images", "a.png"), ("labels", "a.tif"), ("images", "b.tif")])
def test_damaged_file_is_named(folders: Path, place: str, name: str) -> None:
    path = folders / place / name
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ReadError, match=rf"{place}.{name}: the file is damaged"):
        read(folders, name[0])


def test_file_that_vanishes(folders: Path) -> None:
    source = folder_source(folders / "images", folders / "labels")
    (folders / "images" / "a.png").unlink()
    with pytest.raises(ReadError, match=r"a\.png: there is no such file"):
        source.items[0].read()
    assert source.items[0].fingerprint()[0] == ["a.png"]
