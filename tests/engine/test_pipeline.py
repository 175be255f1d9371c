"""The cached stages, with and without a network."""

import hashlib
import os
import shutil

import numpy as np
import pytest

from napari_superpixels.assets import resource_path
from napari_superpixels.core.eikonal import new_cancel_flag
from napari_superpixels.core.strokes import pixel_path
from napari_superpixels.engine.corrections import Cut, Merge, Split, holds
from napari_superpixels.engine.pipeline import Pipeline
from napari_superpixels.engine.resolve import ImageInput
from napari_superpixels.errors import CancelledError, ImageError, ModelNotFoundError
from napari_superpixels.nets import checkpoint
from napari_superpixels.nets.can import CANConfig
from napari_superpixels.nets.checkpoint import save_model
from napari_superpixels.nets.registry import build_network
from napari_superpixels.params import STAGES, SegmentParams

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
RAW = SegmentParams(model=None, n_segments=12)


def given(pixels=IMAGE, key="a", **options):
    return ImageInput(pixels, source="a", key=key, **options)


def test_the_first_run_runs_everything_and_a_second_nothing():
    pipeline = Pipeline()
    first = pipeline.run(given(), RAW)
    assert first.ran == STAGES
    assert first.n_segments == 12
    again = pipeline.run(given(), RAW)
    assert again.ran == ()
    assert again.superpixels is first.superpixels
    assert again.timings == first.timings


def test_only_what_changed_runs_and_gives_what_a_fresh_run_gives():
    pipeline = Pipeline()
    pipeline.run(given(), RAW)
    for changes in ({"n_segments": 20}, {"regularity": 0.8}, {"law": "ergc"}, {"solver": "scikit-fmm"}):
        params = RAW.updated(**changes)
        cached = pipeline.run(given(), params)
        assert "network" not in cached.ran
        fresh = Pipeline().run(given(), params)
        np.testing.assert_array_equal(cached.superpixels.labels, fresh.superpixels.labels)


def test_going_back_to_a_plane_seen_before_does_not_run_the_network():
    pipeline = Pipeline()
    pipeline.run(given(key="a"), RAW)
    pipeline.run(given(IMAGE[::-1], key="b"), RAW)
    assert "network" not in pipeline.run(given(key="a"), RAW).ran


def test_the_cache_of_networks_is_bounded(monkeypatch):
    monkeypatch.setattr("napari_superpixels.engine.pipeline._NETWORK_CACHE_BYTES", 3 * IMAGE.size * 4)
    pipeline = Pipeline()
    for key in "abcdef":
        pipeline.run(given(key=key), RAW)
    assert "network" in pipeline.run(given(key="a"), RAW).ran
    assert "network" not in pipeline.run(given(key="f"), RAW).ran


def test_progress_rises_to_one():
    shares = []
    Pipeline().run(given(), RAW, progress=lambda share, text: shares.append(share))
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_progress_says_when_compiled_code_is_yet_to_come(monkeypatch):
    def texts():
        told = []
        Pipeline().run(given(), RAW, progress=lambda share, text: told.append(text))
        return set(told)

    Pipeline().run(given(), RAW)
    assert "Growing superpixels" in texts()
    assert "Preparing the solver" not in texts()
    monkeypatch.setattr("napari_superpixels.engine.pipeline.is_loaded", lambda: False)
    assert "Preparing the solver" in texts()


def test_a_cancelled_run_raises_and_leaves_the_pipeline_usable():
    pipeline = Pipeline()
    cancel = new_cancel_flag()
    cancel[0] = 1
    with pytest.raises(CancelledError):
        pipeline.run(given(), RAW, cancel=cancel)
    assert pipeline.run(given(), RAW).n_segments == 12


def test_seeds_and_mask_reach_the_solver():
    mask = np.zeros((40, 50), bool)
    mask[5:30, 5:40] = True
    masked = Pipeline().run(given(mask=mask), RAW)
    np.testing.assert_array_equal(masked.superpixels.labels > 0, mask)
    seeds = np.array([[1, 1], [30, 40]])
    seeded = Pipeline().run(given(seeds=seeds), RAW)
    np.testing.assert_array_equal(seeded.superpixels.seeds, seeds)


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (np.zeros((40, 50), bool), ImageError, "mask is empty"),
        (np.ones((40, 51), bool), ValueError, r"\(40, 51\); expected \(40, 50\)"),
    ],
)
def test_bad_masks_are_refused(mask, error, message):
    with pytest.raises(error, match=message):
        Pipeline().run(given(mask=mask), RAW)


def test_values_that_are_not_finite_are_noted():
    image = np.random.default_rng(0).random((20, 20))
    image[3, 3] = np.nan
    assert "1 values" in Pipeline().run(given(image), RAW).notes[0]


def test_a_volume_runs_plane_by_plane():
    volume = np.random.default_rng(0).random((4, 20, 24))
    result = Pipeline().run(given(volume), RAW)
    assert result.superpixels.labels.shape == volume.shape
    assert result.n_segments == 12


def test_a_mask_of_more_parts_than_superpixels_is_noted():
    mask = np.zeros((40, 50), bool)
    mask[::10, ::10] = True
    result = Pipeline().run(given(mask=mask), RAW)
    assert result.n_segments == 20
    assert "20 superpixels instead of 12" in result.notes[0]


def test_a_model_is_loaded_once_until_its_file_changes(tmp_path, monkeypatch):
    file, times = tmp_path / "mine.safetensors", (10**9, 10**9)
    load, loaded = checkpoint.load_model, []
    monkeypatch.setattr(checkpoint, "load_model", lambda name: loaded.append(name) or load(name))

    def run():
        return Pipeline().run(given(), RAW.updated(model=str(file))).network

    for seed in (0, 1):
        save_model(tmp_path / "new", build_network(CANConfig(width=5, dilations=(1,)), seed))
        os.utime(tmp_path / "new", times)  # of the same size and age as the one that it replaces
        (tmp_path / "new").replace(file)
        assert run().model_sha256 == run().model_sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert loaded == [str(file)] * 2
    file.unlink()
    with pytest.raises(ModelNotFoundError):
        run()


class TestWithTheShippedModel:
    PARAMS = SegmentParams(n_segments=12)

    def test_flattening_zero_is_the_raw_image(self):
        flattened = Pipeline().run(given(), self.PARAMS.updated(flattening=0.0, edge_weight=0.0))
        raw = Pipeline().run(given(), self.PARAMS.updated(model=None))
        np.testing.assert_array_equal(flattened.superpixels.labels, raw.superpixels.labels)

    def test_the_network_is_described(self):
        network = Pipeline().run(given(), self.PARAMS).network
        assert network.flattened is not None
        assert network.flattened.shape == IMAGE.shape
        assert network.boundary is not None
        assert network.boundary.shape == IMAGE.shape[:2]
        assert len(network.model_sha256) == 64
        assert network.seconds > 0

    def test_planes_of_a_volume_are_flattened_alone(self):
        volume = np.random.default_rng(0).random((3, 20, 24))
        result = Pipeline().run(given(volume), self.PARAMS)
        assert result.network.flattened is not None
        assert result.network.flattened.shape == (3, 20, 24, 3)
        assert result.network.boundary is not None
        assert result.network.boundary.shape == (3, 20, 24)

    def test_a_model_file_that_changed_is_run_again(self, tmp_path):
        path = tmp_path / "mine.safetensors"
        shutil.copy(resource_path("models", "natural.safetensors"), path)
        pipeline = Pipeline()
        params = self.PARAMS.updated(model=str(path))
        pipeline.run(given(), params)
        assert "network" not in pipeline.run(given(), params).ran
        os.utime(path, ns=(1, 1))
        assert "network" in pipeline.run(given(), params).ran


def test_corrections_are_a_stage_of_their_own():
    pipeline = Pipeline()
    plain = pipeline.run(given(), RAW)
    assert plain.base_labels is plain.superpixels.labels
    merge, impossible = Merge([(5, column) for column in range(45)]), Split((((9, 9),), ((9, 9),)))
    corrected = pipeline.run(given(corrections=(merge, impossible)), RAW)
    assert corrected.ran == ("corrections",)
    assert corrected.lost == (impossible,)
    assert corrected.base_labels is plain.base_labels
    assert holds(merge, corrected.superpixels.labels)
    assert not holds(merge, corrected.base_labels)
    assert corrected.n_segments == np.unique(corrected.superpixels.labels).size < plain.n_segments
    assert corrected.slowness is plain.slowness
    assert pipeline.run(given(corrections=(merge, impossible)), RAW).ran == ()


def test_corrections_hold_whatever_the_parameters():
    cut = Cut(pixel_path([(4, 4), (30, 20), (10, 45)], (40, 50)))
    split = Split((((33, 4),), ((36, 8),)))
    pipeline = Pipeline()
    for changes in ({}, {"n_segments": 3}, {"n_segments": 300}, {"law": "ergc"}, {"solver": "scikit-fmm"}):
        result = pipeline.run(given(corrections=(cut, split)), RAW.updated(**changes))
        assert result.lost == ()
        assert holds(cut, result.superpixels.labels)
        assert holds(split, result.superpixels.labels)


def test_corrections_of_volumes_are_refused():
    volume = np.random.default_rng(0).random((4, 20, 24))
    with pytest.raises(ValueError, match=r"for planes; the image has shape \(4, 20, 24\)"):
        Pipeline().run(given(volume, corrections=(Merge([(1, 1), (1, 2)]),)), RAW)
