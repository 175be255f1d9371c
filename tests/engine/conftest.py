"""A tiny data set in the layout of BSDS500."""

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from scipy import ndimage
from scipy.io import savemat

from napari_superpixels.data.sources import DataSource, array_source

SHAPE = (40, 56)


@pytest.fixture
def photo() -> np.ndarray:
    rng = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(rng.random((*SHAPE, 3)), (4, 4, 0))
    return np.round(255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)


@pytest.fixture
def truths() -> list[np.ndarray]:
    """Two annotators: quarters, and a disk."""
    rows, columns = np.indices(SHAPE)
    return [1 + (rows > 17) + 2 * (columns > 23), 1 + ((rows - 20) ** 2 + (columns - 20) ** 2 < 150)]


@pytest.fixture
def bsds(tmp_path: Path, photo: np.ndarray, truths: list[np.ndarray]) -> Path:
    """A folder with a training split of two images."""
    for part in ("images", "groundTruth"):
        (tmp_path / part / "train").mkdir(parents=True)
    cells = np.empty((1, 2), dtype=object)
    for i, truth in enumerate(truths):
        cells[0, i] = {"Segmentation": truth.astype(np.uint16)}
    for name in ("100", "200"):
        iio.imwrite(tmp_path / "images" / "train" / f"{name}.jpg", photo)
        savemat(tmp_path / "groundTruth" / "train" / f"{name}.mat", {"groundTruth": cells})
    return tmp_path


@pytest.fixture
def source(photo: np.ndarray, truths: list[np.ndarray]) -> DataSource:
    """Four images in memory, each turned otherwise."""
    pairs = [(np.rot90(photo, i), [np.rot90(truth, i) for truth in truths]) for i in range(4)]
    return array_source([image for image, _ in pairs], [truth for _, truth in pairs])
