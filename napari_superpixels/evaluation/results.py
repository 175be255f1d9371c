"""Results of an evaluation: one row per method, number of superpixels and image; kept on disk as they come."""

import hashlib
import json
import math
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import JsonValue

import napari_superpixels
from napari_superpixels.core.metrics import Metrics
from napari_superpixels.engine.provenance import library_versions
from napari_superpixels.errors import WriteError


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


class ResultStore:
    """Results in a file that only grows, so that an interrupted evaluation goes on where it was.

    Parameters
    ----------
    path : pathlib.Path
        File of JSON lines; its folder is made if missing. A last line that was cut off is ignored.

    Raises
    ------
    WriteError
        If the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._found: dict[str, Result] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a+", encoding="utf-8", errors="replace") as file:
                file.seek(0)
                lines = file.read().splitlines()
        except OSError as error:
            raise _unusable(path, error) from error
        for line in lines:
            self._read(line)

    def __len__(self) -> int:
        """Return the number of results."""
        return len(self._found)

    def get(self, key: str) -> Result | None:
        """Return the result with that key from :func:`result_key`; None where there is none."""
        return self._found.get(key)

    def add(self, key: str, result: Result) -> None:
        """Keep a result; may be called from several threads.

        Raises
        ------
        WriteError
            If the file cannot be written.
        """
        entry = {
            "key": key,
            "method": result.method,
            "case": result.case,
            "n_segments": result.n_segments,
            "seconds": result.seconds,
            "metrics": asdict(result.metrics),
        }
        with self._lock:
            try:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write("\n" + json.dumps(entry))  # the line before may be cut off
            except OSError as error:
                raise _unusable(self._path, error) from error
            self._found[key] = result

    def remove(self) -> None:
        """Remove the file."""
        self._path.unlink(missing_ok=True)

    def _read(self, line: str) -> None:
        try:
            entry: dict[str, Any] = json.loads(line)
            metrics = Metrics(**entry["metrics"])
            result = Result(entry["method"], entry["case"], entry["n_segments"], metrics, entry["seconds"])
            self._found[entry["key"]] = result
        except (ValueError, KeyError, TypeError):
            return  # cut off, or of another version: it is computed again


def _unusable(path: Path, error: OSError) -> WriteError:
    return WriteError(
        f"{path}, which keeps results for a later start, cannot be used: {error.strerror or error}. Choose another "
        "place, or make room or get the permission."
    )
