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
