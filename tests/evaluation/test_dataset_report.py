"""The report on a data set and its targets."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_superpixels.data.sources import DataSource, array_source
from napari_superpixels.engine.target_growth import TargetConfig
from napari_superpixels.engine.target_runs import TargetResult, run_targets
from napari_superpixels.errors import WriteError
from napari_superpixels.evaluation.dataset_report import as_markdown, summarise, write_report

CONFIG = TargetConfig(n_segments=12)
FIGURES = ["examples.png", "examples.svg", "statistics.png", "statistics.svg"]


@pytest.fixture
def source(color_blocks: np.ndarray) -> DataSource:
    """Return three images of two sizes, one with two annotators and one that cannot be used."""
    truth = np.zeros((60, 80), int)
    truth[10:20, 10:30], truth[40:50, 50:60] = 1, 2
    small = color_blocks[:30, :40]
    images = [color_blocks, small, np.full((5, 5), np.nan)]
    return array_source(images, [[truth, truth > 1], truth[:30, :40], np.zeros((5, 5), int)], names=["a", "b", "bad"])


@pytest.fixture
def results(source: DataSource, tmp_path: Path) -> list[TargetResult]:
    return list(run_targets(source, tmp_path / "targets", CONFIG, workers=1))


def test_numbers(source: DataSource, results: list[TargetResult]) -> None:
    summary = summarise(source, CONFIG, results)
    assert (summary["n_images"], summary["n_with_targets"], summary["n_annotations"]) == (3, 2, 3)
    assert list(summary["failures"]) == ["bad"]
    assert (summary["height"]["min"], summary["height"]["max"]) == (30, 60)
    assert (summary["width"]["median"], summary["annotators_per_image"]["mean"]) == (60, 1.5)
    assert summary["most_common_shapes"] == [[60, 80, 1], [30, 40, 1]]
    assert summary["objects_per_annotation"] == {"min": 1, "q25": 1, "median": 1, "mean": 4 / 3, "q75": 1.5, "max": 2}
    assert (summary["segment_size_px"]["min"], summary["segment_size_px"]["max"]) == (100, 200)
    assert summary["segment_size_share"]["max"] == pytest.approx(200 / 1200)
    assert summary["superpixels_made"]["max"] == summary["superpixels_asked"]["min"] == 12
    assert summary["superpixel_size_px"]["max"] == 400
    assert summary["n_annotations_with_more_than_asked"] == 0


def test_files(source: DataSource, results: list[TargetResult], tmp_path: Path) -> None:
    written = write_report(tmp_path / "report", source, CONFIG, results)
    assert sorted(path.name for path in written) == sorted([*FIGURES, "summary.json", "summary.md"])
    assert json.loads((tmp_path / "report" / "summary.json").read_text()) == summarise(source, CONFIG, results)
    text = (tmp_path / "report" / "summary.md").read_text()
    assert "2 of 3 images have targets" in text
    assert "| superpixels made | 12 | 12 | 12 | 12 | 12 | 12 |" in text
    assert "- bad: The image holds no finite value" in text
    with Image.open(tmp_path / "report" / "examples.png") as picture:
        shown = np.asarray(picture.convert("RGB"))
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) > 12
    before = {path.name: path.read_bytes() for path in written}
    assert {
        path.name: path.read_bytes() for path in write_report(tmp_path / "report", source, CONFIG, results)
    } == before


def test_more_superpixels_than_asked_are_told(tmp_path: Path) -> None:
    truth = np.arange(16).reshape(4, 4).repeat(5, axis=0).repeat(5, axis=1)
    source = array_source([np.zeros((20, 20))], [truth])
    config = TargetConfig(n_segments=2)
    summary = summarise(source, config, list(run_targets(source, tmp_path, config, workers=1)))
    assert summary["n_annotations_with_more_than_asked"] == 1
    assert "1 of 1 annotations have more superpixels than asked for" in as_markdown(summary)


@pytest.mark.parametrize("n_failed", [0, 1])
def test_without_any_target(source: DataSource, results: list[TargetResult], tmp_path: Path, n_failed: int) -> None:
    written = write_report(tmp_path / "report", source, CONFIG, results[2 : 2 + n_failed])
    assert [path.name for path in written] == ["summary.json", "summary.md"]
    assert "0 of 3 images have targets" in written[1].read_text()


def test_image_without_objects_and_many_sizes(tmp_path: Path) -> None:
    shapes = [(20 + i, 30) for i in range(12)]
    source = array_source([np.zeros(shape) for shape in shapes], [np.zeros(shape, int) for shape in shapes])
    results = list(run_targets(source, tmp_path, CONFIG, workers=1))
    written = write_report(tmp_path / "report", source, CONFIG, results)
    assert "objects per annotation | 0 | 0" in written[1].read_text()
    assert sorted(path.name for path in written[2:]) == FIGURES


def test_image_that_is_gone(results: list[TargetResult], source: DataSource, tmp_path: Path) -> None:
    for result in results[:2]:
        result.path.unlink()
    written = write_report(tmp_path / "report", source, CONFIG, results)
    assert sorted(path.name for path in written) == ["statistics.png", "statistics.svg", "summary.json", "summary.md"]


def test_folder_that_cannot_be_written(source: DataSource, results: list[TargetResult], tmp_path: Path) -> None:
    (tmp_path / "report").write_text("")
    with pytest.raises(WriteError, match="cannot be written"):
        write_report(tmp_path / "report", source, CONFIG, results)
