"""The BSDS500 reader, on a tiny data set in the same layout."""

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from scipy.io import savemat

from napari_superpixels.data.bsds import list_bsds, read_bsds
from napari_superpixels.errors import ReadError


def _write_truth(path: Path, segmentations: list[np.ndarray]) -> None:
    cells = np.empty((1, len(segmentations)), dtype=object)
    for i, segmentation in enumerate(segmentations):
        cells[0, i] = {"Segmentation": segmentation.astype(np.uint16), "Boundaries": np.zeros((2, 2), np.uint8)}
    savemat(path, {"groundTruth": cells})


@pytest.fixture
def bsds(tmp_path: Path) -> Path:
    for part in ("images", "groundTruth"):
        (tmp_path / part / "train").mkdir(parents=True)
    for number, name in enumerate(("8143", "12003")):
        image = np.full((6, 9, 3), 40 * (number + 1), np.uint8)
        iio.imwrite(tmp_path / "images" / "train" / f"{name}.jpg", image)
        truths = [np.arange(54).reshape(6, 9) // 27 + 1 + i for i in range(number + 1)]
        _write_truth(tmp_path / "groundTruth" / "train" / f"{name}.mat", truths)
    (tmp_path / "images" / "train" / "Thumbs.db").write_bytes(b"no image")
    return tmp_path


def test_samples_come_in_order_with_every_annotator(bsds: Path) -> None:
    samples = [read_bsds(bsds, "train", name) for name in list_bsds(bsds, "train")]
    assert [sample.name for sample in samples] == ["12003", "8143"] == list_bsds(str(bsds), "train")
    assert [len(sample.ground_truths) for sample in samples] == [2, 1]
    first = samples[0]
    assert first.image.shape == (6, 9, 3)
    assert first.image.dtype == np.uint8
    assert abs(int(first.image.mean()) - 80) <= 1
    np.testing.assert_array_equal(first.ground_truths[1], np.arange(54).reshape(6, 9) // 27 + 2)
    assert first.ground_truths[0].dtype == np.int32


def test_missing_split(bsds: Path) -> None:
    with pytest.raises(ReadError, match=r"split 'test': the folder images/test is missing"):
        list_bsds(bsds, "test")


def test_folder_without_images(bsds: Path) -> None:
    for path in (bsds / "images" / "train").iterdir():
        path.unlink()
    with pytest.raises(ReadError, match=r"holds no \.jpg image"):
        list_bsds(bsds, "train")


@pytest.mark.parametrize("part", ["images/train/8143.jpg", "groundTruth/train/8143.mat"])
def test_missing_file(bsds: Path, part: str) -> None:
    (bsds / part).unlink()
    with pytest.raises(ReadError, match=r"8143.* is missing"):
        read_bsds(bsds, "train", "8143")


@pytest.mark.parametrize("part", ["images/train/8143.jpg", "groundTruth/train/8143.mat"])
@pytest.mark.parametrize("content", [b"", b"not what it says", b"\x80\x04K\x01."])
def test_damaged_file(bsds: Path, part: str, content: bytes) -> None:
    (bsds / part).write_bytes(content)
    with pytest.raises(ReadError, match="cannot be read"):
        read_bsds(bsds, "train", "8143")


def test_another_mat_file(bsds: Path) -> None:
    savemat(bsds / "groundTruth" / "train" / "8143.mat", {"something": np.zeros(3)})
    with pytest.raises(ReadError, match="cannot be read as a BSDS500 annotation"):
        read_bsds(bsds, "train", "8143")


def test_no_annotator(bsds: Path) -> None:
    _write_truth(bsds / "groundTruth" / "train" / "8143.mat", [])
    with pytest.raises(ReadError, match="holds no annotator"):
        read_bsds(bsds, "train", "8143")


def test_grey_image(bsds: Path) -> None:
    iio.imwrite(bsds / "images" / "train" / "8143.jpg", np.zeros((6, 9), np.uint8))
    with pytest.raises(ReadError, match=r"expected an 8-bit RGB image, received shape \(6, 9\)"):
        read_bsds(bsds, "train", "8143")


def test_annotation_of_another_image(bsds: Path) -> None:
    _write_truth(bsds / "groundTruth" / "train" / "8143.mat", [np.ones((9, 6))])
    with pytest.raises(ReadError, match=r"shape \(9, 6\), its image \(6, 9\)"):
        read_bsds(bsds, "train", "8143")
