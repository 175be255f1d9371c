"""Ground truth in a real viewer: which layers fit, what is cut from them, what the panel says."""

import threading

import dask.array as da
import numpy as np
import pytest
from napari.layers import Labels
from qtpy.QtWidgets import QComboBox

from napari_superpixels.core.metrics import evaluate
from napari_superpixels.engine.preferences import load_preferences
from napari_superpixels.errors import ImageError
from napari_superpixels.plugin.dock import SegmentDock
from napari_superpixels.plugin.ground_truth import cut_truth
from napari_superpixels.plugin.regions import shown_region

BLOCKS = np.kron(np.arange(12).reshape(3, 4), np.ones((20, 20), int))


@pytest.fixture
def image(viewer, color_blocks):
    return viewer.add_image(color_blocks, rgb=True, name="blocks")


@pytest.fixture
def open_quality(dock):
    dock.session.update_view(quality_open=True)
    return dock


@pytest.fixture
def measure(dock, solve, qtbot):
    """Return a function that presses Segment, waits until the result is measured, and returns the measures."""

    def act(action=solve):
        action()
        qtbot.waitUntil(lambda: dock.meter.quality is not None, timeout=60_000)
        return dock.meter.quality

    return act


def choose(dock, layer) -> None:
    menu = dock.findChild(QComboBox, "ground_truth")
    index = menu.findText(layer.name)
    menu.setCurrentIndex(index)
    menu.activated.emit(index)


def choices(dock) -> list[str]:
    return [dock.truth.itemText(i) for i in range(dock.truth.count())]


def test_layers_that_fit_are_offered(viewer, dock, image, measure) -> None:
    assert choices(dock) == ["None"]
    assert not dock.truth.isEnabled()
    fitting = viewer.add_labels(BLOCKS, name="fits")
    wrong = viewer.add_labels(BLOCKS[:40], name="does not")
    dock.session.update_view(quality_open=True)
    measure()
    assert choices(dock) == ["None", "fits"]
    fitting.name = "by hand"
    assert choices(dock) == ["None", "by hand"]
    viewer.layers.remove(fitting)
    assert choices(dock) == ["None (no Labels layer fits)"]
    assert "Not offered, because the image has shape (60, 80): does not (40, 80)." in dock.truth.toolTip()
    wrong.name = "cut"
    assert "(60, 80): cut (40, 80)." in dock.truth.toolTip()
    viewer.layers.remove(wrong)
    assert choices(dock) == ["None"]
    assert "Not offered" not in dock.truth.toolTip()


def test_measures_follow_the_layer(viewer, open_quality, image, measure, color_blocks) -> None:
    dock = open_quality
    truth = viewer.add_labels(np.roll(BLOCKS, 7, axis=1), name="by hand")
    assert measure().metrics is None
    metrics = measure(lambda: choose(dock, truth)).metrics
    labels = dock.session.result.superpixels.labels
    assert metrics == evaluate(labels, truth.data, color_blocks / np.float32(255), 2)
    assert dock.quality.values["boundary_recall"].text() == f"{metrics.boundary_recall:.3f}"
    painted = measure(lambda: truth.paint((30, 30), 99))
    assert painted.metrics != metrics
    assert measure(lambda: viewer.layers.remove(truth)).metrics is None


def test_ground_truth_of_another_shape_is_explained(viewer, open_quality, image, measure, noisy_disks, qtbot) -> None:
    dock = open_quality
    truth = viewer.add_labels(BLOCKS, name="by hand")
    choose(dock, truth)
    other = viewer.add_image(noisy_disks, name="disks")
    dock.source.choose_image(other)
    assert choices(dock) == ["None", "by hand"]
    assert measure().metrics is None
    text = dock.quality.message.text()
    assert "'by hand' has shape (60, 80), the image 'disks' (96, 96)" in text
    assert "Choose a Labels layer of the image's shape." in text


def test_missed_boundary_is_a_layer(viewer, open_quality, image, measure, qtbot) -> None:
    dock = open_quality
    truth = viewer.add_labels(np.roll(BLOCKS, 7, axis=(0, 1)), name="by hand")
    choose(dock, truth)
    measure()
    measure(dock.quality.missed.click)
    missed = viewer.layers["blocks missed boundary"]
    assert isinstance(missed, Labels)
    assert viewer.layers[-1] is missed
    assert np.array_equal(missed.data, dock.meter.quality.missed)
    assert missed.data.any()
    before = missed.data
    measure(lambda: dock.session.update(n_segments=40))
    qtbot.waitUntil(lambda: not np.array_equal(missed.data, before), timeout=10_000)
    viewer.layers.remove(missed)
    assert not dock.quality.missed.isChecked()
    measure(lambda: dock.session.update(n_segments=41))
    assert "blocks missed boundary" not in viewer.layers
    measure(dock.quality.missed.click)
    dock.quality.missed.click()
    assert "blocks missed boundary" not in viewer.layers


def test_plane_of_a_stack(viewer, open_quality, measure, noisy_disks, wait_result) -> None:
    dock = open_quality
    stack = np.stack([noisy_disks, noisy_disks.T])
    viewer.add_image(stack, name="stack")
    truth = viewer.add_labels((stack > 6000).astype(int), name="by hand")
    flat = viewer.add_labels((noisy_disks > 6000).astype(int), name="one plane")
    viewer.dims.set_current_step(0, 0)
    choose(dock, truth)
    first = measure().metrics
    choose(dock, flat)
    assert measure(lambda: None).metrics == first
    choose(dock, truth)
    result = wait_result(lambda: viewer.dims.set_current_step(0, 1))
    quality = measure(lambda: None)
    assert quality.metrics.boundary_recall == evaluate(result.superpixels.labels, truth.data[1]).boundary_recall


def test_stays_open_and_keeps_its_tolerance(viewer, dock, qtbot) -> None:
    dock.quality.fold.button.click()
    dock.quality.tolerance.box.setValue(4)
    qtbot.waitUntil(lambda: dock.session.view.tolerance == 4)
    viewer.window.remove_dock_widget(dock)
    _, view = load_preferences()
    assert (view.quality_open, view.tolerance) == (True, 4)
    again = SegmentDock(viewer)
    try:
        assert again.quality.fold.is_open
        assert again.quality.tolerance.value() == 4
    finally:
        again.close_session()
        again.deleteLater()


def test_lazy_ground_truth_is_read_in_the_worker(viewer, open_quality, image, measure) -> None:
    readers = []

    def load(block):
        readers.append(threading.current_thread())
        return block

    truth = viewer.add_labels(da.from_array(BLOCKS).map_blocks(load, dtype=BLOCKS.dtype), name="lazy")
    choose(open_quality, truth)
    readers.clear()
    assert measure().metrics is not None
    assert readers
    assert threading.main_thread() not in readers


class TestCut:
    def region(self, viewer, data, channel_axis=None, **options):
        return shown_region(viewer.add_image(data, **options), viewer.dims, channel_axis)

    def test_rows_and_columns_of_a_rolled_stack(self, viewer) -> None:
        stack = np.arange(4 * 5 * 6).reshape(4, 5, 6)
        viewer.dims.ndim = 3
        viewer.dims.order = (1, 0, 2)
        region = self.region(viewer, stack.astype(float))
        cut = cut_truth(Labels(stack), region).read(region.shape)
        assert np.array_equal(cut, stack[:, region.position[1]])

    def test_channels(self, viewer) -> None:
        region = self.region(viewer, np.zeros((3, 8, 9)), channel_axis=0)
        truth = np.arange(72).reshape(8, 9)
        for data in (truth, truth[None], np.stack([truth] * 3)):
            assert np.array_equal(cut_truth(Labels(data), region).read(region.shape), truth)

    def test_volume(self, viewer) -> None:
        viewer.dims.ndisplay = 3
        volume = np.arange(4 * 5 * 6).reshape(4, 5, 6)
        region = self.region(viewer, volume.astype(float))
        assert np.array_equal(cut_truth(Labels(volume), region).read(region.shape), volume)

    @pytest.mark.parametrize("is_multiscale", [False, True])
    def test_region_of_a_level(self, viewer, is_multiscale: bool) -> None:
        base = np.arange(64 * 64).reshape(64, 64)
        levels = [base, base[::2, ::2], base[::4, ::4]]
        image = viewer.add_image([level.astype(float) for level in levels], multiscale=True)
        image.data_level = 1
        image.corner_pixels = np.array([[3, 5], [12, 20]])
        region = shown_region(image, viewer.dims)
        truth = Labels(levels, multiscale=True) if is_multiscale else Labels(base)
        cut = cut_truth(truth, region).read(region.shape)
        expected = levels[1][3:13, 5:21]
        # Without levels of its own, a pixel takes the label at its centre: the corner of four pixels, the last of them.
        assert np.array_equal(cut, expected if is_multiscale else expected + 65)

    def test_wrong_shape_is_refused(self, viewer) -> None:
        region = self.region(viewer, np.zeros((8, 9)), name="small")
        with pytest.raises(ImageError, match=r"'by hand' has shape \(9, 8\), the image 'small' \(8, 9\)"):
            cut_truth(Labels(np.ones((9, 8), int), name="by hand"), region)
