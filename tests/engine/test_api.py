"""segment() as a script calls it, with good and bad input."""

import dask.array
import numpy as np
import pytest
import zarr
from pydantic import ValidationError
from skimage.data import astronaut
from skimage.measure import label as connected_components

from napari_superpixels import Segmentation, segment
from napari_superpixels.errors import CheckpointError, ImageError, ModelNotFoundError

RNG = np.random.default_rng(0)


def raw(image, n_segments=15, **options) -> Segmentation:
    return segment(image, n_segments=n_segments, model=None, **options)


@pytest.mark.parametrize("n_segments", [1, 2, 50, 400, 5000])
def test_exactly_so_many_connected_superpixels(n_segments):
    labels = segment(astronaut()[:256, :256], n_segments=n_segments).labels
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(np.unique(labels), np.arange(1, n_segments + 1))
    assert connected_components(labels, connectivity=1, background=0).max() == n_segments


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (RNG.random((30, 40)) > 0.5, {}),
        (RNG.integers(0, 60000, (30, 40), np.uint16), {}),
        (RNG.integers(-5, 5, (30, 40)), {}),
        (RNG.normal(0, 1e4, (30, 40)).astype(np.float16), {}),
        (RNG.random((30, 40, 4)).astype(np.float32), {}),
        (RNG.random((6, 30, 40)), {"channel_axis": 0}),
        (RNG.random((5, 12, 14)), {"spacing": (2.0, 1.0, 1.0)}),
        (RNG.random((60, 80))[::2, ::-2], {}),
        (np.asfortranarray(RNG.random((30, 40, 3))), {}),
        (dask.array.from_array(RNG.random((30, 40)), chunks=16), {}),
        (zarr.array(RNG.random((30, 40))), {}),
        (RNG.random((30, 40)).tolist(), {}),
        (np.full((30, 40), 3), {}),
        (np.zeros((1, 40)), {}),
        (np.zeros((30, 1, 3), np.uint8), {}),
    ],
)
def test_any_image(image, options):
    labels = raw(image, **options).labels
    np.testing.assert_array_equal(np.unique(labels), np.arange(1, 16))


def test_one_pixel():
    assert raw(np.array([[7]]), 1).labels.tolist() == [[1]]


def test_invalid_values_warn():
    image = RNG.random((30, 40))
    image[3:5, 4] = [np.nan, np.inf]
    with pytest.warns(UserWarning, match="2 values of the image are NaN or infinite"):
        raw(image)


@pytest.mark.parametrize(
    ("image", "options", "error", "message"),
    [
        (np.zeros((0, 3)), {}, ImageError, "empty"),
        (np.zeros(9), {}, ImageError, "spatial axes"),
        (np.full((9, 9), np.nan), {}, ImageError, "no finite"),
        (np.zeros((9, 9), complex), {}, ImageError, "complex"),
        (np.zeros((9, 9)), {"channel_axis": 5}, ImageError, "channel_axis"),
        (np.zeros((9, 9)), {"n_segments": 82}, ValueError, "from 1 to 81"),
        (np.zeros((9, 9)), {"n_segments": 0}, ValidationError, "n_segments"),
        (np.zeros((9, 9)), {"regularity": 1.2}, ValidationError, "regularity"),
        (np.zeros((9, 9)), {"color_weight": np.nan}, ValidationError, "color_weight"),
        (np.zeros((9, 9)), {"colour_weight": 1}, ValidationError, "colour_weight"),
        (np.zeros((9, 9)), {"seeds": [[0, 9]]}, ValueError, "inside the image"),
        (np.zeros((9, 9)), {"mask": np.zeros((9, 9))}, ImageError, "mask is empty"),
        (np.zeros((9, 9)), {"mask": np.zeros((9, 8))}, ValueError, "expected"),
        (np.zeros((9, 9)), {"spacing": (1.0,)}, ValueError, "spacing"),
        (np.zeros((9, 9)), {"spacing": (1.0, 0.0)}, ValueError, "spacing"),
        (np.zeros((9, 9)), {"spacing": 2.0}, ValueError, "spacing"),
    ],
)
def test_bad_input_is_refused_in_plain_words(image, options, error, message):
    with pytest.raises(error, match=message):
        raw(image, **options)


def test_models_that_are_not_there(tmp_path):
    with pytest.raises(ModelNotFoundError, match="no-such-model"):
        segment(np.zeros((9, 9)), n_segments=3, model="no-such-model")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"not a model")
    with pytest.raises(CheckpointError, match=r"broken\.safetensors"):
        segment(np.zeros((9, 9)), n_segments=3, model=str(broken))


def test_timings_and_parameters_are_told():
    segmentation = raw(RNG.random((30, 40)), regularity=0.8)
    assert segmentation.timings.keys() == {"network", "features", "eikonal"}
    assert segmentation.params.regularity == 0.8
    assert segmentation.arrival.shape == (30, 40)


def test_the_same_twice():
    first, second = (segment(astronaut()[:128, :128], n_segments=60) for _ in range(2))
    np.testing.assert_array_equal(first.labels, second.labels)
