"""Figures of results: drawn without a window, equal bytes for equal results."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from napari_superpixels.errors import WriteError
from napari_superpixels.evaluation.results import Summary
from napari_superpixels.evaluation.tables import MEASURES
from napari_superpixels.files import replacing

#: Suffixes of the files that a figure is written to.
FIGURE_SUFFIXES = (".svg", ".png")
#: The measures of a figure of curves.
CURVE_MEASURES = ("BR", "UE", "ASA", "EV", "CO")

# Okabe & Ito's colours, which colour-blind readers tell apart; the yellow is too pale for lines.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
_LINES = ("-", "--", ":", "-.")
_DPI = 150


@dataclass(frozen=True, slots=True)
class Style:
    """How a method is drawn in every figure."""

    color: str
    """Colour as "#rrggbb"."""
    marker: str
    """matplotlib's name of the marker."""
    line: str
    """matplotlib's name of the dash pattern."""


def method_styles(methods: Sequence[str]) -> dict[str, Style]:
    """Give each method a colour, a marker and a dash pattern of its own, in their order."""
    return {
        name: Style(_COLORS[i % len(_COLORS)], _MARKERS[i % len(_MARKERS)], _LINES[i // len(_COLORS) % len(_LINES)])
        for i, name in enumerate(dict.fromkeys(methods))
    }


def draw_curves(
    path: str | Path, summaries: Sequence[Summary], measures: Sequence[str] = CURVE_MEASURES, *, title: str = ""
) -> None:
    """Draw each measure over the number of superpixels that came out, one curve per method.

    Parameters
    ----------
    path : str or pathlib.Path
        ``.svg`` or ``.png`` file.
    summaries : sequence of Summary
        From :func:`napari_superpixels.evaluation.results.summarize`.
    measures : sequence of str
        Keys of :data:`napari_superpixels.evaluation.tables.MEASURES`, one panel for each. One that is undefined
        everywhere is left out.
    title : str
        Title of the figure.

    Raises
    ------
    WriteError
        If the file cannot be written or is of another kind.
    """
    shown = [name for name in measures if any(_is_number(s.means[MEASURES[name].field]) for s in summaries)]
    n_columns = min(3, len(shown) + 1)
    n_rows = -(-(len(shown) + 1) // n_columns)
    figure = Figure(figsize=(4.2 * n_columns, 3.2 * n_rows), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    styles = method_styles([summary.method for summary in summaries])
    for axes, name in zip(panels, shown, strict=False):
        _draw_panel(axes, name, summaries, styles)
    legend, *rest = panels[len(shown) :]
    for axes in (legend, *rest):
        axes.set_axis_off()
    handles, names = panels[0].get_legend_handles_labels()
    legend.legend(handles, names, loc="center left", frameon=False, fontsize="medium", handlelength=3)
    if title:
        figure.suptitle(title)
    save_figure(path, figure)


def save_figure(path: str | Path, figure: Figure) -> None:
    """Write a figure as SVG or PNG, without anything that changes from run to run.

    Raises
    ------
    WriteError
        If the file cannot be written or is of another kind.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in FIGURE_SUFFIXES:
        raise WriteError(f"A figure cannot be written to {path}; name a file that ends with .svg or .png.")
    FigureCanvasAgg(figure)
    metadata = {"Date": None} if suffix == ".svg" else None
    with replacing(path) as part, mpl.rc_context({"svg.hashsalt": "napari-superpixels"}):
        figure.savefig(part, format=suffix[1:], dpi=_DPI, metadata=metadata)


def _draw_panel(axes: Axes, name: str, summaries: Sequence[Summary], styles: dict[str, Style]) -> None:
    measure = MEASURES[name]
    for method, style in styles.items():
        own = [summary.means for summary in summaries if summary.method == method]
        points = sorted((means[MEASURES["K"].field], means[measure.field]) for means in own)
        axes.plot(
            *zip(*points, strict=True),
            color=style.color,
            marker=style.marker,
            linestyle=style.line,
            linewidth=1.6,
            markersize=5,
            label=method,
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    counts = sorted({round(s.n_segments or s.means[MEASURES["K"].field]) for s in summaries})
    axes.set_xticks(counts[:: -(-len(counts) // 6)])
    axes.set_xlabel("superpixels")
    better = {True: " ↑", False: " ↓", None: ""}[measure.higher_is_better]
    axes.set_title(f"{name}{better}  {measure.title}", fontsize="medium", loc="left")
    axes.grid(visible=True, alpha=0.25, linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _is_number(value: float) -> bool:
    return value == value  # nan is not equal to itself
