"""Figures of results: a panel for each measure, a curve for each method."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from napari_superpixels.engine.figure_files import save_figure
from napari_superpixels.evaluation.results import Summary
from napari_superpixels.evaluation.tables import MEASURES

#: The measures of a figure of curves.
CURVE_MEASURES = ("BR", "UE", "ASA", "EV", "CO")

# Okabe & Ito's colours, which colour-blind readers tell apart; the yellow is too pale for lines.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
_LINES = ("-", "--", ":", "-.")


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
    figure, panels, place = panel_grid(len(shown), 3, 4.2, 3.2)
    styles = method_styles([summary.method for summary in summaries])
    for axes, name in zip(panels, shown, strict=True):
        _draw_panel(axes, name, summaries, styles)
    draw_legend(place, panels[0], fontsize="medium")
    if title:
        figure.suptitle(title)
    save_figure(path, figure)


def panel_grid(n_panels: int, most_columns: int, width: float, height: float) -> tuple[Figure, list[Axes], Axes]:
    """Return a figure, its panels from left to right and down, and the place of the legend after them.

    Parameters
    ----------
    n_panels : int
        Number of panels.
    most_columns : int
        Panels in a row at most.
    width, height : float
        Size of a panel in inches.
    """
    n_columns = min(most_columns, n_panels + 1)
    n_rows = -(-(n_panels + 1) // n_columns)
    figure = Figure(figsize=(width * n_columns, height * n_rows), layout="constrained")
    panels: list[Axes] = list(figure.subplots(n_rows, n_columns, squeeze=False).ravel())
    for axes in panels[n_panels:]:
        axes.set_axis_off()
    return figure, panels[:n_panels], panels[n_panels]


def draw_legend(place: Axes, panel: Axes, **options: Any) -> None:
    """Name in one place what a panel shows, for all panels."""
    handles, names = panel.get_legend_handles_labels()
    place.legend(handles, names, loc="center left", frameon=False, handlelength=3, **options)


def draw_method(axes: Axes, x: Sequence[float], y: Sequence[float], method: str, style: Style) -> None:
    """Draw the curve of a method."""
    axes.plot(
        x, y, color=style.color, marker=style.marker, linestyle=style.line, linewidth=1.6, markersize=5, label=method
    )


def finish_panel(axes: Axes, title: str) -> None:
    """Give a panel its title and grid."""
    axes.set_title(title, fontsize="medium", loc="left")
    axes.grid(visible=True, alpha=0.25, linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _draw_panel(axes: Axes, name: str, summaries: Sequence[Summary], styles: dict[str, Style]) -> None:
    measure = MEASURES[name]
    for method, style in styles.items():
        own = [summary.means for summary in summaries if summary.method == method]
        points = sorted((means[MEASURES["K"].field], means[measure.field]) for means in own)
        draw_method(axes, [count for count, _ in points], [value for _, value in points], method, style)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    counts = sorted({round(s.n_segments or s.means[MEASURES["K"].field]) for s in summaries})
    axes.set_xticks(counts[:: -(-len(counts) // 6)])
    axes.set_xlabel("superpixels")
    better = {True: " ↑", False: " ↓", None: ""}[measure.higher_is_better]
    finish_panel(axes, f"{name}{better}  {measure.title}")


def _is_number(value: float) -> bool:
    return value == value  # nan is not equal to itself
