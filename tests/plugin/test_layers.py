"""What happens to layers while results come: in place, never over the user's work."""

import threading

import numpy as np
import pytest
from napari.layers import Image, Labels, Points

import napari_superpixels.plugin.layers as layers_module


@pytest.fixture
def image(viewer, dock, color_blocks) -> Image:
    return viewer.add_image(color_blocks, rgb=True, name="blocks")


def names(viewer) -> list[str]:
    return [layer.name for layer in viewer.layers]


def test_tuning_keeps_layer_selection_and_camera(viewer, dock, image, solve, wait_result) -> None:
    solve()
    labels = viewer.layers["blocks superpixels"]
    data = labels.data
    camera = getattr(viewer, "scene", viewer).camera  # napari 0.9 moved it
    camera.zoom = 3
    viewer.layers.selection.active = image
    refreshed = []
    labels.events.set_data.connect(lambda event: refreshed.append(threading.current_thread()))
    wait_result(lambda: dock.panel.form.rows["n_segments"].slider.setValue(300))
    assert viewer.layers["blocks superpixels"] is labels
    assert labels.data is data
    assert labels.data.max() == dock.session.params.n_segments != 12
    assert camera.zoom == 3
    assert viewer.layers.selection.active is image
    assert refreshed == [threading.main_thread()]
    assert labels.metadata["napari_superpixels"]["n_segments"] == labels.data.max()


def test_painted_superpixels_are_kept(viewer, dock, image, solve, wait_result) -> None:
    solve()
    labels = viewer.layers["blocks superpixels"]
    labels.paint((5, 5), 7)
    kept = labels.data.copy()
    wait_result(lambda: dock.session.update(n_segments=15))
    assert np.array_equal(labels.data, kept)
    new = viewer.layers["blocks superpixels [1]"]
    assert new.data.max() == 15
    assert "Your changes stay in 'blocks superpixels', now hidden" in dock.panel.status.text()
    assert (labels.visible, new.visible) == (False, True)
    wait_result(lambda: dock.session.update(n_segments=16))
    assert new.data.max() == 16
    assert len(viewer.layers) == 3
    labels.undo()
    assert not np.array_equal(labels.data, kept)


def test_stroke_under_way_is_kept(viewer, dock, image, solve, wait_result) -> None:
    solve()
    labels = viewer.layers["blocks superpixels"]
    with labels.block_history():
        labels.paint((5, 5), 7)
        kept = labels.data.copy()
        wait_result(lambda: dock.session.update(n_segments=15))
        labels.paint((50, 50), 7)
    assert np.array_equal(labels.data[:30], kept[:30])
    assert viewer.layers["blocks superpixels [1]"].data.max() == 15
    labels.undo()
    wait_result(lambda: dock.session.update(n_segments=16))
    assert labels.data.max() == 12


def test_painting_one_plane_does_not_hinder_another(viewer, dock, solve, wait_result, noisy_disks) -> None:
    viewer.add_image(np.stack([noisy_disks] * 3), name="stack")
    viewer.dims.set_current_step(0, 0)
    solve()
    labels = viewer.layers["stack superpixels"]
    labels.paint((0, 5, 5), 7)
    painted = labels.data[0].copy()
    wait_result(lambda: viewer.dims.set_current_step(0, 2))
    assert labels.data[2].any()
    wait_result(lambda: viewer.dims.set_current_step(0, 0))
    assert np.array_equal(labels.data[0], painted)
    assert viewer.layers["stack superpixels [1]"].data[0].any()


def test_data_set_by_others_is_kept(viewer, dock, image, solve, wait_result) -> None:
    solve()
    labels = viewer.layers["blocks superpixels"]
    labels.data = np.full((60, 80), 3, np.int32)
    wait_result(lambda: dock.session.update(n_segments=15))
    assert (labels.data == 3).all()


def test_deleted_layer_comes_back(viewer, dock, image, solve, wait_result) -> None:
    solve()
    viewer.layers.remove("blocks superpixels")
    wait_result(lambda: dock.session.update(n_segments=15))
    assert viewer.layers["blocks superpixels"].data.max() == 15


def test_renamed_layers_are_still_known(viewer, dock, image, solve, wait_result) -> None:
    solve()
    labels = viewer.layers["blocks superpixels"]
    labels.name, image.name = "mine", "renamed"
    wait_result(lambda: dock.session.update(n_segments=15))
    assert labels.data.max() == 15
    assert names(viewer) == ["renamed", "mine"]
    assert dock.source.image_menu.currentText() == "renamed"


def test_replaced_pixels_are_segmented_anew(viewer, dock, image, solve, wait_result, color_blocks) -> None:
    before = solve().superpixels.labels
    after = wait_result(lambda: setattr(image, "data", np.ascontiguousarray(color_blocks[::-1, ::-1])))
    assert "network" in after.ran
    assert not np.array_equal(after.superpixels.labels, before)


def test_pixels_written_in_place_are_segmented_anew(viewer, dock, image, solve, color_blocks) -> None:
    before = solve().superpixels.labels
    assert "network" not in solve().ran
    image.data[:] = color_blocks[::-1, ::-1]
    image.refresh()
    after = solve()
    assert "network" in after.ran
    assert not np.array_equal(after.superpixels.labels, before)
    assert "network" not in solve().ran


def test_pixels_written_where_a_slider_led_are_segmented_anew(viewer, dock, solve, wait_result, noisy_disks) -> None:
    stack = viewer.add_image(np.stack([noisy_disks] * 3), name="stack")
    viewer.dims.set_current_step(0, 0)
    solve()
    before = wait_result(lambda: viewer.dims.set_current_step(0, 2)).superpixels.labels
    stack.data[2] = np.roll(noisy_disks, 24, 0)
    assert not np.array_equal(solve().superpixels.labels, before)
    assert "network" not in solve().ran


def test_image_of_another_size_gets_labels_of_its_size(viewer, dock, image, solve, wait_result, color_blocks) -> None:
    solve()
    labels = viewer.layers["blocks superpixels"]
    wait_result(lambda: setattr(image, "data", color_blocks[:40]))
    assert labels.data.shape == (40, 80)


def test_painted_superpixels_are_kept_when_the_image_becomes_a_stack(
    viewer, dock, solve, wait_result, noisy_disks
) -> None:
    image = viewer.add_image(noisy_disks, name="disks")
    solve()
    labels = viewer.layers["disks superpixels"]
    labels.paint((5, 5), 7)
    kept = labels.data.copy()
    wait_result(lambda: setattr(image, "data", np.stack([noisy_disks] * 3)))
    wait_result(lambda: dock.session.update(n_segments=15))
    assert np.array_equal(labels.data, kept)
    new = viewer.layers["disks superpixels [1]"]
    assert new.data.shape == (3, 96, 96)
    assert new.data.max() == 15


def test_superpixels_follow_an_image_that_becomes_a_stack(viewer, dock, solve, wait_result, noisy_disks, qtbot) -> None:
    image = viewer.add_image(noisy_disks, name="disks", scale=(2, 3))
    dock.session.update_view(view_mode="mean-color")
    dock.extras.set_wanted("arrival", True)
    solve()
    shown = ["disks superpixels", "disks arrival time", "disks mean colour"]
    for data in (np.stack([noisy_disks] * 3), noisy_disks):
        wait_result(lambda data=data: setattr(image, "data", data))
        qtbot.waitUntil(lambda: viewer.layers["disks mean colour"].ndim == image.ndim)
        assert viewer.layers["disks superpixels"].data.shape == data.shape
        assert sorted(names(viewer)) == sorted(["disks", *shown])
        for name in shown:
            assert np.allclose(viewer.layers[name].scale, image.scale)


def test_result_that_comes_after_the_image_shrank_is_left_out(viewer, dock, solve, wait_result, noisy_disks) -> None:
    image = viewer.add_image(noisy_disks, name="disks")
    late = solve()
    wait_result(lambda: setattr(image, "data", noisy_disks[:50, :40]))
    dock.extras.set_wanted("arrival", True)
    dock.session.solved.emit(late)
    for name in ("disks superpixels", "disks arrival time"):
        assert viewer.layers[name].data.shape == (50, 40)


def test_result_of_a_plane_that_went_is_left_out(viewer, dock, solve, noisy_disks) -> None:
    image = viewer.add_image(np.stack([noisy_disks] * 6), name="disks")
    viewer.dims.set_current_step(0, 5)
    late = solve()
    image.data = np.stack([noisy_disks] * 3)
    dock.extras.set_wanted("arrival", True)
    dock.session.solved.emit(late)
    assert viewer.layers["disks superpixels"].data.shape == (6, 96, 96)
    assert "disks arrival time" not in viewer.layers


def test_view_modes(viewer, dock, image, solve, qtbot) -> None:
    solve()
    labels = viewer.layers["blocks superpixels"]
    assert (labels.contour, labels.visible) == (1, True)
    assert len(labels.colormap.colors) == 2
    dock.session.update_view(view_mode="filled")
    assert (labels.contour, labels.visible, labels.opacity) == (0, True, 0.5)
    assert len(labels.colormap.colors) > 20
    dock.session.update_view(view_mode="mean-color")
    qtbot.waitUntil(lambda: "blocks mean colour" in names(viewer))
    means = viewer.layers["blocks mean colour"]
    assert means.rgb
    assert not labels.visible
    dock.session.update_view(view_mode="boundaries")
    assert not means.visible
    assert (labels.contour, labels.visible) == (1, True)


def test_mean_colours_follow_the_sliders(viewer, dock, image, solve, wait_result, qtbot) -> None:
    dock.session.update_view(view_mode="mean-color")
    solve()
    qtbot.waitUntil(lambda: "blocks mean colour" in names(viewer))
    means = viewer.layers["blocks mean colour"]
    before = means.data
    wait_result(lambda: dock.session.update(n_segments=2))
    qtbot.waitUntil(lambda: means.data is not before)
    assert len(np.unique(means.data.reshape(-1, 3), axis=0)) == 2


def test_large_planes_have_ready_made_outlines(viewer, dock, image, solve, qtbot, monkeypatch) -> None:
    for module in ("canvas", "style"):
        monkeypatch.setattr(f"napari_superpixels.plugin.{module}.MAX_CONTOUR_PIXELS", 1000)
    solve()
    labels = viewer.layers["blocks superpixels"]
    assert (labels.contour, labels.visible) == (0, False)
    qtbot.waitUntil(lambda: "blocks superpixel lines" in names(viewer))
    lines = viewer.layers["blocks superpixel lines"]
    assert lines.data.dtype == np.uint8
    assert 0 < lines.data.mean() < 1
    assert not lines.editable
    data = lines.data
    dock.session.update(n_segments=15)
    qtbot.waitUntil(lambda: lines.data is not data)
    assert not lines.editable
    dock.session.update_view(view_mode="filled")
    assert not lines.visible
    assert labels.visible


def test_outlines_suit_the_size_of_the_region(viewer, dock, solve, qtbot, monkeypatch, noisy_disks) -> None:
    for module in ("canvas", "style"):
        monkeypatch.setattr(f"napari_superpixels.plugin.{module}.MAX_CONTOUR_PIXELS", 1000)
    dock.session.update_view(live=False)
    image = viewer.add_image([noisy_disks, noisy_disks[::2, ::2]], multiscale=True, name="disks")
    image.data_level = 0
    drawn = []
    for n_rows in (20, 90, 20, 90):
        image.corner_pixels = np.array([[0, 0], [n_rows - 1, 39]])
        solve()
        labels = viewer.layers["disks superpixels"]
        labels.events.set_data.connect(lambda event: drawn.append(event.source.data.size * event.source.contour))
        is_small = n_rows == 20
        assert labels.data.shape == (n_rows, 40)
        assert (labels.contour, labels.visible) == (int(is_small), is_small)
        if not is_small:
            qtbot.waitUntil(lambda: "disks superpixel lines" in names(viewer))
            assert viewer.layers["disks superpixel lines"].visible
        assert names(viewer).count("disks superpixel lines") == int(not is_small)
    assert 0 < max(drawn) <= 1000


def test_hidden_superpixels_stay_hidden_when_the_region_changes(
    viewer, dock, solve, qtbot, monkeypatch, noisy_disks
) -> None:
    for module in ("canvas", "style"):
        monkeypatch.setattr(f"napari_superpixels.plugin.{module}.MAX_CONTOUR_PIXELS", 1000)
    image = viewer.add_image([noisy_disks, noisy_disks[::2, ::2]], multiscale=True, name="disks")
    image.data_level = 0

    def show_rows(n_rows: int) -> None:
        image.corner_pixels = np.array([[0, 0], [n_rows - 1, 39]])
        solve()
        if n_rows > 20:
            qtbot.waitUntil(lambda: "disks superpixel lines" in names(viewer))

    def visible() -> list[str]:
        return [layer.name for layer in viewer.layers if layer.visible and layer is not image]

    show_rows(20)
    dock.results.toggle(image)
    for n_rows in (90, 20, 20, 90):
        show_rows(n_rows)
        assert visible() == []
    dock.results.toggle(image)
    assert visible() == ["disks superpixel lines"]
    show_rows(20)
    assert visible() == ["disks superpixels"]


def test_lines_that_come_too_late_are_not_shown(viewer, dock, solve, qtbot, monkeypatch, noisy_disks) -> None:
    for module in ("canvas", "style"):
        monkeypatch.setattr(f"napari_superpixels.plugin.{module}.MAX_CONTOUR_PIXELS", 1000)
    gate = threading.Event()
    make = layers_module.make_pictures

    def make_late(request):
        assert gate.wait(60)
        return make(request)

    monkeypatch.setattr(layers_module, "make_pictures", make_late)
    dock.session.update_view(live=False)
    image = viewer.add_image([noisy_disks, noisy_disks[::2, ::2]], multiscale=True, name="disks")
    image.data_level = 0
    for n_rows in (90, 20):
        image.corner_pixels = np.array([[0, 0], [n_rows - 1, 39]])
        solve()
    gate.set()
    qtbot.wait(500)
    assert names(viewer) == ["disks", "disks superpixels"]


def test_key_toggles_the_superpixels(viewer, dock, image, solve) -> None:
    solve()
    labels = viewer.layers["blocks superpixels"]
    [key] = [key for key in labels.keymap if str(key) == "H"]
    labels.keymap[key](labels)
    assert not labels.visible
    labels.keymap[key](labels)
    assert labels.visible


def test_extra_views_come_follow_and_go(viewer, dock, image, solve, wait_result) -> None:
    dock.session.update(model="natural")
    solve()
    viewer.layers.selection.active = image
    for name in ("flattened", "boundary", "arrival", "seeds"):
        dock.panel.extra_views[name].click()
    assert viewer.layers.selection.active is image
    titles = ["flattened image", "boundary probability", "arrival time", "seeds"]
    layers = [viewer.layers[f"blocks {title}"] for title in titles]
    assert isinstance(layers[3], Points)
    assert len(layers[3].data) == 12
    assert dock.source.image is image
    wait_result(lambda: dock.session.update(n_segments=20))
    assert len(layers[3].data) == 20
    assert layers[2] in viewer.layers
    viewer.layers.remove(layers[2])
    assert not dock.panel.extra_views["arrival"].isChecked()
    wait_result(lambda: dock.session.update(n_segments=21))
    assert "blocks arrival time" not in names(viewer)
    dock.panel.extra_views["seeds"].click()
    assert "blocks seeds" not in names(viewer)


def test_extra_view_that_does_not_exist_is_explained(viewer, dock, image, solve) -> None:
    solve()
    dock.panel.extra_views["flattened"].click()
    assert not dock.panel.extra_views["flattened"].isChecked()
    assert "raw image is used" in dock.panel.status.text()


def test_own_layers_are_not_offered_as_images(viewer, dock, image, solve) -> None:
    solve()
    dock.panel.extra_views["arrival"].click()
    menu = dock.source.image_menu
    assert [menu.itemText(i) for i in range(menu.count())] == ["blocks"]
    viewer.layers.selection.active = viewer.layers["blocks arrival time"]
    assert dock.source.image is image


def test_labels_layer_survives_the_widget(viewer, dock, image, solve) -> None:
    solve()
    dock.close_session()
    labels = viewer.layers["blocks superpixels"]
    assert isinstance(labels, Labels)
    assert labels.data.all()


def test_the_key_acts_on_its_own_image(viewer, dock, image, solve, color_blocks) -> None:
    solve()
    other = viewer.add_image(color_blocks[::-1], rgb=True, name="other")
    solve()
    first, second = viewer.layers["blocks superpixels"], viewer.layers["other superpixels"]
    first.visible = False
    for is_shown in (False, True):
        dock.results.toggle(other)
        assert (first.visible, second.visible) == (False, is_shown)
        assert dock.results.is_shown(other) == is_shown


# napari looks at the layers before it tells plugins of three dimensions.
@pytest.mark.filterwarnings("ignore:Contours are not displayed")
def test_three_dimensions_leave_what_the_user_set(viewer, dock, solve, noisy_disks) -> None:
    viewer.add_image(np.stack([noisy_disks] * 3), name="stack")
    solve()
    labels = viewer.layers["stack superpixels"]
    labels.contour, labels.opacity = 2, 0.3
    labels.visible = False
    viewer.dims.ndisplay = 3
    assert (labels.contour, labels.visible) == (0, False)
    viewer.dims.ndisplay = 2
    assert (labels.contour, labels.opacity, labels.visible) == (2, 0.3, False)
    labels.contour, labels.visible = 0, True
    viewer.dims.ndisplay = 3
    assert labels.opacity == 0.3
    viewer.dims.ndisplay = 2
    assert (labels.contour, labels.visible) == (0, True)


@pytest.mark.filterwarnings("ignore:Contours are not displayed")
def test_large_planes_show_their_lines_in_three_dimensions(
    viewer, dock, solve, qtbot, monkeypatch, noisy_disks
) -> None:
    for module in ("canvas", "style"):
        monkeypatch.setattr(f"napari_superpixels.plugin.{module}.MAX_CONTOUR_PIXELS", 1000)
    image = viewer.add_image(np.stack([noisy_disks] * 3), name="stack")
    solve()
    qtbot.waitUntil(lambda: "stack superpixel lines" in names(viewer), timeout=10_000)
    labels, lines = viewer.layers["stack superpixels"], viewer.layers["stack superpixel lines"]
    for ndisplay in (3, 2):
        viewer.dims.ndisplay = ndisplay
        assert (labels.visible, lines.visible) == (False, True)
        dock.results.toggle(image)
        assert (labels.visible, lines.visible) == (False, False)
        dock.results.toggle(image)
