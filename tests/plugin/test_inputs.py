"""Images of every kind, segmented in a real viewer."""

import threading

import dask.array as da
import numpy as np
import pytest
import zarr
from napari.layers import Labels
from qtpy.QtWidgets import QComboBox


def superpixels(viewer) -> Labels:
    [layer] = [layer for layer in viewer.layers if layer.name.endswith(" superpixels")]
    return layer


@pytest.mark.parametrize("kind", ["rgb", "rgba", "grey16", "uint32", "float-nan", "bool"])
def test_planes(viewer, dock, solve, color_blocks, noisy_disks, kind: str) -> None:
    image = {
        "rgb": color_blocks,
        "rgba": np.dstack([color_blocks, np.full(color_blocks.shape[:2], 255, np.uint8)]),
        "grey16": noisy_disks,
        "uint32": noisy_disks.astype(np.uint32) * 70_000,
        "float-nan": np.where(noisy_disks > 11_000, np.nan, noisy_disks.astype(float)),
        "bool": noisy_disks > 6000,
    }[kind]
    layer = viewer.add_image(image, rgb=kind.startswith("rgb"))
    solve()
    labels = superpixels(viewer)
    assert labels.data.dtype == np.int32
    assert labels.data.shape == image.shape[:2]
    assert np.array_equal(np.unique(labels.data), np.arange(1, 13))
    assert labels.name == f"{layer.name} superpixels"
    assert ("NaN" in dock.panel.status.text()) == (kind == "float-nan")


def test_layer_lies_over_its_image(viewer, solve, noisy_disks) -> None:
    image = viewer.add_image(
        noisy_disks,
        scale=(2, 0.5),
        translate=(10, -3),
        rotate=30,
        shear=[0.2],
        units=("um", "um"),
        axis_labels=("r", "c"),
    )
    solve()
    labels = superpixels(viewer)
    for corner in ([0, 0], [95, 0], [40, 95]):
        assert np.allclose(labels.data_to_world(corner), image.data_to_world(corner))
    assert labels.units == image.units
    assert labels.axis_labels == image.axis_labels


def test_pixels_that_are_not_square_are_respected(viewer, dock, solve, noisy_disks) -> None:
    viewer.add_image(noisy_disks, scale=(3, 1))
    assert solve().inputs.spacing == (3.0, 1.0)


def test_stack_follows_its_slider(viewer, dock, solve, wait_result, noisy_disks) -> None:
    stack = np.stack([noisy_disks, noisy_disks.T[::-1], noisy_disks // 2])
    viewer.add_image(stack)
    viewer.dims.set_current_step(0, 1)
    solve()
    labels = superpixels(viewer)
    assert labels.data.shape == stack.shape
    assert [bool(plane.any()) for plane in labels.data] == [False, True, False]
    result = wait_result(lambda: viewer.dims.set_current_step(0, 2))
    assert superpixels(viewer) is labels
    assert [bool(plane.any()) for plane in labels.data] == [False, True, True]
    assert np.array_equal(labels.data[2], result.superpixels.labels)
    assert labels.metadata["napari_superpixels"]["position"] == [2, None, None]


def test_stack_stays_when_not_live(viewer, dock, solve, noisy_disks, qtbot) -> None:
    viewer.add_image(np.stack([noisy_disks, noisy_disks]))
    viewer.dims.set_current_step(0, 0)
    solve()
    dock.panel.live.click()
    viewer.dims.set_current_step(0, 1)
    qtbot.wait(200)
    assert not superpixels(viewer).data[1].any()
    solve()
    assert superpixels(viewer).data[1].any()


def test_rows_may_be_any_axes(viewer, solve, noisy_disks) -> None:
    viewer.add_image(np.stack([noisy_disks[:, :50]] * 20))
    viewer.dims.order = (1, 0, 2)
    solve()
    labels = superpixels(viewer)
    index = int(viewer.dims.point[1])
    assert labels.data[:, index].all()
    assert not labels.data[:, index + 1].any()


def test_axes_without_a_name_have_a_number(viewer, dock, noisy_disks) -> None:
    viewer.add_image(np.stack([noisy_disks] * 3))
    menu = dock.findChild(QComboBox, "channel_axis")
    assert [menu.itemText(i) for i in range(menu.count())] == ["No channels (grey)", "Axis 0 (3)"]


def test_channels_along_an_axis(viewer, dock, solve, wait_result, noisy_disks) -> None:
    stack = np.stack([noisy_disks, noisy_disks.T, noisy_disks[::-1], noisy_disks[:, ::-1], noisy_disks])
    viewer.add_image(stack, axis_labels=("stain", "row", "column"))
    menu = dock.findChild(QComboBox, "channel_axis")
    assert [menu.itemText(i) for i in range(menu.count())] == ["No channels (grey)", "Axis stain (5)"]
    menu.setCurrentIndex(1)
    menu.activated.emit(1)
    result = solve()
    assert result.network.unit.kind == "multichannel"
    labels = superpixels(viewer)
    assert labels.data.shape == stack.shape
    assert all(np.array_equal(plane, labels.data[0]) for plane in labels.data)
    assert labels.data.any()
    layer_before = labels
    wait_result(lambda: dock.session.update(n_segments=20))
    assert superpixels(viewer) is layer_before
    assert labels.data.max() == 20


def test_channels_taken_for_columns_are_noted(viewer, dock, solve, wait_result, noisy_disks) -> None:
    viewer.add_image(np.stack([noisy_disks, noisy_disks.T] * 3, axis=-1)[..., :5], name="scan")
    solve()
    assert "The last axis of 'scan' is taken as its columns, though it has only 5." in dock.panel.status.text()
    viewer.dims.order = (2, 0, 1)
    menu = dock.findChild(QComboBox, "channel_axis")
    menu.setCurrentIndex(menu.findData(2))
    menu.activated.emit(1)
    assert solve().network.unit.kind == "multichannel"
    assert "columns" not in dock.panel.status.text()


@pytest.mark.parametrize("shape", [(60, 96, 96), (9, 12, 12), (96, 5)])
def test_thin_images_without_channels_are_not_noted(viewer, dock, solve, shape) -> None:
    viewer.add_image(np.random.default_rng(0).random(shape))
    assert solve().notes == ()


def test_channels_in_the_middle(viewer, dock, solve, noisy_disks) -> None:
    viewer.add_image(np.stack([np.stack([noisy_disks, noisy_disks.T])] * 4))
    menu = dock.findChild(QComboBox, "channel_axis")
    menu.setCurrentIndex(menu.findData(1))
    menu.activated.emit(0)
    viewer.dims.set_current_step(0, 3)
    assert solve().network.unit.kind == "multichannel"
    labels = superpixels(viewer).data
    assert labels[3, 0].any()
    assert np.array_equal(labels[3, 0], labels[3, 1])
    assert not labels[2].any()


def test_volume_in_three_dimensions(viewer, dock, solve, noisy_disks) -> None:
    viewer.add_image(np.stack([noisy_disks[:32, :32]] * 6), scale=(2, 1, 1))
    viewer.dims.ndisplay = 3
    result = solve()
    assert result.superpixels.labels.shape == (6, 32, 32)
    assert result.inputs.spacing == (2.0, 1.0, 1.0)
    labels = superpixels(viewer)
    assert labels.data.all()
    assert labels.contour == 0
    viewer.dims.ndisplay = 2
    assert labels.contour == 1


def test_multiscale_takes_the_level_and_region_shown(viewer, dock, solve, noisy_disks) -> None:
    dock.session.update_view(live=False)
    base = np.tile(noisy_disks, (4, 4))
    image = viewer.add_image([base, base[::2, ::2], base[::4, ::4]], multiscale=True, scale=(2, 2), translate=(5, 5))
    image.data_level = 1
    image.corner_pixels = np.array([[10, 20], [89, 119]])
    result = solve()
    assert result.superpixels.labels.shape == (80, 100)
    labels = superpixels(viewer)
    assert labels.data.shape == (80, 100)
    # A pixel of this level covers four of the full resolution and lies in their middle.
    assert np.allclose(labels.data_to_world([0, 0]), image.data_to_world([20.5, 40.5]))
    assert np.allclose(labels.data_to_world([79, 99]), image.data_to_world([178.5, 238.5]))
    image.corner_pixels = np.array([[0, 0], [49, 49]])
    solve()
    assert superpixels(viewer) is labels
    assert labels.data.shape == (50, 50)
    assert np.allclose(labels.data_to_world([0, 0]), image.data_to_world([0, 0]))


def test_lazy_image_is_read_in_part_and_off_the_main_thread(viewer, solve, noisy_disks) -> None:
    seen = []

    def load(block, block_info=None):
        seen.append((block_info[0]["chunk-location"][0], threading.current_thread() is threading.main_thread()))
        return block + noisy_disks

    lazy = da.zeros((50, 96, 96), np.uint16, chunks=(1, 96, 96)).map_blocks(load, dtype=np.uint16)
    viewer.add_image(lazy, contrast_limits=(0, 20_000))
    viewer.dims.set_current_step(0, 7)
    seen.clear()
    solve()
    assert {plane for plane, _ in seen} == {7}
    assert not all(is_main for _, is_main in seen)
    assert superpixels(viewer).data[7].all()


@pytest.mark.parametrize("is_multiscale", [False, True])
def test_zarr_image_is_read_by_the_worker(viewer, dock, solve, noisy_disks, monkeypatch, is_multiscale: bool) -> None:
    array = zarr.array(np.stack([noisy_disks] * 5), chunks=(1, 96, 96))
    viewer.add_image([array] if is_multiscale else array, multiscale=is_multiscale, contrast_limits=(0, 20_000))
    viewer.dims.set_current_step(0, 3)
    readers = []
    read = zarr.Array.__getitem__

    def recorded(self, selection):
        readers.append(threading.current_thread())
        return read(self, selection)

    monkeypatch.setattr(zarr.Array, "__getitem__", recorded)
    dock.segment()
    assert threading.main_thread() not in readers
    solve()
    assert any(thread.name.startswith("napari-superpixels") for thread in readers)
    assert superpixels(viewer).data.any()


def test_planes_outside_a_shorter_image_are_refused(viewer, dock, noisy_disks, qtbot) -> None:
    viewer.add_image(np.stack([noisy_disks] * 9))
    viewer.add_image(np.stack([noisy_disks] * 3), name="short")
    viewer.dims.set_current_step(0, 8)
    qtbot.waitUntil(lambda: not dock.panel.segment.isEnabled())
    assert "no plane at this position" in dock.panel.status.text()
    viewer.dims.set_current_step(0, 1)
    qtbot.waitUntil(dock.panel.segment.isEnabled)
