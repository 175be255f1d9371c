"""Figures of a data set and its superpixel targets."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from skimage.segmentation import find_boundaries

from napari_superpixels.core.image import unit_image
from napari_superpixels.data.sources import DataSource, SourceItem
from napari_superpixels.data.target_files import read_targets
from napari_superpixels.engine.target_runs import TargetResult

_BLUE = "#2b6c99"
_BORDER_COLOR = (1.0, 0.86, 0.0)
_TEXT = 9
_MAX_BARS = 10
_N_BINS = 41
_WIDE = 30
_SHOWN_SIDE = 320


def draw_statistics(records: Sequence[dict[str, Any]]) -> Figure:
    """Draw sizes of images, objects per image, sizes of segments and numbers of superpixels.

    Parameters
    ----------
    records : sequence of dict
        Records of :class:`napari_superpixels.engine.target_runs.TargetResult`; at least one.

    Returns
    -------
    matplotlib.figure.Figure
        Four panels.
    """
    figure = Figure(figsize=(10, 7), layout="constrained")
    (sizes, objects), (segments, superpixels) = figure.subplots(2, 2)
    _draw_image_sizes(sizes, records)
    n_objects = np.array([n for record in records for n in record["n_objects"]])
    _histogram(objects, n_objects, "objects per annotation", "annotations")
    areas = [size for record in records for annotator in record["segment_sizes"] for size in annotator]
    _histogram(segments, np.array(areas), "segment size (px)", "segments")
    _histogram(superpixels, _superpixels_per_segment(records), "superpixels per segment, by area", "segments")
    made = [n for record in records for n in record["n_superpixels"]]
    each = f"{made[0]} superpixels each" if len(set(made)) == 1 else f"{min(made)} to {max(made)} superpixels each"
    n_images = len(records)
    figure.suptitle(f"{n_images} {'image' if n_images == 1 else 'images'}, {n_objects.size} annotations, {each}")
    return figure


def _draw_image_sizes(axes: Axes, records: Sequence[dict[str, Any]]) -> None:
    """Draw how many images have each size; where there are many sizes, a point for each."""
    counts = Counter(tuple(record["shape"]) for record in records)
    if len(counts) <= _MAX_BARS:
        ordered = sorted(counts.items(), key=lambda entry: entry[0][0] * entry[0][1], reverse=True)
        bars = axes.barh(
            [f"{width} x {height}" for (height, width), _ in ordered], [n for _, n in ordered], color=_BLUE
        )
        axes.bar_label(bars, padding=3, fontsize=_TEXT)
        axes.set(xlabel="images", ylabel="width x height (px)", title="Sizes of images")
        _tidy(axes, "x")
        return
    height, width = np.array(list(counts)).T
    n_images = np.array(list(counts.values()))
    axes.scatter(width, height, 12 + 200 * n_images / n_images.max(), color=_BLUE, alpha=0.45, linewidth=0)
    axes.set(xlabel="image width (px)", ylabel="image height (px)", title=f"Sizes of images: {len(counts)}")
    axes.set_xlim(0, 1.08 * width.max())
    axes.set_ylim(0, 1.08 * height.max())
    _tidy(axes, "both")


def _superpixels_per_segment(records: Sequence[dict[str, Any]]) -> npt.NDArray[np.float64]:
    """Return each segment's size divided by the average size of its annotation's superpixels."""
    return np.array(
        [
            size * n_superpixels / (record["shape"][0] * record["shape"][1])
            for record in records
            for annotator, n_superpixels in zip(record["segment_sizes"], record["n_superpixels"], strict=True)
            for size in annotator
        ]
    )


def _histogram(axes: Axes, values: npt.NDArray[Any], name: str, counted: str) -> None:
    """Draw a histogram: on a logarithmic axis where values spread over more than a factor of 30."""
    axes.set(xlabel=name, ylabel=counted)
    if values.size:
        axes.hist(values, bins=_bins(values), color=_BLUE)
        low, median, high = np.quantile(values, [0, 0.5, 1])
        if low > 0 and high > _WIDE * low:
            axes.set_xscale("log")
        axes.axvline(median, color="black", linestyle="--", linewidth=1)
        axes.set_title(f"{name[0].upper()}{name[1:]}: median {median:.3g}")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    _tidy(axes, "y")


def _bins(values: npt.NDArray[Any]) -> list[float]:
    """Return the limits of a histogram's bars; of whole numbers each bar holds some, and no bar lies between two."""
    is_whole = values.dtype.kind in "iu"
    low, high = values.min(), values.max()
    if low > 0 and high > _WIDE * low:
        limits = np.geomspace(low, high, _N_BINS)
        return (np.unique(np.append(limits.round(), high + 1)) - 0.5 if is_whole else limits).tolist()
    if is_whole:
        step = -(-int(high - low + 1) // _N_BINS)
        return (np.arange(low, high + step + 1, step) - 0.5).tolist()
    return np.linspace(low, max(high, low + 1e-6), _N_BINS).tolist()


def _tidy(axes: Axes, lines: Literal["x", "y", "both"]) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=lines, alpha=0.3)
    axes.set_axisbelow(True)


def draw_examples(source: DataSource, results: Sequence[TargetResult], n_examples: int = 4) -> Figure:
    """Draw images, evenly chosen, with the first annotator's ground truth and target, and all borders.

    Of large images the middle is shown.

    Parameters
    ----------
    source : DataSource
        The images.
    results : sequence of TargetResult
        What became of each image; one with targets at least.
    n_examples : int
        Number of images.

    Returns
    -------
    matplotlib.figure.Figure
        A row for each image.

    Raises
    ------
    ReadError
        If an image or its targets cannot be read.
    """
    items = {item.name: item for item in source}
    usable = [result for result in results if result.record is not None]
    places = np.unique(np.linspace(0, len(usable) - 1, n_examples).round().astype(int))
    chosen = [usable[place] for place in places]
    rows = [_example(items[result.name], result) for result in chosen]
    shares = [row[0].shape[0] / row[0].shape[1] for row in rows]
    figure = Figure(figsize=(12, 3 * sum(shares) + 0.35 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), 4, squeeze=False, height_ratios=shares)
    for axes_row, pictures, result in zip(grid, rows, chosen, strict=True):
        record = result.record or {}
        titles = (
            result.name,
            f"{record['n_objects'][0]} objects",
            f"{record['n_superpixels'][0]} superpixels",
            "borders" if len(record["n_objects"]) == 1 else f"borders of {len(record['n_objects'])} annotators",
        )
        for axes, picture, title in zip(axes_row, pictures, titles, strict=True):
            axes.imshow(picture, cmap="magma", vmin=0, vmax=1, interpolation="nearest")
            axes.set_title(title, fontsize=_TEXT)
            axes.set_axis_off()
    return figure


def _example(item: SourceItem, result: TargetResult) -> tuple[npt.NDArray[np.float32], ...]:
    """Return the middle of image, image with ground truth, target and boundary, each in [0, 1]."""
    read = item.read()
    image = unit_image(read.pixels, channel_axis=read.channel_axis, rgb=read.rgb).pixels
    targets = read_targets(result.path)
    outlined = image.copy()
    outlined[find_boundaries(read.ground_truths[0], mode="inner", background=-1)] = _BORDER_COLOR
    target = targets.colors[0][targets.labels[0]]
    boundary = (targets.boundary / np.float32(255)).astype(np.float32)
    top, left = (max(0, (side - _SHOWN_SIDE) // 2) for side in boundary.shape)
    middle = (slice(top, top + _SHOWN_SIDE), slice(left, left + _SHOWN_SIDE))
    return image[middle], outlined[middle], target[middle], boundary[middle]
