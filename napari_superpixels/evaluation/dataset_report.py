"""Report on a data set and its superpixel targets: numbers as JSON and Markdown, figures as PNG and SVG.

The quantities are those by which Dumont & Figliuzzi, "Image segmentation by superpixels" (section 2.1.2), describe
theirs: sizes of images, objects per image, sizes of segments; and beside them, how many superpixels came out.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from napari_superpixels import __version__
from napari_superpixels.data.sources import DataSource
from napari_superpixels.engine.figure_files import FIGURE_SUFFIXES, save_figure
from napari_superpixels.engine.target_growth import TargetConfig
from napari_superpixels.engine.target_runs import TargetResult
from napari_superpixels.errors import ReadError
from napari_superpixels.evaluation.dataset_figures import draw_examples, draw_statistics
from napari_superpixels.files import replacing

_N_COMMON = 5


def write_report(
    folder: str | Path,
    source: DataSource,
    config: TargetConfig,
    results: Sequence[TargetResult],
    *,
    n_examples: int = 4,
) -> list[Path]:
    """Write the report of a run of targets.

    Parameters
    ----------
    folder : str or pathlib.Path
        Where the files are written; made if missing.
    source : DataSource
        The images.
    config : TargetConfig
        How the targets were grown.
    results : sequence of TargetResult
        What became of each image.
    n_examples : int
        Number of images shown with their targets.

    Returns
    -------
    list of pathlib.Path
        The files: ``summary.json``, ``summary.md``, and ``statistics`` and ``examples`` as PNG and SVG, where there are
        targets to draw.

    Raises
    ------
    WriteError
        If a file cannot be written.
    """
    folder = Path(folder)
    summary = summarise(source, config, results)
    texts = {"summary.json": json.dumps(summary, indent=2) + "\n", "summary.md": as_markdown(summary)}
    for name, text in texts.items():
        with replacing(folder / name) as part:
            part.write_text(text, encoding="utf-8")
    written = [folder / name for name in texts]
    records = [result.record for result in results if result.record is not None]
    if records:
        written += _save(draw_statistics(records), folder / "statistics")
        try:
            examples = draw_examples(source, results, n_examples)
        except ReadError:  # an image that is gone since; its targets stay
            return written
        written += _save(examples, folder / "examples")
    return written


def summarise(source: DataSource, config: TargetConfig, results: Sequence[TargetResult]) -> dict[str, Any]:
    """Return the numbers of the report, as JSON can hold them.

    Parameters
    ----------
    source : DataSource
        The images.
    config : TargetConfig
        How the targets were grown.
    results : sequence of TargetResult
        What became of each image.

    Returns
    -------
    dict
        Quantities are given as "min", "q25", "median", "mean", "q75" and "max".
    """
    records = [result.record for result in results if result.record is not None]
    shapes = [tuple(record["shape"]) for record in records]
    pairs = [(record["n_asked"], n) for record in records for n in record["n_superpixels"]]
    pixels = [shape[0] * shape[1] for record, shape in zip(records, shapes, strict=True) for _ in record["n_objects"]]
    sizes = [size for record in records for annotator in record["segment_sizes"] for size in annotator]
    shares = [
        size / (shape[0] * shape[1])
        for record, shape in zip(records, shapes, strict=True)
        for annotator in record["segment_sizes"]
        for size in annotator
    ]
    return {
        "version": __version__,
        "source": {"kind": source.kind, **source.settings},
        "config": config.model_dump(),
        "n_images": len(source),
        "n_with_targets": len(records),
        "n_not_done": len(source) - len(results),
        "left_out": list(source.notes),
        "failures": {result.name: result.error for result in results if result.status == "failed"},
        "notes": {record["name"]: record["notes"] for record in records if record["notes"]},
        "height": _quantiles(shape[0] for shape in shapes),
        "width": _quantiles(shape[1] for shape in shapes),
        "most_common_shapes": [[*shape, n] for shape, n in Counter(shapes).most_common(_N_COMMON)],
        "annotators_per_image": _quantiles(len(record["n_objects"]) for record in records),
        "objects_per_annotation": _quantiles(n for record in records for n in record["n_objects"]),
        "segment_size_px": _quantiles(sizes),
        "segment_size_share": _quantiles(shares),
        "superpixels_asked": _quantiles(asked for asked, _ in pairs),
        "superpixels_made": _quantiles(made for _, made in pairs),
        "superpixel_size_px": _quantiles(n / made for n, (_, made) in zip(pixels, pairs, strict=True)),
        "n_annotations": len(pairs),
        "n_annotations_with_more_than_asked": sum(made > asked for asked, made in pairs),
    }


def as_markdown(summary: dict[str, Any]) -> str:
    """Return the report in Markdown, from what :func:`summarise` returned."""
    where = ", ".join(f"{key} {value}" for key, value in summary["source"].items() if value not in (None, ""))
    lines = [
        "# Superpixel targets",
        "",
        f"Source: {where}. {summary['n_with_targets']} of {summary['n_images']} images have targets.",
        f"Made by napari-superpixels {summary['version']} with {json.dumps(summary['config'])}.",
        "",
        "| | min | 25 % | median | mean | 75 % | max |",
        "|---|---|---|---|---|---|---|",
    ]
    for key, title in _ROWS.items():
        if summary[key]:
            lines.append(f"| {title} | {' | '.join(_number(value) for value in summary[key].values())} |")
    if summary["most_common_shapes"]:
        common = ", ".join(f"{height} x {width} ({n})" for height, width, n in summary["most_common_shapes"])
        lines += ["", f"Most frequent sizes, height x width (images): {common}."]
    if summary["n_annotations_with_more_than_asked"]:
        lines += [
            "",
            f"{summary['n_annotations_with_more_than_asked']} of {summary['n_annotations']} annotations have more "
            "superpixels than asked for: each connected part of a segment gets at least one.",
        ]
    lines += [f"\n{note}" for note in summary["left_out"]]
    for title, entries in (("Failed", summary["failures"]), ("Notes", summary["notes"])):
        if entries:
            lines += ["", f"## {title}", ""]
            lines += [
                f"- {name}: {text if isinstance(text, str) else ' '.join(text)}" for name, text in entries.items()
            ]
    if summary["n_with_targets"]:
        lines += ["", "![Statistics](statistics.png)", "", "![Examples](examples.png)"]
    return "\n".join(lines) + "\n"


_ROWS = {
    "height": "image height (px)",
    "width": "image width (px)",
    "annotators_per_image": "annotators per image",
    "objects_per_annotation": "objects per annotation",
    "segment_size_px": "segment size (px)",
    "segment_size_share": "segment size (share of the image)",
    "superpixels_asked": "superpixels asked for",
    "superpixels_made": "superpixels made",
    "superpixel_size_px": "mean superpixel size (px)",
}


def _quantiles(values: Iterable[float]) -> dict[str, float]:
    array = np.array(list(values), float)
    if not array.size:
        return {}
    low, first, middle, third, high = np.quantile(array, [0, 0.25, 0.5, 0.75, 1]).tolist()
    return {"min": low, "q25": first, "median": middle, "mean": float(array.mean()), "q75": third, "max": high}


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def _save(figure: Figure, path: Path) -> list[Path]:
    written = [path.with_suffix(suffix) for suffix in FIGURE_SUFFIXES]
    for target in written:
        save_figure(target, figure)
    return written
