import numpy as np
import pytest

from napari_superpixels.core.region_features import MARGIN, PixelMaps, RegionSums, region_sums
from napari_superpixels.core.region_graph import region_graph


def picture(seed=0, n_labels=15, shape=(26, 33), channels=3, has_boundary=True):
    """Return labels (0 too) and maps that have nothing to do with each other."""
    rng = np.random.default_rng(seed)
    labels = np.kron(rng.integers(0, n_labels + 1, (7, 9)), np.ones((4, 4), int))[: shape[0], : shape[1]]
    raw, flattened = rng.normal(20, 30, (2, *shape, channels)).astype(np.float32)
    boundary = rng.random(shape, np.float32) if has_boundary else None
    return np.ascontiguousarray(labels, np.int32), PixelMaps(raw, flattened, boundary)


def assert_equal(sums: RegionSums, other: RegionSums) -> None:
    n = len(other.sizes)
    assert not sums.sizes[n:].any()
    assert not sums.sums[n:].any()
    np.testing.assert_array_equal(sums.sizes[:n], other.sizes)
    np.testing.assert_array_equal(sums.sums[:n], other.sums)


@pytest.mark.parametrize("channels", [1, 3])
def test_colours_are_those_of_the_pixels(channels):
    labels, maps = picture(channels=channels)
    sums = region_sums(labels, maps)
    features = sums.features()
    for k in np.unique(labels[labels > 0]):
        raw, flattened = maps.raw[labels == k], maps.flattened[labels == k]
        expected = np.concatenate([raw.mean(axis=0), raw.std(axis=0), flattened.mean(axis=0)])
        np.testing.assert_allclose(features[k, : 3 * channels], expected, atol=0.02)
        assert sums.color_spread[k] == pytest.approx(np.sqrt(raw.var(axis=0).sum()), abs=0.02)
        assert sums.centre(k) == pytest.approx(np.argwhere(labels == k).mean(axis=0))
    assert not features[0].any()
    assert features.dtype == np.float32


def test_texture_is_that_of_the_first_feature():
    labels = np.ones((20, 20), np.int32)
    labels[:, 10:] = 2
    raw = np.zeros((20, 20, 1), np.float32)
    raw[:, :10, 0] = 3.0 * np.arange(10)
    raw[::2, 13:] = 8
    texture = region_sums(labels, PixelMaps(raw, raw, None)).features()[:, 3:6]
    gradient = np.hypot(*(np.gradient(np.pad(raw[..., 0], 1, "edge"))))[1:-1, 1:-1] * 2
    for k in (1, 2):
        expected = np.log1p([gradient[labels == k].mean(), gradient[labels == k].std()])
        np.testing.assert_allclose(texture[k, :2], expected, atol=0.01)
    # A ramp bends nowhere but at its ends, stripes everywhere.
    assert texture[2, 2] > texture[1, 2] > 0


def test_boundary_at_the_border_and_inside():
    labels = np.ones((9, 12), np.int32)
    labels[2:7, 3:9] = 2
    probability = np.full((9, 12), 0.25, np.float32)
    probability[3:6, 4:8] = 0.75
    sums = region_sums(
        labels, PixelMaps(np.zeros((9, 12, 1), np.float32), np.zeros((9, 12, 1), np.float32), probability)
    )
    np.testing.assert_allclose(sums.features()[2, 6:8], [0.25, 0.75], atol=1e-4)
    assert sums.boundary_inside[2] == pytest.approx(0.75, abs=1e-4)
    unknown = region_sums(labels, PixelMaps(np.zeros((9, 12, 1), np.float32), np.zeros((9, 12, 1), np.float32), None))
    assert not unknown.boundary_inside.any()
    assert unknown.features().shape == sums.features().shape


def test_shape_does_not_depend_on_the_place():
    labels = np.zeros((40, 60), np.int32)
    labels[2:12, 3:13], labels[25:35, 40:50] = 1, 2
    labels[20:24, 5:30], labels[20:45, 35:39] = 3, 4
    flat = np.zeros((40, 60, 1), np.float32)
    size, compactness, elongation = region_sums(labels, PixelMaps(flat, flat, None)).features()[:, -3:].T
    np.testing.assert_allclose(np.exp(size[1:]), [100, 100, 100, 80])
    np.testing.assert_allclose(compactness[[1, 2]], np.pi / 4)
    np.testing.assert_allclose(elongation[[1, 2]], 0, atol=1e-6)
    assert compactness[3] < np.pi / 8
    assert elongation[3] == pytest.approx(1 - 4 / 25)
    assert elongation[4] == pytest.approx(1 - 4 / 20)


def test_surroundings():
    labels = np.repeat([[1, 1, 2, 3]], 4, axis=0).astype(np.int32)
    raw = np.repeat([[[10.0], [10.0], [20.0], [60.0]]], 4, axis=0).astype(np.float32)
    sums = region_sums(labels, PixelMaps(raw, raw, None))
    features = sums.features(region_graph(labels, raw))
    n_own = sums.features().shape[1]
    np.testing.assert_array_equal(features[:, :n_own], sums.features())
    np.testing.assert_allclose(features[1:, n_own], [20, 35, 20], atol=0.01)
    np.testing.assert_allclose(features[1:, n_own + 2], [-10, -15, 40], atol=0.01)


@pytest.mark.parametrize("has_boundary", [True, False])
def test_updated_sums_are_those_made_anew(has_boundary):
    labels, maps = picture(seed=2, has_boundary=has_boundary)
    sums = region_sums(labels, maps)
    rng = np.random.default_rng(1)
    for round_ in range(30):
        top, left = int(rng.integers(0, 26)), int(rng.integers(0, 33))
        end, right = min(top + int(rng.integers(1, 8)), 26), min(left + int(rng.integers(1, 8)), 33)
        after = labels.copy()
        after[top:end, left:right] = rng.choice([0, 1, 16 + round_, 5])
        window = (
            slice(max(top - MARGIN, 0), min(end + MARGIN, 26)),
            slice(max(left - MARGIN, 0), min(right + MARGIN, 33)),
        )
        sums = sums.updated(window, labels[window], after[window], maps)
        labels = after
        assert_equal(sums, region_sums(labels, maps))


def test_threads_change_nothing(monkeypatch):
    labels, maps = picture(seed=5)
    monkeypatch.setattr("napari_superpixels.core.parallel._MIN_PIXELS", 1)
    monkeypatch.setattr("napari_superpixels.core.parallel.n_processors", lambda: 3)
    in_bands = region_sums(labels, maps)
    monkeypatch.setattr("napari_superpixels.core.parallel.n_processors", lambda: 1)
    assert_equal(in_bands, region_sums(labels, maps))


def test_wrong_shapes_are_refused():
    labels, maps = picture()
    with pytest.raises(ValueError, match=r"labels have shape \(25, 33\); expected \(26, 33\)"):
        region_sums(labels[1:], maps)
    with pytest.raises(ValueError, match=r"expected \(M, N, C\) twice"):
        PixelMaps(maps.raw, maps.flattened[1:], maps.boundary)
    with pytest.raises(ValueError, match=r"expected \(M, N, C\) twice"):
        PixelMaps(maps.raw, maps.flattened, maps.raw)
