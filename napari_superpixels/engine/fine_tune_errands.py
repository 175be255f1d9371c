"""What a fine-tuning in a window does with files, each in a worker thread.

Modules that bring torch are imported where they are needed: the window starts without it.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from napari_superpixels.data.sources import SourceItem
from napari_superpixels.data.training_folder import TrainingItem, open_training_folder, write_training_folder
from napari_superpixels.engine.fine_tune_files import (
    FineTuneJob,
    FineTuneReport,
    read_job,
    read_report,
    write_job,
    write_report,
)
from napari_superpixels.engine.fine_tune_progress import FineTuneProgress
from napari_superpixels.engine.fine_tune_rows import DataRow, examine, unique_names
from napari_superpixels.engine.preview_files import PreviewLabels, ask_preview, read_preview
from napari_superpixels.engine.runs import new_run_folder, note_outcome, run_of_model
from napari_superpixels.errors import CancelledError, ReadError
from napari_superpixels.params import FineTuneParams

_DATA = "data"


@dataclass(frozen=True, slots=True)
class Trial:
    """A run that is only timed."""

    folder: Path
    """Its folder, for a short time."""
    n_train: int
    """Number of images that would teach."""
    n_validation: int
    """Number of images that would measure."""

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def write_run(
    runs: Path,
    rows: Sequence[DataRow],
    params: FineTuneParams,
    should_stop: Callable[[], bool],
    earlier_digests: Iterable[str] = (),
) -> Path:
    """Write the images and the job of a run, and return its folder.

    Parameters
    ----------
    runs : pathlib.Path
        Where the folder is made.
    rows : sequence of DataRow
        The images; of those of the earlier run, what the list holds takes part.
    params : FineTuneParams
        How it learns.
    should_stop : callable
        Asked before each image.
    earlier_digests : iterable of str
        Digests of all images of the run that made the start model.

    Raises
    ------
    SuperpixelsError
        If an image cannot be read or a file cannot be written.
    CancelledError
        If stopped; nothing is left then.
    """
    folder = new_run_folder(runs, params.start)
    earlier = run_of_model(runs, params.start)
    try:
        _write_data(folder, [row for row in rows if row.included and row.kind != "earlier"], should_stop)
        job = FineTuneJob(params=params, data=_DATA)
        if earlier is not None:
            included = {row.digest for row in rows if row.included}
            left_out = tuple(sorted(set(earlier_digests) - included))
            job = job.model_copy(update={"earlier": str(earlier), "left_out": left_out})
        write_job(folder, job)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def write_trial(rows: Sequence[DataRow], params: FineTuneParams) -> Trial:
    """Write as much of a run as is needed to time it: one image that teaches and one that measures."""
    used = [row for row in rows if row.included]
    by_role = {role: [row for row in used if row.role == role] for role in ("train", "validation")}
    few = used if len(used) == 1 else [group[0] for group in by_role.values()]
    folder = Path(tempfile.mkdtemp(prefix="napari-superpixels-"))
    try:
        _write_data(folder, few, lambda: False)
        write_job(folder, FineTuneJob(params=params, data=_DATA))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    counts = (1, 1) if len(used) == 1 else (len(by_role["train"]), len(by_role["validation"]))
    return Trial(folder, *counts)


def open_run(folder: Path) -> tuple[FineTuneProgress, FineTuneReport | None]:
    """Return how far a run is, and its report if it has ended."""
    read_job(folder)
    return FineTuneProgress.of_run(folder), read_report(folder)


def install(folder: Path, report: FineTuneReport, name: str) -> None:
    """Put the best network of a run among the user's models; the run counts as ended then."""
    from napari_superpixels.nets.library import install_model

    assert report.best is not None
    install_model(folder / report.best, name)
    write_report(folder, report)
    note_outcome(folder, name)


def earlier_rows(runs: Path, start: str) -> list[DataRow]:
    """Return the images of the run that made a model, with the roles that they had; empty where there is none."""
    folder = run_of_model(runs, start)
    if folder is None:
        return []
    from napari_superpixels.engine.fine_tune import learning_data
    from napari_superpixels.engine.fine_tune_data import known_roles
    from napari_superpixels.nets.catalogue import find_model, read_header

    job = read_job(folder)
    data = learning_data(folder, job, known=known_roles(read_header(find_model(start)).card))
    rows = []
    for name, item in data.items.items():
        role = data.roles.get(name, "train")

        row = DataRow(f"earlier-{name}", name, "earlier", partial(_read, item), f"learnt by {start!r}", is_frozen=True)
        rows.append(replace(examine(row), role=role))
    return rows


def read_image(folder: Path, name: str) -> TrainingItem:
    """Return an image of a run, as it learnt from it or was measured on it.

    Raises
    ------
    ReadError
        If it cannot be read.
    """
    from napari_superpixels.engine.fine_tune import learning_data

    items = learning_data(folder, read_job(folder)).items
    if name not in items:
        raise ReadError(f"{folder} holds no image {name!r}.")
    return _read(items[name])


def ask(folder: Path, view: dict[str, Any]) -> None:
    """Write what the process is to show while it learns."""
    ask_preview(folder, **view)


def preview(folder: Path) -> PreviewLabels:
    """Read what the process shows."""
    return read_preview(folder)


def folder_rows(folder: str | Path, new_key: Callable[[], str], *, zero_is_unannotated: bool = False) -> list[DataRow]:
    """Return a row for each pair of image and labels in a folder, not yet examined.

    Raises
    ------
    ReadError
        If there is none.
    """
    data = open_training_folder(folder, zero_is_unannotated=zero_is_unannotated)
    return [DataRow(new_key(), item.name, "folder", partial(_read, item), str(folder)) for item in data.source]


def _read(item: SourceItem) -> TrainingItem:
    found = item.read()
    return TrainingItem(
        found.name,
        found.pixels,
        found.ground_truths[0],
        found.annotated,
        channel_axis=found.channel_axis,
        rgb=found.rgb,
    )


def _write_data(folder: Path, rows: Sequence[DataRow], should_stop: Callable[[], bool]) -> None:
    def items() -> Iterator[TrainingItem]:
        for row, name in zip(rows, unique_names(rows), strict=True):
            if should_stop():
                raise CancelledError("The training was stopped before it began.")
            yield replace(row.read(), name=name, role=row.role, origin=row.origin)

    write_training_folder(folder / _DATA, items())
