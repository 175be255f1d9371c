"""Samples to train on, and their cache."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_superpixels.data.folders import folder_source
from napari_superpixels.data.sources import DataSource, array_source, bsds_source
from napari_superpixels.engine import target_runs
from napari_superpixels.engine.target_growth import grow_targets
from napari_superpixels.engine.targets import TargetConfig, load_samples, make_sample
from napari_superpixels.errors import ReadError, WriteError
from napari_superpixels.nets.augment import Augmentation, random_crop
from napari_superpixels.nets.samples import TrainSample


def assert_equal_samples(a: TrainSample, b: TrainSample) -> None:
    for one, other in zip(
        (a.image, a.boundary, *a.labels, *a.colors), (b.image, b.boundary, *b.labels, *b.colors), strict=True
    ):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype


@pytest.fixture
def pair(photo: np.ndarray, truths: list[np.ndarray]) -> DataSource:
    return array_source([photo, photo[::-1, :, 0]], [truths, truths[0]])


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
    np.testing.assert_array_equal(sample.image, photo)
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


def test_grey_and_multichannel_images(photo: np.ndarray, truths: list[np.ndarray]) -> None:
    grey = make_sample(photo[..., 0].astype(np.uint16) * 100, truths, TargetConfig(n_segments=20))
    assert grey.image.shape == photo.shape
    assert (grey.image == grey.image[..., :1]).all()
    assert grey.image.max() == 255
    channels = make_sample(np.moveaxis(photo, -1, 0)[:2], truths, TargetConfig(n_segments=20), channel_axis=0)
    assert channels.image.shape == photo.shape
    assert len(np.unique(channels.labels[0])) == 20


def test_make_sample_refuses(photo: np.ndarray) -> None:
    with pytest.raises(ValueError, match="received none"):
        make_sample(photo, [])
    with pytest.raises(ValueError, match=r"shape \(3, 3\) does not fit"):
        make_sample(photo, [np.ones((3, 3), int)])
    with pytest.raises(ValueError, match="single planes"):
        make_sample(np.zeros((3, 5, 7)), [np.ones((3, 5, 7), int)])


@pytest.mark.parametrize("lazy", [False, True])
def test_samples_with_and_without_cache_are_equal(pair: DataSource, tmp_path: Path, lazy: bool) -> None:
    config = TargetConfig(n_segments=15)
    progress: list[tuple[int, int]] = []
    fresh = load_samples(pair, config, on_sample=lambda *n: progress.append(n))
    cached = load_samples(pair, config, cache=tmp_path, lazy=lazy, on_sample=lambda *n: progress.append(n))
    again = load_samples(pair, config, cache=tmp_path, lazy=lazy, workers=2)
    assert progress == [(1, 2), (2, 2)] * 2
    assert len(fresh) == len(cached) == len(again) == 2
    for a, b, c in zip(fresh, cached, again, strict=True):
        assert_equal_samples(a, b)
        assert_equal_samples(a, c)


def test_lazy_samples(pair: DataSource, tmp_path: Path) -> None:
    samples = load_samples(pair, cache=tmp_path, lazy=True)
    copied = pickle.loads(pickle.dumps(samples))
    assert_equal_samples(copied[-1], samples[1])
    assert len(samples[1:]) == 1
    with pytest.raises(IndexError):
        _ = samples[2]
    with pytest.raises(ValueError, match="need a cache"):
        load_samples(pair, lazy=True)
    other = load_samples(
        array_source([np.zeros((5, 5))] * 2, [np.ones((5, 5), int)] * 2), cache=tmp_path / "b", lazy=True
    )
    for path in (tmp_path / "b").iterdir():
        path.write_bytes((tmp_path / path.name).read_bytes())
    with pytest.raises(ReadError, match="belong to another image than 0000"):
        _ = other[0]


def test_targets_that_another_run_made_anew_are_not_mixed_in(pair: DataSource, tmp_path: Path) -> None:
    samples = load_samples(pair, TargetConfig(n_segments=15), cache=tmp_path, lazy=True)
    assert_equal_samples(samples[0], load_samples(pair, TargetConfig(n_segments=15))[0])
    others = load_samples(pair, TargetConfig(n_segments=20), cache=tmp_path, lazy=True)
    with pytest.raises(ReadError, match=r"0000\.npz are no longer those of this run.*--cache"):
        _ = samples[0]
    assert len(np.unique(others[0].labels[0])) == 20
    again = load_samples(pair, TargetConfig(n_segments=15), cache=tmp_path, lazy=True)
    assert_equal_samples(samples[1], again[1])


@pytest.mark.parametrize("cached", [False, True])
def test_failing_image_is_named(tmp_path: Path, cached: bool) -> None:
    for place, array in (("images", np.full((9, 9), np.nan, np.float32)), ("labels", np.ones((9, 9), np.uint8))):
        (tmp_path / place).mkdir()
        tifffile.imwrite(tmp_path / place / "dark.tif", array)
    source = folder_source(tmp_path / "images", tmp_path / "labels")
    with pytest.raises(ReadError, match="dark: The image holds no finite value"):
        load_samples(source, cache=tmp_path / "cache" if cached else None)
    (tmp_path / "images" / "dark.tif").write_bytes(b"II*\0")
    with pytest.raises(ReadError, match=r"dark\.tif: the file is damaged"):
        load_samples(source, cache=tmp_path / "cache" if cached else None)


def test_cached_bsds_targets_come_back(bsds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = TargetConfig(n_segments=15)
    fresh = load_samples(bsds_source(bsds, "train"), config, cache=tmp_path / "cache")
    monkeypatch.setattr(target_runs, "grow_targets", lambda *arguments: pytest.fail("the cache was not used"))
    cached = load_samples(bsds_source(bsds, "train"), config, cache=tmp_path / "cache")
    for a, b in zip(fresh, cached, strict=True):
        assert_equal_samples(a, b)
    for a, b in zip(fresh, load_samples(bsds_source(bsds, "train"), config), strict=True):
        assert_equal_samples(a, b)


def test_damaged_cache(bsds: Path, tmp_path: Path) -> None:
    load_samples(bsds_source(bsds, "train"), cache=tmp_path / "cache")
    path = sorted((tmp_path / "cache").rglob("*.npz"))[0]
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ReadError, match=r"100\.npz exists and was not written by this command, or is damaged"):
        load_samples(bsds_source(bsds, "train"), cache=tmp_path / "cache")


def test_cache_that_cannot_be_written(bsds: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WriteError, match="cannot be written"):
        load_samples(bsds_source(bsds, "train"), cache=tmp_path / "file")


@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
def test_labels_that_do_not_hold_change_no_target(photo: np.ndarray, truths: list[np.ndarray], dtype: type) -> None:
    annotated = np.zeros(truths[0].shape, bool)
    annotated[5:25, 8:45] = True
    noise = np.random.default_rng(0).integers(0, 200, annotated.shape)
    first, second = (
        grow_targets(photo, [labels.astype(dtype)], TargetConfig(n_segments=40), annotated=annotated)[1]
        for labels in (np.where(annotated, truths[0] - truths[0].min(), 7), np.where(annotated, truths[0] - 1, noise))
    )
    np.testing.assert_array_equal(first.labels[0], second.labels[0])
    np.testing.assert_array_equal(first.boundary, second.boundary)
    np.testing.assert_array_equal(first.colors[0], second.colors[0])
    inside, outside = (set(np.unique(first.labels[0][where])) for where in (annotated, ~annotated))
    assert not inside & outside  # no superpixel mixes what is known with what is not
    assert first.boundary[~annotated].max() == first.boundary[5, 8:45].max() == 0  # the area's rim is no border


def test_areas_too_thin_for_a_border_still_teach(photo: np.ndarray, truths: list[np.ndarray]) -> None:
    annotated = np.zeros(truths[0].shape, bool)
    annotated[10:12] = True
    (sample,) = load_samples(array_source([photo], [truths[0]], annotated=[annotated]))
    crop = random_crop(sample, np.random.default_rng(0), 16, Augmentation())
    assert crop[3][..., 0].any()
    assert not crop[3][..., 1].any()


@pytest.mark.parametrize("lazy", [False, True])
def test_annotated_areas_come_back_from_the_cache(pair: DataSource, tmp_path: Path, lazy: bool) -> None:
    reads = [item.read() for item in pair]
    areas = [np.indices(read.ground_truths[0].shape)[1] < 20 for read in reads]
    source = array_source(
        [r.pixels for r in reads], [r.ground_truths for r in reads], annotated=[areas[0], np.ones_like(areas[1])]
    )
    load_samples(pair, cache=tmp_path)  # targets of the same images, annotated everywhere, are no use
    first, second = load_samples(source, cache=tmp_path, lazy=lazy)
    np.testing.assert_array_equal(first.annotated, areas[0])
    assert second.annotated is None
    assert_equal_samples(first, load_samples(source)[0])
