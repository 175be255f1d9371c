"""Superpixels that exist already: pairs of files, stacks, volumes, folders."""

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

from napari_superpixels.core.metrics import evaluate
from napari_superpixels.data.sources import DataSource
from napari_superpixels.errors import ReadError
from napari_superpixels.evaluation.given import LabelFolder, measure_files
from napari_superpixels.evaluation.runs import evaluate_methods

LABELS = np.kron(np.arange(12).reshape(3, 4), np.ones((5, 5), int)).astype(np.int32)
STACK = np.stack([LABELS, LABELS // 2, LABELS // 3, LABELS % 5])
TRUTH = np.stack([LABELS // 4] * 4)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    tifffile.imwrite("labels.tif", LABELS)
    iio.imwrite("truth.png", (LABELS // 2).astype(np.uint8))
    tifffile.imwrite("stack.tif", STACK, photometric="minisblack", metadata={"axes": "ZYX"})
    tifffile.imwrite("truths.tif", TRUTH, photometric="minisblack", metadata={"axes": "ZYX"})
    return tmp_path


def test_a_pair_of_files() -> None:
    (row,) = measure_files(Path("labels.tif"), [Path("truth.png")], tolerance=1)
    assert (row.method, row.case, row.n_segments) == ("labels", "labels", None)
    assert row.metrics == evaluate(LABELS, LABELS // 2, tolerance=1)


def test_several_annotators_and_the_image() -> None:
    image = np.random.default_rng(0).integers(0, 255, (15, 20, 3), np.uint8)
    iio.imwrite("photo.png", image)
    (row,) = measure_files(Path("labels.tif"), [Path("truth.png"), Path("labels.tif")], Path("photo.png"))
    assert row.metrics == evaluate(LABELS, [LABELS // 2, LABELS], image)


def test_a_stack_is_measured_plane_by_plane() -> None:
    image = np.random.default_rng(0).random(STACK.shape).astype(np.float32)
    tifffile.imwrite("photo.tif", image, photometric="minisblack", metadata={"axes": "ZYX"})
    rows = measure_files(Path("stack.tif"), [Path("truths.tif")], Path("photo.tif"))
    assert [row.case for row in rows] == [f"stack_{i:04d}" for i in range(4)]
    assert rows[2].metrics == evaluate(STACK[2], TRUTH[2], image[2])


def test_a_volume_is_measured_as_one() -> None:
    (row,) = measure_files(Path("stack.tif"), [Path("truths.tif")], Path("stack.tif"), volume=True)
    expected = evaluate(STACK, TRUTH, STACK)
    assert row.metrics.undersegmentation_error == expected.undersegmentation_error
    assert row.metrics.explained_variation == expected.explained_variation == pytest.approx(1)


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        (["labels.tif", "stack.tif"], {}, r"stack\.tif has shape \(4, 15, 20\), labels\.tif has \(15, 20\)"),
        (["labels.tif", "truth.png"], {"volume": True}, r"labels\.tif is one plane"),
        (["labels.tif", "missing.png"], {}, r"missing\.png: there is no such file"),
        (["labels.tif", "truth.png"], {"image": Path("stack.tif")}, r"stack\.tif holds 4 planes"),
        (["labels.tif", "truth.png"], {"image": Path("missing.png")}, r"missing\.png: there is no such file"),
    ],
)
def test_files_that_do_not_fit(files: list[str], options: dict, message: str) -> None:
    superpixels, *truths = map(Path, files)
    with pytest.raises(ReadError, match=message):
        measure_files(superpixels, truths, **options)


def test_a_folder_of_superpixels(source: DataSource) -> None:
    Path("made").mkdir()
    blocks = np.kron(np.arange(12).reshape(3, 4), np.ones((20, 20), int))
    iio.imwrite("made/blocks.png", blocks.astype(np.uint8))
    tifffile.imwrite("made/disks_superpixels.tif", np.zeros((96, 96), np.int32))
    method = LabelFolder(Path("made"), source)
    rows = {row.case: row for row in evaluate_methods(source, [method], [None])}
    assert rows["blocks"].metrics.achievable_segmentation_accuracy == 1
    assert rows["disks"].metrics.n_superpixels == 1
    assert (rows["disks"].method, rows["disks"].n_segments) == ("made", None)


def test_missing_superpixels_are_listed(source: DataSource) -> None:
    Path("made").mkdir()
    iio.imwrite("made/blocks.png", np.zeros((60, 80), np.uint8))
    with pytest.raises(ReadError, match=r"1 of 2 images have no superpixels of their name in made: 'disks'"):
        LabelFolder(Path("made"), source)
    with pytest.raises(ReadError, match="nowhere does not exist"):
        LabelFolder(Path("nowhere"), source)
