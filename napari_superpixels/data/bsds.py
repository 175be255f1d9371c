"""Reader of the Berkeley Segmentation Data Set 500 in its own folder layout.

``images/{split}/{name}.jpg`` and ``groundTruth/{split}/{name}.mat``, several annotators per image.

Source: P. Arbelaez, M. Maire, C. Fowlkes, J. Malik, "Contour Detection and Hierarchical Image Segmentation",
IEEE TPAMI 33(5), 2011, doi:10.1109/TPAMI.2010.161.
"""

from dataclasses import dataclass
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from napari_superpixels.errors import ReadError


@dataclass(frozen=True, slots=True)
class BsdsSample:
    """One image with every annotator's segmentation."""

    name: str
    """File name without suffix, for example ``"12003"``."""
    image: NDArray[np.uint8]
    """Shape (H, W, 3), RGB."""
    ground_truths: tuple[NDArray[np.int32], ...]
    """One label map of shape (H, W) per annotator, labels from 1."""


def list_bsds(root: str | Path, split: str) -> list[str]:
    """Return the names of a split's images in sorted order.

    Parameters
    ----------
    root : str or pathlib.Path
        Folder that holds ``images`` and ``groundTruth``.
    split : str
        ``"train"``, ``"val"`` or ``"test"``.

    Raises
    ------
    ReadError
        If a folder is missing or holds no image.
    """
    for part in ("images", "groundTruth"):
        folder = Path(root) / part / split
        if not folder.is_dir():
            raise ReadError(
                f"{root} does not hold the BSDS500 split {split!r}: the folder {part}/{split} is missing. "
                "Give the folder that contains 'images' and 'groundTruth'."
            )
    names = sorted(path.stem for path in (Path(root) / "images" / split).glob("*.jpg"))
    if not names:
        raise ReadError(f"{Path(root) / 'images' / split} holds no .jpg image; expected the images of BSDS500.")
    return names


def read_bsds(root: str | Path, split: str, name: str) -> BsdsSample:
    """Read one image and its annotations.

    Parameters
    ----------
    root : str or pathlib.Path
        Folder that holds ``images`` and ``groundTruth``.
    split : str
        ``"train"``, ``"val"`` or ``"test"``.
    name : str
        File name without suffix.

    Raises
    ------
    ReadError
        If a file is missing, cannot be read, or image and annotation differ in shape.
    """
    image = _read_image(Path(root) / "images" / split / f"{name}.jpg")
    path = Path(root) / "groundTruth" / split / f"{name}.mat"
    ground_truths = _read_ground_truths(path)
    for ground_truth in ground_truths:
        if ground_truth.shape != image.shape[:2]:
            raise ReadError(
                f"{path}: a segmentation has shape {ground_truth.shape}, its image {image.shape[:2]}; "
                "image and annotation do not belong together."
            )
    return BsdsSample(name, image, ground_truths)


def _read_image(path: Path) -> NDArray[np.uint8]:
    if not path.is_file():
        raise ReadError(f"{path} is missing; expected an image of BSDS500.")
    try:
        image = np.asarray(iio.imread(path, plugin="pillow"))
    except (OSError, ValueError) as error:
        raise ReadError(f"{path} cannot be read as an image: {error}") from error
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ReadError(f"{path}: expected an 8-bit RGB image, received shape {image.shape} of {image.dtype}.")
    return image


def _read_ground_truths(path: Path) -> tuple[NDArray[np.int32], ...]:
    if not path.is_file():
        raise ReadError(f"{path} is missing; expected the annotations of an image of BSDS500.")
    # loadmat meets a damaged file with almost any exception; whichever it is, the file is what is wrong.
    try:
        cells = loadmat(path)["groundTruth"].ravel()
        ground_truths = tuple(np.asarray(cell["Segmentation"][0, 0], dtype=np.int32) for cell in cells)
    except Exception as error:
        raise ReadError(
            f"{path} cannot be read as a BSDS500 annotation (a MATLAB 5 file with 'groundTruth'): {error!r}"
        ) from error
    if not ground_truths:
        raise ReadError(f"{path} holds no annotator; expected at least one.")
    return ground_truths
