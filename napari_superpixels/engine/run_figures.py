"""Figures of a training run: curves over the epochs, and what the network makes of a few images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from skimage.segmentation import mark_boundaries

from napari_superpixels.engine.figure_files import FIGURE_SUFFIXES, save_figure
from napari_superpixels.engine.run_folder import Row
from napari_superpixels.engine.validation import ValidationPicture

_DPI = 120
_PICTURE_DPI = 80
_LOSSES = ("loss", "mse", "tv", "boundary", "association")


def draw_curves(folder: Path, rows: Sequence[Row]) -> None:
    """Draw losses, learning rate, validation and every a and b over the epochs, as curves.png and curves.svg.

    Raises
    ------
    WriteError
        If a file cannot be written.
    """
    figure = Figure(figsize=(13, 7))
    figure.subplots_adjust(left=0.07, right=0.98, bottom=0.08, top=0.94, wspace=0.3, hspace=0.3)
    panels: list[Axes] = list(figure.subplots(2, 3).ravel())
    _draw(panels[0], rows, [name for name in _LOSSES if name in rows[-1]], "Losses", is_log=True)
    _draw(panels[1], rows, ["undersegmentation_error"], "1 - ASA (validation)")
    _draw(panels[2], rows, ["boundary_recall", "compactness_px"], "Validation")
    _draw(panels[3], rows, ["learning_rate"], "Learning rate")
    for axes, part in zip(panels[4:], "ab", strict=True):
        names = [name for name in rows[-1] if name.endswith(f".{part}")]
        _draw(axes, rows, names, f"{part} of each normalisation", has_legend=len(names) <= 8)
    for suffix in FIGURE_SUFFIXES:
        save_figure(folder / f"curves{suffix}", figure, dpi=_DPI)


def draw_pictures(path: Path, pictures: Sequence[ValidationPicture]) -> None:
    """Draw for each image a row: image, flattened, boundary and superpixels.

    Raises
    ------
    WriteError
        If the file cannot be written.
    """
    figure = Figure(figsize=(14, 3 * len(pictures)))
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=0.93, wspace=0.02, hspace=0.15)
    panels = figure.subplots(len(pictures), 4, squeeze=False)
    for row, picture in zip(panels, pictures, strict=True):
        boundary = np.zeros(picture.labels.shape) if picture.boundary is None else picture.boundary
        shown: list[tuple[str, npt.NDArray[np.floating]]] = [
            ("image", picture.image),
            ("flattened", picture.flattened),
            ("boundary", boundary),
            ("superpixels", mark_boundaries(picture.image, picture.labels, color=(1, 1, 0), mode="inner")),
        ]
        for axes, (title, values) in zip(row, shown, strict=True):
            axes.imshow(values, cmap="gray", vmin=0, vmax=1)
            axes.set_title(title)
            axes.set_axis_off()
    save_figure(path, figure, dpi=_PICTURE_DPI)


def _draw(
    axes: Axes,
    rows: Sequence[Row],
    names: Sequence[str],
    title: str,
    *,
    is_log: bool = False,
    has_legend: bool = True,
) -> None:
    for name in names:
        points = [(row["epoch"], row[name]) for row in rows if name in row]
        axes.plot(*zip(*points, strict=True), label=name.replace("_", " "), marker="." if len(points) < 30 else "")
    axes.set(title=title, xlabel="epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if is_log:
        axes.set_yscale("log")
    if has_legend and axes.lines:
        axes.legend(fontsize="small")
    axes.grid(alpha=0.3)
