"""Other superpixel methods, each searched to the number of superpixels that is wanted.

Other methods take the number asked for as a hint, and some leave a label in many pieces. What is compared here is one
count: a superpixel is one 4-connected piece, see :func:`connected_superpixels`.

References
----------
Achanta et al., "SLIC superpixels compared to state-of-the-art superpixel methods", TPAMI 34(11), 2012,
doi:10.1109/TPAMI.2012.120. Neubert & Protzel, "Compact watershed and preemptive SLIC", ICPR 2014,
doi:10.1109/ICPR.2014.181. Van den Bergh et al., "SEEDS: superpixels extracted via energy-driven sampling", IJCV 111(3),
2015, doi:10.1007/s11263-014-0744-2. Li & Chen, "Superpixel segmentation using linear spectral clustering", CVPR 2015,
doi:10.1109/CVPR.2015.7298741. Kim, fast-slic, https://github.com/Algy/fast-slic.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from importlib.metadata import version
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue
from skimage.color import rgb2lab
from skimage.filters import sobel
from skimage.measure import label as connected_components
from skimage.segmentation import slic, watershed

from napari_superpixels.core.image import unit_image
from napari_superpixels.data.sources import AnnotatedImage
from napari_superpixels.errors import MissingPackageError

Image = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]
Segmenter = Callable[[Image, int], npt.NDArray[np.integer[Any]]]

#: How far the number found may be from the one wanted for the search to end.
COUNT_TOLERANCE = 0.005
#: Runs of a method at most, for one image and one number.
MOST_TRIES = 8

_SCIKIT_IMAGE = "scikit-image"
_FAST_SLIC = "fast-slic"
_OPENCV = "opencv-contrib-python-headless"
# A quarter of the mean size, as SLIC's own clean-up and fast-slic's have it.
_FRAGMENT = 0.25
_ITERATIONS = 10
_MOST_REPEATS = 2
_FAST_SLIC_MOST = 65_534
_OPENCV_SIDE = 32


@dataclass(frozen=True, slots=True)
class Rival:
    """A superpixel method of another library, with its settings."""

    key: str
    """Name on the command line."""
    title: str
    """Name in tables and figures."""
    package: str
    """What to install for it."""
    prepare: partial[Segmenter]
    """Imports the library and returns a function of image and number; its keywords are the settings."""
    most_asked: int | None = None
    """Largest number that it takes; None without a limit."""

    def load(self) -> "LoadedRival":
        """Return the method, ready to run.

        Raises
        ------
        MissingPackageError
            If the library is not installed.
        """
        try:
            run, found = self.prepare(), version(self.package)
        except ImportError as error:
            raise MissingPackageError(
                f"{self.title} needs the package {self.package}, which is missing or does not load ({error}). "
                "Install the rivals in a copy of the repository with: pip install Cython numpy setuptools, then "
                'pip install --no-build-isolation ".[bench]"; CONTRIBUTING.md says more.'
            ) from error
        return LoadedRival(
            self.title, {"library": f"{self.package} {found}", **self.prepare.keywords}, run, self.most_asked
        )


@dataclass(frozen=True, slots=True)
class LoadedRival:
    """A method of another library, ready to run: a :class:`napari_superpixels.evaluation.runs.Method`."""

    name: str
    """Name in tables and figures."""
    settings: dict[str, JsonValue]
    """Library with version, and settings by the library's names."""
    run: Segmenter
    """Takes an RGB image, uint8 of shape (M, N, 3), and the number to ask for; returns labels of shape (M, N)."""
    most_asked: int | None = None
    """Largest number that it takes; None without a limit."""

    def segment(self, image: AnnotatedImage, n_segments: int | None) -> Labels:
        """Return about `n_segments` superpixels; see :func:`search_count`."""
        if n_segments is None:
            raise ValueError(f"{self.name} needs the number of superpixels; received None")
        return search_count(self.run, rgb_image(image), n_segments, most_asked=self.most_asked).labels


@dataclass(frozen=True, slots=True, eq=False)
class CountedSuperpixels:
    """What a search found."""

    labels: Labels
    """(M, N) superpixels 1 to `n_found`, each 4-connected."""
    n_asked: int
    """What the method was asked for."""
    n_found: int
    """How many superpixels that gave."""
    n_tries: int
    """How often the method ran."""


def rgb_image(image: AnnotatedImage) -> Image:
    """Return an image as 8-bit RGB, shape (M, N, 3), which is what other methods take."""
    unit = unit_image(image.pixels, channel_axis=image.channel_axis, rgb=image.rgb)
    return np.round(unit.pixels * 255).astype(np.uint8)


def search_count(
    segment: Segmenter, image: Image, n_segments: int, *, most_asked: int | None = None, most_tries: int = MOST_TRIES
) -> CountedSuperpixels:
    """Run a method until it gives about as many superpixels as wanted.

    The next number to ask for is in proportion to what the last one gave, or the middle of what is left where that
    leads out of it. The search ends within 0.5 %, after `most_tries`, or where other numbers give the same again, since
    many methods lay a grid of whole pixels; the closest result is returned.

    Parameters
    ----------
    segment : callable
        The method, from :attr:`LoadedRival.run`.
    image : ndarray of shape (M, N, 3), uint8
        RGB image.
    n_segments : int
        The number wanted, 1 to the number of pixels.
    most_asked : int, optional
        Largest number that the method takes.
    most_tries : int
        Runs at most.

    Raises
    ------
    ValueError
        If the number does not fit the image.
    """
    n_pixels = image.shape[0] * image.shape[1]
    most = n_pixels if most_asked is None else min(n_pixels, most_asked)
    if not 1 <= n_segments <= most:
        why = "the number of pixels" if most == n_pixels else "more this method does not take"
        raise ValueError(f"n_segments must be from 1 to {most}, {why}; received {n_segments}")
    low, high = 0, most + 1
    asked = n_segments
    best: CountedSuperpixels | None = None
    counts: list[int] = []
    while True:
        labels = connected_superpixels(segment(image, asked))
        n_found = int(labels.max())
        counts.append(n_found)
        error = abs(n_found - n_segments)
        if best is None or error < abs(best.n_found - n_segments):
            best = CountedSuperpixels(labels, asked, n_found, len(counts))
        low, high = (asked, high) if n_found < n_segments else (low, asked)
        is_exhausted = high - low == 1 or len(counts) - len(set(counts)) == _MOST_REPEATS
        if error <= COUNT_TOLERANCE * n_segments or is_exhausted or len(counts) == most_tries:
            return replace(best, n_tries=len(counts))
        asked = round(asked * n_segments / n_found)
        if not low < asked < high:
            asked = (low + high) // 2


def connected_superpixels(labels: npt.NDArray[np.integer[Any]]) -> Labels:
    """Return the 4-connected pieces of a label image as superpixels 1 to K.

    Of a label in several pieces the largest stays. Of the others, those under a quarter of the mean size N / K are
    shared out among their neighbours, as SLIC does it; the rest become superpixels of their own.
    """
    labels = labels.astype(np.int64)
    pieces, n_pieces = connected_components(labels, connectivity=1, background=int(labels.min()) - 1, return_num=True)
    size = np.bincount(pieces.ravel(), minlength=n_pieces + 1)[1:]
    first = np.unique(pieces, return_index=True)[1]
    owner = labels.ravel()[first]
    by_owner = np.lexsort((-size, owner))
    is_largest = np.zeros(n_pieces, bool)
    is_largest[by_owner[np.unique(owner[by_owner], return_index=True)[1]]] = True
    kept = is_largest | (size >= _FRAGMENT * labels.size / np.count_nonzero(is_largest))
    if kept.all():
        return pieces.astype(np.int32)
    markers = np.concatenate([[0], np.cumsum(kept) * kept])[pieces]
    joined: Labels = watershed(np.zeros(labels.shape, np.uint8), markers, connectivity=1).astype(np.int32)
    return joined


def _scikit_image_slic(*, compactness: float, sigma: float) -> Segmenter:
    return lambda image, n: slic(image, n, compactness=compactness, sigma=sigma, start_label=1)


def _compact_watershed(*, compactness: float) -> Segmenter:
    def segment(image: Image, n: int) -> npt.NDArray[np.integer[Any]]:
        gradient = np.linalg.norm([sobel(channel) for channel in np.moveaxis(rgb2lab(image), -1, 0)], axis=0)
        return watershed(gradient, markers=n, compactness=compactness)

    return segment


def _fast_slic(*, compactness: float) -> Segmenter:
    # Its threads would go on spinning, and slow down whatever runs after it.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    library = import_module("fast_slic")
    has_avx2 = "x64/avx2" in library.get_supported_archs()
    method = import_module("fast_slic.avx2").SlicAvx2 if has_avx2 else library.Slic

    def segment(image: Image, n: int) -> npt.NDArray[np.integer[Any]]:
        labels = method(num_components=n, compactness=compactness).iterate(np.ascontiguousarray(image))
        return labels.view(np.uint16)  # it says int16, and overflows

    return segment


def _opencv_slic(*, algorithm: str, ruler: float, min_element_size: int) -> Segmenter:
    cv2 = _opencv()

    def segment(image: Image, n: int) -> npt.NDArray[np.integer[Any]]:
        method = cv2.ximgproc.createSuperpixelSLIC(
            _smoothed_lab(cv2, image), getattr(cv2.ximgproc, algorithm), _region_size(image, n), ruler
        )
        method.iterate(_ITERATIONS)
        method.enforceLabelConnectivity(min_element_size)
        return method.getLabels()

    return segment


def _opencv_lsc(*, ratio: float, min_element_size: int) -> Segmenter:
    cv2 = _opencv()
    # Its threads race: labels would differ from run to run.
    cv2.setNumThreads(1)

    def segment(image: Image, n: int) -> npt.NDArray[np.integer[Any]]:
        method = cv2.ximgproc.createSuperpixelLSC(_smoothed_lab(cv2, image), _region_size(image, n), ratio)
        method.iterate(_ITERATIONS)
        method.enforceLabelConnectivity(min_element_size)
        return method.getLabels()

    return segment


def _opencv_seeds(*, num_levels: int, prior: int, histogram_bins: int, double_step: bool) -> Segmenter:
    cv2 = _opencv()

    def segment(image: Image, n: int) -> npt.NDArray[np.integer[Any]]:
        _check_side(image)
        height, width, n_channels = image.shape
        method = cv2.ximgproc.createSuperpixelSEEDS(
            width, height, n_channels, n, num_levels, prior, histogram_bins, double_step
        )
        method.iterate(np.ascontiguousarray(image), _ITERATIONS)
        return method.getLabels()

    return segment


def _opencv() -> ModuleType:
    cv2 = import_module("cv2")
    if not hasattr(cv2, "ximgproc"):
        raise ImportError("this OpenCV comes without its contributed modules; they are in opencv-contrib")
    return cv2


def _smoothed_lab(cv2: ModuleType, image: Image) -> Image:
    """Return CIELAB of the slightly blurred image, as OpenCV's documentation recommends for its superpixels."""
    _check_side(image)
    lab: Image = cv2.cvtColor(cv2.GaussianBlur(image, (3, 3), 0), cv2.COLOR_RGB2LAB)
    return lab


def _check_side(image: Image) -> None:
    if min(image.shape[:2]) < _OPENCV_SIDE:
        raise ValueError(
            f"OpenCV's superpixels hang or crash on images as small as {image.shape[0]}x{image.shape[1]}; give at "
            f"least {_OPENCV_SIDE}x{_OPENCV_SIDE} pixels"
        )


def _region_size(image: Image, n_segments: int) -> int:
    """Return the pixels across a superpixel; of more than half the image OpenCV's LSC divides by zero."""
    height, width = image.shape[:2]
    return max(1, min(round((height * width / n_segments) ** 0.5), min(height, width) // 2))


#: Each method with the settings that were best for it on BSDS500 val, by error (1 - ASA) at 400 superpixels. SLIC and
#: fast-slic have a second entry, since their compactness trades error for boundary recall.
RIVALS = (
    Rival("slic-10", "SLIC 10", _SCIKIT_IMAGE, partial(_scikit_image_slic, compactness=10.0, sigma=1.0)),
    Rival("slic-20", "SLIC 20", _SCIKIT_IMAGE, partial(_scikit_image_slic, compactness=20.0, sigma=1.0)),
    Rival("watershed", "compact watershed", _SCIKIT_IMAGE, partial(_compact_watershed, compactness=0.3)),
    Rival("fast-slic-10", "fast-slic 10", _FAST_SLIC, partial(_fast_slic, compactness=10.0), _FAST_SLIC_MOST),
    Rival("fast-slic-20", "fast-slic 20", _FAST_SLIC, partial(_fast_slic, compactness=20.0), _FAST_SLIC_MOST),
    Rival(
        "opencv-slic",
        "SLIC (OpenCV)",
        _OPENCV,
        partial(_opencv_slic, algorithm="SLIC", ruler=20.0, min_element_size=25),
    ),
    Rival(
        "slico", "SLICO (OpenCV)", _OPENCV, partial(_opencv_slic, algorithm="SLICO", ruler=10.0, min_element_size=25)
    ),
    Rival("lsc", "LSC (OpenCV)", _OPENCV, partial(_opencv_lsc, ratio=0.03, min_element_size=25)),
    Rival(
        "seeds",
        "SEEDS (OpenCV)",
        _OPENCV,
        partial(_opencv_seeds, num_levels=3, prior=2, histogram_bins=8, double_step=True),
    ),
)
