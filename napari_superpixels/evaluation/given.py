"""Superpixels that exist already, as label images, whatever program made them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_superpixels.core.metrics import evaluate
from napari_superpixels.data.images import Plane, read_image
from napari_superpixels.data.label_files import read_labels
from napari_superpixels.data.sources import AnnotatedImage, DataSource, listed
from napari_superpixels.errors import ReadError
from napari_superpixels.evaluation.results import Result
from napari_superpixels.evaluation.runs import color_values

if TYPE_CHECKING:
    from pydantic import JsonValue

_SUFFIXES = (".tif", ".tiff", ".png")


class LabelFolder:
    """A method whose superpixels lie in a folder, under the names of the images.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of TIFF or PNG label images; one for each image of `source`, more do not matter.
    source : DataSource
        The images.
    endings : sequence of str
        What names of label images may have in addition to those of their images.

    Raises
    ------
    ReadError
        If the folder is missing, or an image has no superpixels in it.
    """

    def __init__(self, folder: Path, source: DataSource, endings: Sequence[str] = ("", "_superpixels")) -> None:
        if not folder.is_dir():
            raise ReadError(f"The folder {folder} does not exist.")
        names = [item.name for item in source]
        found = {name: self._find(folder, name, endings) for name in names}
        missing = [name for name, path in found.items() if path is None]
        if missing:
            raise ReadError(
                f"{len(missing)} of {len(names)} images have no superpixels of their name in {folder}: "
                f"{listed(missing)}. Expected .tif or .png files, such as {names[0]}.png."
            )
        self.name = folder.name
        self._paths = {name: path for name, path in found.items() if path is not None}
        self.settings: Mapping[str, JsonValue] = {"superpixels": str(folder)}

    @staticmethod
    def _find(folder: Path, name: str, endings: Sequence[str]) -> Path | None:
        paths = (folder / f"{name}{ending}{suffix}" for ending in endings for suffix in _SUFFIXES)
        return next((path for path in paths if path.is_file()), None)

    def segment(self, image: AnnotatedImage, n_segments: int | None) -> npt.NDArray[np.integer[Any]]:
        """Read an image's superpixels."""
        return read_labels(self._paths[image.name])


def measure_files(
    superpixels: Path,
    ground_truths: Sequence[Path],
    image: Path | None = None,
    *,
    volume: bool = False,
    tolerance: int = 2,
) -> list[Result]:
    """Measure a file of superpixels against files of ground truth.

    Parameters
    ----------
    superpixels : pathlib.Path
        Label image or stack.
    ground_truths : sequence of pathlib.Path
        A label image or stack of the same shape for each annotator.
    image : pathlib.Path, optional
        The image, for explained variation.
    volume : bool
        Whether a stack is one volume; plane by plane otherwise.
    tolerance : int
        Tolerance of the boundary measures, in pixels.

    Returns
    -------
    list of Result
        One for each plane or volume.

    Raises
    ------
    ReadError
        If a file cannot be read, or its shape differs.
    """
    labels = read_labels(superpixels)
    truths = []
    for path in ground_truths:
        truths.append(read_labels(path))
        if truths[-1].shape != labels.shape:
            raise ReadError(f"{path} has shape {truths[-1].shape}, {superpixels} has {labels.shape}; they must agree.")
    if volume and labels.ndim < 3:
        raise ReadError(f"{superpixels} is one plane (shape {labels.shape}), no volume; leave out the option.")
    shape = labels.shape[-3:] if volume else labels.shape[-2:]
    stacks = [array.reshape(-1, *shape) for array in (labels, *truths)]
    n_planes = len(stacks[0])
    values = [None] * n_planes if image is None else _read_values(image, volume, n_planes, shape)
    results = []
    for i in range(n_planes):
        metrics = evaluate(stacks[0][i], [stack[i] for stack in stacks[1:]], values[i], tolerance)
        name = superpixels.stem if n_planes == 1 else f"{superpixels.stem}_{i:04d}"
        results.append(Result(superpixels.stem, name, None, metrics))
    return results


def _read_values(path: Path, volume: bool, n_planes: int, shape: tuple[int, ...]) -> list[npt.NDArray[Any]]:
    try:
        planes: list[Plane] = read_image(path).planes(volume=volume)[1]
    except ReadError as error:
        raise ReadError(f"{path}: {error}") from error
    values = [color_values(plane.array, plane.channel_axis, plane.rgb) for plane in planes]
    if len(values) != n_planes or values[0].shape[: len(shape)] != shape:
        raise ReadError(
            f"{path} holds {len(values)} planes or volumes of shape {values[0].shape}; the labels are {n_planes} of "
            f"{shape}. They must agree."
        )
    return values
