import numpy as np
import pytest

from napari_superpixels.plugin.regions import shown_region
from napari_superpixels.plugin.seed_points import given_points, seeds_from_points


@pytest.fixture
def image(viewer, dock, color_blocks):
    return viewer.add_image(color_blocks, rgb=True, name="blocks", scale=(2, 2))


def choose_seeds(dock, layer) -> None:
    assert dock.source.seed_menu.choose(layer)
    dock.source.seed_menu.activated.emit(0)


def test_points_become_seeds(viewer, dock, image, solve) -> None:
    points = viewer.add_points([[10, 10], [100, 20], [60, 140]])
    choose_seeds(dock, points)
    result = solve()
    assert result.n_segments == 3
    assert result.superpixels.seeds.tolist() == [[5, 5], [50, 10], [30, 70]]
    assert not dock.panel.form.rows["n_segments"].isEnabled()
    assert viewer.layers["blocks superpixels"].metadata["napari_superpixels"]["seeds"] == [[5, 5], [50, 10], [30, 70]]


def test_moving_a_point_moves_its_superpixel(viewer, dock, image, solve, wait_result) -> None:
    points = viewer.add_points([[10, 10], [100, 20]])
    choose_seeds(dock, points)
    solve()
    result = wait_result(lambda: setattr(points, "data", [[10, 10], [100, 20], [60, 140]]))
    assert result.n_segments == 3


def test_seeds_of_a_result_can_be_fed_back(viewer, dock, image, solve, wait_result) -> None:
    solve()
    dock.panel.extra_views["seeds"].click()
    seeds = viewer.layers["blocks seeds"]
    result = wait_result(lambda: choose_seeds(dock, seeds))
    assert result.n_segments == 12
    kept = seeds.data.copy()
    result = wait_result(lambda: setattr(seeds, "data", seeds.data[:5]))
    assert result.n_segments == 5
    assert np.array_equal(seeds.data, kept[:5])


def test_points_outside_are_left_out_and_twins_merged(viewer, dock, image) -> None:
    points = viewer.add_points([[10, 10], [10.3, 10.4], [-5, 3], [500, 3]])
    seeds, note = seeds_from_points(points, shown_region(image, viewer.dims))
    assert seeds.tolist() == [[5, 5]]
    assert "2 points outside this part of the image are left out" in note
    assert "1 points on the same pixel as another count once" in note


def test_no_point_inside_means_automatic(viewer, dock, image, solve) -> None:
    choose_seeds(dock, viewer.add_points([[-50, 3]]))
    assert "found automatically" in dock.panel.status.text()
    assert solve().n_segments == 12


def test_points_of_other_planes_do_not_count(viewer, dock, noisy_disks) -> None:
    image = viewer.add_image(np.stack([noisy_disks] * 4))
    viewer.dims.set_current_step(0, 2)
    points = viewer.add_points([[2, 10, 10], [1, 20, 20], [2, 30, 40]])
    seeds, note = seeds_from_points(points, shown_region(image, viewer.dims))
    assert seeds.tolist() == [[10, 10], [30, 40]]
    assert note.startswith("1 points outside")


def test_flat_points_count_on_every_plane(viewer, dock, noisy_disks) -> None:
    image = viewer.add_image(np.stack([noisy_disks] * 4))
    viewer.dims.set_current_step(0, 3)
    points = viewer.add_points([[10, 10], [30, 40]], translate=(5, 0))
    seeds, _ = seeds_from_points(points, shown_region(image, viewer.dims))
    assert seeds.tolist() == [[15, 10], [35, 40]]


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ({"seeds": [[1, 2], [3, 4]], "position": [], "channel_axis": None}, [[1, 2], [3, 4]]),
        ({"seeds": [[1, 2]], "position": [7, None, None], "channel_axis": None}, [[7, 1, 2]]),
        ({"seeds": [[1, 2]], "position": [7, None, None, None], "channel_axis": 0}, [[7, 0, 1, 2]]),
        ({"seeds": [[1, 2]], "position": [], "channel_axis": 2}, [[1, 2, 0]]),
    ],
)
def test_given_seeds_as_points(made, expected) -> None:
    assert given_points(made, len(expected[0])).tolist() == expected


@pytest.mark.parametrize(
    "made",
    [
        {},
        {"seeds": None},
        {"seeds": 5},
        {"seeds": [["a", "b"]]},
        {"seeds": [[1, 2, 3]]},
        {"seeds": [[1, float("nan")]]},
        {"seeds": [[1, 2]], "position": [None, None, None]},
        {"seeds": [[1, 2]], "channel_axis": 9},
    ],
)
def test_what_cannot_be_seeds_is_none(made) -> None:
    assert given_points(made, 2) is None


def shown_seeds(viewer, dock):
    """Tick the seeds and return their layer."""
    dock.panel.extra_views["seeds"].click()
    return viewer.layers["blocks seeds"]


def test_seeds_that_the_user_edits_are_the_users(viewer, dock, image, solve, wait_result) -> None:
    solve()
    seeds = shown_seeds(viewer, dock)
    wait_result(lambda: dock.session.update(n_segments=15))
    assert len(seeds.data) == 15
    seeds.data = seeds.data[:5]
    assert "yours now" in dock.panel.status.text()
    assert not dock.panel.extra_views["seeds"].isChecked()
    wait_result(lambda: dock.session.update(n_segments=20))
    assert len(seeds.data) == 5
    # Both ways of the box leave them alone.
    dock.panel.extra_views["seeds"].click()
    assert len(viewer.layers["blocks seeds [1]"].data) == 20
    dock.panel.extra_views["seeds"].click()
    assert "blocks seeds [1]" not in viewer.layers
    assert seeds in viewer.layers


def test_seeds_that_are_chosen_stay_when_they_are_no_longer_to_be_shown(viewer, dock, image, solve) -> None:
    solve()
    seeds = shown_seeds(viewer, dock)
    dock.session.update_view(live=False)
    choose_seeds(dock, seeds)
    seeds.data = seeds.data[:5]
    if dock.panel.extra_views["seeds"].isChecked():
        dock.panel.extra_views["seeds"].click()
    assert seeds in viewer.layers
    assert dock.source.seeds is seeds


def test_scrolling_leaves_one_note_on_seeds(viewer, dock, noisy_disks, qtbot) -> None:
    viewer.add_image(np.stack([noisy_disks] * 4))
    dock.session.update_view(live=False)
    choose_seeds(dock, viewer.add_points([[0, 10, 10], [1, 20, 20], [1, 30, 30]]))
    notes = []
    for plane in (1, 0, 1, 3):
        viewer.dims.set_current_step(0, plane)
        qtbot.waitUntil(lambda plane=plane: dock.session.inputs.position[0] == plane, timeout=5000)
        notes.append(dock.panel.status.text())
    assert all(note.count("are left out") == 1 for note in notes[:3])
    assert "are left out" not in notes[3]
    assert notes[3].count("found automatically") == 1
