import numpy as np

from napari_superpixels.core.metrics import boundary_pixels
from napari_superpixels.engine.derived import PictureRequest, make_pictures
from napari_superpixels.engine.pipeline import Pipeline
from napari_superpixels.engine.resolve import ImageInput
from napari_superpixels.params import SegmentParams


def solve(image, **options):
    return Pipeline().run(ImageInput(image, source=1, key=1, **options), SegmentParams(model=None, n_segments=12))


def test_nothing_is_made_that_is_not_wanted(color_blocks) -> None:
    pictures = make_pictures(PictureRequest(solve(color_blocks)))
    assert pictures.means is None
    assert pictures.outlines is None


def test_mean_colours_of_an_rgb_image(color_blocks) -> None:
    result = solve(color_blocks)
    means = make_pictures(PictureRequest(result, means=True)).means
    assert means.shape == color_blocks.shape
    assert means.dtype == np.uint8
    label = result.superpixels.labels == 5
    assert np.abs(means[label][0] - color_blocks[label].mean(axis=0)).max() <= 1


def test_means_of_a_grey_image_have_no_colour(noisy_disks) -> None:
    means = make_pictures(PictureRequest(solve(noisy_disks), means=True)).means
    assert means.shape == noisy_disks.shape
    assert means.dtype == np.float32
    assert 0 <= means.min() < means.max() <= 1


def test_outlines_are_the_borders(color_blocks) -> None:
    result = solve(color_blocks)
    outlines = make_pictures(PictureRequest(result, outlines=True)).outlines
    assert outlines.dtype == np.uint8
    np.testing.assert_array_equal(outlines, boundary_pixels(result.superpixels.labels))
