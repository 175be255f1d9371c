"""Other methods, and the search for the number that they should give."""

import numpy as np
import pytest
from skimage.data import astronaut
from skimage.measure import label

from napari_superpixels.data.sources import AnnotatedImage
from napari_superpixels.errors import MissingPackageError
from napari_superpixels.evaluation import rivals
from napari_superpixels.evaluation.rivals import RIVALS, Rival, connected_superpixels, search_count

PHOTO = np.ascontiguousarray(astronaut()[100:228, 150:300])
BY_KEY = {rival.key: rival for rival in RIVALS}
SCIKIT_IMAGE = [rival for rival in RIVALS if rival.package == "scikit-image"]


def strips(image: np.ndarray, n: int) -> np.ndarray:
    """Return n strips along the rows."""
    return np.broadcast_to(np.arange(image.shape[1]) * n // image.shape[1], image.shape[:2])


def annotated(pixels: np.ndarray) -> AnnotatedImage:
    return AnnotatedImage("photo", pixels, (np.ones(pixels.shape[:2], np.int32),), (1,))


def assert_superpixels(labels: np.ndarray, n: int) -> None:
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(np.unique(labels), np.arange(1, n + 1))
    assert label(labels, connectivity=1, background=0).max() == n


def test_search_asks_once_where_the_count_is_right() -> None:
    found = search_count(strips, PHOTO, 40)
    assert (found.n_asked, found.n_found, found.n_tries) == (40, 40, 1)
    assert_superpixels(found.labels, 40)


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.3])
def test_search_corrects_a_method_that_gives_too_many_or_too_few(factor: float) -> None:
    found = search_count(lambda image, n: strips(image, max(1, round(factor * n))), PHOTO, 60)
    assert found.n_found == 60
    assert found.n_asked == pytest.approx(60 / factor, abs=2)
    assert found.n_tries <= 4


def test_search_keeps_the_closest_of_a_coarse_method() -> None:
    asked = []

    def tens(image: np.ndarray, n: int) -> np.ndarray:
        asked.append(n)
        return strips(image, max(10, n // 10 * 10))

    found = search_count(tens, PHOTO, 47)
    assert found.n_found == 50
    assert_superpixels(found.labels, 50)
    assert len(asked) == found.n_tries < rivals.MOST_TRIES


def test_search_is_bounded() -> None:
    n_calls = iter(range(1000))

    def erratic(image: np.ndarray, n: int) -> np.ndarray:
        return strips(image, 10 + next(n_calls))

    assert search_count(erratic, PHOTO, 100, most_tries=5).n_tries == 5
    found = search_count(lambda image, n: np.zeros(image.shape[:2], int), PHOTO, 100)
    assert (found.n_found, found.n_tries) == (1, 3)


@pytest.mark.parametrize(
    ("n_segments", "most", "message"),
    [
        (0, None, "1 to 19200, the number of pixels; received 0"),
        (19201, None, "received 19201"),
        (100, 99, "1 to 99, more this method does not take; received 100"),
    ],
)
def test_search_refuses_what_does_not_fit(n_segments: int, most: int | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        search_count(strips, PHOTO, n_segments, most_asked=most)


def test_search_never_asks_for_more_than_a_method_takes() -> None:
    asked = []

    def halves(image: np.ndarray, n: int) -> np.ndarray:
        asked.append(n)
        return strips(image, max(1, n // 2))

    found = search_count(halves, PHOTO, 30, most_asked=40)
    assert max(asked) <= 40
    assert found.n_found == 20


def test_connected_labels_stay() -> None:
    labels = np.array([[5, 5, -2], [5, 9, 9]])
    np.testing.assert_array_equal(connected_superpixels(labels), [[1, 1, 2], [1, 3, 3]])


def test_fragments_join_a_neighbour_and_large_pieces_stay() -> None:
    labels = np.zeros((20, 20), int)
    labels[:, 10:] = 1
    labels[3, 3] = 1  # a fragment of label 1
    labels[12:, :4] = 1  # a piece of 32 pixels, under a quarter of 200
    labels[:, 17:] = 0  # a piece of 60 pixels, more than a quarter
    found = connected_superpixels(labels)
    assert_superpixels(found, 3)
    assert np.all(found[:, :10] == 1)
    assert np.all(found[:, 17:] == 3)


def test_diagonal_neighbours_are_not_connected() -> None:
    assert_superpixels(connected_superpixels(np.array([[1, 0], [0, 1]])), 4)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.int64])
def test_any_integer_labels(dtype: type) -> None:
    labels = np.array([[0, 0, 7], [0, 7, 7]], dtype)
    np.testing.assert_array_equal(connected_superpixels(labels), [[1, 1, 2], [1, 2, 2]])


@pytest.mark.parametrize("rival", SCIKIT_IMAGE, ids=lambda rival: rival.key)
def test_scikit_image_rivals(rival: Rival) -> None:
    method = rival.load()
    labels = method.segment(annotated(PHOTO), 60)
    assert 50 <= labels.max() <= 70
    assert_superpixels(labels, labels.max())
    assert method.name == rival.title
    assert str(method.settings["library"]).startswith("scikit-image 0.")
    assert "compactness" in method.settings


@pytest.mark.parametrize(
    ("key", "library"),
    [
        ("fast-slic-10", "fast_slic"),
        ("fast-slic-20", "fast_slic"),
        ("opencv-slic", "cv2"),
        ("slico", "cv2"),
        ("lsc", "cv2"),
        ("seeds", "cv2"),
    ],
)
def test_rivals_of_the_extra(key: str, library: str) -> None:
    pytest.importorskip(library)
    method = BY_KEY[key].load()
    labels = method.segment(annotated(astronaut()[:200, :300]), 100)
    assert labels.shape == (200, 300)
    assert 85 <= labels.max() <= 115
    assert_superpixels(labels, labels.max())
    np.testing.assert_array_equal(labels, method.segment(annotated(astronaut()[:200, :300]), 100))


@pytest.mark.parametrize("key", ["opencv-slic", "slico", "lsc", "seeds"])
def test_images_on_which_opencv_crashes(key: str) -> None:
    pytest.importorskip("cv2")
    method = BY_KEY[key].load()
    with pytest.raises(ValueError, match="hang or crash on images as small as 31x150; give at least 32x32"):
        method.segment(annotated(PHOTO[:31]), 10)
    assert method.segment(annotated(PHOTO), 1).max() >= 1


def test_grey_images_become_rgb() -> None:
    grey = PHOTO[..., 0].astype(np.uint16) * 257
    assert rivals.rgb_image(annotated(grey)).shape == PHOTO.shape
    np.testing.assert_array_equal(rivals.rgb_image(annotated(PHOTO)), PHOTO)


def test_a_rival_needs_a_number() -> None:
    with pytest.raises(ValueError, match="SLIC 10 needs the number of superpixels"):
        BY_KEY["slic-10"].load().segment(annotated(PHOTO), None)


def test_missing_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(rivals, "import_module", fail)
    for key, package in (("fast-slic-20", "fast-slic"), ("seeds", "opencv-contrib-python-headless")):
        advice = r'pip install --no-build-isolation "\.\[bench\]"'
        with pytest.raises(MissingPackageError, match=f"needs the package {package}.*{advice}"):
            BY_KEY[key].load()


def test_opencv_without_its_contributed_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rivals, "import_module", lambda name: np)
    with pytest.raises(MissingPackageError, match="without its contributed modules"):
        BY_KEY["lsc"].load()


def test_names_differ() -> None:
    assert len({rival.key for rival in RIVALS}) == len({rival.title for rival in RIVALS}) == len(RIVALS)
