"""Targets from ground truth, and their cache."""

from pathlib import Path

import numpy as np
import pytest

from napari_superpixels.engine import target_runs
from napari_superpixels.engine.targets import TargetConfig, load_bsds_samples, make_sample
from napari_superpixels.errors import ReadError, WriteError


def test_superpixels_do_not_cross_the_ground_truth(photo: np.ndarray, truths: list[np.ndarray]) -> None:
    sample = make_sample(photo, truths, TargetConfig(n_segments=30))
    assert len(sample.labels) == len(sample.colors) == 2
    for labels, truth in zip(sample.labels, truths, strict=True):
        assert labels.shape == photo.shape[:2]
        assert len(np.unique(labels)) == 30
        pairs = np.unique(np.stack([labels.ravel().astype(int), truth.ravel()]), axis=1)
        assert pairs.shape[1] == 30  # each superpixel meets one region only


def test_colors_are_the_means_of_the_image(photo: np.ndarray, truths: list[np.ndarray]) -> None:
    sample = make_sample(photo, truths, TargetConfig(n_segments=12))
    for labels, colors in zip(sample.labels, sample.colors, strict=True):
        for k in range(1, 13):
            np.testing.assert_allclose(colors[k], sample.image[labels == k].mean(axis=0) / 255, rtol=1e-5)


def test_boundary_is_the_share_of_annotators(photo: np.ndarray, truths: list[np.ndarray]) -> None:
    boundary = make_sample(photo, truths).boundary
    assert set(np.unique(boundary)) == {0, 128, 255}
    assert boundary[17, 50] == boundary[18, 50] == 128  # the first annotator's border, on both sides
    assert boundary[0, 0] == 0


def test_ground_truth_may_start_at_zero_or_below(photo: np.ndarray, truths: list[np.ndarray]) -> None:
    first, second = (make_sample(photo, [truth], TargetConfig(n_segments=20)) for truth in (truths[0], truths[0] - 5))
    np.testing.assert_array_equal(first.labels[0], second.labels[0])


def test_more_regions_than_superpixels_asked_for(photo: np.ndarray) -> None:
    truth = np.arange(16).reshape(4, 4).repeat(10, axis=0).repeat(14, axis=1)
    assert len(np.unique(make_sample(photo, [truth], TargetConfig(n_segments=3)).labels[0])) == 16


def test_make_sample_refuses(photo: np.ndarray) -> None:
    with pytest.raises(ValueError, match="received none"):
        make_sample(photo, [])
    with pytest.raises(ValueError, match=r"shape \(3, 3\) does not fit"):
        make_sample(photo, [np.ones((3, 3), int)])


def test_cached_targets_come_back(bsds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = TargetConfig(n_segments=15)
    progress: list[tuple[int, int]] = []
    fresh = load_bsds_samples(bsds, "train", config, cache=tmp_path / "cache", on_sample=lambda *n: progress.append(n))
    assert progress == [(1, 2), (2, 2)]
    monkeypatch.setattr(target_runs, "grow_targets", lambda *arguments: pytest.fail("the cache was not used"))
    cached = load_bsds_samples(bsds, "train", config, cache=tmp_path / "cache")
    for a, b in zip(fresh, cached, strict=True):
        np.testing.assert_array_equal(a.image, b.image)
        np.testing.assert_array_equal(a.boundary, b.boundary)
        for one, other in zip((*a.labels, *a.colors), (*b.labels, *b.colors), strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype


def test_other_targets_are_grown_anew(bsds: Path, tmp_path: Path) -> None:
    for n_segments in (15, 20):
        samples = load_bsds_samples(bsds, "train", TargetConfig(n_segments=n_segments), cache=tmp_path / "cache")
        assert samples[0].labels[0].max() == n_segments


def test_damaged_cache(bsds: Path, tmp_path: Path) -> None:
    load_bsds_samples(bsds, "train", cache=tmp_path / "cache")
    path = sorted((tmp_path / "cache").rglob("*.npz"))[0]
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ReadError, match=r"100\.npz exists and was not written by this command, or is damaged"):
        load_bsds_samples(bsds, "train", cache=tmp_path / "cache")


def test_cache_that_cannot_be_written(bsds: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WriteError, match="cannot be written"):
        load_bsds_samples(bsds, "train", cache=tmp_path / "file")
