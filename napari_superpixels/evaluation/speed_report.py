"""The speed benchmark as tables on a terminal, CSV, JSON, and a figure."""

import csv
import json
import math
import os
import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator
from pydantic import JsonValue
from rich.table import Table

from napari_superpixels.engine.figure_files import save_figure
from napari_superpixels.engine.provenance import library_versions
from napari_superpixels.evaluation.figures import draw_legend, draw_method, finish_panel, method_styles, panel_grid
from napari_superpixels.evaluation.speed import Timing
from napari_superpixels.evaluation.tables import SCHEMA
from napari_superpixels.files import replacing

_MEGA = 1e6
# Less is what the process had left over from before.
_LEAST_BYTES = 2**20


def time_table(timings: Sequence[Timing], n_threads: int) -> Table:
    """Return the median milliseconds per megapixel of each method on each size, for one number of threads."""
    threads = "1 thread" if n_threads == 1 else f"{n_threads} threads"
    rows = [timing for timing in timings if timing.n_threads == n_threads]
    return _table(f"ms per megapixel, {threads}", rows, _milliseconds_per_megapixel)


def memory_table(timings: Sequence[Timing]) -> Table:
    """Return the memory that a run takes, in megabytes (2^20 bytes)."""
    return _table("extra memory in MB", [t for t in timings if t.extra_bytes is not None], _megabytes)


def write_speed_csv(path: str | Path, timings: Sequence[Timing]) -> None:
    """Write one row per method, size and number of threads; at least one.

    Raises
    ------
    WriteError
        If the file cannot be written.
    """
    rows = [
        {
            "method": timing.method,
            "edge": timing.edge,
            "n_segments": timing.n_segments,
            "n_threads": timing.n_threads,
            "n_runs": len(timing.seconds),
            "median_s": _rounded(timing.median, 6),
            "min_s": _rounded(min(timing.seconds, default=None), 6),
            "ms_per_megapixel": _rounded(_milliseconds_per_megapixel(timing), 3),
            "extra_MB": _rounded(_megabytes(timing), 1),
            "note": timing.note,
        }
        for timing in timings
    ]
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_speed_json(path: str | Path, timings: Iterable[Timing]) -> None:
    """Write every run, with the versions of the libraries and what is known about the machine.

    Raises
    ------
    WriteError
        If the file cannot be written.
    """
    document = {
        "schema": SCHEMA,
        "versions": library_versions(),
        "machine": machine(),
        "timings": [{**asdict(t), "n_segments": t.n_segments, "median": t.median} for t in timings],
    }
    with replacing(path) as part:
        part.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def draw_speed(path: str | Path, timings: Sequence[Timing]) -> None:
    """Draw time per megapixel and memory over the number of pixels, on logarithmic axes.

    Parameters
    ----------
    path : str or pathlib.Path
        ``.svg`` or ``.png`` file.
    timings : sequence of Timing
        One panel for each number of threads; one for the memory where it was measured.

    Raises
    ------
    WriteError
        If the file cannot be written or is of another kind.
    """
    panels: list[tuple[str, list[Timing], Callable[[Timing], float | None]]] = []
    for n_threads in sorted({timing.n_threads for timing in timings}):
        threads = "1 thread" if n_threads == 1 else f"{n_threads} threads"
        rows = [timing for timing in timings if timing.n_threads == n_threads]
        panels.append((f"ms per megapixel, {threads}", rows, _milliseconds_per_megapixel))
    with_memory = [timing for timing in timings if (timing.extra_bytes or 0) >= _LEAST_BYTES]
    if with_memory:
        panels.append(("extra memory in MB", with_memory, _megabytes))
    figure, axes, place = panel_grid(len(panels), 2, 5.6, 4.2)
    for one, (title, rows, value) in zip(axes, panels, strict=True):
        _draw_panel(one, title, rows, value, [timing.method for timing in timings])
    draw_legend(place, axes[0])
    save_figure(path, figure)


def machine() -> dict[str, JsonValue]:
    """Return what is known about the machine, as plain values that JSON can hold."""
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _draw_panel(
    axes: Axes, title: str, timings: Sequence[Timing], value: Callable[[Timing], float | None], methods: Sequence[str]
) -> None:
    for method, style in method_styles(methods).items():
        own = [timing for timing in timings if timing.method == method]
        values = [math.nan if (y := value(timing)) is None else y for timing in own]
        draw_method(axes, [timing.edge**2 for timing in own], values, method, style)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    edges = sorted({timing.edge for timing in timings})
    axes.set_xticks([edge**2 for edge in edges], [f"{edge}²" for edge in edges])
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.minorticks_off()
    axes.set_xlabel("pixels")
    finish_panel(axes, title)


def _table(title: str, timings: Sequence[Timing], value: Callable[[Timing], float | None]) -> Table:
    edges = sorted({timing.edge for timing in timings})
    cells = {(timing.method, timing.edge): value(timing) for timing in timings}
    table = Table(title=title, title_justify="left")
    table.add_column("method", no_wrap=True)
    for edge in edges:
        table.add_column(f"{edge}²", justify="right", no_wrap=True)
    for method in dict.fromkeys(timing.method for timing in timings):
        table.add_row(method, *(_shown(cells.get((method, edge))) for edge in edges))
    return table


def _milliseconds_per_megapixel(timing: Timing) -> float | None:
    return None if timing.median is None else 1e3 * timing.median / (timing.edge**2 / _MEGA)


def _megabytes(timing: Timing) -> float | None:
    return None if timing.extra_bytes is None else timing.extra_bytes / 2**20


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"
