"""Measures of a session's results: after each solve, only when wanted, never in its way."""

import re
import threading
import time

import numpy as np
import pytest

import napari_superpixels.engine.quality as quality_module
from napari_superpixels.core.metrics import evaluate
from napari_superpixels.engine.quality import GroundTruth, Quality, QualityMeter
from napari_superpixels.engine.resolve import ImageInput
from napari_superpixels.engine.session import Session
from napari_superpixels.errors import ImageError
from napari_superpixels.params import SegmentParams, ViewParams

RAW = SegmentParams(model=None, n_segments=12)
WAIT = 20.0


class Watched(QualityMeter):
    """A meter of a session of its own, that keeps what it emitted and can be waited for."""

    def __init__(self, pixels, view=None):
        self.session = Session(RAW, view or ViewParams(quality_open=True))
        self.truth: GroundTruth | None = None
        self.misfit = ""
        self.told: list[str] = []
        self.qualities: list[Quality] = []
        self.has_measured = threading.Event()
        super().__init__(self.session, self.find, dispatch=lambda function: function())
        self.measured.connect(self.note)
        self.outdated.connect(lambda: self.told.append("outdated"))
        self.cleared.connect(lambda: self.told.append("cleared"))
        self.session.set_input(ImageInput(pixels, source="a", key="a"))
        self.told.clear()

    def find(self, inputs):
        if self.misfit:
            raise ImageError(self.misfit)
        return self.truth

    def note(self, quality):
        self.qualities.append(quality)
        self.has_measured.set()

    def wait(self):
        assert self.has_measured.wait(WAIT)
        self.has_measured.clear()
        return self.qualities[-1]


@pytest.fixture
def meter(color_blocks):
    meter = Watched(color_blocks)
    yield meter
    meter.close()
    meter.session.close()


@pytest.fixture
def blocks_truth():
    return np.kron(np.arange(12).reshape(3, 4), np.ones((20, 20), int))


def wait_idle(session):
    deadline = time.monotonic() + WAIT
    while session.is_busy and time.monotonic() < deadline:
        time.sleep(0.005)


def test_each_result_is_measured_without_ground_truth(meter):
    meter.session.segment()
    quality = meter.wait()
    assert quality is meter.quality
    assert quality.result is meter.session.result
    assert quality.metrics is None
    assert quality.missed is None
    assert quality.problem == ""
    assert len(quality.regions.sizes) == 12
    assert quality.regions.sizes.sum() == 60 * 80
    assert quality.regions.boundary_contrast > 10
    meter.session.update(n_segments=20)
    assert len(meter.wait().regions.sizes) == 20
    assert set(meter.told) == {"outdated"}


def test_measures_are_those_of_evaluate(meter, color_blocks, blocks_truth):
    meter.truth = GroundTruth("blocks", lambda: blocks_truth)
    meter.session.update_view(tolerance=1)
    meter.set_wants_missed(True)
    meter.session.segment()
    quality = meter.wait()
    labels = quality.result.superpixels.labels
    assert quality.metrics == evaluate(labels, blocks_truth, color_blocks / np.float32(255), 1)
    assert quality.missed.shape == labels.shape
    assert quality.missed.any() == (quality.metrics.boundary_recall < 1)


@pytest.mark.parametrize("kind", ["grey", "volume", "channels"])
def test_images_of_other_kinds(noisy_disks, kind):
    pixels = {
        "grey": noisy_disks,
        "volume": np.stack([noisy_disks[:40, :40]] * 5),
        "channels": np.stack([noisy_disks, noisy_disks.T]),
    }[kind]
    meter = Watched(pixels)
    try:
        if kind == "channels":
            meter.session.set_input(ImageInput(pixels, source="b", key="b", channel_axis=0))
        shape = pixels.shape if kind != "channels" else pixels.shape[1:]
        meter.truth = GroundTruth("disks", np.broadcast_to(noisy_disks[: shape[-2], : shape[-1]] > 6000, shape))
        meter.session.segment()
        quality = meter.wait()
        assert quality.problem == ""
        assert quality.metrics.achievable_segmentation_accuracy > 0.7
        assert 0 < quality.metrics.explained_variation <= 1
    finally:
        meter.close()
        meter.session.close()


def test_nothing_is_measured_while_closed(color_blocks):
    meter = Watched(color_blocks, ViewParams())
    try:
        meter.session.segment()
        wait_idle(meter.session)
        assert not meter.has_measured.wait(0.3)
        assert meter.told == []
        meter.session.update_view(quality_open=True)
        assert meter.wait().result is meter.session.result
    finally:
        meter.close()
        meter.session.close()


def test_missed_pixels_are_kept_up_to_date_while_closed(color_blocks, blocks_truth):
    meter = Watched(color_blocks, ViewParams())
    try:
        meter.truth = GroundTruth("blocks", blocks_truth)
        meter.set_wants_missed(True)
        meter.session.segment()
        assert meter.wait().missed is not None
    finally:
        meter.close()
        meter.session.close()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.ones((60, 81), int), "'blocks' has shape \\(60, 81\\) here, the superpixels have \\(60, 80\\)"),
        (np.ones((60, 80)), "holds float64; expected integer labels"),
        (np.full((60, 80), -1), "negative"),
    ],
)
def test_ground_truth_that_does_not_fit_is_explained(meter, labels, message):
    meter.truth = GroundTruth("blocks", labels)
    meter.session.segment()
    quality = meter.wait()
    assert quality.metrics is None
    assert re.search(message, quality.problem)
    assert len(quality.regions.sizes) == 12


def test_ground_truth_that_is_not_found_is_explained(meter):
    meter.misfit = "Choose another layer."
    meter.session.segment()
    assert meter.wait().problem == "Choose another layer."
    meter.misfit = ""
    meter.refresh()
    assert meter.wait().problem == ""


def test_failure_is_told(meter):
    def broken():
        raise OSError("the file is gone")

    errors = []
    told = threading.Event()
    meter.failed.connect(lambda error: (errors.append(error), told.set()))
    meter.truth = GroundTruth("blocks", broken)
    meter.session.segment()
    assert told.wait(WAIT)
    assert str(errors[0]) == "the file is gone"


def test_new_tolerance_measures_anew(meter, blocks_truth):
    meter.truth = GroundTruth("blocks", np.roll(blocks_truth, 4, axis=(0, 1)))
    meter.session.segment()
    first = meter.wait().metrics.boundary_recall
    meter.session.update_view(tolerance=0)
    assert meter.wait().metrics.boundary_recall < first
    meter.session.update_view(view_mode="filled")
    assert not meter.has_measured.wait(0.3)


def test_another_solve_stops_the_measuring(meter, monkeypatch):
    started, go_on = threading.Event(), threading.Event()
    measure = quality_module.measure_regions

    def slow(*args, **kwargs):
        started.set()
        go_on.wait(WAIT)
        return measure(*args, **kwargs)

    monkeypatch.setattr(quality_module, "measure_regions", slow)
    meter.session.segment()
    assert started.wait(WAIT)
    meter.session.update(n_segments=30)
    wait_idle(meter.session)
    assert meter.qualities == []
    go_on.set()
    assert len(meter.wait().regions.sizes) == 30
    assert len(meter.qualities) == 1


def test_measuring_waits_until_the_session_rests(meter, monkeypatch):
    calls = []
    measure = quality_module.measure_regions

    def counted(labels, *args, **kwargs):
        calls.append(int(labels.max()))
        return measure(labels, *args, **kwargs)

    monkeypatch.setattr(quality_module, "measure_regions", counted)
    monkeypatch.setattr(quality_module, "_REST_S", 0.5)
    meter.session.segment()
    wait_idle(meter.session)
    for n in range(13, 20):
        meter.session.update(n_segments=n)
        time.sleep(0.02)
    assert len(meter.wait().regions.sizes) == 19
    assert calls == [19]


def test_another_image_clears(meter, color_blocks):
    meter.session.segment()
    meter.wait()
    meter.session.set_input(ImageInput(color_blocks, source="b", key="b"))
    assert meter.told[-1] == "cleared"
    assert meter.quality is None


def test_edges_are_found_once_for_an_image(meter, monkeypatch):
    calls = []
    find = quality_module.strong_edges
    monkeypatch.setattr(quality_module, "strong_edges", lambda *args: calls.append(1) or find(*args))
    meter.session.segment()
    meter.wait()
    meter.session.update(n_segments=20)
    meter.wait()
    assert calls == [1]


def test_nothing_comes_after_close(meter):
    meter.session.segment()
    meter.close()
    wait_idle(meter.session)
    assert not meter.has_measured.wait(0.3)


@pytest.mark.parametrize("sizes", [[7], [5, 5, 5], [1, 2, 3, 4], list(range(100)), [1, 100_000]])
def test_histogram_holds_every_superpixel_in_bins_of_equal_width(meter, sizes):
    meter.session.segment()
    quality = meter.wait()
    counts, limits = Quality(
        quality.result, quality_module.RegionQuality(np.array(sizes), 1.0, np.zeros(len(sizes), bool)), None, None, ""
    ).size_histogram()
    assert counts.sum() == len(sizes)
    assert len(limits) == len(counts) + 1 <= 25
    widths = np.diff(limits)
    assert (widths == widths[0]).all()
    assert widths[0] == round(widths[0])
