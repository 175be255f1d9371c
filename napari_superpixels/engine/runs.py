"""The folder of the user's fine-tunings: those that wait for a decision, and those that made a model."""

import datetime
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from pydantic import BaseModel, ConfigDict

from napari_superpixels.engine.json_files import write_json
from napari_superpixels.engine.run_lock import is_locked
from napari_superpixels.errors import SuperpixelsError, WriteError
from napari_superpixels.nets.catalogue import available_models

#: Environment variable that names another folder for the runs, whatever the user chose.
RUNS_VARIABLE = "NAPARI_SUPERPIXELS_RUNS"
_OUTCOME = "outcome.json"


class Outcome(BaseModel):
    """What became of a run; immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    """Name under which its best network was installed."""


@dataclass(frozen=True, slots=True)
class WaitingRun:
    """A run that did not end, or whose result was neither used nor discarded."""

    folder: Path
    """Its folder."""
    title: str
    """What it is, in words."""


def default_runs_folder() -> Path:
    """Return the folder for runs in the user's data."""
    return platformdirs.user_data_path("napari-superpixels", appauthor=False) / "runs"


def chosen_runs_folder(preferred: str | None) -> Path:
    """Return the folder for runs: that of the environment, the preferred one, or the default."""
    chosen = os.environ.get(RUNS_VARIABLE) or preferred
    return Path(chosen) if chosen else default_runs_folder()


def new_run_folder(folder: Path, start: str) -> Path:
    """Make the folder of a new run.

    Raises
    ------
    WriteError
        If it cannot be made.
    """
    stem = f"{datetime.datetime.now():%Y-%m-%d %H-%M-%S} {Path(start).stem}"
    for number in range(1, 1000):
        path = folder / (stem if number == 1 else f"{stem} {number}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise WriteError(
                f"{path} cannot be made: {error.strerror or error}. Choose another folder for the trainings."
            ) from error
        return path
    raise WriteError(f"{folder} holds too many runs of this second.")


def waiting_runs(folder: Path) -> list[WaitingRun]:
    """Return the runs of a folder that wait for a decision, the newest first; those in work are left out."""
    found = []
    for path in sorted(_runs(folder), key=lambda path: path.name, reverse=True):
        if not is_decided(path) and not is_locked(path):
            found.append(WaitingRun(path, _title(path)))
    return found


def note_outcome(folder: Path, model: str) -> None:
    """Remember that a run's network was installed.

    Raises
    ------
    WriteError
        If that cannot be written.
    """
    write_json(folder / _OUTCOME, Outcome(model=model))


def is_decided(folder: Path) -> bool:
    """Return whether a run's network was installed."""
    return (folder / _OUTCOME).exists()


def run_of_model(folder: Path, model: str) -> Path | None:
    """Return the run that made a model: one of a folder, of an installed model, or that in which its file lies.

    None where there is none.
    """
    installed = available_models().get(model)
    if installed is None:
        around = Path(model).absolute().parent
        return around if Path(model).is_file() and (around / "job.json").exists() else None
    for path in _runs(folder):
        try:
            outcome = Outcome.model_validate_json((path / _OUTCOME).read_text(encoding="utf-8"))
            if outcome.model == model and (path / "best.safetensors").read_bytes() == installed.read_bytes():
                return path
        except (OSError, ValueError):
            continue
    return None


def remove_run(folder: Path) -> None:
    """Remove a run with all that it holds.

    Raises
    ------
    SuperpixelsError
        If it is no run, is in work, or cannot be removed.
    """
    if not (folder / "job.json").exists():
        raise SuperpixelsError(f"{folder} is no training run; nothing was removed.")
    if is_locked(folder):
        raise SuperpixelsError(f"{folder} is in work; stop that training first.")
    doomed = folder.with_name(f".{folder.name}")
    try:
        # In one step, so that no half of it is left where a file is in use.
        folder.rename(doomed)
        shutil.rmtree(doomed)
    except OSError as error:
        raise WriteError(f"{folder} cannot be removed: {error.strerror or error}.") from error


def _runs(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.name[0] != "." and (path / "job.json").exists()]
    except OSError:
        return []


def _title(folder: Path) -> str:
    has_ended = (folder / "report.json").exists()
    ended = "its model was neither used nor discarded" if has_ended else "it did not end"
    day, _, rest = folder.name.partition(" ")
    clock, _, start = rest.partition(" ")
    return f"from {start!r}, {day} {clock.replace('-', ':')[:5]}; {ended}"
