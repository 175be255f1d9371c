"""Files of superpixel targets: NumPy archives (``.npz``) without pickles, compressed, written whole or not at all.

``labels{i}`` (M, N) is the superpixels of annotator i in the smallest integer type, ``colors{i}`` (K + 1, 3) float32
their mean colours in [0, 1], ``regions{i}`` (K + 1,) int32 the ground-truth segment in which each lies, so that
``regions[labels]`` is the ground truth; ``boundary`` (M, N) uint8 the share of annotators who drew a border, times 255;
``record`` a text in JSON. On BSDS500 that is 21 kB for an annotator, 4.5 % of the target as RGB.
"""

import contextlib
import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_superpixels.errors import ReadError
from napari_superpixels.files import replacing

_RECORD = "record"
_BOUNDARY = "boundary"


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """What a network should make of one image, for each annotator; row 0 of the tables is unused."""

    labels: tuple[npt.NDArray[np.unsignedinteger[Any]], ...]
    """Superpixels (M, N), from 1."""
    colors: tuple[npt.NDArray[np.float32], ...]
    """Mean colour of each superpixel, (K + 1, 3), in [0, 1]."""
    regions: tuple[npt.NDArray[np.int32], ...]
    """Ground-truth segment of each superpixel, (K + 1,)."""
    boundary: npt.NDArray[np.uint8]
    """Share of annotators who drew a border at the pixel, times 255, (M, N)."""


def write_targets(path: str | Path, targets: Targets, record: dict[str, Any]) -> None:
    """Write targets; equal targets give equal files.

    Parameters
    ----------
    path : str or pathlib.Path
        File to write or replace; its folder is made if missing.
    targets : Targets
        The targets.
    record : dict
        What else is to be known, as JSON can hold it.

    Raises
    ------
    WriteError
        If the file cannot be written.
    """
    arrays: dict[str, npt.NDArray[Any]] = {_BOUNDARY: targets.boundary, _RECORD: np.array(json.dumps(record))}
    for kind in ("labels", "colors", "regions"):
        arrays |= {f"{kind}{i}": array for i, array in enumerate(getattr(targets, kind))}
    with replacing(path) as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def read_targets(path: str | Path) -> Targets:
    """Read targets.

    Raises
    ------
    ReadError
        If the file is missing, damaged or of another kind, or its parts do not fit each other.
    """
    with _opened(Path(path)) as arrays:
        n_annotators = sum(name.startswith("labels") for name in arrays.files)
        labels, colors, regions = (
            tuple(arrays[f"{kind}{i}"] for i in range(n_annotators)) for kind in ("labels", "colors", "regions")
        )
        targets = Targets(labels, colors, regions, arrays[_BOUNDARY])
    fits = bool(labels) and all(
        array.shape == targets.boundary.shape and int(array.max(initial=0)) < min(len(table), len(segments))
        for array, table, segments in zip(labels, colors, regions, strict=True)
    )
    if not fits:
        raise ReadError(f"The parts of the file of targets {path} do not fit each other; delete it.")
    return targets


def read_record(path: str | Path) -> dict[str, Any] | None:
    """Return what :func:`write_targets` was told beside the targets; None where the file was not written here.

    Nothing else of the file is read.
    """
    try:
        with _opened(Path(path)) as arrays:
            record = json.loads(str(arrays[_RECORD]))
    except (ReadError, ValueError):
        return None
    return record if isinstance(record, dict) else None


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open an archive; whatever a damaged one is met with becomes one error."""
    try:
        with path.open("rb") as file, zipfile.ZipFile(file):
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                yield arrays
    except FileNotFoundError as error:
        raise ReadError(f"The file of targets {path} does not exist.") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ReadError(f"The file of targets {path} is damaged ({error}); delete it.") from error
