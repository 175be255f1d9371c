"""Results of an evaluation: one row per method, number of superpixels and image."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path

import numpy as np
from pydantic import JsonValue

import napari_superpixels
from napari_superpixels.core.metrics import Metrics
from napari_superpixels.engine.provenance import library_versions
from napari_superpixels.evaluation.kept import KeptValues


@dataclass(frozen=True, slots=True)
class Result:
    """The measures of one method on one image."""

    method: str
    """Name of the method."""
    case: str
    """Name of the image."""
    n_segments: int | None
    """Number of superpixels asked for; None for labels that were given."""
    metrics: Metrics
    """The measures; `n_superpixels` among them is the number that came out."""
    seconds: float | None = None
    """Time of the segmentation; None where it was not taken."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Means over the images."""

    method: str
    """Name of the method."""
    n_segments: int | None
    """Number of superpixels asked for; None for labels that were given."""
    n_cases: int
    """Number of images."""
    means: dict[str, float]
    """Mean of each field of :class:`Metrics` over the images; nan where it is undefined for one of them."""


def summarize(results: Iterable[Result]) -> list[Summary]:
    """Average over the images, for each method and number asked for.

    Returns
    -------
    list of Summary
        Methods in the order of their first result, each by rising number of superpixels.
    """
    groups: dict[str, dict[int | None, list[Result]]] = {}
    for result in results:
        groups.setdefault(result.method, {}).setdefault(result.n_segments, []).append(result)
    return [
        _average(method, n_segments, rows)
        for method, by_number in groups.items()
        for n_segments, rows in sorted(by_number.items(), key=lambda pair: pair[0] or 0)
    ]


def _average(method: str, n_segments: int | None, rows: Sequence[Result]) -> Summary:
    means = {}
    for field in fields(Metrics):
        values = [getattr(row.metrics, field.name) for row in sorted(rows, key=lambda row: row.case)]
        means[field.name] = math.nan if None in values else float(np.mean(values))
    return Summary(method, n_segments, len(rows), means)


def result_key(
    case: Sequence[JsonValue],
    method: str,
    settings: Mapping[str, JsonValue],
    n_segments: int | None,
    tolerance: int,
) -> str:
    """Return a digest of everything that decides a result: its inputs, its parameters and the program itself.

    Parameters
    ----------
    case : sequence of JSON values
        What changes when the image or its ground truth does, for example an item's ``fingerprint()``.
    method : str
        Name of the method.
    settings : mapping
        Its parameters.
    n_segments : int or None
        Number of superpixels asked for.
    tolerance : int
        Tolerance of the boundary measures, in pixels.
    """
    content = [list(case), method, dict(settings), n_segments, tolerance, _program()]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@cache
def _program() -> list[JsonValue]:
    """Return the versions of the libraries and a digest of the package's sources."""
    root = Path(napari_superpixels.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.read_bytes())
    return [digest.hexdigest(), dict(library_versions())]


class ResultStore(KeptValues[Result]):
    """Results of an evaluation by :func:`result_key`, kept in a file; see the base class."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, asdict, lambda values: Result(**{**values, "metrics": Metrics(**values["metrics"])}))
